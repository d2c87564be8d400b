//! What bounds the provider: how often clients may ask, and how long anything of it is kept. And how it does without a
//! signing key of its own for access tokens.
use std::collections::BTreeMap;

use reqwest::Method;
use serde_json::{Value, json};

use super::support::holder::{asks, robot};
use super::{Browser, Fields, Party, is_refused, jws};
use crate::support::{PASSWORD, Setup, TestApp, Tokens, jwt};

/// How many rows the tables of codes and grants have, those without any left out.
fn rows(app: &TestApp) -> BTreeMap<String, u64> {
    let found = app.app.store.verify(&auth_service::app::CHECKS.concat()).unwrap();
    assert_eq!(found.problems, Vec::<String>::new());
    let kinds = ["oauth.code", "oauth.grant", "oauth.revoked_token"];
    let ours = |name: &str| kinds.iter().any(|kind| name.starts_with(kind));
    found.tables.into_iter().filter(|(name, rows)| *rows > 0 && ours(name)).collect()
}

#[tokio::test]
async fn a_client_has_its_own_limit_at_every_endpoint_together() {
    let app = TestApp::start().await;
    let root = app.superuser("root").await;
    app.register("ann").await;
    let photos = Party::register(&root, json!({"first_party": true, "requests_per_hour": 4})).await;
    let other = Party::ours(&root).await;
    let tokens = photos.log_in(&mut Browser::new(&app), "ann").await;
    let access = Fields(Vec::new()).with("token", tokens["access_token"].as_str().unwrap());
    assert_eq!(photos.userinfo(&tokens).send().await.unwrap().status(), 200);
    photos.introspect(&tokens["access_token"]).await;
    let fresh = photos.tokens(photos.refreshes(&tokens)).await;
    let requests = [
        photos.userinfo(&tokens),
        photos.request("/oauth2/introspect", access.clone()),
        photos.request("/oauth2/revoke", access),
        photos.request("/oauth2/token", photos.refreshes(&tokens)),
    ];
    for request in requests {
        let answer = request.send().await.unwrap();
        assert!(answer.headers()["retry-after"].to_str().unwrap().parse::<u32>().unwrap() > 3000);
        is_refused(answer, 429, "temporarily_unavailable").await;
    }
    other.log_in(&mut Browser::new(&app), "ann").await;
    app.clock.advance_secs(3600);
    photos.tokens(photos.refreshes(&fresh)).await;
}

#[tokio::test]
async fn a_stranger_is_counted_by_its_network_and_does_not_use_up_what_a_client_has() {
    let app = Setup::default().with("rate_limit.requests_per_hour", "30").start().await;
    let root = app.superuser("root").await;
    let machine = robot(&root, json!({})).await;
    let guess = || {
        let fields = asks().with("client_id", &machine.id).with("client_secret", "aso_wrong");
        fields.post(&app, "/oauth2/token").send()
    };
    let mut refused = 0;
    for _ in 0..40 {
        refused += u32::from(guess().await.unwrap().status() == 429);
    }
    assert!(refused >= 10, "{refused}");
    machine.tokens(asks()).await;
}

#[tokio::test]
async fn nothing_of_codes_and_grants_is_kept_when_it_is_over() {
    let app = TestApp::start().await;
    let root = app.superuser("root").await;
    app.register("ann").await;
    let photos = Party::register(&root, json!({})).await;
    let mut browser = Browser::new(&app);
    let tokens = photos.log_in(&mut browser, "ann").await;
    photos.tokens(photos.refreshes(&tokens)).await;
    photos.log_in_for(&mut browser, "ann", "openid offline_access").await;
    photos.code(&mut browser, "ann").await;
    let revoked = Fields(Vec::new()).with("token", tokens["access_token"].as_str().unwrap());
    assert_eq!(photos.request("/oauth2/revoke", revoked).send().await.unwrap().status(), 200);
    let before = rows(&app);
    for name in ["oauth.code", "oauth.grant", "oauth.grant.exchange", "oauth.revoked_token"] {
        assert!(before.contains_key(name), "{name}: {before:?}");
    }
    app.clock.advance_secs(3600);
    app.app.tend().await;
    let now = rows(&app);
    assert!(!now.contains_key("oauth.code") && !now.contains_key("oauth.revoked_token"), "{now:?}");
    assert_eq!(now["oauth.grant"], 2);
    app.clock.advance_secs(31 * 86_400);
    app.app.tend().await;
    assert!(rows(&app).is_empty(), "{:?}", rows(&app));
}

