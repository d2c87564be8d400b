//! Accounts that are off for a while: nothing that was begun before is good after.
use auth_service::base::Error;
use auth_service::base::text::Email;
use auth_service::email_login::model::Mailed;
use auth_service::email_verification::model::Change;
use auth_service::rbac::Initiator;
use auth_service::{email_login, email_verification};
use reqwest::Method;
use serde_json::{Value, json};

use crate::mfa::WithApp;
use crate::support::{PASSWORD, Person, START, TestApp};

/// What was begun to get into an account.
struct Begun {
    reset: String,
    recovery: String,
    login: String,
    device: String,
}

impl Begun {
    async fn of(ann: &WithApp<'_>) -> Self {
        let app = ann.person.app;
        let (id, host) = (ann.person.id(), Initiator::host);
        let device = ann.trust().await;
        let (reset, _) = app.app.resets.start(host(), id).await.unwrap();
        let (recovery, _) = app.app.recoveries.start(host(), id).await.unwrap();
        let email = || Email::parse("ann@example.com").unwrap();
        let expires_at = START.plus_secs(36_000);
        let mailed = Mailed { email: email(), token: [1; 32], code: [2; 32], wrong: 0, expires_at };
        let change = Change { email: email(), hash: [3; 32], expires_at };
        let put = move |tx: &mut auth_service::store::WriteTx| {
            email_login::table::put(tx, id, &mailed)?;
            email_verification::table::put_change(tx, id, &change)
        };
        app.app.store.write(put).await.unwrap();
        let (reset, recovery) = (reset.expose().to_owned(), recovery.expose().to_owned());
        Self { reset, recovery, login: ann.ask().await, device }
    }

    async fn is_worthless(&self, ann: &WithApp<'_>) {
        let app = ann.person.app;
        let fails = async |path: &str, body: Value, status: u16, code: &str| {
            app.fails(app.request(Method::POST, path).json(&body), status, code).await;
        };
        let reset = json!({"token": self.reset, "new_password": "staple 17 of the donkey"});
        fails("/auth/password/reset", reset, 400, "VALIDATION_ERROR").await;
        fails("/auth/recover", json!({"token": self.recovery}), 400, "VALIDATION_ERROR").await;
        let verify = json!({"mfa_token": self.login, "code": ann.code()});
        fails("/auth/mfa/verify", verify, 401, "INVALID_TOKEN").await;
        app.failure(Method::POST, ann.log_in_on(&self.device).await, 401, "MFA_REQUIRED").await;
        let id = ann.person.id();
        let left = app.app.store.get(|tx| {
            let mailed = email_login::table::of_user(tx, id)?.is_some();
            Ok::<_, Error>((mailed, email_verification::table::change(tx, id)?.is_some()))
        });
        assert_eq!(left.unwrap(), (false, false));
    }
}

async fn off_and_on(off: impl AsyncFnOnce(&Person<'_>, u64), on: impl AsyncFnOnce(&Person<'_>, u64)) {
    let app = TestApp::start().await;
    let root = app.superuser("root").await;
    let ann = WithApp::of(&app.user("ann").await).await;
    let begun = Begun::of(&ann).await;
    off(&root, ann.person.id()).await;
    on(&root, ann.person.id()).await;
    begun.is_worthless(&ann).await;
    // What it is and has is as before.
    let token = ann.ask().await;
    assert_eq!(ann.verify(&token, &ann.code()).await.status(), 200);
}

async fn set_active(root: &Person<'_>, id: u64, is_active: bool) {
    let request = root.bearer(Method::PATCH, &format!("/users/{id}"));
    root.app.json(request.json(&json!({"is_active": is_active})), 200).await;
}

#[tokio::test]
async fn switched_off_by_an_administrator_and_on_again() {
    let off = async |root: &Person<'_>, id| set_active(root, id, false).await;
    Box::pin(off_and_on(off, async |root: &Person<'_>, id| set_active(root, id, true).await)).await;
}

#[tokio::test]
async fn switched_off_from_the_host_and_on_again() {
    let switch = async |root: &Person<'_>, id, is_active| {
        root.app.app.accounts.set_active(Initiator::host(), id, is_active).await.unwrap();
    };
    let off = async |root: &Person<'_>, id| switch(root, id, false).await;
    Box::pin(off_and_on(off, async |root: &Person<'_>, id| switch(root, id, true).await)).await;
}

#[tokio::test]
async fn thrown_away_and_restored() {
    let off = async |root: &Person<'_>, id| {
        root.app.done(root.bearer(Method::DELETE, &format!("/users/{id}"))).await;
    };
    let on = async |root: &Person<'_>, id| {
        root.app.json(root.bearer(Method::POST, &format!("/users/{id}/restore")), 200).await;
    };
    Box::pin(off_and_on(off, on)).await;
}

#[tokio::test]
async fn another_password_ends_them_too() {
    let app = TestApp::start().await;
    let ann = WithApp::of(&app.user("ann").await).await;
    let begun = Begun::of(&ann).await;
    let change = json!({"current_password": PASSWORD, "new_password": "staple 17 of the donkey"});
    app.done(ann.person.bearer(Method::POST, "/auth/password/change").json(&change)).await;
    let change = json!({"current_password": "staple 17 of the donkey", "new_password": PASSWORD});
    app.done(ann.person.bearer(Method::POST, "/auth/password/change").json(&change)).await;
    begun.is_worthless(&ann).await;
}
