//! Keys that another service was shown.
use auth_service::rbac::Initiator;
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};

use super::{Key, make, of, patch, reader, status};
use crate::support::{Person, TestApp};

fn asks(who: &Person, body: &Value) -> RequestBuilder {
    who.bearer(Method::POST, "/auth/api-keys/verify").json(body)
}

async fn verdict(who: &Person<'_>, body: &Value) -> Value {
    who.app.json(asks(who, body), 200).await
}

async fn is_bad(who: &Person<'_>, body: &Value, reason: &str) {
    let expected = json!({
        "valid": false, "reason": reason, "key_id": null, "name": null, "owner": null, "permissions": null,
        "allowed": false, "results": {"account:read": false}, "expires_at": null, "rate_limit": null,
    });
    let mut body = body.clone();
    body["permissions"] = json!(["account:read"]);
    assert_eq!(verdict(who, &body).await, expected, "{body}");
}

#[tokio::test]
async fn a_good_key_says_whose_it_is_and_what_it_may_do() {
    let app = TestApp::start().await;
    let (root, ann) = (app.superuser("root").await, app.user("ann").await);
    let own = ["account:write", "account:read", "account:keys", "account:password"];
    let body = json!({"name": "deploy", "permissions": own, "expires_at": "2028-01-01T00:00:00Z", "requests_per_hour": 5});
    let key = make(&ann, &body).await;
    let asked = json!({"key": key.text, "permissions": ["account:read", "account:keys", "account:read"]});
    let expected = json!({
        "valid": true, "reason": null, "key_id": key.id, "name": "deploy",
        "owner": {"type": "user", "id": ann.id().to_string(), "name": "ann"},
        "permissions": ["account:keys", "account:password", "account:read", "account:write"],
        "allowed": true, "results": {"account:keys": true, "account:read": true},
        "expires_at": "2028-01-01T00:00:00Z",
        "rate_limit": {"requests_per_hour": 5, "remaining": 4, "reset_seconds": 3600},
    });
    assert_eq!(verdict(&root, &asked).await, expected);
    let more =
        json!({"key": key.text, "permissions": ["account:read", "users:read", "account:other", "a:b:c"]});
    let answer = verdict(&root, &more).await;
    let results = json!({"account:read": true, "users:read": false, "account:other": false, "a:b:c": false});
    assert_eq!((&answer["allowed"], &answer["results"]), (&json!(false), &results));
    for asked in [
        json!({"key": key.text}),
        json!({"key": key.text, "permissions": []}),
        json!({"key": key.text, "permissions": null}),
    ] {
        let answer = verdict(&root, &asked).await;
        assert_eq!((&answer["allowed"], &answer["results"]), (&json!(true), &json!({})));
    }
    app.fails(asks(&ann, &json!({"key": key.text})), 403, "FORBIDDEN").await;
    let many: Vec<_> = (0..101).map(|n| format!("a:b{n}")).collect();
    for (bad, field) in [
        (json!({}), "key"),
        (json!({"key": 7}), "key"),
        (json!({"key": "x", "permissions": many}), "permissions"),
        (json!({"key": "x", "permissions": ["a:*"]}), "permissions"),
        (json!({"key": "x", "permissions": ["x\r\n"]}), "permissions"),
        (json!({"key": "x", "address": "10.0.0.0/8"}), "address"),
        (json!({"key": "x", "address": ""}), "address"),
        (json!({"key": "x", "count": "no"}), "count"),
    ] {
        app.refuses(asks(&root, &bad), field).await;
    }
}

#[tokio::test]
async fn a_bad_key_has_a_reason_and_nothing_else() {
    let app = TestApp::start().await;
    let (root, ann) = (app.superuser("root").await, app.user("ann").await);
    let key = make(&ann, &reader("one")).await;
    for text in ["", "x", &key.text[..110], &key.text.to_uppercase(), &ann.tokens.access, "\u{0}\u{1f511}"] {
        is_bad(&root, &json!({"key": text}), "malformed").await;
    }
    let unknown = format!("asku_{}_{}", "0".repeat(32), "0".repeat(64));
    let unknown = format!("{unknown}_{:08x}", crc32fast::hash(unknown.as_bytes()));
    is_bad(&root, &json!({"key": unknown}), "unknown").await;
    let rotated = app.json(of(&ann, Method::POST, &key.id, "/rotate").json(&json!({})), 200).await;
    is_bad(&root, &json!({"key": key.text}), "unknown").await;
    let key = Key::of(&rotated);
    assert_eq!(verdict(&root, &json!({"key": key.text})).await["valid"], true);
    app.app.accounts.set_active(Initiator::host(), ann.id(), false).await.unwrap();
    is_bad(&root, &json!({"key": key.text}), "owner_disabled").await;
    app.app.accounts.set_active(Initiator::host(), ann.id(), true).await.unwrap();
    let ann = app.log_in("ann", crate::support::PASSWORD).await;
    app.json(patch(&ann, &key.id, &json!({"expires_at": "2027-01-15T08:01:00Z"})), 200).await;
    app.clock.advance_secs(60);
    is_bad(&root, &json!({"key": key.text}), "expired").await;
    app.json(of(&ann, Method::POST, &key.id, "/revoke"), 200).await;
    is_bad(&root, &json!({"key": key.text}), "revoked").await;
    app.done(of(&ann, Method::DELETE, &key.id, "")).await;
    is_bad(&root, &json!({"key": key.text}), "unknown").await;
}

