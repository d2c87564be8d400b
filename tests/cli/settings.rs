//! Where settings come from, which one wins, and what is said of a wrong one.
use std::fs;

use serde_json::Value;

use crate::support::{Place, finish};

/// What `config show` says of a setting: its value, and where it was said.
fn shown(place: &Place, args: &[&str], key: &str) -> (String, String) {
    let all = place.json(&[&["--json", "config", "show"], args].concat());
    let one = all.as_array().unwrap().iter().find(|setting| setting["key"] == key).unwrap().clone();
    let text = |name: &str| one[name].as_str().unwrap().to_owned();
    (text("value"), text("source"))
}

fn written(place: &Place, text: &str) -> String {
    fs::create_dir_all(&place.data_dir).unwrap();
    let file = place.inside("config.toml");
    fs::write(&file, text).unwrap();
    file.display().to_string()
}

#[test]
fn the_example_file_of_the_repository_is_what_the_program_prints() {
    let printed = Place::bare().run(&["config", "example"]).text();
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/data/config.example.toml");
    assert!(fs::read_to_string(path).unwrap() == printed, "run scripts/bless.sh and read what it changes");
}

#[test]
fn the_example_changes_nothing() {
    let place = Place::bare();
    let before = finish(place.bare_command(&["--json", "config", "show"]), "").json();
    let file = place.file("example.toml", &place.run(&["config", "example"]).text());
    let args = ["--json", "config", "show", "--config", file.to_str().unwrap()];
    let after = finish(place.bare_command(&args), "").json();
    let pairs = before.as_array().unwrap().iter().zip(after.as_array().unwrap());
    assert!(before.as_array().unwrap().len() > 25);
    for (before, after) in pairs {
        assert_eq!((&before["key"], &before["value"]), (&after["key"], &after["value"]));
        assert_eq!(before["source"], "default");
        // Tables of their own stand there as samples, behind signs of comments.
        let is_sample =
            ["oauth.scopes", "oauth.clients", "forward.rules"].iter().any(|key| before["key"] == *key);
        let expected = if is_sample { "default".to_owned() } else { format!("file {}", file.display()) };
        assert_eq!(after["source"], expected);
    }
}

#[test]
fn a_file_in_the_data_directory_is_read_and_the_rest_comes_before_it() {
    let place = Place::bare();
    let file = written(&place, "listen = \"127.0.0.1:4001\"\n[http]\nidle_timeout_secs = 7\n");
    let from_file = (String::from("\"127.0.0.1:4001\""), format!("file {file}"));
    assert_eq!(shown(&place, &[], "listen"), from_file);
    assert_eq!(shown(&place, &[], "http.idle_timeout_secs").0, "7");
    assert_eq!(shown(&place, &[], "http.max_connections"), ("10000".into(), "default".into()));
    let place = place.with("listen", "127.0.0.1:4002");
    let from_environment = ("\"127.0.0.1:4002\"".into(), "environment variable AUTH_LISTEN".into());
    assert_eq!(shown(&place, &[], "listen"), from_environment);
    let from_flag = ("\"127.0.0.1:4003\"".into(), "flag --listen".into());
    assert_eq!(shown(&place, &["--listen", "127.0.0.1:4003"], "listen"), from_flag);
    let other = place.file("other.toml", "registration = \"closed\"\n");
    let other = ["--config", other.to_str().unwrap()];
    assert_eq!(shown(&place, &other, "registration").0, "\"closed\"");
    assert_eq!(shown(&place, &other, "http.idle_timeout_secs").0, "75", "one file, not two");
    let text = place.run(&["config", "show"]).text();
    assert!(text.contains("listen = \"127.0.0.1:4002\"  # environment variable AUTH_LISTEN\n"), "{text}");
}

#[tokio::test]
async fn a_server_does_what_the_file_in_its_data_directory_says() {
    let place = Place::new();
    written(&place, "registration = \"closed\"\nlisten = \"127.0.0.1:0\"\n");
    let server = crate::support::Server::start(place.command(&[]));
    let body = serde_json::json!({"username": "ann", "email": "ann@example.com", "password": "x"});
    let answer = server.post("/auth/register", &body).await;
    assert_eq!(answer.status(), 403);
    let error: Value = answer.json().await.unwrap();
    assert_eq!(error["error"]["code"], "FORBIDDEN");
    place.create("ann", &[]);
}

