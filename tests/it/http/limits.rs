//! How many requests a client may make.
use reqwest::{Method, RequestBuilder, Response};
use serde_json::json;

use crate::support::{PASSWORD, Setup, TestApp};

async fn limited(requests: &str) -> TestApp {
    Setup::default().with("rate_limit.requests_per_hour", requests).start().await
}

async fn behind_proxy(requests: &str) -> TestApp {
    let setup = Setup::default().with("rate_limit.requests_per_hour", requests);
    setup.with("trusted_proxies", "127.0.0.1, 10.0.0.0/8").start().await
}

fn nobody(app: &TestApp) -> RequestBuilder {
    app.request(Method::GET, "/auth/me")
}

fn from(app: &TestApp, forwarded: &str) -> RequestBuilder {
    nobody(app).header("X-Forwarded-For", forwarded)
}

fn left(answer: &Response) -> (Option<&str>, Option<&str>) {
    let text = |name: &str| answer.headers().get(name).map(|value| value.to_str().unwrap());
    (text("ratelimit"), text("ratelimit-policy"))
}

/// Asks until the answer is 429, and gives how often it was not.
async fn use_up(request: impl Fn() -> RequestBuilder) -> usize {
    for n in 0..20 {
        if request().send().await.unwrap().status() == 429 {
            return n;
        }
    }
    panic!("never refused")
}

#[tokio::test]
async fn every_answer_says_what_is_left_and_the_last_one_says_when_to_come_back() {
    let app = limited("3").await;
    let policy = Some("\"default\";q=3;w=3600");
    for (n, waited) in [(2, 0), (1, 100), (0, 100)] {
        app.clock.advance_secs(waited);
        let answer = nobody(&app).send().await.unwrap();
        assert_eq!(answer.status(), 401);
        let t = 3600 - if n == 2 { 0 } else { (2 - n) * 100 };
        assert_eq!(left(&answer), (Some(&*format!("\"default\";r={n};t={t}")), policy));
    }
    app.clock.advance_secs(1000);
    let answer = nobody(&app).send().await.unwrap();
    assert_eq!(answer.headers()["retry-after"], "2400");
    assert_eq!(left(&answer), (Some("\"default\";r=0;t=2400"), policy));
    app.failure(Method::GET, answer, 429, "RATE_LIMITED").await;
    app.clock.advance_secs(2399);
    app.fails(nobody(&app), 429, "RATE_LIMITED").await;
    app.clock.advance_secs(1);
    app.fails(nobody(&app), 401, "UNAUTHORIZED").await;
}

#[tokio::test]
async fn every_operation_counts_whatever_becomes_of_it() {
    let app = limited("6").await;
    let requests = || {
        [
            app.request(Method::GET, "/nope"),
            app.request(Method::PUT, "/auth/me"),
            app.request(Method::POST, "/auth/token").body("{"),
            app.request(Method::POST, "/auth/token").header("Origin", "http://evil.example"),
            app.request(Method::GET, "/openapi.json"),
            nobody(&app).header("Authorization", "Bearer junk"),
        ]
    };
    for request in requests() {
        assert_ne!(request.send().await.unwrap().status(), 429);
    }
    for request in requests() {
        app.fails(request, 429, "RATE_LIMITED").await;
    }
}

#[tokio::test]
async fn users_and_addresses_are_counted_apart() {
    let app = limited("6").await;
    let (ann, bob) = (app.user("ann").await, app.user("bob").await);
    let again = app.log_in("ann", PASSWORD).await;
    assert_eq!(use_up(|| ann.bearer(Method::GET, "/auth/me")).await, 6);
    app.fails(again.bearer(Method::GET, "/auth/me"), 429, "RATE_LIMITED").await;
    app.fails(again.cookie(Method::GET, "/auth/sessions"), 429, "RATE_LIMITED").await;
    assert_eq!(bob.status().await, 200);
    assert_eq!(use_up(|| nobody(&app)).await, 1, "two registrations and three logins were counted");
    assert_eq!(bob.status().await, 200);
}

#[tokio::test]
async fn junk_instead_of_a_token_makes_no_new_client() {
    let app = limited("5").await;
    let junk = |n: usize| nobody(&app).header("Authorization", format!("Bearer junk{n}"));
    for n in 0..5 {
        app.fails(junk(n), 401, "INVALID_TOKEN").await;
    }
    app.fails(junk(5), 429, "RATE_LIMITED").await;
    let key = nobody(&app).header("X-API-Key", "another");
    app.fails(key, 429, "RATE_LIMITED").await;
}

