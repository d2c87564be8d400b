//! Codes for tokens: once, in time, by whoever asked for them; and clients that prove who they are as they have registered.
use reqwest::Method;
use serde_json::json;

use super::{Browser, Fields, Party, is_refused};
use crate::support::TestApp;

#[tokio::test]
async fn a_code_is_good_once_and_the_second_use_ends_what_came_of_the_first() {
    let app = TestApp::start().await;
    let root = app.superuser("root").await;
    app.register("ann").await;
    let photos = Party::ours(&root).await;
    for later in [0, 30, 59, 600] {
        let mut browser = Browser::new(&app);
        let code = photos.code(&mut browser, "ann").await;
        let tokens = photos.tokens(photos.redeems(&code)).await;
        assert_eq!(photos.userinfo(&tokens).send().await.unwrap().status(), 200);
        app.clock.advance_secs(later);
        photos.fails(photos.redeems(&code), 400, "invalid_grant").await;
        assert!(!photos.are_good(&tokens).await, "after {later} s");
    }
}

#[tokio::test]
async fn of_sixteen_uses_of_a_code_at_once_one_wins() {
    let app = TestApp::start().await;
    let root = app.superuser("root").await;
    app.register("ann").await;
    let photos = Party::ours(&root).await;
    let code = photos.code(&mut Browser::new(&app), "ann").await;
    let requests = (0..16).map(|_| photos.request("/oauth2/token", photos.redeems(&code)).send());
    let answers = futures_util::future::join_all(requests).await;
    let won: Vec<_> = answers.iter().filter(|answer| answer.as_ref().unwrap().status() == 200).collect();
    assert_eq!(won.len(), 1);
    for answer in answers.into_iter().map(Result::unwrap).filter(|answer| answer.status() != 200) {
        is_refused(answer, 400, "invalid_grant").await;
    }
}

#[tokio::test]
async fn a_code_is_over_after_a_minute() {
    let app = TestApp::start().await;
    let root = app.superuser("root").await;
    app.register("ann").await;
    let photos = Party::ours(&root).await;
    let mut browser = Browser::new(&app);
    let (old, young) = (photos.code(&mut browser, "ann").await, photos.code(&mut browser, "ann").await);
    app.clock.advance_secs(59);
    photos.tokens(photos.redeems(&young)).await;
    app.clock.advance_secs(1);
    photos.fails(photos.redeems(&old), 400, "invalid_grant").await;
}

#[tokio::test]
async fn a_code_is_for_whoever_asked_for_it() {
    let app = TestApp::start().await;
    let root = app.superuser("root").await;
    app.register("ann").await;
    let (photos, other) = (Party::ours(&root).await, Party::ours(&root).await);
    let code = photos.code(&mut Browser::new(&app), "ann").await;
    let redeems = || photos.redeems(&code);
    other.fails(redeems(), 400, "invalid_grant").await;
    let verifier = |text: &str| redeems().with("code_verifier", text);
    photos.fails(verifier(&"x".repeat(43)), 400, "invalid_grant").await;
    photos.fails(verifier("short"), 400, "invalid_grant").await;
    photos.fails(redeems().without("code_verifier"), 400, "invalid_grant").await;
    photos.fails(redeems().with("redirect_uri", "https://photos.example/"), 400, "invalid_grant").await;
    photos.fails(redeems().without("redirect_uri"), 400, "invalid_request").await;
    photos.fails(redeems().without("code"), 400, "invalid_request").await;
    photos.fails(redeems().with("code", "asz_none"), 400, "invalid_grant").await;
    photos.fails(redeems().and("code", &code), 400, "invalid_request").await;
    photos.fails(redeems().without("grant_type"), 400, "invalid_request").await;
    for grant in ["password", "implicit", "urn:ietf:params:oauth:grant-type:jwt-bearer"] {
        photos.fails(redeems().with("grant_type", grant), 400, "unsupported_grant_type").await;
    }
    photos.fails(redeems().with("grant_type", "client_credentials"), 400, "unauthorized_client").await;
    // None of that has spent it.
    photos.tokens(redeems()).await;
}

#[tokio::test]
async fn a_verifier_for_a_code_without_a_challenge_is_refused() {
    let app = TestApp::start().await;
    let root = app.superuser("root").await;
    app.register("ann").await;
    let also = json!({"require_pkce": false, "first_party": true});
    let photos = Party::register(&root, also).await;
    let asked = photos.asks().without("code_challenge").without("code_challenge_method");
    let mut browser = Browser::new(&app);
    let code = photos.answer(&mut browser, &asked, "ann").await["code"].clone();
    photos.fails(photos.redeems(&code), 400, "invalid_grant").await;
    photos.tokens(photos.redeems(&code).without("code_verifier")).await;
    // What was sent of its own accord is held to.
    let code = photos.code(&mut browser, "ann").await;
    photos.fails(photos.redeems(&code).without("code_verifier"), 400, "invalid_grant").await;
}