#[test]
fn a_wrong_value_is_named_with_its_place_and_what_is_allowed() {
    let place = Place::bare();
    let file = written(&place, "[password]\nmemory_kib = \"much\"\n");
    let said = place.run(&["check"]).refusal(2);
    for part in ["password.memory_kib cannot be \"much\"", &file, "a whole number from 8"] {
        assert!(said.contains(part), "{said}");
    }
    fs::remove_file(file).unwrap();
    let place = place.with("log.level", "loud");
    let said = place.run(&["check"]).refusal(2);
    for part in ["log.level cannot be \"loud\"", "AUTH_LOG__LEVEL", "\"trace\""] {
        assert!(said.contains(part), "{said}");
    }
    let place = place.with("log.level", "info");
    let said = place.run(&["--listen", "8000"]).refusal(2);
    for part in ["listen cannot be \"8000\"", "flag --listen", "127.0.0.1:8000"] {
        assert!(said.contains(part), "{said}");
    }
    let said = place.run(&["--public-url", "ftp://a.example"]).refusal(2);
    assert!(said.contains("public_url") && said.contains("flag --public-url"), "{said}");
}

#[test]
fn a_setting_that_there_is_not_is_named_with_those_beside_it() {
    let said = Place::bare().with("http.max_conections", "1").run(&["check"]).refusal(2);
    for part in ["http.max_conections is not a setting", "AUTH_HTTP__MAX_CONECTIONS", "http.max_connections"]
    {
        assert!(said.contains(part), "{said}");
    }
    let place = Place::bare();
    written(&place, "[nowhere]\na = 1\n");
    assert!(place.run(&["serve"]).refusal(2).contains("nowhere.a is not a setting"));
    written(&place, "listen = \n");
    let said = place.run(&["serve"]).refusal(2);
    assert!(said.contains("config.toml is not TOML") && said.contains("line 1"), "{said}");
}

#[test]
fn a_file_that_was_named_has_to_be_there() {
    let place = Place::bare();
    let said = place.run(&["check", "--config", "nowhere.toml"]).refusal(2);
    assert!(said.contains("cannot read nowhere.toml"), "{said}");
}

const CLIENT: &str = "[[oauth.clients]]\nclient_id = \"machine\"\nclient_name = \"Machine\"\n\
                      grant_types = [\"client_credentials\"]\nclient_secret = \"3c2a9e7f61b04d58a1c9e2f7d6b3a405\"\n";

#[test]
fn what_is_wrong_with_a_declared_client_is_named_before_the_server_starts() {
    let place = Place::bare();
    written(&place, CLIENT);
    assert!(place.run(&["config", "check"]).out.contains("good"));
    for (from, to, named) in [
        ("client_name", "client_nam", "oauth.clients.machine.client_nam"),
        ("client_credentials", "password", "oauth.clients.machine.grant_types"),
        ("3c2a9e7f61b04d58a1c9e2f7d6b3a405", "hush-hush", "oauth.clients.machine.client_secret"),
        ("client_secret = ", "client_secret_file = ", "oauth.clients.machine.client_secret_file"),
    ] {
        written(&place, &CLIENT.replace(from, to));
        for command in [&["config", "check"][..], &["serve"]] {
            let said = place.run(command).refusal(2);
            assert!(said.contains(named), "{said}");
            assert!(!said.contains("hush-hush") && !said.contains("3c2a9e7f"), "{said}");
        }
    }
}

#[test]
fn no_secret_of_a_declared_client_is_printed() {
    let place = Place::bare();
    written(&place, CLIENT);
    let shown = place.run(&["config", "show"]).out;
    assert!(shown.contains("machine") && !shown.contains("3c2a9e7f"), "{shown}");
    // Nor where it cannot be read.
    for bad in
        [CLIENT.replace("405\"", "405"), CLIENT.replace("\"Machine\"", "1987-01-01T00"), format!("{CLIENT}x")]
    {
        written(&place, &bad);
        let said = place.run(&["config", "check"]).refusal(2);
        assert!(!said.contains("3c2a9e7f"), "{said}");
    }
}
