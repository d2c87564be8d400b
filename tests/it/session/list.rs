//! `/auth/sessions`: the list, its pages, and ending sessions by id.
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};

use crate::support::{PASSWORD, Person, Setup, TestApp};

fn list(user: &Person, query: &str) -> RequestBuilder {
    user.bearer(Method::GET, &format!("/auth/sessions{query}"))
}

fn ids(page: &Value) -> Vec<String> {
    page["items"].as_array().unwrap().iter().map(|item| item["id"].as_str().unwrap().to_owned()).collect()
}

/// All ids, walked through page by page.
async fn walk(user: &Person<'_>, limit: usize) -> Vec<String> {
    let (mut all, mut query) = (Vec::new(), format!("?limit={limit}"));
    loop {
        let page = user.app.json(list(user, &query), 200).await;
        let some = ids(&page);
        assert!(some.len() <= limit);
        all.extend(some);
        let Some(cursor) = page["next_cursor"].as_str() else { return all };
        query = format!("?limit={limit}&cursor={cursor}");
    }
}

#[tokio::test]
async fn sessions_are_listed_the_oldest_first() {
    let app = TestApp::start().await;
    app.register("ann").await;
    let login = app.request(Method::POST, "/auth/token").header("User-Agent", "Browser/1.0");
    let login = login.json(&json!({"username": "ann", "password": PASSWORD}));
    let first = app.person(crate::support::Tokens::from(login.send().await.unwrap()).await);
    app.clock.advance_secs(60);
    let second = app.log_in("ann", PASSWORD).await;
    app.clock.advance_secs(60);
    let first = first.refreshed().await;
    let page = app.json(list(&first, ""), 200).await;
    assert_eq!(page["next_cursor"], Value::Null);
    assert_eq!(
        page["items"][0],
        json!({
            "id": first.session(), "current": true, "created_at": "2027-01-15T08:00:00Z",
            "refreshed_at": "2027-01-15T08:02:00Z", "expires_at": "2027-02-14T08:02:00Z",
            "address": "127.0.0.1", "user_agent": "Browser/1.0",
        })
    );
    assert_eq!(ids(&page), [first.session(), second.session()]);
    let page = app.json(list(&second, ""), 200).await;
    assert_eq!((&page["items"][0]["current"], &page["items"][1]["current"]), (&json!(false), &json!(true)));
}

#[tokio::test]
async fn a_long_user_agent_is_cut() {
    let app = TestApp::start().await;
    app.register("ann").await;
    let login = app.request(Method::POST, "/auth/token").header("User-Agent", "x".repeat(5000));
    let login = login.json(&json!({"username": "ann", "password": PASSWORD}));
    let user = app.person(crate::support::Tokens::from(login.send().await.unwrap()).await);
    let page = app.json(list(&user, ""), 200).await;
    assert_eq!(page["items"][0]["user_agent"].as_str().unwrap().len(), 256);
}

#[tokio::test]
async fn sessions_come_in_pages_and_each_comes_once() {
    let app = TestApp::start().await;
    let user = app.user("ann").await;
    app.user("bob").await;
    let mut expected = vec![user.session()];
    for _ in 0..6 {
        app.clock.advance_secs(1);
        expected.push(app.log_in("ann", PASSWORD).await.session());
    }
    for limit in [1, 2, 3, 6, 7, 8, 200] {
        assert_eq!(walk(&user, limit).await, expected, "{limit}");
    }
}

#[tokio::test]
async fn a_cursor_stays_good_while_sessions_come_and_go() {
    let app = TestApp::start().await;
    let mut sessions = vec![app.user("ann").await];
    for _ in 0..4 {
        app.clock.advance_secs(1);
        sessions.push(app.log_in("ann", PASSWORD).await);
    }
    let user = &sessions[4];
    let page = app.json(list(user, "?limit=2"), 200).await;
    assert_eq!(ids(&page), [sessions[0].session(), sessions[1].session()]);
    sessions[1].log_out().await;
    sessions[2].log_out().await;
    app.clock.advance_secs(1);
    let newest = app.log_in("ann", PASSWORD).await;
    let query = format!("?limit=2&cursor={}", page["next_cursor"].as_str().unwrap());
    let page = app.json(list(user, &query), 200).await;
    assert_eq!(ids(&page), [sessions[3].session(), sessions[4].session()]);
    let query = format!("?limit=2&cursor={}", page["next_cursor"].as_str().unwrap());
    assert_eq!(ids(&app.json(list(user, &query), 200).await), [newest.session()]);
}

#[tokio::test]
async fn a_bad_limit_or_cursor_is_named() {
    let app = TestApp::start().await;
    let user = app.user("ann").await;
    for bad in ["0", "201", "-1", "abc", "1.5", "99999999999999999999", "%31%00", "1e2", "+"] {
        app.refuses(list(&user, &format!("?limit={bad}")), "limit").await;
    }
    assert_eq!(app.refuses(list(&user, "?limit=abc"), "limit").await, "must be a whole number");
    assert_eq!(app.refuses(list(&user, "?limit=1&limit=2"), "limit").await, "comes twice");
    for bad in ["!!", "a", "%00", "a%20b", "AA==", "%C3%A4"] {
        app.refuses(list(&user, &format!("?cursor={bad}")), "cursor").await;
    }
    for good in ["?limit=1", "?limit=200", "?cursor=", "?limit=1&unknown=2"] {
        app.json(list(&user, good), 200).await;
    }
}

