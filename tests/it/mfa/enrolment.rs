//! Setting an app up, turning it on and off, and recovery codes.
use base64::Engine;
use reqwest::Method;
use serde_json::json;

use super::{STEP, WithApp, code_at};
use crate::support::{PASSWORD, Setup, TestApp};

#[tokio::test]
async fn an_app_is_set_up_by_a_picture_or_by_hand_and_on_after_its_first_code() {
    let app = TestApp::start().await;
    let ann = app.user("ann").await;
    let status = app.json(ann.bearer(Method::GET, "/auth/mfa/status"), 200).await;
    assert_eq!(
        status,
        json!({"enabled": false, "required": false, "methods": [], "recovery_codes_left": 0, "warning": null})
    );
    let setup = app.json(ann.bearer(Method::POST, "/auth/mfa/setup"), 200).await;
    let secret = setup["secret"].as_str().unwrap();
    assert_eq!(
        setup["otpauth_uri"],
        format!("otpauth://totp/127%2E0%2E0%2E1:ann?secret={secret}&issuer=127%2E0%2E0%2E1")
            .replace("127%2E0%2E0%2E1", "localhost")
    );
    let png = setup["qr_png"].as_str().unwrap().strip_prefix("data:image/png;base64,").unwrap();
    let png = base64::engine::general_purpose::STANDARD.decode(png).unwrap();
    assert!(png.starts_with(b"\x89PNG\r\n") && setup["qr_svg"].as_str().unwrap().contains("<svg"));
    // Nothing has changed before its first code.
    assert_eq!(app.log_in("ann", PASSWORD).await.status().await, 200);
    let enable = |code: String| ann.bearer(Method::POST, "/auth/mfa/enable").json(&json!({"code": code}));
    app.fails(enable("000000".into()), 401, "INVALID_MFA_CODE").await;
    let enabled = app.json(enable(code_at(&app, secret, 0)), 200).await;
    let codes = enabled["recovery_codes"].as_array().unwrap();
    assert_eq!(codes.len(), 10);
    // The token that asked has been replaced by one that says how it came about.
    app.fails(ann.bearer(Method::GET, "/auth/me"), 401, "TOKEN_REVOKED").await;
    let claims = crate::support::jwt::claims(enabled["access_token"].as_str().unwrap());
    assert_eq!((&claims["amr"], &claims["acr"]), (&json!(["pwd", "otp", "mfa"]), &json!("aal2")));
    let answer = app.post("/auth/token", &json!({"username": "ann", "password": PASSWORD})).await;
    app.failure(Method::POST, answer, 401, "MFA_REQUIRED").await;
}

#[tokio::test]
async fn a_setup_is_over_after_ten_minutes_and_when_another_one_was_begun() {
    let app = TestApp::start().await;
    let ann = app.user("ann").await;
    let set_up = || app.json(ann.bearer(Method::POST, "/auth/mfa/setup"), 200);
    let enable = |secret: &serde_json::Value| {
        let code = code_at(&app, secret.as_str().unwrap(), 0);
        ann.bearer(Method::POST, "/auth/mfa/enable").json(&json!({"code": code}))
    };
    let details =
        app.fails(enable(&json!("GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ")), 400, "VALIDATION_ERROR").await;
    assert_eq!(details["field"], "code");
    let (first, second) = (set_up().await, set_up().await);
    app.fails(enable(&first["secret"]), 401, "INVALID_MFA_CODE").await;
    app.clock.advance_secs(600);
    let details = app.fails(enable(&second["secret"]), 400, "VALIDATION_ERROR").await;
    assert_eq!(details["field"], "code");
    let third = set_up().await;
    app.json(enable(&third["secret"]), 200).await;
}

