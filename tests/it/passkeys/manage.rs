//! Listing, renaming and removing passkeys: one's own, and those of others.
use auth_service::admin::{Answer, Command, PasskeysCommand, UsersCommand};
use auth_service::rbac::Initiator;
use reqwest::Method;
use serde_json::json;

use super::{device, events, listed, log_in, logged_in, register};
use crate::support::{PASSWORD, TestApp};

#[tokio::test]
async fn passkeys_come_in_pages_and_can_be_renamed() {
    let app = TestApp::start().await;
    let ann = app.user("ann").await;
    let mut device = device(&app);
    for _ in 0..3 {
        app.clock.advance_secs(1);
        register(&ann, &mut device).await;
    }
    let first = app.json(ann.bearer(Method::GET, "/auth/passkeys?limit=2"), 200).await;
    let path = format!("/auth/passkeys?limit=2&cursor={}", first["next_cursor"].as_str().unwrap());
    let rest = app.json(ann.bearer(Method::GET, &path), 200).await;
    assert_eq!((first["items"].as_array().unwrap().len(), rest["items"].as_array().unwrap().len()), (2, 1));
    let id = rest["items"][0]["id"].as_str().unwrap();
    let request = ann.page(Method::PATCH, &format!("/auth/passkeys/{id}")).json(&json!({"name": " Phone "}));
    assert_eq!(app.json(request, 200).await["name"], "Phone");
    assert_eq!(listed(&ann).await[2]["name"], "Phone");
    let event = events(&app, "passkey.renamed").await.pop().unwrap();
    assert!(event.details.contains(&("from".to_owned(), "Laptop".to_owned())));
    let request =
        ann.page(Method::PATCH, &format!("/auth/passkeys/{id}")).json(&json!({"name": "\u{202e}x"}));
    app.refuses(request, "name").await;
}

#[tokio::test]
async fn nobody_touches_the_passkeys_of_somebody_else() {
    let app = TestApp::start().await;
    let (ann, bob) = (app.user("ann").await, app.user("bob").await);
    let made = register(&ann, &mut device(&app)).await;
    let path = format!("/auth/passkeys/{}", made["id"].as_str().unwrap());
    app.fails(bob.bearer(Method::PATCH, &path).json(&json!({"name": "x"})), 404, "NOT_FOUND").await;
    app.fails(bob.bearer(Method::DELETE, &path), 404, "NOT_FOUND").await;
    let users = format!("/users/{}/passkeys", ann.id());
    app.fails(bob.bearer(Method::GET, &users), 403, "FORBIDDEN").await;
    assert_eq!(listed(&ann).await.len(), 1);
}

#[tokio::test]
async fn removing_needs_a_recent_login_and_no_key() {
    let app = TestApp::start().await;
    let ann = app.user("ann").await;
    let made = register(&ann, &mut device(&app)).await;
    let path = format!("/auth/passkeys/{}", made["id"].as_str().unwrap());
    let key = ann.key(json!({"name": "all", "unrestricted": true})).await;
    let request = app.request(Method::DELETE, &path).header("X-API-Key", &key);
    app.fails(request, 403, "FORBIDDEN").await;
    app.clock.advance_secs(899);
    let ann = ann.refreshed().await;
    app.clock.advance_secs(2);
    app.fails(ann.bearer(Method::DELETE, &path), 403, "REAUTHENTICATION_REQUIRED").await;
    let ann = app.log_in("ann", PASSWORD).await;
    app.done(ann.bearer(Method::DELETE, &path)).await;
    assert_eq!(events(&app, "passkey.removed").await.len(), 1);
    app.fails(ann.bearer(Method::DELETE, &path), 404, "NOT_FOUND").await;
}

#[tokio::test]
async fn the_last_way_into_an_account_stays() {
    let app = TestApp::start().await;
    let ann = app.user("ann").await;
    let mut device = device(&app);
    let first = register(&ann, &mut device).await;
    // An account without a password: an administrator has made it, and its passkeys were moved there.
    drop_password(&app, ann.id()).await;
    let ann = logged_in(&app, &mut device).await;
    let path = |made: &serde_json::Value| format!("/auth/passkeys/{}", made["id"].as_str().unwrap());
    let reason = app.refuses(ann.bearer(Method::DELETE, &path(&first)), "id").await;
    assert!(reason.starts_with("is the last way into this account"), "{reason}");
    let second = register(&ann, &mut device).await;
    app.done(ann.bearer(Method::DELETE, &path(&first))).await;
    app.refuses(ann.bearer(Method::DELETE, &path(&second)), "id").await;
    // An administrator may: the user gets a reset of its password.
    let admin = app.superuser("root").await;
    let of_user = format!("/users/{}/passkeys/{}", ann.id(), second["id"].as_str().unwrap());
    app.done(admin.bearer(Method::DELETE, &of_user)).await;
    let left = app.json(admin.bearer(Method::GET, &format!("/users/{}/passkeys", ann.id())), 200).await;
    assert_eq!(left["items"], json!([]));
}

