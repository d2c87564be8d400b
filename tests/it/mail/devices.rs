//! Owners hear of logins on new devices, however somebody logs in.
use auth_service::rbac::Initiator;
use reqwest::header::{COOKIE, USER_AGENT};
use reqwest::{Method, RequestBuilder, Response};
use serde_json::{Value, json};

use super::{mail, mails, with_mail};
use crate::mfa::WithApp;
use crate::passkeys;
use crate::support::{PASSWORD, Person, Setup, TestApp, set_cookie};

const ANN: &str = "ann@example.com";

fn password(app: &TestApp) -> RequestBuilder {
    app.request(Method::POST, "/auth/token").json(&json!({"username": "ann", "password": PASSWORD}))
}

/// Sends what must log somebody in, from a device. Gives the cookie that it is known by from then on.
async fn from(device: &str, login: RequestBuilder) -> String {
    let answer = sent_from(device, login).await;
    let status = answer.status();
    let cookie = (status == 200).then(|| set_cookie(answer.headers(), "known_device_cookie"));
    assert_eq!(status, 200, "{device}: {}", answer.text().await.unwrap());
    cookie.unwrap().split(';').next().unwrap().to_owned()
}

async fn sent_from(device: &str, login: RequestBuilder) -> Response {
    login.header(USER_AGENT, device).send().await.unwrap()
}

async fn is_told(app: &TestApp, device: &str) {
    let told = mail(app, ANN).await;
    assert!(told.subject.contains("new device"), "{}", told.subject);
    assert!(told.text.contains(device) && told.text.contains("127.0.0.1"), "{}", told.text);
}

async fn is_not_told(app: &TestApp) {
    let told = mails(app).await;
    assert!(told.is_empty(), "{:?}", told.iter().map(|mail| &mail.subject).collect::<Vec<_>>());
}

/// Somebody whose first login, on a laptop, was long ago.
async fn ann(app: &TestApp) -> Person<'_> {
    app.register("ann").await;
    mails(app).await;
    let answer = sent_from("Laptop 1.0", password(app)).await;
    let ann = app.person(crate::support::Tokens::from(answer).await);
    is_not_told(app).await;
    ann
}

#[tokio::test]
async fn a_login_on_a_new_device_is_told_and_neither_the_first_of_all_nor_the_next() {
    let app = with_mail().start().await;
    ann(&app).await;
    from("Laptop 1.0", password(&app)).await;
    from("Laptop 2.7.1", password(&app)).await;
    is_not_told(&app).await;
    from("Phone", password(&app)).await;
    is_told(&app, "Phone").await;
    from("Phone", password(&app)).await;
    is_not_told(&app).await;
    app.fails(
        password(&app).json(&json!({"username": "ann", "password": "wrong"})),
        401,
        "INVALID_CREDENTIALS",
    )
    .await;
    is_not_told(&app).await;
    // The language is that of the device.
    let german = password(&app).header("Accept-Language", "de");
    from("Telefon", german).await;
    let told = mail(&app, ANN).await.text;
    assert!(told.contains("auf einem Gerät, das bisher nicht bekannt war: Telefon."), "{told}");
}

#[tokio::test]
async fn a_browser_that_was_there_before_is_known_by_its_cookie_wherever_it_is() {
    let app = with_mail().start().await;
    ann(&app).await;
    let cookie = from("Laptop 1.0", password(&app)).await;
    // No cookie again for one that has one.
    let known = password(&app).header(COOKIE, &cookie);
    assert_eq!(sent_from("Another name", known).await.status(), 200);
    is_not_told(&app).await;
    let body = json!({"username": "bob", "password": PASSWORD});
    app.register("bob").await;
    mails(&app).await;
    let bobs = from("Laptop", app.request(Method::POST, "/auth/token").json(&body)).await;
    // In the middle: of the last character some bits say nothing.
    let at = cookie.len() - 8;
    let other = if cookie[at..].starts_with('A') { 'B' } else { 'A' };
    let forged = format!("{}{other}{}", &cookie[..at], &cookie[at + 1..]);
    for (device, cookie) in [("Bobs", &bobs), ("Forged", &forged)] {
        from(device, password(&app).header(COOKIE, cookie)).await;
        is_told(&app, device).await;
    }
}

#[tokio::test]
async fn another_network_is_another_device() {
    let app = with_mail().with("trusted_proxies", "127.0.0.1").start().await;
    let at = |address: &str| password(&app).header("X-Forwarded-For", address.to_owned());
    app.register("ann").await;
    mails(&app).await;
    from("Laptop", at("192.0.2.7")).await;
    from("Laptop", at("192.0.2.99")).await;
    is_not_told(&app).await;
    from("Laptop", at("198.51.100.7")).await;
    let told = mail(&app, ANN).await;
    assert!(told.text.contains("198.51.100.7"), "{}", told.text);
}

#[tokio::test]
async fn only_sessions_that_go_on_make_a_device_known() {
    let app = with_mail().start().await;
    let ann = ann(&app).await;
    ann.log_out().await;
    from("Laptop", password(&app)).await;
    is_told(&app, "Laptop").await;
    let root = app.superuser("root").await;
    app.json(root.bearer(Method::DELETE, &format!("/users/{}/sessions", ann.id())), 200).await;
    from("Laptop", password(&app)).await;
    is_told(&app, "Laptop").await;
    // One that is over is still in the store.
    app.clock.advance_secs(31 * 24 * 3600);
    from("Laptop", password(&app)).await;
    is_told(&app, "Laptop").await;
}

#[tokio::test]
async fn many_logins_at_once_on_one_new_device_are_told_once() {
    let app = with_mail().start().await;
    ann(&app).await;
    let logins = (0..4).map(|_| from("Phone", password(&app)));
    futures_util::future::join_all(logins).await;
    is_told(&app, "Phone").await;
}

