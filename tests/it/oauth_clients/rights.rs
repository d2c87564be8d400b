//! Who may do what with clients, and what is said of it.
use reqwest::Method;
use serde_json::{Value, json};

use super::{
    by_basic, change, create, holder, is_whole, made, of, robot, role, rotate, secret_of, web, with,
};
use crate::support::TestApp;

/// Seconds after which nobody has just logged in.
const LATE: i64 = 901;

#[tokio::test]
async fn clients_are_for_those_who_hold_their_permissions() {
    let app = TestApp::start().await;
    let root = app.superuser("root").await;
    made(&root, &web("app")).await;
    let (reader, nobody) = (holder(&root, "reader", &["oauth-clients:read"]).await, app.user("ann").await);
    let writer = holder(&root, "writer", &["oauth-clients:write"]).await;
    let reads = |who| {
        [crate::support::Person::bearer(who, Method::GET, "/oauth-clients"), of(who, Method::GET, "app", "")]
    };
    let writes = |who| {
        [
            create(who, &web("new")),
            change(who, "app", &json!({"client_name": "Other"})),
            rotate(who, "app", 0),
            of(who, Method::DELETE, "app", ""),
        ]
    };
    for request in reads(&nobody).into_iter().chain(reads(&writer)) {
        let details = app.fails(request, 403, "FORBIDDEN").await;
        assert_eq!(details["permission"], "oauth-clients:read");
    }
    for request in writes(&nobody).into_iter().chain(writes(&reader)) {
        let details = app.fails(request, 403, "FORBIDDEN").await;
        assert_eq!(details["permission"], "oauth-clients:write");
    }
    for request in reads(&reader) {
        app.json(request, 200).await;
    }
    let [new, other, secret, delete] = writes(&writer);
    app.json(new, 201).await;
    app.json(other, 200).await;
    app.json(secret, 200).await;
    app.done(delete).await;
}

#[tokio::test]
async fn whoever_gives_a_client_something_has_just_logged_in() {
    let app = TestApp::start().await;
    let root = app.superuser("root").await;
    made(&root, &web("app")).await;
    app.clock.advance_secs(LATE - 1);
    let root = root.refreshed().await;
    app.clock.advance_secs(1);
    for request in [
        create(&root, &web("new")),
        change(&root, "app", &json!({"client_name": "B"})),
        rotate(&root, "app", 0),
    ] {
        app.fails(request, 403, "REAUTHENTICATION_REQUIRED").await;
    }
    app.json(of(&root, Method::GET, "app", ""), 200).await;
    let root = root.proven().await;
    app.json(change(&root, "app", &json!({"client_name": "B"})), 200).await;
    app.clock.advance_secs(LATE - 1);
    let root = root.refreshed().await;
    app.clock.advance_secs(1);
    // To take something away is not put off.
    app.done(of(&root, Method::DELETE, "app", "")).await;
}

#[tokio::test]
async fn nobody_gives_a_client_what_they_do_not_hold() {
    let app = TestApp::start().await;
    let root = app.superuser("root").await;
    let weak = holder(&root, "weak", &["oauth-clients:*", "users:read"]).await;
    let may = |id: &str, permissions: Value| with(robot(id), "permissions", permissions);
    for above in [json!(["users:write"]), json!(["users:*"]), json!(["users:read", "roles:read"])] {
        app.fails(create(&weak, &may("x", above)), 403, "FORBIDDEN").await;
    }
    made(&weak, &may("own", json!(["users:read"]))).await;
    let details =
        app.fails(change(&weak, "own", &json!({"permissions": ["roles:read"]})), 403, "FORBIDDEN").await;
    assert_eq!(details["permission"], "roles:read");
    made(&root, &may("high", json!(["roles:read"]))).await;
    // A secret of one that may do more would be a way to it; so would be what it answers to.
    for request in [
        rotate(&weak, "high", 0),
        change(&weak, "high", &json!({"client_name": "Mine"})),
        change(&weak, "high", &json!({"permissions": []})),
        change(&weak, "high", &json!({"token_endpoint_auth_method": "client_secret_post"})),
        change(&weak, "high", &json!({"is_active": false})),
        of(&weak, Method::DELETE, "high", ""),
    ] {
        app.fails(request, 403, "FORBIDDEN").await;
    }
    // Nor by way of a key that may do less than its owner.
    let key = root.key(json!({"name": "key", "permissions": ["oauth-clients:*"]})).await;
    let with_key =
        |body: &Value| app.request(Method::POST, "/oauth-clients").header("X-API-Key", &key).json(body);
    app.fails(with_key(&may("x", json!(["users:read"]))), 403, "FORBIDDEN").await;
    app.json(with_key(&robot("x")), 201).await;
    is_whole(&app);
}

