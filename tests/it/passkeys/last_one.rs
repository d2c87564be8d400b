//! The last passkey of a user: what it alone lets in, and what a password asks for.
use std::sync::Arc;

use auth_service::base::{Clock, Error};
use auth_service::mfa;
use auth_service::rbac::Initiator;
use reqwest::Method;
use serde_json::{Value, json};

use super::manage::drop_password;
use super::second_factor::with_passkey;
use super::{device, events, listed, log_in, logged_in, register};
use crate::mfa::WithApp;
use crate::support::{PASSWORD, Person, TestApp};

/// Whether a password asks a user for a passkey, as the store has it.
fn is_asked(app: &TestApp, user: u64) -> bool {
    app.app.store.get(|tx| mfa::table::factors(tx, user)).unwrap().passkeys
}

async fn status(person: &Person<'_>) -> Value {
    person.app.json(person.bearer(Method::GET, "/auth/mfa/status"), 200).await
}

#[tokio::test]
async fn removed_in_the_moment_in_which_passwords_shall_ask_for_it_it_is_not_asked_for() {
    let app = TestApp::start().await;
    let mut device = device(&app);
    let made = register(&app.user("ann").await, &mut device).await;
    let ann = logged_in(&app, &mut device).await;
    let actor = app.app.live.resolve(&ann.tokens.access, app.clock.now()).unwrap();
    let (user, token) = (Arc::clone(actor.user().unwrap()), Arc::clone(actor.token().unwrap()));
    let id = made["id"].as_str().unwrap().parse().unwrap();
    // The first is queued when the second looks for a passkey, and finds it.
    let (removed, enabled) = tokio::join!(
        app.app.passkeys.remove(Initiator::host(), user.id, id, token.session),
        app.app.mfa.enable_passkeys(Initiator::host(), &user, Arc::clone(&token)),
    );
    removed.unwrap();
    let needed = Error::invalid("method", "needs a passkey; register one first");
    assert_eq!(enabled.map(drop), Err(needed));
    assert!(!is_asked(&app, user.id));
    app.log_in("ann", PASSWORD).await;
}

#[tokio::test]
async fn the_last_one_that_somebody_else_removes_is_asked_for_no_more() {
    let app = TestApp::start().await;
    let (root, mut device) = (app.superuser("root").await, device(&app));
    let ann = with_passkey(&app, "ann", &mut device).await;
    let first = listed(&ann).await.pop().unwrap();
    let second = register(&ann, &mut device).await;
    let remove = async |made: &Value| {
        let path = format!("/users/{}/passkeys/{}", ann.id(), made["id"].as_str().unwrap());
        app.done(root.bearer(Method::DELETE, &path)).await;
    };
    remove(&first).await;
    ann.is_out("TOKEN_REVOKED").await;
    assert!(is_asked(&app, ann.id()), "the other one is still there");
    remove(&second).await;
    // The password is what is left, and it is enough: nobody is locked out.
    let ann = app.log_in("ann", PASSWORD).await;
    let found = status(&ann).await;
    assert_eq!((&found["enabled"], &found["recovery_codes_left"]), (&json!(false), &json!(0)));
    let off = events(&app, "mfa.disabled").await.pop().unwrap();
    assert!(off.details.contains(&("reason".to_owned(), "last_passkey_removed".to_owned())), "{off:?}");
}

#[tokio::test]
async fn beside_an_app_that_is_left_a_second_factor_is_still_asked_for() {
    let app = TestApp::start().await;
    let (root, mut device) = (app.superuser("root").await, device(&app));
    let ann = WithApp::of(&with_passkey(&app, "ann", &mut device).await).await;
    assert!(is_asked(&app, ann.person.id()));
    let made = listed(&ann.person).await.pop().unwrap();
    let path = format!("/users/{}/passkeys/{}", ann.person.id(), made["id"].as_str().unwrap());
    app.done(root.bearer(Method::DELETE, &path)).await;
    assert!(!is_asked(&app, ann.person.id()));
    let answer = app.post("/auth/token", &json!({"username": "ann", "password": PASSWORD})).await;
    let details = app.failure(Method::POST, answer, 401, "MFA_REQUIRED").await;
    assert_eq!(details["methods"], json!(["totp", "recovery_code"]));
}

#[tokio::test]
async fn whoever_holds_one_that_is_removed_has_no_session_any_more() {
    let app = TestApp::start().await;
    let mut device = device(&app);
    let ann = app.user("ann").await;
    let made = register(&ann, &mut device).await;
    let other = logged_in(&app, &mut device).await;
    app.done(ann.bearer(Method::DELETE, &format!("/auth/passkeys/{}", made["id"].as_str().unwrap()))).await;
    other.is_out("TOKEN_REVOKED").await;
    assert_eq!(ann.status().await, 200);
    assert_ne!(log_in(&app, &mut device).await.status(), 200);
}

#[tokio::test]
async fn an_account_without_a_password_is_not_asked_for_one() {
    let app = TestApp::start().await;
    let mut device = device(&app);
    let ann = app.user("ann").await;
    register(&ann, &mut device).await;
    drop_password(&app, ann.id()).await;
    let ann = logged_in(&app, &mut device).await;
    app.clock.advance_secs(899);
    let ann = ann.refreshed().await;
    app.clock.advance_secs(2);
    let start = ann.bearer(Method::POST, "/auth/passkeys/register/start").json(&json!({}));
    let details = app.fails(start, 403, "REAUTHENTICATION_REQUIRED").await;
    assert_eq!(details["methods"], json!(["passkey"]));
}
