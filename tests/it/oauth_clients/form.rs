//! What clients may be, and how they are listed.
use reqwest::Method;
use serde_json::{Value, json};

use super::{REDIRECT, by_basic, change, create, is_whole, made, of, robot, secret_of, web, with};
use crate::support::TestApp;

/// An application with everything that can be said of one.
fn album() -> Value {
    json!({
        "client_name": " Photo album ",
        "redirect_uris": [REDIRECT, "http://127.0.0.1/cb"],
        "post_logout_redirect_uris": ["https://app.example/bye"],
        "grant_types": ["authorization_code", "refresh_token", "authorization_code"],
        "response_types": ["code"],
        "scope": "openid profile  openid",
        "id_token_signed_response_alg": "ES256",
        "userinfo_signed_response_alg": "EdDSA",
        "default_max_age": 300,
        "require_auth_time": true,
        "client_uri": "https://app.example/",
        "contacts": ["ops@app.example"],
        "dpop_bound_access_tokens": true,
        "backchannel_logout_uri": "https://app.example/out",
        "backchannel_logout_session_required": true,
        "frontchannel_logout_uri": "https://app.example/frame",
        "resources": ["https://api.example/"],
        "permissions": ["users:read"],
        "roles": ["admin"],
        "introspect": true,
        "exchange_clients": ["spa", "spa"],
        "requests_per_hour": 300,
    })
}

/// The same as it is shown.
fn album_of(id: &str) -> Value {
    let mut all = json!({
        "client_id": id, "client_name": "Photo album", "registered_by": "administrator", "is_active": true,
        "redirect_uris": [REDIRECT, "http://127.0.0.1/cb"],
        "post_logout_redirect_uris": ["https://app.example/bye"],
        "grant_types": ["authorization_code", "refresh_token"], "response_types": ["code"],
        "token_endpoint_auth_method": "client_secret_basic", "scope": "openid profile",
        "id_token_signed_response_alg": "ES256", "userinfo_signed_response_alg": "EdDSA",
        "subject_type": "public", "default_max_age": 300, "require_auth_time": true,
        "client_uri": "https://app.example/", "logo_uri": null, "policy_uri": null, "tos_uri": null,
        "contacts": ["ops@app.example"], "dpop_bound_access_tokens": true,
        "backchannel_logout_uri": "https://app.example/out",
        "backchannel_logout_session_required": true, "frontchannel_logout_uri": "https://app.example/frame",
        "frontchannel_logout_session_required": false, "application_type": "native", "sector_identifier_uri": null,
        "initiate_login_uri": null, "software_id": null, "software_version": null, "first_party": false, "require_pkce": true, "roles": ["admin"],
        "resources": ["https://api.example/"], "permissions": ["users:read"], "introspect": true,
        "exchange_clients": ["spa"],
        "requests_per_hour": 300,
        "secrets": [{"created_at": "2027-01-15T08:00:00Z", "expires_at": null}],
        "created_at": "2027-01-15T08:00:00Z", "updated_at": "2027-01-15T08:00:00Z",
    });
    let proof = json!({"token_endpoint_auth_signing_alg": null, "jwks": null, "jwks_uri": null, "request_object_signing_alg": null, "require_signed_request_object": false, "require_pushed_authorization_requests": false});
    all.as_object_mut().unwrap().extend(proof.as_object().unwrap().clone());
    all
}

#[tokio::test]
async fn a_client_is_registered_read_changed_and_deleted() {
    let app = TestApp::start().await;
    let root = app.superuser("root").await;
    let made = made(&root, &album()).await;
    let id = made["client_id"].as_str().unwrap();
    assert!(id.starts_with("client_") && id.len() == 39, "{id}");
    let secret = made["client_secret"].as_str().unwrap();
    assert!(secret.starts_with("aso_") && secret.len() == 47, "{secret}");
    let expected = album_of(id);
    assert_eq!(with(expected.clone(), "client_secret", json!(secret)), made);
    assert_eq!(app.json(of(&root, Method::GET, id, ""), 200).await, expected);
    app.clock.advance_secs(60);
    let more = json!({"client_name": "Album", "userinfo_signed_response_alg": null, "requests_per_hour": null,
        "client_id": "other", "created_at": "x", "roles": [], "client_uri": null});
    let changed = app.json(change(&root, id, &more), 200).await;
    assert_eq!(changed["client_secret"], Value::Null);
    let shown = app.json(of(&root, Method::GET, id, ""), 200).await;
    let mut now = expected;
    for (field, value) in [
        ("client_name", json!("Album")),
        ("userinfo_signed_response_alg", Value::Null),
        ("requests_per_hour", Value::Null),
        ("client_uri", Value::Null),
        ("roles", json!([])),
        ("updated_at", json!("2027-01-15T08:01:00Z")),
    ] {
        now[field] = value;
    }
    assert_eq!(shown, now);
    let list = app.json(root.bearer(Method::GET, "/oauth-clients"), 200).await;
    assert_eq!(list, json!({"items": [now], "next_cursor": null}));
    app.done(of(&root, Method::DELETE, id, "")).await;
    for request in [
        of(&root, Method::GET, id, ""),
        of(&root, Method::DELETE, id, ""),
        change(&root, id, &json!({})),
        super::rotate(&root, id, 0),
        of(&root, Method::GET, "42", ""),
    ] {
        app.fails(request, 404, "NOT_FOUND").await;
    }
    is_whole(&app);
}

