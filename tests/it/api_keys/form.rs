//! What a key may be called, what of it can be set, and how it is changed.
use reqwest::Method;
use serde_json::{Value, json};

use super::{Key, asks, make, of, patch, reader, status};
use crate::support::TestApp;

#[tokio::test]
async fn a_key_reads_as_it_was_asked_for() {
    let app = TestApp::start().await;
    let ann = app.user("ann").await;
    let made = app.json(asks(&ann, &json!({"name": "  deploy \u{1f680}  "})), 201).await;
    let mut view = made["api_key"].clone();
    assert_eq!(view["id"].take().as_str().unwrap().len(), 32);
    let expected = json!({
        "id": null, "name": "deploy \u{1f680}", "permissions": [], "roles": [], "unrestricted": false,
        "networks": [], "requests_per_hour": null, "created_at": "2027-01-15T08:00:00Z", "rotated_at": null,
        "previous_until": null, "expires_at": null, "revoked_at": null, "last_used_at": null,
        "last_used_address": null,
    });
    assert_eq!(view, expected);
    assert_eq!(made.as_object().unwrap().len(), 2);
    let list = app.json(ann.bearer(Method::GET, "/auth/api-keys"), 200).await;
    assert_eq!(list["items"][0], made["api_key"]);
}

#[tokio::test]
async fn bad_bodies_are_refused_and_the_field_is_named() {
    let app = TestApp::start().await;
    let ann = app.user("ann").await;
    let key = make(&ann, &reader("one")).await;
    let many = |text: &str| (0..101).map(|n| format!("{text}{n}")).collect::<Vec<_>>();
    for (body, field) in [
        (json!({"name": ""}), "name"),
        (json!({"name": " \u{3000} "}), "name"),
        (json!({"name": "x".repeat(101)}), "name"),
        (json!({"name": "\u{1f680}".repeat(101)}), "name"),
        (json!({"name": "a\u{0}b"}), "name"),
        (json!({"name": "a\r\nb"}), "name"),
        (json!({"name": "a\u{1b}[31mb"}), "name"),
        (json!({"name": "a\u{85}b"}), "name"),
        (json!({"name": "a\u{202e}b"}), "name"),
        (json!({"name": "a\u{2028}b"}), "name"),
        (json!({"name": "a\u{2066}b"}), "name"),
        (json!({"name": 7}), "name"),
        (json!({"name": "x", "permissions": "account:read"}), "permissions"),
        (json!({"name": "x", "permissions": ["*"]}), "permissions"),
        (json!({"name": "x", "permissions": ["account"]}), "permissions"),
        (json!({"name": "x", "permissions": ["Account:read"]}), "permissions"),
        (json!({"name": "x", "permissions": ["account:nope"]}), "permissions"),
        (json!({"name": "x", "permissions": many("account:x")}), "permissions"),
        (json!({"name": "x", "roles": ["nope"]}), "roles"),
        (json!({"name": "x", "roles": ["No Role"]}), "roles"),
        (json!({"name": "x", "roles": many("r")}), "roles"),
        (json!({"name": "x", "unrestricted": true, "permissions": ["account:read"]}), "unrestricted"),
        (json!({"name": "x", "unrestricted": true, "roles": ["user"]}), "unrestricted"),
        (json!({"name": "x", "unrestricted": "true"}), "unrestricted"),
        (json!({"name": "x", "requests_per_hour": 0}), "requests_per_hour"),
        (json!({"name": "x", "requests_per_hour": -1}), "requests_per_hour"),
        (json!({"name": "x", "requests_per_hour": 4_294_967_296_u64}), "requests_per_hour"),
        (json!({"name": "x", "requests_per_hour": 1.5}), "requests_per_hour"),
        (json!({"name": "x", "requests_per_hour": "10"}), "requests_per_hour"),
    ] {
        app.refuses(asks(&ann, &body), field).await;
        app.refuses(patch(&ann, &key.id, &body), field).await;
    }
    app.refuses(asks(&ann, &json!({})), "name").await;
    app.refuses(asks(&ann, &json!([])), "body").await;
    for good in ["x".repeat(100), "\u{1f680}".repeat(100), "'; DROP TABLE --".into(), "<b>&amp;".into()] {
        let made = app.json(asks(&ann, &json!({"name": good})), 201).await;
        assert_eq!(made["api_key"]["name"], good);
    }
}

