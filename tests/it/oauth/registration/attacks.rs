//! Clients that want more than there is for them, and strangers that want to be a client.
use reqwest::Method;
use serde_json::{Value, json};

use super::{album, asks, is_whole, open, own, refused, registered, replaces, text, with};

/// What administrators decide of a client, as it would like to have it.
fn greedy() -> Value {
    let mut body = album();
    for (name, value) in [
        ("first_party", json!(true)),
        ("introspect", json!(true)),
        ("require_pkce", json!(false)),
        ("permissions", json!(["users:read"])),
        ("exchange_clients", json!(["album"])),
        ("roles", json!(["admin"])),
        ("resources", json!(["https://bank.example/"])),
        ("requests_per_hour", json!(1_000_000)),
        ("is_active", json!(true)),
        ("registered_by", json!("administrator")),
    ] {
        body[name] = value;
    }
    body
}

#[tokio::test]
async fn a_client_gives_itself_no_rights_neither_at_first_nor_later() {
    let app = open().with("client_registration.resources", "https://mcp.example/").start().await;
    let root = app.superuser("root").await;
    let made = registered(&app, &greedy()).await;
    let path = format!("/oauth-clients/{}", text(&made, "client_id"));
    let is_modest = |shown: &Value| {
        assert_eq!(shown["first_party"], false);
        assert_eq!(shown["introspect"], false);
        assert_eq!(shown["require_pkce"], true);
        assert_eq!((&shown["permissions"], &shown["roles"]), (&json!([]), &json!([])));
        assert_eq!(shown["resources"], json!(["https://mcp.example/"]));
        assert_eq!(shown["requests_per_hour"], json!(null));
        assert_eq!(shown["registered_by"], "client");
    };
    is_modest(&app.json(root.bearer(Method::GET, &path), 200).await);
    let changed = app.json(replaces(&app, &made, &greedy()), 200).await;
    is_modest(&app.json(root.bearer(Method::GET, &path), 200).await);
    // Nor is it told what there is to want.
    let said = |schema: &str| {
        let properties = app.spec["components"]["schemas"][schema]["properties"].as_object().unwrap();
        properties.keys().cloned().collect::<std::collections::BTreeSet<_>>()
    };
    let (all, own) = (said("NewClientBody"), said("RegistrationBody"));
    let inner: Vec<_> = all.difference(&own).filter(|name| *name != "client_id").collect();
    assert!(inner.len() > 5 && own.len() > 20, "{inner:?}");
    for name in inner {
        assert!(made.get(name).is_none() && changed.get(name).is_none(), "{name}");
    }
}

#[tokio::test]
async fn nobody_can_give_it_what_its_own_word_is_not_good_enough_for() {
    let app = open().start().await;
    let root = app.superuser("root").await;
    let made = registered(&app, &album()).await;
    let path = format!("/oauth-clients/{}", text(&made, "client_id"));
    for (name, value) in [
        ("first_party", json!(true)),
        ("introspect", json!(true)),
        ("require_pkce", json!(false)),
        ("permissions", json!(["users:read"])),
    ] {
        let mut body = json!({});
        body[name] = value;
        app.refuses(root.bearer(Method::PATCH, &path).json(&body), name).await;
    }
    // Who may use it, and where its tokens are good, an administrator decides, and it stays so whatever the client says.
    let body = json!({"roles": ["admin"], "resources": ["https://api.example/"]});
    app.json(root.bearer(Method::PATCH, &path).json(&body), 200).await;
    app.json(replaces(&app, &made, &greedy()), 200).await;
    let shown = app.json(root.bearer(Method::GET, &path), 200).await;
    assert_eq!((&shown["roles"], &shown["resources"]), (&body["roles"], &body["resources"]));
}

#[tokio::test]
async fn another_clients_token_opens_nothing() {
    let app = open().start().await;
    let (one, two) = (registered(&app, &album()).await, registered(&app, &album()).await);
    let mut mixed = one.clone();
    for token in [
        two["registration_access_token"].clone(),
        one["client_secret"].clone(),
        json!("asa_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"),
        json!(""),
    ] {
        mixed["registration_access_token"] = token;
        refused(own(&app, Method::GET, &mixed), 401, "invalid_token").await;
        refused(replaces(&app, &mixed, &album()), 401, "invalid_token").await;
        refused(own(&app, Method::DELETE, &mixed), 401, "invalid_token").await;
    }
    let root = app.superuser("root").await;
    let path = format!("/oauth2/register/{}", text(&one, "client_id"));
    refused(app.request(Method::GET, &path), 401, "invalid_token").await;
    refused(root.bearer(Method::GET, &path), 401, "invalid_token").await;
    // A client that others have registered manages nothing, and one that is not there looks the same.
    let album = with(album(), "client_id", json!("album"));
    app.json(root.bearer(Method::POST, "/oauth-clients").json(&album), 201).await;
    for id in ["album", "nobody", "1", "%00", "..%2Ftoken"] {
        let request = app.request(Method::GET, &format!("/oauth2/register/{id}"));
        refused(request.bearer_auth(text(&one, "registration_access_token")), 401, "invalid_token").await;
    }
    app.json(own(&app, Method::GET, &one), 200).await;
    is_whole(&app);
}

#[tokio::test]
async fn whoever_looks_for_a_token_is_counted() {
    let app = open().with("rate_limit.requests_per_hour", "5").start().await;
    let guess = || app.request(Method::GET, "/oauth2/register/client_1").bearer_auth("asa_x");
    let mut statuses = Vec::new();
    for _ in 0..6 {
        statuses.push(guess().send().await.unwrap().status().as_u16());
    }
    assert!(statuses.contains(&401) && statuses.last() == Some(&429), "{statuses:?}");
}

#[tokio::test]
async fn bodies_that_are_none_are_refused_in_the_protocols_words() {
    let app = open().start().await;
    let raw = |body: String| {
        app.request(Method::POST, "/oauth2/register").header("Content-Type", "application/json").body(body)
    };
    let deep = format!("{{\"client_name\":{}{}}}", "[".repeat(100_000), "]".repeat(100_000));
    for bad in ["", "{", "[]", "null", "\"x\"", "{\"client_name\": 1}", "{\"redirect_uris\": [1]}", &deep] {
        let error = if bad.contains("redirect") { "invalid_redirect_uri" } else { "invalid_client_metadata" };
        refused(raw(bad.to_owned()), 400, error).await;
    }
    let huge = format!("{{\"x\":\"{}\"}}", "a".repeat(1 << 20));
    refused(raw(huge), 413, "invalid_request").await;
    let form = app.request(Method::POST, "/oauth2/register").header("Content-Type", "text/plain").body("{}");
    refused(form, 415, "invalid_request").await;
    let many: Vec<_> = (0..51).map(|n| format!("https://a.example/{n}")).collect();
    refused(asks(&app, &with(album(), "redirect_uris", json!(many))), 400, "invalid_redirect_uri").await;
    is_whole(&app);
}
