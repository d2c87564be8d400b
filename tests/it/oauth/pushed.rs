//! Requests that clients push (RFC 9126).
use auth_service::crypto::Algorithm;
use futures_util::future::join_all;
use reqwest::{Method, Response};
use serde_json::{Value, json};

use super::support::signer::proving;
use super::{Browser, CALLBACK, Fields, Party, Signer, is_refused, issuer};
use crate::support::{Setup, TestApp};

/// Pushes a request, and gives the reference.
async fn pushed(party: &Party<'_>, asked: Fields) -> String {
    reference(push(party, asked).await).await
}

async fn push(party: &Party<'_>, asked: Fields) -> Response {
    // A client that proves it in the header need not say its name again.
    party.request("/oauth2/par", asked.without("client_id")).send().await.unwrap()
}

async fn reference(answer: Response) -> String {
    let (status, kept) = (answer.status().as_u16(), answer.headers()["cache-control"].clone());
    let body: Value = serde_json::from_str(&answer.text().await.unwrap()).unwrap();
    assert_eq!((status, kept.to_str().unwrap()), (201, "no-store"), "{body}");
    assert_eq!((&body["expires_in"], body.as_object().unwrap().len()), (&json!(60), 2));
    let uri = body["request_uri"].as_str().unwrap();
    let random = uri.strip_prefix("urn:ietf:params:oauth:request_uri:").expect("RFC 9126 section 2.2");
    assert!(random.len() >= 43, "{uri}");
    uri.to_owned()
}

/// Where a browser goes with a reference.
fn by_reference(client: &str, uri: &str) -> Fields {
    Fields(Vec::new()).with("client_id", client).with("request_uri", uri)
}

async fn three(app: &TestApp) -> (Party<'_>, Party<'_>) {
    let root = app.superuser("root").await;
    app.register("ann").await;
    (Party::ours(&root).await, Party::ours(&root).await)
}

#[tokio::test]
async fn a_request_that_was_pushed_gives_a_code_by_its_reference() {
    let app = TestApp::start().await;
    let (photos, _) = three(&app).await;
    let uri = pushed(&photos, photos.asks()).await;
    // What stands beside the reference counts for nothing.
    let asked = by_reference(&photos.id, &uri)
        .with("scope", "openid")
        .with("state", "another")
        .with("redirect_uri", "https://evil.example/");
    let code = photos.answer(&mut Browser::new(&app), &asked, "ann").await["code"].clone();
    let tokens = photos.tokens(photos.redeems(&code)).await;
    assert_eq!(tokens["scope"], "openid profile email");
}

#[tokio::test]
async fn a_reference_is_good_for_one_answer_and_survives_that_a_page_is_loaded_anew() {
    let app = TestApp::start().await;
    let root = app.superuser("root").await;
    app.register("ann").await;
    // Ann is asked, on two pages.
    let photos = Party::register(&root, json!({})).await;
    let uri = pushed(&photos, photos.asks()).await;
    let asked = by_reference(&photos.id, &uri);
    let mut browser = Browser::new(&app);
    let mut page = browser.open(&asked.path()).await;
    for _ in 0..2 {
        page = browser.open(&asked.path()).await;
        assert!(page.has_form("sign-in") && page.text.contains("Photo album"), "{}", page.text);
    }
    // Longer than a browser may take to come with it, and less than its user may take.
    app.clock.advance_secs(600);
    let page = browser.sign_in(&page, "ann").await;
    assert!(page.has_form("consent"), "{}", page.text);
    let page = browser.agree(&page).await;
    let code = photos.checked(&page)["code"].clone();
    browser.open(&asked.path()).await.is_error_page("request_uri");
    photos.tokens(photos.redeems(&code)).await;
    browser.open(&asked.path()).await.is_error_page("request_uri");
}

#[tokio::test]
async fn a_refusal_is_an_answer_too() {
    let app = TestApp::start().await;
    let root = app.superuser("root").await;
    app.register("ann").await;
    let photos = Party::register(&root, json!({})).await;
    let mut browser = Browser::new(&app);
    let asked = by_reference(&photos.id, &pushed(&photos, photos.asks().with("prompt", "none")).await);
    assert_eq!(photos.checked(&browser.open(&asked.path()).await)["error"], "login_required");
    browser.open(&asked.path()).await.is_error_page("request_uri");
    let asked = by_reference(&photos.id, &pushed(&photos, photos.asks()).await);
    let page = browser.open(&asked.path()).await;
    let page = browser.sign_in(&page, "ann").await;
    let page = browser.submit(&page, "consent", &[("answer", "no")]).await;
    assert_eq!(photos.checked(&page)["error"], "access_denied");
    browser.open(&asked.path()).await.is_error_page("request_uri");
}

