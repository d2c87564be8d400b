//! Requests that clients sign (RFC 9101, OpenID Connect Core section 6).
use auth_service::base::Clock;
use auth_service::crypto::{Algorithm, SigningKey};
use reqwest::Method;
use serde_json::{Value, json};

use super::support::signer::{changed, proving, public};
use super::{Browser, CALLBACK, Fields, Page, Signer, is_refused, issuer, parameters};
use crate::support::{Person, TestApp, jwt};

/// SHA-256 of nothing that anybody redeems.
const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

async fn client<'a>(root: &Person<'a>, also: Value) -> Signer<'a> {
    let body = json!({"redirect_uris": [CALLBACK], "grant_types": ["authorization_code"], "first_party": true,
        "scope": "openid profile email"});
    Signer::register(root, Algorithm::Es256, changed(&body, &also)).await
}

/// What a client asks for, in its own words.
fn claims(signer: &Signer) -> Value {
    json!({
        "iss": signer.id,
        "aud": issuer(signer.app),
        "exp": signer.app.clock.now().secs() + 60,
        "client_id": signer.id,
        "response_type": "code",
        "redirect_uri": CALLBACK,
        "scope": "openid profile",
        "state": "signed",
        "max_age": 3600,
        "claims": {"userinfo": {"name": {"essential": true}}},
        "code_challenge": CHALLENGE,
        "code_challenge_method": "S256",
    })
}

fn object(signer: &Signer, change: &Value) -> String {
    let header = changed(&signer.header(), &json!({"typ": "oauth-authz-req+jwt"}));
    jwt::forge(&signer.key, &header, &changed(&claims(signer), change))
}

/// Where a browser goes with it.
fn asks(signer: &Signer, object: &str) -> Fields {
    Fields(Vec::new()).with("client_id", &signer.id).with("request", object)
}

async fn start() -> TestApp {
    let app = TestApp::start().await;
    app.register("ann").await;
    app
}

/// The error that a client is told.
fn error(page: &Page) -> String {
    let location = page.location().unwrap_or_else(|| panic!("{page:?}"));
    let query = location.strip_prefix(CALLBACK).unwrap_or_else(|| panic!("{location}"));
    parameters(&query[1..])["error"].clone()
}

#[tokio::test]
async fn what_is_signed_counts_and_what_stands_beside_it_does_not() {
    let app = start().await;
    let root = app.superuser("root").await;
    let signer = client(&root, json!({})).await;
    let asked = asks(&signer, &object(&signer, &json!({})))
        .with("response_type", "code")
        .with("redirect_uri", "https://evil.example/")
        .with("scope", "openid email")
        .with("state", "beside")
        .with("nonce", "beside")
        .with("code_challenge", &"x".repeat(43));
    let answer = Browser::new(&app).through(&asked.path(), "ann").await.answer(CALLBACK);
    assert_eq!(answer["state"], "signed");
    let redeem = Fields(Vec::new())
        .with("grant_type", "authorization_code")
        .with("code", &answer["code"])
        .with("redirect_uri", CALLBACK)
        // RFC 7636, appendix B.
        .with("code_verifier", "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk");
    let tokens = app.json(signer.request("/oauth2/token", redeem), 200).await;
    assert_eq!(tokens["scope"], "openid profile");
    assert_eq!(jwt::claims(tokens["id_token"].as_str().unwrap()).get("nonce"), None);
    let document: Value = app.get("/.well-known/openid-configuration").await.json().await.unwrap();
    assert_eq!(document["request_parameter_supported"], json!(true));
    assert_eq!(document["request_uri_parameter_supported"], json!(false));
    assert_eq!(
        document["request_object_signing_alg_values_supported"],
        json!(["RS256", "ES256", "EdDSA", "PS256"])
    );
}

#[tokio::test]
async fn what_is_over_when_its_user_has_signed_in_was_looked_at_when_it_came() {
    let app = start().await;
    let root = app.superuser("root").await;
    let signer = client(&root, json!({})).await;
    let mut browser = Browser::new(&app);
    let asked = asks(&signer, &object(&signer, &json!({})));
    let page = browser.open(&asked.path()).await;
    assert!(page.has_form("sign-in"));
    app.clock.advance_secs(600);
    assert!(browser.sign_in(&page, "ann").await.answer(CALLBACK).contains_key("code"));
    assert_eq!(error(&browser.open(&asked.path()).await), "invalid_request_object");
}

