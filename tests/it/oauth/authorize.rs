//! The authorization endpoint: what it refuses, and where it says so (RFC 6749 section 4.1, RFC 7636, RFC 9700).
use reqwest::Method;
use serde_json::json;

use super::{Browser, CALLBACK, Fields, Party, parameters};
use crate::support::TestApp;

#[tokio::test]
async fn an_unknown_client_or_address_gets_a_page_and_no_redirect() {
    let app = TestApp::start().await;
    let root = app.superuser("root").await;
    app.register("ann").await;
    let photos = Party::ours(&root).await;
    let asked = photos.asks();
    let mut bad = vec![
        ("client_id", asked.clone().without("client_id")),
        ("client_id", asked.clone().with("client_id", "nobody")),
        ("client_id", asked.clone().with("client_id", "a b")),
        ("client_id", asked.clone().and("client_id", &photos.id)),
        ("redirect_uri", asked.clone().without("redirect_uri")),
        ("redirect_uri", asked.clone().and("redirect_uri", CALLBACK)),
        ("redirect_uri", asked.clone().and("redirect_uri", "https://evil.example/")),
    ];
    for uri in [
        "https://evil.example/cb",
        "https://photos.example/cb/",
        "https://photos.example/cb?x=1",
        "https://photos.example/cb#x",
        "https://photos.example/CB",
        "https://photos.example:443/cb",
        "https://photos.example.evil.example/cb",
        "https://photos.example/cb/../cb",
        "https://photos.example@evil.example/cb",
        "http://photos.example/cb",
        "javascript:alert(1)",
    ] {
        bad.push(("redirect_uri", asked.clone().with("redirect_uri", uri)));
    }
    let mut signed_in = Browser::new(&app);
    signed_in.through(&asked.path(), "ann").await;
    for (part, asked) in &bad {
        for prompt in ["none", "login"] {
            let path = asked.clone().with("prompt", prompt).path();
            Browser::new(&app).open(&path).await.is_error_page(part);
            signed_in.open(&path).await.is_error_page(part);
        }
    }
}

/// Checks that a request is refused with an error that goes to the client.
async fn is_refused(photos: &Party<'_>, asked: Fields, error: &str) {
    let page = Browser::new(photos.app).send(Method::GET, &asked.path(), &[]).await;
    let answer = photos.checked(&page);
    assert_eq!(answer["error"], error, "{}", asked.text());
    assert_eq!(answer.keys().collect::<Vec<_>>(), ["error", "error_description", "iss", "state"]);
    let said = &answer["error_description"];
    assert!(said.bytes().all(|b| matches!(b, 0x20..=0x7e) && b != b'"' && b != b'\\'), "{said}");
}

#[tokio::test]
async fn whatever_else_is_wrong_goes_to_the_client_with_state_and_issuer() {
    let app = TestApp::start().await;
    let root = app.superuser("root").await;
    let photos = Party::ours(&root).await;
    let asked = || photos.asks();
    for (asked, error) in [
        (asked().without("response_type"), "invalid_request"),
        (asked().with("response_type", "token"), "unsupported_response_type"),
        (asked().with("response_type", "id_token"), "unsupported_response_type"),
        (asked().with("response_type", "code id_token"), "unsupported_response_type"),
        (asked().with("response_mode", "web_message"), "invalid_request"),
        (asked().and("scope", "openid"), "invalid_request"),
        (asked().and("nonce", "n-2"), "invalid_request"),
        (asked().with("scope", "op\"enid"), "invalid_scope"),
        (asked().with("scope", "unheard-of"), "invalid_scope"),
        (asked().with("prompt", "none login"), "invalid_request"),
        (asked().with("prompt", "dance"), "invalid_request"),
        (asked().with("max_age", "-1"), "invalid_request"),
        (asked().with("max_age", "soon"), "invalid_request"),
        (asked().with("claims", "[]"), "invalid_request"),
        (asked().with("resource", "https://api.example/"), "invalid_target"),
        (asked().with("request", "eyJhbGciOiJub25lIn0.e30."), "request_not_supported"),
        (asked().with("request_uri", "https://photos.example/r"), "request_uri_not_supported"),
        (asked().with("registration", "{}"), "registration_not_supported"),
        (asked().with("nonce", &"n".repeat(2049)), "invalid_request"),
        (asked().with("prompt", "none"), "login_required"),
    ] {
        is_refused(&photos, asked, error).await;
    }
    let also = json!({"grant_types": ["client_credentials"]});
    let machine = Party::register(&root, also).await;
    is_refused(&machine, machine.asks(), "unauthorized_client").await;
}