/// Addresses that no client can have, by their fields.
fn addresses() -> Vec<(&'static str, Value)> {
    let many = |n: usize, text: &str| json!(vec![text; n]);
    vec![
        ("redirect_uris", json!([])),
        ("redirect_uris", json!("https://app.example/cb")),
        ("redirect_uris", json!(["http://app.example/cb"])),
        ("redirect_uris", json!(["https://app.example/cb#x"])),
        ("redirect_uris", json!(["https://u@app.example/cb"])),
        ("redirect_uris", json!(["javascript:alert(1)"])),
        ("redirect_uris", json!(["com.example.app:/cb"])),
        ("redirect_uris", many(51, REDIRECT)),
        ("redirect_uris", json!([format!("https://app.example/{}", "x".repeat(2048))])),
        ("post_logout_redirect_uris", json!(["http://app.example/"])),
        ("post_logout_redirect_uris", many(51, REDIRECT)),
        ("client_uri", json!("http://app.example/")),
        ("logo_uri", json!("javascript:alert(1)")),
        ("policy_uri", json!("/policy")),
        ("tos_uri", json!("https://app.example/#tos")),
        ("resources", json!(["api"])),
        ("resources", json!(["https://api.example/#x"])),
        ("resources", many(51, "https://api.example/")),
    ]
}

/// What else cannot be so.
fn others() -> Vec<(&'static str, Value)> {
    let many = |n: usize, text: &str| json!(vec![text; n]);
    let long = |n: usize| json!("x".repeat(n));
    vec![
        ("client_name", json!("")),
        ("client_name", json!(" ")),
        ("client_name", json!("a\u{202e}b")),
        ("client_name", json!("a\u{7}")),
        ("client_name", long(101)),
        ("client_name", json!(1)),
        ("client_name", Value::Null),
        ("grant_types", json!([])),
        ("grant_types", json!(["password"])),
        ("grant_types", json!(["implicit"])),
        ("grant_types", json!(["refresh_token"])),
        ("grant_types", json!(["refresh_token", "refresh_token"])),
        ("response_types", json!(["token"])),
        ("response_types", json!(["code", "code id_token"])),
        ("token_endpoint_auth_method", json!("client_secret")),
        ("scope", json!("openid a\"b")),
        ("scope", long(129)),
        ("scope", json!((0..101).map(|n| format!("s{n}")).collect::<Vec<_>>().join(" "))),
        ("id_token_signed_response_alg", json!("none")),
        ("id_token_signed_response_alg", json!("HS256")),
        ("userinfo_signed_response_alg", json!("none")),
        ("subject_type", json!("secret")),
        ("default_max_age", json!(-1)),
        ("default_max_age", json!(31_536_001)),
        ("default_max_age", json!("1")),
        ("require_auth_time", json!("yes")),
        ("dpop_bound_access_tokens", json!("yes")),
        ("require_signed_request_object", json!("yes")),
        ("require_pushed_authorization_requests", json!("yes")),
        ("request_object_signing_alg", json!("none")),
        ("token_endpoint_auth_signing_alg", json!("none")),
        ("jwks", json!({"keys": []})),
        ("jwks_uri", json!("http://app.example/jwks")),
        ("contacts", many(11, "a")),
        ("contacts", json!(["a\u{1b}[0m"])),
        ("roles", json!(["nope"])),
        ("roles", json!(["No such"])),
        ("permissions", json!(["no such"])),
        ("permissions", json!(["nobody:has:defined"])),
        ("permissions", json!((0..101).map(|n| format!("p{n}:*")).collect::<Vec<_>>())),
        ("requests_per_hour", json!(-1)),
        ("requests_per_hour", json!("many")),
        ("introspect", json!(1)),
        ("exchange_clients", json!(["42"])),
        ("exchange_clients", json!((0..101).map(|n| format!("c{n}")).collect::<Vec<_>>())),
        ("first_party", json!("true")),
        ("require_pkce", json!([])),
    ]
}

