//! Who may be who: cookies, keys, tokens, and what is none of them.
use reqwest::Method;
use serde_json::json;

use super::{HTML, asks, cookie, gets, guarding, key, status, told, usual, whole};
use crate::mfa::WithApp;
use crate::oauth::{Browser, Party};
use crate::support::{PASSWORD, TestApp};

#[tokio::test]
async fn whoever_passes_is_told_by_cookie_key_token_and_basic_alike() {
    let app = guarding(&usual()).start().await;
    let ann = app.user("ann").await;
    let id = ann.id().to_string();
    let expected = ["ann", "ann@example.com", "ann", "user", id.as_str()];
    let key = key(&ann, &whole()).await;
    let cookie = cookie(&app, "ann").await;
    let page = || gets(&app, "/a");
    for request in [
        page().header("Cookie", format!("other=x; {cookie}")),
        page().header("X-API-Key", &key),
        page().basic_auth("Ann", Some(&key)),
        page().bearer_auth(&ann.tokens.access),
        asks(&app, "POST", "http://wiki.example.org/a").header("X-API-Key", &key),
    ] {
        assert_eq!(told(request).await, expected);
    }
    assert_eq!(told(gets(&app, "/public/a")).await, ["", "", "", "", ""]);
    assert_eq!(told(gets(&app, "/public/a").header("Cookie", &cookie)).await[0], "ann");
    let bad = gets(&app, "/public/a").header("X-API-Key", "asku_nonsense");
    assert_eq!(told(bad).await, ["", "", "", "", ""]);
}

#[tokio::test]
async fn a_service_account_passes_with_its_key() {
    let app = guarding(&usual()).start().await;
    let root = app.superuser("root").await;
    let made = root.bearer(Method::POST, "/service-accounts").json(&json!({"name": "crawler"}));
    let made = app.json(made, 201).await;
    let path = format!("/service-accounts/{}/api-keys", made["id"].as_str().unwrap());
    let key =
        app.json(root.bearer(Method::POST, &path).json(&json!({"name": "k", "permissions": []})), 201).await;
    let told = told(gets(&app, "/a").header("X-API-Key", key["key"].as_str().unwrap())).await;
    assert_eq!(told, ["crawler", "", "crawler", "", made["id"].as_str().unwrap()]);
}

#[tokio::test]
async fn a_password_is_no_credential_here() {
    let app = guarding(&usual()).start().await;
    let ann = app.user("ann").await;
    let bob = app.user("bob").await;
    let key = key(&ann, &whole()).await;
    for (name, password) in [("ann", PASSWORD), ("ann", ""), ("bob", key.as_str()), ("", &key), (&key, "")] {
        app.fails(gets(&app, "/a").basic_auth(name, Some(password)), 401, "INVALID_TOKEN").await;
    }
    for bad in ["Basic", "Basic ", "Basic !!!", "Basic YW5u", "Basic /w=="] {
        assert_eq!(status(gets(&app, "/a").header("Authorization", bad)).await, 401, "{bad}");
    }
    drop(bob);
}

#[tokio::test]
async fn nothing_else_opens_the_door_that_the_cookie_opens_and_the_cookie_opens_no_other() {
    let app = guarding(&usual()).start().await;
    let ann = app.user("ann").await;
    let mut browser = Browser::new(&app);
    let cookie = super::signed_in(&mut browser, "ann").await;
    let text = cookie.split_once('=').unwrap().1.to_owned();
    let access = &ann.tokens.access;
    let session = &browser.cookies["session_cookie"].1;
    // Cookies of this server's own pages say nothing elsewhere.
    for foreign in [
        format!("access_token_cookie={access}"),
        format!("session_cookie={session}"),
        format!("forward_cookie={access}"),
        format!("forward_cookie={session}"),
        format!("forward_cookie={}", ann.tokens.refresh),
        format!("__Secure-forward_cookie={text}"),
        "forward_cookie=".to_owned(),
    ] {
        assert_eq!(status(gets(&app, "/a").header("Cookie", &foreign)).await, 401, "{foreign}");
    }
    for request in [
        app.request(Method::GET, "/auth/me").bearer_auth(&text),
        app.request(Method::GET, "/auth/me").header("Cookie", &cookie),
        app.request(Method::GET, "/auth/me").header("Cookie", format!("access_token_cookie={text}")),
        app.request(Method::GET, "/auth/me").header("X-API-Key", &text),
        app.request(Method::GET, "/oauth2/userinfo").bearer_auth(&text),
        app.request(Method::POST, "/auth/token/refresh")
            .header("Cookie", format!("refresh_token_cookie={text}")),
        gets(&app, "/a").bearer_auth(&text),
        gets(&app, "/a").header("X-API-Key", &text),
    ] {
        assert_eq!(status(request).await, 401);
    }
    let page = app.request(Method::GET, &super::sign_in("http://wiki.example.org/"));
    let page = page.header("Cookie", format!("session_cookie={text}; {cookie}")).send().await.unwrap();
    assert!(
        page.headers()["location"].to_str().unwrap().starts_with("/oauth2/sign-in?"),
        "nobody is signed in by it"
    );
}