#[tokio::test]
async fn a_cursor_of_another_user_is_none() {
    let app = TestApp::start().await;
    let (ann, bob) = (app.user("ann").await, app.user("bob").await);
    app.log_in("ann", PASSWORD).await;
    app.log_in("bob", PASSWORD).await;
    for (owner, thief) in [(&ann, &bob), (&bob, &ann)] {
        let page = app.json(list(owner, "?limit=1"), 200).await;
        let query = format!("?cursor={}", page["next_cursor"].as_str().unwrap());
        app.refuses(list(thief, &query), "cursor").await;
    }
}

#[tokio::test]
async fn a_session_that_is_over_is_not_listed() {
    let app = Setup::default().with("tokens.refresh_lifetime_secs", "800").start().await;
    app.user("ann").await;
    app.clock.advance_secs(500);
    let user = app.log_in("ann", PASSWORD).await;
    app.clock.advance_secs(300);
    assert_eq!(walk(&user, 50).await, [user.session()]);
}

#[tokio::test]
async fn a_session_is_ended_by_its_id() {
    let app = TestApp::start().await;
    let (user, other) = (app.user("ann").await, app.log_in("ann", PASSWORD).await);
    let path = format!("/auth/sessions/{}", other.session());
    app.done(user.bearer(Method::DELETE, &path)).await;
    other.is_out("TOKEN_REVOKED").await;
    app.fails(user.bearer(Method::DELETE, &path), 404, "NOT_FOUND").await;
    assert_eq!(walk(&user, 50).await, [user.session()]);
    let own = format!("/auth/sessions/{}", user.session());
    app.done(user.page(Method::DELETE, &own)).await;
    user.is_out("TOKEN_REVOKED").await;
}

#[tokio::test]
async fn a_session_of_another_user_is_not_found() {
    let app = TestApp::start().await;
    let (ann, bob) = (app.user("ann").await, app.user("bob").await);
    let path = format!("/auth/sessions/{}", bob.session());
    app.fails(ann.bearer(Method::DELETE, &path), 404, "NOT_FOUND").await;
    assert_eq!(bob.status().await, 200);
    let nobody = format!("/auth/sessions/{}", "0".repeat(32));
    app.fails(ann.bearer(Method::DELETE, &nobody), 404, "NOT_FOUND").await;
}

#[tokio::test]
async fn a_session_id_has_one_spelling() {
    let app = TestApp::start().await;
    let user = app.user("ann").await;
    // Ids hold letters but for one in some millions.
    let (id, upper) = (user.session(), user.session().to_uppercase());
    assert_ne!(id, upper);
    let spaced = format!("{id}%20");
    let dashed = format!("{}-{}", &id[..8], &id[8..]);
    for bad in
        [&*upper, &id[1..], &format!("{id}0"), &spaced, &dashed, "current", "+1", "%00", &"x".repeat(32)]
    {
        let request = user.bearer(Method::DELETE, &format!("/auth/sessions/{bad}"));
        assert_eq!(app.refuses(request, "id").await, "is not an id");
    }
    assert_eq!(user.status().await, 200);
}

#[tokio::test]
async fn all_other_sessions_are_ended_at_once() {
    let app = TestApp::start().await;
    let (user, bob) = (app.user("ann").await, app.user("bob").await);
    let others = [app.log_in("ann", PASSWORD).await, app.log_in("ann", PASSWORD).await];
    let answer = app.json(user.bearer(Method::DELETE, "/auth/sessions"), 200).await;
    assert_eq!(answer, json!({"ended": 2}));
    for other in &others {
        other.is_out("TOKEN_REVOKED").await;
    }
    assert_eq!((user.status().await, bob.status().await), (200, 200));
    let answer = app.json(user.bearer(Method::DELETE, "/auth/sessions"), 200).await;
    assert_eq!(answer, json!({"ended": 0}));
    user.refreshed().await;
}

#[tokio::test]
async fn one_session_too_many_ends_the_oldest() {
    let app = Setup::default().with("sessions.max_per_user", "3").start().await;
    let bob = app.user("bob").await;
    let mut sessions = vec![app.user("ann").await];
    for _ in 0..4 {
        app.clock.advance_secs(1);
        sessions.push(app.log_in("ann", PASSWORD).await);
    }
    for gone in &sessions[..2] {
        gone.is_out("TOKEN_REVOKED").await;
    }
    let left: Vec<_> = sessions[2..].iter().map(Person::session).collect();
    assert_eq!(walk(&sessions[4], 50).await, left);
    assert_eq!(bob.status().await, 200);
}

#[tokio::test]
async fn logins_at_once_keep_to_the_limit() {
    let app = Setup::default().with("sessions.max_per_user", "3").with("throttle.state", "off").start().await;
    app.register("ann").await;
    let all = futures_util::future::join_all((0..12).map(|_| app.log_in("ann", PASSWORD))).await;
    let mut alive = Vec::new();
    for person in &all {
        if person.status().await == 200 {
            alive.push(person);
        }
    }
    assert_eq!(alive.len(), 3);
    assert_eq!(walk(alive[0], 50).await.len(), 3);
}
