//! A refresh token that is presented again: soon it is a lost answer, later it is a thief.
use reqwest::header::SET_COOKIE;

use crate::support::{Person, Setup, TestApp};

/// Everything of an answer that a client sees, but for the headers that belong to the request.
async fn answer(user: &Person<'_>) -> (u16, Vec<String>, String) {
    let answer = user.refresh_request().send().await.unwrap();
    let cookies = answer.headers().get_all(SET_COOKIE).iter().map(|value| value.to_str().unwrap().to_owned());
    (answer.status().as_u16(), cookies.collect(), answer.text().await.unwrap())
}

#[tokio::test]
async fn the_same_refresh_token_32_times_at_once_gives_one_answer() {
    let app = TestApp::start().await;
    let user = app.user("ann").await;
    let all = futures_util::future::join_all((0..32).map(|_| answer(&user))).await;
    assert_eq!(all[0].0, 200);
    assert!(all.iter().all(|one| *one == all[0]));
    let next = user.refreshed().await;
    assert_ne!(next.tokens.refresh, user.tokens.refresh);
    assert_eq!(next.refreshed().await.status().await, 200);
}

#[tokio::test]
async fn an_old_token_gets_the_identical_answer_for_30_seconds() {
    let app = TestApp::start().await;
    let user = app.user("ann").await;
    let first = answer(&user).await;
    for _ in 0..3 {
        app.clock.advance_secs(10);
        assert_eq!(answer(&user).await, first);
    }
}

#[tokio::test]
async fn an_old_token_gets_the_identical_answer_after_a_restart() {
    let setup = || Setup::default().at("http://id.example");
    let app = setup().start().await;
    let tokens = app.user("ann").await.tokens;
    let first = answer(&app.person(tokens.clone())).await;
    let app = app.restart(setup()).await;
    app.clock.advance_secs(29);
    assert_eq!(answer(&app.person(tokens)).await, first);
}

#[tokio::test]
async fn an_old_token_after_30_seconds_ends_the_session() {
    let app = TestApp::start().await;
    let user = app.user("ann").await;
    let next = user.refreshed().await;
    app.clock.advance_secs(31);
    app.fails(user.refresh_request(), 401, "TOKEN_REVOKED").await;
    next.is_out("TOKEN_REVOKED").await;
    user.is_out("TOKEN_REVOKED").await;
    assert_eq!(app.log_in("ann", crate::support::PASSWORD).await.status().await, 200);
}

#[tokio::test]
async fn an_old_token_ends_its_own_session_alone() {
    let app = TestApp::start().await;
    let (user, bob) = (app.user("ann").await, app.user("bob").await);
    let other = app.log_in("ann", crate::support::PASSWORD).await;
    user.refreshed().await;
    app.clock.advance_secs(31);
    app.fails(user.refresh_request(), 401, "TOKEN_REVOKED").await;
    assert_eq!((other.status().await, bob.status().await), (200, 200));
}

#[tokio::test]
async fn an_old_token_needs_its_csrf_token_to_do_anything() {
    let app = TestApp::start().await;
    let user = app.user("ann").await;
    let next = user.refreshed().await;
    app.clock.advance_secs(31);
    let mut forged = user.clone();
    forged.tokens.csrf = "wrong".into();
    app.fails(forged.refresh_request(), 403, "CSRF_FAILED").await;
    assert_eq!(next.status().await, 200, "a page of another origin cannot log anyone out");
}

#[tokio::test]
async fn a_chain_of_refreshes_within_the_window_can_be_walked_again() {
    let app = TestApp::start().await;
    let first = app.user("ann").await;
    let second = first.refreshed().await;
    app.clock.advance_secs(10);
    let third = second.refreshed().await;
    app.clock.advance_secs(10);
    assert_eq!(first.refreshed().await.tokens, second.tokens);
    assert_eq!(second.refreshed().await.tokens, third.tokens);
    assert_eq!((first.status().await, third.status().await), (200, 200));
    app.clock.advance_secs(15);
    assert_eq!(second.refreshed().await.tokens, third.tokens, "25 seconds old");
    app.fails(first.refresh_request(), 401, "TOKEN_REVOKED").await;
    third.is_out("TOKEN_REVOKED").await;
}

#[tokio::test]
async fn a_long_chain_in_one_moment_logs_nobody_out() {
    let app = TestApp::start().await;
    let first = app.user("ann").await;
    let mut last = first.refreshed().await;
    for _ in 0..8 {
        last = last.refreshed().await;
    }
    app.fails(first.refresh_request(), 401, "INVALID_TOKEN").await;
    assert_eq!(last.refreshed().await.status().await, 200);
    app.clock.advance_secs(31);
    app.fails(first.refresh_request(), 401, "TOKEN_REVOKED").await;
    last.is_out("TOKEN_REVOKED").await;
}

#[tokio::test]
async fn without_a_window_every_second_use_ends_the_session() {
    let app = Setup::default().with("tokens.refresh_replay_secs", "0").start().await;
    let user = app.user("ann").await;
    let next = user.refreshed().await;
    app.clock.advance_secs(1);
    app.fails(user.refresh_request(), 401, "TOKEN_REVOKED").await;
    next.is_out("TOKEN_REVOKED").await;
}

#[tokio::test]
async fn the_kept_answer_is_sealed() {
    let app = TestApp::start().await;
    let user = app.user("ann").await;
    let next = user.refreshed().await;
    let file = app.data_dir.path().join("auth.redb");
    let bytes = std::fs::read(file).unwrap();
    let holds = |text: &str| bytes.windows(text.len()).any(|part| part == text.as_bytes());
    assert!(holds("ann@example.com"), "the file is the store");
    for secret in [&next.tokens.access, &next.tokens.refresh, &user.tokens.refresh, &user.tokens.access] {
        assert!(!holds(secret) && !holds(&secret[..40]), "a token lies in the store");
    }
}
