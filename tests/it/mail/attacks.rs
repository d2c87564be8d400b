//! What the links of mails are good for, and what they are not.
use reqwest::Method;
use serde_json::{Value, json};

use super::{forget, mail, mails, refused, with_mail};
use crate::support::{PASSWORD, TestApp};

const ANN: &str = "ann@example.com";
const NEW: &str = "staple 17 of the donkey";
const RESET: &str = "/auth/password/reset";

async fn start() -> TestApp {
    let app = with_mail().start().await;
    app.register("ann").await;
    app.register("bob").await;
    mails(&app).await;
    app
}

async fn link(app: &TestApp, email: &str) -> String {
    forget(app, email).await;
    mail(app, email).await.token("asp_")
}

fn with(token: &str) -> Value {
    json!({"token": token, "new_password": NEW})
}

#[tokio::test]
async fn a_reset_link_is_good_once_ends_sessions_and_the_owner_hears_of_it() {
    let app = start().await;
    let ann = app.log_in("ann", PASSWORD).await;
    let token = link(&app, ANN).await;
    assert_eq!(app.post(RESET, &with(&token)).await.status(), 204);
    ann.is_out("TOKEN_REVOKED").await;
    assert!(mail(&app, ANN).await.subject.contains("password was changed"));
    refused(&app, RESET, with(&token)).await;
    app.log_in("ann", NEW).await;
}

#[tokio::test]
async fn the_newest_link_counts() {
    let app = start().await;
    let (older, newer) = (link(&app, ANN).await, link(&app, ANN).await);
    refused(&app, RESET, with(&older)).await;
    assert_eq!(app.post(RESET, &with(&newer)).await.status(), 204);
}

#[tokio::test]
async fn a_link_is_worth_nothing_after_a_change_of_password_or_address_or_its_time() {
    let app = start().await;
    let ann = app.log_in("ann", PASSWORD).await;
    let token = link(&app, ANN).await;
    let change = json!({"current_password": PASSWORD, "new_password": NEW});
    app.done(ann.bearer(Method::POST, "/auth/password/change").json(&change)).await;
    refused(&app, RESET, with(&token)).await;
    mails(&app).await;
    let token = link(&app, ANN).await;
    let wanted = json!({"email": "new@example.com", "current_password": NEW});
    app.json(ann.bearer(Method::PATCH, "/auth/me").json(&wanted), 200).await;
    let asked = mails(&app).await;
    let confirm = asked.iter().find(|mail| mail.to == "new@example.com").unwrap().token("ase_");
    app.done(app.request(Method::POST, "/auth/email/confirm").json(&json!({"token": confirm}))).await;
    refused(&app, RESET, with(&token)).await;
    mails(&app).await;
    let token = link(&app, "bob@example.com").await;
    app.clock.advance_secs(30 * 60);
    refused(&app, RESET, with(&token)).await;
}

#[tokio::test]
async fn a_link_is_for_its_user_and_its_purpose_and_not_to_be_guessed() {
    let app = start().await;
    let token = link(&app, ANN).await;
    let bobs = link(&app, "bob@example.com").await;
    // The number of another user before the same secret.
    let mixed = format!("{}{}", &bobs[..15], &token[15..]);
    for wrong in [&mixed, &token[..token.len() - 1], &token.replace("asp_", "asv_"), "", "asp_", "x"] {
        refused(&app, RESET, with(wrong)).await;
    }
    for path in ["/auth/email/verify", "/auth/email/confirm"] {
        refused(&app, path, json!({"token": token})).await;
    }
    assert_eq!(app.post(RESET, &with(&token)).await.status(), 204);
    assert_eq!(app.post(RESET, &with(&bobs)).await.status(), 204);
}

#[tokio::test]
async fn a_reset_does_not_get_past_a_second_factor() {
    let app = start().await;
    crate::mfa::with_app(&app.log_in("ann", PASSWORD).await).await;
    mails(&app).await;
    let token = link(&app, ANN).await;
    assert_eq!(app.post(RESET, &with(&token)).await.status(), 204);
    let login = json!({"username": "ann", "password": NEW});
    app.fails(app.request(Method::POST, "/auth/token").json(&login), 401, "MFA_REQUIRED").await;
}

#[tokio::test]
async fn an_address_that_nobody_has_is_answered_alike_and_mailed_nothing() {
    let app = start().await;
    forget(&app, "nobody@example.com").await;
    forget(&app, "ANN@example.com").await;
    assert_eq!(mail(&app, "ANN@example.com").await.token("asp_").len(), 58);
    app.app.accounts.set_active(auth_service::rbac::Initiator::host(), 1, false).await.unwrap();
    forget(&app, ANN).await;
    assert!(mails(&app).await.is_empty(), "an account that is switched off gets none either");
    for bad in ["", "ann", "a@b", "a@b.cd\r\nBcc: x@y.zz"] {
        let request = app.request(Method::POST, "/auth/password/forgot").json(&json!({"email": bad}));
        app.refuses(request, "email").await;
    }
}

#[tokio::test]
async fn sixteen_at_once_with_one_link_and_one_wins() {
    let app = start().await;
    let token = link(&app, ANN).await;
    let all = (0..16).map(|_| async { app.post(RESET, &with(&token)).await.status().as_u16() });
    let answers = futures_util::future::join_all(all).await;
    assert_eq!(answers.iter().filter(|status| **status == 204).count(), 1, "{answers:?}");
}
