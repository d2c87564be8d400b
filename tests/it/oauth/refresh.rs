//! Refresh tokens: they rotate, they answer twice within a moment, and a copy ends the grant (RFC 9700 section 4.14.2).
use serde_json::{Value, json};

use super::{Browser, Fields, Party};
use crate::support::{TestApp, jwt};

fn refresh_token(tokens: &Value) -> &str {
    tokens["refresh_token"].as_str().unwrap()
}

#[tokio::test]
async fn a_refresh_gives_other_tokens_about_the_same_login() {
    let app = TestApp::start().await;
    let root = app.superuser("root").await;
    app.register("ann").await;
    let photos = Party::ours(&root).await;
    let first = photos.log_in(&mut Browser::new(&app), "ann").await;
    app.clock.advance_secs(1000);
    let second = photos.tokens(photos.refreshes(&first)).await;
    assert_ne!(first["access_token"], second["access_token"]);
    assert_ne!(first["refresh_token"], second["refresh_token"]);
    assert!(refresh_token(&second).len() >= 43 && second["scope"] == first["scope"]);
    let claims = |tokens: &Value| jwt::claims(tokens["id_token"].as_str().unwrap());
    let (before, after) = (claims(&first), claims(&second));
    for name in ["iss", "sub", "aud", "auth_time", "sid", "acr", "amr"] {
        assert_eq!(before[name], after[name], "{name}");
    }
    assert!(after["iat"].as_i64() > before["iat"].as_i64() && after.get("nonce").is_none());
    assert!(photos.are_good(&second).await);
}

#[tokio::test]
async fn the_same_refresh_a_moment_later_gets_the_same_answer_and_later_ends_the_grant() {
    let app = TestApp::start().await;
    let root = app.superuser("root").await;
    app.register("ann").await;
    for also in [json!({"first_party": true}), json!({"token_endpoint_auth_method": "none"})] {
        let photos = Party::register(&root, also).await;
        let mut browser = Browser::new(&app);
        let first = photos.log_in(&mut browser, "ann").await;
        let second = photos.tokens(photos.refreshes(&first)).await;
        app.clock.advance_secs(30);
        assert_eq!(photos.tokens(photos.refreshes(&first)).await, second);
        app.clock.advance_secs(1);
        assert_eq!(photos.userinfo(&second).send().await.unwrap().status(), 200);
        photos.fails(photos.refreshes(&first), 400, "invalid_grant").await;
        assert!(!photos.are_good(&second).await, "whoever had it is out, too");
    }
}

#[tokio::test]
async fn sixteen_refreshes_at_once_come_to_one() {
    let app = TestApp::start().await;
    let root = app.superuser("root").await;
    app.register("ann").await;
    let photos = Party::ours(&root).await;
    let first = photos.log_in(&mut Browser::new(&app), "ann").await;
    let answers = (0..16).map(|_| photos.tokens(photos.refreshes(&first)));
    let answers = futures_util::future::join_all(answers).await;
    assert!(answers.iter().all(|answer| *answer == answers[0]));
    assert!(photos.are_good(&answers[0]).await);
}

#[tokio::test]
async fn a_refresh_can_narrow_the_scope_and_not_widen_it() {
    let app = TestApp::start().await;
    let root = app.superuser("root").await;
    app.register("ann").await;
    let photos = Party::ours(&root).await;
    let first = photos.log_in_for(&mut Browser::new(&app), "ann", "openid email").await;
    let narrow = photos.tokens(photos.refreshes(&first).with("scope", "openid")).await;
    assert_eq!(narrow["scope"], "openid");
    let told = app.json(photos.userinfo(&narrow), 200).await;
    assert!(told.get("email").is_none(), "{told}");
    let wide = photos.refreshes(&narrow).with("scope", "openid profile");
    photos.fails(wide, 400, "invalid_scope").await;
    // The grant is what it was (RFC 6749 section 6).
    let again = photos.tokens(photos.refreshes(&narrow)).await;
    assert_eq!(again["scope"], "openid email");
}