#[tokio::test]
async fn with_a_shared_secret_access_tokens_have_its_signature_and_id_tokens_one_that_clients_can_check() {
    let secret = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(secret.path(), "0123456789abcdef0123456789abcdef\n").unwrap();
    let setup = Setup::default().with("tokens.algorithm", "HS256");
    let app = setup.with("tokens.shared_secret_file", secret.path().to_str().unwrap()).start().await;
    let root = app.superuser("root").await;
    app.register("ann").await;
    let also = json!({"first_party": true, "userinfo_signed_response_alg": "EdDSA"});
    let photos = Party::register(&root, also).await;
    let tokens = photos.log_in(&mut Browser::new(&app), "ann").await;
    assert_eq!(jwt::decode(tokens["access_token"].as_str().unwrap()).0["alg"], "HS256");
    let said = jws::verified(&app, tokens["id_token"].as_str().unwrap(), "ES256").await;
    let told = photos.userinfo(&tokens).send().await.unwrap().text().await.unwrap();
    assert_eq!(jws::verified(&app, &told, "EdDSA").await["sub"], said["sub"]);
    assert_eq!(photos.introspect(&tokens["access_token"]).await["username"], "ann");
    let next = photos.tokens(photos.refreshes(&tokens)).await;
    assert!(photos.are_good(&next).await);
    // Nobody who has one kind of token has the other.
    app.fails(
        app.request(Method::GET, "/auth/me").bearer_auth(next["access_token"].as_str().unwrap()),
        401,
        "INVALID_TOKEN",
    )
    .await;
}

#[tokio::test]
async fn whoever_changes_the_password_keeps_what_its_browser_has_given_and_nothing_that_goes_on_without_it() {
    let app = TestApp::start().await;
    let root = app.superuser("root").await;
    app.register("ann").await;
    let photos = Party::ours(&root).await;
    let mut browser = Browser::new(&app);
    let tokens = photos.log_in(&mut browser, "ann").await;
    let offline = photos.log_in_for(&mut browser, "ann", "openid offline_access").await;
    let cookie = |name: &str| browser.cookies[name].1.clone();
    let ann = app.person(Tokens {
        access: cookie("access_token_cookie"),
        refresh: cookie("refresh_token_cookie"),
        csrf: cookie("csrf_access_token"),
        body: Value::Null,
    });
    let body = json!({"current_password": PASSWORD, "new_password": "staple 17 of the donkey"});
    let changed = ann.page(Method::POST, "/auth/password/change").json(&body).send().await.unwrap();
    assert!(changed.status().is_success(), "{}", changed.text().await.unwrap());
    assert!(photos.are_good(&tokens).await);
    assert!(!photos.are_good(&offline).await);
}

#[tokio::test]
async fn whoever_says_the_name_of_a_public_client_uses_up_nothing_of_its_users() {
    let app = TestApp::start().await;
    let root = app.superuser("root").await;
    app.register("ann").await;
    let secretless = json!({
        "first_party": true, "token_endpoint_auth_method": "none", "requests_per_hour": 5,
    });
    let photos = Party::register(&root, secretless).await;
    for _ in 0..10 {
        photos.fails(photos.redeems("asz_nothing"), 400, "invalid_grant").await;
    }
    let tokens = photos.log_in(&mut Browser::new(&app), "ann").await;
    assert_eq!(photos.userinfo(&tokens).send().await.unwrap().status(), 200);
}
