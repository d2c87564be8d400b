//! Owners hear of second factors and passkeys that come and go, and of recovery codes that run out.
use auth_service::admin::{Answer, Command, PasskeysCommand, UsersCommand};
use reqwest::{Method, RequestBuilder};
use serde_json::json;

use super::{Mail, mail, mails, with_mail};
use crate::mfa::WithApp;
use crate::passkeys;
use crate::support::{PASSWORD, Person, TestApp, Tokens};

const ANN: &str = "ann@example.com";

async fn ann(app: &TestApp) -> Person<'_> {
    let ann = app.user("ann").await;
    mails(app).await;
    ann
}

async fn sent(request: RequestBuilder) {
    let answer = request.send().await.unwrap();
    assert!(answer.status().is_success(), "{}", answer.text().await.unwrap());
}

/// The one mail that has left says that a way in was added, or removed.
async fn told(app: &TestApp, words: &str, method: &str) -> Mail {
    let told = mail(app, ANN).await;
    assert!(told.subject.contains(words), "{}", told.subject);
    assert!(told.text.contains(words) && told.text.contains(&format!(": {method}.")), "{}", told.text);
    told
}

#[tokio::test]
async fn an_app_that_is_turned_on_and_off_is_told_and_so_are_new_recovery_codes() {
    let app = with_mail().start().await;
    let ann = WithApp::of(&ann(&app).await).await;
    let added = told(&app, "added", "an authenticator app").await;
    assert!(
        added.text.contains("2027-01-15 08:00 UTC") && added.text.contains("127.0.0.1"),
        "{}",
        added.text
    );
    assert!(!added.raw.contains(&ann.recovery_codes[0]), "a notice holds no secret");
    let ann = ann.person;
    sent(ann.bearer(Method::POST, "/auth/mfa/backup-codes/regenerate")).await;
    told(&app, "added", "new recovery codes").await;
    sent(ann.bearer(Method::POST, "/auth/mfa/disable").header("Accept-Language", "de")).await;
    let removed = mail(&app, ANN).await;
    assert!(removed.text.contains("entfernt: eine Authenticator-App."), "{}", removed.text);
}

#[tokio::test]
async fn a_passkey_that_comes_goes_or_becomes_a_second_factor_is_told() {
    let app = with_mail().start().await;
    let ann = ann(&app).await;
    let mut device = passkeys::device(&app);
    let made = passkeys::register(&ann, &mut device).await;
    told(&app, "added", "a passkey").await;
    let asked = passkeys::asked_for_login(&app).await;
    let credential = device.get(&asked["options"]);
    let answer = passkeys::login(&app, &asked, &credential).send().await.unwrap();
    let ann = app.person(Tokens::from(answer).await);
    let enable = ann.bearer(Method::POST, "/auth/mfa/enable").json(&json!({"method": "passkey"}));
    let ann = app.person(Tokens::from(enable.send().await.unwrap()).await);
    told(&app, "added", "a passkey after the password").await;
    sent(ann.bearer(Method::POST, "/auth/mfa/disable")).await;
    told(&app, "removed", "a passkey after the password").await;
    let path = format!("/auth/passkeys/{}", made["id"].as_str().unwrap());
    app.done(ann.bearer(Method::DELETE, &path)).await;
    told(&app, "removed", "a passkey").await;
}

#[tokio::test]
async fn what_an_administrator_takes_away_is_told_and_nothing_of_where_one_sits() {
    let app = with_mail().start().await;
    let root = app.superuser("root").await;
    let ann = ann(&app).await;
    let made = passkeys::register(&ann, &mut passkeys::device(&app)).await;
    let id = ann.id();
    WithApp::of(&ann).await;
    mails(&app).await;
    let asked = |path: String| root.bearer(Method::DELETE, &path).header("Accept-Language", "de");
    app.done(asked(format!("/users/{id}/mfa"))).await;
    let first = told(&app, "removed", "an authenticator app").await;
    app.done(asked(format!("/users/{id}/passkeys/{}", made["id"].as_str().unwrap()))).await;
    let second = told(&app, "removed", "a passkey").await;
    for mail in [first, second] {
        assert!(!mail.raw.contains("127.0.0.1") && mail.text.contains("the address -."), "{}", mail.text);
    }
}

#[tokio::test]
async fn what_the_host_takes_away_is_told() {
    let app = with_mail().start().await;
    let ann = ann(&app).await;
    let made = passkeys::register(&ann, &mut passkeys::device(&app)).await;
    WithApp::of(&ann).await;
    mails(&app).await;
    let host = async |what| app.app.admin().answer(Command::Users { what }).await;
    let user = || "ann".to_owned();
    assert!(matches!(host(UsersCommand::ResetMfa { user: user() }).await, Answer::User(_)));
    told(&app, "removed", "an authenticator app").await;
    let id = made["id"].as_str().unwrap().to_owned();
    let delete = PasskeysCommand::Delete { user: user(), id };
    assert!(matches!(host(UsersCommand::Passkeys(delete)).await, Answer::Done));
    told(&app, "removed", "a passkey").await;
}

#[tokio::test]
async fn an_owner_is_warned_when_three_recovery_codes_are_left_and_at_each_after() {
    let app = with_mail().start().await;
    let ann = WithApp::of(&ann(&app).await).await;
    mails(&app).await;
    let log_in = async |code: &str| {
        let body = json!({"username": "ann", "password": PASSWORD, "mfa_code": code});
        assert_eq!(app.post("/auth/token", &body).await.status(), 200);
    };
    for code in &ann.recovery_codes[..6] {
        log_in(code).await;
    }
    assert!(mails(&app).await.is_empty());
    for (code, left) in ann.recovery_codes[6..9].iter().zip([3, 2, 1]) {
        log_in(code).await;
        let told = mail(&app, ANN).await;
        assert!(told.subject.contains("Few recovery codes"), "{}", told.subject);
        assert!(told.text.contains(&format!("that are left: {left}.")), "{}", told.text);
    }
    // One that shows again who one is counts, too.
    let request = ann.person.bearer(Method::POST, "/auth/reauthenticate");
    let answer = request.json(&json!({"code": ann.recovery_codes[9]})).send().await.unwrap();
    assert_eq!(answer.status(), 200);
    assert!(mail(&app, ANN).await.text.contains("that are left: 0."));
}

#[tokio::test]
async fn without_a_way_for_mails_factors_come_and_go() {
    let app = TestApp::start().await;
    let ann = app.user("ann").await;
    let made = passkeys::register(&ann, &mut passkeys::device(&app)).await;
    let ann = WithApp::of(&ann).await.person;
    sent(ann.bearer(Method::POST, "/auth/mfa/disable")).await;
    app.done(ann.bearer(Method::DELETE, &format!("/auth/passkeys/{}", made["id"].as_str().unwrap()))).await;
    assert_eq!(app.app.mail.state().unwrap().waiting, 0);
}
