//! What else administrators do with accounts: make them, reset their passwords, look at their sessions and keys.
use std::collections::BTreeSet;

use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};

use crate::support::{PASSWORD, Person, TestApp};

const OTHER_PASSWORD: &str = "another horse 81 battery";
const HALF_AN_HOUR: i64 = 30 * 60;

fn post(who: &Person, path: &str, body: &Value) -> RequestBuilder {
    who.bearer(Method::POST, path).json(body)
}

fn reset(app: &TestApp, token: &Value, password: &str) -> RequestBuilder {
    let body = json!({"token": token, "new_password": password});
    app.request(Method::POST, "/auth/password/reset").json(&body)
}

async fn start(root: &Person<'_>, id: u64) -> Value {
    root.app.json(post(root, &format!("/users/{id}/password-reset"), &json!({})), 201).await
}

#[tokio::test]
async fn an_account_that_an_administrator_makes_gets_its_password_from_its_user() {
    let app = TestApp::start().await;
    let root = app.superuser("root").await;
    let body = json!({
        "username": "ann", "email": "ann@example.com", "first_name": "Ann",
        // Of no effect: who decides about these is somebody else.
        "id": 70, "is_superuser": true, "roles": ["admin"], "password": PASSWORD, "password_hash": "x",
    });
    let made = app.json(post(&root, "/users", &body), 201).await;
    assert_eq!(
        (&made["id"], &made["is_superuser"], &made["roles"]),
        (&json!(2), &json!(false), &json!(["user"]))
    );
    let login = |password: &str| {
        app.request(Method::POST, "/auth/token").json(&json!({"username": "ann", "password": password}))
    };
    for password in [PASSWORD, "", "x"] {
        app.fails(login(password), 401, "INVALID_CREDENTIALS").await;
    }
    assert_eq!(app.refuses(post(&root, "/users", &body), "username").await, "is taken");
    let started = start(&root, 2).await;
    assert_eq!(started["expires_at"], "2027-01-15T08:30:00Z");
    app.done(reset(&app, &started["token"], OTHER_PASSWORD)).await;
    app.log_in("ann", OTHER_PASSWORD).await;
    assert!(root.app.json(root.bearer(Method::GET, "/users/2"), 200).await.get("password_hash").is_none());
}

#[tokio::test]
async fn a_reset_is_good_once_and_for_half_an_hour_and_only_the_last_one() {
    let app = TestApp::start().await;
    let (root, ann) = (app.superuser("root").await, app.user("ann").await);
    let (first, second) = (start(&root, 2).await, start(&root, 2).await);
    app.refuses(reset(&app, &first["token"], OTHER_PASSWORD), "token").await;
    app.refuses(reset(&app, &second["token"], "short"), "new_password").await;
    assert_eq!(ann.status().await, 200, "a started reset changes nothing");
    app.clock.advance_secs(HALF_AN_HOUR - 1);
    app.done(reset(&app, &second["token"], OTHER_PASSWORD)).await;
    app.refuses(reset(&app, &second["token"], PASSWORD), "token").await;
    ann.is_out("TOKEN_EXPIRED").await;
    let third = start(&app.log_in("root", PASSWORD).await, 2).await;
    app.clock.advance_secs(HALF_AN_HOUR);
    app.refuses(reset(&app, &third["token"], PASSWORD), "token").await;
    for bad in [json!(""), json!("asp_"), json!("x"), json!(format!("{}x", third["token"].as_str().unwrap()))]
    {
        app.refuses(reset(&app, &bad, PASSWORD), "token").await;
    }
    let ann = app.log_in("ann", OTHER_PASSWORD).await;
    let fourth = start(&app.log_in("root", PASSWORD).await, 2).await;
    let change = json!({"current_password": OTHER_PASSWORD, "new_password": PASSWORD});
    app.done(post(&ann, "/auth/password/change", &change)).await;
    app.refuses(reset(&app, &fourth["token"], OTHER_PASSWORD), "token").await;
    // What was a text of ours is written down, with whose it was.
    let told = crate::mail::events(&app, "user.password_reset_refused").await;
    let about: Vec<_> = told.iter().map(|event| (&event["subject"]["name"], &event["outcome"])).collect();
    assert!(about.iter().all(|about| *about == (&json!("ann"), &json!("failure"))), "{told:?}");
    assert_eq!(told.iter().map(|event| event["count"].as_u64().unwrap()).sum::<u64>(), 4);
}

#[tokio::test]
async fn one_of_many_parallel_resets_wins() {
    let app = TestApp::start().await;
    let root = app.superuser("root").await;
    app.register("ann").await;
    let token = start(&root, 2).await["token"].clone();
    let tries = (0..16).map(|n| reset(&app, &token, &format!("{OTHER_PASSWORD} {n}")).send());
    let answers = futures_util::future::join_all(tries).await;
    let won = answers.iter().filter(|answer| answer.as_ref().unwrap().status() == 204).count();
    assert_eq!(won, 1);
}

