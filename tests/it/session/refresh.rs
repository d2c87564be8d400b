//! `POST /auth/token/refresh`: rotation, lifetimes, and what a refresh needs.
use reqwest::header::{COOKIE, SET_COOKIE};
use reqwest::{Method, RequestBuilder};

use crate::support::{PASSWORD, Setup, TestApp, set_cookie};

fn refresh(app: &TestApp, token: &str, csrf: Option<&str>) -> RequestBuilder {
    let request = app.request(Method::POST, "/auth/token/refresh");
    let request = request.header(COOKIE, format!("refresh_token_cookie={token}"));
    match csrf {
        Some(csrf) => request.header("X-CSRF-Token", csrf),
        None => request,
    }
}

#[tokio::test]
async fn a_refresh_rotates_both_tokens_and_keeps_the_rest() {
    let app = TestApp::start().await;
    let user = app.user("ann").await;
    let answer = user.refresh_request().send().await.unwrap();
    assert_eq!(answer.headers()["cache-control"], "no-store");
    assert_eq!(answer.headers().get_all(SET_COOKIE).iter().count(), 3);
    let next = app.person(crate::support::Tokens::from(answer).await);
    assert_ne!(next.tokens.access, user.tokens.access);
    assert_ne!(next.tokens.refresh, user.tokens.refresh);
    assert_eq!(next.tokens.csrf, user.tokens.csrf);
    assert_eq!((next.status().await, user.status().await), (200, 200));
    next.refreshed().await.refreshed().await;
}

#[tokio::test]
async fn a_refresh_without_a_token_is_unauthorized() {
    let app = TestApp::start().await;
    let user = app.user("ann").await;
    let without = app.request(Method::POST, "/auth/token/refresh").header("X-CSRF-Token", &user.tokens.csrf);
    app.fails(without, 401, "UNAUTHORIZED").await;
    let empty = refresh(&app, "", Some(&user.tokens.csrf));
    app.fails(empty, 401, "UNAUTHORIZED").await;
    let bearer = app.request(Method::POST, "/auth/token/refresh").bearer_auth(&user.tokens.refresh);
    app.fails(bearer, 401, "UNAUTHORIZED").await;
}

#[tokio::test]
async fn a_refresh_needs_the_csrf_token_of_its_own_session() {
    let app = TestApp::start().await;
    let (user, other) = (app.user("ann").await, app.user("bob").await);
    let token = &user.tokens.refresh;
    app.fails(refresh(&app, token, None), 403, "CSRF_FAILED").await;
    let long = "x".repeat(8000);
    let short = &user.tokens.csrf[..user.tokens.csrf.len() - 1];
    for wrong in ["", "wrong", &other.tokens.csrf, short, &long, token, &user.tokens.access] {
        app.fails(refresh(&app, token, Some(wrong)), 403, "CSRF_FAILED").await;
    }
    assert_eq!(user.refreshed().await.status().await, 200, "a refused refresh uses nothing up");
}

#[tokio::test]
async fn what_is_no_refresh_token_of_ours_is_invalid_and_harms_nobody() {
    let app = TestApp::start().await;
    let user = app.user("ann").await;
    let csrf = Some(user.tokens.csrf.as_str());
    let token = &user.tokens.refresh;
    let damaged = |at: usize| {
        let mut bytes = token.clone().into_bytes();
        bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
        String::from_utf8(bytes).unwrap()
    };
    let elsewhere = TestApp::start().await;
    let foreign = elsewhere.user("ann").await.tokens.refresh;
    let mut wrong: Vec<_> = [0, 4, 10, 26, 30, 50, 80, token.len() - 2].map(damaged).into();
    wrong.extend([
        format!("{token}A"),
        token[..token.len() - 1].to_owned(),
        user.tokens.access.clone(),
        foreign,
    ]);
    wrong.extend(["x".to_owned(), "asr_".to_owned(), "A".repeat(4000), token.to_uppercase()]);
    for wrong in wrong {
        app.fails(refresh(&app, &wrong, csrf), 401, "INVALID_TOKEN").await;
    }
    user.refreshed().await;
}

#[tokio::test]
async fn the_last_bits_of_a_refresh_token_have_one_spelling() {
    let app = TestApp::start().await;
    let user = app.user("ann").await;
    // The last character of the text carries fewer bits than six; another one with the same bits is another text.
    let (start, last) = user.tokens.refresh.split_at(user.tokens.refresh.len() - 1);
    for other in "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_=".chars() {
        if other.to_string() != last {
            let token = format!("{start}{other}");
            app.fails(refresh(&app, &token, Some(&user.tokens.csrf)), 401, "INVALID_TOKEN").await;
        }
    }
}

#[tokio::test]
async fn two_refresh_cookies_that_disagree_are_no_guess() {
    let app = TestApp::start().await;
    let (ann, bob) = (app.user("ann").await, app.user("bob").await);
    let both =
        format!("refresh_token_cookie={}; refresh_token_cookie={}", ann.tokens.refresh, bob.tokens.refresh);
    let request = app.request(Method::POST, "/auth/token/refresh").header(COOKIE, both);
    app.fails(request.header("X-CSRF-Token", &ann.tokens.csrf), 400, "MALFORMED_REQUEST").await;
}

