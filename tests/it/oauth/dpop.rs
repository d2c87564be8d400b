//! Proofs of possession at the token endpoint (RFC 9449 sections 4, 5 and 10).
use auth_service::crypto::Algorithm;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use reqwest::Method;
use serde_json::{Value, json};

use super::support::holder::{asks, robot, start};
use super::{Browser, CALLBACK, Holder, Party, is_refused};
use crate::support::{TestApp, jwt};

#[tokio::test]
async fn a_token_is_bound_to_the_key_of_the_proof_with_each_algorithm_that_discovery_names() {
    let app = start().await;
    let root = app.superuser("root").await;
    let robot = robot(&root, json!({})).await;
    let all = [Algorithm::Es256, Algorithm::EdDsa, Algorithm::Rs256, Algorithm::Ps256];
    for algorithm in all {
        let holder = Holder::with(&app, algorithm);
        let tokens = holder.tokens(&robot, asks()).await;
        let told = robot.introspect(&tokens["access_token"]).await;
        assert_eq!((&told["token_type"], &told["cnf"]), (&json!("DPoP"), &json!({"jkt": holder.jkt()})));
    }
    let known = app.json(app.request(Method::GET, "/.well-known/openid-configuration"), 200).await;
    let mut names: Vec<_> = all.iter().map(|one| json!(one.name())).collect();
    let mut said = known["dpop_signing_alg_values_supported"].as_array().unwrap().clone();
    names.sort_by_key(Value::to_string);
    said.sort_by_key(Value::to_string);
    assert_eq!(said, names);
}

#[tokio::test]
async fn without_a_proof_a_token_is_a_bearer_token() {
    let app = start().await;
    let root = app.superuser("root").await;
    let robot = robot(&root, json!({})).await;
    let answer = robot.request("/oauth2/token", asks()).send().await.unwrap();
    assert!(!answer.headers().contains_key("dpop-nonce"));
    let tokens: Value = answer.json().await.unwrap();
    assert_eq!(tokens["token_type"], "Bearer");
    assert!(jwt::claims(tokens["access_token"].as_str().unwrap()).get("cnf").is_none());
    assert!(robot.introspect(&tokens["access_token"]).await.get("cnf").is_none());
}

/// Headers of proofs that are none, by what is wrong with them.
fn wrong_headers(holder: &Holder<'_>, server_key: &Value) -> Vec<(&'static str, Value)> {
    let with = |name: &str, value: Value| {
        let mut header = holder.header();
        header[name] = value;
        header
    };
    let without_key = |name: &str, value: Value| {
        let mut header = with(name, value);
        header.as_object_mut().unwrap().remove("jwk");
        header
    };
    let mut private = holder.jwk();
    private["d"] = json!("AAAA");
    vec![
        ("another type", with("typ", json!("JWT"))),
        ("alg none", with("alg", json!("none"))),
        ("a shared secret", with("alg", json!("HS256"))),
        ("a shared secret for a key", with("jwk", json!({"kty": "oct", "k": "AAAA"}))),
        ("another algorithm than the key's", with("alg", json!("RS256"))),
        ("a private key", with("jwk", private)),
        ("the key of this server", with("jwk", server_key.clone())),
        ("a key by its name", without_key("kid", server_key["kid"].clone())),
        ("a key by its address", without_key("jku", json!("https://a.example/jwks"))),
        ("a key by a certificate", without_key("x5c", json!(["AAAA"]))),
        ("an extension", with("crit", json!(["jku"]))),
    ]
}

/// Claims of proofs that are none.
fn wrong_claims(holder: &Holder<'_>, app: &TestApp) -> Vec<(&'static str, Value)> {
    let claims = || holder.claims("POST", "/oauth2/token");
    let with = |name: &str, value: Value| {
        let mut claims = claims();
        claims[name] = value;
        claims
    };
    let now = claims()["iat"].as_i64().unwrap();
    vec![
        ("another method", with("htm", json!("GET"))),
        ("another path", with("htu", json!(claims()["htu"].as_str().unwrap().replace("token", "revoke")))),
        ("the address of the connection", with("htu", json!(app.url("/oauth2/token")))),
        ("another scheme", with("htu", json!(claims()["htu"].as_str().unwrap().replace("http", "https")))),
        ("no name", with("jti", Value::Null)),
        ("an old one", with("iat", json!(now - 61))),
        ("one from the future", with("iat", json!(now + 11))),
        ("one that is over", with("exp", json!(now - 10))),
        ("one that is not good yet", with("nbf", json!(now + 11))),
        ("no time", with("iat", Value::Null)),
    ]
}

#[tokio::test]
async fn a_proof_that_breaks_a_rule_is_refused_and_costs_nobody_the_code() {
    let app = start().await;
    let root = app.superuser("root").await;
    app.register("ann").await;
    let photos = Party::ours(&root).await;
    let code = photos.code(&mut Browser::new(&app), "ann").await;
    let set = app.json(app.request(Method::GET, "/oauth2/jwks"), 200).await;
    let holder = Holder::new(&app);
    let headers = wrong_headers(&holder, &set["keys"][0])
        .into_iter()
        .map(|(what, header)| (what, holder.signed(&header, &holder.claims("POST", "/oauth2/token"))));
    let claims = wrong_claims(&holder, &app)
        .into_iter()
        .map(|(what, claims)| (what, holder.signed(&holder.header(), &claims)));
    let good = holder.for_token();
    let (message, _) = good.rsplit_once('.').unwrap();
    let others = [
        ("nothing", String::new()),
        ("no signature", format!("{message}.")),
        (
            "another's signature",
            format!("{message}.{}", Holder::new(&app).for_token().rsplit_once('.').unwrap().1),
        ),
        ("no JWT", "proof".to_owned()),
        ("too long", "x".repeat(9000)),
    ];
    for (what, proof) in headers.chain(claims).chain(others) {
        let request = photos.request("/oauth2/token", photos.redeems(&code)).header("DPoP", &proof);
        let why = is_refused(request.send().await.unwrap(), 400, "invalid_dpop_proof").await;
        assert!(!why.is_empty(), "{what}");
    }
    holder.tokens(&photos, photos.redeems(&code)).await;
}