#[tokio::test]
async fn recovery_codes_are_counted_and_their_user_is_warned_at_three() {
    let app = TestApp::start().await;
    let ann = WithApp::of(&app.user("ann").await).await;
    for (used, code) in ann.recovery_codes.iter().enumerate().take(8) {
        let token = ann.ask().await;
        let answer = ann.verify(&token, &code.to_lowercase()).await;
        assert_eq!(answer.status(), 200);
        let shown: serde_json::Value = answer.json().await.unwrap();
        let left = 9 - used;
        assert_eq!(shown["recovery_codes_left"], left);
        assert_eq!(shown["warning"].is_null(), left > 3, "{shown}");
        let token = ann.ask().await;
        ann.verify_fails(&token, code, "INVALID_MFA_CODE").await;
    }
    let status = ann.status().await;
    assert_eq!(status["recovery_codes_left"], 2);
    assert!(status["warning"].as_str().unwrap().starts_with("2 recovery codes are left"));
    let regenerate = ann.person.bearer(Method::POST, "/auth/mfa/backup-codes/regenerate");
    let fresh = app.json(regenerate, 200).await;
    assert_eq!(fresh["recovery_codes"].as_array().unwrap().len(), 10);
    let token = ann.ask().await;
    ann.verify_fails(&token, &ann.recovery_codes[9], "INVALID_MFA_CODE").await;
    assert_eq!(ann.verify(&token, fresh["recovery_codes"][0].as_str().unwrap()).await.status(), 200);
}

#[tokio::test]
async fn turned_off_a_password_is_enough_again() {
    let app = TestApp::start().await;
    let ann = WithApp::of(&app.user("ann").await).await;
    let disable = || ann.person.bearer(Method::POST, "/auth/mfa/disable");
    assert_eq!(disable().send().await.unwrap().status(), 204);
    assert_eq!(ann.status().await["enabled"], false);
    assert_eq!(app.log_in("ann", PASSWORD).await.status().await, 200);
    let details = app.fails(disable(), 400, "VALIDATION_ERROR").await;
    assert_eq!(details["field"], "mfa");
    let regenerate = ann.person.bearer(Method::POST, "/auth/mfa/backup-codes/regenerate");
    assert_eq!(app.fails(regenerate, 400, "VALIDATION_ERROR").await["field"], "mfa");
    // It can be turned on again, with another secret.
    let again = WithApp::of(&ann.person).await;
    assert_ne!(again.secret, ann.secret);
}

#[tokio::test]
async fn nothing_of_an_app_can_be_read_in_the_store() {
    let app = TestApp::start_with(Setup::default()).await;
    let ann = WithApp::of(&app.user("ann").await).await;
    let raw = totp_rs::Secret::try_from_base32(&ann.secret).unwrap();
    let (secret, code) = (ann.secret.clone(), ann.recovery_codes[0].clone());
    let dir = app.stop().await;
    let store = std::fs::read(dir.path().join("auth.redb")).unwrap();
    let has = |needle: &[u8]| store.windows(needle.len()).any(|window| window == needle);
    assert!(has(b"mfa.enabled"), "the trail is in the file");
    assert!(!has(raw.as_bytes()) && !has(secret.as_bytes()));
    assert!(!has(code.as_bytes()) && !has(code.replace('-', "").as_bytes()));
}

#[tokio::test]
async fn a_key_does_not_change_how_its_owner_gets_in() {
    let app = TestApp::start().await;
    let ann = app.user("ann").await;
    let key = ann.key(json!({"name": "all", "unrestricted": true})).await;
    let ask = |method: Method, path: &str| app.request(method, path).header("X-API-Key", &key);
    for path in ["setup", "enable", "disable", "backup-codes/regenerate"] {
        let request = ask(Method::POST, &format!("/auth/mfa/{path}")).json(&json!({"code": "123456"}));
        let details = app.fails(request, 403, "FORBIDDEN").await;
        assert_eq!(details["permission"], "account:factors");
    }
    app.json(ask(Method::GET, "/auth/mfa/status"), 200).await;
}

