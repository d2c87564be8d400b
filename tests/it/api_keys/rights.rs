//! What a key may do: never more than its owner, and never more than whoever made it.
use auth_service::rbac::Initiator;
use reqwest::Method;
use serde_json::{Value, json};

use super::{Key, asks, make, of, patch, post, reader, status, with};
use crate::support::{Person, TestApp};

async fn give(app: &TestApp, who: &Person<'_>, roles: &[&str]) {
    let roles: Vec<String> = roles.iter().map(|&role| role.to_owned()).collect();
    app.app.accounts.set_roles(Initiator::host(), who.id(), &roles).await.unwrap();
}

async fn role(root: &Person<'_>, name: &str, permissions: &[&str], includes: &[&str]) {
    let body = json!({"name": name, "permissions": permissions, "includes": includes});
    root.app.json(root.bearer(Method::POST, "/roles").json(&body), 201).await;
}

async fn permissions(app: &TestApp, key: &str) -> Value {
    app.json(with(app, key, Method::GET, "/auth/me/permissions"), 200).await["permissions"].clone()
}

async fn may(app: &TestApp, key: &str, permission: &str) -> bool {
    let answer = app.json(post(app, key, "/auth/check", &json!({"permissions": [permission]})), 200).await;
    answer["allowed"].as_bool().unwrap()
}

#[tokio::test]
async fn a_key_may_do_what_it_was_given_and_no_more() {
    let app = TestApp::start().await;
    let root = app.superuser("root").await;
    role(&root, "readers", &["roles:read"], &[]).await;
    role(&root, "managers", &["users:read"], &["readers"]).await;
    for (body, can) in [
        (json!({"name": "none"}), vec![]),
        (json!({"name": "x", "permissions": []}), vec![]),
        (json!({"name": "x", "unrestricted": false}), vec![]),
        (json!({"name": "x", "permissions": ["account:read"]}), vec!["/auth/me"]),
        (json!({"name": "x", "permissions": ["*:read"]}), vec!["/auth/me", "/roles", "/users", "/audit"]),
        (json!({"name": "x", "roles": ["readers"]}), vec!["/roles"]),
        (
            json!({"name": "x", "roles": ["managers"], "permissions": ["audit:*"]}),
            vec!["/roles", "/users", "/audit"],
        ),
        (json!({"name": "x", "roles": ["superuser"]}), vec!["/auth/me", "/roles", "/users", "/audit"]),
        (json!({"name": "x", "unrestricted": true}), vec!["/auth/me", "/roles", "/users", "/audit"]),
    ] {
        let key = make(&root, &body).await.text;
        for path in ["/auth/me", "/roles", "/users", "/audit"] {
            let request = with(&app, &key, Method::GET, path);
            if can.contains(&path) {
                app.json(request, 200).await;
            } else {
                app.fails(request, 403, "FORBIDDEN").await;
            }
        }
    }
}

#[tokio::test]
async fn nobody_gives_a_key_what_they_do_not_hold() {
    let app = TestApp::start().await;
    let (root, ann) = (app.superuser("root").await, app.user("ann").await);
    role(&root, "low", &["roles:read"], &[]).await;
    role(&root, "high", &["users:write"], &["low"]).await;
    give(&app, &ann, &["low"]).await;
    let key = make(&ann, &reader("one")).await;
    for (rights, missing) in [
        (json!({"permissions": ["users:read"]}), "users:read"),
        (json!({"permissions": ["account:read", "*:read"]}), "*:read"),
        (json!({"permissions": ["*:*"]}), "*:*"),
        (json!({"permissions": ["*:*:*:*:*:*"]}), "*:*:*:*:*:*"),
        (json!({"permissions": ["roles:*"]}), "roles:*"),
        (json!({"roles": ["high"]}), "users:write"),
        (json!({"roles": ["superuser"]}), "*"),
    ] {
        let mut body = rights.clone();
        body["name"] = json!("more");
        for request in [asks(&ann, &body), patch(&ann, &key.id, &rights)] {
            let details = app.fails(request, 403, "FORBIDDEN").await;
            assert_eq!(details["permission"], missing, "{rights}");
        }
    }
    for bad in [
        json!({"name": "x", "roles": ["admin"]}),
        json!({"name": "x", "permissions": ["*:*", "account:read"]}),
    ] {
        app.fails(asks(&ann, &bad), 403, "FORBIDDEN").await;
    }
    assert_eq!(permissions(&app, &key.text).await, json!(["account:read"]));
    let list = app.json(ann.bearer(Method::GET, "/auth/api-keys"), 200).await;
    assert_eq!(list["items"].as_array().unwrap().len(), 1);
    make(&ann, &json!({"name": "good", "roles": ["low", "user"]})).await;
}

