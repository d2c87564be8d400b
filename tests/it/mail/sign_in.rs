//! Signing in with a mailed link or code.
use reqwest::{Method, Response};
use serde_json::{Value, json};

use super::{Mail, events, mail, mails, refused, with_mail};
use crate::support::{PASSWORD, Person, TestApp, Tokens, jwt, set_cookie};

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
        // What comes next waits no longer than a moment.
        app.clock.advance_secs(1);
        let status = finish(&app, &with_code(&code(&right))).await.status();
        assert_eq!(status, if is_good { 200 } else { 400 }, "{wrong}");
    }
    let given_up = events(&app, "session.mail_given_up").await;
    let told: Vec<_> = given_up.iter().map(|event| (&event["subject"]["name"], &event["outcome"])).collect();
    assert_eq!(told, [(&json!("ann"), &json!("failure"))]);
    code_fails(&app, json!({"email": "nobody@example.com", "code": "12345678"})).await;
}

#[tokio::test]
async fn many_guesses_at_once_get_no_more_than_ten() {
    let app = start().await;
    let right = mailed(&app).await;
    let other = if code(&right) == "00000000" { "00000001" } else { "00000000" };
    futures_util::future::join_all((0..16).map(|_| async { finish(&app, &with_code(other)).await.status() }))
        .await;
    app.clock.advance_secs(1);
    code_fails(&app, with_code(&code(&right))).await;
    app.clock.advance_secs(600);
    let again = mailed(&app).await;
    let all = (0..16).map(|_| async { finish(&app, &with_code(&code(&again))).await.status().as_u16() });
    let answers = futures_util::future::join_all(all).await;
    assert_eq!(answers.iter().filter(|status| **status == 200).count(), 1, "{answers:?}");
}

#[tokio::test]
async fn codes_are_counted_like_passwords_and_a_known_browser_gets_through() {
    let app = start().await;
    let first = finish(&app, &json!({"token": mailed(&app).await.token("asm_")})).await;
    let known = set_cookie(first.headers(), "known_device_cookie");
    let too_many = async |body: &Value| {
        app.fails(app.request(Method::POST, FINISH).json(body), 429, "TOO_MANY_ATTEMPTS").await;
    };
    for email in [ANN, "nobody@example.com"] {
        let wrong = json!({"email": email, "code": "x"});
        for _ in 0..10 {
            code_fails(&app, wrong.clone()).await;
        }
        too_many(&wrong).await;
        too_many(&json!({"email": email.to_uppercase(), "code": "x"})).await;
    }
    let right = with_code(&code(&mailed(&app).await));
    too_many(&right).await;
    let hers = app.request(Method::POST, FINISH).json(&right);
    let answer = hers.header("Cookie", known.split(';').next().unwrap()).send().await.unwrap();
    assert_eq!(answer.status(), 200);
    let told = events(&app, "session.refused").await;
    let hers = |reason: &str| {
        let about =
            |event: &&Value| event["subject"]["name"] == "ann" && event["details"]["reason"] == reason;
        told.iter().filter(about).map(|event| event["count"].as_u64().unwrap()).sum::<u64>()
    };
    assert_eq!((hers("wrong_mailed_secret"), hers("too_many_attempts")), (10, 3));
    // A password is another guess than a code is.
    app.log_in("ann", PASSWORD).await;
}

#[tokio::test]
async fn a_right_code_forgets_the_wrong_ones() {
    let app = start().await;
    for _ in 0..3 {
        let right = mailed(&app).await;
        for _ in 0..8 {
            code_fails(&app, with_code("x")).await;
        }
        assert_eq!(finish(&app, &with_code(&code(&right))).await.status(), 200);
    }
}

#[tokio::test]
async fn a_network_that_tries_many_links_is_slowed() {
    let setup = with_mail().with("mail.sign_in", "true").with("throttle.free_guesses_of_network", "5");
    let app = setup.start().await;
    app.register("ann").await;
    mails(&app).await;
    let right = mailed(&app).await.token("asm_");
    // Its last character has two bits.
    let wrong = if right.ends_with('A') { "Q" } else { "A" };
    let wrong = json!({"token": format!("{}{wrong}", &right[..right.len() - 1])});
    for _ in 0..5 {
        refused(&app, FINISH, wrong.clone()).await;
    }
    app.fails(app.request(Method::POST, FINISH).json(&wrong), 429, "TOO_MANY_ATTEMPTS").await;
    let recover = json!({"token": wrong["token"].as_str().unwrap().replace("asm_", "asc_")});
    app.fails(app.request(Method::POST, "/auth/recover").json(&recover), 429, "TOO_MANY_ATTEMPTS").await;
    app.clock.advance_secs(60);
    // One that is right takes itself back, so that it costs nobody anything.
    for _ in 0..3 {
        let token = mailed(&app).await.token("asm_");
        assert_eq!(finish(&app, &json!({"token": token})).await.status(), 200);
    }
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
