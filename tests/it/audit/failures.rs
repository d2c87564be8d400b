//! Failed logins and refused requests: gathered, bounded, and without what was typed.
use reqwest::{Method, RequestBuilder};
use serde_json::json;

use super::{all_is_well, events, exported};
use crate::support::{PASSWORD, Setup, TestApp};

fn log_in(app: &TestApp, name: &str, password: &str) -> RequestBuilder {
    app.request(Method::POST, "/auth/token").json(&json!({"username": name, "password": password}))
}

#[tokio::test]
async fn failed_logins_are_counted_and_hold_nothing_that_was_typed() {
    let app = TestApp::start().await;
    let (root, ann) = (app.superuser("root").await, app.user("ann").await);
    for n in 0..5 {
        app.fails(log_in(&app, "ann", &format!("wrong secret {n}")), 401, "INVALID_CREDENTIALS").await;
        app.fails(log_in(&app, &format!("my-secret-{n}"), PASSWORD), 401, "INVALID_CREDENTIALS").await;
    }
    app.app.accounts.set_active(auth_service::rbac::Initiator::host(), ann.id(), false).await.unwrap();
    app.fails(log_in(&app, "ann@example.com", PASSWORD), 403, "ACCOUNT_DISABLED").await;
    let found = events(&root, "action=session.refused").await;
    let said: Vec<_> = found
        .iter()
        .map(|event| {
            (&event["count"], &event["details"]["reason"], &event["subject"]["name"], &event["outcome"])
        })
        .collect();
    assert_eq!(said.len(), 3, "{found:?}");
    let failure = json!("failure");
    for (count, reason, subject) in [
        (json!(1), json!("account_disabled"), json!("ann")),
        (json!(5), json!("wrong_credentials"), json!("ann")),
        (json!(5), json!("wrong_credentials"), json!(null)),
    ] {
        assert!(said.contains(&(&count, &reason, &subject, &failure)), "{said:?}");
    }
    assert!(
        found.iter().all(|event| event["actor"]["type"] == "anonymous" && event["address"] == "127.0.0.1")
    );
    let text = exported(&root, "").await;
    assert!(!text.contains("secret") && !text.contains(PASSWORD), "{text}");
    all_is_well(&app).await;
}

#[tokio::test]
async fn a_key_that_is_not_taken_is_told_with_who_tried_and_who_was_shown_it() {
    let app = TestApp::start().await;
    let root = app.superuser("root").await;
    let key = root.key(json!({"name": "x", "unrestricted": true})).await;
    let id = app.json(root.bearer(Method::GET, "/auth/api-keys"), 200).await["items"][0]["id"].clone();
    app.json(root.bearer(Method::POST, &format!("/auth/api-keys/{}/revoke", id.as_str().unwrap())), 200)
        .await;
    let tried = app.request(Method::GET, "/auth/me").header("X-API-Key", &key);
    app.fails(
        tried.header("User-Agent", "thief\u{202e}").header("X-Request-Id", "req-tried"),
        401,
        "TOKEN_REVOKED",
    )
    .await;
    let verify = root.bearer(Method::POST, "/auth/api-keys/verify").header("X-Request-Id", "req-shown");
    assert_eq!(app.json(verify.json(&json!({"key": key})), 200).await["reason"], "revoked");
    let look = root.bearer(Method::POST, "/auth/api-keys/verify");
    app.json(look.json(&json!({"key": key, "count": false})), 200).await;
    let found = events(&root, "action=api_key.refused").await;
    let mut said: Vec<_> = found
        .iter()
        .map(|event| {
            (
                event["request_id"].as_str().unwrap(),
                event["user_agent"].as_str().unwrap(),
                &event["actor"]["name"],
            )
        })
        .collect();
    said.sort_by_key(|(id, ..)| *id);
    assert_eq!(said, [("req-shown", "", &json!("root")), ("req-tried", "thief", &json!(""))]);
}

