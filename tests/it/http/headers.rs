//! Headers of every answer.
use std::collections::BTreeSet;

use reqwest::header::HeaderMap;
use reqwest::{Method, StatusCode};
use serde_json::json;

use crate::support::{PASSWORD, Setup, TestApp};

fn text<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    let mut all = headers.get_all(name).iter();
    let first = all.next().map(|value| value.to_str().unwrap());
    assert_eq!(all.next(), None, "{name} comes twice");
    first
}

#[tokio::test]
async fn a_request_id_that_may_be_kept_is_kept() {
    let app = TestApp::start().await;
    for id in
        ["a", "req_1", "0.A-z_9", &"x".repeat(128), "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"]
    {
        for (path, status) in [("/health", 200), ("/nope", 404), ("/auth/me", 401)] {
            let answer = app.request(Method::GET, path).header("X-Request-Id", id).send().await.unwrap();
            assert_eq!(text(answer.headers(), "x-request-id"), Some(id));
            assert_eq!(answer.status(), status);
            if status != 200 {
                let body: serde_json::Value = answer.json().await.unwrap();
                assert_eq!(body["error"]["request_id"], id);
            }
        }
    }
}

#[tokio::test]
async fn any_other_request_id_is_replaced() {
    let app = TestApp::start().await;
    let long = "x".repeat(129);
    for id in ["", " ", "a b", "a/b", "a\"b", "<script>", "a;b", "a\tb", "{}", "\u{e9}", &long] {
        let answer =
            app.request(Method::GET, "/health").header("X-Request-Id", id.as_bytes()).send().await.unwrap();
        let given = text(answer.headers(), "x-request-id").unwrap();
        assert!(given.starts_with("req_") && given.len() > 8, "{id:?} {given}");
    }
}

#[tokio::test]
async fn every_request_id_is_another() {
    let app = TestApp::start().await;
    let mut seen = BTreeSet::new();
    for _ in 0..50 {
        seen.insert(text(app.get("/health").await.headers(), "x-request-id").unwrap().to_owned());
    }
    assert_eq!(seen.len(), 50);
}

#[tokio::test]
async fn every_answer_has_the_security_headers() {
    let app = TestApp::start().await;
    let user = app.user("ann").await;
    let requests = [
        app.request(Method::GET, "/health"),
        app.request(Method::GET, "/nope"),
        app.request(Method::OPTIONS, "/auth/me"),
        app.request(Method::GET, "/openapi.json"),
        app.request(Method::GET, "/oauth2/jwks"),
        app.request(Method::GET, "/docs"),
        app.request(Method::GET, "/docs/viewer.js"),
        user.bearer(Method::GET, "/auth/me"),
        user.bearer(Method::DELETE, "/auth/sessions"),
    ];
    for request in requests {
        let answer = request.send().await.unwrap();
        let headers = answer.headers();
        assert_eq!(text(headers, "x-content-type-options"), Some("nosniff"), "{}", answer.url());
        assert_eq!(text(headers, "referrer-policy"), Some("no-referrer"));
        let policy = text(headers, "content-security-policy").unwrap();
        assert!(
            policy.starts_with("default-src 'none'") && policy.contains("frame-ancestors 'none'"),
            "{policy}"
        );
        assert!(text(headers, "cache-control").is_some() && text(headers, "x-request-id").is_some());
        for revealing in ["server", "x-powered-by", "strict-transport-security", "via"] {
            assert_eq!(text(headers, revealing), None);
        }
        if answer.status() != StatusCode::NO_CONTENT {
            assert!(text(headers, "content-type").unwrap().ends_with("; charset=utf-8"));
        }
    }
}

#[tokio::test]
async fn an_https_server_tells_browsers_to_stay_with_https() {
    let app = Setup::default().at("https://id.example").start().await;
    for path in ["/health", "/nope", "/docs"] {
        let answer = app.get(path).await;
        let hsts = text(answer.headers(), "strict-transport-security").unwrap();
        assert!(hsts.starts_with("max-age=31536000"), "{hsts}");
    }
}

#[tokio::test]
async fn nothing_that_holds_a_secret_or_a_person_is_kept_by_caches() {
    let app = TestApp::start().await;
    let user = app.user("ann").await;
    let login = json!({"username": "ann", "password": PASSWORD});
    for request in [
        app.request(Method::POST, "/auth/token").json(&login),
        user.refresh_request(),
        user.bearer(Method::GET, "/auth/me"),
        user.bearer(Method::GET, "/auth/sessions"),
        user.bearer(Method::POST, "/auth/logout"),
        app.request(Method::GET, "/health"),
    ] {
        let answer = request.send().await.unwrap();
        assert_eq!(answer.status(), 200);
        assert_eq!(text(answer.headers(), "cache-control"), Some("no-store"), "{}", answer.url());
    }
    let keys = app.get("/oauth2/jwks").await;
    assert_eq!(text(keys.headers(), "cache-control"), Some("public, max-age=300"));
}

#[tokio::test]
async fn head_is_get_without_the_body() {
    let app = TestApp::start().await;
    let user = app.user("ann").await;
    for path in [
        "/health",
        "/health/live",
        "/auth/me",
        "/auth/sessions",
        "/oauth2/jwks",
        "/openapi.json",
        "/docs",
        "/nope",
    ] {
        let get = user.bearer(Method::GET, path).send().await.unwrap();
        let head = user.bearer(Method::HEAD, path).send().await.unwrap();
        assert_eq!(get.status(), head.status(), "{path}");
        assert_eq!(text(get.headers(), "content-type"), text(head.headers(), "content-type"), "{path}");
        assert_eq!(text(get.headers(), "cache-control"), text(head.headers(), "cache-control"), "{path}");
        assert_eq!(head.text().await.unwrap(), "");
    }
    let head = user.bearer(Method::HEAD, "/auth/logout").send().await.unwrap();
    assert_eq!((head.status().as_u16(), user.status().await), (405, 200), "HEAD does nothing");
}

#[tokio::test]
async fn no_safe_method_changes_anything() {
    let app = TestApp::start().await;
    let user = app.user("ann").await;
    for path in
        ["/auth/logout", "/auth/token", "/auth/token/refresh", "/auth/register", "/auth/password/change"]
    {
        for method in [Method::GET, Method::HEAD, Method::OPTIONS, Method::TRACE] {
            let status = user.cookie(method.clone(), path).send().await.unwrap().status();
            assert_eq!(status, if method == Method::OPTIONS { 204 } else { 405 }, "{method} {path}");
        }
    }
    assert_eq!(user.status().await, 200);
}

#[tokio::test]
async fn headers_that_would_change_the_request_change_nothing() {
    let app = TestApp::start().await;
    let user = app.user("ann").await;
    for (name, value) in [
        ("X-HTTP-Method-Override", "DELETE"),
        ("X-HTTP-Method", "DELETE"),
        ("X-Original-URL", "/auth/sessions"),
        ("X-Rewrite-URL", "/auth/sessions"),
        ("X-Forwarded-Host", "evil.example"),
        ("X-Forwarded-Prefix", "/evil"),
        ("Forwarded", "for=6.6.6.6;host=evil.example"),
        ("Range", "bytes=0-1"),
        ("Accept", "text/html"),
        ("Accept-Encoding", "br"),
    ] {
        let answer = user.bearer(Method::GET, "/auth/me").header(name, value).send().await.unwrap();
        assert_eq!(answer.status(), 200, "{name}");
        let body = answer.text().await.unwrap();
        assert!(body.contains("\"username\":\"ann\"") && !body.contains("evil"), "{body}");
    }
}
