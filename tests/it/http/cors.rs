//! Pages of other origins that may read our answers.
use reqwest::header::HeaderMap;
use reqwest::{Method, RequestBuilder};
use serde_json::json;

use crate::support::{PASSWORD, Setup, TestApp};

const APP: &str = "https://app.example";

async fn open_to_app() -> TestApp {
    Setup::default().with("cors_origins", APP).start().await
}

fn preflight(app: &TestApp, origin: &str, method: &str) -> RequestBuilder {
    let request = app.request(Method::OPTIONS, "/auth/me").header("Origin", origin);
    request
        .header("Access-Control-Request-Method", method)
        .header("Access-Control-Request-Headers", "authorization")
}

fn text<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    headers.get(name).map(|value| value.to_str().unwrap())
}

#[tokio::test]
async fn a_preflight_of_an_allowed_origin_says_what_is_allowed() {
    let app = open_to_app().await;
    let answer = preflight(&app, APP, "PATCH").send().await.unwrap();
    assert_eq!(answer.status(), 204);
    let headers = answer.headers();
    assert_eq!(text(headers, "access-control-allow-origin"), Some(APP));
    assert_eq!(text(headers, "access-control-allow-credentials"), Some("true"));
    let methods = text(headers, "access-control-allow-methods").unwrap();
    assert!(["GET", "POST", "PATCH", "DELETE"].iter().all(|method| methods.contains(method)), "{methods}");
    let allowed = text(headers, "access-control-allow-headers").unwrap();
    for header in ["authorization", "content-type", "x-csrf-token", "x-request-id"] {
        assert!(allowed.contains(header), "{allowed}");
    }
    assert_eq!(text(headers, "access-control-max-age"), Some("600"));
    assert_eq!(text(headers, "vary"), Some("origin"));
}

#[tokio::test]
async fn an_answer_to_an_allowed_origin_may_be_read_errors_included() {
    let app = open_to_app().await;
    app.register("ann").await;
    let body = json!({"username": "ann", "password": PASSWORD});
    let login = app.request(Method::POST, "/auth/token").header("Origin", APP).json(&body);
    let nobody = app.request(Method::GET, "/auth/me").header("Origin", APP);
    let nowhere = app.request(Method::GET, "/nope").header("Origin", APP);
    for (request, status) in [(login, 200), (nobody, 401), (nowhere, 404)] {
        let answer = request.send().await.unwrap();
        assert_eq!(answer.status(), status);
        let headers = answer.headers();
        assert_eq!(text(headers, "access-control-allow-origin"), Some(APP));
        assert_eq!(text(headers, "access-control-allow-credentials"), Some("true"));
        assert!(text(headers, "access-control-expose-headers").unwrap().contains("x-request-id"));
        assert_eq!(text(headers, "vary"), Some("origin"));
    }
}

#[tokio::test]
async fn no_other_origin_is_told_anything() {
    let app = open_to_app().await;
    for origin in [
        "https://evil.example",
        "null",
        "*",
        "http://app.example",
        "https://app.example.evil.example",
        "https://xapp.example",
        "https://app.example:444",
        "https://app.example/",
        "https://APP.example",
        "https://app.example, https://evil.example",
    ] {
        for request in
            [preflight(&app, origin, "GET"), app.request(Method::GET, "/health").header("Origin", origin)]
        {
            let answer = request.send().await.unwrap();
            for (name, _) in answer.headers() {
                assert!(!name.as_str().starts_with("access-control-"), "{origin}: {name}");
            }
        }
    }
}

#[tokio::test]
async fn without_a_list_no_origin_is_allowed() {
    let app = TestApp::start().await;
    let own = format!("http://localhost:{}", app.address.port());
    for origin in [APP, &own] {
        let answer = preflight(&app, origin, "GET").send().await.unwrap();
        assert_eq!(text(answer.headers(), "access-control-allow-origin"), None);
        assert_eq!(text(answer.headers(), "allow"), Some("GET, PATCH, DELETE, HEAD, OPTIONS"));
    }
}

#[tokio::test]
async fn caches_are_told_that_answers_differ_by_origin() {
    let app = open_to_app().await;
    for path in ["/oauth2/jwks", "/openapi.json", "/docs/viewer.js", "/health"] {
        for request in [
            app.request(Method::GET, path),
            app.request(Method::GET, path).header("Origin", APP),
            app.request(Method::GET, path).header("Origin", "https://evil.example"),
        ] {
            let answer = request.send().await.unwrap();
            assert_eq!(text(answer.headers(), "vary"), Some("origin"), "{path}");
        }
    }
}

#[tokio::test]
async fn options_without_a_question_is_no_preflight() {
    let app = open_to_app().await;
    let answer = app.request(Method::OPTIONS, "/auth/me").header("Origin", APP).send().await.unwrap();
    assert_eq!(text(answer.headers(), "access-control-allow-methods"), None);
    assert_eq!(text(answer.headers(), "allow"), Some("GET, PATCH, DELETE, HEAD, OPTIONS"));
}
