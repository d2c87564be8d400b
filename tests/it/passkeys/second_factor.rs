//! Passkeys after a password, and to prove again who one is.
use reqwest::{Method, Response};
use serde_json::{Value, json};

use super::{asked_for_login, device, events, listed, log_in, logged_in, refusal_of, register};
use crate::mfa::WithApp;
use crate::support::{Authenticator, PASSWORD, Person, TestApp, Tokens, jwt, set_cookie};

const AGAIN_REFUSED: &str = "session.reauthentication_refused";

/// Somebody whose password asks for a passkey, too.
pub(super) async fn with_passkey<'a>(app: &'a TestApp, name: &str, device: &mut Authenticator) -> Person<'a> {
    register(&app.user(name).await, device).await;
    let person = logged_in(app, device).await;
    let enable = person.bearer(Method::POST, "/auth/mfa/enable").json(&json!({"method": "passkey"}));
    let answer = enable.send().await.unwrap();
    assert_eq!(answer.status(), 200, "{}", answer.text().await.unwrap());
    app.person(Tokens::from(answer).await)
}

/// What a password alone comes to.
async fn password_alone(app: &TestApp, name: &str) -> Value {
    let answer = app.post("/auth/token", &json!({"username": name, "password": PASSWORD})).await;
    app.failure(Method::POST, answer, 401, "MFA_REQUIRED").await
}

async fn asked(app: &TestApp, lacking: &Value) -> Value {
    app.json(
        app.request(Method::POST, "/auth/mfa/passkey/start")
            .json(&json!({"mfa_token": lacking["mfa_token"]})),
        200,
    )
    .await
}

async fn verify(app: &TestApp, lacking: &Value, asked: &Value, credential: &Value) -> Response {
    let passkey = json!({"challenge_id": asked["challenge_id"], "credential": credential});
    app.post("/auth/mfa/verify", &json!({"mfa_token": lacking["mfa_token"], "passkey": passkey})).await
}

#[tokio::test]
async fn a_passkey_alone_asks_nothing_more_of_a_password() {
    let app = TestApp::start().await;
    register(&app.user("ann").await, &mut device(&app)).await;
    app.log_in("ann", PASSWORD).await;
}

#[tokio::test]
async fn a_password_and_then_a_passkey_make_a_session_that_says_so() {
    let app = TestApp::start().await;
    let mut device = device(&app);
    with_passkey(&app, "ann", &mut device).await;
    let lacking = password_alone(&app, "ann").await;
    assert_eq!(lacking["methods"], json!(["passkey", "recovery_code"]));
    let asked = asked(&app, &lacking).await;
    assert_eq!(asked["options"]["allowCredentials"].as_array().unwrap().len(), 1);
    let credential = device.get(&asked["options"]);
    let answer = verify(&app, &lacking, &asked, &credential).await;
    let ann = app.person(Tokens::from(answer).await);
    assert_eq!(jwt::claims(&ann.tokens.access)["amr"], json!(["pwd", "pop", "mfa"]));
    assert_eq!(listed(&ann).await[0]["last_used_at"], "2027-01-15T08:00:00Z");
    // Once for the login that turned it on, and once for this one.
    let used = events(&app, "passkey.used").await;
    let whose: Vec<_> = used.iter().map(|event| event.subject.as_ref().unwrap().name.as_str()).collect();
    assert_eq!(whose, ["ann", "ann"]);
    assert!(used[1].details.iter().any(|(name, value)| name == "name" && value == "Laptop"));
    // The login is done, and the answer with it.
    let answer = verify(&app, &lacking, &asked, &credential).await;
    app.failure(Method::POST, answer, 401, "INVALID_TOKEN").await;
    let request = app.request(Method::POST, "/auth/mfa/passkey/start");
    let request = request.json(&json!({"mfa_token": lacking["mfa_token"]}));
    app.fails(request, 401, "INVALID_TOKEN").await;
}

#[tokio::test]
async fn beside_an_app_either_will_do() {
    let app = TestApp::start().await;
    let ann = WithApp::of(&app.user("ann").await).await;
    let mut device = device(&app);
    register(&ann.person, &mut device).await;
    let lacking = password_alone(&app, "ann").await;
    assert_eq!(lacking["methods"], json!(["totp", "passkey", "recovery_code"]));
    let asked = asked(&app, &lacking).await;
    let both = json!({
        "mfa_token": lacking["mfa_token"],
        "code": "123456",
        "passkey": {"challenge_id": "x", "credential": {}},
    });
    app.refuses(app.request(Method::POST, "/auth/mfa/verify").json(&both), "passkey").await;
    let neither = json!({"mfa_token": lacking["mfa_token"]});
    app.refuses(app.request(Method::POST, "/auth/mfa/verify").json(&neither), "code").await;
    let credential = device.get(&asked["options"]);
    assert_eq!(verify(&app, &lacking, &asked, &credential).await.status(), 200);
}