#[tokio::test]
async fn a_refresh_token_beside_an_access_token_of_another_session_is_no_guess() {
    let app = TestApp::start().await;
    let (ann, bob) = (app.user("ann").await, app.user("bob").await);
    let with_bearer = ann.refresh_request().bearer_auth(&bob.tokens.access);
    app.fails(with_bearer, 400, "MALFORMED_REQUEST").await;
    let cookies =
        format!("refresh_token_cookie={}; access_token_cookie={}", ann.tokens.refresh, bob.tokens.access);
    let with_cookie = app.request(Method::POST, "/auth/token/refresh").header(COOKIE, cookies);
    let with_cookie = with_cookie.header("X-CSRF-Token", &ann.tokens.csrf);
    app.fails(with_cookie, 400, "MALFORMED_REQUEST").await;
    app.clock.advance_secs(900);
    let expired = ann.refresh_request().bearer_auth(&bob.tokens.access);
    app.json(expired, 200).await;
}

#[tokio::test]
async fn a_refresh_after_logout_is_refused() {
    let app = TestApp::start().await;
    let user = app.user("ann").await;
    let next = user.refreshed().await;
    next.log_out().await;
    for old in [&user, &next] {
        app.fails(old.refresh_request(), 401, "TOKEN_REVOKED").await;
    }
}

#[tokio::test]
async fn a_refresh_token_ends_with_its_time_and_every_refresh_begins_it_anew() {
    let app = Setup::default().with("tokens.refresh_lifetime_secs", "1000").start().await;
    let user = app.user("ann").await;
    app.clock.advance_secs(999);
    let user = user.refreshed().await;
    app.clock.advance_secs(999);
    let user = user.refreshed().await;
    app.clock.advance_secs(1000);
    app.fails(user.refresh_request(), 401, "TOKEN_EXPIRED").await;
    app.fails(user.bearer(Method::GET, "/auth/me"), 401, "TOKEN_EXPIRED").await;
}

#[tokio::test]
async fn a_refreshed_session_outlives_its_first_end() {
    let app = Setup::default().with("tokens.refresh_lifetime_secs", "1000").start().await;
    let user = app.user("ann").await;
    assert_eq!(user.status().await, 200);
    app.clock.advance_secs(600);
    let user = user.refreshed().await;
    app.clock.advance_secs(500);
    assert_eq!(user.status().await, 200, "its end has moved");
    let page = app.json(user.bearer(Method::GET, "/auth/sessions"), 200).await;
    assert_eq!(page["items"][0]["expires_at"], "2027-01-15T08:26:40Z");
    app.app.tend().await;
    assert_eq!(user.status().await, 200);
}

#[tokio::test]
async fn a_session_ends_at_its_latest_however_often_it_is_refreshed() {
    let app = Setup::default().with("sessions.max_lifetime_secs", "1500").start().await;
    let user = app.user("ann").await;
    app.clock.advance_secs(1000);
    let answer = user.refresh_request().send().await.unwrap();
    for name in ["refresh_token_cookie", "csrf_access_token"] {
        let cookie = set_cookie(answer.headers(), name);
        assert!(cookie.ends_with("Max-Age=500"), "{cookie}");
    }
    let user = app.person(crate::support::Tokens::from(answer).await);
    app.clock.advance_secs(499);
    let user = user.refreshed().await;
    assert_eq!(user.status().await, 200);
    app.clock.advance_secs(1);
    app.fails(user.refresh_request(), 401, "TOKEN_EXPIRED").await;
    app.fails(user.bearer(Method::GET, "/auth/me"), 401, "TOKEN_EXPIRED").await;
}

#[tokio::test]
async fn an_access_token_ends_at_its_last_second_and_the_session_goes_on() {
    let app = TestApp::start().await;
    let user = app.user("ann").await;
    app.clock.advance_secs(899);
    assert_eq!(user.status().await, 200);
    app.clock.advance_secs(1);
    app.fails(user.bearer(Method::GET, "/auth/me"), 401, "TOKEN_EXPIRED").await;
    app.fails(user.cookie(Method::GET, "/auth/me"), 401, "TOKEN_EXPIRED").await;
    assert_eq!(user.refreshed().await.status().await, 200);
}

#[tokio::test]
async fn a_clock_that_is_set_back_ends_nothing() {
    let app = TestApp::start().await;
    let user = app.user("ann").await;
    app.clock.advance_secs(-86_400);
    assert_eq!(user.status().await, 200);
    let next = user.refreshed().await;
    assert_eq!(next.status().await, 200);
    assert_eq!(user.refreshed().await.tokens, next.tokens, "an answer of the future is one of this moment");
}

#[tokio::test]
async fn a_session_goes_on_after_a_restart() {
    let setup = || Setup::default().at("http://id.example");
    let app = setup().start().await;
    let tokens = app.user("ann").await.tokens;
    let app = app.restart(setup()).await;
    let user = app.person(tokens);
    assert_eq!(user.status().await, 200);
    let user = user.refreshed().await;
    assert_eq!(user.profile().await["username"], "ann");
    app.log_in("ann", PASSWORD).await;
}
