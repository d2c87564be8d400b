//! Finding events.
use auth_service::base::Timestamp;
use reqwest::Method;
use serde_json::{Value, json};

use super::{all_is_well, events, write_events};
use crate::support::{PASSWORD, Person, START, Setup, TestApp};

async fn actions(who: &Person<'_>, query: &str) -> Vec<String> {
    events(who, query).await.iter().map(|event| event["action"].as_str().unwrap().to_owned()).collect()
}

async fn page(who: &Person<'_>, path: &str) -> (Vec<u64>, Option<String>) {
    let page = who.app.json(who.bearer(Method::GET, path), 200).await;
    let seqs = page["items"].as_array().unwrap().iter().map(|event| event["seq"].as_u64().unwrap()).collect();
    (seqs, page["next_cursor"].as_str().map(str::to_owned))
}

/// The numbers of all pages.
async fn walk(who: &Person<'_>, path: &str) -> Vec<u64> {
    let (mut all, mut cursor) = (Vec::new(), String::new());
    loop {
        let (seqs, next) = page(who, &format!("{path}{cursor}")).await;
        all.extend(seqs);
        let Some(next) = next else { return all };
        cursor = format!("&cursor={next}");
    }
}

#[tokio::test]
async fn events_are_found_by_everything_that_they_say() {
    let app = Setup::default().with("trusted_proxies", "127.0.0.0/8").start().await;
    let (root, ann) = (app.superuser("root").await, app.user("ann").await);
    app.clock.advance_secs(60);
    let made = app.json(ann.bearer(Method::POST, "/auth/api-keys").json(&json!({"name": "x"})), 201).await;
    let id = made["api_key"]["id"].as_str().unwrap();
    let far = ann.bearer(Method::PATCH, &format!("/auth/api-keys/{id}")).json(&json!({"name": "y"}));
    app.json(far.header("X-Forwarded-For", "203.0.113.7"), 200).await;
    app.fails(ann.bearer(Method::GET, "/users"), 403, "FORBIDDEN").await;
    app.clock.advance_secs(60);
    app.done(ann.bearer(Method::DELETE, &format!("/auth/api-keys/{id}"))).await;
    let robot =
        app.json(root.bearer(Method::POST, "/service-accounts").json(&json!({"name": "robot"})), 201).await;
    let robot = robot["id"].as_str().unwrap();
    let (ann_id, root_id) = (ann.id(), root.id());
    let keys = vec!["api_key.deleted", "api_key.changed", "api_key.created"];
    for (query, expected) in [
        ("action=api_key.".to_owned(), keys.clone()),
        ("action=api_key.changed".to_owned(), vec!["api_key.changed"]),
        ("action=api_key".to_owned(), vec![]),
        ("action=api".to_owned(), vec![]),
        ("action=.".to_owned(), vec![]),
        ("action=".to_owned(), vec![]),
        ("action=%00".to_owned(), vec![]),
        ("outcome=failure".to_owned(), vec!["request.refused"]),
        ("address=203.0.113.7".to_owned(), vec!["api_key.changed"]),
        ("address=203.0.113".to_owned(), vec![]),
        (format!("subject={ann_id}&action=api_key."), keys),
        (format!("subject={ann_id}&outcome=failure"), vec!["request.refused"]),
        (format!("subject={root_id}&action=service_account."), vec!["service_account.created"]),
        (format!("subject={robot}"), vec!["service_account.created"]),
        ("subject=99".to_owned(), vec![]),
        (format!("subject={}", "0".repeat(32)), vec![]),
        ("action=api_key.&until=2027-01-15T08:01:00Z".to_owned(), vec![]),
        (
            "action=api_key.&until=2027-01-15T08:01:00.000001Z".to_owned(),
            vec!["api_key.changed", "api_key.created"],
        ),
        (
            "action=api_key.&from=2027-01-15T08:01:00Z&until=2027-01-15T09:02:00%2B01:00".to_owned(),
            vec!["api_key.changed", "api_key.created"],
        ),
        ("action=api_key.&from=2027-01-15T08:01:00.000001Z".to_owned(), vec!["api_key.deleted"]),
        ("from=9999-12-31T23:59:59Z".to_owned(), vec![]),
        ("until=0000-01-01T00:00:00Z".to_owned(), vec![]),
    ] {
        assert_eq!(actions(&root, &query).await, expected, "{query}");
    }
    all_is_well(&app).await;
}

#[tokio::test]
async fn filters_that_are_none_are_refused() {
    let app = TestApp::start().await;
    let root = app.superuser("root").await;
    for (query, field) in [
        ("subject=ann", "subject"),
        ("subject=-1", "subject"),
        ("subject=", "subject"),
        ("outcome=maybe", "outcome"),
        ("from=yesterday", "from"),
        ("until=1800000000", "until"),
        ("limit=0", "limit"),
        ("limit=201", "limit"),
        ("cursor=%21", "cursor"),
        ("cursor=AAAA", "cursor"),
        ("subject=1&subject=2", "subject"),
    ] {
        app.refuses(root.bearer(Method::GET, &format!("/audit?{query}")), field).await;
    }
    app.refuses(root.bearer(Method::GET, "/audit/export?seq=-1"), "seq").await;
    app.refuses(root.bearer(Method::GET, "/audit/export?outcome=x"), "outcome").await;
}

