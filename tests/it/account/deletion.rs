//! `DELETE /auth/me`.
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};

use crate::support::{PASSWORD, Person, TestApp};

fn delete(user: &Person, body: &Value) -> RequestBuilder {
    user.bearer(Method::DELETE, "/auth/me").json(body)
}

#[tokio::test]
async fn an_account_is_deleted_with_its_password_alone() {
    let app = TestApp::start().await;
    let user = app.user("ann").await;
    app.refuses(delete(&user, &json!({})), "password").await;
    app.refuses(delete(&user, &json!({"password": 1})), "password").await;
    assert_eq!(app.refuses(delete(&user, &json!({"password": "wrong wrong"})), "password").await, "is wrong");
    assert_eq!(user.status().await, 200);
}

#[tokio::test]
async fn a_deleted_account_is_gone_with_all_its_tokens() {
    let app = TestApp::start().await;
    let (user, other) = (app.user("ann").await, app.log_in("ann", PASSWORD).await);
    let gone = delete(&user, &json!({"password": PASSWORD})).send().await.unwrap();
    assert_eq!(gone.status(), 204);
    for name in ["access_token_cookie", "refresh_token_cookie", "csrf_access_token"] {
        let cookie = crate::support::set_cookie(gone.headers(), name);
        assert!(cookie.starts_with(&format!("{name}=;")) && cookie.contains("Max-Age=0"), "{cookie}");
    }
    user.is_out("TOKEN_REVOKED").await;
    other.is_out("TOKEN_REVOKED").await;
    for login in ["ann", "ann@example.com"] {
        let body = json!({"username": login, "password": PASSWORD});
        app.fails(app.request(Method::POST, "/auth/token").json(&body), 401, "INVALID_CREDENTIALS").await;
    }
}

#[tokio::test]
async fn the_names_of_a_deleted_account_are_free_and_its_id_is_not() {
    let app = TestApp::start().await;
    let first = app.user("ann").await;
    app.done(delete(&first, &json!({"password": PASSWORD}))).await;
    let again = app.register("ann").await;
    assert_eq!(again["id"], 2);
    let second = app.log_in("ann", PASSWORD).await;
    assert_eq!(second.profile().await["id"], 2);
    first.is_out("TOKEN_REVOKED").await;

    app.done(delete(&second, &json!({"password": PASSWORD}))).await;
    let app = app.restart(crate::support::Setup::default()).await;
    assert_eq!(app.register("ann").await["id"], 3, "not after a restart either");
}

#[tokio::test]
async fn an_account_that_is_deleted_twice_at_once_is_deleted_once() {
    let app = TestApp::start().await;
    let user = app.user("ann").await;
    let all = (0..8).map(|_| delete(&user, &json!({"password": PASSWORD})).send());
    let mut done = 0;
    for answer in futures_util::future::join_all(all).await {
        let answer = answer.unwrap();
        match answer.status().as_u16() {
            204 => done += 1,
            404 => drop(app.failure(Method::DELETE, answer, 404, "NOT_FOUND").await),
            _ => drop(app.failure(Method::DELETE, answer, 401, "TOKEN_REVOKED").await),
        }
    }
    assert_eq!(done, 1);
}