#[tokio::test]
async fn of_sixteen_browsers_with_one_reference_one_gets_a_code() {
    let app = TestApp::start().await;
    let (photos, _) = three(&app).await;
    let mut browser = Browser::new(&app);
    photos.log_in(&mut browser, "ann").await;
    let asked = by_reference(&photos.id, &pushed(&photos, photos.asks()).await);
    let cookies: Vec<_> =
        browser.cookies.iter().map(|(name, (_, value))| format!("{name}={value}")).collect();
    let path = asked.path();
    let tries = (0..16).map(|_| app.request(Method::GET, &path).header("Cookie", cookies.join("; ")).send());
    let answers = join_all(tries).await;
    let leads = |answer: &&Result<Response, _>| answer.as_ref().unwrap().status() == 303;
    assert_eq!(answers.iter().filter(leads).count(), 1);
}

#[tokio::test]
async fn a_reference_is_over_after_a_minute_unless_a_browser_has_come() {
    let app = TestApp::start().await;
    let (photos, _) = three(&app).await;
    let (young, old) = (pushed(&photos, photos.asks()).await, pushed(&photos, photos.asks()).await);
    let mut browser = Browser::new(&app);
    app.clock.advance_secs(59);
    let page = browser.open(&by_reference(&photos.id, &young).path()).await;
    app.clock.advance_secs(1);
    browser.open(&by_reference(&photos.id, &old).path()).await.is_error_page("request_uri");
    app.clock.advance_secs(3598);
    assert!(browser.open(&by_reference(&photos.id, &young).path()).await.has_form("sign-in"));
    app.clock.advance_secs(1);
    browser.sign_in(&page, "ann").await.is_error_page("request_uri");
    app.app.tend().await;
    let findings = app.app.store.verify(&auth_service::app::CHECKS.concat()).unwrap();
    assert_eq!((findings.tables["oauth.pushed"], findings.problem_count), (0, 0));
}

#[tokio::test]
async fn a_reference_is_its_clients_alone_and_cannot_be_guessed() {
    let app = TestApp::start().await;
    let (photos, other) = three(&app).await;
    let uri = pushed(&photos, photos.asks()).await;
    let mut browser = Browser::new(&app);
    let (short, long) = (uri[..uri.len() - 1].to_owned(), format!("{uri}0"));
    for asked in [
        by_reference(&other.id, &uri),
        by_reference(&photos.id, &uri).without("client_id"),
        by_reference("nobody", &uri),
        by_reference(&photos.id, &short),
        by_reference(&photos.id, &long),
        by_reference(&photos.id, "urn:ietf:params:oauth:request_uri:"),
        by_reference(&photos.id, &uri).and("client_id", &photos.id),
        by_reference(&photos.id, &uri).and("request_uri", &uri),
    ] {
        let page = browser.open(&asked.path()).await;
        assert_eq!((page.status, page.location()), (400, None), "{}", asked.text());
    }
    // Two references are never the same, and the store has none.
    assert_ne!(uri, pushed(&photos, photos.asks()).await);
    assert!(browser.open(&by_reference(&photos.id, &uri).path()).await.has_form("sign-in"));
    let store = std::fs::read(app.stop().await.path().join("auth.redb")).unwrap();
    let random = uri.rsplit_once(':').unwrap().1.as_bytes();
    assert!(!store.windows(random.len()).any(|part| part == random));
}

