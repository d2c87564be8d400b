//! Service accounts, API keys and the audit trail from the command line, with a server and without.
use serde_json::{Value, json};

use crate::commands::both;
use crate::support::{PASSWORD, Place};

/// The key of an answer that shows one.
fn text_of(made: &Value) -> String {
    made["key"].as_str().unwrap().to_owned()
}

fn verify(place: &Place, key: &str) -> Value {
    place.run_with_input(&["--json", "api-key", "verify"], &format!("{key}\n")).json()
}

#[tokio::test]
async fn a_service_account_has_keys_with_rights_of_their_own() {
    both(async |place, _| {
        place.create("root", &["--superuser"]);
        place.run(&["permission", "define", "billing:invoices:read"]).text();
        place.run(&["role", "create", "bookkeeper", "--permissions", "billing:*:read,users:read"]).text();
        let create = ["--json", "service-account", "create", "invoicer", "--roles", "bookkeeper"];
        let made = place.json(&create);
        assert_eq!((&made["name"], &made["roles"]), (&json!("invoicer"), &json!(["bookkeeper"])));
        let of = ["--json", "api-key", "create", "--service-account", "invoicer", "--name", "night"];
        let made = place.json(&[&of[..], &["--permissions", "billing:invoices:read"]].concat());
        let (key, id) = (text_of(&made), made["api_key"]["id"].as_str().unwrap().to_owned());
        assert!(key.starts_with("asks_"), "{key}");
        let verdict = verify(place, &key);
        assert_eq!(
            verdict,
            json!({"valid": true, "owner": "service_account invoicer", "permissions": ["billing:invoices:read"]})
        );
        let above = place.run(&[&of[..], &["--permissions", "users:write"]].concat());
        assert!(above.refusal(1).contains("Insufficient permissions"));
        let list = place.run(&["api-key", "list", "--service-account", "invoicer"]).text();
        assert!(list.contains("night") && list.contains("billing:invoices:read"), "{list}");
        assert!(!list.contains(&key), "a key is shown once");
        let rotate = ["--json", "api-key", "rotate", "--service-account", "invoicer", &id];
        let other = text_of(&place.json(&rotate));
        assert_eq!(verify(place, &key)["reason"], "unknown");
        assert_eq!(verify(place, &other)["valid"], true);
        place.run(&["service-account", "disable", "invoicer"]).text();
        assert_eq!(verify(place, &other)["reason"], "owner_disabled");
        place.run(&["service-account", "enable", "invoicer"]).text();
        place.run(&["api-key", "revoke", "--service-account", "invoicer", &id]).text();
        assert_eq!(verify(place, &other)["reason"], "revoked");
        place.run(&["service-account", "delete", "invoicer"]).text();
        assert_eq!(verify(place, &other)["reason"], "unknown");
        assert_eq!(place.run(&["service-account", "list"]).text().lines().count(), 1, "the head alone");
    })
    .await;
}

#[tokio::test]
async fn a_key_of_a_user_is_changed_and_shown() {
    both(async |place, _| {
        place.create("ann", &["--superuser"]);
        let create = ["--json", "api-key", "create", "--user", "ann", "--name", "all", "--unrestricted"];
        let made = place.json(&create);
        let id = made["api_key"]["id"].as_str().unwrap().to_owned();
        assert_eq!(verify(place, &text_of(&made))["permissions"], json!(["*"]));
        let change = ["--json", "api-key", "change", "--user", "ann", &id];
        let changed = [&change[..], &["--permissions", "users:read", "--networks", "10.0.0.0/8"]].concat();
        let changed = place.json(&changed);
        assert_eq!((&changed["unrestricted"], &changed["networks"]), (&json!(false), &json!(["10.0.0.0/8"])));
        let from = |address: &str| {
            let args = ["--json", "api-key", "verify", "--address", address];
            place.run_with_input(&args, &text_of(&made)).json()
        };
        assert_eq!(from("10.1.2.3")["permissions"], json!(["users:read"]));
        assert_eq!(from("11.1.2.3")["reason"], "network_not_allowed");
        let shown = place.run(&["api-key", "show", "--user", "ann", &id]).text();
        assert!(shown.contains("permissions         users:read\n"), "{shown}");
        place.run(&["api-key", "delete", "--user", "ann", &id]).text();
        place.run(&["api-key", "show", "--user", "ann", &id]).refusal(1);
        assert_eq!(place.run(&["api-key", "list"]).code, 2, "whose?");
    })
    .await;
}

