//! How each proxy asks, and what it is answered.
use reqwest::Method;
use serde_json::json;

use super::{HTML, asks, cookie, gets, guarding, key, sign_in, status, told, usual};
use crate::support::{Setup, TestApp};

const WAY: &str =
    "http://id.example.org/auth/forward/sign-in?return_to=http%3A%2F%2Fwiki.example.org%2Fa%3Fb%3Dc%26d";

async fn location(request: reqwest::RequestBuilder, status: u16, header: &str) -> String {
    let answer = request.send().await.unwrap();
    assert_eq!(answer.status().as_u16(), status);
    answer.headers()[header].to_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_browser_is_led_to_the_sign_in_and_a_program_is_told_that_it_has_to_say_who_it_is() {
    let app = guarding(&usual()).start().await;
    let page = || gets(&app, "/a?b=c&d");
    assert_eq!(location(page().header("Accept", HTML), 302, "location").await, WAY);
    app.fails(page(), 401, "UNAUTHORIZED").await;
    app.fails(page().header("Accept", "*/*"), 401, "UNAUTHORIZED").await;
    let post = asks(&app, "POST", "http://wiki.example.org/a").header("Accept", HTML);
    app.fails(post, 401, "UNAUTHORIZED").await;
    let script = page().header("Accept", HTML).header("X-Requested-With", "XMLHttpRequest");
    app.fails(script, 401, "UNAUTHORIZED").await;
    // A password of the application's, which a browser sends by itself, changes nothing.
    let basic = page().header("Accept", HTML).basic_auth("ann", Some("x"));
    assert_eq!(location(basic, 302, "location").await, WAY);
    app.fails(page().header("Accept", HTML).header("X-API-Key", "x"), 401, "INVALID_TOKEN").await;
    // Programs may show a key as a password; browsers shall not ask for one.
    let challenges = |answer: reqwest::Response| {
        let all = answer.headers().get_all("www-authenticate").iter();
        all.map(|one| one.to_str().unwrap().split(' ').next().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(challenges(page().send().await.unwrap()), ["Bearer", "Basic"]);
    let browser = page().header("User-Agent", "Mozilla/5.0").send().await.unwrap();
    assert_eq!(challenges(browser), ["Bearer"]);
}

#[tokio::test]
async fn nginx_is_told_where_to_lead_a_browser_in_a_header_of_the_401() {
    let app = guarding(&usual()).start().await;
    let page = |url: &str| {
        let request = app.request(Method::GET, "/auth/forward/nginx").header("Accept", HTML);
        request.header("X-Original-Method", "GET").header("X-Original-URL", url)
    };
    let url = "http://wiki.example.org/a?b=c&d";
    assert_eq!(location(page(url), 401, "x-auth-location").await, WAY);
    let answer = page(url).header("Accept", "*/*").header("Sec-Fetch-Mode", "cors").send().await.unwrap();
    assert!(answer.status() == 401 && !answer.headers().contains_key("x-auth-location"));
    app.register("ann").await;
    let cookie = cookie(&app, "ann").await;
    assert_eq!(told(page(url).header("Cookie", &cookie)).await[0], "ann");
    assert_eq!(status(page("http://other.example.org/").header("Cookie", &cookie)).await, 403);
}

#[tokio::test]
async fn envoy_asks_with_the_request_itself_whatever_its_method() {
    let rules = json!([{"host": "wiki.example.org", "methods": ["PROPFIND"], "access": "public"},
        {"host": "wiki.example.org"}]);
    let app = guarding(&rules).start().await;
    let request = |method: &str, path: &str| {
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        let request = app.request(method, &format!("/auth/forward/at{path}"));
        request.header("Host", "wiki.example.org").header("X-Forwarded-Proto", "http")
    };
    assert_eq!(status(request("PROPFIND", "/dav")).await, 200);
    for method in ["GET", "POST", "PUT", "DELETE", "PATCH", "MKCOL"] {
        assert_eq!(status(request(method, "/dav")).await, 401, "{method}");
    }
    assert_eq!(status(request("OPTIONS", "/dav")).await, 401);
    assert_eq!(location(request("GET", "/a?b=c&d").header("Accept", HTML), 302, "location").await, WAY);
    app.register("ann").await;
    let cookie = cookie(&app, "ann").await;
    // No token of a form: the request is the application's, and so is what guards it.
    let post = request("POST", "/dav").header("Cookie", &cookie).header("Origin", "http://wiki.example.org");
    assert_eq!(status(post.body("x".repeat(100))).await, 200);
}

#[tokio::test]
async fn a_preflight_of_something_behind_a_proxy_is_not_answered_as_one_of_ours() {
    let setup = guarding(&usual()).with("cors_origins", "https://app.example.org");
    let app = setup.start().await;
    let preflight = |path: &str| {
        let request = app.request(Method::OPTIONS, path).header("Host", "wiki.example.org");
        let request = request.header("X-Forwarded-Proto", "http").header("Origin", "https://app.example.org");
        request.header("Access-Control-Request-Method", "GET")
    };
    assert_eq!(status(preflight("/auth/me")).await, 204);
    assert_eq!(status(preflight("/auth/forward/at/a")).await, 401);
    let asked =
        asks(&app, "OPTIONS", "http://wiki.example.org/a").header("Access-Control-Request-Method", "GET");
    assert_eq!(status(asked.header("Origin", "https://app.example.org")).await, 401);
}

#[tokio::test]
async fn an_upgrade_and_a_body_that_never_comes_are_no_trouble() {
    let app = guarding(&json!([{"host": "wiki.example.org", "access": "public"}])).start().await;
    let mut proxy = app.raw().await;
    let common = [
        "X-Forwarded-Method: GET",
        "X-Forwarded-Proto: wss",
        "X-Forwarded-Host: wiki.example.org",
        "X-Forwarded-Uri: /socket",
    ];
    let upgrade = ["Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13"];
    let answer = proxy.ask("GET", "/auth/forward", &[&common[..], &upgrade].concat()).await;
    assert_eq!(answer.status, 200);
    // A proxy may leave the length of a body that it keeps.
    let answer =
        proxy.ask("GET", "/auth/forward", &[&common[..], &["Content-Length: 100000000000"]].concat()).await;
    assert_eq!(answer.status, 200);
    let mut proxy = app.raw().await;
    let large = ["X-Forwarded-Proto: http", "Content-Length: 104857600"];
    let head = format!(
        "POST /auth/forward/at/upload HTTP/1.1\r\nHost: wiki.example.org\r\n{}\r\n\r\n",
        large.join("\r\n")
    );
    proxy.send(head).await;
    assert_eq!(proxy.answer().await.status, 200);
}

#[tokio::test]
async fn whoever_is_no_proxy_is_told_nothing_and_not_believed() {
    let setup = Setup::default().at(super::PUBLIC_URL).with("forward.rules", &usual().to_string());
    for trusted in ["", "192.0.2.0/24"] {
        let app = TestApp::start_with(
            Setup { settings: setup.settings.clone(), ..Setup::default() }.with("trusted_proxies", trusted),
        )
        .await;
        for path in ["/public/a", "/a"] {
            app.fails(gets(&app, path), 403, "FORBIDDEN").await;
        }
        let envoy = app.request(Method::GET, "/auth/forward/at/public/a").header("Host", "wiki.example.org");
        app.fails(envoy.header("X-Forwarded-Proto", "http"), 403, "FORBIDDEN").await;
        let nginx = app.request(Method::GET, "/auth/forward/nginx").header("X-Original-Method", "GET");
        app.fails(nginx.header("X-Original-URL", "http://wiki.example.org/public/a"), 403, "FORBIDDEN").await;
        // The page that people see asks for nobody's word.
        assert_eq!(app.get(&sign_in("http://wiki.example.org/")).await.status(), 400);
    }
}

#[tokio::test]
async fn it_works_below_a_path_that_looks_like_its_own() {
    for url in ["http://id.example.org/auth", "http://id.example.org/x"] {
        let app = guarding(&usual()).at(url).start().await;
        assert_eq!(status(gets(&app, "/public/a")).await, 200);
        let way = location(gets(&app, "/a").header("Accept", HTML), 302, "location").await;
        assert!(way.starts_with(&format!("{url}/auth/forward/sign-in?")), "{way}");
        let prefix = url.rsplit('/').next().unwrap();
        let below = app.request(Method::GET, &format!("/{prefix}/auth/forward/at/public/a"));
        let below = below.header("Host", "wiki.example.org").header("X-Forwarded-Proto", "http");
        assert_eq!(status(below).await, 200);
    }
}

#[tokio::test]
async fn what_passes_counts_against_no_limit_but_that_of_a_key() {
    let app = guarding(&usual()).with("rate_limit.requests_per_hour", "12").start().await;
    app.register("ann").await;
    let cookie = cookie(&app, "ann").await;
    for _ in 0..30 {
        let answer = gets(&app, "/a").header("Cookie", &cookie).send().await.unwrap();
        assert!(answer.status() == 200 && !answer.headers().contains_key("ratelimit"));
    }
    let root = app.superuser("root").await;
    let key = key(&root, &json!({"name": "k", "unrestricted": true, "requests_per_hour": 3})).await;
    for _ in 0..3 {
        assert_eq!(status(gets(&app, "/a").header("X-API-Key", &key)).await, 200);
    }
    assert_eq!(status(gets(&app, "/a").header("X-API-Key", &key)).await, 429);
}
