//! The whole way of a login: authorization, tokens, claims (OpenID Connect Core sections 2, 3.1 and 5).
use auth_service::crypto::hash;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use reqwest::Method;
use serde_json::{Value, json};

use super::{Browser, Fields, Party, is_refused, issuer, jws};
use crate::support::{START, TestApp, jwt};

fn id_token(tokens: &Value) -> &str {
    tokens["id_token"].as_str().expect("an ID token")
}

#[tokio::test]
async fn a_first_login_leads_through_sign_in_and_consent_to_tokens() {
    let app = TestApp::start().await;
    let root = app.superuser("root").await;
    let photos = Party::register(&root, json!({"id_token_signed_response_alg": null})).await;
    let ann = app.register("ann").await;
    let mut browser = Browser::new(&app);

    let page = browser.open(&photos.asks().path()).await;
    assert!(page.status == 200 && page.text.contains("Photo album"), "{page:?}");
    page.is_shielded();
    let page = browser.sign_in(&page, "ann").await;
    assert!(page.status == 200 && page.text.contains("see your e-mail address"), "{page:?}");
    assert!(page.text.contains("<strong>ann</strong>") && page.text.contains("photos.example"));
    page.is_shielded();
    let answer = photos.checked(&browser.agree(&page).await);
    assert_eq!(answer.keys().collect::<Vec<_>>(), ["code", "iss", "state"]);
    assert!(answer["code"].len() >= 43);

    let tokens = photos.tokens(photos.redeems(&answer["code"])).await;
    assert_eq!(tokens["scope"], "openid profile email");
    let claims = jws::verified(&app, id_token(&tokens), "RS256").await;
    let now = START.secs();
    assert_eq!(claims["iss"], issuer(&app));
    assert_eq!((&claims["aud"], &claims["nonce"]), (&json!(photos.id), &json!("n-1")));
    assert_eq!(claims["sub"], ann["id"].to_string().trim_matches('"'));
    assert_eq!((&claims["iat"], &claims["auth_time"]), (&json!(now), &json!(now)));
    assert_eq!((&claims["exp"], &claims["acr"]), (&json!(now + 3600), &json!("aal1")));
    assert_eq!(claims["amr"], json!(["pwd"]));
    let access = tokens["access_token"].as_str().unwrap();
    let left = URL_SAFE_NO_PAD.encode(&hash::sha256(&[access.as_bytes()])[..16]);
    assert_eq!(claims["at_hash"], left);
    assert!(claims["sid"].is_string());
    for name in ["name", "email", "preferred_username"] {
        assert!(claims.get(name).is_none(), "{name} was not asked for in the ID token");
    }
}

#[tokio::test]
async fn an_id_token_is_signed_as_the_client_has_registered() {
    let app = TestApp::start().await;
    let root = app.superuser("root").await;
    app.register("ann").await;
    let mut browser = Browser::new(&app);
    for algorithm in ["ES256", "EdDSA", "PS256", "RS256"] {
        let also = json!({"id_token_signed_response_alg": algorithm, "first_party": true});
        let party = Party::register(&root, also).await;
        let tokens = party.log_in(&mut browser, "ann").await;
        let claims = jws::verified(&app, id_token(&tokens), algorithm).await;
        let access = tokens["access_token"].as_str().unwrap().as_bytes();
        let left = match algorithm {
            "EdDSA" => URL_SAFE_NO_PAD.encode(&hash::sha512(&[access])[..32]),
            _ => URL_SAFE_NO_PAD.encode(&hash::sha256(&[access])[..16]),
        };
        assert_eq!((&claims["at_hash"], &claims["aud"]), (&json!(left), &json!(party.id)));
    }
}

