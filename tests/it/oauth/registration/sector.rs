//! The list of a sector is fetched, and has to have all redirect URIs; nobody is led into the inner network by it.
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::{CALLBACK, album, asks, is_whole, open, refused, registered, text, with};

/// The port of a server that says one thing to everybody.
async fn says(answer: String) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let _ = stream.read(&mut [0; 4096]).await;
            let _ = stream.write_all(answer.as_bytes()).await;
        }
    });
    port
}

async fn list(body: &str) -> u16 {
    says(format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}", body.len())).await
}

fn pairwise(port: u16) -> serde_json::Value {
    let uris = json!([CALLBACK, "https://other.example/cb"]);
    let body = with(with(album(), "subject_type", json!("pairwise")), "redirect_uris", uris);
    with(body, "sector_identifier_uri", json!(format!("http://127.0.0.1:{port}/uris")))
}

#[tokio::test]
async fn a_list_that_has_all_redirect_uris_makes_them_one_sector() {
    let app = open().with("outbound.allowed_networks", "127.0.0.1/32").start().await;
    let port =
        list(&json!([CALLBACK, "https://other.example/cb", "https://third.example/"]).to_string()).await;
    let made = registered(&app, &pairwise(port)).await;
    assert_eq!(made["sector_identifier_uri"], format!("http://127.0.0.1:{port}/uris"));
    let id = text(&made, "client_id").parse::<String>().unwrap();
    let client =
        app.app.oauth_clients.read(&auth_service::oauth::client::ClientId::parse(&id).unwrap()).unwrap();
    assert_eq!(client.metadata.sector, "127.0.0.1");
    // Without a list, different hosts are no sector.
    let mut without = pairwise(port);
    without.as_object_mut().unwrap().remove("sector_identifier_uri");
    refused(asks(&app, &without), 400, "invalid_client_metadata").await;
}

#[tokio::test]
async fn a_list_that_lacks_one_or_is_none_is_refused() {
    let app = open().with("outbound.allowed_networks", "127.0.0.1/32").start().await;
    let long = format!("[{}\"x\"]", format!("\"{}\",", "x".repeat(100)).repeat(1000));
    for bad in [json!([CALLBACK]).to_string(), "[]".into(), "{}".into(), "[1]".into(), "x".into(), long] {
        let port = list(&bad).await;
        let said = refused(asks(&app, &pairwise(port)), 400, "invalid_client_metadata").await;
        assert!(said.contains("sector_identifier_uri"), "{said}");
    }
    let whole = json!([CALLBACK, "https://other.example/cb"]).to_string();
    let elsewhere = list(&whole).await;
    let led =
        format!("HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:{elsewhere}/\r\ncontent-length: 0\r\n\r\n");
    refused(asks(&app, &pairwise(says(led).await)), 400, "invalid_client_metadata").await;
    is_whole(&app);
}

#[tokio::test]
async fn nobody_is_asked_in_the_inner_network() {
    let app = open().start().await;
    let port = list(&json!([CALLBACK, "https://other.example/cb"]).to_string()).await;
    for host in
        ["127.0.0.1", "localhost", "2130706433", "0177.0.0.1", "[::ffff:127.0.0.1]", "[::1]", "10.0.0.1"]
    {
        for scheme in ["http", "https"] {
            let uri = json!(format!("{scheme}://{host}:{port}/uris"));
            let request = asks(&app, &with(pairwise(port), "sector_identifier_uri", uri));
            let said = refused(request, 400, "invalid_client_metadata").await;
            assert!(said.contains("sector_identifier_uri") && !said.contains(host), "{said}");
        }
    }
}
