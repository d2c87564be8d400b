//! What needs a recent login, and what makes it one again.
use reqwest::{Method, Response};
use serde_json::{Value, json};

use super::{STEP, WithApp};
use crate::support::{PASSWORD, Person, TestApp, Tokens, jwt, operations};

const LATE: i64 = 901;

async fn prove(who: &Person<'_>, body: Value) -> Response {
    who.bearer(Method::POST, "/auth/reauthenticate").json(&body).send().await.unwrap()
}

#[tokio::test]
async fn what_matters_most_needs_a_recent_login() {
    let app = TestApp::start().await;
    let root = app.superuser("root").await;
    app.clock.advance_secs(LATE - 1);
    let root = root.refreshed().await;
    // A refresh is no login.
    let needs = |operation: &&crate::support::Operation| {
        let codes =
            &operation.spec["responses"]["403"]["content"]["application/json; charset=utf-8"]["examples"];
        codes.get("REAUTHENTICATION_REQUIRED").is_some()
    };
    let all = operations(&app);
    let needing: Vec<_> = all.iter().filter(needs).collect();
    let names: Vec<_> = needing.iter().map(|operation| operation.id).collect();
    for id in [
        "change_password",
        "delete_me",
        "update_me",
        "set_up_mfa",
        "enable_mfa",
        "disable_mfa",
        "regenerate_recovery_codes",
        "create_api_key",
        "rotate_api_key",
        "set_user_roles",
        "create_role",
        "create_service_account_key",
    ] {
        assert!(names.contains(&id), "{id} is not among {names:?}");
    }
    app.clock.advance_secs(1);
    for operation in needing.iter().filter(|operation| operation.id != "update_me") {
        let request = operation.dressed(root.bearer(operation.method.clone(), &operation.path));
        let details = app.fails(request, 403, "REAUTHENTICATION_REQUIRED").await;
        assert_eq!(details["methods"], json!(["password"]), "{}", operation.id);
    }
    // Of a profile, the address alone.
    let rename = root.bearer(Method::PATCH, "/auth/me").json(&json!({"first_name": "Ann"}));
    app.json(rename, 200).await;
    let body = json!({"email": "other@example.com", "current_password": PASSWORD});
    let move_away = || root.bearer(Method::PATCH, "/auth/me").json(&body);
    app.fails(move_away(), 403, "REAUTHENTICATION_REQUIRED").await;
    let proven = prove(&root, json!({"password": PASSWORD})).await;
    assert_eq!(proven.status(), 200);
    let root = Person { app: &app, tokens: Tokens::from(proven).await };
    app.json(root.bearer(Method::PATCH, "/auth/me").json(&body), 200).await;
}

#[tokio::test]
async fn proving_it_again_gives_new_tokens_and_the_old_ones_are_good_no_more() {
    let app = TestApp::start().await;
    let ann = app.user("ann").await;
    app.clock.advance_secs(100);
    app.failure(Method::POST, prove(&ann, json!({"password": "wrong"})).await, 401, "INVALID_CREDENTIALS")
        .await;
    let details = app.failure(Method::POST, prove(&ann, json!({})).await, 400, "VALIDATION_ERROR").await;
    assert_eq!(details["field"], "password");
    let proven = prove(&ann, json!({"password": PASSWORD})).await;
    assert_eq!(proven.status(), 200);
    let after = Person { app: &app, tokens: Tokens::from(proven).await };
    let (old, new) = (jwt::claims(&ann.tokens.access), jwt::claims(&after.tokens.access));
    assert_eq!(old["sid"], new["sid"]);
    assert_eq!(new["auth_time"].as_i64().unwrap() - old["auth_time"].as_i64().unwrap(), 100);
    assert_eq!(new["amr"], json!(["pwd"]));
    app.fails(ann.bearer(Method::GET, "/auth/me"), 401, "TOKEN_REVOKED").await;
    // Long after, whoever has the old one is a thief.
    let after = after.refreshed().await;
    app.clock.advance_secs(31);
    app.fails(ann.refresh_request(), 401, "TOKEN_REVOKED").await;
    after.is_out("TOKEN_REVOKED").await;
}