#[tokio::test]
async fn an_access_token_says_what_rfc_9068_wants_and_is_none_of_our_own_sessions() {
    let app = TestApp::start().await;
    let root = app.superuser("root").await;
    app.register("ann").await;
    let photos = Party::ours(&root).await;
    let tokens = photos.log_in(&mut Browser::new(&app), "ann").await;
    let text = tokens["access_token"].as_str().unwrap();
    let (header, claims) = jwt::decode(text);
    assert_eq!(header["typ"], "at+jwt");
    for name in ["iss", "exp", "aud", "sub", "client_id", "iat", "jti", "auth_time", "acr"] {
        assert!(claims.get(name).is_some(), "{name}: {claims}");
    }
    assert_eq!((&claims["client_id"], &claims["aud"]), (&json!(photos.id), &json!(issuer(&app))));
    assert_eq!(claims["scope"], "openid profile email");
    // What a client may do in somebody's name is not what the somebody may do.
    for token in [text, id_token(&tokens)] {
        app.fails(app.request(Method::GET, "/auth/me").bearer_auth(token), 401, "INVALID_TOKEN").await;
    }
    let ann = app.log_in("ann", crate::support::PASSWORD).await;
    let request = app.request(Method::GET, "/oauth2/userinfo").bearer_auth(&ann.tokens.access);
    is_refused(request.send().await.unwrap(), 401, "invalid_token").await;
}

#[tokio::test]
async fn userinfo_tells_the_same_by_get_by_post_and_with_the_token_in_the_body() {
    let app = TestApp::start().await;
    let root = app.superuser("root").await;
    app.register("ann").await;
    let photos = Party::ours(&root).await;
    let tokens = photos.log_in(&mut Browser::new(&app), "ann").await;
    let token = tokens["access_token"].as_str().unwrap();
    let by_get = app.json(photos.userinfo(&tokens), 200).await;
    let by_post = app.request(Method::POST, "/oauth2/userinfo").bearer_auth(token);
    let in_body = Fields(Vec::new()).with("access_token", token).post(&app, "/oauth2/userinfo");
    assert_eq!(app.json(by_post, 200).await, by_get);
    assert_eq!(app.json(in_body, 200).await, by_get);
    assert_eq!(by_get["sub"], jwt::claims(id_token(&tokens))["sub"]);
    assert_eq!((&by_get["preferred_username"], &by_get["name"]), (&json!("ann"), &json!("ann")));
    assert_eq!((&by_get["email"], &by_get["email_verified"]), (&json!("ann@example.com"), &json!(false)));
    assert!(by_get["updated_at"].is_i64());

    let twice =
        Fields(Vec::new()).with("access_token", token).post(&app, "/oauth2/userinfo").bearer_auth(token);
    is_refused(twice.send().await.unwrap(), 400, "invalid_request").await;
    is_refused(app.get("/oauth2/userinfo").await, 401, "invalid_request").await;
    let in_url = app.get(&format!("/oauth2/userinfo?access_token={token}")).await;
    is_refused(in_url, 401, "invalid_request").await;
    app.clock.advance_secs(900);
    is_refused(photos.userinfo(&tokens).send().await.unwrap(), 401, "invalid_token").await;
}

#[tokio::test]
async fn userinfo_tells_what_the_scopes_stand_for_and_nothing_else() {
    let app = TestApp::start().await;
    let root = app.superuser("root").await;
    app.register("ann").await;
    let photos = Party::ours(&root).await;
    let mut browser = Browser::new(&app);
    for (scope, told) in [
        ("openid", &["sub"][..]),
        ("email openid", &["email", "email_verified", "sub"]),
        ("openid phone address", &["sub"]),
        ("profile openid", &["name", "preferred_username", "sub", "updated_at"]),
    ] {
        let tokens = photos.log_in_for(&mut browser, "ann", scope).await;
        let claims = app.json(photos.userinfo(&tokens), 200).await;
        let mut names: Vec<_> = claims.as_object().unwrap().keys().cloned().collect();
        names.sort();
        assert_eq!(names, told, "{scope}");
    }
    let tokens = photos.log_in_for(&mut browser, "ann", "profile").await;
    assert!(tokens.get("id_token").is_none(), "without openid there is no ID token");
    is_refused(photos.userinfo(&tokens).send().await.unwrap(), 403, "insufficient_scope").await;
}

