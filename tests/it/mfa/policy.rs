//! Installations that ask everyone, or some, for a second factor.
use reqwest::Method;
use serde_json::{Value, json};

use super::WithApp;
use crate::support::{PASSWORD, Setup, TestApp, operations};

/// What is left to a session that has to enrol: permissions, and operations that need none.
const LEFT: [&str; 8] = [
    "account:read",
    "account:password",
    "account:factors",
    "log_out",
    "list_my_permissions",
    "check_permissions",
    "reauthenticate_session",
    "start_passkey_reauthentication",
];

pub(super) async fn for_admins() -> TestApp {
    Setup::default().with("mfa.required_for", "superuser, admin").start().await
}

#[tokio::test]
async fn whoever_has_to_have_one_can_do_nothing_before_but_set_it_up() {
    let app = for_admins().await;
    let root = app.superuser("root").await;
    for operation in operations(&app).iter().filter(|operation| !operation.is_public()) {
        let needed = operation.spec["x-permission"].as_str().unwrap_or(operation.id);
        let request = operation.dressed(root.bearer(operation.method.clone(), &operation.path));
        if LEFT.contains(&needed) {
            if operation.id != "log_out" {
                let status = request.send().await.unwrap().status().as_u16();
                assert!(matches!(status, 200 | 204 | 400 | 404), "{}: {status}", operation.id);
            }
        } else {
            app.fails(request, 403, "MFA_ENROLMENT_REQUIRED").await;
        }
    }
    // Nor does a decision for another service say that it may do more.
    let ask = |body: Value| app.json(root.bearer(Method::POST, "/auth/check").json(&body), 200);
    assert_eq!(ask(json!({"permissions": ["users:read"]})).await["allowed"], false);
    let verbose = root.bearer(Method::GET, "/health?verbose=true").send().await.unwrap();
    assert_eq!(verbose.status(), 403);

    let with_app = WithApp::of(&root).await;
    assert_eq!(with_app.status().await["required"], true);
    app.json(with_app.person.bearer(Method::GET, "/users"), 200).await;
    let details =
        app.fails(with_app.person.bearer(Method::POST, "/auth/mfa/disable"), 400, "VALIDATION_ERROR");
    assert_eq!(details.await["field"], "mfa");
}

#[tokio::test]
async fn others_are_left_alone_until_they_are_given_such_a_role() {
    let app = for_admins().await;
    let root = WithApp::of(&app.superuser("root").await).await;
    let ann = app.user("ann").await;
    assert_eq!(ann.status().await, 200);
    app.json(ann.bearer(Method::GET, "/auth/api-keys"), 200).await;
    let roles = |roles: Value| {
        let request = root.person.bearer(Method::PUT, &format!("/users/{}/roles", ann.id()));
        app.json(request.json(&json!({"roles": roles})), 200)
    };
    roles(json!(["admin"])).await;
    app.fails(ann.bearer(Method::GET, "/auth/api-keys"), 403, "MFA_ENROLMENT_REQUIRED").await;
    roles(json!([])).await;
    app.json(ann.bearer(Method::GET, "/auth/api-keys"), 200).await;
}

#[tokio::test]
async fn everyone_is_the_role_of_everyone() {
    let app = Setup::default().with("mfa.required_for", "user").start().await;
    let ann = app.user("ann").await;
    app.fails(ann.bearer(Method::GET, "/auth/api-keys"), 403, "MFA_ENROLMENT_REQUIRED").await;
    // Another login with the password alone comes no further, unless it proves more.
    let again = app.log_in("ann", PASSWORD).await;
    app.fails(again.bearer(Method::GET, "/auth/api-keys"), 403, "MFA_ENROLMENT_REQUIRED").await;
    let with_app = WithApp::of(&ann).await;
    app.json(with_app.person.bearer(Method::GET, "/auth/api-keys"), 200).await;
    again.is_out("TOKEN_REVOKED").await;
}
