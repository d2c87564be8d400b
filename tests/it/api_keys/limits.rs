//! How many requests a key may make in an hour.
use reqwest::Method;
use reqwest::header::HeaderMap;
use serde_json::json;

use super::{make, me, of, patch, status, with};
use crate::support::{Person, Setup, TestApp};

fn header<'h>(headers: &'h HeaderMap, name: &str) -> &'h str {
    headers[name].to_str().unwrap()
}

async fn limited(who: &Person<'_>, requests: u32) -> super::Key {
    make(who, &json!({"name": "limited", "permissions": ["account:read"], "requests_per_hour": requests}))
        .await
}

#[tokio::test]
async fn a_key_has_a_limit_of_its_own_apart_from_its_owners() {
    let app = Setup::default().with("rate_limit.requests_per_hour", "40").start().await;
    let ann = app.user("ann").await;
    let (key, plain) = (limited(&ann, 3).await, make(&ann, &super::reader("plain")).await);
    for left in [2, 1, 0] {
        let answer = me(&app, &key.text).send().await.unwrap();
        assert_eq!(answer.status(), 200);
        assert_eq!(header(answer.headers(), "ratelimit"), format!("\"default\";r={left};t=3600"));
        assert_eq!(header(answer.headers(), "ratelimit-policy"), "\"default\";q=3;w=3600");
    }
    app.clock.advance_secs(600);
    let answer = me(&app, &key.text).send().await.unwrap();
    assert_eq!(header(answer.headers(), "retry-after"), "3000");
    assert_eq!(header(answer.headers(), "ratelimit"), "\"default\";r=0;t=3000");
    assert_eq!(header(answer.headers(), "ratelimit-policy"), "\"default\";q=3;w=3600");
    app.failure(Method::GET, answer, 429, "RATE_LIMITED").await;
    // Neither the owner nor another key has to suffer for it, and none lends its own.
    let answer = ann.bearer(Method::GET, "/auth/me").send().await.unwrap();
    assert_eq!(header(answer.headers(), "ratelimit"), "\"default\";r=37;t=3000");
    let answer = me(&app, &plain.text).send().await.unwrap();
    assert_eq!(header(answer.headers(), "ratelimit"), "\"default\";r=39;t=3600");
    // Another text is the same key.
    let body = json!({"overlap_seconds": 60});
    let rotated = app.json(of(&ann, Method::POST, &key.id, "/rotate").json(&body), 200).await;
    for text in [rotated["key"].as_str().unwrap(), &key.text] {
        app.fails(me(&app, text), 429, "RATE_LIMITED").await;
    }
    app.clock.advance_secs(3000);
    assert_eq!(status(&app, rotated["key"].as_str().unwrap()).await, 200);
}

#[tokio::test]
async fn another_limit_holds_for_the_next_request() {
    let app = TestApp::start().await;
    let ann = app.user("ann").await;
    let key = limited(&ann, 1).await;
    assert_eq!((status(&app, &key.text).await, status(&app, &key.text).await), (200, 429));
    app.json(patch(&ann, &key.id, &json!({"requests_per_hour": 3})), 200).await;
    assert_eq!((status(&app, &key.text).await, status(&app, &key.text).await), (200, 200));
    assert_eq!(status(&app, &key.text).await, 429);
    app.json(patch(&ann, &key.id, &json!({"requests_per_hour": 2})), 200).await;
    assert_eq!(status(&app, &key.text).await, 429);
    app.json(patch(&ann, &key.id, &json!({"requests_per_hour": null})), 200).await;
    let answer = me(&app, &key.text).send().await.unwrap();
    assert_eq!(header(answer.headers(), "ratelimit-policy"), "\"default\";q=1000000;w=3600");
}

#[tokio::test]
async fn nobody_lifts_their_own_limit_but_administrators() {
    let app = Setup::default().with("rate_limit.requests_per_hour", "50").start().await;
    let (root, ann) = (app.superuser("root").await, app.user("ann").await);
    let body =
        |requests: u32| json!({"name": "x", "permissions": ["account:read"], "requests_per_hour": requests});
    let key = make(&ann, &body(50)).await;
    for more in [51, u32::MAX] {
        for request in
            [super::asks(&ann, &body(more)), patch(&ann, &key.id, &json!({"requests_per_hour": more}))]
        {
            let details = app.fails(request, 403, "FORBIDDEN").await;
            assert_eq!(details["permission"], "users:write");
        }
    }
    app.json(patch(&ann, &key.id, &json!({"requests_per_hour": 49})), 200).await;
    let most = make(&root, &body(u32::MAX)).await;
    let answer = me(&app, &most.text).send().await.unwrap();
    assert_eq!(header(answer.headers(), "ratelimit"), "\"default\";r=4294967294;t=3600");
    // Nor does a key of theirs that has no such right.
    let weak = make(&root, &json!({"name": "weak", "permissions": ["account:*"]})).await;
    let widened =
        super::post(&app, &weak.text, "/auth/api-keys", &json!({"name": "x", "requests_per_hour": 51}));
    app.fails(widened, 403, "FORBIDDEN").await;
}

#[tokio::test]
async fn what_is_free_takes_nothing_of_a_limit() {
    let app = TestApp::start().await;
    let ann = app.user("ann").await;
    let key = limited(&ann, 1).await;
    for _ in 0..3 {
        app.json(with(&app, &key.text, Method::GET, "/health"), 200).await;
    }
    assert_eq!((status(&app, &key.text).await, status(&app, &key.text).await), (200, 429));
    // A key that is not good is counted by its address, and takes nothing of the key's.
    let other = limited(&ann, 1).await;
    let flipped = other.text.replace("asku", "asks");
    for _ in 0..3 {
        app.fails(me(&app, &flipped), 401, "INVALID_TOKEN").await;
    }
    assert_eq!(status(&app, &other.text).await, 200);
}

#[tokio::test]
async fn bad_keys_are_counted_by_address() {
    let app = Setup::default().with("rate_limit.requests_per_hour", "5").start().await;
    for n in 0..7 {
        let key = format!("asku_{n:032x}_{n:064x}");
        let key = format!("{key}_{:08x}", crc32fast::hash(key.as_bytes()));
        let (status, code) = if n < 5 { (401, "INVALID_TOKEN") } else { (429, "RATE_LIMITED") };
        app.fails(me(&app, &key), status, code).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn parallel_requests_do_not_pass_the_limit() {
    let app = TestApp::start().await;
    let ann = app.user("ann").await;
    let key = limited(&ann, 20).await.text;
    let all = futures_util::future::join_all((0..60).map(|_| status(&app, &key))).await;
    assert_eq!(all.iter().filter(|status| **status == 200).count(), 20, "{all:?}");
}