#[tokio::test]
async fn a_request_object_that_is_not_good_is_none() {
    let app = start().await;
    let root = app.superuser("root").await;
    let signer = client(&root, json!({})).await;
    let other = client(&root, json!({})).await;
    let (now, us) = (app.clock.now().secs(), issuer(&app));
    let mut browser = Browser::new(&app);
    for bad in [
        json!({"iss": null}),
        json!({"iss": other.id}),
        json!({"aud": null}),
        json!({"aud": "https://elsewhere.example"}),
        json!({"aud": ["https://elsewhere.example"]}),
        json!({"client_id": null}),
        json!({"client_id": other.id}),
        json!({"sub": signer.id}),
        json!({"exp": now}),
        json!({"exp": "soon"}),
        json!({"nbf": now + 61}),
        json!({"iat": now + 61}),
        json!({"request": "x"}),
        json!({"request_uri": "https://photos.example/r"}),
        json!({"scope": ["openid"]}),
        json!({"resource": [1]}),
        json!({"more": "x".repeat(30_000)}),
    ] {
        let fields = asks(&signer, &object(&signer, &bad)).with("redirect_uri", CALLBACK);
        let page = browser.open(&fields.path()).await;
        assert_eq!(error(&page), "invalid_request_object", "{bad}");
    }
    for good in
        [json!({"aud": [us, "https://elsewhere.example"]}), json!({"exp": null}), json!({"nbf": now + 10})]
    {
        let page = browser.open(&asks(&signer, &object(&signer, &good)).path()).await;
        assert!(page.has_form("sign-in"), "{good}");
    }
    let mismatch = asks(&signer, &object(&signer, &json!({}))).with("response_type", "token");
    assert_eq!(error(&browser.open(&mismatch.path()).await), "invalid_request_object");
    // The rules of every request hold for what is signed, too.
    for (wrong, told) in [
        (json!({"code_challenge": null}), "invalid_request"),
        (json!({"response_type": "token"}), "unsupported_response_type"),
        (json!({"scope": "nothing"}), "invalid_scope"),
    ] {
        let page = browser.open(&asks(&signer, &object(&signer, &wrong)).path()).await;
        assert_eq!(error(&page), told, "{wrong}");
    }
}

#[tokio::test]
async fn whoever_has_not_the_key_of_the_client_signs_nothing_for_it() {
    let app = start().await;
    let root = app.superuser("root").await;
    let (signer, other) = (client(&root, json!({})).await, client(&root, json!({})).await);
    let mut browser = Browser::new(&app);
    let mut told = async |header: &Value, key: &SigningKey, claims: &Value| {
        let fields = asks(&signer, &jwt::forge(key, header, claims));
        error(&browser.open(&fields.path()).await)
    };
    let good = claims(&signer);
    let thief = jwt::foreign_key(Algorithm::Es256);
    let shared = SigningKey::parse(Algorithm::Hs256, public(&signer.key).to_string().as_bytes()).unwrap();
    for (header, key) in [
        (signer.header(), &other.key),
        (other.header(), &other.key),
        (changed(&signer.header(), &json!({"jwk": public(&thief), "kid": null})), &thief),
        (changed(&signer.header(), &json!({"jku": "http://127.0.0.1:1/"})), &thief),
        (json!({"alg": "HS256"}), &shared),
        (json!({"alg": "HS256", "kid": signer.key.kid()}), &shared),
        (changed(&signer.header(), &json!({"alg": "RS256"})), &signer.key),
        (changed(&signer.header(), &json!({"crit": ["exp"]})), &signer.key),
        (changed(&signer.header(), &json!({"typ": "client-authentication+jwt"})), &signer.key),
        (changed(&signer.header(), &json!({"typ": "dpop+jwt"})), &signer.key),
    ] {
        assert_eq!(told(&header, key, &good).await, "invalid_request_object", "{header}");
    }
    // What says who the client is says nothing of what it asks for.
    let mixed = changed(&signer.claims(), &json!({"client_id": signer.id, "redirect_uri": CALLBACK}));
    assert_eq!(told(&signer.header(), &signer.key, &mixed).await, "invalid_request_object");
    for alg in ["none", "None"] {
        let text = format!("{}.", jwt::unsigned(&json!({"alg": alg}), &good));
        let page = Browser::new(&app).open(&asks(&signer, &text).path()).await;
        assert_eq!(error(&page), "request_not_supported", "{alg}");
    }
    for garbage in ["x", "a.b.c", "a.b.c.d.e", "e30.e30.e30"] {
        let fields = asks(&signer, garbage).with("redirect_uri", CALLBACK);
        let page = Browser::new(&app).open(&fields.path()).await;
        assert_eq!(error(&page), "invalid_request_object", "{garbage}");
    }
}

