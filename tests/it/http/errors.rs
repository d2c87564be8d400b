//! Errors that the framework finds before any handler does, and those that a handler did not mean.
use std::time::Duration;

use auth_service::base::Tick;
use poem::endpoint::{make, make_sync};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::support::{Raw, RawAnswer, Setup, TestApp, check_envelope, envelope};

fn enveloped(answer: &RawAnswer, status: u16, code: &str) -> (Value, String) {
    assert_eq!(answer.status, status, "{answer:?}");
    check_envelope(answer.status, &answer.headers, &answer.body, code)
}

#[tokio::test]
async fn an_unknown_path_is_not_found() {
    let app = TestApp::start().await;
    for path in [
        "/",
        "/nope",
        "/auth",
        "/auth/",
        "/auth/me/",
        "//auth/me",
        "/auth//me",
        "/AUTH/me",
        "/auth/me;x",
        "/%61uth/me",
        "/auth/%6de",
        "/auth/%00",
        "/auth/..%2fhealth",
        "/docs/../health/x",
        "/health/",
        "/.well-known/x",
        "/docs/nope",
    ] {
        for method in [Method::GET, Method::POST, Method::DELETE, Method::OPTIONS, Method::TRACE] {
            // Not by way of a client library, which would mend the path.
            let answer = app.raw().await.ask(method.as_str(), path, &["Content-Length: 0"]).await;
            assert_eq!(answer.status, 404, "{method} {path}: {answer:?}");
            enveloped(&answer, 404, "NOT_FOUND");
        }
    }
}

#[tokio::test]
async fn another_method_is_not_allowed_and_the_answer_says_which_are() {
    let app = TestApp::start().await;
    let mut paths =
        vec![("/openapi.json".to_owned(), vec!["GET", "HEAD"]), ("/docs".to_owned(), vec!["GET", "HEAD"])];
    for (path, operations) in app.spec["paths"].as_object().unwrap() {
        let known = ["GET", "POST", "PUT", "PATCH", "DELETE"];
        let there = |method: &&str| operations.get(method.to_lowercase()).is_some();
        let mut allowed: Vec<_> = known.into_iter().filter(there).collect();
        if allowed.contains(&"GET") {
            allowed.push("HEAD");
        }
        allowed.push("OPTIONS");
        paths.push((path.replace("{id}", &"0".repeat(32)), allowed));
    }
    for (path, mut allowed) in paths {
        allowed.sort_unstable();
        for method in ["GET", "POST", "PUT", "PATCH", "DELETE", "TRACE", "BREW"] {
            if !allowed.contains(&method) {
                let answer = app.request(method.parse().unwrap(), &path).send().await.unwrap();
                assert_eq!(answer.status(), StatusCode::METHOD_NOT_ALLOWED, "{method} {path}");
                let mut said: Vec<_> = answer.headers()["allow"].to_str().unwrap().split(", ").collect();
                said.sort_unstable();
                assert_eq!(said, allowed, "{method} {path}");
                if ["token", "userinfo", "introspect", "revoke", "par", "device_authorization", "register"]
                    .iter()
                    .any(|end| {
                        path == format!("/oauth2/{end}") || path.starts_with(&format!("/oauth2/{end}/"))
                    })
                {
                    let body: serde_json::Value = answer.json().await.unwrap();
                    assert_eq!(body["error"], "invalid_request", "{method} {path}");
                } else {
                    envelope(answer, "METHOD_NOT_ALLOWED").await;
                }
            }
        }
    }
}

#[tokio::test]
async fn options_says_which_methods_there_are() {
    let app = TestApp::start().await;
    let answer = app.request(Method::OPTIONS, "/auth/me").send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::NO_CONTENT);
    assert_eq!(answer.headers()["allow"], "GET, PATCH, DELETE, HEAD, OPTIONS");
    assert_eq!(
        app.request(Method::OPTIONS, "/auth/token").send().await.unwrap().headers()["allow"],
        "POST, OPTIONS"
    );
}

#[tokio::test]
async fn trace_gives_nothing_back() {
    let app = TestApp::start().await;
    let user = app.user("ann").await;
    let answer = user.bearer(Method::TRACE, "/auth/me").header("X-Secret", "mirror").send().await.unwrap();
    let (_, text) = envelope(answer, "METHOD_NOT_ALLOWED").await;
    assert!(!text.contains("mirror"));
}

#[tokio::test]
async fn a_panic_is_an_internal_error_without_details() {
    let panics = |route: poem::Route| {
        route.at("/test/panic", make_sync(|_| -> String { panic!("the secret reason") }))
    };
    let app = Setup::default().routes(panics).start().await;
    for method in [Method::GET, Method::POST] {
        let answer = app.request(method, "/test/panic").send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::INTERNAL_SERVER_ERROR);
        let (details, message) = envelope(answer, "INTERNAL_ERROR").await;
        assert_eq!((details, &*message), (json!({}), "Internal server error"));
    }
    assert_eq!(app.get("/health").await.status(), StatusCode::OK);
}

#[tokio::test]
async fn an_error_from_inside_tells_nothing_of_the_inside() {
    let fails = |route: poem::Route| {
        let failing = |status: u16| {
            make_sync(move |_| {
                let status = StatusCode::from_u16(status).unwrap();
                poem::Result::<String>::Err(poem::Error::from_string("the secret reason", status))
            })
        };
        route.at("/test/500", failing(500)).at("/test/501", failing(501)).at("/test/418", failing(418))
    };
    let app = Setup::default().routes(fails).start().await;
    for (path, status, code) in [
        ("/test/500", 500, "INTERNAL_ERROR"),
        ("/test/501", 500, "INTERNAL_ERROR"),
        ("/test/418", 400, "MALFORMED_REQUEST"),
    ] {
        let answer = app.get(path).await;
        assert_eq!(answer.status(), status);
        let (_, message) = envelope(answer, code).await;
        assert!(!message.contains("secret"), "{message}");
    }
}

#[tokio::test]
async fn a_request_that_takes_too_long_times_out() {
    let slow = |route: poem::Route| {
        route.at("/test/slow", make(|_| async { std::future::pending::<poem::Result<String>>().await }))
    };
    let app = Setup::default().with("http.request_timeout_secs", "1").routes(slow).start().await;
    let started = Tick::now();
    let body = json!({});
    let answers =
        futures_util::join!(app.get("/test/slow"), app.post("/test/slow", &body), app.get("/health"),);
    for answer in [answers.0, answers.1] {
        assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE);
        envelope(answer, "TIMEOUT").await;
    }
    assert_eq!(answers.2.status(), StatusCode::OK);
    let took = started.elapsed();
    assert!(took >= Duration::from_secs(1) && took < Duration::from_secs(15), "{took:?}");
}

#[tokio::test]
async fn a_request_has_exactly_one_host() {
    let app = TestApp::start().await;
    for head in [
        "GET /health HTTP/1.1\r\n\r\n",
        "GET /health HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
        "GET /health HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n",
        "GET http://a/health HTTP/1.1\r\n\r\n",
        "GET /health HTTP/1.0\r\nHost: a\r\nHost: b\r\n\r\n",
    ] {
        let mut raw = app.raw().await;
        raw.send(head).await;
        enveloped(&raw.answer().await, 400, "MALFORMED_REQUEST");
    }
    for head in ["GET /health HTTP/1.0\r\n\r\n", "GET http://a/health HTTP/1.1\r\nHost: b\r\n\r\n"] {
        let mut raw: Raw = app.raw().await;
        raw.send(head).await;
        assert_eq!(raw.answer().await.status, 200);
    }
}
