//! For which domain and origins passkeys are.
use reqwest::Method;
use serde_json::json;

use super::{asked_for_login, asked_for_new, device, listed, log_in, logged_in, login, register};
use crate::support::{Setup, TestApp};

#[tokio::test]
async fn passkeys_are_for_the_host_of_the_public_url_or_a_domain_above_it() {
    let app = TestApp::start_with(Setup::default().at("https://id.example.org")).await;
    let ann = app.user("ann").await;
    let asked = asked_for_new(&ann).await;
    assert_eq!(asked["options"]["rp"], json!({"id": "id.example.org", "name": "id.example.org"}));
    let setup = Setup::default().at("https://id.example.org:8443/auth");
    let setup = setup.with("passkeys.rp_id", "example.org").with("passkeys.rp_name", "Example");
    let app = TestApp::start_with(setup).await;
    let ann = app.user("ann").await;
    let asked = asked_for_new(&ann).await;
    assert_eq!(asked["options"]["rp"], json!({"id": "example.org", "name": "Example"}));
    let mut device = device(&app);
    assert_eq!(device.origin, "https://id.example.org:8443");
    register(&ann, &mut device).await;
    assert_eq!(log_in(&app, &mut device).await.status(), 200);
}

#[tokio::test]
async fn where_there_can_be_none_the_answer_says_why() {
    for (url, reason) in [("http://192.0.2.1:8000", "address"), ("http://id.example.org", "https")] {
        let app = TestApp::start_with(Setup::default().at(url)).await;
        let ann = app.user("ann").await;
        let said = app.refuses(
            ann.bearer(Method::POST, "/auth/passkeys/register/start").json(&json!({})),
            "public_url",
        );
        assert!(said.await.contains(reason), "{url}");
        let request = app.request(Method::POST, "/auth/passkeys/login/start").json(&json!({}));
        assert!(app.refuses(request, "public_url").await.contains(reason), "{url}");
        let body = json!({"challenge_id": "asw_x", "credential": {}});
        let request = app.request(Method::POST, "/auth/passkeys/login/finish").json(&body);
        app.refuses(request, "public_url").await;
        assert!(listed(&ann).await.is_empty());
    }
}

#[tokio::test]
async fn related_origins_are_published_and_taken() {
    let app = TestApp::start().await;
    app.fails(app.request(Method::GET, "/.well-known/webauthn"), 404, "NOT_FOUND").await;
    let setup = Setup::default()
        .with("passkeys.related_origins", "https://shop.example.com, https://shop.example.de");
    let app = TestApp::start_with(setup).await;
    let published = app.get("/.well-known/webauthn").await;
    assert_eq!(published.headers()["content-type"], "application/json; charset=utf-8");
    assert_eq!(
        published.text().await.unwrap(),
        r#"{"origins":["https://shop.example.com","https://shop.example.de"]}"#
    );
    let mut device = device(&app);
    register(&app.user("ann").await, &mut device).await;
    device.origin = "https://shop.example.de".to_owned();
    logged_in(&app, &mut device).await;
    device.origin = "https://shop.example.fr".to_owned();
    let asked = asked_for_login(&app).await;
    app.fails(login(&app, &asked, &device.get(&asked["options"])), 401, "INVALID_CREDENTIALS").await;
}

#[tokio::test]
async fn a_passkey_of_another_domain_is_kept_and_is_good_for_nothing() {
    let at = |url| Setup::default().at(url);
    let app = TestApp::start_with(at("https://old.example.org")).await;
    let mut old = device(&app);
    register(&app.user("ann").await, &mut old).await;
    let app = app.restart(at("https://new.example.org")).await;
    let ann = app.log_in("ann", crate::support::PASSWORD).await;
    assert_eq!(listed(&ann).await[0]["rp_id"], "old.example.org");
    assert_eq!(asked_for_new(&ann).await["options"]["excludeCredentials"], json!([]));
    // The browser would not even offer it; an attacker's does.
    old.origin = "https://new.example.org".to_owned();
    old.keys[0].rp_id = "new.example.org".to_owned();
    let answer = log_in(&app, &mut old).await;
    app.failure(Method::POST, answer, 401, "INVALID_CREDENTIALS").await;
}

#[tokio::test]
async fn what_was_asked_before_a_restart_is_answered_after_it_once() {
    let at = || Setup::default().at("http://localhost:8000");
    let app = TestApp::start_with(at()).await;
    let mut device = device(&app);
    register(&app.user("ann").await, &mut device).await;
    let (asked, used) = (asked_for_login(&app).await, asked_for_login(&app).await);
    let again = device.get(&used["options"]);
    app.json(login(&app, &used, &again), 200).await;
    let app = app.restart(at()).await;
    app.refuses(login(&app, &used, &again), "challenge_id").await;
    app.json(login(&app, &asked, &device.get(&asked["options"])), 200).await;
}
