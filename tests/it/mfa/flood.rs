//! Somebody has stolen a password, and floods its account: the owner gets in all the same, and hears of it.
use reqwest::header::COOKIE;
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};

use super::{STEP, WithApp};
use crate::mail::events;
use crate::support::{PASSWORD, Setup, TestApp, set_cookie};

async fn behind_a_proxy() -> TestApp {
    Setup::default().with("trusted_proxies", "127.0.0.0/8").start().await
}

fn from(request: RequestBuilder, address: &str) -> RequestBuilder {
    request.header("X-Forwarded-For", address)
}

/// Shows a password alone; gives what goes on with it.
async fn begun(app: &TestApp, name: &str, address: &str, known_device: &str) -> String {
    let body = json!({"username": name, "password": PASSWORD});
    let request = from(app.request(Method::POST, "/auth/token").json(&body), address);
    let details = app.fails(request.header(COOKIE, known_device), 401, "MFA_REQUIRED").await;
    details["mfa_token"].as_str().unwrap().to_owned()
}

fn verify(app: &TestApp, token: &str, code: &str, address: &str) -> RequestBuilder {
    let body = json!({"mfa_token": token, "code": code});
    from(app.request(Method::POST, "/auth/mfa/verify").json(&body), address)
}

#[tokio::test]
async fn whoever_holds_the_password_ends_no_login_of_its_owner() {
    let app = behind_a_proxy().await;
    let ann = WithApp::of(&app.user("ann").await).await;
    let hers = begun(&app, "ann", "198.51.100.7", "").await;
    app.clock.advance_secs(1);
    // One customer of IPv6 has many networks, and they are one here.
    for n in 0..60 {
        begun(&app, "ann", &format!("2001:db8:7:{n:x}::1"), "").await;
    }
    for _ in 0..20 {
        begun(&app, "ann", "203.0.113.7", "").await;
    }
    assert_eq!(verify(&app, &hers, &ann.code(), "198.51.100.7").send().await.unwrap().status(), 200);
}

#[tokio::test]
async fn nor_from_ever_so_many_networks_in_a_browser_that_is_known() {
    let app = behind_a_proxy().await;
    let ann = WithApp::of(&app.user("ann").await).await;
    let token = begun(&app, "ann", "198.51.100.7", "").await;
    let answer = verify(&app, &token, &ann.code(), "198.51.100.7").send().await.unwrap();
    let cookie = set_cookie(answer.headers(), "known_device_cookie");
    let known = cookie.split(';').next().unwrap();
    app.clock.advance_secs(STEP);
    let hers = begun(&app, "ann", "198.51.100.7", known).await;
    app.clock.advance_secs(1);
    for n in 0..60 {
        begun(&app, "ann", &format!("203.0.113.{n}"), "").await;
    }
    // And wrong codes from everywhere do not make her wait there.
    for n in 0..30 {
        let token = begun(&app, "ann", &format!("203.0.113.{n}"), "").await;
        let wrong = verify(&app, &token, &ann.wrong_code(), &format!("203.0.113.{n}"));
        app.fails(wrong, 401, "INVALID_MFA_CODE").await;
    }
    let code = ann.code();
    app.fails(verify(&app, &hers, &code, "198.51.100.7"), 429, "TOO_MANY_ATTEMPTS").await;
    let on_hers = verify(&app, &hers, &code, "198.51.100.7").header(COOKIE, known);
    let answer = on_hers.send().await.unwrap();
    assert_eq!(answer.status(), 200);
    let again = answer.headers().get_all("set-cookie").iter();
    assert!(again.map(|value| value.to_str().unwrap()).all(|cookie| !cookie.starts_with("known_device")));
}

#[tokio::test]
async fn a_known_browser_shows_in_its_session_who_it_is_while_others_guess() {
    let app = behind_a_proxy().await;
    let ann = WithApp::of(&app.user("ann").await).await;
    let token = begun(&app, "ann", "198.51.100.7", "").await;
    let answer = verify(&app, &token, &ann.code(), "198.51.100.7").send().await.unwrap();
    let cookie = set_cookie(answer.headers(), "known_device_cookie");
    app.clock.advance_secs(STEP);
    for n in 0..30 {
        let token = begun(&app, "ann", &format!("203.0.113.{n}"), "").await;
        let wrong = verify(&app, &token, &ann.wrong_code(), &format!("203.0.113.{n}"));
        app.fails(wrong, 401, "INVALID_MFA_CODE").await;
    }
    let body = json!({"code": ann.code()});
    let again = || ann.person.bearer(Method::POST, "/auth/reauthenticate").json(&body);
    app.fails(again(), 429, "TOO_MANY_ATTEMPTS").await;
    app.json(again().header(COOKIE, cookie.split(';').next().unwrap()), 200).await;
}

/// What is told of somebody's refused logins: reasons and how often.
fn reasons(told: &[Value]) -> Vec<(&str, u64)> {
    let mut all: Vec<_> = told
        .iter()
        .filter(|event| event["subject"]["name"] == "ann" && event["outcome"] == "failure")
        .map(|event| (event["details"]["reason"].as_str().unwrap(), event["count"].as_u64().unwrap()))
        .collect();
    all.sort_unstable();
    all
}

#[tokio::test]
async fn logins_that_are_over_or_given_up_are_told() {
    let app = TestApp::start().await;
    let ann = WithApp::of(&app.user("ann").await).await;
    let (token, wrong) = (ann.ask().await, ann.wrong_code());
    for _ in 0..10 {
        ann.verify_fails(&token, &wrong, "INVALID_MFA_CODE").await;
    }
    app.clock.advance_secs(1);
    ann.verify_fails(&token, &ann.code(), "INVALID_TOKEN").await;
    let given_up = events(&app, "session.mfa_given_up").await;
    let told: Vec<_> = given_up.iter().map(|event| (&event["subject"]["name"], &event["outcome"])).collect();
    assert_eq!(told, [(&json!("ann"), &json!("failure"))]);
    let late = ann.ask().await;
    app.clock.advance_secs(600);
    ann.verify_fails(&late, &wrong, "TOKEN_EXPIRED").await;
    let request = app.request(Method::POST, "/auth/mfa/passkey/start").json(&json!({"mfa_token": late}));
    app.fails(request, 401, "TOKEN_EXPIRED").await;
    let told = events(&app, "session.refused").await;
    assert_eq!(reasons(&told), [("mfa_token", 1), ("mfa_token_expired", 2), ("wrong_code", 10)]);
    assert!(!format!("{told:?}").contains(&late[4..40]));
}
