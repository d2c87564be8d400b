//! Addresses: verified, changed, required.
use reqwest::Method;
use serde_json::{Value, json};

use super::{events, mail, mails, refused, with_mail};
use crate::support::{PASSWORD, Person, TestApp};

const ANN: &str = "ann@example.com";
const VERIFY: &str = "/auth/email/verify";
const CONFIRM: &str = "/auth/email/confirm";
const DAY_SECS: i64 = 24 * 3600;

async fn is_verified(app: &TestApp, root: &Person<'_>, id: u64) -> bool {
    let shown = app.json(root.bearer(Method::GET, &format!("/users/{id}")), 200).await;
    shown["email_verified"].as_bool().unwrap()
}

async fn verify(app: &TestApp, token: &str) {
    app.done(app.request(Method::POST, VERIFY).json(&json!({"token": token}))).await;
}

async fn ask(who: &Person<'_>, email: &str) -> Value {
    let body = json!({"email": email, "current_password": PASSWORD});
    who.app.json(who.bearer(Method::PATCH, "/auth/me").json(&body), 200).await
}

#[tokio::test]
async fn whoever_registers_is_mailed_a_link_that_verifies_the_address_once() {
    let app = with_mail().start().await;
    let root = app.superuser("root").await;
    let made = app.register("ann").await;
    let id = made["id"].as_u64().unwrap();
    let token = mail(&app, ANN).await.token("asv_");
    assert!(!is_verified(&app, &root, id).await);
    refused(&app, VERIFY, json!({"token": token.replace("asv_", "asp_")})).await;
    refused(&app, VERIFY, json!({"token": token[..token.len() - 1]})).await;
    verify(&app, &token).await;
    assert!(is_verified(&app, &root, id).await);
    let listed = app.json(root.bearer(Method::GET, "/users"), 200).await;
    let verified: Vec<_> =
        listed["items"].as_array().unwrap().iter().map(|user| &user["email_verified"]).collect();
    assert_eq!(verified, [&json!(false), &json!(true)]);
    refused(&app, VERIFY, json!({"token": token})).await;
    assert_eq!(events(&app, "user.email_verified").await[0]["subject"]["name"], "ann");
}

#[tokio::test]
async fn the_link_can_be_had_again_and_the_newest_counts_for_a_day() {
    let app = with_mail().start().await;
    let ann = app.user("ann").await;
    let older = mail(&app, ANN).await.token("asv_");
    let resend = || ann.bearer(Method::POST, "/auth/email/resend");
    app.json(resend(), 202).await;
    let newer = mail(&app, ANN).await.token("asv_");
    refused(&app, VERIFY, json!({"token": older})).await;
    for _ in 0..3 {
        app.json(resend(), 202).await;
    }
    app.fails(resend(), 429, "RATE_LIMITED").await;
    refused(&app, VERIFY, json!({"token": newer})).await;
    app.clock.advance_secs(DAY_SECS);
    for late in mails(&app).await {
        refused(&app, VERIFY, json!({"token": late.token("asv_")})).await;
    }
    let ann = app.log_in("ann", PASSWORD).await;
    app.json(ann.bearer(Method::POST, "/auth/email/resend"), 202).await;
    verify(&app, &mail(&app, ANN).await.token("asv_")).await;
    app.refuses(ann.bearer(Method::POST, "/auth/email/resend"), "email").await;
}

#[tokio::test]
async fn a_new_address_takes_effect_when_it_is_confirmed_and_both_are_told() {
    let app = with_mail().start().await;
    let (root, ann) = (app.superuser("root").await, app.user("ann").await);
    let old_link = mail(&app, ANN).await.token("asv_");
    assert_eq!(ask(&ann, "new@example.com").await["email"], ANN);
    assert_eq!(ann.profile().await["email"], ANN);
    let told = mails(&app).await;
    assert_eq!(told.len(), 2);
    let to_old = told.iter().find(|mail| mail.to == ANN).unwrap();
    assert!(to_old.subject.contains("about to change") && !to_old.raw.contains("ase_"), "{}", to_old.raw);
    let token = told.iter().find(|mail| mail.to == "new@example.com").unwrap().token("ase_");
    app.done(app.request(Method::POST, CONFIRM).json(&json!({"token": token}))).await;
    assert_eq!(ann.profile().await["email"], "new@example.com");
    assert!(
        is_verified(&app, &root, ann.id()).await,
        "whoever confirms an address has shown that it is theirs"
    );
    let last = mail(&app, ANN).await;
    assert!(last.subject.contains("was changed") && !last.raw.contains("token="), "{}", last.raw);
    refused(&app, CONFIRM, json!({"token": token})).await;
    refused(&app, VERIFY, json!({"token": old_link})).await;
    app.log_in("new@example.com", PASSWORD).await;
    let old = json!({"username": ANN, "password": PASSWORD});
    app.fails(app.request(Method::POST, "/auth/token").json(&old), 401, "INVALID_CREDENTIALS").await;
}

