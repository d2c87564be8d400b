//! A public URL with a path, behind proxies that strip it and proxies that do not.
use reqwest::Method;
use serde_json::json;

use crate::support::{PASSWORD, Setup, TestApp, jwt, set_cookie};

async fn served_below(prefix: &str) -> TestApp {
    Setup::default().at(&format!("https://home.example{prefix}")).start().await
}

#[tokio::test]
async fn requests_with_and_without_the_path_of_the_public_url_work() {
    for prefix in ["/auth-service", "/a/b", "/auth", "/health"] {
        let app = served_below(prefix).await;
        app.register("ann").await;
        for before in ["", prefix] {
            let at = |path: &str| format!("{before}{path}");
            let login = json!({"username": "ann", "password": PASSWORD});
            let login = app.request(Method::POST, &at("/auth/token")).json(&login);
            let token = app.json(login, 200).await["access_token"].as_str().unwrap().to_owned();
            assert_eq!(jwt::claims(&token)["iss"], format!("https://home.example{prefix}"));
            for path in
                ["/auth/me", "/auth/sessions", "/health", "/oauth2/jwks", "/openapi.json", "/health/live"]
            {
                app.json(app.request(Method::GET, &at(path)).bearer_auth(&token), 200).await;
            }
            for path in ["/docs", "/docs/start.js", "/docs/viewer.js"] {
                assert_eq!(app.get(&at(path)).await.status(), 200, "{}", at(path));
            }
            let answer = app.request(Method::PUT, &at("/auth/me")).send().await.unwrap();
            assert_eq!(answer.status(), 405);
            assert_eq!(answer.headers()["allow"], "GET, PATCH, DELETE, HEAD, OPTIONS");
            let gone = format!("/auth/sessions/{}", "0".repeat(32));
            let gone = app.request(Method::DELETE, &at(&gone)).bearer_auth(&token);
            app.fails(gone, 404, "NOT_FOUND").await;
        }
    }
}

#[tokio::test]
async fn a_path_that_only_begins_like_it_is_another() {
    let app = served_below("/auth-service").await;
    for path in [
        "/auth-servicex/health",
        "/auth-service",
        "/auth-service/",
        "/AUTH-SERVICE/health",
        "/auth-service/auth-service/health",
        "/x/auth-service/health",
        "/auth-service//health",
    ] {
        app.fails(app.request(Method::GET, path), 404, "NOT_FOUND").await;
    }
}

#[tokio::test]
async fn cookies_are_made_for_the_path_of_the_public_url() {
    let app = served_below("/auth-service").await;
    app.register("ann").await;
    let answer =
        app.post("/auth-service/auth/token", &json!({"username": "ann", "password": PASSWORD})).await;
    let cookie = |name| set_cookie(answer.headers(), name);
    let access = cookie("access_token_cookie");
    assert!(
        access.starts_with("__Secure-access_token_cookie=") && access.contains("Path=/auth-service;"),
        "{access}"
    );
    let refresh = cookie("refresh_token_cookie");
    assert!(refresh.contains("Path=/auth-service/auth/token/refresh;"), "{refresh}");
    assert!(cookie("csrf_access_token").contains("Path=/auth-service;"));
    let pair = |text: &str| text.split(';').next().unwrap().to_owned();
    let csrf = pair(&cookie("csrf_access_token")).split_once('=').unwrap().1.to_owned();
    let request = app.request(Method::POST, "/auth-service/auth/token/refresh").header("X-CSRF-Token", csrf);
    app.json(request.header("Cookie", pair(&refresh)), 200).await;
}

#[tokio::test]
async fn the_document_names_the_path_of_the_public_url() {
    let app = served_below("/auth-service").await;
    let spec = app.json(app.request(Method::GET, "/openapi.json"), 200).await;
    assert_eq!(spec["servers"][0]["url"], "/auth-service/");
    let spec = TestApp::start().await.spec;
    assert_eq!(spec["servers"][0]["url"], "/");
}
