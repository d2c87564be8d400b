//! `PATCH /auth/me`.
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};

use crate::support::{PASSWORD, Person, TestApp, jwt};

fn patch(user: &Person, body: &Value) -> RequestBuilder {
    user.bearer(Method::PATCH, "/auth/me").json(body)
}

#[tokio::test]
async fn names_change_and_null_empties_them() {
    let app = TestApp::start().await;
    let user = app.user("ann").await;
    for (body, first, last) in [
        (json!({"first_name": "Ann"}), json!("Ann"), Value::Null),
        (json!({"last_name": " Lee "}), json!("Ann"), json!("Lee")),
        (json!({}), json!("Ann"), json!("Lee")),
        (json!({"first_name": null}), Value::Null, json!("Lee")),
        (json!({"first_name": "A", "last_name": ""}), json!("A"), Value::Null),
    ] {
        let answer = app.json(patch(&user, &body), 200).await;
        assert_eq!((&answer["first_name"], &answer["last_name"]), (&first, &last), "{body}");
        assert_eq!(user.profile().await, answer);
    }
}

#[tokio::test]
async fn a_change_is_seen_at_once_in_every_session() {
    let app = TestApp::start().await;
    let (here, there) = (app.user("ann").await, app.log_in("ann", PASSWORD).await);
    assert_eq!(there.profile().await["first_name"], Value::Null);
    for name in ["A", "B", "C"] {
        app.json(patch(&here, &json!({"first_name": name})), 200).await;
        assert_eq!(there.profile().await["first_name"], name);
    }
}

#[tokio::test]
async fn a_bad_value_is_named_and_nothing_is_changed() {
    let app = TestApp::start().await;
    let user = app.user("ann").await;
    for (body, field) in [
        (json!({"first_name": 1}), "first_name"),
        (json!({"first_name": "x".repeat(101)}), "first_name"),
        (json!({"last_name": "a\u{0}"}), "last_name"),
        (json!({"last_name": "a\u{202e}nna"}), "last_name"),
        (json!({"last_name": "a\u{2067}nna"}), "last_name"),
        (json!({"last_name": "a\u{2029}nna"}), "last_name"),
        (json!({"last_name": ["a"]}), "last_name"),
        (json!({"first_name": "Ann", "email": "nowhere", "current_password": PASSWORD}), "email"),
        (json!({"first_name": "Ann", "email": 5, "current_password": PASSWORD}), "email"),
        (json!({"first_name": "Ann", "email": "new@example.com", "current_password": 5}), "current_password"),
    ] {
        app.refuses(patch(&user, &body), field).await;
    }
    assert_eq!(user.profile().await["first_name"], Value::Null);
}

#[tokio::test]
async fn nobody_changes_what_is_not_theirs_to_change() {
    let app = TestApp::start().await;
    let user = app.user("ann").await;
    let before = user.profile().await;
    let greedy = json!({
        "id": 77, "username": "root", "is_superuser": true, "is_active": false, "roles": ["superuser"],
        "password": "another one 17", "password_hash": "x",
    });
    assert_eq!(app.json(patch(&user, &greedy), 200).await, before);
    let again = app.log_in("ann", PASSWORD).await;
    assert_eq!(again.profile().await, before);
    assert_eq!(jwt::claims(&again.tokens.access)["roles"], json!(["user"]));
}

#[tokio::test]
async fn a_new_address_needs_the_current_password() {
    let app = TestApp::start().await;
    let user = app.user("ann").await;
    let with = |password: Value| json!({"email": "new@example.com", "current_password": password});
    app.refuses(patch(&user, &json!({"email": "new@example.com"})), "current_password").await;
    app.refuses(patch(&user, &with(Value::Null)), "current_password").await;
    app.refuses(patch(&user, &with(json!(""))), "current_password").await;
    let reason = app.refuses(patch(&user, &with(json!("wrong wrong"))), "current_password").await;
    assert_eq!(reason, "is wrong");
    assert_eq!(user.profile().await["email"], "ann@example.com");
    let same = json!({"email": "ann@example.com", "first_name": "Ann"});
    assert_eq!(
        app.json(patch(&user, &same), 200).await["first_name"],
        "Ann",
        "the same address is no change"
    );
}

#[tokio::test]
async fn a_new_address_logs_in_and_the_old_one_is_free() {
    let app = TestApp::start().await;
    let user = app.user("ann").await;
    let change = json!({"email": "New@Example.COM", "current_password": PASSWORD});
    assert_eq!(app.json(patch(&user, &change), 200).await["email"], "New@example.com");
    app.log_in("new@example.com", PASSWORD).await;
    let old = json!({"username": "ann@example.com", "password": PASSWORD});
    app.fails(app.request(Method::POST, "/auth/token").json(&old), 401, "INVALID_CREDENTIALS").await;
    let body = json!({"username": "bob", "email": "ann@example.com", "password": PASSWORD});
    app.json(app.request(Method::POST, "/auth/register").json(&body), 201).await;
    assert_eq!(user.status().await, 200);
}

#[tokio::test]
async fn an_address_changes_its_own_case() {
    let app = TestApp::start().await;
    let user = app.user("ann").await;
    let change = json!({"email": "ANN@example.com", "current_password": PASSWORD});
    assert_eq!(app.json(patch(&user, &change), 200).await["email"], "ANN@example.com");
    app.log_in("ann@example.com", PASSWORD).await;
}

#[tokio::test]
async fn a_taken_address_is_refused() {
    let app = TestApp::start().await;
    app.register("bob").await;
    let user = app.user("ann").await;
    for taken in ["bob@example.com", "BOB@EXAMPLE.COM", "b\u{43e}b@example.com"] {
        let change = json!({"email": taken, "first_name": "Ann", "current_password": PASSWORD});
        let reason = app.refuses(patch(&user, &change), "email").await;
        assert_eq!(reason, "is taken");
    }
    assert_eq!(user.profile().await["first_name"], Value::Null);
}

#[tokio::test]
async fn an_address_that_many_want_at_once_goes_to_one() {
    let app = TestApp::start().await;
    let mut users = Vec::new();
    for n in 0..8 {
        users.push(app.user(&format!("user{n}")).await);
    }
    let change = json!({"email": "new@example.com", "current_password": PASSWORD});
    let answers = futures_util::future::join_all(users.iter().map(|user| patch(user, &change).send())).await;
    let mut winners = 0;
    for answer in answers {
        let answer = answer.unwrap();
        if answer.status() == 200 {
            winners += 1;
        } else {
            let details = app.failure(Method::PATCH, answer, 400, "VALIDATION_ERROR").await;
            assert_eq!(details, json!({"field": "email", "reason": "is taken"}));
        }
    }
    assert_eq!(winners, 1);
}
