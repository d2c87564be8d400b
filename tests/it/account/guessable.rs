//! Passwords that are refused for being easy to guess, or known from breaches: wherever one is chosen.
use auth_service::base::Tick;
use auth_service::crypto::hash::sha1;
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};

use crate::support::{PASSWORD, Person, Setup, TestApp};

/// No list has it, and it is easy to guess all the same.
const WEAK: &str = "zebra2027";
/// Hard to guess, but in the list of this file's tests.
const STOLEN: &str = "plum gravel 77 tandem";

fn registers(app: &TestApp, password: &str) -> RequestBuilder {
    let body = json!({"username": "bob", "email": "bob@example.com", "password": password});
    app.request(Method::POST, "/auth/register").json(&body)
}

fn changes(ann: &Person<'_>, password: &str) -> RequestBuilder {
    let body = json!({"current_password": PASSWORD, "new_password": password});
    ann.bearer(Method::POST, "/auth/password/change").json(&body)
}

async fn resets(root: &Person<'_>, id: u64, password: &str) -> RequestBuilder {
    let started = root.bearer(Method::POST, &format!("/users/{id}/password-reset"));
    let token = root.app.json(started, 201).await["token"].clone();
    root.app
        .request(Method::POST, "/auth/password/reset")
        .json(&json!({"token": token, "new_password": password}))
}

/// What is said of a password wherever it can be chosen.
async fn refusals(app: &TestApp, password: &str) -> Vec<Value> {
    let (root, ann) = (app.superuser("root").await, app.user("ann").await);
    let mut said = Vec::new();
    for (request, field) in [
        (registers(app, password), "password"),
        (changes(&ann, password), "new_password"),
        (resets(&root, ann.id(), password).await, "new_password"),
    ] {
        let details = app.fails(request, 400, "VALIDATION_ERROR").await;
        assert_eq!(details["field"], field, "{details}");
        said.push(details);
    }
    app.log_in("ann", PASSWORD).await;
    said
}

/// A list of stolen passwords, and the filter made of it.
fn filter(passwords: &[&str]) -> (tempfile::TempDir, String) {
    let dir = tempfile::tempdir().unwrap();
    let hash = |password: &&str| {
        sha1(password.as_bytes()).iter().map(|byte| format!("{byte:02X}")).collect::<String>()
    };
    let lines: String = passwords.iter().map(hash).map(|hash| hash + ":7\r\n").collect();
    std::fs::write(dir.path().join("list"), lines).unwrap();
    let out = dir.path().join("filter");
    auth_service::breach::build(&dir.path().join("list"), &out, 1).unwrap();
    let out = out.to_str().unwrap().to_owned();
    (dir, out)
}

#[tokio::test]
async fn a_weak_password_is_refused_everywhere_with_what_would_make_it_stronger() {
    let app = TestApp::start().await;
    for details in refusals(&app, WEAK).await {
        assert_eq!(details["reason"], "is too easy to guess");
        let strength = &details["strength"];
        let names: Vec<_> = strength.as_object().unwrap().keys().collect();
        assert_eq!(names, ["score", "guesses_log10", "warning", "suggestions"]);
        assert!(strength["score"].as_u64().unwrap() < 2, "{strength}");
        let guesses = strength["guesses_log10"].as_f64().unwrap();
        assert!((1.0..6.0).contains(&guesses), "{strength}");
        assert!(!strength["suggestions"].as_array().unwrap().is_empty(), "{strength}");
        assert!(!strength.to_string().contains("zebra"), "{strength}");
    }
}

#[tokio::test]
async fn what_is_refused_for_another_reason_says_nothing_of_strength() {
    let app = TestApp::start().await;
    for password in ["short", "xx bob xx 81 battery"] {
        let details = app.fails(registers(&app, password), 400, "VALIDATION_ERROR").await;
        assert_eq!(details.as_object().unwrap().len(), 2, "{details}");
    }
    let details = app.fails(registers(&app, "password1234"), 400, "VALIDATION_ERROR").await;
    assert_eq!(details["reason"], "is one of the most common passwords");
    assert!(details["strength"]["score"].as_u64().unwrap() < 2, "{details}");
}

#[tokio::test]
async fn a_passphrase_needs_no_capitals_digits_or_signs() {
    let app = TestApp::start().await;
    let user = app.user("ann").await;
    let mut before = PASSWORD;
    for good in [
        "correct horse battery",
        "kvxwzqjf",
        "plumgraveltandem",
        "caf\u{e9} cr\u{e8}me br\u{fb}l\u{e9}e",
        "\u{5c71}\u{7530}\u{592a}\u{90ce}\u{306e}\u{5bb6}\u{65cf}\u{5199}\u{771f}",
        "83 51 90 27 64",
    ] {
        let body = json!({"current_password": before, "new_password": good});
        app.done(user.bearer(Method::POST, "/auth/password/change").json(&body)).await;
        before = good;
    }
}

#[tokio::test]
async fn how_strong_it_has_to_be_is_a_setting() {
    let lax = Setup::default().with("password.min_strength", "0").start().await;
    assert_eq!(registers(&lax, WEAK).send().await.unwrap().status(), 201);
    let strict = Setup::default().with("password.min_strength", "4").start().await;
    let medium = "zebra2027violin";
    app_refuses(&strict, medium).await;
    assert_eq!(registers(&strict, PASSWORD).send().await.unwrap().status(), 201);
    let default = TestApp::start().await;
    assert_eq!(registers(&default, medium).send().await.unwrap().status(), 201);
}

async fn app_refuses(app: &TestApp, password: &str) {
    assert_eq!(app.refuses(registers(app, password), "password").await, "is too easy to guess");
}

#[tokio::test]
async fn a_password_of_a_breach_is_refused_everywhere() {
    let (_dir, file) = filter(&[STOLEN, "another 55 stolen one"]);
    let app = Setup::default().with("password.breach_filter", &file).start().await;
    for details in refusals(&app, STOLEN).await {
        assert_eq!(details["reason"], "is in a list of passwords that were stolen from other services");
        assert_eq!(details.as_object().unwrap().len(), 2, "{details}");
    }
    assert_eq!(registers(&app, "plum gravel 78 tandem").send().await.unwrap().status(), 201);
}

#[tokio::test]
async fn passwords_of_any_length_are_judged_quickly() {
    let app = TestApp::start().await;
    for (n, piece) in ["a", "a1", "p4ssw0rd", "\u{1f980}", "qwerty", "11", "@4a"].iter().enumerate() {
        let password: String = piece.chars().cycle().take(256).collect();
        let begun = Tick::now();
        let status = registers(&app, &password).send().await.unwrap().status().as_u16();
        assert!(status == 400 || status == 201, "{n}: {status}");
        assert!(begun.elapsed().as_secs() < 5, "{piece} took {:?}", begun.elapsed());
    }
}