/// RFC 9700 section 4.11.2: an answer goes to an address that is registered, and nowhere else.
#[tokio::test]
async fn a_bad_address_in_the_object_beats_a_good_one_beside_it() {
    let app = start().await;
    let root = app.superuser("root").await;
    let signer = client(&root, json!({})).await;
    let bad = json!({"redirect_uri": "https://evil.example/"});
    let unsigned = format!("{}.", jwt::unsigned(&json!({"alg": "none"}), &changed(&claims(&signer), &bad)));
    let thief = jwt::foreign_key(Algorithm::Es256);
    let forged = jwt::forge(&thief, &signer.header(), &changed(&claims(&signer), &bad));
    let odd = object(&signer, &json!({"redirect_uri": [CALLBACK]}));
    for text in [object(&signer, &bad), unsigned, forged] {
        let fields = asks(&signer, &text).with("redirect_uri", CALLBACK);
        Browser::new(&app).open(&fields.path()).await.is_error_page("redirect_uri");
    }
    let fields = asks(&signer, &odd).with("redirect_uri", CALLBACK);
    Browser::new(&app).open(&fields.path()).await.is_error_page("redirect_uri");
    // None at all is as bad as a wrong one, whatever stands beside it.
    let fields =
        asks(&signer, &object(&signer, &json!({"redirect_uri": null}))).with("redirect_uri", CALLBACK);
    Browser::new(&app).open(&fields.path()).await.is_error_page("redirect_uri");
    let unknown = asks(&signer, &object(&signer, &json!({}))).with("client_id", "nobody");
    Browser::new(&app).open(&unknown.path()).await.is_error_page("client_id");
}

#[tokio::test]
async fn who_has_to_sign_gets_nothing_otherwise_and_by_its_algorithm_alone() {
    let app = start().await;
    let root = app.superuser("root").await;
    let also = json!({"require_signed_request_object": true, "request_object_signing_alg": "ES256"});
    let signer = client(&root, also).await;
    let mut browser = Browser::new(&app);
    let plain = claims(&signer);
    let mut fields = Fields(Vec::new());
    for name in
        ["client_id", "response_type", "redirect_uri", "scope", "code_challenge", "code_challenge_method"]
    {
        fields = fields.with(name, plain[name].as_str().unwrap());
    }
    assert_eq!(error(&browser.open(&fields.path()).await), "invalid_request");
    let pushed = proving(fields, &signer.assertion()).post(&app, "/oauth2/par").send().await.unwrap();
    is_refused(pushed, 400, "invalid_request").await;
    let signed = asks(&signer, &object(&signer, &json!({})));
    assert!(browser.through(&signed.path(), "ann").await.answer(CALLBACK).contains_key("code"));
    let path = format!("/oauth-clients/{}", signer.id);
    let change = json!({"request_object_signing_alg": "EdDSA"});
    app.json(root.bearer(Method::PATCH, &path).json(&change), 200).await;
    let signed = asks(&signer, &object(&signer, &json!({})));
    assert_eq!(error(&browser.open(&signed.path()).await), "invalid_request_object");
    let body =
        json!({"client_name": "x", "redirect_uris": [CALLBACK], "require_signed_request_object": true});
    app.refuses(root.bearer(Method::POST, "/oauth-clients").json(&body), "jwks").await;
    for alg in ["none", "HS256"] {
        let body =
            json!({"client_name": "x", "redirect_uris": [CALLBACK], "request_object_signing_alg": alg});
        let request = root.bearer(Method::POST, "/oauth-clients").json(&body);
        app.refuses(request, "request_object_signing_alg").await;
    }
}

/// RFC 9126 section 3.
#[tokio::test]
async fn what_is_signed_may_be_pushed() {
    let app = start().await;
    let root = app.superuser("root").await;
    let also = json!({"require_signed_request_object": true, "require_pushed_authorization_requests": true});
    let signer = client(&root, also).await;
    let push = async |fields: Fields| {
        proving(fields, &signer.assertion()).post(&app, "/oauth2/par").send().await.unwrap()
    };
    let good = object(&signer, &json!({}));
    // Signed and not pushed is not enough.
    let mut browser = Browser::new(&app);
    assert_eq!(error(&browser.open(&asks(&signer, &good).path()).await), "invalid_request");
    for (bad, told) in [
        (json!({"exp": 1}), "invalid_request_object"),
        (json!({"client_id": "other"}), "invalid_request_object"),
        (json!({"request_uri": "x"}), "invalid_request_object"),
        (json!({"redirect_uri": "https://evil.example/"}), "invalid_request"),
        (json!({"code_challenge": null}), "invalid_request"),
    ] {
        is_refused(push(asks(&signer, &object(&signer, &bad))).await, 400, told).await;
    }
    let answer = push(
        asks(&signer, &good).with("scope", "openid email").with("redirect_uri", "https://evil.example/"),
    );
    let body: Value = answer.await.json().await.unwrap();
    let fields = Fields(Vec::new())
        .with("client_id", &signer.id)
        .with("request_uri", body["request_uri"].as_str().unwrap_or_else(|| panic!("{body}")));
    let answer = browser.through(&fields.path(), "ann").await.answer(CALLBACK);
    assert!(answer.contains_key("code") && answer["state"] == "signed");
    // By reference, nothing is looked up elsewhere.
    let elsewhere = Fields(Vec::new())
        .with("client_id", &signer.id)
        .with("redirect_uri", CALLBACK)
        .with("request_uri", "http://127.0.0.1:1/r");
    let told = error(&browser.open(&elsewhere.path()).await);
    assert!(["invalid_request", "request_uri_not_supported"].contains(&told.as_str()), "{told}");
}