#[tokio::test]
async fn no_key_takes_the_factors_or_the_password_of_its_owner() {
    let app = TestApp::start().await;
    let root = app.superuser("root").await;
    let key = root.key(json!({"name": "all", "unrestricted": true})).await;
    let root = WithApp::of(&root).await;
    for (method, path) in [(Method::DELETE, "mfa"), (Method::POST, "password-reset")] {
        let path = format!("/users/{}/{path}", root.person.id());
        app.fails(app.request(method, &path).header("X-API-Key", &key), 403, "FORBIDDEN").await;
    }
    let ann = WithApp::of(&app.user("ann").await).await;
    let path = format!("/users/{}/mfa", ann.person.id());
    app.done(app.request(Method::DELETE, &path).header("X-API-Key", &key)).await;
}

#[tokio::test]
async fn another_app_proves_nothing_about_who_sets_it_up() {
    let app = TestApp::start().await;
    let ann = WithApp::of(&app.user("ann").await).await;
    let before = crate::support::jwt::claims(&ann.person.tokens.access)["auth_time"].clone();
    app.clock.advance_secs(100);
    let again = WithApp::of(&ann.person).await;
    assert_eq!(crate::support::jwt::claims(&again.person.tokens.access)["auth_time"], before);
}

#[tokio::test]
async fn an_administrator_takes_lost_factors_away_but_not_of_those_who_hold_more() {
    let app = TestApp::start().await;
    let (root, ann) = (app.superuser("root").await, WithApp::of(&app.user("ann").await).await);
    let reset = |who: &crate::support::Person, id: u64| {
        who.bearer(Method::DELETE, &format!("/users/{id}/mfa")).build().unwrap()
    };
    let send = |request| app.client.execute(request);
    let support = json!({"name": "support", "permissions": ["users:factors"]});
    app.json(root.bearer(Method::POST, "/roles").json(&support), 201).await;
    let bob = app.user("bob").await;
    let roles = root.bearer(Method::PUT, &format!("/users/{}/roles", bob.id()));
    app.json(roles.json(&json!({"roles": ["support"]})), 200).await;
    let root_with_app = WithApp::of(&root).await;
    let answer = send(reset(&bob, root_with_app.person.id())).await.unwrap();
    app.failure(Method::DELETE, answer, 403, "FORBIDDEN").await;
    assert_eq!(send(reset(&bob, ann.person.id())).await.unwrap().status(), 204);
    assert_eq!(app.log_in("ann", PASSWORD).await.status().await, 200);
    let answer = send(reset(&bob, ann.person.id())).await.unwrap();
    assert_eq!(app.failure(Method::DELETE, answer, 400, "VALIDATION_ERROR").await["field"], "id");
    let answer = send(reset(&bob, 999)).await.unwrap();
    app.failure(Method::DELETE, answer, 404, "NOT_FOUND").await;
}

#[tokio::test]
async fn what_happens_to_factors_is_in_the_trail() {
    let app = TestApp::start().await;
    let ann = WithApp::of(&app.user("ann").await).await;
    let token = ann.ask().await;
    ann.verify_fails(&token, &ann.wrong_code(), "INVALID_MFA_CODE").await;
    assert_eq!(ann.verify(&token, &ann.recovery_codes[0]).await.status(), 200);
    app.clock.advance_secs(STEP);
    let activity = app.json(ann.person.bearer(Method::GET, "/auth/me/activity?limit=200"), 200).await;
    let actions: Vec<_> =
        activity["items"].as_array().unwrap().iter().map(|event| event["action"].as_str().unwrap()).collect();
    for action in [
        "mfa.setup_started",
        "mfa.enabled",
        "session.mfa_asked",
        "session.refused",
        "mfa.recovery_code_used",
        "session.reauthenticated",
    ] {
        assert!(actions.contains(&action), "{action} is not in {actions:?}");
    }
    let text = activity.to_string();
    assert!(!text.contains(&ann.secret) && !text.contains(&ann.recovery_codes[0]) && !text.contains(&token));
}
