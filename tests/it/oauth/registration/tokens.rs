//! Initial access tokens: who makes them, how often and how long they are good.
use reqwest::Method;
use serde_json::json;

use super::{album, asks, is_whole, open, refused, text, token};
use crate::support::{Setup, TestApp};

fn by_token() -> Setup {
    open().with("client_registration.state", "token")
}

#[tokio::test]
async fn without_a_token_nobody_registers_where_one_is_needed() {
    let app = by_token().start().await;
    let answer = asks(&app, &album()).send().await.unwrap();
    assert!(answer.headers()["www-authenticate"].to_str().unwrap().starts_with("Bearer "));
    refused(asks(&app, &album()), 401, "invalid_token").await;
    for bad in ["", "x", "asi_", "asi_00000000000000000000000000000000_x"] {
        refused(asks(&app, &album()).bearer_auth(bad), 401, "invalid_token").await;
    }
    // An API's own credential is none.
    let root = app.superuser("root").await;
    refused(root.bearer(Method::POST, "/oauth2/register").json(&album()), 401, "invalid_token").await;
    refused(asks(&app, &album()).basic_auth("a", Some("b")), 401, "invalid_token").await;
    let twice = asks(&app, &album()).bearer_auth("a").header("Authorization", "Bearer b");
    refused(twice, 400, "invalid_request").await;
}

#[tokio::test]
async fn a_token_is_good_so_often_so_long_and_until_it_is_deleted() {
    let app = by_token().start().await;
    let root = app.superuser("root").await;
    let made = token(&root, &json!({"name": "CI", "max_uses": 2, "lifetime_seconds": 60})).await;
    assert_eq!((&made["uses"], &made["max_uses"]), (&json!(0), &json!(2)));
    let register = |token: &str| asks(&app, &album()).bearer_auth(token);
    let ci = text(&made, "token");
    app.json(register(ci), 201).await;
    // What is refused for another reason does not count.
    refused(asks(&app, &json!({"redirect_uris": ["x"]})).bearer_auth(ci), 400, "invalid_redirect_uri").await;
    app.json(register(ci), 201).await;
    refused(register(ci), 401, "invalid_token").await;
    let listed = app.json(root.bearer(Method::GET, "/oauth-registration-tokens"), 200).await;
    assert_eq!(listed["items"][0]["uses"], 2);
    assert!(!listed.to_string().contains(ci), "shown once");

    let short = token(&root, &json!({"name": "short", "lifetime_seconds": 60})).await;
    app.clock.advance_secs(60);
    refused(register(text(&short, "token")), 401, "invalid_token").await;
    let gone = token(&root, &json!({"name": "gone"})).await;
    let path = format!("/oauth-registration-tokens/{}", text(&gone, "id"));
    app.done(root.bearer(Method::DELETE, &path)).await;
    refused(register(text(&gone, "token")), 401, "invalid_token").await;
    app.fails(root.bearer(Method::DELETE, &path), 404, "NOT_FOUND").await;
    app.app.tend().await;
    let listed = app.json(root.bearer(Method::GET, "/oauth-registration-tokens"), 200).await;
    assert_eq!(listed["items"], json!([]), "what is over is swept");
    is_whole(&app);
}

#[tokio::test]
async fn of_many_uses_at_once_as_many_win_as_there_may_be() {
    let app = by_token().start().await;
    let root = app.superuser("root").await;
    let made = token(&root, &json!({"name": "CI", "max_uses": 3})).await;
    let all = (0..16).map(|_| asks(&app, &album()).bearer_auth(text(&made, "token")).send());
    let all = futures_util::future::join_all(all).await;
    let won = all.into_iter().filter(|answer| answer.as_ref().unwrap().status() == 201).count();
    assert_eq!(won, 3);
    let listed = app.json(root.bearer(Method::GET, "/oauth-registration-tokens"), 200).await;
    assert_eq!(listed["items"][0]["uses"], 3);
    is_whole(&app);
}

#[tokio::test]
async fn what_was_registered_with_a_token_is_no_strangers() {
    // A token counts where none is needed: neither is its client swept, nor does it take room.
    let app = open().with("client_registration.max_clients", "1").start().await;
    let root = app.superuser("root").await;
    let made = token(&root, &json!({"name": "CI", "max_uses": 2})).await;
    let ours = app.json(asks(&app, &album()).bearer_auth(text(&made, "token")), 201).await;
    super::registered(&app, &album()).await;
    refused(asks(&app, &album()).bearer_auth("asi_x"), 401, "invalid_token").await;
    app.clock.advance_secs(400 * 24 * 3600);
    app.app.tend().await;
    app.json(super::own(&app, Method::GET, &ours), 200).await;
    is_whole(&app);
}

#[tokio::test]
async fn tokens_are_made_by_those_who_may_register_clients_themselves() {
    let app = TestApp::start().await;
    let ann = app.user("ann").await;
    let make = ann.bearer(Method::POST, "/oauth-registration-tokens").json(&json!({"name": "CI"}));
    app.fails(make, 403, "FORBIDDEN").await;
    app.fails(ann.bearer(Method::GET, "/oauth-registration-tokens"), 403, "FORBIDDEN").await;
    let root = app.superuser("root").await;
    let make = |body| root.bearer(Method::POST, "/oauth-registration-tokens").json(&body);
    app.refuses(make(json!({"name": ""})), "name").await;
    app.refuses(make(json!({"name": "a", "max_uses": 0})), "max_uses").await;
    app.refuses(make(json!({"name": "a", "lifetime_seconds": -1})), "lifetime_seconds").await;
}

#[tokio::test]
async fn the_audit_trail_tells_of_tokens_and_clients_and_has_no_secret() {
    let app = by_token().start().await;
    let root = app.superuser("root").await;
    let made = token(&root, &json!({"name": "CI"})).await;
    let client = app.json(asks(&app, &album()).bearer_auth(text(&made, "token")), 201).await;
    let changed = app.json(super::replaces(&app, &client, &album()), 200).await;
    app.done(super::own(&app, Method::DELETE, &changed)).await;
    let trail = app.json(root.bearer(Method::GET, "/audit?limit=50"), 200).await.to_string();
    for action in [
        "oauth_registration_token.created",
        "oauth_client.registered",
        "oauth_client.changed",
        "oauth_client.deleted",
    ] {
        assert!(trail.contains(action), "{action}");
    }
    for secret in [
        text(&made, "token"),
        text(&client, "client_secret"),
        text(&client, "registration_access_token"),
        text(&changed, "registration_access_token"),
    ] {
        assert!(!trail.contains(secret), "{secret}");
    }
}