/// RFC 9126 section 2.1: as it would be at the authorization endpoint.
#[tokio::test]
async fn what_is_wrong_with_a_request_is_said_when_it_is_pushed() {
    let app = TestApp::start().await;
    let (photos, _) = three(&app).await;
    let asked = || photos.asks();
    for (asked, error) in [
        (asked().with("request_uri", "urn:ietf:params:oauth:request_uri:x"), "invalid_request"),
        (asked().with("request_uri", "https://photos.example/r"), "invalid_request"),
        (asked().without("redirect_uri"), "invalid_request"),
        (asked().with("redirect_uri", "https://evil.example/"), "invalid_request"),
        (asked().without("response_type"), "invalid_request"),
        (asked().with("response_type", "token"), "unsupported_response_type"),
        (asked().with("response_type", "code id_token"), "unsupported_response_type"),
        (asked().without("code_challenge"), "invalid_request"),
        (asked().with("code_challenge_method", "plain"), "invalid_request"),
        (asked().with("scope", "nothing"), "invalid_scope"),
        (asked().with("resource", "https://elsewhere.example/"), "invalid_target"),
        (asked().with("prompt", "none login"), "invalid_request"),
        (asked().and("nonce", "n-2"), "invalid_request"),
        (asked().with("request", "eyJhbGciOiJub25lIn0.e30."), "request_not_supported"),
        (asked().with("request", "x"), "invalid_request_object"),
        (asked().with("more", &"x".repeat(70_000)), "invalid_request"),
    ] {
        is_refused(push(&photos, asked.clone()).await, 400, error).await;
    }
    // Long ones are fine.
    pushed(&photos, asked().with("state", &"s".repeat(2000)).with("nonce", &"n".repeat(64))).await;
    for method in [Method::GET, Method::PUT] {
        assert_eq!(app.request(method, "/oauth2/par").send().await.unwrap().status(), 405);
    }
}

/// RFC 9126 section 2: as at the token endpoint.
#[tokio::test]
async fn who_pushes_has_proven_who_it_is() {
    let app = TestApp::start().await;
    let (photos, other) = three(&app).await;
    let bare = photos.asks().post(&app, "/oauth2/par").send().await.unwrap();
    is_refused(bare, 401, "invalid_client").await;
    let wrong = Party {
        secret: Some("wrong".into()),
        id: photos.id.clone(),
        method: photos.method.clone(),
        app: &app,
    };
    is_refused(push(&wrong, photos.asks()).await, 401, "invalid_client").await;
    let named =
        photos.request("/oauth2/par", photos.asks().with("client_id", &other.id)).send().await.unwrap();
    is_refused(named, 400, "invalid_request").await;
    let root = app.log_in("root", crate::support::PASSWORD).await;
    let public = Party::register(&root, json!({"token_endpoint_auth_method": "none"})).await;
    pushed(&public, public.asks()).await;
    // Who signs who it is, too; and what proves it is not kept with what it asks for.
    let also =
        json!({"redirect_uris": [CALLBACK], "grant_types": ["authorization_code"], "first_party": true});
    let robot = Signer::register(&root, Algorithm::Es256, also).await;
    let asked = photos.asks().with("client_id", &robot.id);
    let assertion = robot.assertion();
    let answer = proving(asked.clone(), &assertion).post(&app, "/oauth2/par").send().await.unwrap();
    let uri = reference(answer).await;
    let again = proving(asked, &assertion).post(&app, "/oauth2/par").send().await.unwrap();
    is_refused(again, 401, "invalid_client").await;
    let page = Browser::new(&app).through(&by_reference(&robot.id, &uri).path(), "ann").await;
    assert!(page.answer(CALLBACK).contains_key("code"));
    let document: Value = app.get("/.well-known/openid-configuration").await.json().await.unwrap();
    let endpoint = format!("{}/oauth2/par", issuer(&app));
    assert_eq!(document["pushed_authorization_request_endpoint"], json!(endpoint));
    assert_eq!(document["require_pushed_authorization_requests"], json!(false));
}

#[tokio::test]
async fn who_has_to_push_gets_nothing_otherwise() {
    let all = Setup::default().with("oauth.require_pushed_requests", "true").start().await;
    let one = TestApp::start().await;
    for (app, also) in [
        (&all, json!({"first_party": true})),
        (&one, json!({"first_party": true, "require_pushed_authorization_requests": true})),
    ] {
        let root = app.superuser("root").await;
        app.register("ann").await;
        let photos = Party::register(&root, also).await;
        let mut browser = Browser::new(app);
        let page = browser.open(&photos.asks().path()).await;
        assert_eq!(photos.checked(&page)["error"], "invalid_request");
        let asked = by_reference(&photos.id, &pushed(&photos, photos.asks()).await);
        assert!(photos.answer(&mut browser, &asked, "ann").await.contains_key("code"));
    }
    let document: Value = all.get("/.well-known/openid-configuration").await.json().await.unwrap();
    assert_eq!(document["require_pushed_authorization_requests"], json!(true));
}
