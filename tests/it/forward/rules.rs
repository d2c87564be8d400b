//! `/forward-rules`: who makes rules, in what order they stand, and what they say.
use reqwest::Method;
use serde_json::{Value, json};

use super::{HTML, cookie, gets, guarding, status};
use crate::support::{Person, TestApp};

async fn make(root: &Person<'_>, body: Value) -> Value {
    root.app.json(root.bearer(Method::POST, "/forward-rules").json(&body), 201).await
}

fn at(root: &Person<'_>, method: Method, rule: &Value) -> reqwest::RequestBuilder {
    root.bearer(method, &format!("/forward-rules/{}", rule["id"].as_str().unwrap()))
}

async fn order(root: &Person<'_>) -> Vec<(String, Value)> {
    let all = root.app.json(root.bearer(Method::GET, "/forward-rules"), 200).await;
    assert_eq!(all["next_cursor"], Value::Null);
    let all = all["items"].as_array().unwrap().iter();
    all.map(|rule| (rule["host"].as_str().unwrap().to_owned(), rule["position"].clone())).collect()
}

#[tokio::test]
async fn rules_are_made_read_moved_changed_and_deleted() {
    let app = guarding(&json!([{"host": "first.example.org"}])).start().await;
    let root = app.superuser("root").await;
    let (a, b) = (
        make(&root, json!({"host": "a.example.org"})).await,
        make(&root, json!({"host": "b.example.org"})).await,
    );
    let c = make(&root, json!({"host": "c.example.org", "position": 1})).await;
    let places = |names: [&str; 3]| {
        let made = names.iter().enumerate().map(|(at, name)| (format!("{name}.example.org"), json!(at + 1)));
        [("first.example.org".to_owned(), Value::Null)].into_iter().chain(made).collect::<Vec<_>>()
    };
    assert_eq!(order(&root).await, places(["c", "a", "b"]));
    let moved = app.json(at(&root, Method::PATCH, &b).json(&json!({"position": 2})), 200).await;
    assert_eq!((moved["position"].clone(), order(&root).await), (json!(2), places(["c", "b", "a"])));
    app.json(at(&root, Method::PATCH, &c).json(&json!({"position": 99})), 200).await;
    assert_eq!(order(&root).await, places(["b", "a", "c"]));
    let body = json!({"paths": ["/x/**"], "methods": ["get", "GET"], "networks": ["10.0.0.0/8"], "roles": ["admin"],
        "permissions": ["audit:read"], "second_factor": true, "description": "why"});
    let changed = app.json(at(&root, Method::PATCH, &a).json(&body), 200).await;
    assert_eq!(changed, app.json(at(&root, Method::GET, &a), 200).await);
    assert_eq!((&changed["methods"], &changed["host"]), (&json!(["GET"]), &json!("a.example.org")));
    assert_eq!((&changed["second_factor"], &changed["origin"]), (&json!(true), &json!("administrator")));
    app.done(at(&root, Method::DELETE, &b)).await;
    app.fails(at(&root, Method::GET, &b), 404, "NOT_FOUND").await;
    app.fails(at(&root, Method::PATCH, &b).json(&json!({})), 404, "NOT_FOUND").await;
    app.fails(at(&root, Method::DELETE, &b), 404, "NOT_FOUND").await;
    app.fails(root.bearer(Method::GET, "/forward-rules/x"), 404, "NOT_FOUND").await;
    let trail = app.json(root.bearer(Method::GET, "/audit?limit=200"), 200).await.to_string();
    for action in ["forward_rule.created", "forward_rule.changed", "forward_rule.deleted"] {
        assert!(trail.contains(action), "{action}");
    }
}

