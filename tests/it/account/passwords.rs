//! What passwords may be, how exactly they are checked, how they are changed, and how their hashes are renewed.
use reqwest::{Method, RequestBuilder};
use serde_json::json;

use crate::support::{PASSWORD, Person, Setup, TestApp};

const OTHER: &str = "staple 17 of the donkey";

fn registration(app: &TestApp, username: &str, password: &str) -> RequestBuilder {
    let body =
        json!({"username": username, "email": format!("{username}@mail.example"), "password": password});
    app.request(Method::POST, "/auth/register").json(&body)
}

fn login(app: &TestApp, username: &str, password: &str) -> RequestBuilder {
    app.request(Method::POST, "/auth/token").json(&json!({"username": username, "password": password}))
}

fn change(user: &Person, current: &str, new: &str) -> RequestBuilder {
    let body = json!({"current_password": current, "new_password": new});
    user.bearer(Method::POST, "/auth/password/change").json(&body)
}

/// Registers with a password and checks that the wrong ones do not pass for it.
async fn exact(password: &str, wrong: &[&str]) {
    let app = TestApp::start().await;
    app.json(registration(&app, "ann", password), 201).await;
    app.json(login(&app, "ann", password), 200).await;
    for wrong in wrong {
        app.fails(login(&app, "ann", wrong), 401, "INVALID_CREDENTIALS").await;
    }
}

#[tokio::test]
async fn a_password_has_8_to_256_characters_of_any_kind() {
    // How hard it is to guess is another question.
    let app = Setup::default().with("password.min_strength", "0").start().await;
    for bad in ["", "x", "1234567", &"\u{1f980}".repeat(7), &"x1".repeat(200), &"q".repeat(257)] {
        let reason = app.refuses(registration(&app, "ann", bad), "password").await;
        assert_eq!(reason, "must have 8 to 256 characters");
    }
    let good = [
        "kvxwzqjf",
        "abcdefghijklmnop",
        "12 34 56 78",
        " padded ",
        &"\u{1f980}".repeat(8),
        "\u{e4}\u{f6}\u{fc}\u{df}\u{e4}\u{f6}\u{fc}\u{df}",
    ];
    for (n, good) in good.into_iter().enumerate() {
        app.json(registration(&app, &format!("user{n}"), good), 201).await;
        app.log_in(&format!("user{n}"), good).await;
    }
    for (name, good) in [("max", "x".repeat(256)), ("crabs", "\u{1f980}".repeat(256))] {
        app.json(registration(&app, name, &good), 201).await;
        app.log_in(name, &good).await;
    }
}

#[tokio::test]
async fn a_common_password_is_refused_in_every_case() {
    let app = TestApp::start().await;
    let user = app.user("ann").await;
    for bad in ["password1234", "qwertyuiop", "PASSWORD", "Iloveyou", "12345678", "letmein1"] {
        let reason = app.refuses(registration(&app, "bob", bad), "password").await;
        assert_eq!(reason, "is one of the most common passwords");
        app.refuses(change(&user, PASSWORD, bad), "new_password").await;
    }
}

#[tokio::test]
async fn a_password_does_not_hold_the_names_of_its_owner() {
    let app = TestApp::start().await;
    let body = |password: &str| json!({"username": "BobBuilder", "email": "robert.b@mail.example", "password": password});
    for bad in ["xx bobbuilder xx", "BOBBUILDER-17-x", "my robert.b 1234", "robert.b@mail.example"] {
        let request = app.request(Method::POST, "/auth/register").json(&body(bad));
        assert!(app.refuses(request, "password").await.starts_with("must not hold the"));
    }
    app.json(app.request(Method::POST, "/auth/register").json(&body("mail.example 17x")), 201).await;
}

#[tokio::test]
async fn a_password_does_not_hold_a_blocked_word() {
    let app = Setup::default().with("password.blocked_words", "Initech, acme").start().await;
    for bad in ["initech rocks 2026", "we love ACME so", "Auth-Service2026!", "auth_service 1"] {
        app.refuses(registration(&app, "ann", bad), "password").await;
    }
    app.json(registration(&app, "ann", "innovative tech 17"), 201).await;
}

#[tokio::test]
async fn a_password_is_checked_to_its_last_byte() {
    let password = "plum gravel 77 tandem ".to_owned() + &"0123456789".repeat(8);
    let mut changed = password.clone();
    changed.replace_range(72..73, "x");
    exact(&password, &[&changed, &password[..72], &password[..99], &format!("{password}0")]).await;
}