/// Takes the password of a user away, past the API: nothing there makes such an account with passkeys.
pub(super) async fn drop_password(app: &TestApp, id: u64) {
    let change = move |tx: &mut auth_service::store::WriteTx| {
        let old = auth_service::account::table::by_id(tx, id)?.unwrap();
        let new = auth_service::account::User { password_hash: String::new(), ..old.clone() };
        auth_service::account::table::update(tx, &old, &new)
    };
    app.app.store.write(change).await.unwrap();
}

#[tokio::test]
async fn administrators_list_and_remove_but_not_those_of_whoever_holds_more() {
    let app = TestApp::start().await;
    let root = app.superuser("root").await;
    let ann = app.user("ann").await;
    let (mut anns, mut roots) = (device(&app), device(&app));
    let made = register(&ann, &mut anns).await;
    let boss = register(&root, &mut roots).await;
    app.register("helper").await;
    app.app.accounts.set_roles(Initiator::host(), 3, &["admin".to_owned()]).await.unwrap();
    let helper = app.log_in("helper", PASSWORD).await;
    assert_eq!(helper.id(), 3);
    let list = format!("/users/{}/passkeys", ann.id());
    assert_eq!(app.json(helper.bearer(Method::GET, &list), 200).await["items"][0]["id"], made["id"]);
    let bosses = format!("/users/{}/passkeys/{}", root.id(), boss["id"].as_str().unwrap());
    app.fails(helper.bearer(Method::DELETE, &bosses), 403, "FORBIDDEN").await;
    app.done(helper.bearer(Method::DELETE, &format!("{list}/{}", made["id"].as_str().unwrap()))).await;
    let answer = log_in(&app, &mut anns).await;
    app.failure(Method::POST, answer, 401, "INVALID_CREDENTIALS").await;
    app.fails(helper.bearer(Method::GET, "/users/999/passkeys"), 404, "NOT_FOUND").await;
    logged_in(&app, &mut roots).await;
}

#[tokio::test]
async fn nothing_is_left_of_the_passkeys_of_a_deleted_account() {
    let app = TestApp::start().await;
    let ann = app.user("ann").await;
    let mut device = device(&app);
    register(&ann, &mut device).await;
    let request = ann.bearer(Method::DELETE, "/auth/me").json(&json!({"password": PASSWORD}));
    app.done(request).await;
    let findings = app.app.store.verify(auth_service::app::CHECKS.concat().as_slice()).unwrap();
    assert!(findings.problems.is_empty(), "{:?}", findings.problems);
    for table in ["passkey", "passkey.by_credential", "passkey.handle"] {
        assert_eq!(findings.tables.get(table).copied().unwrap_or_default(), 0, "{table}");
    }
    let answer = log_in(&app, &mut device).await;
    app.failure(Method::POST, answer, 401, "INVALID_CREDENTIALS").await;
}

#[tokio::test]
async fn the_host_lists_and_removes_them_from_the_command_line() {
    let app = TestApp::start().await;
    let ann = app.user("ann").await;
    let made = register(&ann, &mut device(&app)).await;
    let ask =
        async |what| app.app.admin().answer(Command::Users { what: UsersCommand::Passkeys(what) }).await;
    let user = || "ann@example.com".to_owned();
    let Answer::List { items, columns, .. } = ask(PasskeysCommand::List { user: user() }).await else {
        panic!()
    };
    assert!(items == [made.clone()] && columns.contains(&"last_used_at".to_owned()));
    let id = made["id"].as_str().unwrap().to_owned();
    let delete = || PasskeysCommand::Delete { user: user(), id: id.clone() };
    assert!(matches!(ask(delete()).await, Answer::Done));
    assert!(matches!(ask(delete()).await, Answer::Refused { code, .. } if code == "NOT_FOUND"));
    assert_eq!(events(&app, "passkey.removed").await[0].actor.kind, "host");
}
