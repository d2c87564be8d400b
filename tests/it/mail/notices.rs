//! What owners hear of by mail.
use reqwest::Method;
use serde_json::json;

use super::{mail, mails, with_mail};
use crate::support::PASSWORD;

const ANN: &str = "ann@example.com";

#[tokio::test]
async fn a_changed_password_is_told_whoever_has_changed_it() {
    let app = with_mail().start().await;
    let ann = app.user("ann").await;
    mails(&app).await;
    let change = json!({"current_password": PASSWORD, "new_password": "staple 17 of the donkey"});
    app.done(ann.bearer(Method::POST, "/auth/password/change").json(&change)).await;
    let told = mail(&app, ANN).await;
    assert!(told.subject.contains("password was changed"), "{}", told.subject);
    assert!(told.text.contains("2027-01-15 08:00 UTC") && told.text.contains("127.0.0.1"), "{}", told.text);
    assert!(!told.raw.contains("#token="), "a notice has no link");
    let password = auth_service::base::Secret::new("another 99 donkeys");
    app.app.accounts.set_password(auth_service::rbac::Initiator::host(), ann.id(), password).await.unwrap();
    assert!(mail(&app, ANN).await.subject.contains("password was changed"));
    let (token, _) = app.app.recoveries.start(auth_service::rbac::Initiator::host(), ann.id()).await.unwrap();
    let body = json!({"token": token.expose(), "new_password": "yet another 5 horses"});
    assert_eq!(app.post("/auth/recover", &body).await.status(), 200);
    let told = mails(&app).await;
    let said = |words: &str| told.iter().filter(|mail| mail.subject.contains(words)).count();
    assert_eq!((told.len(), said("password was changed"), said("new device")), (2, 1, 1));
}

#[tokio::test]
async fn a_stolen_refresh_token_is_told() {
    let app = with_mail().start().await;
    let ann = app.user("ann").await;
    mails(&app).await;
    ann.refreshed().await;
    app.clock.advance_secs(31);
    app.fails(ann.refresh_request(), 401, "TOKEN_REVOKED").await;
    assert!(mail(&app, ANN).await.subject.contains("session was ended"));
}
