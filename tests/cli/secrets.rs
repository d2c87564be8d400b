//! What a log line never holds, however much is logged.
use std::fs;

use reqwest::Method;
use serde_json::json;

use crate::support::{PASSWORD, Place, Server, Tokens};

const SECOND: &str = "another staple 82 battery";
const THIRD: &str = "the third bridge 83 river";
const WRONG: &str = "some guess that was wrong 84";

fn talkative() -> Place {
    Place::new().with("log.level", "trace").with("keys.rotation_days", "0")
}

/// Everything that carries a secret: registering, logging in (rightly and wrongly), refreshing (once too often,
/// too), changing the password, logging out.
async fn use_every_secret(server: &Server) -> Vec<Tokens> {
    let mut everything = log_in_in_every_way(server).await;
    let last = refresh_too_often(server, &everything[0]).await;
    let change = json!({"current_password": PASSWORD, "new_password": SECOND});
    let change = server.request(Method::POST, "/auth/password/change").json(&change);
    let cookie = format!("access_token_cookie={}", last.access);
    let change = change.header("Cookie", cookie).header("X-CSRF-Token", &last.csrf);
    assert_eq!(change.send().await.unwrap().status(), 204);
    let bearer = server.request(Method::POST, "/auth/logout").bearer_auth(&last.access);
    assert_eq!(bearer.send().await.unwrap().status(), 200);
    assert_eq!(server.me(&last).await, 401);
    everything.push(last);
    everything
}

async fn log_in_in_every_way(server: &Server) -> Vec<Tokens> {
    let by_json = server.user("ann").await;
    let guess = json!({"username": "ann", "password": WRONG});
    assert_eq!(server.post("/auth/token", &guess).await.status(), 401);
    let form = format!("username=ann&password={}", PASSWORD.replace(' ', "+"));
    let request = server.request(Method::POST, "/auth/login").body(form);
    let by_form = request.header("Content-Type", "application/x-www-form-urlencoded").send().await.unwrap();
    vec![by_json, Tokens::from(&by_form)]
}

async fn refresh_too_often(server: &Server, tokens: &Tokens) -> Tokens {
    let refreshed = server.refresh(tokens).await;
    assert_eq!(refreshed.status(), 200);
    assert_eq!(server.refresh(tokens).await.status(), 200);
    let damaged = Tokens { refresh: tokens.refresh.to_uppercase(), ..tokens.clone() };
    assert_eq!(server.refresh(&damaged).await.status(), 401);
    Tokens::from(&refreshed)
}

fn assert_silent(place: &Place, written: &str, tokens: &[Tokens]) {
    let master_key = fs::read_to_string(place.inside("master.key")).unwrap();
    let mut secrets = vec![PASSWORD, SECOND, THIRD, WRONG, master_key.trim(), "$argon2", "PRIVATE KEY"];
    for Tokens { access, refresh, csrf } in tokens {
        let signature = access.rsplit('.').next().unwrap();
        secrets.extend([access, signature, refresh, csrf].map(|text| text));
    }
    assert!(secrets.iter().all(|secret| secret.len() > 6));
    for secret in secrets {
        // A cut-off secret is one, too.
        let part = &secret[..secret.len().min(24)];
        let line = written.lines().find(|line| line.contains(part) || line.contains(&part.replace(' ', "+")));
        assert!(line.is_none(), "{secret} stands in: {line:?}");
    }
}

#[tokio::test]
async fn no_secret_is_logged_at_any_level() {
    let place = talkative();
    let server = place.start();
    let tokens = use_every_secret(&server).await;
    let args = ["user", "set-password", "ann", "--password-stdin"];
    place.run_with_input(&args, &format!("{THIRD}\n")).text();
    place.run(&["keys", "rotate"]).text();
    let written = server.stop();
    assert!(written.contains("password changed") && written.contains("login refused"), "{written}");
    assert!(
        written.contains("\"TRACE\"") || written.contains("\"DEBUG\""),
        "nothing was said at all: {written}"
    );
    assert_silent(&place, &written, &tokens);
}

/// With threads of its own the client says goodbye while the test waits for the end.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn no_secret_is_logged_of_http_2_either() {
    let place = talkative();
    let mut server = place.start();
    server.http = reqwest::Client::builder().http2_prior_knowledge().build().unwrap();
    let tokens = use_every_secret(&server).await;
    let written = server.stop();
    assert!(written.contains("password changed"), "{written}");
    assert_silent(&place, &written, &tokens);
}

#[test]
fn no_secret_is_printed_by_a_command() {
    let place = talkative();
    place.create("ann", &["--superuser"]);
    let args = ["user", "set-password", "ann", "--password-stdin"];
    let mut written = place.run_with_input(&args, &format!("{SECOND}\n")).text();
    let commands = [["config", "show"], ["user", "list"], ["keys", "list"], ["user", "show"]];
    for command in commands {
        let name = if command[1] == "show" && command[0] == "user" { &["ann"][..] } else { &[] };
        written += &place.run(&[&command[..], name, &["--json"]].concat()).text();
        written += &place.run(&[&command[..], name].concat()).text();
    }
    assert_silent(&place, &written, &[]);
}