#[tokio::test]
async fn a_key_that_is_tied_to_networks_needs_an_address() {
    let app = TestApp::start().await;
    let (root, ann) = (app.superuser("root").await, app.user("ann").await);
    let body =
        json!({"name": "x", "permissions": ["account:read"], "networks": ["10.0.0.0/8", "2001:db8::/32"]});
    let key = make(&ann, &body).await.text;
    is_bad(&root, &json!({"key": key}), "network_not_allowed").await;
    for address in ["11.0.0.1", "::1", "127.0.0.1", "::ffff:11.0.0.1"] {
        is_bad(&root, &json!({"key": key, "address": address}), "network_not_allowed").await;
    }
    for address in ["10.255.0.1", "::ffff:10.0.0.1", "2001:db8::1"] {
        assert_eq!(
            verdict(&root, &json!({"key": key, "address": address})).await["valid"],
            true,
            "{address}"
        );
    }
    let list = app.json(ann.bearer(Method::GET, "/auth/api-keys"), 200).await;
    assert_eq!(list["items"][0]["last_used_address"], "2001:db8::1");
}

#[tokio::test]
async fn a_question_counts_as_a_use_unless_it_says_that_it_does_not() {
    let app = TestApp::start().await;
    let (root, ann) = (app.superuser("root").await, app.user("ann").await);
    let body = json!({"name": "x", "permissions": ["account:read"], "requests_per_hour": 3});
    let key = make(&ann, &body).await.text;
    let ask =
        async |count| verdict(&root, &json!({"key": key, "count": count, "address": "192.0.2.1"})).await;
    let left = |answer: &Value| answer["rate_limit"]["remaining"].clone();
    for _ in 0..3 {
        assert_eq!(left(&ask(json!(false)).await), 3);
    }
    assert_eq!(left(&ask(json!(true)).await), 2);
    assert_eq!(left(&ask(Value::Null).await), 1);
    assert_eq!(left(&ask(json!(false)).await), 1);
    assert_eq!((status(&app, &key).await, status(&app, &key).await), (200, 429));
    for count in [false, true, false] {
        let body = json!({"key": key, "count": count});
        is_bad(&root, &body, "rate_limited").await;
    }
    let usage = app.json(ann.bearer(Method::GET, "/auth/api-keys/usage"), 200).await;
    let one = &usage["items"][0];
    assert_eq!((&one["accepted"], &one["refused"]), (&json!(3), &json!(2)), "{one}");
    assert_eq!(one["last_used_address"], "127.0.0.1");
    app.clock.advance_secs(3600);
    let root = app.log_in("root", crate::support::PASSWORD).await;
    assert_eq!(left(&verdict(&root, &json!({"key": key})).await), 2);
}

#[tokio::test]
async fn a_service_accounts_key_is_known_as_one() {
    let app = TestApp::start().await;
    let root = app.superuser("root").await;
    let account = json!({"name": "invoicer", "roles": ["admin"]});
    let account = app.json(root.bearer(Method::POST, "/service-accounts").json(&account), 201).await;
    let path = format!("/service-accounts/{}", account["id"].as_str().unwrap());
    let keys = root.bearer(Method::POST, &format!("{path}/api-keys"));
    let key = Key::of(&app.json(keys.json(&json!({"name": "x", "permissions": ["users:read"]})), 201).await);
    assert!(key.text.starts_with("asks_"));
    let answer =
        verdict(&root, &json!({"key": key.text, "permissions": ["users:read", "users:write"]})).await;
    assert_eq!(answer["owner"], json!({"type": "service_account", "id": account["id"], "name": "invoicer"}));
    assert_eq!(answer["results"], json!({"users:read": true, "users:write": false}));
    let roles = root.bearer(Method::PUT, &format!("{path}/roles")).json(&json!({"roles": []}));
    app.json(roles, 200).await;
    let answer = verdict(&root, &json!({"key": key.text, "permissions": ["users:read"]})).await;
    assert_eq!(
        (&answer["valid"], &answer["allowed"], &answer["permissions"]),
        (&json!(true), &json!(false), &json!([]))
    );
    app.json(root.bearer(Method::PATCH, &path).json(&json!({"is_active": false})), 200).await;
    is_bad(&root, &json!({"key": key.text}), "owner_disabled").await;
}
