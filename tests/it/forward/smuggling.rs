//! Headers that a client writes as if it were the proxy, or somebody else.
use auth_service::account::NewUser;
use auth_service::base::Secret;
use auth_service::rbac::Initiator;
use reqwest::Method;
use serde_json::json;

use super::{IDENTITY, gets, guarding, status, told, usual};
use crate::support::PASSWORD;

#[tokio::test]
async fn identity_headers_of_a_client_say_nothing_and_are_always_replaced() {
    let app = guarding(&usual()).start().await;
    let ann = app.user("ann").await;
    let forged = |request: reqwest::RequestBuilder| {
        let request = IDENTITY.iter().fold(request, |request, name| request.header(*name, "root"));
        request.header("Remote_User", "root").header("X-Forwarded-User", "root")
    };
    assert_eq!(status(forged(gets(&app, "/a"))).await, 401);
    assert_eq!(told(forged(gets(&app, "/public/a"))).await, ["", "", "", "", ""]);
    let told = told(forged(gets(&app, "/a").bearer_auth(&ann.tokens.access))).await;
    assert!(told.iter().all(|value| value != "root"), "{told:?}");
}

#[tokio::test]
async fn a_question_that_can_be_read_in_two_ways_is_refused() {
    let rules = json!([{"host": "open.example.org", "access": "public"},
        {"host": "wiki.example.org", "paths": ["/public/**"], "access": "public"}, {"host": "wiki.example.org"}]);
    let app = guarding(&rules).start().await;
    let mut proxy = app.raw().await;
    let plain = [
        "X-Forwarded-Method: GET",
        "X-Forwarded-Proto: http",
        "X-Forwarded-Host: wiki.example.org",
        "X-Forwarded-Uri: /public/a",
        "X-Forwarded-For: 192.0.2.7",
    ];
    assert_eq!(proxy.ask("GET", "/auth/forward", &plain).await.status, 200);
    for twice in [
        "X-Forwarded-Host: open.example.org",
        "x-forwarded-host: wiki.example.org",
        "X-Forwarded-Uri: /public/b",
        "X-Forwarded-Method: GET",
        "X-Forwarded-Proto: https",
    ] {
        let answer = proxy.ask("GET", "/auth/forward", &[&plain[..], &[twice]].concat()).await;
        assert_eq!(answer.status, 400, "{twice}: {}", answer.body);
    }
    for (at, other) in [
        (2, "X-Forwarded-Host: open.example.org, wiki.example.org"),
        (2, "X-Forwarded-Host: open.example.org,wiki.example.org"),
        (2, "X-Forwarded-Host: open.example.org/x"),
        (2, "X-Forwarded-Host: open.example.org@wiki.example.org"),
        (2, "X-Forwarded-Host: "),
        (1, "X-Forwarded-Proto: http, https"),
        (3, "X-Forwarded-Uri: http://open.example.org/public/a"),
        (3, "X-Forwarded-Uri: //open.example.org/../public/a"),
        (3, "X-Forwarded-Uri: /public/../a"),
        (3, "X-Forwarded-Uri: /public/%2e%2e/a"),
        (3, "X-Forwarded-Uri: *"),
        (3, "X-Forwarded-Uri: "),
    ] {
        let mut headers = plain;
        headers[at] = other;
        let answer = proxy.ask("GET", "/auth/forward", &headers).await;
        assert_eq!(answer.status, 400, "{other}: {}", answer.body);
    }
}

#[tokio::test]
async fn headers_of_another_proxy_and_of_none_are_not_read() {
    let rules = json!([{"host": "open.example.org", "access": "public"}, {"host": "wiki.example.org"}]);
    let app = guarding(&rules).start().await;
    let open = "http://open.example.org/";
    for (name, value) in [
        ("X-Original-URL", open),
        ("X-Original-Method", "GET"),
        ("X-Original-URI", "/"),
        ("X-Rewrite-URL", "/"),
        ("X-Forwarded_Host", "open.example.org"),
        ("X_Forwarded_Host", "open.example.org"),
        ("X-Forwarded-Server", "open.example.org"),
        ("X-Host", "open.example.org"),
        ("Forwarded", "host=open.example.org;proto=http"),
    ] {
        assert_eq!(status(gets(&app, "/a").header(name, value)).await, 401, "{name}");
    }
    let nginx = app.request(Method::GET, "/auth/forward/nginx").header("X-Original-Method", "GET");
    let nginx = nginx.header("X-Original-URL", "http://wiki.example.org/a");
    assert_eq!(
        status(nginx.header("X-Forwarded-Host", "open.example.org").header("X-Forwarded-Uri", "/")).await,
        401
    );
}

