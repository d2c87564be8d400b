//! Logins in two steps, or with both factors at once.
use futures_util::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};

use super::{STEP, WithApp, code_at};
use crate::support::{PASSWORD, TestApp, Tokens, jwt, operations};

const FORM: &str = "application/x-www-form-urlencoded";

#[tokio::test]
async fn a_password_and_then_a_code_make_a_session_that_says_so() {
    let app = TestApp::start().await;
    let ann = WithApp::of(&app.user("ann").await).await;
    let session = ann.log_in().await;
    let claims = jwt::claims(&session.tokens.access);
    assert_eq!((&claims["amr"], &claims["acr"]), (&json!(["pwd", "otp", "mfa"]), &json!("aal2")));
    assert_eq!(session.tokens.body["recovery_codes_left"], Value::Null);
    assert_eq!(session.status().await, 200);
    // A refresh keeps what the session was made with.
    let refreshed = session.refreshed().await;
    assert_eq!(jwt::claims(&refreshed.tokens.access)["acr"], "aal2");
}

#[tokio::test]
async fn both_at_once_are_one_request() {
    let app = TestApp::start().await;
    let ann = WithApp::of(&app.user("ann").await).await;
    let log_in = |code: &str| {
        app.request(Method::POST, "/auth/token").json(&json!({
            "username": "ann", "password": PASSWORD, "mfa_code": code}))
    };
    app.fails(log_in(&ann.wrong_code()), 401, "INVALID_MFA_CODE").await;
    app.fails(log_in("no code"), 401, "INVALID_MFA_CODE").await;
    let code = ann.code();
    let body = app.json(log_in(&code), 200).await;
    let members: Vec<_> = body.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(members, ["access_token", "token_type", "refresh_token"], "the contract's answer, no more");
    app.fails(log_in(&code), 401, "INVALID_MFA_CODE").await;
    app.json(log_in(&ann.recovery_codes[0]), 200).await;
    let form = app.request(Method::POST, "/auth/login").header("Content-Type", FORM);
    let body =
        format!("username=ann&password={}&mfa_code={}", PASSWORD.replace(' ', "+"), ann.recovery_codes[1]);
    app.json(form.body(body), 200).await;
    // Whoever needs none may send one.
    app.register("bob").await;
    let body = json!({"username": "bob", "password": PASSWORD, "mfa_code": "123456"});
    app.json(app.request(Method::POST, "/auth/token").json(&body), 200).await;
    // A wrong password is a wrong password, whatever the code.
    let body = json!({"username": "ann", "password": "wrong", "mfa_code": ann.recovery_codes[2]});
    app.fails(app.request(Method::POST, "/auth/token").json(&body), 401, "INVALID_CREDENTIALS").await;
    app.json(log_in(&ann.recovery_codes[2]), 200).await;
}

#[tokio::test]
async fn a_code_is_good_once_however_many_ask_at_the_same_time() {
    let app = TestApp::start().await;
    let ann = WithApp::of(&app.user("ann").await).await;
    let code = ann.code();
    let mut tokens = Vec::new();
    for _ in 0..10 {
        tokens.push(ann.ask().await);
    }
    let asked = tokens.iter().cycle().take(16).map(|token| ann.verify(token, &code));
    let statuses: Vec<_> = join_all(asked).await.iter().map(|answer| answer.status().as_u16()).collect();
    assert_eq!(statuses.iter().filter(|status| **status == 200).count(), 1, "{statuses:?}");
    assert!(statuses.iter().all(|status| matches!(status, 200 | 401 | 429)), "{statuses:?}");
    let recovery = join_all((0..10).map(|n| ann.verify(&tokens[n], &ann.recovery_codes[0]))).await;
    assert_eq!(recovery.iter().filter(|answer| answer.status() == 200).count(), 1);
}

#[tokio::test]
async fn a_code_is_taken_one_step_late_and_early_and_not_two() {
    let app = TestApp::start().await;
    let ann = WithApp::of(&app.user("ann").await).await;
    app.clock.advance_secs(10 * STEP);
    for (steps, good) in [(-2, false), (2, false), (-1, true), (-1, false), (1, true), (0, false)] {
        let token = ann.ask().await;
        let status = ann.verify(&token, &code_at(&app, &ann.secret, steps)).await.status().as_u16();
        assert_eq!(status, if good { 200 } else { 401 }, "{steps}");
    }
}

#[tokio::test]
async fn ten_wrong_answers_end_a_login() {
    let app = TestApp::start().await;
    let ann = WithApp::of(&app.user("ann").await).await;
    let (token, wrong) = (ann.ask().await, ann.wrong_code());
    for _ in 0..9 {
        ann.verify_fails(&token, &wrong, "INVALID_MFA_CODE").await;
    }
    ann.verify_fails(&token, "not even a code", "INVALID_MFA_CODE").await;
    ann.verify_fails(&token, &ann.code(), "INVALID_TOKEN").await;
    assert_eq!(ann.log_in().await.status().await, 200);
}