#[tokio::test]
async fn nobody_resets_the_password_of_one_who_holds_more() {
    let app = TestApp::start().await;
    app.superuser("root").await;
    let ann = app.user("ann").await;
    app.app
        .accounts
        .set_roles(auth_service::rbac::Initiator::host(), 2, &["admin".to_owned()])
        .await
        .unwrap();
    let path = "/users/1/password-reset";
    let details = app.fails(post(&ann, path, &json!({})), 403, "FORBIDDEN").await;
    assert_eq!(details["permission"], "*");
    app.fails(post(&ann, "/users/70/password-reset", &json!({})), 404, "NOT_FOUND").await;
}

#[tokio::test]
async fn sessions_and_keys_of_an_account_are_seen_and_ended() {
    let app = TestApp::start().await;
    let (root, ann) = (app.superuser("root").await, app.user("ann").await);
    let other = app.log_in("ann", PASSWORD).await;
    let listed = app.json(root.bearer(Method::GET, "/users/2/sessions"), 200).await;
    let ids = listed["items"].as_array().unwrap().iter().map(|one| one["id"].as_str().unwrap().to_owned());
    // Both are of the same millisecond.
    assert_eq!(ids.collect::<BTreeSet<_>>(), BTreeSet::from([ann.session(), other.session()]));
    let end =
        |user: u64, session: &str| root.bearer(Method::DELETE, &format!("/users/{user}/sessions/{session}"));
    app.fails(end(1, &ann.session()), 404, "NOT_FOUND").await;
    app.done(end(2, &ann.session())).await;
    ann.is_out("TOKEN_REVOKED").await;
    assert_eq!(other.status().await, 200);
    let key = other.key(json!({"name": "one", "permissions": ["account:read"]})).await;
    let with_key = || app.request(Method::GET, "/auth/me").header("X-API-Key", &key);
    assert_eq!(app.json(with_key(), 200).await["username"], "ann");
    let keys = app.json(root.bearer(Method::GET, "/users/2/api-keys"), 200).await;
    let id = keys["items"][0]["id"].as_str().unwrap();
    assert_eq!(keys["items"][0]["last_used_address"], "127.0.0.1");
    app.fails(post(&root, &format!("/users/1/api-keys/{id}/revoke"), &json!({})), 404, "NOT_FOUND").await;
    app.done(post(&root, &format!("/users/2/api-keys/{id}/revoke"), &json!({}))).await;
    app.fails(with_key(), 401, "TOKEN_REVOKED").await;
    app.done(root.bearer(Method::DELETE, &format!("/users/2/api-keys/{id}"))).await;
    app.fails(with_key(), 401, "INVALID_TOKEN").await;
    app.fails(root.bearer(Method::GET, "/users/70/sessions"), 404, "NOT_FOUND").await;
    app.fails(root.bearer(Method::GET, "/users/70/api-keys"), 404, "NOT_FOUND").await;
}

#[tokio::test]
async fn accounts_are_found_by_when_they_were_made() {
    let app = TestApp::start().await;
    app.superuser("root").await;
    for name in ["a", "b", "c", "d", "e"] {
        app.clock.advance_secs(3600);
        app.register(name).await;
    }
    let root = app.log_in("root", PASSWORD).await;
    app.json(root.bearer(Method::GET, "/users"), 200).await;
    for (query, names) in [
        ("created_from=2027-01-15T11:00:00Z", "c d e"),
        ("created_from=2027-01-15T11:00:01Z", "d e"),
        ("created_from=2027-01-15T13:00:00%2B02:00", "c d e"),
        ("created_until=2027-01-15T10:00:00Z", "root a"),
        ("created_from=2027-01-15T09:00:00Z&created_until=2027-01-15T11:00:00Z", "a b"),
        ("created_from=2028-01-01T00:00:00Z", ""),
        ("created_from=1970-01-01T00:00:00Z", "root a b c d e"),
        ("created_until=2027-01-15T10:00:00Z&username=a", "a"),
        ("created_from=2027-01-15T10:00:00Z&username=a", ""),
    ] {
        let page = app.json(root.bearer(Method::GET, &format!("/users?{query}")), 200).await;
        let found = page["items"].as_array().unwrap().iter().map(|user| user["username"].as_str().unwrap());
        assert_eq!(found.collect::<Vec<_>>().join(" "), names, "{query}");
        assert_eq!(page["next_cursor"], Value::Null, "{query}");
    }
    app.refuses(root.bearer(Method::GET, "/users?created_from=yesterday"), "created_from").await;
}