#[tokio::test]
async fn two_credentials_are_of_one_subject_or_none_counts() {
    let app = guarding(&usual()).start().await;
    let (ann, bob) = (app.user("ann").await, app.user("bob").await);
    let (anns, bobs) = (key(&ann, &whole()).await, key(&bob, &whole()).await);
    let cookie = cookie(&app, "ann").await;
    assert_eq!(told(gets(&app, "/a").header("Cookie", &cookie).header("X-API-Key", &anns)).await[0], "ann");
    for request in [
        gets(&app, "/a").header("Cookie", &cookie).header("X-API-Key", &bobs),
        gets(&app, "/a").bearer_auth(&bob.tokens.access).header("X-API-Key", &anns),
        gets(&app, "/a").header("X-API-Key", &anns).header("X-API-Key", &bobs),
        gets(&app, "/a").header("Authorization", "Bearer x").header("Authorization", "Bearer y"),
        gets(&app, "/a").header("Cookie", format!("{cookie}; forward_cookie=other")),
    ] {
        app.fails(request, 400, "MALFORMED_REQUEST").await;
    }
    // A credential of the application is none of ours.
    for foreign in ["Bearer of-the-application", "Basic YW5uOng=", "Digest x", "Bearer"] {
        let request = gets(&app, "/a").header("Cookie", &cookie).header("Authorization", foreign);
        assert_eq!(told(request).await[0], "ann", "{foreign}");
    }
}

#[tokio::test]
async fn a_client_passes_with_a_token_that_was_granted_for_the_very_host() {
    let rules = json!([{"host": "wiki.example.org", "paths": ["/roles"], "roles": ["user"]},
        {"host": "wiki.example.org", "paths": ["/two"], "second_factor": true},
        {"host": "wiki.example.org"}, {"host": "shop.example.org"}]);
    // Clients find it where it listens.
    let app = guarding(&rules).at("").with("forward.cookie_domain", "").start().await;
    let root = app.superuser("root").await;
    app.register("ann").await;
    let wiki = "http://wiki.example.org";
    let photos =
        Party::register(&root, json!({"resources": [wiki, "http://shop.example.org/"], "first_party": true}))
            .await;
    let mut browser = Browser::new(&app);
    let mut token = async |resource: &str| {
        let asked = photos.asks().with("scope", "email").and("resource", resource);
        let code = photos.answer(&mut browser, &asked, "ann").await["code"].clone();
        let tokens = photos.tokens(photos.redeems(&code)).await;
        tokens["access_token"].as_str().unwrap().to_owned()
    };
    let (for_wiki, for_shop) = (token(wiki).await, token("http://shop.example.org/").await);
    let with = |url: &str, token: &str| asks(&app, "GET", url).bearer_auth(token);
    // What roles somebody has, a client does not have.
    assert_eq!(told(with("http://wiki.example.org/a", &for_wiki)).await[3], "");
    assert_eq!(told(with("http://shop.example.org/a", &for_shop)).await[0], "ann");
    for (url, token) in [
        ("http://wiki.example.org/a", &for_shop),
        ("http://shop.example.org/a", &for_wiki),
        ("https://wiki.example.org/a", &for_wiki),
        ("http://wiki.example.org:8443/a", &for_wiki),
    ] {
        app.fails(with(url, token), 401, "INVALID_TOKEN").await;
    }
    for path in ["/roles", "/two"] {
        app.fails(with(&format!("{wiki}{path}"), &for_wiki), 403, "FORBIDDEN").await;
    }
    // One that says who has logged in to a client opens nothing.
    let code = photos.answer(&mut browser, &photos.asks(), "ann").await["code"].clone();
    let tokens = photos.tokens(photos.redeems(&code)).await;
    for name in ["access_token", "id_token"] {
        let text = tokens[name].as_str().unwrap();
        app.fails(with("http://wiki.example.org/a", text), 401, "INVALID_TOKEN").await;
    }
}