#[tokio::test]
async fn an_answer_for_another_login_or_of_another_user_finishes_none() {
    let app = TestApp::start().await;
    let (mut anns, mut bobs) = (device(&app), device(&app));
    with_passkey(&app, "ann", &mut anns).await;
    with_passkey(&app, "bob", &mut bobs).await;
    let (first, second) = (password_alone(&app, "ann").await, password_alone(&app, "ann").await);
    let theirs = password_alone(&app, "bob").await;
    let refused = async |asked: &Value, credential: &Value| {
        let body = json!({
            "mfa_token": first["mfa_token"],
            "passkey": {"challenge_id": asked["challenge_id"], "credential": credential},
        });
        app.refuses(app.request(Method::POST, "/auth/mfa/verify").json(&body), "challenge_id").await;
    };
    // A challenge for another login of the same user, for that of another, and for a whole login.
    for other in [asked(&app, &second).await, asked_for_login(&app).await] {
        refused(&other, &anns.get(&other["options"])).await;
    }
    let other = asked(&app, &theirs).await;
    refused(&other, &bobs.get(&other["options"])).await;
    // The right challenge, answered by somebody else, and for another origin.
    let right = asked(&app, &first).await;
    let mut for_bob = right["options"].clone();
    for_bob["allowCredentials"] = json!([]);
    let answer = verify(&app, &first, &right, &bobs.get(&for_bob)).await;
    app.failure(Method::POST, answer, 401, "INVALID_MFA_CODE").await;
    let origin = std::mem::replace(&mut anns.origin, "https://evil.example".to_owned());
    let answer = verify(&app, &first, &right, &anns.get(&right["options"])).await;
    app.failure(Method::POST, answer, 401, "INVALID_MFA_CODE").await;
    anns.origin = origin;
    assert_eq!(verify(&app, &first, &right, &anns.get(&right["options"])).await.status(), 200);
    // What was good for one login is good for no other.
    let again = asked(&app, &second).await;
    let credential = anns.get(&again["options"]);
    assert_eq!(verify(&app, &second, &again, &credential).await.status(), 200);
    let third = password_alone(&app, "ann").await;
    let body = json!({
        "mfa_token": third["mfa_token"],
        "passkey": {"challenge_id": again["challenge_id"], "credential": credential},
    });
    app.refuses(app.request(Method::POST, "/auth/mfa/verify").json(&body), "challenge_id").await;
}

#[tokio::test]
async fn ten_wrong_answers_end_a_login() {
    let app = TestApp::start().await;
    let (mut anns, mut evil) = (device(&app), device(&app));
    with_passkey(&app, "ann", &mut anns).await;
    register(&app.user("eve").await, &mut evil).await;
    let lacking = password_alone(&app, "ann").await;
    let right = asked(&app, &lacking).await;
    let mut open = right["options"].clone();
    open["allowCredentials"] = json!([]);
    for _ in 0..10 {
        let answer = verify(&app, &lacking, &right, &evil.get(&open)).await;
        app.failure(Method::POST, answer, 401, "INVALID_MFA_CODE").await;
    }
    let answer = verify(&app, &lacking, &right, &anns.get(&right["options"])).await;
    app.failure(Method::POST, answer, 401, "INVALID_TOKEN").await;
}