#[tokio::test]
async fn health_docs_and_keys_are_not_counted() {
    let app = limited("2").await;
    use_up(|| nobody(&app)).await;
    for path in ["/health", "/health/live", "/health/ready", "/docs", "/docs/start.js", "/oauth2/jwks"] {
        for _ in 0..4 {
            let answer = app.get(path).await;
            assert_eq!(answer.status(), 200, "{path}");
            assert_eq!(left(&answer), (None, None), "{path}");
        }
    }
    for path in ["/healthx", "/docsx", "//health"] {
        app.fails(app.request(Method::GET, path), 429, "RATE_LIMITED").await;
    }
    // What is like a page is answered with one.
    for path in ["/oauth2/jwksx", "/oauth2/jwks2/x"] {
        assert_eq!(app.get(path).await.status(), 429, "{path}");
    }
}

#[tokio::test]
async fn zero_is_no_limit() {
    let app = limited("0").await;
    for _ in 0..30 {
        let answer = nobody(&app).send().await.unwrap();
        assert_eq!((answer.status().as_u16(), left(&answer)), (401, (None, None)));
    }
}

#[tokio::test]
async fn a_header_does_not_make_another_client() {
    let app = limited("4").await;
    for n in 0..4 {
        let request = from(&app, &format!("9.9.9.{n}")).header("X-Real-IP", format!("9.9.9.{n}"));
        app.fails(request.header("Forwarded", format!("for=9.9.9.{n}")), 401, "UNAUTHORIZED").await;
    }
    app.fails(from(&app, "9.9.9.9"), 429, "RATE_LIMITED").await;
}

#[tokio::test]
async fn a_trusted_proxy_says_who_the_client_is() {
    let app = behind_proxy("2").await;
    for client in ["9.9.9.1", "9.9.9.2", "2001:db8::1", "::ffff:9.9.9.3"] {
        assert_eq!(use_up(|| from(&app, client)).await, 2, "{client}");
    }
    app.fails(from(&app, "9.9.9.1"), 429, "RATE_LIMITED").await;
    assert_eq!(use_up(|| nobody(&app)).await, 2, "the proxy itself is a client, too");
}

#[tokio::test]
async fn what_a_client_wrote_before_its_proxy_is_not_believed() {
    let app = behind_proxy("2").await;
    assert_eq!(use_up(|| from(&app, "1.1.1.1, 9.9.9.1")).await, 2);
    for spoofed in [
        "2.2.2.2, 9.9.9.1",
        "9.9.9.1, 10.0.0.7",
        "x, 9.9.9.1",
        "10.0.0.1, 9.9.9.1, 10.0.0.2, 127.0.0.1",
        "9.9.9.1 ",
    ] {
        app.fails(from(&app, spoofed), 429, "RATE_LIMITED").await;
    }
    app.fails(from(&app, "3.3.3.3").header("X-Forwarded-For", "9.9.9.1"), 429, "RATE_LIMITED").await;
    // What cannot be read is nobody new: the request is the last readable hop's.
    assert_eq!(use_up(|| from(&app, "junk")).await, 2);
    for junk in ["", ",", "9.9.9.9, unknown", "1.2.3.4:80", "\"9.9.9.7\""] {
        app.fails(from(&app, junk), 429, "RATE_LIMITED").await;
    }
}

#[tokio::test]
async fn an_ipv6_network_is_one_client() {
    let app = behind_proxy("2").await;
    assert_eq!(use_up(|| from(&app, "2001:db8:1:2::1")).await, 2);
    app.fails(from(&app, "2001:db8:1:2:ffff:ffff:ffff:ffff"), 429, "RATE_LIMITED").await;
    app.fails(from(&app, "2001:db8:1:3::1"), 401, "UNAUTHORIZED").await;
}

#[tokio::test]
async fn a_session_shows_the_address_that_a_trusted_proxy_named() {
    let app = behind_proxy("1000").await;
    app.register("ann").await;
    let login = app.request(Method::POST, "/auth/token").header("X-Forwarded-For", "6.6.6.6, 9.9.9.1");
    let login = login.json(&json!({"username": "ann", "password": PASSWORD}));
    let user = app.person(crate::support::Tokens::from(login.send().await.unwrap()).await);
    let page = app.json(user.bearer(Method::GET, "/auth/sessions"), 200).await;
    assert_eq!(page["items"][0]["address"], "9.9.9.1");
}

#[tokio::test]
async fn requests_at_once_share_what_is_left() {
    let app = limited("10").await;
    let all = futures_util::future::join_all((0..40).map(|_| nobody(&app).send())).await;
    let refused = all.into_iter().filter(|answer| answer.as_ref().unwrap().status() == 429).count();
    assert_eq!(refused, 30);
}
