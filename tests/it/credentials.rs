//! How a caller proves who it is, and every way in which that fails.
use auth_service::crypto::{AccessClaims, Algorithm};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};

use crate::support::{PASSWORD, Person, Setup, TestApp, jwt};

fn me(app: &TestApp, token: &str) -> RequestBuilder {
    app.request(Method::GET, "/auth/me").header("Authorization", format!("Bearer {token}"))
}

async fn invalid(app: &TestApp, token: &str) {
    app.fails(me(app, token), 401, "INVALID_TOKEN").await;
    let cookie = app.request(Method::GET, "/auth/me");
    app.fails(cookie.header("Cookie", format!("access_token_cookie={token}")), 401, "INVALID_TOKEN").await;
}

/// The token again with one thing changed, signed with the server's own key.
fn resigned(user: &Person, change: impl FnOnce(&mut AccessClaims)) -> String {
    let mut claims = serde_json::from_value(jwt::claims(&user.tokens.access)).unwrap();
    change(&mut claims);
    user.app.app.keys.sign(&claims).unwrap().expose().to_owned()
}

#[tokio::test]
async fn a_damaged_token_is_invalid() {
    let app = TestApp::start().await;
    let user = app.user("ann").await;
    let token = &user.tokens.access;
    let parts: Vec<_> = token.split('.').collect();
    for at in [0, 5, parts[0].len() + 5, token.len() - 20, token.len() - 2] {
        let mut bytes = token.clone().into_bytes();
        bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
        invalid(&app, &String::from_utf8(bytes).unwrap()).await;
    }
    for wrong in [
        "x",
        "..",
        "a.b.c",
        &format!("{}.{}", parts[0], parts[1]),
        &format!("{}.{}.", parts[0], parts[1]),
        &format!("{token}."),
        &format!("{token}="),
        &format!("{token}.x"),
        &format!(".{token}"),
        &token[..token.len() - 1],
        &token.to_uppercase(),
        &"A".repeat(9000),
        &format!("{}.{}.{}", parts[0], parts[2], parts[1]),
    ] {
        invalid(&app, wrong).await;
    }
    assert_eq!(user.status().await, 200);
}

#[tokio::test]
async fn a_signature_has_one_spelling() {
    let app = TestApp::start().await;
    let user = app.user("ann").await;
    let (start, last) = user.tokens.access.split_at(user.tokens.access.len() - 1);
    for other in "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_".chars() {
        if other.to_string() != last {
            app.fails(me(&app, &format!("{start}{other}")), 401, "INVALID_TOKEN").await;
        }
    }
}

#[tokio::test]
async fn an_unsigned_token_is_invalid() {
    let app = TestApp::start().await;
    let user = app.user("ann").await;
    let (header, claims) = jwt::decode(&user.tokens.access);
    let signature = user.tokens.access.rsplit('.').next().unwrap();
    for alg in ["none", "None", "NONE", "nOnE", "", "ES256"] {
        let mut header = header.clone();
        header["alg"] = json!(alg);
        let unsigned = jwt::unsigned(&header, &claims);
        invalid(&app, &format!("{unsigned}.")).await;
        invalid(&app, &unsigned).await;
        // Nor with every signature of the right length that is all zeros (CVE-2022-21449).
        invalid(&app, &format!("{unsigned}.{}", URL_SAFE_NO_PAD.encode([0; 64]))).await;
    }
    let mut promoted = claims.clone();
    promoted["roles"] = json!(["superuser"]);
    invalid(&app, &format!("{}.{signature}", jwt::unsigned(&header, &promoted))).await;
}

#[tokio::test]
async fn a_token_signed_with_another_key_is_invalid() {
    let app = TestApp::start().await;
    let user = app.user("ann").await;
    let (header, claims) = jwt::decode(&user.tokens.access);
    let key = jwt::foreign_key(Algorithm::Es256);
    let own = json!({"typ": "at+jwt", "alg": "ES256", "kid": key.kid()});
    let jwk = serde_json::to_value(key.public().unwrap()).unwrap();
    let here = app.url("/oauth2/jwks");
    for (name, value) in [
        ("kid", header["kid"].clone()),
        ("kid", own["kid"].clone()),
        ("kid", json!("../../../../dev/null")),
        ("kid", json!("' OR 1=1 --")),
        ("kid", json!("")),
        ("kid", Value::Null),
        ("jwk", jwk.clone()),
        ("jku", json!(here)),
        ("x5u", json!(here)),
        ("x5c", json!(["MIIB"])),
    ] {
        for base in [&header, &own] {
            let mut header = base.clone();
            header[name] = value.clone();
            invalid(&app, &jwt::forge(&key, &header, &claims)).await;
        }
    }
}