#[tokio::test]
async fn a_method_is_judged_by_all_that_it_may_be_taken_for() {
    let rules = json!([{"host": "wiki.example.org", "methods": ["DELETE"], "access": "nobody"},
        {"host": "wiki.example.org", "access": "public"}]);
    let app = guarding(&rules).start().await;
    assert_eq!(status(gets(&app, "/a")).await, 200);
    for name in ["X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override"] {
        for value in ["DELETE", "delete", "GET, DELETE"] {
            assert_eq!(status(gets(&app, "/a").header(name, value)).await, 403, "{name}: {value}");
        }
    }
    assert_eq!(status(super::asks(&app, "delete", "http://wiki.example.org/a")).await, 403);
}

#[tokio::test]
async fn where_a_request_comes_from_is_what_the_proxy_says_last() {
    let rules = json!([{"host": "wiki.example.org", "networks": ["10.0.0.0/8", "127.0.0.0/8"], "access": "public"},
        {"host": "wiki.example.org"}]);
    let app = guarding(&rules).start().await;
    let from = |value: &'static str| {
        let request = app.request(Method::GET, "/auth/forward/nginx").header("X-Original-Method", "GET");
        let request = request.header("X-Original-URL", "http://wiki.example.org/a");
        if value.is_empty() { request } else { request.header("X-Forwarded-For", value) }
    };
    for (forwarded, expected) in [
        ("10.1.2.3", 200),
        ("192.0.2.7", 401),
        ("10.1.2.3, 192.0.2.7", 401),
        ("192.0.2.7, 10.1.2.3", 200),
        ("", 403),
        ("unknown", 403),
        ("10.1.2.3, junk", 403),
    ] {
        assert_eq!(status(from(forwarded)).await, expected, "{forwarded}");
    }
    let twice = from("10.1.2.3").header("X-Forwarded-For", "192.0.2.7");
    assert_eq!(status(twice).await, 401);
}

#[tokio::test]
async fn what_an_account_is_called_stays_in_its_header() {
    let app = guarding(&usual()).start().await;
    let names = (Some("Jürgen %0D%0A"), Some("O'Brien, \u{5d0}"));
    let new = NewUser::parse(("jürgen", "j@example.com"), names, Secret::new(PASSWORD)).unwrap();
    app.app.accounts.create(Initiator::host(), new).await.unwrap();
    let jurgen = app.log_in("jürgen", PASSWORD).await;
    let told = told(gets(&app, "/a").bearer_auth(&jurgen.tokens.access)).await;
    assert_eq!((told[0].as_str(), told[1].as_str()), ("j%C3%BCrgen", "j@example.com"));
    assert_eq!(told[2], "J%C3%BCrgen %250D%250A O'Brien, %D7%90");
    for bad in ["ann\r\nRemote-Groups: superuser", "ann\nx", "ann\u{0}", "ann\u{85}"] {
        assert!(
            NewUser::parse((bad, "k@example.com"), (None, None), Secret::new(PASSWORD)).is_err(),
            "{bad:?}"
        );
        let email = format!("{bad}@example.com");
        assert!(NewUser::parse(("kim", &email), (None, None), Secret::new(PASSWORD)).is_err());
    }
}

#[tokio::test]
async fn headers_can_be_called_otherwise_or_be_left_out() {
    let setup =
        guarding(&usual()).with("forward.header_user", "X-WEBAUTH-USER").with("forward.header_email", "");
    let app = setup.start().await;
    let ann = app.user("ann").await;
    let answer = gets(&app, "/a").bearer_auth(&ann.tokens.access).send().await.unwrap();
    assert_eq!(answer.headers()["x-webauth-user"], "ann");
    assert!(!answer.headers().contains_key("remote-user") && !answer.headers().contains_key("remote-email"));
    assert_eq!(answer.headers()["remote-name"], "ann");
}