#[tokio::test]
async fn userinfo_is_signed_for_a_client_that_wants_it_so() {
    let app = TestApp::start().await;
    let root = app.superuser("root").await;
    app.register("ann").await;
    let also = json!({"userinfo_signed_response_alg": "ES256", "first_party": true});
    let photos = Party::register(&root, also).await;
    let tokens = photos.log_in(&mut Browser::new(&app), "ann").await;
    let answer = photos.userinfo(&tokens).send().await.unwrap();
    assert_eq!(answer.headers()["content-type"], "application/jwt");
    let claims = jws::verified(&app, &answer.text().await.unwrap(), "ES256").await;
    assert_eq!((&claims["aud"], &claims["iss"]), (&json!(photos.id), &json!(issuer(&app))));
    assert_eq!(claims["email"], "ann@example.com");
}

#[tokio::test]
async fn claims_that_are_asked_for_one_by_one_come_where_they_were_asked_for() {
    let app = TestApp::start().await;
    let root = app.superuser("root").await;
    app.register("ann").await;
    let photos = Party::ours(&root).await;
    let claims = json!({"userinfo": {"name": {"essential": true}}, "id_token": {"email": null, "x": null}});
    let asked = photos.asks().with("scope", "openid").with("claims", &claims.to_string());
    let answer = photos.answer(&mut Browser::new(&app), &asked, "ann").await;
    let tokens = photos.tokens(photos.redeems(&answer["code"])).await;
    let in_token = jwt::claims(id_token(&tokens));
    assert_eq!((&in_token["email"], in_token.get("name")), (&json!("ann@example.com"), None));
    let told = app.json(photos.userinfo(&tokens), 200).await;
    assert_eq!((&told["name"], told.get("email")), (&json!("ann"), None));
}

#[tokio::test]
async fn a_login_without_a_nonce_works_and_has_none() {
    let app = TestApp::start().await;
    let root = app.superuser("root").await;
    app.register("ann").await;
    let photos = Party::ours(&root).await;
    let asked = photos.asks().without("nonce");
    let answer = photos.answer(&mut Browser::new(&app), &asked, "ann").await;
    let tokens = photos.tokens(photos.redeems(&answer["code"])).await;
    assert!(jwt::claims(id_token(&tokens)).get("nonce").is_none());
}

#[tokio::test]
async fn pairwise_clients_of_different_hosts_know_a_user_by_different_names() {
    let app = TestApp::start().await;
    let root = app.superuser("root").await;
    app.register("ann").await;
    let mut browser = Browser::new(&app);
    let also = json!({"subject_type": "pairwise", "first_party": true});
    let photos = Party::register(&root, also.clone()).await;
    let again = Party::register(&root, also).await;
    let other =
        json!({"subject_type": "pairwise", "first_party": true, "redirect_uris": ["https://b.example/"]});
    let other = Party::register(&root, other).await;
    let one = photos.log_in(&mut browser, "ann").await;
    let sub = app.json(photos.userinfo(&one), 200).await["sub"].clone();
    assert_eq!(sub, jwt::claims(id_token(&one))["sub"]);
    let same = again.log_in(&mut browser, "ann").await;
    assert_eq!(jwt::claims(id_token(&same))["sub"], sub, "the same sector");
    let asked = other.asks().with("redirect_uri", "https://b.example/");
    let page = browser.open(&asked.path()).await;
    let code = page.answer("https://b.example/")["code"].clone();
    let redeems = other.redeems(&code).with("redirect_uri", "https://b.example/");
    let different = other.tokens(redeems).await;
    assert_ne!(jwt::claims(id_token(&different))["sub"], sub);
    assert!(sub.as_str().unwrap().len() >= 43, "it tells nobody who it is");
}
