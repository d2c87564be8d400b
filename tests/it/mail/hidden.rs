//! Registration that does not tell which addresses have an account.
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};

use super::{Mail, mail, mails, refused, with_mail};
use crate::support::{PASSWORD, TestApp};

const TAKEN: &str = "ann@example.com";
const VERIFY: &str = "/auth/email/verify";

/// A server with one account, of `ann`.
async fn start() -> TestApp {
    let app = with_mail().with("registration", "hidden").start().await;
    let email = TAKEN.to_owned();
    assert_eq!(register(&app, "ann", &email).await, 202);
    verify(&app, &mail(&app, TAKEN).await).await;
    app
}

fn request(app: &TestApp, name: &str, email: &str) -> RequestBuilder {
    let body = json!({"username": name, "email": email, "password": PASSWORD});
    app.request(Method::POST, "/auth/register").json(&body)
}

async fn register(app: &TestApp, name: &str, email: &str) -> u16 {
    let answer = request(app, name, email).send().await.unwrap();
    let status = answer.status().as_u16();
    let body: Value = answer.json().await.unwrap();
    assert_eq!(body, json!({"message": "A mail is on its way; the link in it makes the account"}));
    status
}

async fn verify(app: &TestApp, mail: &Mail) {
    app.done(app.request(Method::POST, VERIFY).json(&json!({"token": mail.token("asn_")}))).await;
}

async fn login_fails(app: &TestApp, name: &str) {
    let body = json!({"username": name, "password": PASSWORD});
    app.fails(app.request(Method::POST, "/auth/token").json(&body), 401, "INVALID_CREDENTIALS").await;
}

#[tokio::test]
async fn the_account_is_made_when_the_link_is_opened_and_its_address_is_verified() {
    let app = start().await;
    let root = app.superuser("root").await;
    assert_eq!(register(&app, "bob", "bob@example.com").await, 202);
    login_fails(&app, "bob").await;
    let mailed = mail(&app, "bob@example.com").await;
    verify(&app, &mailed).await;
    app.log_in("bob", PASSWORD).await;
    refused(&app, VERIFY, json!({"token": mailed.token("asn_")})).await;
    let shown = app.json(root.bearer(Method::GET, "/users?username=bob"), 200).await;
    assert_eq!(shown["items"][0]["email_verified"], true);
}

#[tokio::test]
async fn for_a_taken_address_everything_looks_the_same_and_its_owner_hears_of_it() {
    let app = start().await;
    for (name, email) in [("new1", "new@example.com"), ("new2", TAKEN)] {
        assert_eq!(register(&app, name, email).await, 202);
        login_fails(&app, name).await;
        // The name is taken from now on, in both cases, for everybody else.
        let reason = app.refuses(request(&app, name, "other@example.com"), "username").await;
        assert_eq!(reason, "is taken");
        // Whoever has lost the mail may ask again.
        assert_eq!(register(&app, name, email).await, 202);
        let told = mails(&app).await;
        assert_eq!(told.len(), 2);
        assert!(told.iter().all(|mail| mail.to == email), "{told:?}");
        let holds = told.iter().filter(|mail| mail.raw.contains("asn_")).count();
        assert_eq!(holds, if email == TAKEN { 0 } else { 2 });
    }
    let reset = json!({"email": "new@example.com"});
    assert_eq!(app.post("/auth/password/forgot", &reset).await.status(), 202);
    assert!(mails(&app).await.is_empty(), "there is no account yet");
}

#[tokio::test]
async fn a_taken_user_name_is_told() {
    let app = start().await;
    for name in ["ann", "ANN"] {
        assert_eq!(app.refuses(request(&app, name, "new@example.com"), "username").await, "is taken");
    }
    app.refuses(request(&app, "a b", "new@example.com"), "username").await;
    assert!(mails(&app).await.is_empty());
}

#[tokio::test]
async fn of_two_links_the_newest_counts_and_for_a_day() {
    let app = start().await;
    register(&app, "bob", "bob@example.com").await;
    let older = mail(&app, "bob@example.com").await;
    register(&app, "bob", "bob@example.com").await;
    let newer = mail(&app, "bob@example.com").await;
    refused(&app, VERIFY, json!({"token": older.token("asn_")})).await;
    refused(&app, VERIFY, json!({"token": newer.token("asn_").replace("asn_", "asv_")})).await;
    app.clock.advance_secs(24 * 3600);
    refused(&app, VERIFY, json!({"token": newer.token("asn_")})).await;
    app.app.tend().await;
    let findings = app.app.store.verify(&auth_service::app::CHECKS.concat()).unwrap();
    assert_eq!(findings.problems, Vec::<String>::new());
    register(&app, "bob", "elsewhere@example.com").await;
    verify(&app, &mail(&app, "elsewhere@example.com").await).await;
}

#[tokio::test]
async fn what_somebody_else_has_by_now_is_told_to_whoever_opens_the_link() {
    let app = start().await;
    register(&app, "bob", "bob@example.com").await;
    let mailed = mail(&app, "bob@example.com").await;
    let root = app.superuser("root").await;
    let body = json!({"username": "robert", "email": "bob@example.com"});
    app.json(root.bearer(Method::POST, "/users").json(&body), 201).await;
    let token = json!({"token": mailed.token("asn_")});
    app.refuses(app.request(Method::POST, VERIFY).json(&token), "email").await;
}

#[tokio::test]
async fn no_owner_of_an_account_finds_addresses_out_by_asking_for_them() {
    let app = start().await;
    register(&app, "bob", "bob@example.com").await;
    verify(&app, &mail(&app, "bob@example.com").await).await;
    let bob = app.log_in("bob", PASSWORD).await;
    for (email, holds) in [("new@example.com", true), (TAKEN, false)] {
        let body = json!({"email": email, "current_password": PASSWORD});
        let answer = app.json(bob.bearer(Method::PATCH, "/auth/me").json(&body), 200).await;
        assert_eq!(answer["email"], "bob@example.com");
        let told = mails(&app).await;
        assert_eq!(told.len(), 2, "{told:?}");
        assert!(
            told.iter().any(|mail| mail.to == "bob@example.com" && mail.subject.contains("about to change"))
        );
        assert_eq!(told.iter().any(|mail| mail.to == email && mail.raw.contains("ase_")), holds, "{email}");
    }
}
