//! Devices on which a password is enough for a while.
use reqwest::Method;
use serde_json::{Value, json};

use super::{STEP, WithApp};
use crate::support::{PASSWORD, Setup, TestApp, Tokens, jwt, set_cookie};

/// Trusts a device, and gives its cookie.
pub(super) async fn trust(ann: &WithApp<'_>, days: u32) -> String {
    let token = ann.ask().await;
    let body = json!({"mfa_token": token, "code": ann.code(), "trust_device_days": days});
    let answer = ann.app().post("/auth/mfa/verify", &body).await;
    assert_eq!(answer.status(), 200);
    ann.app().clock.advance_secs(STEP);
    let cookie = set_cookie(answer.headers(), "trusted_device_cookie");
    assert!(cookie.contains("HttpOnly; SameSite=Lax; Path=/;"), "{cookie}");
    assert!(cookie.ends_with(&format!("Max-Age={}", days * 24 * 3600)), "{cookie}");
    cookie.split(';').next().unwrap().split_once('=').unwrap().1.to_owned()
}

async fn listed(ann: &WithApp<'_>) -> Vec<Value> {
    let list = ann.app().json(ann.person.bearer(Method::GET, "/auth/mfa/trusted-devices"), 200).await;
    list["items"].as_array().unwrap().clone()
}

async fn asks_again(ann: &WithApp<'_>, device: &str) {
    ann.app().failure(Method::POST, ann.log_in_on(device).await, 401, "MFA_REQUIRED").await;
}

#[tokio::test]
async fn on_a_trusted_device_a_password_is_enough_until_its_days_are_over() {
    let app = TestApp::start().await;
    let ann = WithApp::of(&app.user("ann").await).await;
    let device = trust(&ann, 2).await;
    let answer = ann.log_in_on(&device).await;
    assert_eq!(answer.status(), 200);
    let claims = jwt::claims(&Tokens::from(answer).await.access);
    assert_eq!((&claims["amr"], &claims["acr"]), (&json!(["pwd", "device"]), &json!("aal1")));
    // Enough to log in with, and no proof: who has it and the password cannot take the account over.
    let answer = ann.log_in_on(&device).await;
    let stolen = crate::support::Person { app: &app, tokens: Tokens::from(answer).await };
    app.json(stolen.bearer(Method::GET, "/auth/api-keys"), 200).await;
    for path in ["setup", "disable", "backup-codes/regenerate"] {
        let request = stolen.bearer(Method::POST, &format!("/auth/mfa/{path}"));
        app.fails(request, 403, "REAUTHENTICATION_REQUIRED").await;
    }
    // A cookie that a neighbour has doubled shuts nobody out.
    let doubled =
        "trusted_device_cookie=a; trusted_device_cookie=b; known_device_cookie=a; known_device_cookie=b";
    let body = json!({"username": "ann", "password": PASSWORD});
    let request = app.request(Method::POST, "/auth/token").header("Cookie", doubled).json(&body);
    app.fails(request, 401, "MFA_REQUIRED").await;
    // It is no password.
    let body = json!({"username": "ann", "password": "wrong"});
    let cookie = format!("trusted_device_cookie={device}");
    let request = app.request(Method::POST, "/auth/token").header("Cookie", cookie).json(&body);
    app.fails(request, 401, "INVALID_CREDENTIALS").await;
    // It is ann's alone, and its text has to be right.
    let bob = WithApp::of(&app.user("bob").await).await;
    asks_again(&bob, &device).await;
    let other = if device.as_bytes()[20] == b'A' { "B" } else { "A" };
    asks_again(&ann, &format!("{}{other}{}", &device[..20], &device[21..])).await;
    app.clock.advance_secs(2 * 24 * 3600);
    asks_again(&ann, &device).await;
    app.app.tend().await;
}

#[tokio::test]
async fn trusted_devices_are_listed_and_trusted_no_longer_one_by_one_or_all() {
    let app = TestApp::start().await;
    let ann = WithApp::of(&app.user("ann").await).await;
    let (first, second, third) = (trust(&ann, 30).await, trust(&ann, 30).await, trust(&ann, 30).await);
    let devices = listed(&ann).await;
    assert_eq!(devices.len(), 3);
    assert_eq!(devices[0]["address"], "127.0.0.1");
    let remove = |id: &str| {
        let path = format!("/auth/mfa/trusted-devices/{id}");
        ann.person.bearer(Method::DELETE, &path).send()
    };
    let id = devices[0]["id"].as_str().unwrap();
    assert_eq!(remove(id).await.unwrap().status(), 204);
    asks_again(&ann, &first).await;
    assert_eq!(ann.log_in_on(&second).await.status(), 200);
    app.failure(Method::DELETE, remove(id).await.unwrap(), 404, "NOT_FOUND").await;
    // Another user's.
    let bob = WithApp::of(&app.user("bob").await).await;
    let other = devices[1]["id"].as_str().unwrap();
    let path = format!("/auth/mfa/trusted-devices/{other}");
    app.fails(bob.person.bearer(Method::DELETE, &path), 404, "NOT_FOUND").await;
    let all = ann.person.bearer(Method::DELETE, "/auth/mfa/trusted-devices").send().await.unwrap();
    assert_eq!(all.status(), 204);
    assert!(listed(&ann).await.is_empty());
    for device in [second, third] {
        asks_again(&ann, &device).await;
    }
}

#[tokio::test]
async fn another_password_or_app_trusts_no_device() {
    let app = TestApp::start().await;
    let ann = WithApp::of(&app.user("ann").await).await;
    let device = trust(&ann, 30).await;
    let again = WithApp::of(&ann.log_in().await).await;
    asks_again(&again, &device).await;
    let device = trust(&again, 30).await;
    let body = json!({"current_password": PASSWORD, "new_password": PASSWORD});
    let change = again.log_in().await.bearer(Method::POST, "/auth/password/change").json(&body).send();
    assert_eq!(change.await.unwrap().status(), 204);
    asks_again(&again, &device).await;
}

#[tokio::test]
async fn nobody_trusts_a_device_for_longer_than_the_server_allows() {
    let app = Setup::default().with("mfa.trusted_device_days", "7").start().await;
    let ann = WithApp::of(&app.user("ann").await).await;
    let token = ann.ask().await;
    let body = |days: u32| json!({"mfa_token": token, "code": ann.code(), "trust_device_days": days});
    let answer = app.post("/auth/mfa/verify", &body(8)).await;
    let details = app.failure(Method::POST, answer, 400, "VALIDATION_ERROR").await;
    assert_eq!(details["field"], "trust_device_days");
    let answer = app.post("/auth/mfa/verify", &body(7)).await;
    assert_eq!(answer.status(), 200);
    set_cookie(answer.headers(), "trusted_device_cookie");
}

#[tokio::test]
async fn the_oldest_of_more_than_twenty_is_trusted_no_longer() {
    let app = TestApp::start().await;
    let ann = WithApp::of(&app.user("ann").await).await;
    let first = trust(&ann, 30).await;
    let mut last = String::new();
    for _ in 0..20 {
        last = trust(&ann, 30).await;
    }
    assert_eq!(listed(&ann).await.len(), 20);
    asks_again(&ann, &first).await;
    assert_eq!(ann.log_in_on(&last).await.status(), 200);
    let told = crate::mail::events(&app, "mfa.trusted_device_removed").await;
    assert_eq!(told.len(), 1);
    let event = &told[0];
    assert_eq!(
        (&event["actor"]["type"], &event["subject"]["name"], &event["details"]["reason"]),
        (&json!("system"), &json!("ann"), &json!("too_many_devices"))
    );
}
