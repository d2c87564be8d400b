//! The pages for people.
use serde_json::json;

use crate::support::{Setup, TestApp};

#[tokio::test]
async fn a_page_runs_scripts_of_this_server_alone() {
    let app = TestApp::start().await;
    let page = app.get("/account/passkeys").await;
    assert_eq!(page.status(), 200);
    let policy = page.headers()["content-security-policy"].to_str().unwrap().to_owned();
    for part in ["default-src 'none'", "script-src 'self'", "frame-ancestors 'none'", "form-action 'none'"] {
        assert!(policy.contains(part), "{policy}");
    }
    assert!(!policy.contains("unsafe"), "{policy}");
    assert_eq!(page.headers()["content-type"], "text/html; charset=utf-8");
    let text = page.text().await.unwrap();
    assert!(text.contains("autocomplete=\"username webauthn\""));
    for inline in ["<style", "onclick", "style=\"", "javascript:"] {
        assert!(!text.contains(inline), "{inline}");
    }
    // Everything that it asks for is there.
    for name in ["style.css", "passkeys.js"] {
        assert!(text.contains(&format!("\"{name}\"")), "{name}");
        assert_eq!(app.get(&format!("/account/{name}")).await.status(), 200, "{name}");
    }
    let nothing = app.get("/account/nothing").await;
    app.failure(reqwest::Method::GET, nothing, 404, "NOT_FOUND").await;
}

#[tokio::test]
async fn a_page_is_found_below_the_path_of_the_public_url() {
    let app = Setup::default().at("https://home.example/id").start().await;
    let page = app.get("/id/account/passkeys").await;
    assert_eq!(page.status(), 200);
    let script = app.get("/id/account/passkeys.js").await.text().await.unwrap();
    assert!(script.contains("`../auth/${path}`"), "what it asks is found from where it is");
    assert_eq!(app.post("/id/auth/passkeys/login/start", &json!({})).await.status(), 200);
}