#[tokio::test]
async fn a_passkey_proves_again_who_it_is() {
    let app = TestApp::start().await;
    let mut device = device(&app);
    let ann = app.user("ann").await;
    register(&ann, &mut device).await;
    let other = app.log_in("ann", PASSWORD).await;
    app.clock.advance_secs(899);
    let ann = ann.refreshed().await;
    let other = other.refreshed().await;
    app.clock.advance_secs(2);
    let start = || ann.bearer(Method::POST, "/auth/passkeys/register/start").json(&json!({}));
    let details = app.fails(start(), 403, "REAUTHENTICATION_REQUIRED").await;
    assert_eq!(details["methods"], json!(["password", "passkey"]));
    let path = "/auth/reauthenticate/passkey/start";
    let asked = app.json(ann.bearer(Method::POST, path), 200).await;
    let credential = device.get(&asked["options"]);
    let passkey = json!({"challenge_id": asked["challenge_id"], "credential": credential});
    let prove =
        |who: &Person| who.bearer(Method::POST, "/auth/reauthenticate").json(&json!({"passkey": passkey}));
    // Not in another session of the same user.
    app.refuses(prove(&other), "challenge_id").await;
    assert_eq!(refusal_of(&app, AGAIN_REFUSED).await, "passkey_challenge");
    let answer = prove(&ann).send().await.unwrap();
    assert_eq!(answer.status(), 200);
    let proven = app.person(Tokens::from(answer).await);
    assert_eq!(jwt::claims(&proven.tokens.access)["amr"], json!(["pwd", "pop", "mfa"]));
    app.json(proven.bearer(Method::POST, "/auth/passkeys/register/start").json(&json!({})), 200).await;
    app.refuses(prove(&proven), "challenge_id").await;
    assert_eq!(refusal_of(&app, AGAIN_REFUSED).await, "passkey_challenge_used");
    assert!(events(&app, "session.refused").await.is_empty(), "nobody tried to log in");
    let used = events(&app, "passkey.used").await;
    assert_eq!((used.len(), used[0].actor.name.as_str()), (1, "ann"));
}

#[tokio::test]
async fn the_passkey_of_somebody_else_proves_nothing() {
    let app = TestApp::start().await;
    let (mut anns, mut evil) = (device(&app), device(&app));
    let ann = app.user("ann").await;
    register(&ann, &mut anns).await;
    let eve = app.user("eve").await;
    register(&eve, &mut evil).await;
    let mut asked = app.json(ann.bearer(Method::POST, "/auth/reauthenticate/passkey/start"), 200).await;
    asked["options"]["allowCredentials"] = json!([]);
    let credential = evil.get(&asked["options"]);
    let passkey = json!({"challenge_id": asked["challenge_id"], "credential": credential});
    let request = ann.bearer(Method::POST, "/auth/reauthenticate").json(&json!({"passkey": passkey}));
    app.fails(request, 401, "INVALID_CREDENTIALS").await;
    let refused = events(&app, AGAIN_REFUSED).await.pop().unwrap();
    assert_eq!((refused.actor.name.as_str(), events(&app, "session.refused").await.len()), ("ann", 0));
    let nobody = app.user("bob").await;
    let request = nobody.bearer(Method::POST, "/auth/reauthenticate/passkey/start");
    app.fails(request, 404, "NOT_FOUND").await;
}

#[tokio::test]
async fn the_passkey_that_a_password_asks_for_stays() {
    let app = TestApp::start().await;
    let mut device = device(&app);
    let ann = with_passkey(&app, "ann", &mut device).await;
    let first = listed(&ann).await.pop().unwrap();
    let path = format!("/auth/passkeys/{}", first["id"].as_str().unwrap());
    let reason = app.refuses(ann.bearer(Method::DELETE, &path), "id").await;
    assert!(reason.starts_with("is the second factor of this account"), "{reason}");
    register(&ann, &mut device).await;
    app.done(ann.bearer(Method::DELETE, &path)).await;
    device.keys.remove(0);
    assert_eq!(log_in(&app, &mut device).await.status(), 200);
}

#[tokio::test]
async fn a_device_can_be_trusted_when_it_has_shown_a_passkey() {
    let app = TestApp::start().await;
    let mut device = device(&app);
    with_passkey(&app, "ann", &mut device).await;
    let asked = asked_for_login(&app).await;
    let body = |days: u32, credential: Value| {
        let challenge = &asked["challenge_id"];
        json!({"challenge_id": challenge, "credential": credential, "trust_device_days": days})
    };
    let finish = |body: Value| app.request(Method::POST, "/auth/passkeys/login/finish").json(&body);
    app.refuses(finish(body(31, device.get(&asked["options"]))), "trust_device_days").await;
    let answer = finish(body(7, device.get(&asked["options"]))).send().await.unwrap();
    assert_eq!(answer.status(), 200);
    assert!(set_cookie(answer.headers(), "known_device_cookie").contains("HttpOnly"));
    let cookie = set_cookie(answer.headers(), "trusted_device_cookie");
    assert!(cookie.contains("Max-Age=604800") && cookie.contains("HttpOnly"), "{cookie}");
    let with_password = || {
        let body = json!({"username": "ann", "password": PASSWORD});
        let request = app.request(Method::POST, "/auth/token").json(&body);
        request.header("Cookie", cookie.split(';').next().unwrap()).send()
    };
    assert_eq!(with_password().await.unwrap().status(), 200);
    app.clock.advance_secs(604_801);
    assert_eq!(with_password().await.unwrap().status(), 401);
    assert_eq!(events(&app, "mfa.device_trusted").await.len(), 1);
}