#[tokio::test]
async fn a_password_is_checked_as_it_was_sent() {
    exact("Two words ", &["Two words", " Two words", "two words ", "Two  words "]).await;
    exact("before\u{0}after", &["before", "before\u{0}", "before\u{0}other", "beforeafter"]).await;
    exact("caf\u{e9} cr\u{e8}me", &["cafe\u{301} cre\u{300}me", "CAF\u{c9} CR\u{c8}ME"]).await;
}

#[tokio::test]
async fn a_changed_password_ends_all_other_sessions_but_not_this_one() {
    let app = TestApp::start().await;
    let (this, other) = (app.user("ann").await, app.log_in("ann", PASSWORD).await);
    app.done(change(&this, PASSWORD, OTHER)).await;
    assert_eq!(this.status().await, 200);
    this.refreshed().await;
    other.is_out("TOKEN_REVOKED").await;
    app.fails(login(&app, "ann", PASSWORD), 401, "INVALID_CREDENTIALS").await;
    app.log_in("ann", OTHER).await;
}

#[tokio::test]
async fn a_password_change_needs_the_current_password() {
    let app = TestApp::start().await;
    let user = app.user("ann").await;
    let other = app.log_in("ann", PASSWORD).await;
    assert_eq!(app.refuses(change(&user, "wrong wrong", OTHER), "current_password").await, "is wrong");
    app.refuses(change(&user, PASSWORD, "short"), "new_password").await;
    app.refuses(change(&user, PASSWORD, "my ann@example.com 1"), "new_password").await;
    let without = user.bearer(Method::POST, "/auth/password/change").json(&json!({"new_password": OTHER}));
    app.refuses(without, "current_password").await;
    let without =
        user.bearer(Method::POST, "/auth/password/change").json(&json!({"current_password": PASSWORD}));
    app.refuses(without, "new_password").await;
    assert_eq!(other.status().await, 200, "a refused change ends nothing");
    app.log_in("ann", PASSWORD).await;
}

#[tokio::test]
async fn of_several_password_changes_at_once_one_wins() {
    let app = TestApp::start().await;
    let user = app.user("ann").await;
    let mut current = PASSWORD.to_owned();
    for round in 0..5 {
        let new: Vec<_> = (0..6).map(|n| format!("{OTHER} {round} {n}")).collect();
        let changes = new.iter().map(|new| change(&user, &current, new).send());
        let answers = futures_util::future::join_all(changes).await;
        let mut won = Vec::new();
        for (answer, new) in answers.into_iter().zip(&new) {
            let answer = answer.unwrap();
            if answer.status() == 204 {
                won.push(new.clone());
            } else {
                let details = app.failure(Method::POST, answer, 400, "VALIDATION_ERROR").await;
                assert_eq!(details["field"], "current_password");
            }
        }
        assert_eq!(won.len(), 1, "{won:?}");
        current = won.remove(0);
        app.log_in("ann", &current).await;
        for lost in new.iter().filter(|new| **new != current) {
            app.fails(login(&app, "ann", lost), 401, "INVALID_CREDENTIALS").await;
        }
    }
}

#[tokio::test]
async fn a_weaker_stored_hash_is_renewed_at_login() {
    let stored = |app: &TestApp| app.app.accounts.find("ann").unwrap().password_hash;
    let strong = || Setup::default().with("password.iterations", "2").with("password.memory_kib", "16");
    let app = TestApp::start().await;
    app.register("ann").await;
    assert!(stored(&app).starts_with("$argon2id$v=19$m=8,t=1,p=1$"), "{}", stored(&app));

    let app = app.restart(strong()).await;
    app.fails(login(&app, "ann", OTHER), 401, "INVALID_CREDENTIALS").await;
    assert!(stored(&app).contains("m=8,t=1,"), "a wrong password renews nothing");
    let user = app.log_in("ann", PASSWORD).await;
    let renewed = stored(&app);
    assert!(renewed.contains("m=16,t=2,"), "{renewed}");
    assert_eq!(user.status().await, 200);
    app.log_in("ann", PASSWORD).await;
    assert_eq!(stored(&app), renewed, "once is enough");

    let app = app.restart(Setup::default()).await;
    app.log_in("ann", PASSWORD).await;
    assert_eq!(stored(&app), renewed, "nothing is made weaker");
}

#[tokio::test]
async fn a_megabyte_of_password_is_refused_unhashed() {
    let app = TestApp::start().await;
    let user = app.user("ann").await;
    let huge = "x".repeat(1_000_000);
    app.refuses(registration(&app, "bob", &huge), "password").await;
    app.refuses(change(&user, PASSWORD, &huge), "new_password").await;
    app.fails(login(&app, "ann", &huge), 401, "INVALID_CREDENTIALS").await;
}