#[tokio::test]
async fn a_change_leaves_what_it_does_not_name() {
    let app = TestApp::start().await;
    let ann = app.user("ann").await;
    let body = json!({
        "name": "one", "permissions": ["account:read"], "roles": ["user"], "networks": ["127.0.0.0/8"],
        "requests_per_hour": 50, "expires_at": "2028-01-01T00:00:00Z",
    });
    let key = make(&ann, &body).await;
    let mut expected = app.json(of(&ann, Method::GET, &key.id, ""), 200).await;
    for (change, fields) in [
        (json!({}), json!({})),
        (
            json!({"name": null, "permissions": null, "roles": null, "networks": null, "unrestricted": null}),
            json!({}),
        ),
        (json!({"name": " two "}), json!({"name": "two"})),
        (json!({"requests_per_hour": null}), json!({"requests_per_hour": null})),
        (json!({"requests_per_hour": 1_000_000}), json!({"requests_per_hour": 1_000_000})),
        (json!({"expires_at": null}), json!({"expires_at": null})),
        (json!({"networks": []}), json!({"networks": []})),
        (
            json!({"permissions": ["account:keys", "account:keys"]}),
            json!({"permissions": ["account:keys"], "roles": []}),
        ),
        (json!({"unrestricted": true}), json!({"permissions": [], "roles": [], "unrestricted": true})),
        (json!({"roles": ["user"]}), json!({"roles": ["user"], "unrestricted": false})),
        (json!({"unrestricted": false}), json!({"roles": []})),
    ] {
        for (field, value) in fields.as_object().unwrap() {
            expected[field] = value.clone();
        }
        assert_eq!(app.json(patch(&ann, &key.id, &change), 200).await, expected, "{change}");
        assert_eq!(app.json(of(&ann, Method::GET, &key.id, ""), 200).await, expected, "{change}");
    }
}

#[tokio::test]
async fn what_cannot_be_set_is_ignored() {
    let app = TestApp::start().await;
    let (root, ann) = (app.superuser("root").await, app.user("ann").await);
    let more = json!({
        "name": "x", "id": "0".repeat(32), "key": "asku_x", "owner": "1", "owner_id": 1, "user_id": root.id(),
        "hash": "0".repeat(64), "created_at": "2020-01-01T00:00:00Z", "revoked_at": "2020-01-01T00:00:00Z",
        "rotated_at": "2020-01-01T00:00:00Z", "previous_until": "2030-01-01T00:00:00Z", "last_used_at": "x",
        "previous": {"hash": "0"}, "is_superuser": true,
    });
    let made = app.json(asks(&ann, &more), 201).await;
    let plain = app.json(asks(&ann, &json!({"name": "x"})), 201).await;
    let same = |one: &Value, other: &Value| {
        let mut one = one.clone();
        one["id"] = other["id"].clone();
        assert_eq!(one, *other);
    };
    same(&made["api_key"], &plain["api_key"]);
    let key = Key::of(&made);
    assert_ne!(key.id, "0".repeat(32));
    same(&app.json(patch(&ann, &key.id, &more), 200).await, &plain["api_key"]);
    assert_eq!(app.json(root.bearer(Method::GET, "/auth/api-keys"), 200).await["items"], json!([]));
    // The text is the one that was shown, and not revoked.
    app.json(patch(&ann, &key.id, &json!({"permissions": ["account:read"]})), 200).await;
    assert_eq!(status(&app, &key.text).await, 200);
    app.json(of(&ann, Method::POST, &key.id, "/revoke").json(&more), 200).await;
    app.json(patch(&ann, &key.id, &json!({"revoked_at": null, "name": "y"})), 200).await;
    assert_eq!(status(&app, &key.text).await, 401);
}

#[tokio::test]
async fn an_owner_has_two_hundred_keys_at_most() {
    let app = TestApp::start().await;
    let ann = app.user("ann").await;
    let all = (0..205).map(|n| asks(&ann, &json!({"name": format!("k{n}")})).send());
    let answers = futures_util::future::join_all(all).await;
    let made = answers.iter().filter(|answer| answer.as_ref().unwrap().status() == 201).count();
    assert_eq!(made, 200);
    app.refuses(asks(&ann, &reader("one more")), "name").await;
    // Nor as many as one likes by making room for them: each has requests of its own.
    let of_bob = app.user("bob").await;
    for n in 0..200 {
        let made = make(&of_bob, &reader(&format!("k{n}"))).await;
        app.done(of(&of_bob, Method::DELETE, &made.id, "")).await;
    }
    app.fails(asks(&of_bob, &reader("one more")), 429, "RATE_LIMITED").await;
    app.clock.advance_secs(3600);
    let (ann, of_bob) = (ann.refreshed().await, of_bob.refreshed().await);
    make(&of_bob.proven().await, &reader("one more")).await;
    let ann = ann.proven().await;
    let list = app.json(ann.bearer(Method::GET, "/auth/api-keys?limit=200"), 200).await;
    let items = list["items"].as_array().unwrap();
    assert_eq!((items.len(), &list["next_cursor"]), (200, &Value::Null));
    app.done(of(&ann, Method::DELETE, items[7]["id"].as_str().unwrap(), "")).await;
    make(&ann, &reader("instead")).await;
    app.refuses(asks(&ann, &reader("one more")), "name").await;
}