#[tokio::test]
async fn a_code_is_bound_to_a_challenge_of_sha_256() {
    let app = TestApp::start().await;
    let root = app.superuser("root").await;
    let asked = |party: &Party| party.asks();
    let photos = Party::ours(&root).await;
    let public = json!({"token_endpoint_auth_method": "none", "require_pkce": false});
    let public = Party::register(&root, public).await;
    for party in [&photos, &public] {
        for asked in [
            asked(party).without("code_challenge").without("code_challenge_method"),
            asked(party).without("code_challenge"),
            asked(party).without("code_challenge_method"),
            asked(party).with("code_challenge_method", "plain"),
            asked(party).with("code_challenge_method", "s256"),
            asked(party).with("code_challenge", "too-short"),
            asked(party).with("code_challenge", &"+".repeat(43)),
        ] {
            is_refused(party, asked, "invalid_request").await;
        }
    }
}

#[tokio::test]
async fn an_answer_travels_as_it_is_asked_for() {
    let app = TestApp::start().await;
    let root = app.superuser("root").await;
    app.register("ann").await;
    let photos = Party::ours(&root).await;
    let mut browser = Browser::new(&app);
    photos.code(&mut browser, "ann").await;

    let fragment = photos.asks().with("response_mode", "fragment");
    let location = browser.open(&fragment.path()).await.location().unwrap();
    let (before, after) = location.split_once('#').unwrap();
    assert_eq!((before, parameters(after)["state"].as_str()), (CALLBACK, "a state & more"));
    assert!(parameters(after).contains_key("code"));

    for (prompt, member) in [("consent", "code"), ("none login", "error")] {
        let posted = photos.asks().with("response_mode", "form_post").with("prompt", prompt);
        let mut page = browser.open(&posted.path()).await;
        if page.has_form("consent") {
            page = browser.agree(&page).await;
        }
        assert_eq!(page.status, 200, "{page:?}");
        page.is_shielded();
        let policy = page.headers["content-security-policy"].to_str().unwrap();
        assert!(policy.contains("form-action 'self' https://photos.example;"), "{policy}");
        let form = page.form("form-post");
        assert_eq!(form.action, CALLBACK);
        let fields: std::collections::BTreeMap<_, _> = form.fields.into_iter().collect();
        assert!(fields.contains_key(member) && fields["state"] == "a state & more", "{fields:?}");
        assert_eq!(fields["iss"], super::issuer(&app));
    }
}

#[tokio::test]
async fn a_registered_query_stays_and_nothing_breaks_out_of_the_answer() {
    let app = TestApp::start().await;
    let root = app.superuser("root").await;
    let uri = "https://photos.example/cb?a=1";
    let photos = Party::register(&root, json!({"redirect_uris": [uri]})).await;
    let state = "x\r\nSet-Cookie: a=b&code=stolen\"><script>";
    let asked = photos.asks().with("redirect_uri", uri).with("prompt", "none").with("state", state);
    let mut browser = Browser::new(&app);
    let location = browser.open(&asked.path()).await.location().unwrap();
    let answer = parameters(location.split_once('?').unwrap().1);
    assert_eq!((answer["a"].as_str(), answer["state"].as_str()), ("1", state));
    assert!(!answer.contains_key("code") && browser.cookies.is_empty());
    let page = browser.open(&asked.with("response_mode", "form_post").path()).await;
    assert!(!page.text.contains("<script>"), "{}", page.text);
    let fields = page.form("form-post").fields;
    assert!(fields.iter().any(|(name, value)| name == "state" && value == state), "{fields:?}");
}

#[tokio::test]
async fn a_program_on_this_machine_is_answered_on_any_port() {
    let app = TestApp::start().await;
    let root = app.superuser("root").await;
    app.register("ann").await;
    let also = json!({"redirect_uris": ["http://127.0.0.1/cb"], "token_endpoint_auth_method": "none"});
    let program = Party::register(&root, also).await;
    let mut browser = Browser::new(&app);
    let uri = "http://127.0.0.1:51234/cb";
    let page = browser.through(&program.asks().with("redirect_uri", uri).path(), "ann").await;
    let code = page.answer(uri)["code"].clone();
    program.tokens(program.redeems(&code).with("redirect_uri", uri)).await;
    let elsewhere = program.asks().with("redirect_uri", "http://127.0.0.2:51234/cb");
    browser.open(&elsewhere.path()).await.is_error_page("redirect_uri");
}

