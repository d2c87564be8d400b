//! The interactive page and the document behind it, without a network.
use crate::support::{Setup, TestApp};

#[tokio::test]
async fn the_page_and_all_that_it_loads_come_from_this_server() {
    let app = Setup::default().at("https://home.example/id").start().await;
    let page = app.get("/docs").await;
    assert_eq!(page.headers()["content-type"], "text/html; charset=utf-8");
    let policy = page.headers()["content-security-policy"].to_str().unwrap().to_owned();
    assert!(!policy.contains("http") && policy.contains("script-src 'self';"), "{policy}");
    assert!(policy.contains("base-uri 'none'"), "{policy}");
    let html = page.text().await.unwrap();
    assert!(!html.contains("http://") && !html.contains("https://"), "{html}");
    let links = html.split(['"', ' ']).filter(|part| part.starts_with("docs/"));
    let links: Vec<_> = links.map(|link| format!("/{link}")).collect();
    assert_eq!(links.len(), 2, "{links:?}");
    for (link, least) in links.iter().zip([500_000, 300]) {
        let answer = app.get(link).await;
        assert_eq!(answer.status(), 200, "{link}");
        assert!(answer.headers()["content-type"].to_str().unwrap().starts_with("text/javascript"), "{link}");
        assert!(answer.bytes().await.unwrap().len() > least, "{link}");
    }
}

#[tokio::test]
async fn the_viewer_loads_this_servers_document() {
    let app = TestApp::start().await;
    let page = app.get("/docs").await.text().await.unwrap();
    assert!(page.contains("spec-url=\"openapi.json\"") && page.contains("load-fonts=\"false\""));
    let script = app.get("/docs/start.js").await.text().await.unwrap();
    assert!(script.contains("before-try") && script.contains("X-CSRF-Token"));
    let document: serde_json::Value = app.get("/openapi.json").await.json().await.unwrap();
    assert_eq!(document, app.spec);
    assert_eq!(document["info"]["version"], "2.1.0");
}
