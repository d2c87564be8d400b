//! Bodies that are too large, of the wrong kind, or broken.
use reqwest::header::CONTENT_TYPE;
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};

use crate::support::{PASSWORD, Setup, TestApp, check_envelope};

/// Operations that take a body: path, and whether they need a caller.
const WITH_BODY: [(&str, &str, bool); 6] = [
    ("POST", "/auth/register", false),
    ("POST", "/auth/token", false),
    ("POST", "/auth/login", false),
    ("PATCH", "/auth/me", true),
    ("DELETE", "/auth/me", true),
    ("POST", "/auth/password/change", true),
];

fn json_body(app: &TestApp, text: impl Into<reqwest::Body>) -> RequestBuilder {
    app.request(Method::POST, "/auth/register").header(CONTENT_TYPE, "application/json").body(text)
}

#[tokio::test]
async fn a_body_may_be_a_mebibyte_and_not_a_byte_more() {
    let app = TestApp::start().await;
    let fill = |length: usize| {
        let empty = json!({"username": "a", "email": "a@b.cd", "password": PASSWORD, "x": ""}).to_string();
        empty.replace("\"x\":\"\"", &format!("\"x\":\"{}\"", "x".repeat(length - empty.len())))
    };
    assert_eq!(fill(1 << 20).len(), 1 << 20);
    app.json(json_body(&app, fill(1 << 20)), 201).await;
    app.fails(json_body(&app, fill((1 << 20) + 1)), 413, "PAYLOAD_TOO_LARGE").await;
}

#[tokio::test]
async fn a_body_that_says_it_is_too_large_is_refused_unread() {
    let app = TestApp::start().await;
    for length in ["1048577", "99999999999", "9999999999999999999"] {
        let mut raw = app.raw().await;
        let head = "POST /auth/register HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n";
        raw.send(format!("{head}Content-Length: {length}\r\nExpect: 100-continue\r\n\r\n")).await;
        let answer = raw.answer().await;
        assert_eq!(answer.status, 413, "{answer:?}");
        check_envelope(413, &answer.headers, &answer.body, "PAYLOAD_TOO_LARGE");
        assert_eq!(raw.closed().await, "");
    }
}

#[tokio::test]
async fn a_chunked_body_is_counted_while_it_comes() {
    let app = Setup::default().with("http.max_body_bytes", "1000").start().await;
    let head = "POST /auth/token HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked";
    let chunk = format!("64\r\n{}\r\n", " ".repeat(100));
    let mut raw = app.raw().await;
    raw.send(format!("{head}\r\n\r\n{}0\r\n\r\n", chunk.repeat(10))).await;
    let answer = raw.answer().await;
    check_envelope(400, &answer.headers, &answer.body, "MALFORMED_REQUEST");
    // One that never ends is not waited for.
    let mut raw = app.raw().await;
    raw.send(format!("{head}\r\n\r\n{}", chunk.repeat(10))).await;
    raw.send("1\r\n \r\n").await;
    let answer = raw.answer().await;
    check_envelope(413, &answer.headers, &answer.body, "PAYLOAD_TOO_LARGE");
    assert_eq!(answer.status, 413);
}

#[tokio::test]
async fn large_bodies_wait_for_nobody_and_have_a_bounded_number_of_places() {
    let app = TestApp::start().await;
    let head = "POST /auth/token HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n";
    let mut held = Vec::new();
    for _ in 0..32 {
        let mut raw = app.raw().await;
        raw.send(format!("{head}Content-Length: 100000\r\n\r\n{}", " ".repeat(20_000))).await;
        held.push(raw);
    }
    // Until the server has read as much as takes a place.
    let answer = loop {
        let answer = json_body(&app, " ".repeat(20_000)).send().await.unwrap();
        if answer.status() != 400 {
            break answer;
        }
    };
    assert!(answer.headers().contains_key("retry-after"));
    app.failure(Method::POST, answer, 503, "SERVICE_UNAVAILABLE").await;
    let chunked = reqwest::Body::from(" ".repeat(20_000));
    app.fails(json_body(&app, chunked).header("Transfer-Encoding", "chunked"), 503, "SERVICE_UNAVAILABLE")
        .await;
    app.fails(json_body(&app, " ".repeat(16_000)), 400, "MALFORMED_REQUEST").await;
    drop(held.pop());
    let mut tries = 0;
    while json_body(&app, " ".repeat(20_000)).send().await.unwrap().status() != 400 {
        tries += 1;
        assert!(tries < 1000, "a place that was given up is free again");
    }
}

#[tokio::test]
async fn the_limit_holds_for_every_operation_with_and_without_a_body() {
    let app = Setup::default().with("http.max_body_bytes", "1000").start().await;
    let user = app.user("ann").await;
    let extra = [
        ("POST", "/auth/logout", true),
        ("POST", "/auth/token/refresh", false),
        ("DELETE", "/auth/sessions", true),
    ];
    for (method, path, _) in WITH_BODY.into_iter().chain(extra) {
        let request = user.bearer(method.parse().unwrap(), path).header(CONTENT_TYPE, "application/json");
        app.fails(request.body(" ".repeat(1001)), 413, "PAYLOAD_TOO_LARGE").await;
    }
    assert_eq!(user.status().await, 200, "none of them was done");
}

