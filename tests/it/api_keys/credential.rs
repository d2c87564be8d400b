//! The text of a key, how it is sent, and everything that looks like one and is none.
use std::path::Path;

use reqwest::Method;
use serde_json::json;

use super::{asks, make, me, of, post, reader, status, with};
use crate::support::{PASSWORD, TestApp};

fn with_checksum(body: &str) -> String {
    format!("{body}_{:08x}", crc32fast::hash(body.as_bytes()))
}

fn holds(file: &Path, secret: &str) -> bool {
    let bytes = std::fs::read(file).unwrap();
    bytes.windows(secret.len()).any(|part| part == secret.as_bytes())
}

#[tokio::test]
async fn a_key_is_shown_once_and_nothing_of_it_is_stored() {
    let app = TestApp::start().await;
    let ann = app.user("ann").await;
    let answer = asks(&ann, &reader("deploy")).send().await.unwrap();
    assert_eq!(
        (answer.status().as_u16(), &answer.headers()["cache-control"]),
        (201, &"no-store".parse().unwrap())
    );
    let made = super::Key::of(&answer.json().await.unwrap());
    let rotated = app
        .json(of(&ann, Method::POST, &made.id, "/rotate").json(&json!({"overlap_seconds": 60})), 200)
        .await;
    let rotated = super::Key::of(&rotated);
    for text in [&made.text, &rotated.text] {
        assert_eq!(status(&app, text).await, 200);
        app.fails(me(&app, &(text[..110].to_owned() + "g")), 401, "INVALID_TOKEN").await;
    }
    app.app.finish().await;
    let mut shown = String::new();
    for path in [
        "/auth/api-keys".to_owned(),
        format!("/auth/api-keys/{}", made.id),
        "/auth/api-keys/usage".to_owned(),
        "/auth/me/activity".to_owned(),
    ] {
        shown += &app.json(ann.bearer(Method::GET, &path), 200).await.to_string();
    }
    let data_dir = app.stop().await;
    for text in [&made.text, &rotated.text] {
        let secret = text.split('_').nth(2).unwrap();
        assert_eq!((text.len(), secret.len()), (111, 64));
        assert!(!shown.contains(&secret[..16]));
        for file in std::fs::read_dir(data_dir.path()).unwrap().map(|entry| entry.unwrap().path()) {
            assert!(!file.is_file() || !holds(&file, &secret[..16]), "{}", file.display());
        }
    }
    assert!(holds(&data_dir.path().join("auth.redb"), "deploy"), "the search finds what is there");
}

#[tokio::test]
async fn what_is_not_exactly_the_text_of_a_key_is_none() {
    let app = TestApp::start().await;
    let ann = app.user("ann").await;
    let (key, other) = (make(&ann, &reader("one")).await.text, make(&ann, &reader("two")).await.text);
    let body = &key[..102];
    let own_id_other_secret = with_checksum(&format!("{}{}", &key[..38], &other[38..102]));
    let other_kind = with_checksum(&body.replacen("asku_", "asks_", 1));
    let nobodys = with_checksum(&format!("asku_{}_{}", "0".repeat(32), "0".repeat(64)));
    let one_bit = with_checksum(&format!("{}{}", &body[..101], if body.ends_with('0') { '1' } else { '0' }));
    let wrong = [
        key[..110].to_owned(),
        key[1..].to_owned(),
        format!("{key}0"),
        format!("{key},{key}"),
        format!("Bearer {key}"),
        key.to_uppercase(),
        key.replacen("asku", "ASKU", 1),
        key.replacen('_', "-", 1),
        own_id_other_secret,
        other_kind,
        nobodys,
        one_bit,
        String::new(),
        "0".repeat(111),
        "_".repeat(111),
        "asku_".to_owned(),
        "x".repeat(6000),
    ];
    for text in &wrong {
        app.fails(me(&app, text), 401, "INVALID_TOKEN").await;
        // Nor is it a bearer token or a cookie.
        let bearer = app.request(Method::GET, "/auth/me").header("Authorization", format!("Bearer {text}"));
        app.fails(bearer, 401, "INVALID_TOKEN").await;
    }
    let bearer = app.request(Method::GET, "/auth/me").bearer_auth(&key);
    app.fails(bearer, 401, "INVALID_TOKEN").await;
    app.fails(me(&app, &ann.tokens.access), 401, "INVALID_TOKEN").await;
    assert_eq!(status(&app, &key).await, 200);
}

#[tokio::test]
async fn bytes_that_are_no_text_are_no_key() {
    let app = TestApp::start().await;
    let ann = app.user("ann").await;
    let key = make(&ann, &reader("one")).await.text;
    for bytes in [
        b"\xff\xfe\x80".to_vec(),
        [&key.as_bytes()[..50], b"\xc3\xa4", &key.as_bytes()[52..]].concat(),
        [&key.as_bytes()[..36], "ä".as_bytes(), &key.as_bytes()[38..]].concat(),
        "ä".repeat(55).into_bytes(),
        "\u{1f511}".repeat(27).into_bytes(),
        b"asku_\t".to_vec(),
    ] {
        let value = reqwest::header::HeaderValue::from_bytes(&bytes).unwrap();
        let request = app.request(Method::GET, "/auth/me").header("X-API-Key", value);
        app.fails(request, 401, "INVALID_TOKEN").await;
    }
    for raw in ["X-API-Key: a\0b", "X-API-Key: a\rb"] {
        let answer = app.raw().await.ask("GET", "/auth/me", &[raw]).await;
        assert_eq!(answer.status, 400, "{answer:?}");
    }
    assert_eq!(status(&app, &key).await, 200);
}

