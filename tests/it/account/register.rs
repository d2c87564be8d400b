//! `POST /auth/register`: what it makes, and what it refuses by name.
use auth_service::base::Tick;
use reqwest::{Method, RequestBuilder, StatusCode};
use serde_json::{Value, json};

use crate::support::{PASSWORD, Setup, TestApp};

fn body() -> Value {
    json!({
        "username": "testuser", "email": "test@example.com", "password": PASSWORD,
        "first_name": "Test", "last_name": "User",
    })
}

/// A registration that is good but for one field.
fn with(app: &TestApp, field: &str, value: Value) -> RequestBuilder {
    let mut body = body();
    body[field] = value;
    app.request(Method::POST, "/auth/register").json(&body)
}

#[tokio::test]
async fn a_registered_user_reads_as_the_contract_shows() {
    let app = TestApp::start().await;
    let made = app.post("/auth/register", &body()).await;
    assert_eq!(made.status(), StatusCode::CREATED);
    let text = made.text().await.unwrap();
    assert_eq!(
        text,
        r#"{"id":1,"username":"testuser","email":"test@example.com","first_name":"Test","last_name":"User","is_active":true,"is_superuser":false}"#
    );
    let user = app.log_in("testuser", PASSWORD).await;
    let me = user.bearer(Method::GET, "/auth/me").send().await.unwrap();
    assert_eq!(me.text().await.unwrap(), text);
}

#[tokio::test]
async fn the_same_name_32_times_at_once_makes_one_user() {
    let app = TestApp::start().await;
    let all = futures_util::future::join_all((0..32).map(|_| with(&app, "first_name", json!("A")).send()));
    let mut made = 0;
    for answer in all.await {
        let answer = answer.unwrap();
        if answer.status() == StatusCode::CREATED {
            made += 1;
            assert_eq!(answer.json::<Value>().await.unwrap()["id"], 1);
        } else {
            let details = app.failure(Method::POST, answer, 400, "VALIDATION_ERROR").await;
            // Both names are taken; which one is noticed first is open.
            assert!(details["field"] == "username" || details["field"] == "email", "{details}");
            assert_eq!(details["reason"], "is taken");
        }
    }
    assert_eq!(made, 1);
    assert_eq!(app.register("next").await["id"], 2, "who lost has used up no id");
}

#[tokio::test]
async fn a_missing_field_is_named() {
    let app = TestApp::start().await;
    for field in ["username", "email", "password"] {
        assert_eq!(app.refuses(with(&app, field, Value::Null), field).await, "is required");
        let mut body = body();
        body.as_object_mut().unwrap().remove(field);
        let request = app.request(Method::POST, "/auth/register").json(&body);
        assert_eq!(app.refuses(request, field).await, "is required");
    }
}

#[tokio::test]
async fn a_field_of_the_wrong_type_is_named() {
    let app = TestApp::start().await;
    for field in ["username", "email", "password", "first_name", "last_name"] {
        for value in [json!(1), json!(1.5), json!(true), json!(["a"]), json!({"a": "b"})] {
            assert_eq!(app.refuses(with(&app, field, value), field).await, "must be a string");
        }
    }
}

#[tokio::test]
async fn a_bad_user_name_is_named() {
    let app = TestApp::start().await;
    let (long, huge) = ("x".repeat(65), "x".repeat(5000));
    let bad = [
        "",
        " ",
        "a b",
        " ann",
        "ann ",
        "a@b",
        "a/b",
        "a\\b",
        "a\nb",
        "a\tb",
        "a\u{0}b",
        "...",
        "-",
        "a'b",
        "<b>",
        "%41",
        "\u{202e}nna",
        "an\u{200b}na",
        "an\u{ad}na",
        "anna\u{feff}",
        "\u{1f980}",
        "p\u{430}ypal",
        &long,
        &huge,
    ];
    for name in bad {
        app.refuses(with(&app, "username", json!(name)), "username").await;
    }
    for good in ["a", "Anna.Maria-2_x", "\u{dc}nal", "\u{5c71}\u{7530}", &"x".repeat(64)] {
        let body =
            json!({"username": good, "email": format!("{}@example.com", good.len()), "password": PASSWORD});
        let made = app.json(app.request(Method::POST, "/auth/register").json(&body), 201).await;
        assert_eq!(made["username"], good);
    }
}

