//! Documents that are none, hosts that lead elsewhere, and strangers who have this server ask others.
use serde_json::{Value, json};

use super::{Browser, Host, Party, first, is_whole};
use crate::support::{Setup, TestApp};

#[tokio::test]
async fn a_document_that_breaks_a_rule_is_no_client() {
    let host = Host::start().await;
    let app = host.setup().with("client_documents.per_hour", "1000").start().await;
    let with = |name: &str, value: Value| {
        let mut document = host.document();
        document[name] = value;
        document
    };
    for (document, part) in [
        (with("client_id", json!("https://localhost/other")), "client_id"),
        (with("client_id", json!(format!("{}/", host.id()))), "client_id"),
        (with("client_id", Value::Null), "client_id"),
        (with("client_secret", json!("x")), "client_secret"),
        (with("client_secret_expires_at", json!(0)), "client_secret"),
        (with("token_endpoint_auth_method", json!("client_secret_basic")), "token_endpoint_auth_method"),
        (with("token_endpoint_auth_method", json!("client_secret_post")), "token_endpoint_auth_method"),
        (with("redirect_uris", json!([])), "redirect_uris"),
        (with("redirect_uris", json!(["http://photos.example/cb"])), "redirect_uris"),
        (with("redirect_uris", json!("x")), "document"),
        (with("grant_types", json!(["client_credentials"])), "grant_types"),
        (with("client_name", json!("localhost")), "client_name"),
        (with("client_name", json!("soto\u{202e}hp")), "client_name"),
        (with("scope", json!("users:write")), "scope"),
        (json!([]), "document"),
    ] {
        host.says(&document);
        first(&app, &host.id()).await.is_error_page(part);
    }
    is_whole(&app);
    // Nothing of it was kept.
    host.says(&host.document());
    assert!(first(&app, &host.id()).await.has_form("sign-in"));
}

#[tokio::test]
async fn an_answer_that_is_no_document_is_refused_and_waited_for_no_longer_than_others() {
    let host = Host::start().await;
    let app = host.setup().start().await;
    let good = host.document().to_string();
    let json_type = "Content-Type: application/json\r\n";
    host.answers("200 OK", "Content-Type: text/html\r\n", good.as_bytes());
    first(&app, &host.id()).await.is_error_page("content type");
    host.answers("200 OK", "", good.as_bytes());
    first(&app, &host.id()).await.is_error_page("content type");
    host.answers("302 Found", &format!("{json_type}Location: https://localhost:1/\r\n"), b"");
    first(&app, &host.id()).await.is_error_page("another status");
    host.answers("204 No Content", json_type, b"");
    first(&app, &host.id()).await.is_error_page("another status");
    host.answers("200 OK", json_type, "[".repeat(30_000).as_bytes());
    first(&app, &host.id()).await.is_error_page("JSON");
    host.answers("200 OK", json_type, format!("{{\"x\": \"{}\"}}", "x".repeat(40_000)).as_bytes());
    first(&app, &host.id()).await.is_error_page("too large");
    host.sends(format!("HTTP/1.1 200 OK\r\n{json_type}Content-Length: 100\r\n\r\nhalf").as_bytes());
    let page = first(&app, &host.id()).await;
    assert!(page.text.contains("took too long") || page.text.contains("broke off"), "{page:?}");
    host.sends(b"nonsense\r\n\r\n");
    first(&app, &host.id()).await.is_error_page("no HTTP");
    is_whole(&app);
}

#[tokio::test]
async fn nobody_is_led_into_the_inner_network() {
    let host = Host::start().await;
    host.says(&host.document());
    // The same settings, but for the networks.
    let app = host.setup().with("outbound.allowed_networks", "").start().await;
    first(&app, &host.id()).await.is_error_page("does not go");
    for name in [
        "127.0.0.1",
        "2130706433",
        "0x7f000001",
        "0177.0.0.1",
        "127.1",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "169.254.169.254",
    ] {
        let id = format!("https://{name}:{}/client", host.port);
        first(&app, &id).await.is_error_page("client_id");
    }
    first(&app, &format!("http://localhost:{}/client", host.port)).await.is_error_page("client_id");
    assert_eq!(host.asked(), 0);
}

#[tokio::test]
async fn only_hosts_that_are_named_are_asked_where_any_is() {
    let host = Host::start().await;
    host.says(&host.document());
    let app = host.setup().with("client_documents.allowed_hosts", "app.example").start().await;
    first(&app, &host.id()).await.is_error_page("client_id");
    assert_eq!(host.asked(), 0);
    let app = host.setup().with("client_documents.allowed_hosts", "app.example,localhost").start().await;
    assert!(first(&app, &host.id()).await.has_form("sign-in"));
}

#[tokio::test]
async fn a_network_has_this_server_ask_so_often_in_an_hour_and_no_oftener() {
    let host = Host::start().await;
    host.answers("404 Not Found", "", b"");
    let app = host.setup().with("client_documents.per_hour", "3").start().await;
    for n in 0..10 {
        let page = first(&app, &format!("https://localhost:{}/{n}", host.port)).await;
        assert_eq!(page.status, if n < 3 { 400 } else { 429 }, "{page:?}");
    }
    assert_eq!(host.asked(), 3);
    app.clock.advance_secs(3600);
    first(&app, &host.id()).await;
    assert_eq!(host.asked(), 4);
}

#[tokio::test]
async fn there_is_room_for_so_many() {
    let host = Host::start().await;
    host.says(&host.document());
    let app = host.setup().with("client_registration.max_clients", "1").start().await;
    assert!(first(&app, &host.id()).await.has_form("sign-in"));
    let second = format!("https://localhost:{}/second", host.port);
    let mut document = host.document();
    document["client_id"] = json!(second);
    host.says(&document);
    assert_eq!(first(&app, &second).await.status, 503);
    is_whole(&app);
}

#[tokio::test]
async fn what_is_asked_for_by_other_endpoints_is_never_read() {
    let host = Host::start().await;
    host.says(&host.document());
    let app: TestApp = Setup::start(host.setup()).await;
    let photos = Party { app: &app, id: host.id(), secret: None, method: "none".to_owned() };
    photos.fails(photos.redeems("x"), 401, "invalid_client").await;
    let asks = photos.asks().path();
    Browser::new(&app).open(&asks.replace("/oauth2/authorize", "/oauth2/consent")).await;
    assert_eq!(host.asked(), 0);
}
