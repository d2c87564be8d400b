//! Signing in with a mailed link or code.
use reqwest::{Method, Response};
use serde_json::{Value, json};

use super::{Mail, mail, mails, refused, with_mail};
use crate::support::{PASSWORD, Person, TestApp, Tokens, jwt};

const ANN: &str = "ann@example.com";
const START: &str = "/auth/email-login/start";
const FINISH: &str = "/auth/email-login/finish";

async fn start() -> TestApp {
    let app = with_mail().with("mail.sign_in", "true").start().await;
    app.register("ann").await;
    mails(&app).await;
    app
}

async fn ask(app: &TestApp, email: &str) {
    let answer = app.post(START, &json!({"email": email})).await;
    assert_eq!(answer.status(), 202);
    let body: Value = answer.json().await.unwrap();
    assert_eq!(body, json!({"message": "If an account has this address, a mail is on its way"}));
}

async fn mailed(app: &TestApp) -> Mail {
    ask(app, ANN).await;
    mail(app, ANN).await
}

fn code(mail: &Mail) -> String {
    let is_code = |line: &&str| line.len() == 8 && line.bytes().all(|b| b.is_ascii_digit());
    mail.text.lines().find(is_code).unwrap().to_owned()
}

fn with_code(code: &str) -> Value {
    json!({"email": ANN, "code": code})
}

async fn finish(app: &TestApp, body: &Value) -> Response {
    app.post(FINISH, body).await
}

async fn code_fails(app: &TestApp, body: Value) {
    let reason = app.refuses(app.request(Method::POST, FINISH).json(&body), "code").await;
    assert_eq!(reason, "is not valid, was used already, or has expired");
}

#[tokio::test]
async fn a_link_or_a_code_signs_in_once_and_verifies_the_address() {
    let app = start().await;
    let root = app.superuser("root").await;
    let first = mailed(&app).await;
    let answer = finish(&app, &json!({"token": first.token("asm_")})).await;
    assert_eq!(answer.status(), 200);
    let ann = Person { app: &app, tokens: Tokens::from(answer).await };
    assert_eq!(jwt::claims(&ann.tokens.access)["amr"], json!(["email"]));
    assert_eq!(ann.profile().await["username"], "ann");
    let shown = app.json(root.bearer(Method::GET, &format!("/users/{}", ann.id())), 200).await;
    assert_eq!(shown["email_verified"], true);
    refused(&app, FINISH, json!({"token": first.token("asm_")})).await;
    code_fails(&app, with_code(&code(&first))).await;
    let second = mailed(&app).await;
    let with_spaces = format!(" {} ", code(&second));
    assert_eq!(finish(&app, &with_code(&with_spaces)).await.status(), 200);
    code_fails(&app, with_code(&code(&second))).await;
    refused(&app, FINISH, json!({"token": second.token("asm_")})).await;
}

#[tokio::test]
async fn it_is_good_for_ten_minutes_and_the_newest_counts() {
    let app = start().await;
    let (older, newer) = (mailed(&app).await, mailed(&app).await);
    refused(&app, FINISH, json!({"token": older.token("asm_")})).await;
    code_fails(&app, with_code(&code(&older))).await;
    refused(&app, FINISH, json!({"token": newer.token("asm_").replace("asm_", "asp_")})).await;
    refused(&app, "/auth/password/reset", json!({"token": newer.token("asm_"), "new_password": PASSWORD}))
        .await;
    app.clock.advance_secs(600);
    refused(&app, FINISH, json!({"token": newer.token("asm_")})).await;
    code_fails(&app, with_code(&code(&newer))).await;
}

#[tokio::test]
async fn ten_wrong_codes_burn_it() {
    let app = start().await;
    for (wrong, is_good) in [(9, true), (10, false)] {
        let right = mailed(&app).await;
        let other = if code(&right) == "00000000" { "00000001" } else { "00000000" };
        for _ in 0..wrong {
            code_fails(&app, with_code(other)).await;
        }
        let status = finish(&app, &with_code(&code(&right))).await.status();
        assert_eq!(status == 200, is_good, "{wrong}");
    }
    code_fails(&app, json!({"email": "nobody@example.com", "code": "12345678"})).await;
}

#[tokio::test]
async fn many_guesses_at_once_get_no_more_than_ten() {
    let app = start().await;
    let right = mailed(&app).await;
    let other = if code(&right) == "00000000" { "00000001" } else { "00000000" };
    futures_util::future::join_all((0..16).map(|_| async { finish(&app, &with_code(other)).await.status() }))
        .await;
    code_fails(&app, with_code(&code(&right))).await;
    let again = mailed(&app).await;
    let all = (0..16).map(|_| async { finish(&app, &with_code(&code(&again))).await.status().as_u16() });
    let answers = futures_util::future::join_all(all).await;
    assert_eq!(answers.iter().filter(|status| **status == 200).count(), 1, "{answers:?}");
}

#[tokio::test]
async fn it_does_not_get_past_a_second_factor() {
    let app = start().await;
    crate::mfa::with_app(&app.log_in("ann", PASSWORD).await).await;
    mails(&app).await;
    let mail = mailed(&app).await;
    let body = json!({"token": mail.token("asm_")});
    let details = app.fails(app.request(Method::POST, FINISH).json(&body), 401, "MFA_REQUIRED").await;
    assert!(details["mfa_token"].as_str().unwrap().starts_with("asl_"));
    refused(&app, FINISH, body).await;
}

#[tokio::test]
async fn what_was_mailed_to_an_address_is_nothing_once_the_account_has_another_or_is_off() {
    let app = start().await;
    let ann = app.log_in("ann", PASSWORD).await;
    let mail = mailed(&app).await;
    let host = auth_service::rbac::Initiator::host();
    let root = app.superuser("root").await;
    let change = json!({"email": "new@example.com"});
    app.json(root.bearer(Method::PATCH, &format!("/users/{}", ann.id())).json(&change), 200).await;
    refused(&app, FINISH, json!({"token": mail.token("asm_")})).await;
    mails(&app).await;
    ask(&app, "new@example.com").await;
    let mail = super::mail(&app, "new@example.com").await;
    app.app.accounts.set_active(host, ann.id(), false).await.unwrap();
    refused(&app, FINISH, json!({"token": mail.token("asm_")})).await;
}

#[tokio::test]
async fn nobody_without_an_account_gets_a_mail_and_what_is_asked_for_is_named() {
    let app = start().await;
    ask(&app, "nobody@example.com").await;
    assert!(mails(&app).await.is_empty());
    app.refuses(app.request(Method::POST, START).json(&json!({"email": "x"})), "email").await;
    for body in [json!({}), json!({"email": ANN}), json!({"code": "1"}), json!({"token": "a", "code": "1"})] {
        app.refuses(app.request(Method::POST, FINISH).json(&body), "token").await;
    }
    let app = with_mail().start().await;
    app.fails(app.request(Method::POST, START).json(&json!({"email": ANN})), 404, "NOT_FOUND").await;
    app.fails(app.request(Method::POST, FINISH).json(&json!({"token": "asm_"})), 404, "NOT_FOUND").await;
}
