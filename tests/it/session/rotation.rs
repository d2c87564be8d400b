//! A login takes the place of the session that its browser was in: nobody goes on in that one (OWASP ASVS 7.2.4).
use auth_service::rbac::Initiator;
use reqwest::header::COOKIE;
use reqwest::{Method, RequestBuilder};
use serde_json::json;

use crate::mail::{events, mail, mails, with_mail};
use crate::mfa::WithApp;
use crate::support::{PASSWORD, Person, TestApp, Tokens};

fn login(app: &TestApp, name: &str) -> RequestBuilder {
    app.request(Method::POST, "/auth/token").json(&json!({"username": name, "password": PASSWORD}))
}

/// In the browser that a session is in.
fn in_browser_of(request: RequestBuilder, before: &Person<'_>) -> RequestBuilder {
    request.header(COOKIE, format!("access_token_cookie={}", before.tokens.access))
}

/// Sends a login that must work.
async fn logged_in(app: &TestApp, request: RequestBuilder) -> Person<'_> {
    let answer = request.send().await.unwrap();
    assert_eq!(answer.status(), 200, "{}", answer.text().await.unwrap());
    app.person(Tokens::from(answer).await)
}

#[tokio::test]
async fn a_login_ends_the_session_of_its_browser_whosever_it_was() {
    let app = TestApp::start().await;
    let (anns, elsewhere) = (app.user("ann").await, app.log_in("ann", PASSWORD).await);
    let again = logged_in(&app, in_browser_of(login(&app, "ann"), &anns)).await;
    anns.is_out("TOKEN_REVOKED").await;
    assert_eq!((again.status().await, elsewhere.status().await), (200, 200));
    app.register("bob").await;
    let bobs = logged_in(&app, in_browser_of(login(&app, "bob"), &again)).await;
    again.is_out("TOKEN_REVOKED").await;
    assert_eq!((bobs.status().await, elsewhere.status().await), (200, 200));
    let told = events(&app, "session.revoked").await;
    let said: Vec<_> = told
        .iter()
        .map(|event| {
            let details = &event["details"];
            (&event["actor"]["name"], &event["subject"]["name"], &details["session"], &details["reason"])
        })
        .collect();
    let (reason, ann, bob) = (json!("replaced_by_login"), json!("ann"), json!("bob"));
    let (first, second) = (json!(again.session()), json!(anns.session()));
    assert_eq!(said, [(&bob, &ann, &first, &reason), (&ann, &ann, &second, &reason)]);
}

#[tokio::test]
async fn what_fails_or_is_no_cookie_ends_nothing() {
    let app = TestApp::start().await;
    let ann = app.user("ann").await;
    let wrong = json!({"username": "ann", "password": "wrong"});
    let request = in_browser_of(app.request(Method::POST, "/auth/token").json(&wrong), &ann);
    app.fails(request, 401, "INVALID_CREDENTIALS").await;
    // A program that holds a token, or a key, has no browser.
    let by_hand = login(&app, "ann").bearer_auth(&ann.tokens.access);
    logged_in(&app, by_hand).await;
    let key = ann.key(json!({"name": "x"})).await;
    logged_in(&app, login(&app, "ann").header("X-API-Key", key)).await;
    // Two that differ say nothing, nor does one whose time is over.
    let other = app.log_in("ann", PASSWORD).await;
    let two =
        format!("access_token_cookie={}; access_token_cookie={}", ann.tokens.access, other.tokens.access);
    logged_in(&app, login(&app, "ann").header(COOKIE, two)).await;
    assert_eq!((ann.status().await, other.status().await), (200, 200));
    // But the cookie counts, whatever stands in a header beside it.
    let both = in_browser_of(login(&app, "ann").bearer_auth(&other.tokens.access), &ann);
    logged_in(&app, both).await;
    ann.is_out("TOKEN_REVOKED").await;
    assert_eq!(other.status().await, 200);
}

#[tokio::test]
async fn so_does_a_login_in_two_steps_when_it_is_done() {
    let app = TestApp::start().await;
    let before = app.user("bob").await;
    let ann = WithApp::of(&app.user("ann").await).await;
    let request = in_browser_of(login(&app, "ann"), &before);
    let details = app.fails(request, 401, "MFA_REQUIRED").await;
    assert_eq!(before.status().await, 200);
    let body = json!({"mfa_token": details["mfa_token"], "code": ann.code()});
    let verify = app.request(Method::POST, "/auth/mfa/verify").json(&body);
    let after = logged_in(&app, in_browser_of(verify, &before)).await;
    before.is_out("TOKEN_REVOKED").await;
    assert_eq!((after.status().await, ann.person.status().await), (200, 200));
}

#[tokio::test]
async fn so_do_mails_and_recoveries() {
    let app = with_mail().with("mail.sign_in", "true").start().await;
    let (ann, before) = (app.user("ann").await, app.user("bob").await);
    mails(&app).await;
    app.post("/auth/email-login/start", &json!({"email": "ann@example.com"})).await;
    let token = mail(&app, "ann@example.com").await.token("asm_");
    let finish = app.request(Method::POST, "/auth/email-login/finish").json(&json!({"token": token}));
    let after = logged_in(&app, in_browser_of(finish, &before)).await;
    before.is_out("TOKEN_REVOKED").await;
    assert_eq!((after.status().await, ann.status().await), (200, 200));
    let before = app.log_in("bob", PASSWORD).await;
    let (token, _) = app.app.recoveries.start(Initiator::host(), ann.id()).await.unwrap();
    let recover = app.request(Method::POST, "/auth/recover").json(&json!({"token": token.expose()}));
    logged_in(&app, in_browser_of(recover, &before)).await;
    before.is_out("TOKEN_REVOKED").await;
}
