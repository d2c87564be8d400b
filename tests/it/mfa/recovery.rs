//! Back in after every way in was lost, by the host.
use auth_service::rbac::Initiator;
use reqwest::{Method, Response};
use serde_json::{Value, json};

use super::WithApp;
use crate::support::{PASSWORD, Person, TestApp, Tokens, jwt};

const NEW: &str = "staple 17 of the donkey";

async fn start(app: &TestApp, user: u64) -> String {
    let (token, _) = app.app.recoveries.start(Initiator::host(), user).await.unwrap();
    token.expose().to_owned()
}

async fn recover(app: &TestApp, body: Value) -> Response {
    app.post("/auth/recover", &body).await
}

async fn refused(app: &TestApp, token: &str) {
    let answer = recover(app, json!({"token": token})).await;
    let details = app.failure(Method::POST, answer, 400, "VALIDATION_ERROR").await;
    assert_eq!(details["field"], "token");
}

#[tokio::test]
async fn whoever_lost_everything_sets_it_in_order_again() {
    let app = TestApp::start().await;
    let lost = WithApp::of(&app.user("ann").await).await;
    let token = start(&app, lost.person.id()).await;
    // Nothing has changed yet.
    assert_eq!(lost.person.status().await, 200);
    let answer = recover(&app, json!({"token": token})).await;
    assert_eq!(answer.status(), 200);
    let ann = Person { app: &app, tokens: Tokens::from(answer).await };
    lost.person.is_out("TOKEN_REVOKED").await;
    assert_eq!(jwt::claims(&ann.tokens.access)["amr"], json!(["host", "mfa"]));
    refused(&app, &token).await;
    // The password, without the one that was forgotten; then another app.
    let change = ann.bearer(Method::POST, "/auth/password/change").json(&json!({"new_password": NEW}));
    assert_eq!(change.send().await.unwrap().status(), 204);
    assert_eq!(ann.bearer(Method::POST, "/auth/mfa/disable").send().await.unwrap().status(), 204);
    assert_eq!(app.log_in("ann", NEW).await.status().await, 200);
}

#[tokio::test]
async fn a_new_password_can_come_with_it_and_the_second_factor_stays() {
    let app = TestApp::start().await;
    let ann = WithApp::of(&app.user("ann").await).await;
    let token = start(&app, ann.person.id()).await;
    let answer = recover(&app, json!({"token": token, "new_password": "short"})).await;
    let details = app.failure(Method::POST, answer, 400, "VALIDATION_ERROR").await;
    assert_eq!(details["field"], "new_password");
    assert_eq!(recover(&app, json!({"token": token, "new_password": NEW})).await.status(), 200);
    let answer = app.post("/auth/token", &json!({"username": "ann", "password": NEW})).await;
    app.failure(Method::POST, answer, 401, "MFA_REQUIRED").await;
}

#[tokio::test]
async fn it_is_good_once_for_an_hour_and_the_last_one_counts() {
    let app = TestApp::start().await;
    let ann = app.user("ann").await;
    let (older, newer) = (start(&app, ann.id()).await, start(&app, ann.id()).await);
    refused(&app, &older).await;
    refused(&app, &newer[..newer.len() - 1]).await;
    refused(&app, &newer.replace("asc_", "asp_")).await;
    // What was a text of ours, or claims to be, is written down.
    let told = crate::mail::events(&app, "user.recovery_refused").await;
    let told: Vec<_> = told.iter().map(|event| (&event["subject"]["name"], &event["count"])).collect();
    assert_eq!(told, [(&json!("ann"), &json!(1))]);
    app.clock.advance_secs(3600);
    refused(&app, &newer).await;
    app.app.tend().await;
    let off = start(&app, ann.id()).await;
    app.app.accounts.set_active(Initiator::host(), ann.id(), false).await.unwrap();
    refused(&app, &off).await;
    let error = app.app.recoveries.start(Initiator::host(), ann.id()).await.map(drop);
    assert_eq!(error, Err(auth_service::base::Error::AccountDisabled));
}

#[tokio::test]
async fn a_session_that_was_not_recovered_needs_the_password_to_change_it() {
    let app = TestApp::start().await;
    let ann = app.user("ann").await;
    let change = ann.bearer(Method::POST, "/auth/password/change").json(&json!({"new_password": NEW}));
    let details = app.fails(change, 400, "VALIDATION_ERROR").await;
    assert_eq!(details["field"], "current_password");
    assert_eq!(app.log_in("ann", PASSWORD).await.status().await, 200);
}