#[tokio::test]
async fn a_rule_that_cannot_be_is_refused_and_the_field_is_named() {
    let app = guarding(&json!([])).start().await;
    let root = app.superuser("root").await;
    for (body, field) in [
        (json!({}), "host"),
        (json!({"host": "*"}), "host"),
        (json!({"host": "https://a.example.org"}), "host"),
        (json!({"host": "a.example.org", "paths": ["/a/../b"]}), "paths"),
        (json!({"host": "a.example.org", "paths": []}), "paths"),
        (json!({"host": "a.example.org", "methods": ["G T"]}), "methods"),
        (json!({"host": "a.example.org", "networks": ["here"]}), "networks"),
        (json!({"host": "a.example.org", "access": "everybody"}), "access"),
        (json!({"host": "a.example.org", "roles": ["nobody-has-this"]}), "roles"),
        (json!({"host": "a.example.org", "permissions": ["not:defined"]}), "permissions"),
        (json!({"host": "a.example.org", "permissions": ["audit:*"]}), "permissions"),
        (json!({"host": "a.example.org", "access": "public", "roles": ["admin"]}), "roles"),
        (json!({"host": "a.example.org", "position": 0}), "position"),
        (json!({"host": "a.example.org", "paths": vec!["/a"; 51]}), "paths"),
    ] {
        let request = root.bearer(Method::POST, "/forward-rules").json(&body);
        assert_eq!(app.fails(request, 400, "VALIDATION_ERROR").await["field"], field, "{body}");
    }
    assert_eq!(order(&root).await, []);
}

#[tokio::test]
async fn rules_of_the_file_come_first_and_are_changed_there_alone() {
    let app = guarding(&json!([{"host": "wiki.example.org", "access": "nobody", "paths": ["/shut"]}]))
        .start()
        .await;
    let root = app.superuser("root").await;
    make(&root, json!({"host": "wiki.example.org", "access": "public", "position": 1})).await;
    assert_eq!(status(gets(&app, "/shut")).await, 403);
    assert_eq!(status(gets(&app, "/open")).await, 200);
    let all = app.json(root.bearer(Method::GET, "/forward-rules"), 200).await;
    let declared = &all["items"][0];
    assert_eq!((&declared["origin"], &declared["created_at"]), (&json!("configuration"), &Value::Null));
    for request in [
        at(&root, Method::PATCH, declared).json(&json!({"access": "public"})),
        at(&root, Method::DELETE, declared),
    ] {
        assert_eq!(app.fails(request, 400, "VALIDATION_ERROR").await["field"], "id");
    }
}

#[tokio::test]
async fn who_may_not_make_rules_makes_none() {
    let app = guarding(&json!([])).start().await;
    let (root, ann) = (app.superuser("root").await, app.user("ann").await);
    let rule = make(&root, json!({"host": "a.example.org"})).await;
    for request in [
        ann.bearer(Method::GET, "/forward-rules"),
        ann.bearer(Method::POST, "/forward-rules").json(&json!({"host": "b.example.org"})),
        at(&ann, Method::PATCH, &rule).json(&json!({"access": "public"})),
        at(&ann, Method::DELETE, &rule),
    ] {
        app.fails(request, 403, "FORBIDDEN").await;
    }
    // Another login, where the last one was long ago.
    app.clock.advance_secs(16 * 60);
    let root = root.refreshed().await;
    let late = root.bearer(Method::POST, "/forward-rules").json(&json!({"host": "b.example.org"}));
    app.fails(late, 403, "REAUTHENTICATION_REQUIRED").await;
}

#[tokio::test]
async fn a_host_that_no_rule_is_for_lets_nobody_pass_however_it_is_written() {
    let app = guarding(&json!([{"host": "wiki.example.org"}])).start().await;
    let root = app.superuser("root").await;
    let asks = |host: &str| {
        let request = app.request(Method::GET, "/auth/forward").header("X-Forwarded-Method", "GET");
        let request = request.header("X-Forwarded-Proto", "http").header("X-Forwarded-Uri", "/");
        request.header("X-Forwarded-Host", host).bearer_auth(&root.tokens.access)
    };
    for same in [
        "wiki.example.org",
        "WIKI.Example.org",
        "wiki.example.org.",
        "wiki.example.org:8443",
        "wiki.example.org.:80",
    ] {
        assert_eq!(status(asks(same)).await, 200, "{same}");
    }
    for other in [
        "example.org",
        "xwiki.example.org",
        "a.wiki.example.org",
        "wiki.example.org.evil.example",
        "127.0.0.1",
    ] {
        assert_eq!(status(asks(other)).await, 403, "{other}");
    }
}

