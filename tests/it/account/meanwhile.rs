//! Changes for which a password was compared that is another one by the time they are made.
use std::sync::Arc;

use auth_service::account::ProfileChange;
use auth_service::base::text::Email;
use auth_service::base::{Clock, Error, Secret};
use auth_service::rbac::Initiator;
use reqwest::Method;
use serde_json::json;

use crate::support::{PASSWORD, Person, TestApp};

const NEW: &str = "staple 17 of the donkey";

/// Changes the password in a session, which goes on.
async fn change(ann: &Person<'_>) {
    let body = json!({"current_password": PASSWORD, "new_password": NEW});
    ann.app.done(ann.bearer(Method::POST, "/auth/password/change").json(&body)).await;
}

#[tokio::test]
async fn no_account_is_deleted_with_it() {
    let app = TestApp::start().await;
    let ann = app.user("ann").await;
    let before = app.app.accounts.find("ann").unwrap();
    change(&ann).await;
    let deleted = app.app.accounts.delete_own(Initiator::host(), &before, Secret::new(PASSWORD)).await;
    assert_eq!(deleted, Err(Error::invalid("password", "is wrong")));
    app.log_in("ann", NEW).await;
}

#[tokio::test]
async fn no_address_is_changed_with_it() {
    let app = TestApp::start().await;
    let ann = app.user("ann").await;
    let before = app.app.accounts.find("ann").unwrap();
    change(&ann).await;
    let accounts = &app.app.accounts;
    let email = Some(Email::parse("eve@example.com").unwrap());
    let wanted = ProfileChange { email, ..ProfileChange::default() };
    let changed =
        accounts.change_profile(Initiator::host(), &before, wanted, Some(Secret::new(PASSWORD))).await;
    assert_eq!(changed.map(drop), Err(Error::invalid("current_password", "is wrong")));
    assert_eq!(ann.profile().await["email"], "ann@example.com");
    // Its names ask for none.
    let named = ProfileChange { first_name: Some(None), ..ProfileChange::default() };
    accounts.change_profile(Initiator::host(), &before, named, None).await.unwrap();
}

#[tokio::test]
async fn no_session_is_proven_again_with_it() {
    let app = TestApp::start().await;
    let ann = app.user("ann").await;
    let actor = app.app.live.resolve(&ann.tokens.access, app.clock.now()).unwrap();
    let (before, token) = (Arc::clone(actor.user().unwrap()), Arc::clone(actor.token().unwrap()));
    change(&ann).await;
    let shown = (Some(Secret::new(PASSWORD)), None);
    let logins = &app.app.logins;
    let proven = logins.reauthenticate(Initiator::host(), Arc::clone(&token), &before, shown).await;
    assert_eq!(proven.map(drop), Err(Error::InvalidCredentials));
    let now = app.app.accounts.find("ann").unwrap();
    let shown = (Some(Secret::new(NEW)), None);
    assert!(logins.reauthenticate(Initiator::host(), token, &now, shown).await.is_ok());
}