#[tokio::test]
async fn a_role_that_a_client_is_for_stays() {
    let app = TestApp::start().await;
    let root = app.superuser("root").await;
    role(&root, "staff", &["users:read"]).await;
    role(&root, "staf", &[]).await;
    let delete = |name: &str| root.bearer(Method::DELETE, &format!("/roles/{name}"));
    made(&root, &with(web("app"), "roles", json!(["staff"]))).await;
    made(&root, &with(web("b"), "roles", json!(["staff", "staff"]))).await;
    assert_eq!(app.refuses(delete("staff"), "name").await, "is named by OAuth clients");
    app.done(delete("staf")).await;
    app.json(change(&root, "app", &json!({"roles": []})), 200).await;
    app.refuses(delete("staff"), "name").await;
    app.json(change(&root, "b", &json!({"is_active": false})), 200).await;
    app.refuses(delete("staff"), "name").await;
    app.done(of(&root, Method::DELETE, "b", "")).await;
    app.done(delete("staff")).await;
    app.refuses(create(&root, &with(web("c"), "roles", json!(["staff"]))), "roles").await;
    is_whole(&app);
}

#[tokio::test]
async fn a_client_whose_permission_is_defined_no_more_can_be_kept_and_deleted() {
    let app = TestApp::start().await;
    let root = app.superuser("root").await;
    let define = root.bearer(Method::POST, "/permissions").json(&json!({"name": "shop:orders:read"}));
    app.json(define, 201).await;
    made(&root, &with(robot("app"), "permissions", json!(["shop:orders:read"]))).await;
    app.done(root.bearer(Method::DELETE, "/permissions/shop:orders:read")).await;
    app.json(rotate(&root, "app", 0), 200).await;
    app.json(change(&root, "app", &json!({"client_name": "Other"})), 200).await;
    let other = with(robot("b"), "permissions", json!(["shop:orders:read"]));
    app.refuses(create(&root, &other), "permissions").await;
    app.done(of(&root, Method::DELETE, "app", "")).await;
}

#[tokio::test]
async fn a_client_that_is_switched_off_gets_no_token_until_it_is_on_again() {
    let app = TestApp::start().await;
    let root = app.superuser("root").await;
    let secret = secret_of(&made(&root, &robot("app")).await);
    for _ in 0..2 {
        assert_eq!(by_basic(&app, "app", &secret).await, 200);
        app.json(change(&root, "app", &json!({"is_active": false})), 200).await;
        assert_eq!(by_basic(&app, "app", &secret).await, 401);
        app.json(change(&root, "app", &json!({"is_active": true})), 200).await;
    }
}

#[tokio::test]
async fn the_audit_trail_tells_what_became_of_a_client() {
    let app = TestApp::start().await;
    let root = app.superuser("root").await;
    made(&root, &robot("app")).await;
    let more = json!({"permissions": ["users:read"], "introspect": true, "roles": ["admin"],
        "token_endpoint_auth_method": "client_secret_post"});
    app.json(change(&root, "app", &more), 200).await;
    app.json(rotate(&root, "app", 60), 200).await;
    for is_active in [false, true] {
        app.json(change(&root, "app", &json!({"is_active": is_active})), 200).await;
    }
    app.done(of(&root, Method::DELETE, "app", "")).await;
    // What was refused has changed nothing, and is not told as if it had.
    app.refuses(create(&root, &robot("1")), "client_id").await;
    let events = app.json(root.bearer(Method::GET, "/audit?action=oauth_client."), 200).await;
    let events: Vec<_> = events["items"].as_array().unwrap().iter().rev().cloned().collect();
    let actions: Vec<_> = events.iter().map(|event| event["action"].as_str().unwrap()).collect();
    let expected = ["created", "changed", "secret_rotated", "disabled", "enabled", "deleted"];
    assert_eq!(actions, expected.map(|name| format!("oauth_client.{name}")));
    for event in &events {
        let (actor, details) = (&event["actor"], &event["details"]);
        assert_eq!(
            (&actor["name"], &details["client"], &details["name"]),
            (&json!("root"), &json!("app"), &json!("Robot"))
        );
    }
    let details = |n: usize, name: &str| events[n]["details"][name].clone();
    assert_eq!(details(0, "authentication"), "client_secret_basic");
    for (name, now, before) in [
        ("authentication", "client_secret_post", "client_secret_basic"),
        ("permissions", "users:read", ""),
        ("roles", "admin", ""),
        ("introspect", "true", "false"),
    ] {
        assert_eq!((details(1, name), details(1, &format!("{name}_before"))), (json!(now), json!(before)));
    }
    assert_eq!(details(1, "first_party_before"), Value::Null);
    assert_eq!(details(2, "overlap_seconds"), "60");
}
