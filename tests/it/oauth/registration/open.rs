//! Where anybody registers clients: so many from a network, so many in all, and for so long if nobody uses them.
use reqwest::Method;
use serde_json::{Value, json};

use super::{Browser, album, asks, is_whole, issuer, open, own, party, refused, registered, text, with};
use crate::support::TestApp;

#[tokio::test]
async fn nobody_registers_a_client_unless_the_host_says_so() {
    let app = TestApp::start().await;
    refused(asks(&app, &album()), 403, "access_denied").await;
    let root = app.superuser("root").await;
    let made = super::token(&root, &json!({"name": "CI"})).await;
    refused(asks(&app, &album()).bearer_auth(text(&made, "token")), 403, "access_denied").await;
    for path in ["/.well-known/openid-configuration", "/.well-known/oauth-authorization-server"] {
        let document: Value = app.get(path).await.json().await.unwrap();
        assert!(document.get("registration_endpoint").is_none(), "{path}");
    }
}

#[tokio::test]
async fn discovery_names_the_endpoint_where_there_is_one() {
    for state in ["token", "open"] {
        let app = open().with("client_registration.state", state).start().await;
        let document: Value = app.get("/.well-known/openid-configuration").await.json().await.unwrap();
        assert_eq!(document["registration_endpoint"], format!("{}/oauth2/register", issuer(&app)), "{state}");
    }
}

#[tokio::test]
async fn the_server_says_what_it_is_as_a_resource() {
    let app = TestApp::start().await;
    let about: Value = app.get("/.well-known/oauth-protected-resource").await.json().await.unwrap();
    assert_eq!(
        (&about["resource"], &about["authorization_servers"]),
        (&json!(issuer(&app)), &json!([issuer(&app)]))
    );
    assert_eq!(about["bearer_methods_supported"], json!(["header", "body"]));
    assert_eq!(about["jwks_uri"], format!("{}/oauth2/jwks", issuer(&app)));
    let scopes = about["scopes_supported"].as_array().unwrap();
    assert!(scopes.contains(&json!("openid")), "{scopes:?}");
}

#[tokio::test]
async fn a_client_that_has_registered_itself_logs_its_users_in() {
    let app = open().start().await;
    app.register("ann").await;
    let photos = registered(&app, &album()).await;
    assert!(text(&photos, "client_secret").starts_with("aso_"));
    let photos = party(&app, &photos);
    let tokens = photos.log_in(&mut Browser::new(&app), "ann").await;
    assert!(photos.are_good(&tokens).await);
    is_whole(&app);
}

#[tokio::test]
async fn a_network_registers_so_many_in_an_hour() {
    let app = open().with("client_registration.per_hour", "2").start().await;
    let browsers = with(album(), "token_endpoint_auth_method", json!("none"));
    for _ in 0..2 {
        registered(&app, &browsers).await;
    }
    let answer = asks(&app, &browsers).send().await.unwrap();
    assert!(answer.headers().contains_key("retry-after"));
    assert_eq!(answer.status(), 429);
    app.clock.advance_secs(3600);
    registered(&app, &browsers).await;
}

#[tokio::test]
async fn there_are_so_many_at_a_time_and_one_that_goes_leaves_room() {
    let app = open().with("client_registration.max_clients", "2").start().await;
    let first = registered(&app, &album()).await;
    registered(&app, &album()).await;
    refused(asks(&app, &album()), 503, "temporarily_unavailable").await;
    app.done(own(&app, Method::DELETE, &first)).await;
    let third = registered(&app, &album()).await;
    refused(asks(&app, &album()), 503, "temporarily_unavailable").await;
    // Whoever takes one away otherwise leaves room, too.
    let root = app.superuser("root").await;
    app.done(root.bearer(Method::DELETE, &format!("/oauth-clients/{}", text(&third, "client_id")))).await;
    registered(&app, &album()).await;
    is_whole(&app);
}

#[tokio::test]
async fn of_many_at_once_no_more_register_than_there_is_room_for() {
    let app = open().with("client_registration.max_clients", "3").start().await;
    let all = (0..16).map(|_| asks(&app, &album()).send());
    let all = futures_util::future::join_all(all).await;
    let made = all.into_iter().filter(|answer| answer.as_ref().unwrap().status() == 201).count();
    assert_eq!(made, 3);
    is_whole(&app);
}

const DAY: i64 = 24 * 3600;

#[tokio::test]
async fn one_that_nobody_uses_is_removed_and_one_that_is_used_stays() {
    let app = open().start().await;
    app.register("ann").await;
    let (idle, busy) = (registered(&app, &album()).await, registered(&app, &album()).await);
    app.clock.advance_secs(29 * DAY);
    let photos = party(&app, &busy);
    let tokens = photos.log_in(&mut Browser::new(&app), "ann").await;
    app.app.tend().await;
    app.json(own(&app, Method::GET, &idle), 200).await;
    app.clock.advance_secs(DAY);
    app.app.tend().await;
    refused(own(&app, Method::GET, &idle), 401, "invalid_token").await;
    app.json(own(&app, Method::GET, &busy), 200).await;
    party(&app, &idle).fails(photos.redeems("x"), 401, "invalid_client").await;
    is_whole(&app);
    // A refresh is a use as well.
    app.clock.advance_secs(20 * DAY);
    photos.tokens(photos.refreshes(&tokens)).await;
    app.clock.advance_secs(20 * DAY);
    app.app.tend().await;
    app.json(own(&app, Method::GET, &busy), 200).await;
    app.clock.advance_secs(10 * DAY);
    app.app.tend().await;
    refused(own(&app, Method::GET, &busy), 401, "invalid_token").await;
    is_whole(&app);
}