#[tokio::test]
async fn a_change_that_was_asked_for_ends_with_a_newer_one_with_the_password_and_with_its_time() {
    let app = with_mail().start().await;
    let ann = app.user("ann").await;
    mails(&app).await;
    let token = async |email: &str| {
        ask(&ann, email).await;
        mails(&app).await.iter().find(|mail| mail.to == email).unwrap().token("ase_")
    };
    let (older, newer) = (token("a@example.com").await, token("b@example.com").await);
    refused(&app, CONFIRM, json!({"token": older})).await;
    let change = json!({"current_password": PASSWORD, "new_password": "staple 17 of the donkey"});
    app.done(ann.bearer(Method::POST, "/auth/password/change").json(&change)).await;
    refused(&app, CONFIRM, json!({"token": newer})).await;
    let bob = app.user("bob").await;
    mails(&app).await;
    ask(&bob, "c@example.com").await;
    let all = mails(&app).await;
    let bobs = all.iter().find(|mail| mail.to == "c@example.com").unwrap().token("ase_");
    app.clock.advance_secs(DAY_SECS);
    refused(&app, CONFIRM, json!({"token": bobs})).await;
    assert_eq!(ann.app.app.accounts.find("bob").unwrap().email.as_str(), "bob@example.com");
}

#[tokio::test]
async fn an_address_that_two_want_goes_to_the_first_who_confirms() {
    let app = with_mail().start().await;
    let (ann, bob) = (app.user("ann").await, app.user("bob").await);
    mails(&app).await;
    ask(&ann, "new@example.com").await;
    ask(&bob, "new@example.com").await;
    let all = mails(&app).await;
    let tokens: Vec<_> =
        all.iter().filter(|mail| mail.to == "new@example.com").map(|mail| mail.token("ase_")).collect();
    assert_eq!(tokens.len(), 2);
    app.done(app.request(Method::POST, CONFIRM).json(&json!({"token": tokens[0]}))).await;
    let reason =
        app.refuses(app.request(Method::POST, CONFIRM).json(&json!({"token": tokens[1]})), "email").await;
    assert_eq!(reason, "is taken");
}

#[tokio::test]
async fn an_address_that_an_administrator_has_changed_is_told() {
    let app = with_mail().start().await;
    let (root, ann) = (app.superuser("root").await, app.user("ann").await);
    mails(&app).await;
    let change = |body: Value| root.bearer(Method::PATCH, &format!("/users/{}", ann.id())).json(&body);
    app.json(change(json!({"first_name": "Ann", "email": ANN})), 200).await;
    assert!(mails(&app).await.is_empty(), "it is the same address");
    app.json(change(json!({"email": "new@example.com"})), 200).await;
    let told = mail(&app, ANN).await;
    assert!(told.subject.contains("was changed"), "{}", told.subject);
    assert!(!told.raw.contains("new@example.com") && !told.raw.contains("127.0.0.1"), "{}", told.raw);
    assert!(!is_verified(&app, &root, ann.id()).await);
}

#[tokio::test]
async fn where_it_is_required_nobody_logs_in_before_the_address_is_verified() {
    let app = with_mail().with("registration_verify", "required").start().await;
    app.superuser("root").await;
    app.register("ann").await;
    let first = mail(&app, ANN).await.token("asv_");
    let login = |password: &str| {
        let body = json!({"username": "ann", "password": password});
        app.request(Method::POST, "/auth/token").json(&body)
    };
    app.fails(login("wrong wrong"), 401, "INVALID_CREDENTIALS").await;
    assert!(mails(&app).await.is_empty(), "only the right password has a mail sent again");
    app.fails(login(PASSWORD), 403, "EMAIL_NOT_VERIFIED").await;
    let second = mail(&app, ANN).await.token("asv_");
    refused(&app, VERIFY, json!({"token": first})).await;
    verify(&app, &second).await;
    app.log_in("ann", PASSWORD).await;
}

#[tokio::test]
async fn an_account_that_was_there_before_is_not_locked_out_when_it_becomes_required() {
    let app = with_mail().at("http://id.example").start().await;
    app.register("ann").await;
    let app = app.restart(with_mail().at("http://id.example").with("registration_verify", "required")).await;
    app.log_in("ann", PASSWORD).await;
}
