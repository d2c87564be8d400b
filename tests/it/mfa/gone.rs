//! What becomes of sessions, keys and the policy when factors are gone.
use auth_service::base::Error;
use auth_service::rbac::Initiator;
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};

use super::WithApp;
use super::policy::for_admins;
use crate::support::{PASSWORD, Person, TestApp};

/// Gives a user these roles.
async fn roles(app: &TestApp, user: u64, roles: &[&str]) {
    let roles: Vec<_> = roles.iter().map(|role| (*role).to_owned()).collect();
    app.app.accounts.set_roles(Initiator::host(), user, &roles).await.unwrap();
}

#[tokio::test]
async fn turned_off_the_other_sessions_end() {
    let app = TestApp::start().await;
    let ann = WithApp::of(&app.user("ann").await).await;
    let other = ann.log_in().await;
    app.done(ann.person.bearer(Method::POST, "/auth/mfa/disable")).await;
    other.is_out("TOKEN_REVOKED").await;
    assert_eq!(ann.person.status().await, 200);
}

#[tokio::test]
async fn taken_away_by_an_administrator_every_session_ends() {
    let app = TestApp::start().await;
    let root = app.superuser("root").await;
    let ann = WithApp::of(&app.user("ann").await).await;
    app.done(root.bearer(Method::DELETE, &format!("/users/{}/mfa", ann.person.id()))).await;
    ann.person.is_out("TOKEN_REVOKED").await;
    assert_eq!(root.status().await, 200);
}

#[tokio::test]
async fn a_session_that_has_shown_one_has_to_set_another_up_when_it_is_gone() {
    let app = for_admins().await;
    app.superuser("root").await;
    let ann = WithApp::of(&app.user("ann").await).await;
    app.done(ann.person.bearer(Method::POST, "/auth/mfa/disable")).await;
    let id = ann.person.id();
    roles(&app, id, &["admin"]).await;
    let users = |who: &Person| who.bearer(Method::GET, "/users");
    app.fails(users(&ann.person), 403, "MFA_ENROLMENT_REQUIRED").await;
    let again = WithApp::of(&ann.person).await;
    app.json(users(&again.person), 200).await;
}

#[tokio::test]
async fn a_key_is_worth_what_its_owner_is() {
    let app = for_admins().await;
    let root = WithApp::of(&app.superuser("root").await).await;
    let ann = app.user("ann").await;
    let key = ann.key(json!({"name": "all", "unrestricted": true})).await;
    let ask = |method: Method, path: &str| app.request(method, path).header("X-API-Key", &key);
    let users = || ask(Method::GET, "/users");
    let check = || ask(Method::POST, "/auth/check").json(&json!({"permissions": ["users:read"]}));
    let verify = || -> RequestBuilder {
        let body = json!({"key": key, "permissions": ["users:read"]});
        root.person.bearer(Method::POST, "/auth/api-keys/verify").json(&body)
    };
    let expect = async |allowed: bool| {
        let checked: Value = app.json(check(), 200).await;
        assert_eq!(checked["allowed"], allowed);
        let verified: Value = app.json(verify(), 200).await;
        let reason = if allowed { Value::Null } else { json!("owner_must_enrol") };
        assert_eq!((&verified["valid"], &verified["reason"]), (&json!(allowed), &reason));
        assert_eq!(verified["allowed"], allowed);
        if allowed {
            app.json(users(), 200).await;
        } else {
            app.fails(users(), 403, "MFA_ENROLMENT_REQUIRED").await;
        }
    };
    app.fails(users(), 403, "FORBIDDEN").await;
    // Made with a password alone, before its owner was given what the policy guards.
    roles(&app, ann.id(), &["admin"]).await;
    expect(false).await;
    app.json(ask(Method::GET, "/auth/me"), 200).await;
    let ann = WithApp::of(&ann).await;
    expect(true).await;
    app.app.mfa.reset(Initiator::host(), ann.person.id()).await.unwrap();
    expect(false).await;
    roles(&app, ann.person.id(), &[]).await;
    app.json(ask(Method::GET, "/auth/api-keys"), 200).await;
}

#[tokio::test]
async fn an_account_that_is_deleted_while_an_app_is_set_up_leaves_nothing() {
    let app = TestApp::start().await;
    app.user("ann").await;
    let user = app.app.accounts.find("ann").unwrap();
    let (deleted, set_up) = tokio::join!(
        app.app.accounts.delete(Initiator::host(), user.id),
        app.app.mfa.set_up(Initiator::host(), &user),
    );
    deleted.unwrap();
    assert_eq!(set_up.map(drop), Err(Error::TokenRevoked));
    let findings = app.app.store.verify(&auth_service::app::CHECKS.concat()).unwrap();
    assert!(findings.problems.is_empty(), "{:?}", findings.problems);
    assert_eq!(findings.tables.get("mfa.setup").copied().unwrap_or_default(), 0);
}

#[tokio::test]
async fn what_outlives_its_user_is_found() {
    let app = TestApp::start().await;
    let setup = auth_service::mfa::model::Setup { sealed: vec![1], expires_at: crate::support::START };
    app.app.store.write(move |tx| auth_service::mfa::table::put_setup(tx, 7, &setup)).await.unwrap();
    let findings = app.app.store.verify(&auth_service::app::CHECKS.concat()).unwrap();
    assert_eq!(findings.problems.len(), 1, "{:?}", findings.problems);
    assert!(app.post("/auth/token", &json!({"username": "ann", "password": PASSWORD})).await.status() == 401);
}
