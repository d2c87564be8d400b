//! What clients may say of themselves, and what is so where they say nothing (RFC 7591 section 2, OpenID Connect Registration
//! section 2).
use serde_json::{Value, json};

use super::{album, asks, open, refused, registered, text, with};
use crate::support::TestApp;

#[tokio::test]
async fn what_is_not_said_is_as_the_registry_says() {
    let app = open().start().await;
    let made = registered(&app, &json!({"redirect_uris": ["https://a.example/cb"]})).await;
    assert_eq!(made["token_endpoint_auth_method"], "client_secret_basic");
    assert_eq!(made["grant_types"], json!(["authorization_code"]));
    assert_eq!(made["response_types"], json!(["code"]));
    assert_eq!(made["id_token_signed_response_alg"], "RS256");
    assert_eq!((&made["application_type"], &made["subject_type"]), (&json!("web"), &json!("public")));
    assert_eq!(made["scope"], "openid profile email offline_access");
    // Nobody is shown an empty name.
    assert_eq!(made["client_name"], made["client_id"]);
}

#[tokio::test]
async fn all_that_is_registered_is_told() {
    let app = open().start().await;
    let mut body = album();
    for (name, value) in [
        ("software_id", "4NRB1-0XZABZI9E6-5SM3R"),
        ("software_version", "2.1"),
        ("initiate_login_uri", "https://photos.example/login"),
        ("application_type", "web"),
        ("client_uri", "https://photos.example/"),
        ("logo_uri", "https://photos.example/logo"),
        ("policy_uri", "https://photos.example/policy"),
        ("tos_uri", "https://photos.example/tos"),
    ] {
        body[name] = json!(value);
    }
    let made = registered(&app, &body).await;
    for (name, value) in body.as_object().unwrap() {
        assert_eq!(made[name], *value, "{name}");
    }
}

#[tokio::test]
async fn what_nobody_knows_is_ignored() {
    let app = open().start().await;
    let mut body = album();
    for name in ["shoe_size", "client_name#de", "software_statement", "client_id", "client_secret"] {
        body[name] = json!("x");
    }
    let made = registered(&app, &body).await;
    assert!(made.get("shoe_size").is_none() && made.get("software_statement").is_none());
    assert!(text(&made, "client_id").starts_with("client_") && text(&made, "client_secret").len() > 40);
}

/// Whether the redirect URIs may be registered.
async fn takes(app: &TestApp, kind: Option<&str>, uris: &[&str]) -> bool {
    let mut body = with(album(), "redirect_uris", json!(uris));
    // What is a program's own has no secret.
    body["token_endpoint_auth_method"] = json!("none");
    if let Some(kind) = kind {
        body["application_type"] = json!(kind);
    }
    let answer = asks(app, &body).send().await.unwrap();
    let is_made = answer.status() == 201;
    let told: Value = answer.json().await.unwrap();
    match kind {
        Some(kind) if is_made => assert_eq!(told["application_type"], kind),
        None if is_made => assert_eq!(told["application_type"] == "web", uris[0].starts_with("https:")),
        _ => assert_eq!(told["error"], "invalid_redirect_uri", "{told}"),
    }
    is_made
}

#[tokio::test]
async fn a_web_client_is_answered_by_https_on_another_machine_than_its_users() {
    let app = open().with("client_registration.per_hour", "1000").start().await;
    assert!(takes(&app, Some("web"), &["https://a.example/cb"]).await);
    for bad in [
        "http://127.0.0.1/cb",
        "http://localhost:80/cb",
        "https://localhost/cb",
        "https://127.0.0.1/cb",
        "https://[::1]/cb",
        "com.example.app:/cb",
        "http://a.example/cb",
    ] {
        assert!(!takes(&app, Some("web"), &["https://a.example/cb", bad]).await, "{bad}");
    }
}

#[tokio::test]
async fn a_native_client_is_answered_on_its_users_machine() {
    let app = open().with("client_registration.per_hour", "1000").start().await;
    for good in [
        "http://127.0.0.1:3000/cb",
        "http://[::1]/cb",
        "http://localhost/cb",
        "com.example.app:/cb",
        // Its system hands it over (RFC 8252 section 7.2).
        "https://app.example/cb",
    ] {
        assert!(takes(&app, Some("native"), &[good]).await, "{good}");
        assert!(takes(&app, None, &[good]).await, "{good}, and nothing is said");
    }
    for kind in [Some("native"), None] {
        for bad in [
            "http://a.example/cb",
            "myapp:/cb",
            "javascript:alert(1)",
            "data:text/html,x",
            "https://a.example/cb#x",
            "https://user@a.example/cb",
            "/cb",
            "",
        ] {
            assert!(!takes(&app, kind, &[bad]).await, "{bad}");
        }
    }
}

#[tokio::test]
async fn what_is_wrong_is_told_in_the_words_of_the_protocol() {
    let app = open().with("client_registration.per_hour", "1000").start().await;
    for (name, value) in [
        ("client_name", json!("soto\u{202e}hp")),
        ("client_name", json!("localhost")),
        ("client_name", json!("L0calhost sign-in")),
        ("client_name", json!("x".repeat(101))),
        ("grant_types", json!(["password"])),
        ("grant_types", json!(["implicit"])),
        ("grant_types", json!(["client_credentials"])),
        ("response_types", json!(["code", "token"])),
        ("token_endpoint_auth_method", json!("x")),
        ("id_token_signed_response_alg", json!("none")),
        ("id_token_signed_response_alg", json!("HS256")),
        ("subject_type", json!("x")),
        ("application_type", json!("mobile")),
        ("scope", json!("users:write")),
        ("logo_uri", json!("javascript:alert(1)")),
        ("client_uri", json!("http://a.example/")),
        ("initiate_login_uri", json!("http://a.example/")),
        ("sector_identifier_uri", json!("ftp://a.example/")),
        ("software_id", json!("")),
        ("software_version", json!("a\u{0}b")),
        ("default_max_age", json!(-1)),
    ] {
        let said = refused(asks(&app, &with(album(), name, value)), 400, "invalid_client_metadata").await;
        assert!(said.contains(name), "{name}: {said}");
    }
    for uris in [json!([]), json!(["https://a.example/#x"])] {
        refused(asks(&app, &with(album(), "redirect_uris", uris)), 400, "invalid_redirect_uri").await;
    }
}
