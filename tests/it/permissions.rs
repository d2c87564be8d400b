//! What each operation of the OpenAPI document needs, and gets along with.
use auth_service::rbac::Initiator;
use reqwest::Method;
use serde_json::json;

use crate::support::{Person, TestApp, golden, operations};

/// What everybody may do with the own account.
const OWN: &str = "account:";

#[tokio::test]
async fn every_operation_needs_just_the_permission_that_it_says_it_needs() {
    let app = TestApp::start().await;
    let (root, everyone) = (app.superuser("root").await, app.user("everyone").await);
    let mut count = 0;
    for operation in operations(&app) {
        let Some(permission) = operation.spec["x-permission"].as_str() else { continue };
        if permission.starts_with(OWN) {
            continue;
        }
        let ask =
            |who: &Person| operation.dressed(who.bearer(operation.method.clone(), &operation.path)).send();
        let answer = ask(&everyone).await.unwrap();
        let details = app.failure(operation.method.clone(), answer, 403, "FORBIDDEN").await;
        assert_eq!(details, json!({"permission": permission}), "{}", operation.id);
        let role = operation.id.replace('_', "-");
        let body = json!({"name": role, "permissions": [permission]});
        app.json(root.bearer(Method::POST, "/roles").json(&body), 201).await;
        let user = app.user(&role).await;
        let roles = std::slice::from_ref(&role);
        app.app.accounts.set_roles(Initiator::host(), user.id(), roles).await.unwrap();
        let status = ask(&user).await.unwrap().status().as_u16();
        assert!(matches!(status, 200..300 | 400 | 404), "{}: {status}", operation.id);
        count += 1;
    }
    assert!(count >= 8, "{count}");
}

/// Operations that change how somebody gets in: no key does that, whatever it was given.
const FOR_PEOPLE: [&str; 6] = [
    "set_up_mfa",
    "enable_mfa",
    "disable_mfa",
    "regenerate_recovery_codes",
    "start_passkey_registration",
    "remove_passkey",
];

#[tokio::test]
async fn every_operation_takes_a_key_with_just_the_permission() {
    let app = TestApp::start().await;
    let mut count = 0;
    for operation in operations(&app) {
        let Some(permission) = operation.spec["x-permission"].as_str() else { continue };
        // One who stays when this one deletes itself.
        let root = app.superuser(&operation.id.replace('_', "-")).await;
        let ask = |key: String| {
            let request = app.request(operation.method.clone(), &operation.path).header("X-API-Key", key);
            operation.dressed(request).send()
        };
        let answer = ask(root.key(json!({"name": "none"})).await).await.unwrap();
        let details = app.failure(operation.method.clone(), answer, 403, "FORBIDDEN").await;
        assert_eq!(details, json!({"permission": permission}), "{}", operation.id);
        let answer = ask(root.key(json!({"name": "one", "permissions": [permission]})).await).await.unwrap();
        if FOR_PEOPLE.contains(&operation.id) {
            app.failure(operation.method.clone(), answer, 403, "FORBIDDEN").await;
            continue;
        }
        let status = answer.status().as_u16();
        assert!(matches!(status, 200..300 | 400 | 404), "{}: {status}", operation.id);
        count += 1;
    }
    assert!(count >= 30, "{count}");
}

/// Operation by operation, which of the built-in roles may do it.
#[tokio::test]
async fn the_table_of_roles_is_the_golden_one() {
    let app = TestApp::start().await;
    let book = app.app.roles.book().unwrap();
    let mut table = format!("{:32}{:24}superuser  admin  user\n", "operation", "permission");
    for operation in operations(&app) {
        let needed = operation.spec["x-permission"].as_str();
        let shown = needed.unwrap_or(if operation.is_public() { "(anyone)" } else { "(any credential)" });
        let tick = |role: &str| match needed {
            Some(needed) if !book.allows([role], needed) => "-",
            _ => "x",
        };
        let ticks = [tick("superuser"), tick("admin"), tick("user")];
        table += &format!("{:32}{shown:24}{:11}{:7}{}\n", operation.id, ticks[0], ticks[1], ticks[2]);
    }
    golden("roles.txt", &table);
}