#[tokio::test]
async fn a_refresh_token_is_its_clients_alone() {
    let app = TestApp::start().await;
    let root = app.superuser("root").await;
    app.register("ann").await;
    let (photos, other) = (Party::ours(&root).await, Party::ours(&root).await);
    let tokens = photos.log_in(&mut Browser::new(&app), "ann").await;
    other.fails(photos.refreshes(&tokens), 400, "invalid_grant").await;
    for text in ["asg_x", "", refresh_token(&tokens).split_at(20).0, tokens["access_token"].as_str().unwrap()]
    {
        let asks = Fields(Vec::new()).with("grant_type", "refresh_token").with("refresh_token", text);
        let error = if text.is_empty() { "invalid_request" } else { "invalid_grant" };
        photos.fails(asks, 400, error).await;
    }
    // Neither is one of a session of our own, and the other way round.
    let ann = app.log_in("ann", crate::support::PASSWORD).await;
    let asks = Fields(Vec::new()).with("grant_type", "refresh_token");
    photos.fails(asks.with("refresh_token", &ann.tokens.refresh), 400, "invalid_grant").await;
    let mut forged = ann.tokens.clone();
    forged.refresh = refresh_token(&tokens).to_owned();
    app.fails(app.person(forged).refresh_request(), 401, "INVALID_TOKEN").await;
    assert!(photos.are_good(&tokens).await, "nothing of that has hurt it");
}

#[tokio::test]
async fn a_grant_that_is_not_refreshed_ends_and_every_grant_ends_some_day() {
    let app = TestApp::start().await;
    let root = app.superuser("root").await;
    app.register("ann").await;
    let photos = Party::ours(&root).await;
    let scope = "openid offline_access";
    let idle = photos.log_in_for(&mut Browser::new(&app), "ann", scope).await;
    let mut busy = photos.log_in_for(&mut Browser::new(&app), "ann", scope).await;
    for _ in 0..14 {
        app.clock.advance_secs(29 * 86_400);
        if let Some(next) = refreshed(&photos, &busy).await {
            busy = next;
        } else {
            photos.fails(photos.refreshes(&idle), 400, "invalid_grant").await;
            return;
        }
    }
    panic!("it has gone on for more than a year");
}

async fn refreshed(photos: &Party<'_>, tokens: &Value) -> Option<Value> {
    let answer = photos.request("/oauth2/token", photos.refreshes(tokens)).send().await.unwrap();
    if answer.status() == 200 { Some(answer.json().await.unwrap()) } else { None }
}

#[tokio::test]
async fn a_client_without_the_grant_gets_no_refresh_token() {
    let app = TestApp::start().await;
    let root = app.superuser("root").await;
    app.register("ann").await;
    let also = json!({"grant_types": ["authorization_code"], "first_party": true});
    let photos = Party::register(&root, also).await;
    let scope = "openid offline_access";
    let tokens = photos.log_in_for(&mut Browser::new(&app), "ann", scope).await;
    assert!(tokens.get("refresh_token").is_none());
    assert_eq!(tokens["scope"], "openid", "nothing can be done while the user is away");
    let asks = Fields(Vec::new()).with("grant_type", "refresh_token").with("refresh_token", "asg_x");
    photos.fails(asks, 400, "unauthorized_client").await;
}

#[tokio::test]
async fn a_refresh_without_openid_gives_no_id_token() {
    let app = TestApp::start().await;
    let root = app.superuser("root").await;
    app.register("ann").await;
    let photos = Party::ours(&root).await;
    let first = photos.log_in(&mut Browser::new(&app), "ann").await;
    let narrow = photos.tokens(photos.refreshes(&first).with("scope", "email")).await;
    assert!(narrow.get("id_token").is_none(), "{narrow}");
    assert!(photos.tokens(photos.refreshes(&narrow)).await.get("id_token").is_some());
}