#[tokio::test]
async fn a_login_is_over_when_it_is_done_or_late_or_the_account_has_changed() {
    let app = TestApp::start().await;
    let ann = WithApp::of(&app.user("ann").await).await;
    let token = ann.ask().await;
    assert_eq!(ann.verify(&token, &ann.recovery_codes[0]).await.status(), 200);
    ann.verify_fails(&token, &ann.recovery_codes[1], "INVALID_TOKEN").await;
    let late = ann.ask().await;
    app.clock.advance_secs(600);
    ann.verify_fails(&late, &ann.recovery_codes[1], "TOKEN_EXPIRED").await;
    // Somebody else's password is another one's, and so is the token.
    let bob = WithApp::of(&app.user("bob").await).await;
    let of_bob = bob.ask().await;
    bob.verify_fails(&of_bob, &ann.recovery_codes[1], "INVALID_MFA_CODE").await;
    for bad in ["", "asl_", "asl_AAAA", &of_bob.replace("asl_", "asp_"), &of_bob[..of_bob.len() - 1]] {
        ann.verify_fails(bad, &ann.recovery_codes[1], "INVALID_TOKEN").await;
    }
    // Another password: whoever knew the one before is out.
    let waiting = ann.ask().await;
    let session = ann.log_in().await;
    let body = json!({"current_password": PASSWORD, "new_password": "staple 17 of the donkey"});
    let change = session.bearer(Method::POST, "/auth/password/change").json(&body);
    assert_eq!(change.send().await.unwrap().status(), 204);
    ann.verify_fails(&waiting, &ann.recovery_codes[1], "INVALID_TOKEN").await;
    // Switched off.
    let waiting = bob.ask().await;
    app.app.accounts.set_active(auth_service::rbac::Initiator::host(), bob.person.id(), false).await.unwrap();
    bob.verify_fails(&waiting, &bob.code(), "INVALID_TOKEN").await;
}

#[tokio::test]
async fn the_oldest_of_too_many_logins_is_given_up() {
    let app = TestApp::start().await;
    let ann = WithApp::of(&app.user("ann").await).await;
    let first = ann.ask().await;
    let mut last = String::new();
    for _ in 0..50 {
        app.clock.advance_secs(1);
        last = ann.ask().await;
    }
    ann.verify_fails(&first, &ann.recovery_codes[0], "INVALID_TOKEN").await;
    assert_eq!(ann.verify(&last, &ann.recovery_codes[0]).await.status(), 200);
}

#[tokio::test]
async fn half_a_login_is_no_credential_anywhere() {
    let app = TestApp::start().await;
    let ann = WithApp::of(&app.user("ann").await).await;
    let token = ann.ask().await;
    for operation in operations(&app).iter().filter(|operation| !operation.is_public()) {
        let request = app.request(operation.method.clone(), &operation.path).bearer_auth(&token);
        app.fails(operation.dressed(request), 401, "INVALID_TOKEN").await;
        let request = app.request(operation.method.clone(), &operation.path).header("X-API-Key", &token);
        app.fails(operation.dressed(request), 401, "INVALID_TOKEN").await;
    }
    let refresh = app.request(Method::POST, "/auth/token/refresh");
    let refresh =
        refresh.header("Cookie", format!("refresh_token_cookie={token}")).header("X-CSRF-Token", "x");
    app.fails(refresh, 401, "INVALID_TOKEN").await;
    for (path, body) in [
        ("/auth/recover", json!({"token": token})),
        ("/auth/password/reset", json!({"token": token, "new_password": "staple 17 of the donkey"})),
    ] {
        app.fails(app.request(Method::POST, path).json(&body), 400, "VALIDATION_ERROR").await;
    }
    assert_eq!(ann.verify(&token, &ann.code()).await.status(), 200);
}

#[tokio::test]
async fn a_reset_of_the_password_passes_by_no_second_factor() {
    let app = TestApp::start().await;
    let (root, ann) = (app.superuser("root").await, WithApp::of(&app.user("ann").await).await);
    let started = root.bearer(Method::POST, &format!("/users/{}/password-reset", ann.person.id()));
    let started = app.json(started, 201).await;
    let new = "staple 17 of the donkey";
    let reset =
        app.post("/auth/password/reset", &json!({"token": started["token"], "new_password": new})).await;
    assert_eq!(reset.status(), 204);
    assert!(reset.headers().get("set-cookie").is_none());
    let answer = app.post("/auth/token", &json!({"username": "ann", "password": new})).await;
    let details = app.failure(Method::POST, answer, 401, "MFA_REQUIRED").await;
    let answer = ann.verify(details["mfa_token"].as_str().unwrap(), &ann.code()).await;
    assert_eq!(jwt::claims(&Tokens::from(answer).await.access)["acr"], "aal2");
}

#[tokio::test]
async fn a_login_waits_through_a_restart() {
    let setup = || crate::support::Setup::default().at("http://localhost:8000");
    let app = setup().start().await;
    let ann = WithApp::of(&app.user("ann").await).await;
    let (token, code, name) = (ann.ask().await, ann.recovery_codes[0].clone(), ann.name.clone());
    let app = app.restart(setup()).await;
    let body = json!({"mfa_token": token, "code": code});
    let answer = app.post("/auth/mfa/verify", &body).await;
    assert_eq!(answer.status(), 200, "{name}");
    let again = app.post("/auth/mfa/verify", &body).await;
    app.failure(Method::POST, again, 401, "INVALID_TOKEN").await;
}
