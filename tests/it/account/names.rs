//! Which names and addresses are the same one.
use reqwest::{Method, RequestBuilder};
use serde_json::json;

use crate::support::{PASSWORD, TestApp};

fn registration(app: &TestApp, username: &str, email: &str) -> RequestBuilder {
    let body = json!({"username": username, "email": email, "password": PASSWORD});
    app.request(Method::POST, "/auth/register").json(&body)
}

fn login(app: &TestApp, login: &str) -> RequestBuilder {
    app.request(Method::POST, "/auth/token").json(&json!({"username": login, "password": PASSWORD}))
}

/// Registers the first name and checks that nobody can have one of the others.
async fn one_name(names: &[&str]) {
    let app = TestApp::start().await;
    app.json(registration(&app, names[0], "first@example.com"), 201).await;
    for other in &names[1..] {
        let reason = app.refuses(registration(&app, other, "second@example.com"), "username").await;
        assert_eq!(reason, "is taken", "{other} beside {}", names[0]);
    }
}

/// Registers the first address and checks that nobody can have one of the others.
async fn one_address(addresses: &[&str]) {
    let app = TestApp::start().await;
    app.json(registration(&app, "first", addresses[0]), 201).await;
    for other in &addresses[1..] {
        let reason = app.refuses(registration(&app, "second", other), "email").await;
        assert_eq!(reason, "is taken", "{other} beside {}", addresses[0]);
    }
}

#[tokio::test]
async fn a_user_name_is_taken_in_every_case() {
    one_name(&["Anna", "anna", "ANNA", "aNNa"]).await;
    one_name(&["\u{dc}nal", "\u{fc}NAL"]).await;
}

#[tokio::test]
async fn a_user_name_is_taken_where_two_small_letters_share_a_capital() {
    one_name(&["\u{3bd}\u{3af}\u{3ba}\u{3bf}\u{3c2}", "\u{39d}\u{38a}\u{39a}\u{39f}\u{3a3}"]).await;
    one_name(&["STRASSE", "stra\u{df}e", "Stra\u{df}e"]).await;
}

#[tokio::test]
async fn a_user_name_is_taken_in_every_unicode_form() {
    one_name(&["anna", "\u{ff41}\u{ff4e}\u{ff4e}\u{ff41}", "\u{1d41a}nna"]).await;
    one_name(&["\u{e9}ric", "e\u{301}ric", "E\u{301}RIC"]).await;
    one_name(&["office", "o\u{fb03}ce"]).await;
}

#[tokio::test]
async fn a_name_that_looks_like_another_in_a_different_script_is_taken() {
    // Latin first, then Cyrillic, and the other way round.
    one_name(&["aee", "\u{430}\u{435}\u{435}", "\u{410}\u{415}\u{415}"]).await;
    one_name(&["\u{430}\u{435}\u{435}", "aee"]).await;
    one_name(&["ooo", "\u{3bf}\u{3bf}\u{3bf}"]).await;
}

#[tokio::test]
async fn plain_names_that_look_alike_are_two() {
    let app = TestApp::start().await;
    app.json(registration(&app, "user1", "one@example.com"), 201).await;
    app.json(registration(&app, "userl", "l@example.com"), 201).await;
    assert_eq!(app.log_in("user1", PASSWORD).await.profile().await["username"], "user1");
    assert_eq!(app.log_in("userl", PASSWORD).await.profile().await["username"], "userl");
}

#[tokio::test]
async fn a_user_name_is_kept_as_written_but_for_its_unicode_form() {
    let app = TestApp::start().await;
    let made = app.json(registration(&app, "\u{ff21}nnA", "a@example.com"), 201).await;
    assert_eq!(made["username"], "AnnA");
}

#[tokio::test]
async fn an_address_is_taken_in_every_case_and_form() {
    one_address(&["Ann@example.com", "ann@EXAMPLE.com", "ANN@EXAMPLE.COM", " ann@example.com "]).await;
    one_address(&["x@b\u{fc}cher.example", "x@xn--bcher-kva.example", "X@B\u{dc}CHER.example"]).await;
    one_address(&["ann@example.com", "\u{ff41}nn@example.com"]).await;
}

#[tokio::test]
async fn an_address_that_looks_like_another_is_taken() {
    one_address(&["aee@example.com", "\u{430}\u{435}\u{435}@example.com"]).await;
}

#[tokio::test]
async fn a_user_logs_in_by_name_or_address_in_any_case_and_form() {
    let app = TestApp::start().await;
    app.json(registration(&app, "\u{c9}ric", "Eric.B@B\u{fc}cher.example"), 201).await;
    for given in [
        "\u{c9}ric",
        "\u{e9}RIC",
        "E\u{301}ric",
        "Eric.B@b\u{fc}cher.example",
        "ERIC.B@XN--BCHER-KVA.EXAMPLE",
    ] {
        app.json(login(&app, given), 200).await;
    }
}

#[tokio::test]
async fn nobody_logs_in_by_a_name_that_only_looks_like_theirs() {
    let app = TestApp::start().await;
    app.json(registration(&app, "aee", "aee@example.com"), 201).await;
    for given in ["\u{430}\u{435}\u{435}", "aee ", "aee\u{0}", "", "@", "aee@", "1", "aee@example.com\u{0}"] {
        app.fails(login(&app, given), 401, "INVALID_CREDENTIALS").await;
    }
}