#[tokio::test]
async fn every_field_that_cannot_be_so_is_named() {
    let app = TestApp::start().await;
    let root = app.superuser("root").await;
    made(&root, &web("app")).await;
    for (field, value) in addresses().into_iter().chain(others()) {
        let body = with(web("other"), field, value.clone());
        assert!(!app.refuses(create(&root, &body), field).await.is_empty(), "{field} {value}");
        // What is left out of a change stays as it is.
        if !value.is_null() {
            app.refuses(change(&root, "app", &json!({field: value})), field).await;
        }
    }
    app.refuses(create(&root, &json!({"client_name": "x"})), "redirect_uris").await;
    app.refuses(create(&root, &json!({"redirect_uris": [REDIRECT]})), "client_name").await;
    let public = with(robot("other"), "token_endpoint_auth_method", json!("none"));
    app.refuses(create(&root, &public), "grant_types").await;
    let two = with(web("other"), "subject_type", json!("pairwise"));
    app.refuses(
        create(&root, &with(two, "redirect_uris", json!([REDIRECT, "https://b.example/"]))),
        "subject_type",
    )
    .await;
    app.fails(of(&root, Method::GET, "other", ""), 404, "NOT_FOUND").await;
    let native = with(web("native"), "redirect_uris", json!(["com.example.app:/cb", "http://[::1]/cb"]));
    made(&root, &with(native, "token_endpoint_auth_method", json!("none"))).await;
    is_whole(&app);
}

#[tokio::test]
async fn a_name_is_one_clients_alone_and_never_a_number() {
    let app = TestApp::start().await;
    let root = app.superuser("root").await;
    for bad in ["1", "0042", "18446744073709551615", ".", "..", "a b", "a?b", "\u{e4}", "a\u{0}", "a%2fb"] {
        app.refuses(create(&root, &robot(bad)), "client_id").await;
    }
    app.refuses(create(&root, &robot(&"x".repeat(256))), "client_id").await;
    for good in ["https://a.example/client", "a.b-c~d_e", "1a", &"x".repeat(255)] {
        let secret = secret_of(&made(&root, &robot(good)).await);
        app.refuses(create(&root, &robot(good)), "client_id").await;
        assert_eq!(app.json(of(&root, Method::GET, good, ""), 200).await["client_id"], good);
        app.json(change(&root, good, &json!({"client_name": "Other"})), 200).await;
        // RFC 6749 section 2.3.1: each part form-encoded.
        let encoded: String = url::form_urlencoded::byte_serialize(good.as_bytes()).collect();
        assert_eq!(by_basic(&app, &encoded, &secret).await, 200, "{good}");
        app.done(of(&root, Method::DELETE, good, "")).await;
        assert_eq!(by_basic(&app, &encoded, &secret).await, 401, "{good}");
    }
    let requests = (0..8).map(|_| create(&root, &robot("race")).send());
    let all = futures_util::future::join_all(requests).await;
    assert_eq!(all.into_iter().filter(|answer| answer.as_ref().unwrap().status() == 201).count(), 1);
    // One that is made is nobody's number either.
    let made = made(&root, &with(robot(""), "client_id", Value::Null)).await;
    assert!(made["client_id"].as_str().unwrap().starts_with("client_"));
}

#[tokio::test]
async fn pages_of_clients_stay_stable() {
    let app = TestApp::start().await;
    let root = app.superuser("root").await;
    for name in ["a", "b", "c", "d", "e"] {
        made(&root, &robot(name)).await;
    }
    let page = |query: &str| app.json(root.bearer(Method::GET, &format!("/oauth-clients?{query}")), 200);
    let first = page("limit=2").await;
    let cursor = first["next_cursor"].as_str().unwrap().to_owned();
    for gone in ["b", "c"] {
        app.done(of(&root, Method::DELETE, gone, "")).await;
    }
    let next = page(&format!("limit=2&cursor={cursor}")).await;
    let names: Vec<_> =
        next["items"].as_array().unwrap().iter().map(|one| one["client_id"].clone()).collect();
    assert_eq!((names, &next["next_cursor"]), (vec![json!("d"), json!("e")], &Value::Null));
    app.refuses(root.bearer(Method::GET, "/oauth-clients?cursor=!"), "cursor").await;
    app.refuses(root.bearer(Method::GET, "/oauth-clients?limit=0"), "limit").await;
}

#[tokio::test]
async fn the_keys_that_a_client_needs_are_published_when_it_is_there() {
    let app = TestApp::start().await;
    let root = app.superuser("root").await;
    let algorithms = async || {
        let set = app.json(app.request(Method::GET, "/oauth2/jwks"), 200).await;
        let keys = set["keys"].as_array().unwrap().clone();
        keys.iter().map(|key| key["alg"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert!(!algorithms().await.iter().any(|known| known == "EdDSA" || known == "PS256"));
    let signed = with(web("app"), "id_token_signed_response_alg", json!("EdDSA"));
    made(&root, &signed).await;
    let now = algorithms().await;
    assert!(now.contains(&"EdDSA".to_owned()) && !now.contains(&"PS256".to_owned()), "{now:?}");
    // Userinfo is signed, too.
    app.json(change(&root, "app", &json!({"userinfo_signed_response_alg": "PS256"})), 200).await;
    assert!(algorithms().await.contains(&"PS256".to_owned()));
}
