//! Accounts that have to choose another password before anything else.
use auth_service::rbac::Initiator;
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};

use crate::support::{PASSWORD, Person, TestApp, operations};

const OTHER: &str = "staple 17 of the donkey";
/// What is left to such a session: permissions, and operations that need none.
const LEFT: [&str; 7] = [
    "account:read",
    "account:password",
    "log_out",
    "list_my_permissions",
    "check_permissions",
    "reauthenticate_session",
    "start_passkey_reauthentication",
];

async fn require(root: &Person<'_>, id: u64, required: bool) {
    let body = json!({"password_change_required": required});
    let shown = root.app.json(root.bearer(Method::PATCH, &format!("/users/{id}")).json(&body), 200).await;
    assert_eq!(shown["password_change_required"], required);
}

fn change(who: &Person, current: &str, new: &str) -> RequestBuilder {
    let body = json!({"current_password": current, "new_password": new});
    who.bearer(Method::POST, "/auth/password/change").json(&body)
}

fn rename(who: &Person) -> RequestBuilder {
    who.bearer(Method::PATCH, "/auth/me").json(&json!({"first_name": "Ann"}))
}

#[tokio::test]
async fn a_session_can_do_nothing_but_read_itself_choose_another_password_and_leave() {
    let app = TestApp::start().await;
    let (root, boss) = (app.superuser("root").await, app.superuser("boss").await);
    require(&root, boss.id(), true).await;
    for operation in operations(&app).iter().filter(|operation| !operation.is_public()) {
        let needed = operation.spec["x-permission"].as_str().unwrap_or(operation.id);
        let request = operation.dressed(boss.bearer(operation.method.clone(), &operation.path));
        if LEFT.contains(&needed) {
            if operation.id != "log_out" {
                let status = request.send().await.unwrap().status().as_u16();
                assert!(matches!(status, 200 | 400 | 404), "{}: {status}", operation.id);
            }
        } else {
            app.fails(request, 403, "PASSWORD_CHANGE_REQUIRED").await;
        }
    }
    // Nor does a decision for another service say that it may do more.
    let ask = |body: Value| app.json(boss.bearer(Method::POST, "/auth/check").json(&body), 200);
    assert_eq!(ask(json!({"permissions": ["users:read"]})).await["allowed"], false);
    let shown = json!({"token": boss.tokens.access, "permissions": ["users:read"]});
    let about = app.json(root.bearer(Method::POST, "/auth/check").json(&shown), 200).await;
    assert_eq!(about["allowed"], false);
    let verbose = boss.bearer(Method::GET, "/health?verbose=true").send().await.unwrap();
    assert!(verbose.status() == 403, "{}", verbose.status());
    boss.log_out().await;
    boss.is_out("TOKEN_REVOKED").await;
}

#[tokio::test]
async fn a_refresh_or_another_login_keeps_the_restriction_and_a_new_password_ends_it() {
    let app = TestApp::start().await;
    let (root, ann) = (app.superuser("root").await, app.user("ann").await);
    app.json(rename(&ann), 200).await;
    require(&root, ann.id(), true).await;
    let (next, other) = (ann.refreshed().await, app.log_in("ann", PASSWORD).await);
    for session in [&ann, &next, &other] {
        app.fails(rename(session), 403, "PASSWORD_CHANGE_REQUIRED").await;
        assert_eq!(session.status().await, 200);
    }
    app.refuses(change(&next, "wrong 12345", OTHER), "current_password").await;
    app.refuses(change(&next, PASSWORD, "password"), "new_password").await;
    app.refuses(change(&next, PASSWORD, PASSWORD), "new_password").await;
    app.fails(rename(&next), 403, "PASSWORD_CHANGE_REQUIRED").await;
    app.done(change(&next, PASSWORD, OTHER)).await;
    app.json(rename(&next), 200).await;
    app.json(rename(&next.refreshed().await), 200).await;
    other.is_out("TOKEN_REVOKED").await;
    app.json(rename(&app.log_in("ann", OTHER).await), 200).await;
    let shown = app.json(root.bearer(Method::GET, &format!("/users/{}", ann.id())), 200).await;
    assert_eq!(shown["password_change_required"], false);
}

#[tokio::test]
async fn who_asked_for_it_may_take_it_back_and_nobody_frees_themselves() {
    let app = TestApp::start().await;
    let (root, boss) = (app.superuser("root").await, app.user("boss").await);
    app.app.accounts.set_roles(Initiator::host(), boss.id(), &["admin".to_owned()]).await.unwrap();
    require(&root, boss.id(), true).await;
    let own = boss.bearer(Method::PATCH, &format!("/users/{}", boss.id()));
    app.fails(own.json(&json!({"password_change_required": false})), 403, "PASSWORD_CHANGE_REQUIRED").await;
    let me = boss.bearer(Method::PATCH, "/auth/me").json(&json!({"password_change_required": false}));
    app.fails(me, 403, "PASSWORD_CHANGE_REQUIRED").await;
    require(&root, boss.id(), false).await;
    app.json(boss.bearer(Method::GET, "/users"), 200).await;
    // An administrator asks no superuser for it.
    let body = json!({"password_change_required": true});
    let above = boss.bearer(Method::PATCH, &format!("/users/{}", root.id())).json(&body);
    app.fails(above, 403, "FORBIDDEN").await;
    // And at registration nobody sets it.
    let new = json!({"username": "cy", "email": "cy@example.com", "password": PASSWORD, "password_change_required": true});
    app.json(app.request(Method::POST, "/auth/register").json(&new), 201).await;
    app.json(rename(&app.log_in("cy", PASSWORD).await), 200).await;
}

#[tokio::test]
async fn keys_of_such_a_user_go_on() {
    let app = TestApp::start().await;
    let (root, ann) = (app.superuser("root").await, app.user("ann").await);
    let key = ann.key(json!({"name": "x", "permissions": ["account:write"]})).await;
    require(&root, ann.id(), true).await;
    let request = app.request(Method::PATCH, "/auth/me").header("X-API-Key", &key);
    app.json(request.json(&json!({"first_name": "Ann"})), 200).await;
    let asked = json!({"key": key, "permissions": ["account:write"]});
    let answer = app.json(root.bearer(Method::POST, "/auth/api-keys/verify").json(&asked), 200).await;
    assert_eq!(answer["allowed"], true);
    let make = ann.bearer(Method::POST, "/auth/api-keys").json(&json!({"name": "x"}));
    app.fails(make, 403, "PASSWORD_CHANGE_REQUIRED").await;
}
