//! A client reads, replaces and deletes what it has registered (RFC 7592).
use reqwest::Method;
use serde_json::json;

use super::{Browser, album, is_whole, issuer, open, own, party, refused, registered, replaces, text, with};

#[tokio::test]
async fn a_client_reads_what_it_has_registered() {
    let app = open().start().await;
    let made = registered(&app, &album()).await;
    let uri = format!("{}/oauth2/register/{}", issuer(&app), text(&made, "client_id"));
    assert_eq!(made["registration_client_uri"], uri);
    assert!(text(&made, "registration_access_token").starts_with("asa_"));
    assert_eq!(made["client_secret_expires_at"], 0);
    assert_eq!(made["client_id_issued_at"], 1_800_000_000);
    let mut expected = made.clone();
    expected.as_object_mut().unwrap().remove("client_secret");
    assert_eq!(app.json(own(&app, Method::GET, &made), 200).await, expected, "the secret is shown once");
}

#[tokio::test]
async fn what_a_replacement_does_not_say_is_so_as_if_it_had_never_been_said() {
    let app = open().start().await;
    let first = with(with(album(), "contacts", json!(["ops@app.example"])), "scope", json!("openid"));
    let made = registered(&app, &first).await;
    assert_eq!(made["scope"], "openid");
    let second = app.json(replaces(&app, &made, &album()), 200).await;
    assert_eq!(second["client_id"], made["client_id"]);
    assert_eq!(second["contacts"], json!([]));
    assert_eq!(second["scope"], "openid profile email offline_access");
    assert!(second.get("client_secret").is_none(), "the one that it has stays");
    let photos = party(&app, &made);
    photos.fails(photos.redeems("x"), 400, "invalid_grant").await;
    is_whole(&app);
}

#[tokio::test]
async fn a_client_that_needs_a_secret_from_now_on_gets_one() {
    let app = open().start().await;
    let made = registered(&app, &with(album(), "token_endpoint_auth_method", json!("none"))).await;
    assert!(made.get("client_secret").is_none() && made.get("client_secret_expires_at").is_none(), "{made}");
    let second = app.json(replaces(&app, &made, &album()), 200).await;
    assert!(text(&second, "client_secret").starts_with("aso_"));
    let back = with(album(), "token_endpoint_auth_method", json!("none"));
    app.json(replaces(&app, &second, &back), 200).await;
    let old = party(&app, &second);
    old.fails(old.redeems("x"), 401, "invalid_client").await;
}

#[tokio::test]
async fn the_token_is_another_one_after_a_replacement_and_a_lost_answer_locks_nobody_out() {
    let app = open().start().await;
    let first = registered(&app, &album()).await;
    // The answer is lost: it asks again with what it has.
    app.json(replaces(&app, &first, &album()), 200).await;
    let second = app.json(replaces(&app, &first, &album()), 200).await;
    assert_ne!(first["registration_access_token"], second["registration_access_token"]);
    let read = app.json(own(&app, Method::GET, &second), 200).await;
    assert_eq!(read["registration_access_token"], second["registration_access_token"]);
    refused(own(&app, Method::GET, &first), 401, "invalid_token").await;
    is_whole(&app);
}

#[tokio::test]
async fn what_the_server_has_given_is_not_said_by_the_client() {
    let app = open().start().await;
    let made = registered(&app, &album()).await;
    for (name, value) in [
        ("registration_access_token", made["registration_access_token"].clone()),
        ("registration_client_uri", made["registration_client_uri"].clone()),
        ("client_secret_expires_at", json!(0)),
        ("client_id_issued_at", json!(1)),
    ] {
        let said =
            refused(replaces(&app, &made, &with(album(), name, value)), 400, "invalid_client_metadata");
        assert!(said.await.contains(name));
    }
    // Its own secret it may say, and no other.
    let mine = with(album(), "client_secret", made["client_secret"].clone());
    let other = with(album(), "client_secret", json!("aso_I-would-rather-have-this-one"));
    refused(replaces(&app, &made, &other), 400, "invalid_client_metadata").await;
    app.json(replaces(&app, &made, &mine), 200).await;
}

#[tokio::test]
async fn a_client_keeps_its_name() {
    let app = open().start().await;
    let (one, two) = (registered(&app, &album()).await, registered(&app, &album()).await);
    for id in [json!("another"), two["client_id"].clone(), json!(null)] {
        let request = own(&app, Method::PUT, &one).json(&with(album(), "client_id", id));
        assert!(refused(request, 400, "invalid_client_metadata").await.contains("client_id"));
    }
    refused(own(&app, Method::PUT, &one).json(&album()), 400, "invalid_client_metadata").await;
}

#[tokio::test]
async fn a_client_that_has_deleted_itself_and_what_it_had_is_good_for_nothing() {
    let app = open().start().await;
    app.register("ann").await;
    let made = registered(&app, &album()).await;
    let photos = party(&app, &made);
    let tokens = photos.log_in(&mut Browser::new(&app), "ann").await;
    app.done(own(&app, Method::DELETE, &made)).await;
    assert_eq!(photos.userinfo(&tokens).send().await.unwrap().status(), 401);
    photos.fails(photos.refreshes(&tokens), 401, "invalid_client").await;
    for method in [Method::GET, Method::DELETE] {
        refused(own(&app, method, &made), 401, "invalid_token").await;
    }
    is_whole(&app);
}

#[tokio::test]
async fn a_client_that_an_administrator_has_switched_off_does_nothing_about_itself() {
    let app = open().start().await;
    let root = app.superuser("root").await;
    let made = registered(&app, &album()).await;
    let path = format!("/oauth-clients/{}", text(&made, "client_id"));
    let shown = app.json(root.bearer(Method::GET, &path), 200).await;
    assert_eq!(shown["registered_by"], "client");
    app.json(root.bearer(Method::PATCH, &path).json(&json!({"is_active": false})), 200).await;
    refused(own(&app, Method::GET, &made), 401, "invalid_token").await;
    refused(replaces(&app, &made, &album()), 401, "invalid_token").await;
    refused(own(&app, Method::DELETE, &made), 401, "invalid_token").await;
}

#[tokio::test]
async fn what_is_registered_goes_on_when_nobody_registers_any_more() {
    let app = open().at("http://localhost:1").start().await;
    let made = registered(&app, &album()).await;
    let app = app.restart(crate::support::Setup::default().at("http://localhost:1")).await;
    app.json(own(&app, Method::GET, &made), 200).await;
    app.done(own(&app, Method::DELETE, &made)).await;
}