#[tokio::test]
async fn a_media_type_that_is_not_taken_is_unsupported() {
    let app = TestApp::start().await;
    let user = app.user("ann").await;
    let types = [
        "text/plain",
        "text/json",
        "application/xml",
        "application/jsonx",
        "json",
        "multipart/form-data",
        "*/*",
        "",
    ];
    for (method, path, _) in WITH_BODY {
        let request = || user.bearer(method.parse().unwrap(), path);
        for media_type in types {
            let request = request().header(CONTENT_TYPE, media_type).body("{}");
            app.fails(request, 415, "UNSUPPORTED_MEDIA_TYPE").await;
        }
        app.fails(request().body("{}"), 415, "UNSUPPORTED_MEDIA_TYPE").await;
        if !matches!(path, "/auth/token" | "/auth/login") {
            let form = request().header(CONTENT_TYPE, "application/x-www-form-urlencoded").body("a=b");
            app.fails(form, 415, "UNSUPPORTED_MEDIA_TYPE").await;
        }
    }
}

#[tokio::test]
async fn json_by_its_other_names_is_taken() {
    let app = TestApp::start().await;
    app.register("ann").await;
    for media_type in [
        "application/json;charset=utf-8",
        "Application/JSON",
        "application/json ; charset=\"utf-8\"",
        "application/merge-patch+json",
    ] {
        let body = json!({"username": "ann", "password": PASSWORD}).to_string();
        let request = app.request(Method::POST, "/auth/token").header(CONTENT_TYPE, media_type);
        app.json(request.body(body), 200).await;
    }
}

#[tokio::test]
async fn what_is_not_json_is_malformed_and_not_repeated() {
    let app = TestApp::start().await;
    let texts = [
        "",
        " ",
        "{",
        "{\"password\":\"hush hush\"",
        "{'password':'hush hush'}",
        "{\"a\":1,}",
        "hush hush",
        "nul",
        "{\"a\":01}",
        "{\"a\":1e999}",
        "{}{}",
        "{} x",
        "\u{feff}{}",
        "{\"a\":\"\\ud800\"}",
        "{\"a\":\"\n\"}",
        "NaN",
        "{\"a\":\"\\x\"}",
        "/**/{}",
    ];
    for text in texts {
        let answer = json_body(&app, text).send().await.unwrap();
        let headers = answer.headers().clone();
        assert_eq!(answer.status(), 400, "{text:?}");
        let body = answer.text().await.unwrap();
        let (details, _) = check_envelope(400, &headers, &body, "MALFORMED_REQUEST");
        assert_eq!(details, json!({}));
        assert!(!body.contains("hush"), "{body}");
    }
}

#[tokio::test]
async fn bytes_that_are_not_utf_8_are_malformed() {
    let app = TestApp::start().await;
    for bytes in [
        &b"{\"username\":\"\xff\"}"[..],
        b"\xff\xfe{\x00}\x00",
        b"\x00\x00\x00{",
        b"{\"a\":\"\xed\xa0\x80\"}",
        b"{\"a\":\"\xc0\xaf\"}",
    ] {
        app.fails(json_body(&app, bytes.to_vec()), 400, "MALFORMED_REQUEST").await;
    }
}

#[tokio::test]
async fn json_that_is_no_object_names_the_body() {
    let app = TestApp::start().await;
    for text in ["[]", "[{}]", "\"text\"", "1", "true", "null"] {
        assert_eq!(app.refuses(json_body(&app, text), "body").await, "must be a JSON object");
    }
}

#[tokio::test]
async fn deep_nesting_is_malformed_and_harms_nobody() {
    let app = TestApp::start().await;
    for (open, depth) in [("[", 200), ("[", 500_000), ("{\"a\":", 150_000)] {
        app.fails(json_body(&app, open.repeat(depth)), 400, "MALFORMED_REQUEST").await;
    }
    let within: Value = serde_json::from_str(&format!("{}{}", "[".repeat(100), "]".repeat(100))).unwrap();
    let body = json!({"username": "a", "email": "a@b.cd", "password": PASSWORD, "x": within});
    app.json(app.request(Method::POST, "/auth/register").json(&body), 201).await;
}

#[tokio::test]
async fn a_body_cut_short_is_malformed() {
    let app = TestApp::start().await;
    let mut raw = app.raw().await;
    let head = "POST /auth/register HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n";
    raw.send(format!("{head}Content-Length: 100\r\n\r\n{{}}")).await;
    raw.half_close().await;
    let answer = raw.answer().await;
    assert_eq!(answer.status, 400);
    check_envelope(400, &answer.headers, &answer.body, "MALFORMED_REQUEST");
    for chunks in ["zz\r\n{}\r\n0\r\n\r\n", "fffffffffffffffff\r\n{}\r\n", "2\r\n{}0\r\n\r\n"] {
        let mut raw = app.raw().await;
        raw.send(format!("{head}Transfer-Encoding: chunked\r\n\r\n{chunks}")).await;
        let answer = raw.answer().await;
        assert_eq!(answer.status, 400, "{chunks:?}");
        check_envelope(400, &answer.headers, &answer.body, "MALFORMED_REQUEST");
    }
}

#[tokio::test]
async fn a_body_where_none_is_wanted_is_ignored() {
    let app = TestApp::start().await;
    let user = app.user("ann").await;
    app.json(user.bearer(Method::GET, "/auth/me").body("{"), 200).await;
    app.json(user.bearer(Method::DELETE, "/auth/sessions").body("\u{0}"), 200).await;
}