#[tokio::test]
async fn no_spelling_of_a_path_walks_around_a_rule() {
    let rules = json!([{"host": "wiki.example.org", "paths": ["/admin/**"], "access": "nobody"},
        {"host": "wiki.example.org", "access": "public"}]);
    let app = guarding(&rules).start().await;
    assert_eq!(status(gets(&app, "/administration")).await, 200);
    for path in [
        "/admin",
        "/admin/",
        "//admin",
        "/%61dmin",
        "/admin%2fx",
        "/admin;x",
        "/admin?x",
        "/\\admin",
        "/%2561dmin",
    ] {
        assert_eq!(status(gets(&app, path)).await, 403, "{path}");
    }
    for path in [
        "/x/../admin",
        "/x/%2e%2e/admin",
        "/./admin",
        "/x/..;/admin",
        "/admin%00",
        "/admin%",
        "/x\\..\\admin",
    ] {
        assert_eq!(status(gets(&app, path)).await, 400, "{path}");
    }
}

#[tokio::test]
async fn a_browser_that_may_not_pass_sees_a_page_in_its_language_with_the_looks_of_this_server() {
    let app = guarding(&json!([{"host": "wiki.example.org", "roles": ["admin"]}])).start().await;
    app.register("ann").await;
    let cookie = cookie(&app, "ann").await;
    for (language, text) in
        [("en", "You may not open this page"), ("de", "Sie dürfen diese Seite nicht öffnen")]
    {
        let page = gets(&app, "/a")
            .header("Cookie", &cookie)
            .header("Accept", HTML)
            .header("Accept-Language", language);
        let answer = page.send().await.unwrap();
        assert_eq!(
            (answer.status().as_u16(), &answer.headers()["content-language"]),
            (403, &language.parse().unwrap())
        );
        let policy = answer.headers()["content-security-policy"].to_str().unwrap().to_owned();
        assert!(
            policy.contains("style-src http://id.example.org;") && policy.contains("default-src 'none'"),
            "{policy}"
        );
        let html = answer.text().await.unwrap().replace("&#x2f;", "/");
        assert!(
            html.contains(text) && html.contains("href=\"http://id.example.org/account/style.css\""),
            "{html}"
        );
    }
    app.fails(gets(&app, "/a").header("Cookie", &cookie), 403, "FORBIDDEN").await;
}

#[tokio::test]
async fn who_was_not_let_through_stands_in_the_audit_trail() {
    let app = guarding(&json!([{"host": "wiki.example.org", "access": "nobody"}])).start().await;
    let root = app.superuser("root").await;
    let page = gets(&app, "/a?token=secret").bearer_auth(&root.tokens.access);
    app.fails(page, 403, "FORBIDDEN").await;
    app.app.write_gathered().await;
    let trail = app.json(root.bearer(Method::GET, "/audit?action=forward.refused"), 200).await;
    let event = &trail["items"][0];
    assert_eq!(event["details"]["host"], "wiki.example.org", "{trail}");
    assert_eq!((&event["details"]["path"], &event["details"]["reason"]), (&json!("/a"), &json!("rule")));
    assert!(!trail.to_string().contains("secret") && trail.to_string().contains("root"));
}

#[tokio::test]
async fn rules_are_there_after_a_restart() {
    let app = guarding(&json!([])).start().await;
    let root = app.superuser("root").await;
    make(&root, json!({"host": "wiki.example.org", "access": "public"})).await;
    let data_dir = Some(app.stop().await);
    let app = TestApp::start_with(crate::support::Setup { data_dir, ..guarding(&json!([])) }).await;
    assert_eq!(status(gets(&app, "/a")).await, 200);
}
