//! Registration and the own account.
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::support::{PASSWORD, TestApp};

#[tokio::test]
async fn a_registered_user_reads_as_the_contract_shows() {
    let app = TestApp::start().await;
    let body = json!({
        "username": "testuser", "email": "test@example.com", "password": PASSWORD,
        "first_name": "Test", "last_name": "User",
    });
    let made = app.post("/auth/register", &body).await;
    assert_eq!(made.status(), StatusCode::CREATED);
    let text = made.text().await.unwrap();
    assert_eq!(
        text,
        r#"{"id":1,"username":"testuser","email":"test@example.com","first_name":"Test","last_name":"User","is_active":true,"is_superuser":false}"#
    );
    let user = app.log_in("testuser", PASSWORD).await;
    let me = user.bearer(Method::GET, "/auth/me").send().await.unwrap();
    assert_eq!(me.text().await.unwrap(), text);
}

#[tokio::test]
async fn the_same_name_32_times_at_once_makes_one_user() {
    let app = TestApp::start().await;
    let body = json!({"username": "ann", "email": "ann@example.com", "password": PASSWORD});
    let all = futures_util::future::join_all((0..32).map(|_| app.post("/auth/register", &body))).await;
    let mut made = 0;
    for answer in all {
        if answer.status() == StatusCode::CREATED {
            made += 1;
            assert_eq!(answer.json::<Value>().await.unwrap()["id"], 1);
        } else {
            app.failure(Method::POST, answer, 400, "VALIDATION_ERROR").await;
        }
    }
    assert_eq!(made, 1);
}
