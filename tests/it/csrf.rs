//! Requests that a browser makes for a page of somebody else.
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};

use crate::support::{PASSWORD, Person, Setup, TestApp};

/// One request for every unsafe operation that a cookie can authenticate; each would do no harm.
fn unsafe_requests() -> Vec<(Method, &'static str, Value)> {
    vec![
        (Method::PATCH, "/auth/me", json!({"first_name": "Eve"})),
        (Method::DELETE, "/auth/me", json!({"password": PASSWORD})),
        (
            Method::POST,
            "/auth/password/change",
            json!({"current_password": PASSWORD, "new_password": "eve eve eve"}),
        ),
        (Method::POST, "/auth/logout", json!({})),
        (Method::DELETE, "/auth/sessions", json!({})),
        (Method::DELETE, "/auth/sessions/00000000000000000000000000000000", json!({})),
    ]
}

fn patch(user: &Person) -> RequestBuilder {
    user.page(Method::PATCH, "/auth/me").json(&json!({"first_name": "Ann"}))
}

fn login(app: &TestApp) -> RequestBuilder {
    app.request(Method::POST, "/auth/token").json(&json!({"username": "ann", "password": PASSWORD}))
}

#[tokio::test]
async fn an_unsafe_request_with_a_cookie_needs_the_csrf_token_of_its_session() {
    let app = TestApp::start().await;
    let (user, other) = (app.user("ann").await, app.user("bob").await);
    let short = &user.tokens.csrf[1..];
    for (method, path, body) in unsafe_requests() {
        app.fails(user.cookie(method.clone(), path).json(&body), 403, "CSRF_FAILED").await;
        for wrong in ["", "x", &other.tokens.csrf, short, &user.session()] {
            let request = user.cookie(method.clone(), path).header("X-CSRF-Token", wrong).json(&body);
            app.fails(request, 403, "CSRF_FAILED").await;
        }
    }
    let profile = app.json(user.cookie(Method::GET, "/auth/me"), 200).await;
    assert_eq!(profile["first_name"], Value::Null, "nothing was done");
    assert_eq!(app.json(patch(&user), 200).await["first_name"], "Ann");
}

#[tokio::test]
async fn a_csrf_token_in_the_cookie_alone_proves_nothing() {
    let app = TestApp::start().await;
    let user = app.user("ann").await;
    let cookies =
        format!("access_token_cookie={}; csrf_access_token={}", user.tokens.access, user.tokens.csrf);
    let request = app.request(Method::PATCH, "/auth/me").header("Cookie", &cookies).json(&json!({}));
    app.fails(request, 403, "CSRF_FAILED").await;
    // A cookie that a neighbouring domain has planted, with the header that fits it.
    let planted = format!("access_token_cookie={}; csrf_access_token=planted", user.tokens.access);
    let request = app.request(Method::PATCH, "/auth/me").header("Cookie", planted).json(&json!({}));
    app.fails(request.header("X-CSRF-Token", "planted"), 403, "CSRF_FAILED").await;
}

#[tokio::test]
async fn safe_requests_and_bearer_tokens_need_no_csrf_token() {
    let app = TestApp::start().await;
    let user = app.user("ann").await;
    app.json(user.cookie(Method::GET, "/auth/me"), 200).await;
    app.json(user.cookie(Method::GET, "/auth/sessions"), 200).await;
    app.json(user.bearer(Method::PATCH, "/auth/me").json(&json!({})), 200).await;
    let both = user.cookie(Method::PATCH, "/auth/me").bearer_auth(&user.tokens.access).json(&json!({}));
    app.json(both, 200).await;
}

#[tokio::test]
async fn an_unauthenticated_caller_hears_of_that_first() {
    let app = TestApp::start().await;
    let request = app.request(Method::PATCH, "/auth/me").header("Content-Type", "text/plain").body("{");
    app.fails(request, 401, "UNAUTHORIZED").await;
    let request = app.request(Method::PATCH, "/auth/me").header("Cookie", "access_token_cookie=x");
    app.fails(request, 401, "INVALID_TOKEN").await;
}

#[tokio::test]
async fn a_browser_that_names_no_origin_is_known_by_its_metadata() {
    let app = TestApp::start().await;
    let user = app.user("ann").await;
    app.fails(patch(&user).header("Sec-Fetch-Site", "cross-site"), 403, "CSRF_FAILED").await;
    app.fails(login(&app).header("Sec-Fetch-Site", "cross-site"), 403, "CSRF_FAILED").await;
    for near in ["same-origin", "same-site", "none"] {
        app.json(patch(&user).header("Sec-Fetch-Site", near), 200).await;
    }
    app.json(user.cookie(Method::GET, "/auth/me").header("Sec-Fetch-Site", "cross-site"), 200).await;
}

