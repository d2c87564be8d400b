//! Keys that are tied to networks.
use reqwest::Method;
use serde_json::{Value, json};

use super::{make, me, of, patch, status};
use crate::support::{Setup, TestApp};

fn tied(networks: &[&str]) -> Value {
    json!({"name": "tied", "permissions": ["account:read"], "networks": networks})
}

async fn behind_a_proxy() -> TestApp {
    Setup::default().with("trusted_proxies", "127.0.0.0/8").start().await
}

async fn from(app: &TestApp, key: &str, forwarded: &str) -> u16 {
    me(app, key).header("X-Forwarded-For", forwarded).send().await.unwrap().status().as_u16()
}

#[tokio::test]
async fn a_key_is_good_from_its_networks_alone() {
    let app = behind_a_proxy().await;
    let ann = app.user("ann").await;
    for (networks, good, bad) in [
        (
            vec!["10.0.0.0/8"],
            vec!["10.1.2.3", "::ffff:10.255.255.255"],
            vec!["11.0.0.0", "9.255.255.255", "::1"],
        ),
        (vec!["192.0.2.7"], vec!["192.0.2.7", "::ffff:192.0.2.7"], vec!["192.0.2.6", "192.0.2.8"]),
        (vec!["192.0.2.77/24"], vec!["192.0.2.0", "192.0.2.255"], vec!["192.0.3.0"]),
        (vec!["2001:db8::/32"], vec!["2001:db8:1::1", "2001:0db8::"], vec!["2001:db9::1", "10.1.2.3"]),
        (vec!["2001:db8::7", "10.0.0.0/8"], vec!["2001:db8::7", "10.9.9.9"], vec!["2001:db8::8"]),
        (vec!["::ffff:10.0.0.0/104"], vec!["10.1.2.3", "::ffff:10.1.2.3"], vec!["11.0.0.0"]),
        (vec!["0.0.0.0/0"], vec!["1.2.3.4", "::ffff:1.2.3.4"], vec!["2001:db8::1"]),
        (vec!["::/0"], vec!["2001:db8::1"], vec!["1.2.3.4"]),
        (vec![], vec!["1.2.3.4", "2001:db8::1"], vec![]),
    ] {
        let key = make(&ann, &tied(&networks)).await.text;
        for address in good {
            assert_eq!(from(&app, &key, address).await, 200, "{networks:?} {address}");
            // What stands before the last untrusted hop anyone could have written.
            assert_eq!(from(&app, &key, &format!("6.6.6.6, {address}, 127.0.0.9")).await, 200);
        }
        for address in bad {
            let request = me(&app, &key).header("X-Forwarded-For", address);
            let details = app.fails(request, 403, "FORBIDDEN").await;
            assert!(!details.to_string().contains("10.0"), "{details}");
            assert_eq!(from(&app, &key, &format!("10.1.2.3, 192.0.2.7, 2001:db8::7, {address}")).await, 403);
        }
    }
}

#[tokio::test]
async fn nobody_writes_their_own_address() {
    let app = TestApp::start().await;
    let ann = app.user("ann").await;
    let key = make(&ann, &tied(&["10.0.0.0/8"])).await.text;
    for header in ["X-Forwarded-For", "Forwarded", "X-Real-IP", "X-Client-IP", "True-Client-IP"] {
        let value = if header == "Forwarded" { "for=10.1.2.3" } else { "10.1.2.3" };
        app.fails(me(&app, &key).header(header, value), 403, "FORBIDDEN").await;
    }
    let here = make(&ann, &tied(&["127.0.0.1"])).await.text;
    assert_eq!(status(&app, &here).await, 200);
}

#[tokio::test]
async fn networks_are_changed_for_the_next_request() {
    let app = TestApp::start().await;
    let ann = app.user("ann").await;
    let key = make(&ann, &tied(&["127.0.0.0/8"])).await;
    for _ in 0..3 {
        assert_eq!(status(&app, &key.text).await, 200);
        let shown = app.json(patch(&ann, &key.id, &json!({"networks": ["10.0.0.1/8", "::1"]})), 200).await;
        assert_eq!(shown["networks"], json!(["10.0.0.0/8", "::1/128"]));
        assert_eq!(status(&app, &key.text).await, 403);
        app.json(patch(&ann, &key.id, &json!({"networks": []})), 200).await;
    }
}

#[tokio::test]
async fn networks_that_are_none_are_refused() {
    let app = TestApp::start().await;
    let ann = app.user("ann").await;
    for bad in [
        "",
        " ",
        "10.0.0.0/33",
        "::/129",
        "10.0.0/8",
        "10.0.0.0/-1",
        "10.0.0.0/8/8",
        "example.com",
        "*",
        "fe80::1%eth0",
        "010.0.0.1",
        "10.0.0.1 ",
        "1.2.3.4:80",
        "[::1]",
        "0x7f.1",
        "2130706433",
    ] {
        let reason = app.refuses(super::asks(&ann, &tied(&[bad])), "networks").await;
        assert!(reason.starts_with("must hold"), "{bad}: {reason}");
    }
    let hundred: Vec<_> = (0..100).map(|n| format!("10.0.0.{n}")).collect();
    let all: Vec<_> = hundred.iter().map(String::as_str).collect();
    let key = make(&ann, &tied(&all)).await;
    app.refuses(super::asks(&ann, &tied(&[&all[..], &["::1"]].concat())), "networks").await;
    app.refuses(patch(&ann, &key.id, &json!({"networks": "10.0.0.0/8"})), "networks").await;
    let shown = app.json(of(&ann, Method::GET, &key.id, ""), 200).await;
    assert_eq!(shown["networks"].as_array().unwrap().len(), 100);
}