#[tokio::test]
async fn a_key_loses_what_its_owner_loses_at_the_next_request() {
    let app = TestApp::start().await;
    let (root, ann) = (app.superuser("root").await, app.user("ann").await);
    role(&root, "reader", &["roles:read"], &[]).await;
    role(&root, "outer", &[], &["reader"]).await;
    give(&app, &ann, &["outer"]).await;
    let mut keys = Vec::new();
    for rights in
        [json!({"unrestricted": true}), json!({"permissions": ["roles:read"]}), json!({"roles": ["outer"]})]
    {
        let mut body = rights;
        body["name"] = json!("x");
        keys.push(make(&ann, &body).await.text);
    }
    for text in &keys {
        let list = |status| app.json(with(&app, text, Method::GET, "/roles"), status);
        list(200).await;
        give(&app, &ann, &[]).await;
        assert!(!may(&app, text, "roles:read").await);
        list(403).await;
        give(&app, &ann, &["outer"]).await;
        list(200).await;
        let body = |includes: &[&str]| {
            root.bearer(Method::PATCH, "/roles/outer").json(&json!({"includes": includes}))
        };
        app.json(body(&[]), 200).await;
        list(403).await;
        app.json(body(&["reader"]), 200).await;
        list(200).await;
    }
    // More rights of the owner are no more rights of a key, but of one that has all.
    give(&app, &ann, &["outer", "admin"]).await;
    let can: Vec<_> =
        futures_util::future::join_all(keys.iter().map(|key| may(&app, key, "users:read"))).await;
    assert_eq!(can, [true, false, false]);
}

/// What a key may not do with a key of the same owner.
async fn out_of_reach(app: &TestApp, weak: &str, strong: &Key) {
    let path = |rest: &str| format!("/auth/api-keys/{}{rest}", strong.id);
    for request in [
        post(app, weak, &path("/rotate"), &json!({})),
        post(app, weak, &path("/rotate"), &json!({"overlap_seconds": 60})),
        post(app, weak, &path("/revoke"), &json!({})),
        with(app, weak, Method::DELETE, &path("")),
        with(app, weak, Method::PATCH, &path("")).json(&json!({"name": "mine"})),
        with(app, weak, Method::PATCH, &path("")).json(&json!({"permissions": []})),
        with(app, weak, Method::PATCH, &path("")).json(&json!({"networks": ["10.0.0.0/8"]})),
        with(app, weak, Method::PATCH, &path("")).json(&json!({"expires_at": "2028-01-01T00:00:00Z"})),
    ] {
        app.fails(request, 403, "FORBIDDEN").await;
    }
}

#[tokio::test]
async fn a_weak_key_makes_changes_and_ends_no_stronger_one() {
    let app = TestApp::start().await;
    let (root, ann) = (app.superuser("root").await, app.user("ann").await);
    for owner in [&root, &ann] {
        let weak = make(owner, &json!({"name": "weak", "permissions": ["account:keys"]})).await;
        let mut strong = Vec::new();
        for rights in [
            json!({"unrestricted": true}),
            json!({"permissions": ["account:read"]}),
            json!({"roles": ["user"]}),
        ] {
            let mut body = rights.clone();
            body["name"] = json!("strong");
            let key = make(owner, &body).await;
            out_of_reach(&app, &weak.text, &key).await;
            app.fails(post(&app, &weak.text, "/auth/api-keys", &body), 403, "FORBIDDEN").await;
            let own =
                with(&app, &weak.text, Method::PATCH, &format!("/auth/api-keys/{}", weak.id)).json(&rights);
            app.fails(own, 403, "FORBIDDEN").await;
            strong.push(key);
        }
        let read = app.json(with(&app, &weak.text, Method::GET, "/auth/api-keys"), 200).await;
        assert!(read["items"].as_array().unwrap().iter().all(|key| key["name"] != "mine"));
        assert_eq!(status(&app, &strong[1].text).await, 200);
        // With its own rights it does what it likes.
        let made =
            post(&app, &weak.text, "/auth/api-keys", &json!({"name": "x", "permissions": ["account:keys"]}));
        let made = Key::of(&app.json(made, 201).await);
        app.done(with(&app, &made.text, Method::DELETE, &format!("/auth/api-keys/{}", made.id))).await;
    }
}