#[tokio::test]
async fn a_bad_address_is_named() {
    let app = TestApp::start().await;
    let long = format!("{}@example.com", "x".repeat(250));
    let bad = [
        "",
        " ",
        "a",
        "a@",
        "@b.cd",
        "a@b",
        "a b@c.de",
        "a@b..c",
        "a@.cd",
        "a@b.cd.",
        "A <a@b.cd>",
        "a@[127.0.0.1]",
        "a@b.cd, e@f.gh",
        "a@b.cd\r\nBcc: x@y.zz",
        "a\u{0}@b.cd",
        "a@b\u{0}.cd",
        "\"a b\"@c.de",
        "a@-b.cd",
        "a@@b.cd",
        "a@exa mple.com",
        "a@b_c.de",
        &long,
    ];
    for address in bad {
        app.refuses(with(&app, "email", json!(address)), "email").await;
    }
}

#[tokio::test]
async fn a_bad_first_or_last_name_is_named() {
    let app = TestApp::start().await;
    for field in ["first_name", "last_name"] {
        for bad in [&*"x".repeat(101), "a\u{7}b", "a\nb", "a\u{0}", "\u{1b}[31mred", "a\u{85}b"] {
            app.refuses(with(&app, field, json!(bad)), field).await;
        }
    }
    let mut good = body();
    (good["first_name"], good["last_name"]) = (json!(" Ren\u{e9}e "), json!("x".repeat(100)));
    let made = app.json(app.request(Method::POST, "/auth/register").json(&good), 201).await;
    assert_eq!((&made["first_name"], &made["last_name"]), (&json!("Ren\u{e9}e"), &json!("x".repeat(100))));
}

#[tokio::test]
async fn names_are_optional_and_an_empty_one_is_none() {
    let app = TestApp::start().await;
    assert_eq!(app.register("ann").await["first_name"], Value::Null);
    let made = app.json(with(&app, "first_name", json!("  ")), 201).await;
    assert_eq!((&made["first_name"], &made["last_name"]), (&Value::Null, &json!("User")));
}

#[tokio::test]
async fn nobody_makes_itself_more_than_a_user() {
    let app = TestApp::start().await;
    let mut greedy = body();
    for (field, value) in [
        ("id", json!(77)),
        ("is_superuser", json!(true)),
        ("is_active", json!(false)),
        ("roles", json!(["superuser"])),
        ("role", json!("admin")),
        ("password_hash", json!("x")),
        ("created_at", json!("2020-01-01T00:00:00Z")),
        ("__proto__", json!({"is_superuser": true})),
    ] {
        greedy[field] = value;
    }
    let made = app.json(app.request(Method::POST, "/auth/register").json(&greedy), 201).await;
    assert_eq!(
        (&made["id"], &made["is_superuser"], &made["is_active"]),
        (&json!(1), &json!(false), &json!(true))
    );
    let user = app.log_in("testuser", PASSWORD).await;
    assert_eq!(crate::support::jwt::claims(&user.tokens.access)["roles"], json!(["user"]));
}

#[tokio::test]
async fn of_a_field_that_comes_twice_the_last_counts_for_check_and_use_alike() {
    let app = TestApp::start().await;
    let text = format!(
        r#"{{"username":"bad name","username":"ann","email":"a@b.cd","password":"short","password":"{PASSWORD}"}}"#
    );
    let request = app.request(Method::POST, "/auth/register").header("Content-Type", "application/json");
    assert_eq!(app.json(request.body(text), 201).await["username"], "ann");
    app.log_in("ann", PASSWORD).await;
}

#[tokio::test]
async fn a_closed_registration_is_forbidden() {
    let app = Setup::default().with("registration", "closed").start().await;
    let request = app.request(Method::POST, "/auth/register").json(&body());
    let details = app.fails(request, 403, "FORBIDDEN").await;
    assert_eq!(details, json!({"permission": "users:write"}));
}

#[tokio::test]
async fn a_megabyte_of_text_is_refused_before_any_work_on_it() {
    let app = TestApp::start().await;
    // Normalised, each of these is eighteen characters.
    let huge = "\u{fdfa}".repeat(340_000);
    let started = Tick::now();
    for field in ["username", "email", "first_name"] {
        app.refuses(with(&app, field, json!(huge)), field).await;
    }
    for login in [&huge, &format!("{huge}@example.com")] {
        let body = json!({"username": login, "password": PASSWORD});
        let request = app.request(Method::POST, "/auth/token").json(&body);
        app.fails(request, 401, "INVALID_CREDENTIALS").await;
    }
    // Unhindered, one of these logins alone takes this program twenty seconds without optimisation.
    assert!(started.elapsed().as_secs() < 10, "{:?}", started.elapsed());
}