#[tokio::test]
async fn the_audit_trail_reads_like_a_story_and_verifies() {
    both(async |place, _| {
        place.create("ann", &["--superuser"]);
        place.create("bob", &[]);
        place.run(&["user", "set-roles", "bob", "admin"]).text();
        place.run(&["user", "disable", "bob"]).text();
        let actions = |filter: &[&str]| {
            let listed = place.json(&[&["--json", "audit", "list"], filter].concat());
            let items = listed["items"].as_array().unwrap().clone();
            items.iter().map(|event| event["action"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
        };
        let story = ["user.disabled", "user.roles_changed", "user.created", "user.created"];
        assert_eq!(actions(&[]), story);
        assert_eq!(actions(&["--subject", "bob"]), story[..3]);
        assert_eq!(actions(&["--action", "user.roles_changed"]), story[1..2]);
        assert_eq!(actions(&["--outcome", "failure"]), [""; 0]);
        let text = place.run(&["audit", "list", "--limit", "1"]).text();
        assert!(text.contains("user.disabled  host -> user bob\nmore: --cursor "), "{text}");
        let lines = place.run(&["audit", "export"]).text();
        assert_eq!(lines.lines().count(), 5);
        let verdict = place.json(&["--json", "audit", "verify"]);
        assert_eq!((&verdict["intact"], &verdict["last"]), (&json!(true), &json!(5)));
        let noted = format!("5:{}", verdict["head"].as_str().unwrap());
        place.run(&["user", "enable", "bob"]).text();
        place.run(&["audit", "verify", "--noted", &noted.to_uppercase()]).text();
        let other = format!("3:{}", verdict["head"].as_str().unwrap());
        let said = place.run(&["audit", "verify", "--noted", &other]);
        assert_eq!(said.code, 4, "{said:?}");
        place.run(&["audit", "verify", "--noted", "x"]).refusal(2);
    })
    .await;
}

#[tokio::test]
async fn a_password_is_reset_by_its_user_alone() {
    let place = Place::new();
    let server = place.start();
    let user = server.user("ann").await;
    place.run(&["user", "require-password-change", "ann"]).text();
    assert_eq!(server.me(&user).await, 200);
    let started = place.json(&["--json", "user", "reset-password", "ann"]);
    let reset = json!({"token": started["token"], "new_password": "another horse 81 battery"});
    assert_eq!(server.post("/auth/password/reset", &reset).await.status(), 204);
    assert_eq!(server.post("/auth/password/reset", &reset).await.status(), 400, "once");
    assert_eq!(server.me(&user).await, 401);
    let old = json!({"username": "ann", "password": PASSWORD});
    assert_eq!(server.post("/auth/token", &old).await.status(), 401);
    server.log_in("ann", "another horse 81 battery").await;
}

#[tokio::test]
async fn passkeys_of_a_user_are_listed_and_removed() {
    both(async |place, _| {
        place.create("ann", &[]);
        let list = place.run(&["passkey", "list", "--user", "ann"]).text();
        assert!(list.starts_with("id") && list.lines().count() == 1, "{list}");
        let delete = ["passkey", "delete", "--user", "ann", "00000000000000000000000000000000"];
        assert!(place.run(&delete).refusal(1).contains("There is no such passkey"));
        let nobody = place.run(&["passkey", "list", "--user", "bob"]);
        assert!(nobody.refusal(1).contains("There is no such user"));
    })
    .await;
}