#[tokio::test]
async fn two_proofs_in_one_request_are_refused() {
    let app = start().await;
    let root = app.superuser("root").await;
    let (robot, holder) = (robot(&root, json!({})).await, Holder::new(&app));
    let request = holder.request(&robot, asks()).header("DPoP", holder.for_token());
    is_refused(request.send().await.unwrap(), 400, "invalid_dpop_proof").await;
}

#[tokio::test]
async fn ten_seconds_of_difference_between_clocks_are_nothing() {
    let app = start().await;
    app.clock.advance_secs(100);
    let root = app.superuser("root").await;
    let (robot, holder) = (robot(&root, json!({})).await, Holder::new(&app));
    for seconds in [-60, -10, 10] {
        let mut claims = holder.claims("POST", "/oauth2/token");
        let iat = claims["iat"].as_i64().unwrap() + seconds;
        claims["iat"] = json!(iat);
        claims["nbf"] = json!(iat);
        claims["exp"] = json!(iat + 60);
        claims["htu"] = json!(format!("{}?a=b#c", claims["htu"].as_str().unwrap()));
        let proof = holder.signed(&holder.header(), &claims);
        let request = robot.request("/oauth2/token", asks()).header("DPoP", proof);
        assert_eq!(app.json(request, 200).await["token_type"], "DPoP", "{seconds}");
    }
}

#[tokio::test]
async fn a_proof_is_good_once_also_of_sixteen_at_once() {
    let app = start().await;
    let root = app.superuser("root").await;
    let (robot, holder) = (robot(&root, json!({})).await, Holder::new(&app));
    let proof = holder.for_token();
    let send = || robot.request("/oauth2/token", asks()).header("DPoP", &proof).send();
    let answers = futures_util::future::join_all((0..16).map(|_| send())).await;
    let good = answers.iter().filter(|answer| answer.as_ref().unwrap().status() == 200).count();
    assert_eq!(good, 1);
    for seconds in [0, 60, 1, 1000] {
        app.clock.advance_secs(seconds);
        is_refused(send().await.unwrap(), 400, "invalid_dpop_proof").await;
    }
    // The same name under another key is another proof.
    let mut claims = Holder::new(&app).claims("POST", "/oauth2/token");
    claims["jti"] = json!("proof-0");
    let other = Holder::new(&app);
    let request =
        robot.request("/oauth2/token", asks()).header("DPoP", other.signed(&other.header(), &claims));
    app.json(request, 200).await;
}

#[tokio::test]
async fn a_code_that_was_asked_for_with_a_key_is_redeemed_with_it_and_with_no_other() {
    let app = start().await;
    let root = app.superuser("root").await;
    app.register("ann").await;
    for also in [json!({"first_party": true}), json!({"token_endpoint_auth_method": "none"})] {
        let photos = Party::register(&root, also).await;
        let (holder, other) = (Holder::new(&app), Holder::new(&app));
        let mut browser = Browser::new(&app);
        let asked = photos.asks().with("dpop_jkt", &holder.jkt());
        let code = photos.answer(&mut browser, &asked, "ann").await["code"].clone();
        photos.fails(photos.redeems(&code), 400, "invalid_grant").await;
        let request = other.request(&photos, photos.redeems(&code));
        is_refused(request.send().await.unwrap(), 400, "invalid_grant").await;
        let tokens = holder.tokens(&photos, photos.redeems(&code)).await;
        app.json(holder.userinfo(&tokens), 200).await;
    }
}

#[tokio::test]
async fn a_dpop_jkt_that_is_no_thumbprint_is_refused() {
    let app = start().await;
    let root = app.superuser("root").await;
    app.register("ann").await;
    let photos = Party::ours(&root).await;
    let mut browser = Browser::new(&app);
    for wrong in ["x", &"A".repeat(44), &format!("{}+", "A".repeat(42)), &URL_SAFE_NO_PAD.encode([1; 31])] {
        let asked = photos.asks().with("dpop_jkt", wrong);
        let answer = browser.open(&asked.path()).await.answer(CALLBACK);
        assert_eq!(answer["error"], "invalid_request", "{wrong}");
    }
}

#[tokio::test]
async fn a_client_that_binds_all_its_tokens_gets_none_without_a_proof() {
    let app = start().await;
    let root = app.superuser("root").await;
    app.register("ann").await;
    let also = json!({"first_party": true, "dpop_bound_access_tokens": true});
    let photos = Party::register(&root, also).await;
    let holder = Holder::new(&app);
    let code = photos.code(&mut Browser::new(&app), "ann").await;
    photos.fails(photos.redeems(&code), 400, "invalid_request").await;
    let tokens = holder.tokens(&photos, photos.redeems(&code)).await;
    photos.fails(photos.refreshes(&tokens), 400, "invalid_request").await;
    holder.tokens(&photos, photos.refreshes(&tokens)).await;
    let robot = robot(&root, json!({"dpop_bound_access_tokens": true})).await;
    robot.fails(asks(), 400, "invalid_request").await;
    holder.tokens(&robot, asks()).await;
}