#[tokio::test]
async fn pages_stay_stable_while_events_come_and_made_up_cursors_do_no_harm() {
    let app = TestApp::start().await;
    let (root, ann) = (app.superuser("root").await, app.user("ann").await);
    write_events(&app, START, 20, ann.id()).await;
    let (last, _) = page(&root, "/audit?limit=1").await;
    for path in ["/audit?limit=3".to_owned(), format!("/audit?limit=3&subject={}", ann.id())] {
        let before = walk(&root, &path).await;
        let (mut all, mut next) = page(&root, &path).await;
        while let Some(cursor) = next {
            write_events(&app, START, 2, ann.id()).await;
            let (seqs, more) = page(&root, &format!("{path}&cursor={cursor}")).await;
            all.extend(seqs);
            next = more;
        }
        assert_eq!(all, before, "{path}");
        assert!(all.is_sorted_by(|one, other| one > other));
    }
    // Eight bytes of anything.
    for (cursor, newest) in
        [("AAAAAAAAAAA", None), ("__________8", Some(())), ("AAAAAAAAAAE", None), ("AAAAAAAAAAI", Some(()))]
    {
        for filter in [String::new(), format!("&subject={}", ann.id())] {
            let (seqs, _) = page(&root, &format!("/audit?limit=3&cursor={cursor}{filter}")).await;
            assert!(seqs.is_empty() || newest.is_some(), "{cursor}: {seqs:?}");
        }
    }
    assert!(last[0] > 20);
    all_is_well(&app).await;
}

#[tokio::test]
async fn long_lists_are_walked_to_their_end() {
    let app = TestApp::start().await;
    let (root, ann) = (app.superuser("root").await, app.user("ann").await);
    for _ in 0..3 {
        write_events(&app, START, 300, ann.id()).await;
        write_events(&app, START, 2500, root.id()).await;
    }
    let mine = walk(&root, &format!("/audit?limit=200&action=test.event&subject={}", ann.id())).await;
    assert_eq!(mine.len(), 900);
    // One that is far behind is found in steps, each of which looks at so many.
    let (first, next) = page(&root, "/audit?action=user.created").await;
    assert!(first.is_empty() && next.is_some());
    assert_eq!(walk(&root, "/audit?limit=200&action=user.created").await.len(), 2);
    let whole = walk(&root, "/audit?limit=200").await;
    assert_eq!(whole, (1..=whole.len() as u64).rev().collect::<Vec<_>>());
    let export = super::exported(&root, "").await;
    assert_eq!(export.lines().count(), whole.len() + 1);
}

#[tokio::test]
async fn everybody_reads_what_they_did_and_what_was_done_to_them() {
    let app = TestApp::start().await;
    let (root, ann, bob) = (app.superuser("root").await, app.user("ann").await, app.user("bob").await);
    let activity = async |who: &Person<'_>, query: &str| {
        let path = format!("/auth/me/activity?limit=200{query}");
        who.app.json(who.bearer(Method::GET, &path), 200).await["items"].as_array().unwrap().clone()
    };
    let bobs = activity(&bob, "").await;
    bob.key(json!({"name": "bobs"})).await;
    app.json(
        root.bearer(Method::PATCH, &format!("/users/{}", ann.id())).json(&json!({"last_name": "A"})),
        200,
    )
    .await;
    app.fails(
        app.request(Method::POST, "/auth/token").json(&json!({"username": "ann", "password": "x"})),
        401,
        "INVALID_CREDENTIALS",
    )
    .await;
    let mine = activity(&ann, "").await;
    let said: Vec<_> = mine.iter().map(|event| event["action"].as_str().unwrap()).collect();
    assert_eq!(said, ["session.refused", "user.changed", "session.created", "user.created"]);
    // No parameter and no cursor shows somebody else's.
    let others =
        [format!("&subject={}", bob.id()), "&action=api_key.".to_owned(), "&cursor=__________8".to_owned()];
    for query in others {
        assert_eq!(activity(&ann, &query).await, mine, "{query}");
    }
    assert_eq!(activity(&bob, "").await.len(), bobs.len() + 1);
    for path in ["/audit", "/audit/export"] {
        app.fails(ann.bearer(Method::GET, path), 403, "FORBIDDEN").await;
    }
    let key = ann.key(json!({"name": "x", "permissions": ["account:read"]})).await;
    let by_key = app.request(Method::GET, "/auth/me/activity?limit=3").header("X-API-Key", key);
    let items = app.json(by_key, 200).await["items"].clone();
    assert_eq!(
        (&items[0]["action"], &items[2]["action"]),
        (&json!("request.refused"), &json!("api_key.created"))
    );
}

#[tokio::test]
async fn times_that_are_a_little_out_of_order_are_found() {
    let app = TestApp::start().await;
    let root = app.superuser("root").await;
    app.clock.advance_secs(1000);
    app.fails(app.request(Method::GET, "/auth/me").bearer_auth("x"), 401, "INVALID_TOKEN").await;
    app.clock.advance_secs(300);
    app.log_in("root", PASSWORD).await;
    app.app.write_gathered().await;
    app.clock.advance_secs(1000);
    let root_again = app.log_in("root", PASSWORD).await;
    drop(root);
    let at = |secs: i64| Timestamp::from_secs(START.secs() + secs).rfc3339();
    let (from, until) = (at(1000), at(1001));
    assert_eq!(actions(&root_again, &format!("from={from}&until={until}")).await, ["request.refused"]);
    let lines = super::exported(&root_again, &format!("from={from}&until={until}")).await;
    let line: Value = serde_json::from_str(lines.trim()).unwrap();
    assert_eq!(line["action"], "request.refused");
}