#[tokio::test]
async fn a_request_may_be_posted_and_what_is_not_known_is_passed_over() {
    let app = TestApp::start().await;
    let root = app.superuser("root").await;
    app.register("ann").await;
    let photos = Party::ours(&root).await;
    let mut browser = Browser::new(&app);
    let asked = photos
        .asks()
        .with("extra", "foobar")
        .with("display", "popup")
        .with("ui_locales", "se de")
        .with("claims_locales", "se")
        .with("acr_values", "1 2")
        .with("login_hint", "ann@example.com");
    let first = browser.send(Method::POST, "/oauth2/authorize", &asked.0).await;
    assert_eq!(first.status, 303);
    let page = browser.follow(first).await;
    assert!(page.text.contains("value=\"ann@example.com\""), "the hint is filled in: {page:?}");
    let page = browser.sign_in(&page, "ann").await;
    let code = photos.checked(&page)["code"].clone();
    photos.tokens(photos.redeems(&code)).await;
    // A browser holds back our cookies where another site posts, and sends them where it is led to.
    let cookies = std::mem::take(&mut browser.cookies);
    let first = browser.send(Method::POST, "/oauth2/authorize", &asked.with("prompt", "none").0).await;
    browser.cookies = cookies;
    assert!(photos.checked(&browser.follow(first).await).contains_key("code"));
}

#[tokio::test]
async fn a_long_state_and_a_long_nonce_come_back_whole() {
    let app = TestApp::start().await;
    let root = app.superuser("root").await;
    app.register("ann").await;
    let photos = Party::ours(&root).await;
    let (state, nonce) = ("s".repeat(1024), "n".repeat(64));
    let asked = photos.asks().with("state", &state).with("nonce", &nonce);
    let answer = Browser::new(&app).through(&asked.path(), "ann").await.answer(CALLBACK);
    assert_eq!(answer["state"], state);
    let tokens = photos.tokens(photos.redeems(&answer["code"])).await;
    assert_eq!(crate::support::jwt::claims(tokens["id_token"].as_str().unwrap())["nonce"], nonce);
}

#[tokio::test]
async fn the_order_of_parameters_and_of_scopes_says_nothing() {
    let app = TestApp::start().await;
    let root = app.superuser("root").await;
    app.register("ann").await;
    let photos = Party::ours(&root).await;
    let mut asked = photos.asks().with("scope", "email profile openid");
    asked.0.reverse();
    let answer = photos.answer(&mut Browser::new(&app), &asked, "ann").await;
    let tokens = photos.tokens(photos.redeems(&answer["code"])).await;
    assert!(tokens["id_token"].is_string());
    let told = app.json(photos.userinfo(&tokens), 200).await;
    assert!(told["email"].is_string() && told["name"].is_string(), "{told}");
}

#[tokio::test]
async fn pages_of_other_origins_read_nothing_at_the_authorization_endpoint() {
    let app = TestApp::start().await;
    let root = app.superuser("root").await;
    let photos = Party::ours(&root).await;
    for path in
        [photos.asks().path(), "/oauth2/sign-in".into(), "/oauth2/consent".into(), "/oauth2/logout".into()]
    {
        let request = app.request(Method::GET, &path).header("Origin", "https://evil.example");
        let answer = request.send().await.unwrap();
        assert!(answer.headers().get("access-control-allow-origin").is_none(), "{path}");
        let preflight = app.request(Method::OPTIONS, &path).header("Origin", "https://evil.example");
        let preflight = preflight.header("Access-Control-Request-Method", "GET").send().await.unwrap();
        assert!(preflight.headers().get("access-control-allow-origin").is_none(), "{path}");
    }
}

#[tokio::test]
async fn what_claims_cannot_do_without_is_there_or_nothing_is() {
    let app = TestApp::start().await;
    let root = app.superuser("root").await;
    app.register("ann").await;
    let photos = Party::ours(&root).await;
    let mut browser = Browser::new(&app);
    let tokens = photos.log_in(&mut browser, "ann").await;
    let own = photos.introspect(&tokens["access_token"]).await["sub"].clone();
    for (claims, error) in [
        (json!({"id_token": {"sub": {"value": own}}}), None),
        (json!({"id_token": {"sub": {"value": "someone"}}}), Some("login_required")),
        (json!({"userinfo": {"sub": {"value": "someone"}}}), Some("login_required")),
        (json!({"id_token": {"acr": {"values": ["aal2"]}}}), None),
        (json!({"id_token": {"acr": {"essential": true, "values": ["aal1", "aal2"]}}}), None),
        (
            json!({"id_token": {"acr": {"essential": true, "values": ["aal2"]}}}),
            Some("unmet_authentication_requirements"),
        ),
    ] {
        let asked = photos.asks().with("prompt", "none").with("claims", &claims.to_string());
        let answer = photos.answer(&mut browser, &asked, "ann").await;
        assert_eq!(answer.get("error").map(String::as_str), error, "{claims}: {answer:?}");
    }
}
