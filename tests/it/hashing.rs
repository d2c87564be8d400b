//! Hashing takes long; nobody else waits for it.
use std::pin::Pin;
use std::task::Poll;
use std::time::Duration;

use auth_service::account::Verdict;
use auth_service::base::{Error, Result, Secret, Tick};
use reqwest::Method;
use serde_json::json;

use crate::support::{PASSWORD, Setup, TestApp, Tokens};

const GLANCE: Duration = Duration::from_millis(2);

/// A server with one hashing thread and room for one hash that waits, where a hash takes seconds. Somebody has
/// logged in when it was still quick.
async fn slow() -> (TestApp, Tokens) {
    let setup = || Setup::default().at("http://id.example");
    let app = setup().start().await;
    let tokens = app.user("ann").await.tokens;
    let slow = setup().with("password.threads", "1").with("password.queue", "1");
    let slow = slow.with("password.memory_kib", "65536").with("password.iterations", "8");
    (Box::pin(app.restart(slow)).await, tokens)
}

/// Hashes that nobody asked for over HTTP; they count for as long as this lives.
struct Flood(Vec<Pin<Box<dyn Future<Output = Result<Verdict>>>>>);

impl Flood {
    /// One hash that runs and one that waits: now the queue is full.
    async fn fill(app: &TestApp) -> Self {
        let mut pending: Vec<Pin<Box<dyn Future<Output = _>>>> = Vec::new();
        while pending.len() < 2 {
            let passwords = app.app.accounts.passwords.clone();
            let mut hash = Box::pin(async move { passwords.verify(None, Secret::new("x")).await });
            match futures_util::poll!(&mut hash) {
                Poll::Pending => pending.push(hash),
                // The thread has not come for the first one yet.
                Poll::Ready(Err(Error::Busy { .. })) => tokio::time::sleep(GLANCE).await,
                Poll::Ready(other) => panic!("{other:?}"),
            }
        }
        Self(pending)
    }

    /// Whether the first one still runs, so that nothing has changed meanwhile.
    async fn still_full(&mut self) -> bool {
        futures_util::poll!(&mut self.0[0]).is_pending()
    }
}

#[tokio::test]
async fn a_full_queue_refuses_at_once_and_other_requests_go_on() {
    let (app, tokens) = slow().await;
    let user = app.person(tokens);
    let mut flood = Flood::fill(&app).await;
    let started = Tick::now();
    for _ in 0..5 {
        let body = json!({"username": "ann", "password": PASSWORD});
        let answer = app.post("/auth/token", &body).await;
        assert_eq!(answer.headers()["retry-after"], "1");
        app.failure(Method::POST, answer, 503, "SERVICE_UNAVAILABLE").await;
        assert_eq!(user.status().await, 200);
        assert_eq!(app.get("/health").await.status(), 200, "busy is not ill");
    }
    assert!(flood.still_full().await, "fifteen requests took {:?}", started.elapsed());
}

#[tokio::test]
async fn every_request_that_hashes_says_so_when_the_queue_is_full() {
    let (app, tokens) = slow().await;
    let user = app.person(tokens);
    let new = json!({"username": "bob", "email": "bob@example.com", "password": PASSWORD});
    let login = json!({"username": "nobody", "password": PASSWORD});
    let change = json!({"current_password": PASSWORD, "new_password": "staple 17 of the donkey"});
    let address = json!({"email": "new@example.com", "first_name": "Ann", "current_password": PASSWORD});
    let mut flood = Flood::fill(&app).await;
    for request in [
        app.request(Method::POST, "/auth/register").json(&new),
        app.request(Method::POST, "/auth/login").json(&login),
        user.bearer(Method::POST, "/auth/password/change").json(&change),
        user.bearer(Method::PATCH, "/auth/me").json(&address),
        user.bearer(Method::DELETE, "/auth/me").json(&json!({"password": PASSWORD})),
    ] {
        app.fails(request, 503, "SERVICE_UNAVAILABLE").await;
    }
    // What needs no hash goes on.
    app.json(user.bearer(Method::PATCH, "/auth/me").json(&json!({"last_name": "Lee"})), 200).await;
    let user = user.refreshed().await;
    assert!(flood.still_full().await);
    let profile = user.profile().await;
    assert_eq!((&profile["email"], &profile["first_name"]), (&json!("ann@example.com"), &json!(null)));
}

#[tokio::test]
async fn a_client_that_has_gone_leaves_no_work_behind() {
    let (app, _) = slow().await;
    let mut flood = Flood::fill(&app).await;
    // The one that waits is given up: when its turn comes, it takes no time.
    drop(flood.0.pop());
    while flood.still_full().await {
        tokio::time::sleep(GLANCE).await;
    }
    let started = Tick::now();
    let flood = Flood::fill(&app).await;
    assert!(started.elapsed() < Duration::from_millis(500), "{:?}", started.elapsed());
    drop(flood);
}

#[tokio::test]
async fn an_overlong_password_is_not_worth_a_hash() {
    let (app, tokens) = slow().await;
    let user = app.person(tokens);
    let mut flood = Flood::fill(&app).await;
    let long = "x".repeat(1025);
    let login = json!({"username": "ann", "password": long});
    app.fails(app.request(Method::POST, "/auth/token").json(&login), 401, "INVALID_CREDENTIALS").await;
    app.refuses(user.bearer(Method::DELETE, "/auth/me").json(&json!({"password": long})), "password").await;
    assert!(flood.still_full().await);
}
