//! The ways in: all of them known, none that is weaker than the others, none that somebody else's page can walk.
use futures_util::future::join_all;
use reqwest::header::{CONTENT_TYPE, SET_COOKIE};
use reqwest::{Method, RequestBuilder, Response};
use serde_json::{Value, json};

use super::giving_tokens;
use crate::mail::{Mail, mails, with_mail};
use crate::support::{PASSWORD, Setup, TestApp, Tokens, jwt};

const FORM: &str = "application/x-www-form-urlencoded";
const ANN: &str = "ann@example.com";

fn post(app: &TestApp, path: &str, body: &Value) -> RequestBuilder {
    app.request(Method::POST, path).json(body)
}

fn guess(app: &TestApp, name: &str, password: &str) -> RequestBuilder {
    post(app, "/auth/token", &json!({"username": name, "password": password}))
}

/// The mail by which somebody signs in.
async fn sign_in_mail(app: &TestApp, email: &str) -> Mail {
    mails(app).await;
    let answer = app.post("/auth/email-login/start", &json!({"email": email})).await;
    assert_eq!(answer.status(), 202);
    let found = mails(app).await.into_iter().find(|mail| mail.to == email);
    found.unwrap()
}

fn code(mail: &Mail) -> String {
    let is_code = |line: &&str| line.len() == 8 && line.bytes().all(|byte| byte.is_ascii_digit());
    mail.text.lines().find(is_code).unwrap().to_owned()
}

#[tokio::test]
async fn nobody_has_an_account_before_somebody_has_made_it() {
    let app = TestApp::start().await;
    for name in
        ["admin", "root", "administrator", "superuser", "user", "test", "guest", "auth-service", "host"]
    {
        for password in [name, "admin", "password", "changeme", ""] {
            app.fails(guess(&app, name, password), 401, "INVALID_CREDENTIALS").await;
            app.clock.advance_secs(60);
        }
    }
    let users = || {
        let findings = app.app.store.verify(&auth_service::app::CHECKS.concat()).unwrap();
        findings.tables.get("user").copied().unwrap_or_default()
    };
    assert_eq!(users(), 0);
    // Nor does the first one who comes get more than others.
    let first = app.user("first").await;
    assert_eq!(users(), 1);
    assert_eq!(jwt::claims(&first.tokens.access)["roles"], json!(["user"]));
    app.fails(first.bearer(Method::GET, "/users"), 403, "FORBIDDEN").await;
}

#[tokio::test]
async fn a_hundred_wrong_guesses_from_one_place_keep_nobody_out_elsewhere() {
    let app = Setup::default().with("trusted_proxies", "127.0.0.0/8").start().await;
    app.register("ann").await;
    let from =
        |address: &str, password: &str| guess(&app, "ann", password).header("X-Forwarded-For", address);
    let all = (0..100).map(|n| from("203.0.113.7", &format!("wrong horse {n}")).send());
    let statuses: Vec<_> =
        join_all(all).await.into_iter().map(|one| one.unwrap().status().as_u16()).collect();
    let count = |wanted: u16| statuses.iter().filter(|status| **status == wanted).count();
    assert_eq!((count(401), count(429)), (10, 90), "{statuses:?}");
    app.json(from("198.51.100.7", PASSWORD), 200).await;
    app.fails(from("203.0.113.7", PASSWORD), 429, "TOO_MANY_ATTEMPTS").await;
}

/// Checks that a first factor came to nothing more than a question for the second.
async fn asks_for_more(app: &TestApp, request: RequestBuilder) {
    let answer = request.send().await.unwrap();
    assert_eq!(answer.headers().get_all(SET_COOKIE).iter().count(), 0, "{}", answer.url());
    let details = app.failure(Method::POST, answer, 401, "MFA_REQUIRED").await;
    assert!(details["mfa_token"].as_str().unwrap().starts_with("asl_"), "{details}");
}

