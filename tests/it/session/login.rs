//! `POST /auth/token`: the answer, its cookies, its token, and its refusals.
use reqwest::header::{CONTENT_TYPE, SET_COOKIE};
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};

use crate::support::{PASSWORD, Setup, TestApp, jwt, set_cookie};

fn login(app: &TestApp, username: &str, password: &str) -> RequestBuilder {
    app.request(Method::POST, "/auth/token").json(&json!({"username": username, "password": password}))
}

fn form(app: &TestApp, body: &str) -> RequestBuilder {
    let request = app.request(Method::POST, "/auth/token");
    request.header(CONTENT_TYPE, "application/x-www-form-urlencoded").body(body.to_owned())
}

#[tokio::test]
async fn a_login_reads_as_the_contract_shows() {
    let app = TestApp::start().await;
    app.register("ann").await;
    let answer = login(&app, "ann", PASSWORD).send().await.unwrap();
    assert_eq!(answer.headers()[CONTENT_TYPE], "application/json; charset=utf-8");
    assert_eq!(answer.headers()["cache-control"], "no-store");
    let text = answer.text().await.unwrap();
    let token = serde_json::from_str::<Value>(&text).unwrap()["access_token"].as_str().unwrap().to_owned();
    assert_eq!(text, format!(r#"{{"access_token":"{token}","token_type":"bearer","refresh_token":null}}"#));
}

#[tokio::test]
async fn the_alias_and_the_form_log_in_alike() {
    let app = TestApp::start().await;
    app.register("ann").await;
    let body = json!({"username": "ann", "password": PASSWORD});
    let alias = app.json(app.request(Method::POST, "/auth/login").json(&body), 200).await;
    assert_eq!(alias["token_type"], "bearer");
    let text = "username=ann%40example.com&password=correct+horse+81%20battery&grant_type=password&extra=1";
    assert_eq!(app.json(form(&app, text), 200).await["refresh_token"], Value::Null);
    let alias = app.request(Method::POST, "/auth/login");
    let alias = alias.header(CONTENT_TYPE, "Application/X-WWW-Form-URLencoded; charset=UTF-8");
    app.json(alias.body("username=ann&password=correct+horse+81+battery"), 200).await;
}

#[tokio::test]
async fn a_bad_login_field_is_named_in_json_and_form() {
    let app = TestApp::start().await;
    for (body, field) in [
        (json!({"password": "x"}), "username"),
        (json!({"username": "x"}), "password"),
        (json!({"username": 1, "password": "x"}), "username"),
        (json!({"username": "x", "password": null}), "password"),
    ] {
        app.refuses(app.request(Method::POST, "/auth/token").json(&body), field).await;
        app.refuses(app.request(Method::POST, "/auth/login").json(&body), field).await;
    }
    for (body, field) in [
        ("", "username"),
        ("username=a", "password"),
        ("username=a&username=b&password=c", "username"),
        ("username=a&password=b&password=b", "password"),
    ] {
        app.refuses(form(&app, body), field).await;
    }
}

#[tokio::test]
async fn the_cookies_of_a_login_have_their_flags() {
    let app = TestApp::start().await;
    app.register("ann").await;
    let answer = login(&app, "ann", PASSWORD).send().await.unwrap();
    let flags = |name: &str| {
        let cookie = set_cookie(answer.headers(), name);
        let (value, flags) = cookie.split_once("; ").unwrap();
        assert!(value.len() > name.len() + 20, "{value}");
        let mut flags: Vec<_> = flags.split("; ").map(str::to_owned).collect();
        flags.sort();
        flags.join("; ")
    };
    assert_eq!(flags("access_token_cookie"), "HttpOnly; Max-Age=900; Path=/; SameSite=Lax");
    assert_eq!(
        flags("refresh_token_cookie"),
        "HttpOnly; Max-Age=2592000; Path=/auth/token/refresh; SameSite=Lax"
    );
    assert_eq!(flags("csrf_access_token"), "Max-Age=2592000; Path=/; SameSite=Lax");
    assert_eq!(flags("known_device_cookie"), "HttpOnly; Max-Age=31536000; Path=/; SameSite=Lax");
    assert_eq!(flags("session_cookie"), "HttpOnly; Max-Age=31536000; Path=/; SameSite=Lax");
    assert_eq!(answer.headers().get_all(SET_COOKIE).iter().count(), 5);
}

#[tokio::test]
async fn the_cookies_of_an_https_server_are_secure_and_carry_their_prefix() {
    let app = Setup::default().at("https://id.example").start().await;
    app.register("ann").await;
    let answer = login(&app, "ann", PASSWORD).send().await.unwrap();
    for (name, prefix) in [
        ("access_token_cookie", "__Host-"),
        ("refresh_token_cookie", "__Secure-"),
        ("csrf_access_token", "__Host-"),
    ] {
        let cookie = set_cookie(answer.headers(), name);
        assert!(cookie.starts_with(prefix) && cookie.contains("; Secure"), "{cookie}");
    }
    let access = set_cookie(answer.headers(), "access_token_cookie");
    let pair = access.split(';').next().unwrap();
    let me = |cookie: &str| app.request(Method::GET, "/auth/me").header("Cookie", cookie);
    app.json(me(pair), 200).await;
    app.fails(me(&pair.replace("__Host-", "")), 401, "UNAUTHORIZED").await;
}

#[tokio::test]
async fn an_access_token_says_what_the_conventions_promise() {
    let app = TestApp::start().await;
    let user = app.user("ann").await;
    let (header, claims) = jwt::decode(&user.tokens.access);
    assert_eq!((&header["typ"], &header["alg"]), (&json!("at+jwt"), &json!("ES256")));
    let mut names: Vec<_> = claims.as_object().unwrap().keys().map(String::as_str).collect();
    names.sort_unstable();
    assert_eq!(
        names,
        [
            "acr",
            "amr",
            "aud",
            "auth_time",
            "exp",
            "iat",
            "iss",
            "jti",
            "roles",
            "sid",
            "sub",
            "type",
            "user_id",
            "username"
        ]
    );
    let issuer = format!("http://localhost:{}", app.address.port());
    let expected = json!({
        "iss": issuer, "sub": "1", "aud": issuer, "iat": 1_800_000_000, "exp": 1_800_000_900,
        "jti": claims["jti"], "sid": claims["sid"], "user_id": 1, "username": "ann", "roles": ["user"],
        "type": "access", "auth_time": 1_800_000_000, "amr": ["pwd"], "acr": "aal1",
    });
    assert_eq!(claims, expected);
    assert!(claims["jti"].as_str().unwrap().len() >= 22 && claims["sid"].as_str().unwrap().len() == 32);
}

#[tokio::test]
async fn a_refreshed_token_keeps_the_login_and_renews_the_rest() {
    let app =
        Setup::default().with("tokens.audience", "api").with("tokens.access_lifetime_secs", "60").start();
    let app = app.await;
    let user = app.user("ann").await;
    app.clock.advance_secs(100);
    let (before, after) =
        (jwt::claims(&user.tokens.access), jwt::claims(&user.refreshed().await.tokens.access));
    for same in ["sid", "auth_time", "amr", "sub", "iss", "aud"] {
        assert_eq!(before[same], after[same], "{same}");
    }
    assert_eq!(before["aud"], "api");
    assert_eq!((&after["iat"], &after["exp"]), (&json!(1_800_000_100), &json!(1_800_000_160)));
    assert_ne!(before["jti"], after["jti"]);
}

#[tokio::test]
async fn every_algorithm_signs_tokens_that_are_taken() {
    let secret = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(secret.path(), "0123456789abcdef0123456789abcdef\n").unwrap();
    for (algorithm, published) in [("RS256", 2), ("EdDSA", 2), ("HS256", 0)] {
        let setup = Setup::default().with("tokens.algorithm", algorithm);
        let app = setup.with("tokens.shared_secret_file", secret.path().to_str().unwrap()).start().await;
        let user = app.user("ann").await;
        assert_eq!(jwt::decode(&user.tokens.access).0["alg"], algorithm);
        assert_eq!(user.status().await, 200, "{algorithm}");
        let keys = app.json(app.request(Method::GET, "/oauth2/jwks"), 200).await;
        assert_eq!(keys["keys"].as_array().unwrap().len(), published, "{algorithm}");
    }
}

#[tokio::test]
async fn an_unknown_user_and_a_wrong_password_get_the_same_answer() {
    let app = Setup::default().with("rate_limit.requests_per_hour", "0").start().await;
    app.register("ann").await;
    let mut answers = Vec::new();
    for (name, password) in [
        ("ann", "wrong wrong"),
        ("nobody", PASSWORD),
        ("ann@example.com", "wrong wrong"),
        ("nobody@example.com", PASSWORD),
        ("no address@", PASSWORD),
        ("", ""),
    ] {
        let request = login(&app, name, password).header("X-Request-Id", "same");
        let answer = request.send().await.unwrap();
        let mut headers: Vec<_> =
            answer.headers().iter().map(|(name, value)| format!("{name}{value:?}")).collect();
        headers.retain(|header| !header.starts_with("date"));
        answers.push((answer.status(), headers, answer.text().await.unwrap()));
    }
    assert_eq!(answers[0].0, 401);
    assert!(answers[0].2.contains("INVALID_CREDENTIALS"));
    assert!(answers.iter().all(|answer| *answer == answers[0]), "{answers:?}");
}

#[tokio::test]
async fn a_disabled_account_is_told_so_only_with_the_right_password() {
    let app = TestApp::start().await;
    let user = app.user("ann").await;
    app.app.accounts.set_active(auth_service::rbac::Initiator::host(), 1, false).await.unwrap();
    user.is_out("TOKEN_REVOKED").await;
    for name in ["ann", "ann@example.com"] {
        app.fails(login(&app, name, PASSWORD), 403, "ACCOUNT_DISABLED").await;
        app.fails(login(&app, name, "wrong wrong"), 401, "INVALID_CREDENTIALS").await;
    }
    app.app.accounts.set_active(auth_service::rbac::Initiator::host(), 1, true).await.unwrap();
    user.is_out("TOKEN_REVOKED").await;
    app.log_in("ann", PASSWORD).await;
}

#[tokio::test]
async fn a_superuser_has_its_role_in_the_token() {
    let app = TestApp::start().await;
    let root = app.superuser("root").await;
    assert_eq!(jwt::claims(&root.tokens.access)["roles"], json!(["superuser", "user"]));
    assert_eq!(root.profile().await["is_superuser"], true);
}

#[tokio::test]
async fn every_login_is_a_session_of_its_own_whatever_cookies_came_with_it() {
    let app = TestApp::start().await;
    let first = app.user("ann").await;
    let cookies = format!(
        "access_token_cookie={}; refresh_token_cookie={}; csrf_access_token={}",
        first.tokens.access, first.tokens.refresh, first.tokens.csrf
    );
    let answer = login(&app, "ann", PASSWORD).header("Cookie", &cookies).send().await.unwrap();
    let second = app.person(crate::support::Tokens::from(answer).await);
    assert_ne!(first.session(), second.session());
    assert_ne!(first.tokens.csrf, second.tokens.csrf);
    first.is_out("TOKEN_REVOKED").await;
    assert_eq!(second.status().await, 200);
    let stale = login(&app, "ann", PASSWORD).header("Cookie", cookies);
    app.json(stale, 200).await;
    let junk = login(&app, "ann", PASSWORD).header("Cookie", "access_token_cookie=junk");
    app.json(junk, 200).await;
}