#[tokio::test]
async fn a_key_has_the_rights_that_it_was_given() {
    let rules = json!([{"host": "wiki.example.org", "paths": ["/admin"], "roles": ["superuser"]},
        {"host": "wiki.example.org", "paths": ["/read"], "permissions": ["audit:read"]},
        {"host": "wiki.example.org", "paths": ["/two"], "second_factor": true}, {"host": "wiki.example.org"}]);
    let app = guarding(&rules).start().await;
    let root = app.superuser("root").await;
    let (all, little) =
        (key(&root, &whole()).await, key(&root, &json!({"name": "k", "permissions": ["audit:read"]})).await);
    let with = |path: &str, key: &str| gets(&app, path).header("X-API-Key", key);
    for (path, whole, part) in
        [("/admin", 200, 403), ("/read", 200, 200), ("/two", 403, 403), ("/", 200, 200)]
    {
        assert_eq!(
            (status(with(path, &all)).await, status(with(path, &little)).await),
            (whole, part),
            "{path}"
        );
    }
    assert_eq!(told(with("/", &little)).await[3], "");
    assert_eq!(told(with("/", &all)).await[3], "superuser,user");
}

#[tokio::test]
async fn a_key_of_a_network_is_judged_by_where_the_request_comes_from() {
    let app = guarding(&usual()).start().await;
    let ann = app.user("ann").await;
    let near = json!({"name": "near", "unrestricted": true, "networks": ["192.0.2.0/24"]});
    let local = json!({"name": "local", "unrestricted": true, "networks": ["127.0.0.0/8"]});
    let (near, local) = (key(&ann, &near).await, key(&ann, &local).await);
    assert_eq!(status(gets(&app, "/a").header("X-API-Key", &near)).await, 200);
    assert_eq!(status(gets(&app, "/a").header("X-API-Key", &local)).await, 403);
    // A proxy that does not say from where is not where the request comes from.
    let silent = app.request(Method::GET, "/auth/forward/nginx").header("X-Original-Method", "GET");
    let silent = silent.header("X-Original-URL", "http://wiki.example.org/a").header("X-API-Key", &local);
    assert_eq!(status(silent).await, 403);
}

#[tokio::test]
async fn a_rule_for_two_factors_asks_for_the_other_one() {
    let rules = json!([{"host": "wiki.example.org", "paths": ["/two"], "second_factor": true},
        {"host": "wiki.example.org"}]);
    let app = guarding(&rules).start().await;
    let plain = app.user("ann").await;
    let cookie = cookie(&app, "ann").await;
    assert_eq!(status(gets(&app, "/a").header("Cookie", &cookie)).await, 200);
    app.fails(gets(&app, "/two").header("Cookie", &cookie), 403, "FORBIDDEN").await;
    app.fails(gets(&app, "/two").bearer_auth(&plain.tokens.access), 403, "FORBIDDEN").await;
    let answer = gets(&app, "/two").header("Cookie", &cookie).header("Accept", HTML).send().await.unwrap();
    let way = answer.headers()["location"].to_str().unwrap().to_owned();
    assert!(answer.status() == 302 && way.ends_with("&second_factor=true"), "{way}");
    let path = way.strip_prefix(super::PUBLIC_URL).unwrap();
    // Who has none is told so, and led in no circle.
    let mut browser = Browser::new(&app);
    super::signed_in(&mut browser, "ann").await;
    let page = browser.open(path).await;
    assert!(page.status == 403 && page.text.contains("your account has none"), "{page:?}");

    let bob = WithApp::of(&app.user("bob").await).await;
    let mut browser = Browser::new(&app);
    let page = browser.open(path).await;
    let page = browser.sign_in(&page, "bob").await;
    let page = browser.submit(&page, "second-factor", &[("code", &bob.code())]).await;
    assert_eq!(page.location().as_deref(), Some("http://wiki.example.org/two"), "{page:?}");
    let cookie = format!("forward_cookie={}", browser.cookies["forward_cookie"].1);
    assert_eq!(told(gets(&app, "/two").header("Cookie", &cookie)).await[0], "bob");
}

#[tokio::test]
async fn an_address_that_nobody_has_verified_is_not_told() {
    let app = guarding(&usual()).with("forward.unverified_email", "false").start().await;
    let ann = app.user("ann").await;
    let key = key(&ann, &whole()).await;
    for request in
        [gets(&app, "/a").header("X-API-Key", &key), gets(&app, "/a").bearer_auth(&ann.tokens.access)]
    {
        let told = told(request).await;
        assert_eq!((told[0].as_str(), told[1].as_str()), ("ann", ""));
    }
    drop(TestApp::start().await);
}