#[tokio::test]
async fn no_way_in_passes_by_the_second_factor() {
    let app = with_mail().with("mail.sign_in", "true").start().await;
    let ann = app.user("ann").await;
    let id = ann.id();
    crate::mfa::with_app(&ann).await;
    let mut walked = vec!["verify_mfa", "finish_passkey_login"];
    let body = json!({"username": "ann", "password": PASSWORD});
    for (path, operation) in [("/auth/token", "log_in"), ("/auth/login", "log_in_alias")] {
        asks_for_more(&app, post(&app, path, &body)).await;
        let form = app.request(Method::POST, path).header(CONTENT_TYPE, FORM);
        let text = format!("grant_type=password&username=ann&password={}", PASSWORD.replace(' ', "+"));
        asks_for_more(&app, form.body(text)).await;
        walked.push(operation);
    }
    let finish = |body: &Value| post(&app, "/auth/email-login/finish", body);
    let link = sign_in_mail(&app, ANN).await.token("asm_");
    asks_for_more(&app, finish(&json!({"token": link}))).await;
    let code = code(&sign_in_mail(&app, ANN).await);
    asks_for_more(&app, finish(&json!({"email": ANN, "code": code}))).await;
    walked.push("finish_email_login");
    // What the host hands out stands for both, and the session says so.
    let (token, _) = app.app.recoveries.start(auth_service::rbac::Initiator::host(), id).await.unwrap();
    let recovered = app.post("/auth/recover", &json!({"token": token.expose()})).await;
    let claims = jwt::claims(&Tokens::from(recovered).await.access);
    assert_eq!((&claims["amr"], &claims["acr"]), (&json!(["host", "mfa"]), &json!("aal2")));
    walked.push("recover_account");
    // The others go on with a session that is there.
    walked.extend(["refresh_token", "reauthenticate_session", "enable_mfa"]);
    // A code for a client comes of a session, too, or a client asks for itself.
    walked.push("oauth_token");
    let all: Vec<_> = giving_tokens(&app).iter().map(|operation| operation.id.to_owned()).collect();
    for id in &all {
        assert!(walked.contains(&id.as_str()), "{id} is a way in that this test does not know");
    }
    assert_eq!(all.len(), walked.len(), "{all:?}");
}

#[tokio::test]
async fn no_page_of_somebody_else_begins_a_session_or_renews_one() {
    let app = with_mail().with("mail.sign_in", "true").start().await;
    let ann = app.user("ann").await;
    let link = sign_in_mail(&app, ANN).await.token("asm_");
    let good = json!({"username": "ann", "password": PASSWORD, "token": link, "code": "123456"});
    let all = giving_tokens(&app);
    assert!(all.len() >= 9, "the walk has lost its way");
    // Where clients prove who they are, no cookie says anything.
    for operation in all.iter().filter(|operation| !operation.is_of_protocol()) {
        let request = || {
            let request = match operation.id {
                "refresh_token" => ann.refresh_request(),
                _ if operation.is_public() => app.request(operation.method.clone(), &operation.path),
                _ => ann.page(operation.method.clone(), &operation.path),
            };
            request.json(&good)
        };
        for (name, value) in
            [("Origin", "http://evil.example"), ("Origin", "null"), ("Sec-Fetch-Site", "cross-site")]
        {
            let answer: Response = request().header(name, value).send().await.unwrap();
            assert_eq!(answer.headers().get_all(SET_COOKIE).iter().count(), 0, "{}", operation.id);
            app.failure(operation.method.clone(), answer, 403, "CSRF_FAILED").await;
        }
    }
    // Nothing of it was used up.
    app.json(post(&app, "/auth/email-login/finish", &json!({"token": link})), 200).await;
}

#[tokio::test]
async fn a_mailed_code_is_good_for_the_address_alone_that_it_was_mailed_to() {
    let app = with_mail().with("mail.sign_in", "true").start().await;
    app.register("ann").await;
    app.register("bob").await;
    let of_ann = code(&sign_in_mail(&app, ANN).await);
    let of_bob = code(&sign_in_mail(&app, "bob@example.com").await);
    assert_ne!(of_ann, of_bob);
    let finish = |email: &str, code: &str| {
        post(&app, "/auth/email-login/finish", &json!({"email": email, "code": code}))
    };
    app.refuses(finish("bob@example.com", &of_ann), "code").await;
    app.refuses(finish(ANN, &of_bob), "code").await;
    app.json(finish(ANN, &of_ann), 200).await;
    app.json(finish("bob@example.com", &of_bob), 200).await;
}

#[tokio::test]
async fn nobody_vouches_for_whoever_was_switched_off() {
    let app = TestApp::start().await;
    let (root, ann) = (app.superuser("root").await, app.user("ann").await);
    let key = ann.key(json!({"name": "x", "permissions": ["account:read"]})).await;
    let asked = |shown: Value| {
        let mut body = json!({"permissions": ["account:read"]});
        let (name, value) = shown.as_object().unwrap().iter().next().unwrap();
        body[name] = value.clone();
        root.bearer(Method::POST, "/auth/check").json(&body)
    };
    let shown = [json!({"token": ann.tokens.access}), json!({"key": key}), json!({"subject": "2"})];
    for (is_active, allowed) in [(true, true), (false, false), (true, false)] {
        let body = json!({"is_active": is_active});
        app.json(root.bearer(Method::PATCH, &format!("/users/{}", ann.id())).json(&body), 200).await;
        let by_session = app.json(asked(shown[0].clone()), 200).await;
        assert_eq!(by_session["allowed"], allowed, "a session stays ended");
        // A key is its owner's: it sleeps while the owner does.
        for other in &shown[1..] {
            assert_eq!(app.json(asked(other.clone()), 200).await["allowed"], is_active, "{other}");
        }
        let body = json!({"key": key, "permissions": ["account:read"]});
        let verified = app.json(root.bearer(Method::POST, "/auth/api-keys/verify").json(&body), 200).await;
        assert_eq!(verified["valid"], is_active, "{verified}");
    }
}
