//! Reverse proxies ask whether requests may pass: with sessions, keys and tokens, and with everything that is forged.
mod browser;
mod credentials;
mod proxies;
mod rules;
mod shut;
mod smuggling;

use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};

use crate::oauth::Browser;
use crate::support::{Person, Setup, TestApp};

const PUBLIC_URL: &str = "http://id.example.org";
const HTML: &str = "text/html,application/xhtml+xml,*/*;q=0.8";
/// What identity headers are called.
const IDENTITY: [&str; 5] = ["remote-user", "remote-email", "remote-name", "remote-groups", "remote-id"];

/// A server with rules, which believes whoever asks.
fn guarding(rules: &Value) -> Setup {
    let setup = Setup::default().at(PUBLIC_URL).with("trusted_proxies", "127.0.0.1");
    let setup = setup.with("forward.cookie_domain", "example.org").with("forward.ports", "8443");
    setup.with("forward.unverified_email", "true").with("forward.rules", &rules.to_string())
}

/// One for everybody who says who it is, and one page for all.
fn usual() -> Value {
    json!([{"host": "wiki.example.org", "paths": ["/public/**"], "access": "public"}, {"host": "wiki.example.org"}])
}

/// As a proxy asks for somebody at 192.0.2.7.
fn asks(app: &TestApp, method: &str, url: &str) -> RequestBuilder {
    let (scheme, rest) = url.split_once("://").unwrap();
    let (host, uri) = rest.split_at(rest.find('/').unwrap());
    app.request(Method::GET, "/auth/forward")
        .header("X-Forwarded-Method", method)
        .header("X-Forwarded-Proto", scheme)
        .header("X-Forwarded-Host", host)
        .header("X-Forwarded-Uri", uri)
        .header("X-Forwarded-For", "192.0.2.7")
}

/// As a proxy asks for somebody who gets a page of the wiki.
fn gets(app: &TestApp, path: &str) -> RequestBuilder {
    asks(app, "GET", &format!("http://wiki.example.org{path}"))
}

async fn status(request: RequestBuilder) -> u16 {
    request.send().await.unwrap().status().as_u16()
}

/// What is told of whoever passes.
async fn told(request: RequestBuilder) -> [String; 5] {
    let answer = request.send().await.unwrap();
    assert_eq!(answer.status(), 200);
    IDENTITY.map(|name| {
        let all: Vec<_> = answer.headers().get_all(name).iter().collect();
        assert_eq!(all.len(), 1, "{name}: {all:?}");
        all[0].to_str().unwrap().to_owned()
    })
}

/// The cookie of a browser in which somebody has signed in for the wiki.
async fn cookie(app: &TestApp, name: &str) -> String {
    let mut browser = Browser::new(app);
    signed_in(&mut browser, name).await
}

async fn signed_in(browser: &mut Browser<'_>, name: &str) -> String {
    let page = browser.open(&sign_in("http://wiki.example.org/")).await;
    let page = browser.sign_in(&page, name).await;
    assert_eq!(page.location().as_deref(), Some("http://wiki.example.org/"), "{page:?}");
    format!("forward_cookie={}", browser.cookies["forward_cookie"].1)
}

/// The cookie by which this server's own pages know a browser.
async fn cookie_of_session(app: &TestApp, name: &str) -> String {
    let answer =
        app.post("/auth/token", &json!({"username": name, "password": crate::support::PASSWORD})).await;
    let set = crate::support::set_cookie(answer.headers(), "session_cookie");
    set.split(';').next().unwrap().to_owned()
}

/// Where browsers sign in that come back to an address.
fn sign_in(back: &str) -> String {
    let back: String = form_urlencoded::byte_serialize(back.as_bytes()).collect();
    format!("/auth/forward/sign-in?return_to={back}")
}

async fn key(who: &Person<'_>, body: &Value) -> String {
    let made = who.app.json(who.bearer(Method::POST, "/auth/api-keys").json(body), 201).await;
    made["key"].as_str().unwrap().to_owned()
}

/// The key may do what its owner may.
fn whole() -> Value {
    json!({"name": "deploy", "unrestricted": true})
}