#[tokio::test]
async fn a_limited_key_makes_none_that_grows_with_its_owner() {
    let app = TestApp::start().await;
    let (root, ann) = (app.superuser("root").await, app.user("ann").await);
    role(&root, "later", &[], &[]).await;
    give(&app, &ann, &["later"]).await;
    let strong = make(&ann, &json!({"name": "strong", "unrestricted": true})).await;
    let named = make(&ann, &json!({"name": "named", "roles": ["later", "user"]})).await;
    // By now it may do as much as its owner, but that is not for ever.
    let all = ["account:keys", "account:password", "account:read", "account:write"];
    let weak = make(&ann, &json!({"name": "weak", "permissions": all})).await;
    out_of_reach(&app, &weak.text, &strong).await;
    out_of_reach(&app, &weak.text, &named).await;
    for rights in [json!({"unrestricted": true}), json!({"roles": ["user"]}), json!({"roles": ["later"]})] {
        let mut body = rights.clone();
        body["name"] = json!("x");
        app.fails(post(&app, &weak.text, "/auth/api-keys", &body), 403, "FORBIDDEN").await;
        let own = with(&app, &weak.text, Method::PATCH, &format!("/auth/api-keys/{}", weak.id)).json(&rights);
        app.fails(own, 403, "FORBIDDEN").await;
    }
    // A role of its own a key may hand on, and an unrestricted one everything.
    for (key, body) in [
        (&named, json!({"name": "x", "roles": ["user"]})),
        (&strong, json!({"name": "x", "unrestricted": true})),
        (&strong, json!({"name": "x", "roles": ["later"]})),
    ] {
        app.json(post(&app, &key.text, "/auth/api-keys", &body), 201).await;
    }
    give(&app, &ann, &["admin"]).await;
    assert!(may(&app, &strong.text, "users:read").await && !may(&app, &weak.text, "users:read").await);
}

#[tokio::test]
async fn a_role_that_a_key_has_stays_and_its_name_is_nobody_elses() {
    let app = TestApp::start().await;
    let root = app.superuser("root").await;
    role(&root, "deploy", &["roles:read"], &[]).await;
    let key = make(&root, &json!({"name": "x", "roles": ["deploy"], "permissions": ["account:read"]})).await;
    assert_eq!(permissions(&app, &key.text).await, json!(["account:read", "roles:read"]));
    // Else another role of this name would be the key's one day.
    let delete = || root.bearer(Method::DELETE, "/roles/deploy");
    app.refuses(delete(), "name").await;
    app.json(patch(&root, &key.id, &json!({"roles": []})), 200).await;
    let other = make(&root, &json!({"name": "z", "roles": ["deploy"]})).await;
    app.refuses(delete(), "name").await;
    app.done(of(&root, Method::DELETE, &other.id, "")).await;
    app.done(delete()).await;
    app.fails(with(&app, &key.text, Method::GET, "/roles"), 403, "FORBIDDEN").await;
    app.refuses(patch(&root, &key.id, &json!({"roles": ["deploy"]})), "roles").await;
}

#[tokio::test]
async fn a_key_gives_no_roles_that_it_does_not_hold() {
    let app = TestApp::start().await;
    let (root, ann) = (app.superuser("root").await, app.user("ann").await);
    let rights =
        ["users:roles", "roles:write", "service-accounts:write", "service-accounts:roles", "users:write"];
    let key = make(&root, &json!({"name": "x", "permissions": rights})).await.text;
    let to = |path: &str| format!("/users/{}{path}", ann.id());
    for request in [
        with(&app, &key, Method::PUT, &to("/roles")).json(&json!({"roles": ["superuser"]})),
        with(&app, &key, Method::PUT, &to("/roles")).json(&json!({"roles": ["admin"]})),
        with(&app, &key, Method::PATCH, &to("")).json(&json!({"email": "evil@example.com"})),
        post(&app, &key, "/roles", &json!({"name": "x", "permissions": ["users:read"]})),
        post(&app, &key, "/roles", &json!({"name": "x", "includes": ["superuser"]})),
        with(&app, &key, Method::PATCH, "/roles/user").json(&json!({"permissions": ["users:read"]})),
        with(&app, &key, Method::PATCH, "/roles/admin").json(&json!({"permissions": []})),
        post(&app, &key, "/service-accounts", &json!({"name": "x", "roles": ["admin"]})),
    ] {
        app.fails(request, 403, "FORBIDDEN").await;
    }
    assert_eq!(ann.profile().await["email"], "ann@example.com");
}