#[tokio::test]
async fn a_public_key_is_not_taken_for_a_shared_secret() {
    let app = TestApp::start().await;
    let user = app.user("ann").await;
    let (mut header, claims) = jwt::decode(&user.tokens.access);
    let set = app.json(app.request(Method::GET, "/oauth2/jwks"), 200).await;
    let key = set["keys"].as_array().unwrap().iter().find(|key| key["kid"] == header["kid"]).unwrap();
    let x = URL_SAFE_NO_PAD.decode(key["x"].as_str().unwrap()).unwrap();
    header["alg"] = json!("HS256");
    for secret in [key.to_string().into_bytes(), x, key["kid"].as_str().unwrap().as_bytes().to_vec()] {
        let forger = auth_service::crypto::SigningKey::parse(Algorithm::Hs256, &secret).unwrap();
        invalid(&app, &jwt::forge(&forger, &header, &claims)).await;
    }
}

#[tokio::test]
async fn a_token_of_another_kind_issuer_or_audience_is_invalid_though_it_is_signed() {
    let app = TestApp::start().await;
    let user = app.user("ann").await;
    assert_eq!(me(&app, &resigned(&user, |_| ())).send().await.unwrap().status(), 200, "the forger works");
    let wrong: [fn(&mut AccessClaims); 6] = [
        |claims| claims.iss = "http://evil.example".into(),
        |claims| claims.iss.push('/'),
        |claims| claims.aud = "http://evil.example".into(),
        |claims| claims.aud = String::new(),
        |claims| claims.kind = "refresh".into(),
        |claims| claims.sid = "no session id".into(),
    ];
    for change in wrong {
        invalid(&app, &resigned(&user, change)).await;
    }
    let ended = resigned(&user, |claims| claims.exp = 1_800_000_000);
    app.fails(me(&app, &ended), 401, "TOKEN_EXPIRED").await;
    let ended = resigned(&user, |claims| claims.exp = 0);
    app.fails(me(&app, &ended), 401, "TOKEN_EXPIRED").await;
    let nowhere = resigned(&user, |claims| claims.sid = "0".repeat(32));
    app.fails(me(&app, &nowhere), 401, "TOKEN_REVOKED").await;
}

#[tokio::test]
async fn a_token_of_another_server_at_the_same_address_is_invalid() {
    let setup = || Setup::default().at("http://id.example");
    let (app, elsewhere) = (setup().start().await, setup().start().await);
    app.user("ann").await;
    invalid(&app, &elsewhere.user("ann").await.tokens.access).await;
}

#[tokio::test]
async fn what_is_no_access_token_is_invalid() {
    let app = TestApp::start().await;
    let user = app.user("ann").await;
    invalid(&app, &user.tokens.refresh).await;
    invalid(&app, &user.tokens.csrf).await;
    invalid(&app, &user.session()).await;
    for wrong in ["Bearer", "Bearer ", "bearer  ", "Bearer a b"] {
        let request = app.request(Method::GET, "/auth/me").header("Authorization", wrong);
        app.fails(request, 401, "INVALID_TOKEN").await;
    }
    let odd = app.request(Method::GET, "/auth/me").header("Authorization", &b"Bearer \xff\xfe"[..]);
    app.fails(odd, 401, "INVALID_TOKEN").await;
}

#[tokio::test]
async fn nothing_that_is_no_credential_of_ours_lets_anyone_in() {
    let app = TestApp::start().await;
    let user = app.user("ann").await;
    let token = &user.tokens.access;
    let me = || app.request(Method::GET, "/auth/me");
    for request in [
        me(),
        me().header("Authorization", ""),
        me().header("Authorization", token),
        me().header("Authorization", format!("Token {token}")),
        me().header("Authorization", format!("Bearer{token}")),
        me().basic_auth("ann", Some(PASSWORD)),
        app.request(Method::GET, &format!("/auth/me?access_token={token}")),
        me().header("X-Access-Token", token),
        me().header("X-User-Id", "1").header("X-Forwarded-User", "ann"),
        me().header("Cookie", format!("access_token={token}")),
        me().header("Cookie", format!("Access_Token_Cookie={token}")),
        me().header("Cookie", format!("refresh_token_cookie={}", user.tokens.refresh)),
        me().header("Cookie", "access_token_cookie="),
        me().header("Cookie", format!("csrf_access_token={}", user.tokens.csrf)),
    ] {
        app.fails(request, 401, "UNAUTHORIZED").await;
    }
    for scheme in ["bearer", "BEARER", "bEaReR"] {
        let request = me().header("Authorization", format!("{scheme} {token}"));
        app.json(request, 200).await;
    }
}

