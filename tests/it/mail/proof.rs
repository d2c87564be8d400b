//! Whoever has read a mail with a reset has shown whose the address is.
use auth_service::base::text::Email;
use auth_service::crypto::user_token::{Kind, parse};
use auth_service::password_reset::table;
use auth_service::rbac::Initiator;
use reqwest::Method;
use serde_json::{Value, json};

use super::{forget, mail, mails, refused, with_mail};
use crate::support::{PASSWORD, Setup, TestApp};

const ANN: &str = "ann@example.com";
const NEW: &str = "staple 17 of the donkey";

async fn start(setup: Setup) -> TestApp {
    let app = setup.start().await;
    app.superuser("root").await;
    app.register("ann").await;
    app
}

async fn reset(app: &TestApp, token: &str) {
    let body = json!({"token": token, "new_password": NEW});
    app.done(app.request(Method::POST, "/auth/password/reset").json(&body)).await;
}

async fn ann(app: &TestApp) -> Value {
    let root = app.log_in("root", PASSWORD).await;
    app.json(root.bearer(Method::GET, "/users/2"), 200).await
}

#[tokio::test]
async fn a_mailed_reset_verifies_the_address_that_it_was_mailed_to() {
    let app = start(with_mail().with("registration_verify", "required")).await;
    let link = mail(&app, ANN).await.token("asv_");
    forget(&app, ANN).await;
    let token = mail(&app, ANN).await.token("asp_");
    assert_eq!(ann(&app).await["email_verified"], false);
    reset(&app, &token).await;
    assert_eq!(ann(&app).await["email_verified"], true);
    app.log_in("ann", NEW).await;
    // What would have verified it is good for nothing any more.
    refused(&app, "/auth/email/verify", json!({"token": link})).await;
}

#[tokio::test]
async fn a_reset_that_an_administrator_has_handed_on_verifies_nothing() {
    let app = start(with_mail()).await;
    let start = async || app.app.resets.start(Initiator::host(), 2).await.unwrap().0;
    reset(&app, start().await.expose()).await;
    assert_eq!(ann(&app).await["email_verified"], false);
    // Nor does one that takes the place of one that was mailed.
    forget(&app, ANN).await;
    reset(&app, start().await.expose()).await;
    assert_eq!(ann(&app).await["email_verified"], false);
}

#[tokio::test]
async fn a_reset_from_a_mail_that_was_held_verifies_nothing() {
    let app = start(Setup::default()).await;
    forget(&app, ANN).await;
    let root = app.log_in("root", PASSWORD).await;
    let held = app.json(root.bearer(Method::GET, "/mail"), 200).await;
    let path = format!("/mail/{}", held["items"][0]["id"].as_str().unwrap());
    let text = app.json(root.bearer(Method::GET, &path), 200).await["text"].as_str().unwrap().to_owned();
    reset(&app, text.lines().find(|line| line.starts_with("asp_")).unwrap()).await;
    assert_eq!(ann(&app).await["email_verified"], false);
}

#[tokio::test]
async fn it_proves_nothing_of_another_address() {
    let app = start(with_mail()).await;
    mails(&app).await;
    forget(&app, ANN).await;
    let token = mail(&app, ANN).await.token("asp_");
    let root = app.log_in("root", PASSWORD).await;
    let change = json!({"email": "new@example.com"});
    let changed = app.json(root.bearer(Method::PATCH, "/users/2").json(&change), 200).await;
    refused(&app, "/auth/password/reset", json!({"token": token, "new_password": NEW})).await;
    assert_eq!(ann(&app).await["email_verified"], false);
    // And if it were good still, it would be no proof.
    let text = parse(Kind::PasswordReset, &token).unwrap();
    let address = |text: &Value| Email::parse(text.as_str().unwrap()).unwrap();
    let is_proof = |email: Email| app.app.store.get(|tx| table::was_mailed_to(tx, &text, &email)).unwrap();
    assert!(is_proof(address(&json!(ANN))) && !is_proof(address(&changed["email"])));
}

#[tokio::test]
async fn nothing_of_it_is_left_when_its_time_is_over_or_its_user_is_gone() {
    let app = start(with_mail()).await;
    let count = || {
        let findings = app.app.store.verify(auth_service::app::CHECKS.concat().as_slice()).unwrap();
        assert!(findings.problems.is_empty(), "{:?}", findings.problems);
        ["password_reset.mailed", "session.seen"].map(|table| findings.tables.get(table).copied())
    };
    forget(&app, ANN).await;
    app.log_in("ann", PASSWORD).await;
    // The other one is the administrator.
    assert_eq!(count(), [Some(1), Some(2)]);
    app.clock.advance_secs(1800);
    app.app.tend().await;
    assert_eq!(count(), [Some(0), Some(2)]);
    forget(&app, ANN).await;
    app.app.accounts.delete(Initiator::host(), 2).await.unwrap();
    assert_eq!(count(), [Some(0), Some(1)]);
}