#[tokio::test]
async fn refused_requests_are_counted_and_hold_no_credential() {
    let app = TestApp::start().await;
    let (root, ann) = (app.superuser("root").await, app.user("ann").await);
    let key =
        ann.key(json!({"name": "x", "permissions": ["account:read"], "networks": ["10.0.0.0/8"]})).await;
    for _ in 0..3 {
        let path = format!("/users?token={}", ann.tokens.access);
        app.fails(ann.bearer(Method::GET, &path), 403, "FORBIDDEN").await;
        let with_key = app.request(Method::GET, "/auth/me").header("X-API-Key", &key);
        app.fails(with_key, 403, "FORBIDDEN").await;
        app.fails(app.request(Method::GET, "/auth/me").bearer_auth("junk-secret"), 401, "INVALID_TOKEN")
            .await;
        app.fails(ann.cookie(Method::POST, "/auth/logout"), 403, "CSRF_FAILED").await;
    }
    // What happens to everybody is no attempt.
    app.fails(app.request(Method::GET, "/auth/me"), 401, "UNAUTHORIZED").await;
    app.fails(root.bearer(Method::GET, "/users/99"), 404, "NOT_FOUND").await;
    let found = events(&root, "action=request.").await;
    let say = |event: &serde_json::Value| {
        (event["details"]["code"].clone(), event["count"].clone(), event["actor"]["name"].clone())
    };
    let mut said: Vec<_> = found.iter().map(say).map(|said| format!("{said:?}")).collect();
    said.sort();
    let mut expected =
        [("FORBIDDEN", "ann"), ("FORBIDDEN", ""), ("INVALID_TOKEN", ""), ("CSRF_FAILED", "ann")]
            .map(|(code, name)| format!("{:?}", (json!(code), json!(3), json!(name))));
    expected.sort();
    assert_eq!(said, expected);
    let forbidden = found.iter().find(|event| event["details"]["permission"] == "users:read").unwrap();
    assert_eq!(
        (&forbidden["details"]["path"], &forbidden["details"]["method"]),
        (&json!("/users"), &json!("GET"))
    );
    let text = exported(&root, "").await;
    for secret in [&key[39..], &ann.tokens.access[..30], "junk-secret"] {
        assert!(!text.contains(secret));
    }
    all_is_well(&app).await;
}

#[tokio::test]
async fn a_refusal_names_the_very_key_that_was_refused() {
    let app = TestApp::start().await;
    let (root, ann) = (app.superuser("root").await, app.user("ann").await);
    for n in 0..2 {
        app.clock.advance_secs(1);
        let key = ann.key(json!({"name": format!("k{n}")})).await;
        for _ in 0..=n {
            app.fails(app.request(Method::GET, "/users").header("X-API-Key", &key), 403, "FORBIDDEN").await;
        }
    }
    app.fails(ann.bearer(Method::GET, "/users"), 403, "FORBIDDEN").await;
    let found = events(&root, "action=request.refused").await;
    let mut counts: Vec<_> =
        found.iter().map(|event| (event["count"].as_u64(), event["via"].to_string())).collect();
    counts.sort();
    assert_eq!(counts.len(), 3, "{counts:?}");
    let keys = app.json(ann.bearer(Method::GET, "/auth/api-keys"), 200).await;
    let second = json!({"api_key": keys["items"][1]["id"]}).to_string();
    assert_eq!(counts[2], (Some(2), second));
}

#[tokio::test]
async fn a_flood_of_different_failures_is_bounded() {
    let setup = Setup::default().with("audit.failures_per_hour", "5").with("trusted_proxies", "127.0.0.0/8");
    let setup = setup.with("throttle.state", "off");
    let app = setup.start().await;
    let root = app.superuser("root").await;
    let attack = async |range: std::ops::Range<usize>| {
        for n in range {
            let from = format!("203.0.113.{n}");
            app.fails(
                log_in(&app, "root", "wrong").header("X-Forwarded-For", from),
                401,
                "INVALID_CREDENTIALS",
            )
            .await;
        }
    };
    let count = async || events(&root, "outcome=failure").await.len();
    attack(0..30).await;
    assert_eq!(count().await, 5);
    app.clock.advance_secs(10);
    attack(30..40).await;
    assert_eq!(count().await, 5);
    app.clock.advance_secs(300);
    app.app.tend().await;
    let found = events(&root, "outcome=failure").await;
    let rest: Vec<_> = found.iter().filter(|event| event["action"] == "audit.more_failures").collect();
    assert_eq!((found.len(), rest.len(), &rest[0]["count"]), (6, 1, &json!(35)));
    // Changes have nothing to do with it, and the next hour has room again.
    app.register("ann").await;
    assert_eq!(events(&root, "action=user.created").await.len(), 2);
    app.clock.advance_secs(3600);
    attack(50..52).await;
    let root = app.log_in("root", PASSWORD).await;
    assert_eq!(events(&root, "outcome=failure").await.len(), 8);
    all_is_well(&app).await;
}