#[tokio::test]
async fn two_credentials_that_disagree_are_no_guess() {
    let app = TestApp::start().await;
    let (ann, bob) = (app.user("ann").await, app.user("bob").await);
    let again = app.log_in("ann", PASSWORD).await;
    let next = ann.refreshed().await;
    for other in [&bob, &again] {
        let request = ann.cookie(Method::GET, "/auth/me").bearer_auth(&other.tokens.access);
        app.fails(request, 400, "MALFORMED_REQUEST").await;
    }
    // Two tokens of one session agree; and what is worth nothing disagrees with nothing.
    for worth in [&ann.tokens.access, &next.tokens.access] {
        app.json(ann.cookie(Method::GET, "/auth/me").bearer_auth(worth), 200).await;
    }
    let junk = app.request(Method::GET, "/auth/me").header("Cookie", "access_token_cookie=junk");
    app.json(junk.bearer_auth(&ann.tokens.access), 200).await;
    app.fails(ann.cookie(Method::GET, "/auth/me").bearer_auth("junk"), 401, "INVALID_TOKEN").await;
}

#[tokio::test]
async fn the_same_header_twice_is_no_guess() {
    let app = TestApp::start().await;
    let (ann, bob) = (app.user("ann").await, app.user("bob").await);
    for (one, two) in [(&ann, &bob), (&ann, &ann)] {
        let request = me(&app, &one.tokens.access);
        let request = request.header("Authorization", format!("Bearer {}", two.tokens.access));
        app.fails(request, 400, "MALFORMED_REQUEST").await;
    }
    let mixed = app.request(Method::GET, "/auth/me").basic_auth("ann", Some(PASSWORD));
    let mixed = mixed.header("Authorization", format!("Bearer {}", ann.tokens.access));
    app.fails(mixed, 400, "MALFORMED_REQUEST").await;
}

#[tokio::test]
async fn the_same_cookie_twice_is_no_guess() {
    let app = TestApp::start().await;
    let (ann, bob) = (app.user("ann").await, app.user("bob").await);
    let pair = |person: &Person| format!("access_token_cookie={}", person.tokens.access);
    let me = || app.request(Method::GET, "/auth/me");
    let one_header = me().header("Cookie", format!("{}; {}", pair(&ann), pair(&bob)));
    app.fails(one_header, 400, "MALFORMED_REQUEST").await;
    let two_headers = me().header("Cookie", pair(&ann)).header("Cookie", pair(&bob));
    app.fails(two_headers, 400, "MALFORMED_REQUEST").await;
    app.json(me().header("Cookie", format!("{}; {}", pair(&ann), pair(&ann))), 200).await;
}

#[tokio::test]
async fn cookies_of_others_do_not_hide_ours() {
    let app = TestApp::start().await;
    let user = app.user("ann").await;
    let ours = format!("access_token_cookie={}", user.tokens.access);
    for beside in [
        "a=b",
        "a",
        "=",
        ";;;",
        "theme=\"dark; x\"",
        "xaccess_token_cookie=y",
        "n\u{e4}me=w\u{e4}rt",
        "a=\u{1f980}",
    ] {
        let (before, after) = (format!("{beside}; {ours}"), format!("{ours};{beside}"));
        for cookies in [before, after] {
            let request = app.request(Method::GET, "/auth/me").header("Cookie", cookies.as_bytes());
            app.json(request, 200).await;
        }
    }
}

#[tokio::test]
async fn a_name_that_only_looks_like_our_cookies_is_another() {
    let app = TestApp::start().await;
    let user = app.user("ann").await;
    let pair = format!("access_token_cookie={}", user.tokens.access);
    for space in
        ["\u{a0}", "\u{2000}", "\u{2003}", "\u{3000}", "\u{85}", "\u{feff}", "$", "__Host-", "__Secure-"]
    {
        let request =
            app.request(Method::GET, "/auth/me").header("Cookie", format!("{space}{pair}").as_bytes());
        app.fails(request, 401, "UNAUTHORIZED").await;
    }
    for space in [" ", "  ", "\t", "; ", "a=b; "] {
        let request = app.request(Method::GET, "/auth/me").header("Cookie", format!("{space}{pair}"));
        app.json(request, 200).await;
    }
}