#[tokio::test]
async fn a_page_of_another_origin_is_refused() {
    let app = TestApp::start().await;
    let user = app.user("ann").await;
    let port = app.address.port();
    for origin in [
        "http://evil.example",
        "null",
        "",
        "https://localhost",
        "http://localhost",
        &format!("https://localhost:{port}"),
        &format!("http://localhost:{port}0"),
        &format!("http://localhost:{port}.evil.example"),
        &format!("http://evil.example/http://localhost:{port}"),
        &format!("http://localhost:{port} http://evil.example"),
        &format!("http://127.0.0.1:{port}@evil.example"),
        &format!("http://127.0.0.1:{port}0"),
    ] {
        app.fails(patch(&user).header("Origin", origin), 403, "CSRF_FAILED").await;
        app.fails(login(&app).header("Origin", origin), 403, "CSRF_FAILED").await;
        app.fails(user.refresh_request().header("Origin", origin), 403, "CSRF_FAILED").await;
    }
    let odd = patch(&user).header("Origin", &b"http://\xff"[..]);
    app.fails(odd, 403, "CSRF_FAILED").await;
    assert_eq!(user.profile().await["first_name"], Value::Null);
}

#[tokio::test]
async fn a_page_of_our_own_or_of_an_allowed_origin_is_not() {
    let setup = Setup::default().with("cors_origins", "https://app.example, http://b.example:81");
    let app = setup.start().await;
    let user = app.user("ann").await;
    let port = app.address.port();
    for origin in [
        &*format!("http://localhost:{port}"),
        &format!("http://127.0.0.1:{port}"),
        "https://app.example",
        "http://b.example:81",
    ] {
        app.json(patch(&user).header("Origin", origin), 200).await;
        app.json(login(&app).header("Origin", origin), 200).await;
    }
    for origin in
        ["http://app.example", "https://app.example:444", "https://APP.example.evil", "http://b.example"]
    {
        app.fails(patch(&user).header("Origin", origin), 403, "CSRF_FAILED").await;
    }
}

#[tokio::test]
async fn over_https_the_host_header_vouches_for_no_origin() {
    let app = Setup::default().at("https://id.example").start().await;
    app.register("ann").await;
    let own = login(&app).header("Origin", "https://id.example");
    app.json(own, 200).await;
    for (host, origin) in [
        ("evil.example", "https://evil.example"),
        ("evil.example", "http://evil.example"),
        ("id.example", "http://id.example"),
    ] {
        let request = login(&app).header("Host", host).header("Origin", origin);
        app.fails(request, 403, "CSRF_FAILED").await;
    }
}

#[tokio::test]
async fn a_bearer_token_stands_for_itself_whatever_page_sends_it() {
    let app = TestApp::start().await;
    let user = app.user("ann").await;
    let request = user.bearer(Method::PATCH, "/auth/me").header("Origin", "http://evil.example");
    app.json(request.json(&json!({})), 200).await;
}

#[tokio::test]
async fn a_header_that_browsers_send_by_themselves_opens_nothing() {
    let app = TestApp::start().await;
    let user = app.user("ann").await;
    let foreign = |request: RequestBuilder| request.header("Origin", "http://evil.example");
    // `http://user:password@host/` in a form's action makes browsers add it.
    app.fails(foreign(login(&app)).basic_auth("a", Some("b")), 403, "CSRF_FAILED").await;
    app.fails(foreign(patch(&user)).basic_auth("a", Some("b")), 403, "CSRF_FAILED").await;
    app.fails(foreign(login(&app)).bearer_auth("junk"), 403, "CSRF_FAILED").await;
}

#[tokio::test]
async fn a_form_of_another_site_cannot_log_anyone_in() {
    let app = TestApp::start().await;
    app.register("ann").await;
    let form = app.request(Method::POST, "/auth/token").header("Origin", "http://evil.example");
    let form = form.header("Content-Type", "application/x-www-form-urlencoded");
    let form = form.body("username=ann&password=correct+horse+81+battery");
    app.fails(form, 403, "CSRF_FAILED").await;
    for media_type in ["text/plain", "multipart/form-data; boundary=x", ""] {
        let body = json!({"username": "ann", "password": PASSWORD}).to_string();
        let request = app.request(Method::POST, "/auth/token").header("Content-Type", media_type).body(body);
        app.fails(request, 415, "UNSUPPORTED_MEDIA_TYPE").await;
    }
}