#[tokio::test]
async fn whoever_has_not_heard_the_answer_goes_on_with_what_was_proven_before() {
    let app = TestApp::start().await;
    let ann = app.user("ann").await;
    app.clock.advance_secs(LATE);
    let ann = ann.refreshed().await;
    let answer = prove(&ann, json!({"password": PASSWORD})).await;
    assert_eq!(answer.status(), 200);
    let lost = Person { app: &app, tokens: Tokens::from(answer).await };
    app.clock.advance_secs(29);
    let back = ann.refreshed().await;
    let (old, new) = (jwt::claims(&ann.tokens.access), jwt::claims(&back.tokens.access));
    assert_eq!((&old["sid"], &old["auth_time"], &old["amr"]), (&new["sid"], &new["auth_time"], &new["amr"]));
    // Whoever has the old token alone has proven nothing with it.
    let recent = |who: &Person<'_>| who.bearer(Method::POST, "/auth/mfa/setup").json(&json!({}));
    app.fails(recent(&back), 403, "REAUTHENTICATION_REQUIRED").await;
    assert_eq!(ann.refreshed().await.tokens, back.tokens, "the same answer again");
    // Nor does it come back by the token of the answer; who has that after all is no thief either.
    let heard = lost.refreshed().await;
    app.fails(recent(&heard), 403, "REAUTHENTICATION_REQUIRED").await;
    assert_eq!((heard.status().await, back.status().await), (200, 200));
    let proven = heard.proven().await;
    app.json(recent(&proven), 200).await;
    // The time of the first loss counts, not that of the last attempt.
    app.clock.advance_secs(2);
    app.fails(ann.refresh_request(), 401, "TOKEN_REVOKED").await;
    proven.is_out("TOKEN_REVOKED").await;
}

#[tokio::test]
async fn where_second_factors_are_on_a_password_proves_too_little() {
    let app = TestApp::start().await;
    let ann = app.user("ann").await;
    let other = app.log_in("ann", PASSWORD).await;
    let with_app = WithApp::of(&ann).await;
    // Whoever had another session may be why it was turned on.
    other.is_out("TOKEN_REVOKED").await;
    // Of a trusted device a session is recent, and too weak.
    let body = json!({"mfa_token": with_app.ask().await, "code": with_app.code(), "trust_device_days": 1});
    let trusted = app.post("/auth/mfa/verify", &body).await;
    app.clock.advance_secs(STEP);
    let device = crate::support::set_cookie(trusted.headers(), "trusted_device_cookie");
    let device = device.split(';').next().unwrap().split_once('=').unwrap().1.to_owned();
    let before = Person { app: &app, tokens: Tokens::from(with_app.log_in_on(&device).await).await };
    let disable = || before.bearer(Method::POST, "/auth/mfa/disable");
    let details = app.fails(disable(), 403, "REAUTHENTICATION_REQUIRED").await;
    assert_eq!(details["methods"], json!(["totp", "recovery_code"]));
    let details = app.failure(
        Method::POST,
        prove(&before, json!({"password": PASSWORD})).await,
        400,
        "VALIDATION_ERROR",
    );
    assert_eq!(details.await["field"], "code");
    let wrong = prove(&before, json!({"code": with_app.wrong_code()})).await;
    app.failure(Method::POST, wrong, 401, "INVALID_MFA_CODE").await;
    let code = with_app.code();
    let proven = prove(&before, json!({"code": code})).await;
    assert_eq!(proven.status(), 200);
    let after = Person { app: &app, tokens: Tokens::from(proven).await };
    assert_eq!(jwt::claims(&after.tokens.access)["amr"], json!(["pwd", "otp", "mfa"]));
    app.failure(Method::POST, prove(&after, json!({"code": code})).await, 401, "INVALID_MFA_CODE").await;
    app.clock.advance_secs(STEP);
    let proven = prove(&after, json!({"code": with_app.recovery_codes[0]})).await;
    assert_eq!(proven.status(), 200);
    let last = Tokens::from(proven).await;
    assert_eq!(last.body["recovery_codes_left"], 9);
    let last = Person { app: &app, tokens: last };
    assert_eq!(last.bearer(Method::POST, "/auth/mfa/disable").send().await.unwrap().status(), 204);
}

#[tokio::test]
async fn a_program_with_a_key_has_no_login_to_prove_again() {
    let app = TestApp::start().await;
    let ann = app.user("ann").await;
    let key = ann.key(json!({"name": "all", "unrestricted": true})).await;
    app.clock.advance_secs(LATE);
    let with_key = |method: Method, path: &str| app.request(method, path).header("X-API-Key", &key);
    // What it was given the right to do it does.
    app.json(with_key(Method::POST, "/auth/api-keys").json(&json!({"name": "other"})), 201).await;
    let request = with_key(Method::POST, "/auth/reauthenticate").json(&json!({"password": PASSWORD}));
    app.fails(request, 400, "MALFORMED_REQUEST").await;
}
