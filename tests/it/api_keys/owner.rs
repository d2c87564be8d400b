//! Keys and their owners: nobody else reaches a key, and without its owner it is worth nothing.
use reqwest::Method;
use serde_json::{Value, json};

use super::{asks, make, me, of, patch, reader, status};
use crate::support::{PASSWORD, Person, TestApp};

fn change(who: &Person, id: u64, body: &Value) -> reqwest::RequestBuilder {
    who.bearer(Method::PATCH, &format!("/users/{id}")).json(body)
}

#[tokio::test]
async fn a_key_is_its_owners_alone() {
    let app = TestApp::start().await;
    let (ann, bob) = (app.user("ann").await, app.user("bob").await);
    let key = make(&ann, &reader("one")).await;
    // A superuser, too, goes another way than by the own keys.
    let root = app.superuser("root").await;
    for other in [&bob, &root] {
        for id in [&*key.id, &"0".repeat(32)] {
            for request in [
                of(other, Method::GET, id, ""),
                patch(other, id, &json!({"name": "mine"})),
                of(other, Method::POST, id, "/rotate").json(&json!({})),
                of(other, Method::POST, id, "/revoke"),
                of(other, Method::DELETE, id, ""),
            ] {
                app.fails(request, 404, "NOT_FOUND").await;
            }
        }
        let mine = app.json(other.bearer(Method::GET, "/auth/api-keys"), 200).await;
        assert_eq!(mine["items"], json!([]));
    }
    for bad in
        ["x", "", &"0".repeat(31), &key.id.to_uppercase(), &format!("{}0", key.id), "%00", "..", &key.text]
    {
        let got = of(&ann, Method::GET, bad, "").send().await.unwrap().status().as_u16();
        assert!(matches!(got, 400 | 404) || bad.is_empty() || bad == "..", "{bad}: {got}");
    }
    assert_eq!(status(&app, &key.text).await, 200);
    let shown = app.json(of(&ann, Method::GET, &key.id, ""), 200).await;
    assert_eq!((&shown["name"], &shown["rotated_at"]), (&json!("one"), &Value::Null));
}

#[tokio::test]
async fn pages_and_made_up_cursors_show_the_own_keys_alone() {
    let app = TestApp::start().await;
    let (ann, bob) = (app.user("ann").await, app.user("bob").await);
    let mut ids = Vec::new();
    for n in 0..5 {
        ids.push(make(&bob, &reader(&format!("b{n}"))).await.id);
        make(&ann, &reader(&format!("a{n}"))).await;
        app.clock.advance_secs(1);
    }
    let page = |who: &Person, query: &str| who.bearer(Method::GET, &format!("/auth/api-keys?{query}"));
    let first = app.json(page(&ann, "limit=2"), 200).await;
    let cursor = first["next_cursor"].as_str().unwrap().to_owned();
    app.refuses(page(&bob, &format!("limit=3&cursor={cursor}")), "cursor").await;
    let next = app.json(page(&ann, &format!("limit=3&cursor={cursor}")), 200).await;
    let names = |page: &Value| {
        let names =
            page["items"].as_array().unwrap().iter().map(|key| key["name"].as_str().unwrap().to_owned());
        names.collect::<Vec<_>>()
    };
    assert_eq!(
        (names(&first), names(&next)),
        (vec!["a0".into(), "a1".into()], vec!["a2".into(), "a3".into(), "a4".into()])
    );
    for made_up in ["AAAA", "_____w", "AA", "AQ", "!"] {
        app.refuses(page(&ann, &format!("cursor={made_up}")), "cursor").await;
    }
    assert_eq!(names(&app.json(page(&ann, "cursor="), 200).await).len(), 5);
    // What goes meanwhile leaves no gap.
    app.done(of(&bob, Method::DELETE, &ids[1], "")).await;
    assert_eq!(names(&app.json(page(&bob, ""), 200).await), ["b0", "b2", "b3", "b4"]);
}

#[tokio::test]
async fn a_key_is_worth_nothing_while_its_owner_is_switched_off_or_thrown_away() {
    let app = TestApp::start().await;
    let (root, ann) = (app.superuser("root").await, app.user("ann").await);
    let (id, key) = (ann.id(), make(&ann, &reader("one")).await.text);
    for _ in 0..3 {
        assert_eq!(status(&app, &key).await, 200);
        app.json(change(&root, id, &json!({"is_active": false})), 200).await;
        app.fails(me(&app, &key), 401, "TOKEN_REVOKED").await;
        app.json(change(&root, id, &json!({"is_active": true})), 200).await;
        assert_eq!(status(&app, &key).await, 200);
        app.done(root.bearer(Method::DELETE, &format!("/users/{id}"))).await;
        app.fails(me(&app, &key), 401, "TOKEN_REVOKED").await;
        app.json(root.bearer(Method::POST, &format!("/users/{id}/restore")), 200).await;
    }
    // At the end of the recycle bin the key goes, too, whoever has asked for it meanwhile.
    app.done(root.bearer(Method::DELETE, &format!("/users/{id}"))).await;
    app.fails(me(&app, &key), 401, "TOKEN_REVOKED").await;
    app.clock.advance_secs(31 * 24 * 3600);
    app.app.tend().await;
    let refused = me(&app, &key).send().await.unwrap().status();
    assert_eq!(refused, 401);
    let findings = app.app.store.verify(&auth_service::app::CHECKS.concat()).unwrap();
    assert_eq!((findings.problems, findings.tables["api_key"]), (vec![], 0));
}

#[tokio::test]
async fn a_deleted_owner_leaves_no_key() {
    let app = TestApp::start().await;
    let ann = app.user("ann").await;
    let key = make(&ann, &reader("one")).await.text;
    assert_eq!(status(&app, &key).await, 200);
    app.done(ann.bearer(Method::DELETE, "/auth/me").json(&json!({"password": PASSWORD}))).await;
    app.fails(me(&app, &key), 401, "INVALID_TOKEN").await;
    app.app.tend().await;
    // Nor does the next of that name get it.
    let again = app.user("ann").await;
    app.fails(me(&app, &key), 401, "INVALID_TOKEN").await;
    assert_eq!(app.json(again.bearer(Method::GET, "/auth/api-keys"), 200).await["items"], json!([]));
    let findings = app.app.store.verify(&auth_service::app::CHECKS.concat()).unwrap();
    assert_eq!(findings.problems, Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_that_are_made_while_their_owner_goes_are_never_good_after() {
    let app = TestApp::start().await;
    let root = app.superuser("root").await;
    for round in 0..8 {
        let name = format!("ann{round}");
        let ann = app.user(&name).await;
        let makes = (0..8).map(|n| asks(&ann, &reader(&format!("k{n}"))).send());
        let gone = async {
            if round % 2 == 0 {
                app.json(change(&root, ann.id(), &json!({"is_active": false})), 200).await;
            } else {
                let delete = ann.bearer(Method::DELETE, "/auth/me").json(&json!({"password": PASSWORD}));
                app.done(delete).await;
            }
        };
        let (made, ()) = futures_util::join!(futures_util::future::join_all(makes), gone);
        for answer in made {
            let answer = answer.unwrap();
            let status = answer.status().as_u16();
            assert!(matches!(status, 201 | 401 | 404), "{status}");
            if status == 201 {
                let key = super::Key::of(&answer.json().await.unwrap());
                assert_eq!(super::status(&app, &key.text).await, 401, "round {round}");
            }
        }
    }
    let findings = app.app.store.verify(&auth_service::app::CHECKS.concat()).unwrap();
    assert_eq!(findings.problems, Vec::<String>::new());
}