#[tokio::test]
async fn two_credentials_are_no_guess() {
    let app = TestApp::start().await;
    let (ann, bob) = (app.user("ann").await, app.user("bob").await);
    let (key, other) = (make(&ann, &reader("one")).await.text, make(&ann, &reader("two")).await.text);
    for second in [&key, &other, "junk"] {
        for request in
            [me(&app, &key).header("X-API-Key", second), me(&app, second).header("x-api-key", &key)]
        {
            app.fails(request, 400, "MALFORMED_REQUEST").await;
        }
    }
    for person in [&ann, &bob] {
        for key in [key.as_str(), "junk"] {
            let bearer = person.bearer(Method::GET, "/auth/me").header("X-API-Key", key);
            app.fails(bearer, 400, "MALFORMED_REQUEST").await;
            let cookie = person.cookie(Method::GET, "/auth/me").header("X-API-Key", key);
            app.fails(cookie, 400, "MALFORMED_REQUEST").await;
        }
    }
    // A cookie that is worth nothing, and a password for somebody else's proxy, disagree with nothing.
    let stale = me(&app, &key).header("Cookie", "access_token_cookie=junk; theme=dark");
    app.json(stale, 200).await;
    app.json(me(&app, &key).basic_auth("proxy", Some("x")), 200).await;
    // Who needs no credential does not suffer from a bad one.
    app.json(with(&app, "junk", Method::GET, "/health"), 200).await;
    let login = json!({"username": "ann", "password": PASSWORD});
    app.json(post(&app, "junk", "/auth/token", &login), 200).await;
}

#[tokio::test]
async fn a_key_needs_no_csrf_token_and_saves_no_page_its_own() {
    let app = TestApp::start().await;
    let ann = app.user("ann").await;
    let key = make(&ann, &json!({"name": "all", "unrestricted": true})).await.text;
    let name = json!({"first_name": "Ann"});
    let change = || with(&app, &key, Method::PATCH, "/auth/me").json(&name);
    app.json(change(), 200).await;
    app.json(change().header("Origin", "https://elsewhere.example"), 200).await;
    // With the cookies of a browser, no key takes the place of the token.
    for text in [key.as_str(), "junk", ""] {
        let page = ann.cookie(Method::PATCH, "/auth/me").json(&json!({"first_name": "Evil"}));
        let status = page.header("X-API-Key", text).send().await.unwrap().status().as_u16();
        assert!(matches!(status, 400 | 401 | 403), "{text}: {status}");
        let foreign = ann.page(Method::PATCH, "/auth/me").json(&json!({"first_name": "Evil"}));
        let foreign = foreign.header("X-API-Key", text).header("Origin", "https://evil.example");
        assert!(foreign.send().await.unwrap().status().as_u16() >= 400);
    }
    // Nor does a bad key save a page of another origin that has no cookies.
    let foreign = app.request(Method::POST, "/auth/token").header("Origin", "https://evil.example");
    let foreign = foreign.header("X-API-Key", "junk").json(&json!({"username": "ann", "password": PASSWORD}));
    app.fails(foreign, 403, "CSRF_FAILED").await;
    assert_eq!(ann.profile().await["first_name"], "Ann");
}

#[tokio::test]
async fn a_key_is_no_session() {
    let app = TestApp::start().await;
    let ann = app.user("ann").await;
    let key = make(&ann, &json!({"name": "all", "unrestricted": true})).await.text;
    app.fails(with(&app, &key, Method::POST, "/auth/logout"), 400, "MALFORMED_REQUEST").await;
    app.fails(with(&app, &key, Method::POST, "/auth/token/refresh"), 401, "UNAUTHORIZED").await;
    let sessions = app.json(with(&app, &key, Method::GET, "/auth/sessions"), 200).await;
    assert_eq!(sessions["items"][0]["current"], false);
    // What needs the password still needs it.
    let wrong = json!({"current_password": "wrong 12345", "new_password": "staple 17 of the donkey"});
    app.refuses(post(&app, &key, "/auth/password/change", &wrong), "current_password").await;
    let delete = with(&app, &key, Method::DELETE, "/auth/me").json(&json!({"password": "wrong"}));
    app.refuses(delete, "password").await;
    let mail = with(&app, &key, Method::PATCH, "/auth/me").json(&json!({"email": "evil@example.com"}));
    app.refuses(mail, "current_password").await;
    // A key outlives the sessions of its owner.
    ann.log_out().await;
    assert_eq!(status(&app, &key).await, 200);
}
