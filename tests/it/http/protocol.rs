//! HTTP/1.1 with its connections, HTTP/1.0, and HTTP/2.
use reqwest::{StatusCode, Version};
use serde_json::{Value, json};

use crate::support::{PASSWORD, Setup, TestApp, envelope, set_cookie};

fn http2() -> reqwest::Client {
    reqwest::Client::builder().http2_prior_knowledge().build().unwrap()
}

#[tokio::test]
async fn over_http_2_the_host_of_a_page_is_known_by_the_target() {
    let app = Setup::default().at("http://elsewhere.example/id").start().await;
    app.register("ann").await;
    let ask = |origin: String| {
        let body = json!({"username": "ann", "password": PASSWORD});
        let request = http2().post(app.url("/id/auth/token")).header("Origin", origin).json(&body);
        async { request.send().await.unwrap().status() }
    };
    assert_eq!(ask(format!("http://{}", app.address)).await, StatusCode::OK);
    assert_eq!(ask("http://evil.example".to_owned()).await, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn http_2_works_with_prior_knowledge() {
    let app = TestApp::start().await;
    app.register("ann").await;
    let client = http2();
    let login = client.post(app.url("/auth/token")).json(&json!({"username": "ann", "password": PASSWORD}));
    let answer = login.send().await.unwrap();
    assert_eq!((answer.version(), answer.status()), (Version::HTTP_2, StatusCode::OK));
    let cookie = set_cookie(answer.headers(), "access_token_cookie");
    let token = answer.json::<Value>().await.unwrap()["access_token"].as_str().unwrap().to_owned();
    assert!(cookie.contains(&token));
    let me = |request: reqwest::RequestBuilder| async { request.send().await.unwrap() };
    assert_eq!(me(client.get(app.url("/auth/me")).bearer_auth(&token)).await.status(), 200);
    // HTTP/2 clients may cut the cookie header into one for each cookie.
    let cut = client
        .get(app.url("/auth/me"))
        .header("cookie", "a=b")
        .header("cookie", cookie.split(';').next().unwrap());
    assert_eq!(me(cut).await.status(), 200);
    for (request, status, code) in [
        (client.get(app.url("/nope")), 404, "NOT_FOUND"),
        (client.get(app.url("/auth/me")), 401, "UNAUTHORIZED"),
        (client.put(app.url("/auth/me")), 405, "METHOD_NOT_ALLOWED"),
        (client.post(app.url("/auth/token")).body(" ".repeat(2_000_000)), 413, "PAYLOAD_TOO_LARGE"),
    ] {
        let answer = me(request).await;
        assert_eq!((answer.version(), answer.status().as_u16()), (Version::HTTP_2, status));
        envelope(answer, code).await;
    }
}

#[tokio::test]
async fn http_2_answers_many_requests_of_one_connection_at_once() {
    let app = TestApp::start().await;
    let client = http2();
    let all = (0..300).map(|n| {
        let request = client.get(app.url("/health/live")).header("X-Request-Id", format!("n{n}"));
        async move { (n, request.send().await.unwrap()) }
    });
    for (n, answer) in futures_util::future::join_all(all).await {
        assert_eq!(answer.headers()["x-request-id"], format!("n{n}").as_str());
        assert_eq!(answer.status(), 200);
    }
}

#[tokio::test]
async fn one_connection_serves_many_requests_and_errors_do_not_end_it() {
    let app = TestApp::start().await;
    let mut raw = app.raw().await;
    for n in 0..20 {
        let (path, status) = [("/health", 200), ("/nope", 404), ("/auth/me", 401)][n % 3];
        let answer = raw.ask("GET", path, &[&format!("X-Request-Id: n{n}")]).await;
        assert_eq!(answer.status, status);
        assert_eq!(answer.headers["x-request-id"], format!("n{n}").as_str());
    }
    let answer = raw.ask("POST", "/auth/token", &["Content-Length: 0"]).await;
    assert_eq!(answer.status, 415);
    assert_eq!(raw.ask("GET", "/health", &["Connection: close"]).await.status, 200);
    assert_eq!(raw.closed().await, "");
}

#[tokio::test]
async fn http_1_0_gets_its_answer_and_the_end_of_the_connection() {
    let app = TestApp::start().await;
    let mut raw = app.raw().await;
    raw.send("GET /health HTTP/1.0\r\n\r\n").await;
    assert_eq!(raw.answer().await.status, 200);
    assert_eq!(raw.closed().await, "");
}

#[tokio::test]
async fn a_request_within_a_request_is_not_found() {
    let app = TestApp::start().await;
    let inner = "GET /health/live HTTP/1.1\r\nHost: a\r\n\r\n";
    let head = "POST /auth/token HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n";
    for framing in [
        // A length and chunks: chunks count, and the connection ends.
        format!("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n{inner}"),
        format!("Content-Length: {}\r\n\r\n{inner}", inner.len()),
    ] {
        let mut raw = app.raw().await;
        raw.send(format!("{head}{framing}")).await;
        assert_eq!(raw.answer().await.status, 400);
        raw.half_close().await;
        assert_eq!(raw.closed().await, "", "one request, one answer: {framing}");
    }
    for framing in [
        "Content-Length: 2\r\nContent-Length: 3",
        "Content-Length: 2, 3",
        "Content-Length: +2",
        "Content-Length: 0x2",
        "Content-Length: -2",
        "Content-Length : 2",
        "Transfer-Encoding: xchunked",
        "Transfer-Encoding: chunked, identity",
        "Transfer-Encoding : chunked",
        " Transfer-Encoding: chunked",
        "Transfer-Encoding:\r\n chunked",
    ] {
        let mut raw = app.raw().await;
        raw.send(format!("{head}{framing}\r\n\r\n{{}}{inner}")).await;
        let all = raw.closed().await;
        assert!(all.starts_with("HTTP/1.1 400 "), "{framing}: {all}");
        assert!(!all.contains("alive"), "{framing}: {all}");
    }
}

#[tokio::test]
async fn an_upgrade_is_not_made() {
    let app = TestApp::start().await;
    for protocol in ["h2c", "websocket", "TLS/1.2"] {
        let upgrade = format!("Upgrade: {protocol}");
        let headers = ["Connection: Upgrade, HTTP2-Settings", &upgrade, "HTTP2-Settings: AAMAAABkAAQAAP__"];
        assert_eq!(app.raw().await.ask("GET", "/health", &headers).await.status, 200, "{protocol}");
    }
}

#[tokio::test]
async fn an_absolute_target_is_the_same_path() {
    let app = TestApp::start().await;
    let user = app.user("ann").await;
    let bearer = format!("Authorization: Bearer {}", user.tokens.access);
    let mut raw = app.raw().await;
    assert_eq!(raw.ask("GET", "http://evil.example/auth/me", &[&bearer]).await.status, 200);
    assert_eq!(raw.ask("CONNECT", "localhost:22", &[]).await.status, 404);
}