#[tokio::test]
async fn failures_that_are_gathered_survive_the_end() {
    let setup = || Setup::default().at("http://id.example").with("audit.failures_per_hour", "1");
    let app = setup().start().await;
    app.superuser("root").await;
    app.register("ann").await;
    for name in ["root", "ann", "nobody"] {
        app.fails(log_in(&app, name, "wrong"), 401, "INVALID_CREDENTIALS").await;
    }
    app.app.finish().await;
    let app = app.restart(setup()).await;
    let root = app.log_in("root", PASSWORD).await;
    let counts: Vec<_> =
        events(&root, "outcome=failure").await.iter().map(|event| event["count"].clone()).collect();
    assert_eq!(counts, [json!(2), json!(1)]);
    all_is_well(&app).await;
}

#[tokio::test]
async fn an_old_refresh_token_that_comes_again_is_written_down_once() {
    let app = TestApp::start().await;
    let (root, ann) = (app.superuser("root").await, app.user("ann").await);
    let next = ann.refreshed().await;
    app.clock.advance_secs(60);
    app.fails(ann.refresh_request(), 401, "TOKEN_REVOKED").await;
    app.fails(ann.refresh_request(), 401, "TOKEN_REVOKED").await;
    next.is_out("TOKEN_REVOKED").await;
    let found = events(&root, "action=session.refresh_token_reused").await;
    assert_eq!(
        (found.len(), &found[0]["subject"]["name"], &found[0]["outcome"]),
        (1, &json!("ann"), &json!("failure"))
    );
}

#[tokio::test]
async fn what_clients_call_themselves_does_no_harm() {
    let app = TestApp::start().await;
    let root = app.superuser("root").await;
    let long = "x".repeat(1000);
    for agent in [
        "evil\u{9b}31m\u{85}\",\"outcome\":\"success\"}\\".as_bytes(),
        b"tab\there",
        b"\xff\xfe\x9b",
        "\u{1f480}".as_bytes(),
        long.as_bytes(),
    ] {
        let agent = reqwest::header::HeaderValue::from_bytes(agent).unwrap();
        app.fails(log_in(&app, "root", "wrong").header("User-Agent", &agent), 401, "INVALID_CREDENTIALS")
            .await;
        let name = json!({"name": "\u{1f480}\",\"x\":\""});
        app.json(root.bearer(Method::POST, "/auth/api-keys").header("User-Agent", agent).json(&name), 201)
            .await;
        let path = "/users/%0d%0a%1b[31m/roles";
        let request =
            app.log_in("root", PASSWORD).await.bearer(Method::PUT, path).json(&json!({"roles": []}));
        assert!(request.send().await.unwrap().status().as_u16() >= 400);
        app.app.audit.write_failures().await.unwrap();
    }
    let text = exported(&root, "").await;
    assert!(text.ends_with("\"}\n") && !text.contains('\r'));
    for line in text.lines() {
        let event: serde_json::Value = serde_json::from_str(line).unwrap();
        assert!(!line.chars().any(char::is_control), "{line}");
        assert!(event["user_agent"].as_str().unwrap().chars().count() <= 256);
    }
    assert!(
        text.lines()
            .filter(|line| line.contains("\"action\":\"session.refused\",\"outcome\":\"failure\""))
            .count()
            == 5
    );
    all_is_well(&app).await;
}