#[tokio::test]
async fn a_second_factor_makes_a_device_no_less_new() {
    let app = with_mail().start().await;
    let ann = WithApp::of(&ann(&app).await).await;
    mails(&app).await;
    let code = ann.code();
    let body = json!({"username": "ann", "password": PASSWORD, "mfa_code": code});
    from("One step", app.request(Method::POST, "/auth/token").json(&body)).await;
    is_told(&app, "One step").await;
    app.clock.advance_secs(30);
    let verify = async |device: &str, cookie: &str| {
        let body = json!({"mfa_token": ann.ask().await, "code": ann.code(), "trust_device_days": 7});
        is_not_told(&app).await;
        let request = app.request(Method::POST, "/auth/mfa/verify").json(&body).header(COOKIE, cookie);
        let answer = sent_from(device, request).await;
        assert_eq!(answer.status(), 200, "{}", answer.text().await.unwrap());
        app.clock.advance_secs(30);
        answer
    };
    let answer = verify("Two steps", "x=y").await;
    let value = |name| set_cookie(answer.headers(), name).split(';').next().unwrap().to_owned();
    let (trusted, known) = (value("trusted_device_cookie"), value("known_device_cookie"));
    is_told(&app, "Two steps").await;
    verify("Known", &known).await;
    is_not_told(&app).await;
    // That a device is trusted is no reason not to tell: its cookie may have been copied.
    from("Trusted", password(&app).header(COOKIE, trusted)).await;
    is_told(&app, "Trusted").await;
}

#[tokio::test]
async fn a_passkey_on_a_new_device_is_told() {
    let app = with_mail().start().await;
    let mut device = passkeys::device(&app);
    passkeys::register(&ann(&app).await, &mut device).await;
    mails(&app).await;
    let mut login = async || {
        let asked = passkeys::asked_for_login(&app).await;
        let credential = device.get(&asked["options"]);
        passkeys::login(&app, &asked, &credential)
    };
    let cookie = from("Phone", login().await).await;
    is_told(&app, "Phone").await;
    let known = login().await.header(COOKIE, cookie);
    assert_eq!(sent_from("Renamed", known).await.status(), 200);
    is_not_told(&app).await;
}

#[tokio::test]
async fn a_mailed_link_or_code_on_a_new_device_is_told() {
    let app = with_mail().with("mail.sign_in", "true").start().await;
    ann(&app).await;
    let start = async || {
        let answer = app.post("/auth/email-login/start", &json!({"email": ANN})).await;
        assert_eq!(answer.status(), 202);
        mail(&app, ANN).await
    };
    let finish = |body: Value| app.request(Method::POST, "/auth/email-login/finish").json(&body);
    let cookie = from("Phone", finish(json!({"token": start().await.token("asm_")}))).await;
    is_told(&app, "Phone").await;
    let text = start().await.text;
    let code = text.lines().find(|line| line.len() == 8 && line.bytes().all(|b| b.is_ascii_digit()));
    from("Tablet", finish(json!({"email": ANN, "code": code.unwrap()}))).await;
    is_told(&app, "Tablet").await;
    let known = finish(json!({"token": start().await.token("asm_")})).header(COOKIE, cookie);
    assert_eq!(sent_from("Renamed", known).await.status(), 200);
    is_not_told(&app).await;
}

#[tokio::test]
async fn whoever_gets_back_in_on_a_new_device_is_told() {
    let app = with_mail().start().await;
    let ann = ann(&app).await;
    let recover = async |device: &str| {
        let (token, _) = app.app.recoveries.start(Initiator::host(), ann.id()).await.unwrap();
        let request = app.request(Method::POST, "/auth/recover").json(&json!({"token": token.expose()}));
        assert_eq!(sent_from(device, request).await.status(), 200);
    };
    recover("Phone").await;
    is_told(&app, "Phone").await;
    // It ends all sessions, and is measured by them.
    recover("Phone").await;
    is_not_told(&app).await;
}

#[tokio::test]
async fn without_a_way_for_mails_logins_go_on_and_nothing_is_written() {
    let app = Setup::default().start().await;
    app.register("ann").await;
    for device in ["Laptop", "Phone"] {
        from(device, password(&app)).await;
    }
    assert_eq!(app.app.mail.state().unwrap().waiting, 0);
}

#[tokio::test]
async fn a_mail_server_that_is_down_keeps_nobody_out() {
    let app = with_mail().start().await;
    ann(&app).await;
    // A file where the directory of mails should be.
    std::fs::remove_dir_all(super::directory(&app)).unwrap();
    std::fs::write(super::directory(&app), "").unwrap();
    from("Phone", password(&app)).await;
    assert_eq!(app.app.mail.deliver_due().await.unwrap(), 0);
    std::fs::remove_file(super::directory(&app)).unwrap();
    app.clock.advance_secs(46);
    is_told(&app, "Phone").await;
}

#[tokio::test]
async fn a_template_that_breaks_on_what_it_is_given_keeps_nobody_out() {
    let templates = tempfile::tempdir().unwrap();
    std::fs::create_dir(templates.path().join("en")).unwrap();
    // Without a device, as when the server starts, nothing is wrong with it.
    let text = "Subject: Hello\n\n{% if device %}{{ nothing_of_this_name }}{% endif %}\n";
    std::fs::write(templates.path().join("en/new_login.txt"), text).unwrap();
    let app = with_mail().with("mail.template_dir", templates.path().to_str().unwrap()).start().await;
    ann(&app).await;
    from("Phone", password(&app)).await;
    is_not_told(&app).await;
}