#[tokio::test]
async fn a_client_proves_who_it_is_as_it_has_registered_and_in_no_other_way() {
    let app = TestApp::start().await;
    let root = app.superuser("root").await;
    app.register("ann").await;
    let mut browser = Browser::new(&app);
    for method in ["client_secret_basic", "client_secret_post", "none"] {
        let also = json!({"token_endpoint_auth_method": method, "first_party": true});
        let mut party = Party::register(&root, also).await;
        assert_eq!(party.secret.is_some(), method != "none");
        let code = party.code(&mut browser, "ann").await;
        let secret = party.secret.clone().unwrap_or_else(|| "x".into());
        for other in
            ["client_secret_basic", "client_secret_post", "none"].iter().filter(|one| **one != method)
        {
            let party = Party {
                secret: Some(secret.clone()),
                method: (*other).into(),
                id: party.id.clone(),
                app: &app,
            };
            party.fails(party.redeems(&code), 401, "invalid_client").await;
        }
        if method != "none" {
            party.secret = Some(format!("{}x", &secret[..secret.len() - 1]));
            party.fails(party.redeems(&code), 401, "invalid_client").await;
            party.secret = Some(String::new());
            party.fails(party.redeems(&code), 401, "invalid_client").await;
            party.secret = Some(secret);
        }
        party.tokens(party.redeems(&code)).await;
    }
}

#[tokio::test]
async fn a_client_that_says_who_it_is_in_two_ways_or_in_none_is_refused() {
    let app = TestApp::start().await;
    let root = app.superuser("root").await;
    let photos = Party::ours(&root).await;
    let secret = photos.secret.clone().unwrap();
    let both = photos.redeems("asz_x").with("client_secret", &secret);
    photos.fails(both, 400, "invalid_request").await;
    photos.fails(photos.redeems("asz_x").with("client_id", "another"), 400, "invalid_request").await;
    // The same name in both places is no second way.
    photos.fails(photos.redeems("asz_x").with("client_id", &photos.id), 400, "invalid_grant").await;
    let nobody = photos.redeems("asz_x").post(&app, "/oauth2/token");
    is_refused(nobody.send().await.unwrap(), 401, "invalid_client").await;
    let stranger =
        Party { app: &app, id: "nobody".into(), secret: Some("x".into()), method: photos.method.clone() };
    stranger.fails(photos.redeems("asz_x"), 401, "invalid_client").await;
    let in_url = format!("/oauth2/token?client_id={}&client_secret={secret}", photos.id);
    let in_url = photos.redeems("asz_x").post(&app, &in_url).send().await.unwrap();
    is_refused(in_url, 401, "invalid_client").await;
    let answer = app.request(Method::GET, "/oauth2/token").send().await.unwrap();
    assert_eq!(answer.status(), 405);
    let json = app.request(Method::POST, "/oauth2/token").json(&json!({"grant_type": "client_credentials"}));
    let answer = json.send().await.unwrap();
    is_refused(answer, 415, "invalid_request").await;
}

#[tokio::test]
async fn the_secret_before_is_good_for_the_overlap_and_no_longer() {
    let app = TestApp::start().await;
    let root = app.superuser("root").await;
    let also = json!({"grant_types": ["client_credentials"], "scope": "read write openid"});
    let mut machine = Party::register(&root, also).await;
    let asks = || Fields(Vec::new()).with("grant_type", "client_credentials");
    machine.tokens(asks()).await;
    let path = format!("/oauth-clients/{}/secret", machine.id);
    let rotate = |overlap: i64| root.bearer(Method::POST, &path).json(&json!({"overlap_seconds": overlap}));
    let next = app.json(rotate(60), 200).await["client_secret"].as_str().unwrap().to_owned();
    let before = machine.secret.replace(next.clone());
    machine.tokens(asks()).await;
    machine.secret = before;
    app.clock.advance_secs(59);
    machine.tokens(asks()).await;
    app.clock.advance_secs(1);
    machine.fails(asks(), 401, "invalid_client").await;
    machine.secret = Some(next);
    machine.tokens(asks()).await;
    app.json(rotate(0), 200).await;
    machine.fails(asks(), 401, "invalid_client").await;
}

#[tokio::test]
async fn a_client_that_acts_for_itself_gets_no_refresh_token_and_nothing_of_users() {
    let app = TestApp::start().await;
    let root = app.superuser("root").await;
    let also = json!({"grant_types": ["client_credentials"], "scope": "read write openid"});
    let machine = Party::register(&root, also).await;
    let asks = || Fields(Vec::new()).with("grant_type", "client_credentials");
    let tokens = machine.tokens(asks()).await;
    assert_eq!(tokens["scope"], "read write");
    assert!(tokens.get("refresh_token").is_none() && tokens.get("id_token").is_none());
    let claims = crate::support::jwt::claims(tokens["access_token"].as_str().unwrap());
    assert_eq!((&claims["sub"], &claims["client_id"]), (&json!(machine.id), &json!(machine.id)));
    assert_eq!(machine.tokens(asks().with("scope", "read")).await["scope"], "read");
    machine.fails(asks().with("scope", "read all"), 400, "invalid_scope").await;
    machine.fails(asks().with("scope", "openid"), 400, "invalid_scope").await;
    is_refused(machine.userinfo(&tokens).send().await.unwrap(), 403, "insufficient_scope").await;
}
