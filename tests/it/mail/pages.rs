//! The pages that links lead to.
use crate::support::{Setup, TestApp};

const PAGES: [&str; 5] = ["reset-password", "verify-email", "confirm-email", "sign-in", "recover"];

#[tokio::test]
async fn every_page_runs_nothing_but_the_servers_own_script() {
    let app = TestApp::start().await;
    for page in PAGES {
        let answer = app.get(&format!("/account/{page}")).await;
        assert_eq!(answer.status(), 200, "{page}");
        let header = |name: &str| answer.headers()[name].to_str().unwrap().to_owned();
        assert_eq!(header("content-type"), "text/html; charset=utf-8");
        assert_eq!(
            (header("referrer-policy").as_str(), header("cache-control").as_str()),
            ("same-origin", "no-store")
        );
        let policy = header("content-security-policy");
        assert!(policy.starts_with("default-src 'none'; script-src 'self'; style-src 'self'"), "{policy}");
        assert!(policy.contains("frame-ancestors 'none'") && !policy.contains("unsafe"), "{policy}");
        let text = answer.text().await.unwrap();
        assert!(text.contains("<html lang=\"en\">") && text.contains("color-scheme"), "{page}");
        assert!(
            !text.contains("style=") && !text.contains("onclick") && !text.contains("<script>"),
            "{page}"
        );
        // Its form is sent to itself, and it finds the token without sending it.
        assert!(text.contains(&format!("action=\"/account/{page}\"")), "{text}");
        assert!(text.contains("<script src=\"/account/mailed.js\" defer>"), "{text}");
    }
    let script = app.get("/account/mailed.js").await.text().await.unwrap();
    assert!(script.contains("location.hash") && script.contains("history.replaceState"), "{script}");
    assert!(!script.contains("fetch"), "{script}");
    for (asset, kind) in [("mailed.js", "text/javascript"), ("style.css", "text/css")] {
        let answer = app.get(&format!("/account/{asset}")).await;
        assert_eq!(answer.status(), 200);
        assert!(answer.headers()["content-type"].to_str().unwrap().starts_with(kind));
    }
    app.fails(app.request(reqwest::Method::GET, "/account/nothing"), 404, "NOT_FOUND").await;
    app.fails(app.request(reqwest::Method::PUT, "/account/recover"), 405, "METHOD_NOT_ALLOWED").await;
}

#[tokio::test]
async fn they_are_found_below_a_path_too() {
    let app = Setup::default().at("https://home.example/auth-service").start().await;
    for path in ["/auth-service/account/recover", "/account/recover"] {
        assert_eq!(app.get(path).await.status(), 200, "{path}");
    }
}
