//! Access tokens that are bound to a key, where they are used (RFC 9449 section 7).
use reqwest::{Method, RequestBuilder, Response};
use serde_json::{Value, json};

use super::support::holder::{ath, start};
use super::{Browser, Holder, Party, is_refused};
use crate::support::{PASSWORD, TestApp};

const PATH: &str = "/oauth2/userinfo";

struct World<'a> {
    app: &'a TestApp,
    photos: Party<'a>,
    holder: Holder<'a>,
    tokens: Value,
}

impl<'a> World<'a> {
    async fn new(app: &'a TestApp) -> Self {
        let root = app.superuser("root").await;
        app.register("ann").await;
        let photos = Party::ours(&root).await;
        let holder = Holder::new(app);
        let code = photos.code(&mut Browser::new(app), "ann").await;
        let tokens = holder.tokens(&photos, photos.redeems(&code)).await;
        Self { app, photos, holder, tokens }
    }

    fn token(&self) -> &str {
        self.tokens["access_token"].as_str().unwrap()
    }

    /// A request with the token, and with a proof that says something of its own.
    fn with_claim(&self, name: &str, value: Value) -> RequestBuilder {
        let mut claims = self.holder.claims("GET", PATH);
        claims["ath"] = json!(ath(self.token()));
        claims[name] = value;
        self.with_proof(&self.holder.signed(&self.holder.header(), &claims))
    }

    fn with_proof(&self, proof: &str) -> RequestBuilder {
        self.without_proof("DPoP").header("DPoP", proof)
    }

    fn without_proof(&self, scheme: &str) -> RequestBuilder {
        let header = format!("{scheme} {}", self.token());
        self.app.request(Method::GET, PATH).header("Authorization", header)
    }
}

fn challenges(answer: &Response) -> Vec<String> {
    let all = answer.headers().get_all("www-authenticate").iter();
    all.map(|value| value.to_str().unwrap().to_owned()).collect()
}

/// Checks a refusal that says how a bound token is sent.
async fn is_refused_by_dpop(request: RequestBuilder, error: &str) {
    let answer = request.send().await.unwrap();
    let said = challenges(&answer);
    assert_eq!(said, [format!("DPoP algs=\"ES256 EdDSA RS256 PS256\", error=\"{error}\"")]);
    is_refused(answer, 401, error).await;
}

#[tokio::test]
async fn a_bound_token_is_good_with_a_proof_of_its_key() {
    let app = start().await;
    let world = World::new(&app).await;
    for scheme in ["DPoP", "dpop", "DPOP"] {
        let proof = world.holder.for_resource("GET", PATH, world.token());
        let answer = world.without_proof(scheme).header("DPoP", proof).send().await.unwrap();
        assert_eq!(answer.status(), 200, "{scheme}");
        assert!(answer.headers().contains_key("dpop-nonce"));
        assert_eq!(answer.json::<Value>().await.unwrap()["preferred_username"], "ann");
    }
    let proof = world.holder.for_resource("POST", PATH, world.token());
    let request = app.request(Method::POST, PATH).header("Authorization", format!("DPoP {}", world.token()));
    app.json(request.header("DPoP", proof), 200).await;
}

#[tokio::test]
async fn a_bound_token_is_no_bearer_token() {
    let app = start().await;
    let world = World::new(&app).await;
    let proof = || world.holder.for_resource("GET", PATH, world.token());
    is_refused_by_dpop(world.without_proof("Bearer"), "invalid_token").await;
    is_refused_by_dpop(world.without_proof("bearer").header("DPoP", proof()), "invalid_token").await;
    let body = super::Fields(Vec::new()).with("access_token", world.token());
    let proof = world.holder.for_resource("POST", PATH, world.token());
    is_refused_by_dpop(body.post(&app, PATH), "invalid_token").await;
    is_refused_by_dpop(body.post(&app, PATH).header("DPoP", proof), "invalid_token").await;
}

#[tokio::test]
async fn a_bearer_token_is_no_bound_token() {
    let app = start().await;
    let world = World::new(&app).await;
    let bearer = world.photos.log_in(&mut Browser::new(&app), "ann").await;
    let answer = world.holder.userinfo(&bearer).send().await.unwrap();
    assert_eq!(challenges(&answer), ["Bearer realm=\"auth-service\", error=\"invalid_token\""]);
    is_refused(answer, 401, "invalid_token").await;
    app.json(world.photos.userinfo(&bearer), 200).await;
}

#[tokio::test]
async fn a_proof_that_is_not_about_this_request_and_this_token_is_refused() {
    let app = start().await;
    let world = World::new(&app).await;
    let refused = "invalid_dpop_proof";
    is_refused_by_dpop(world.without_proof("DPoP"), refused).await;
    let twice = world.with_claim("a", json!(1)).header("DPoP", "x");
    is_refused_by_dpop(twice, refused).await;
    for (name, value) in [
        ("ath", Value::Null),
        ("ath", json!(ath("another token"))),
        ("ath", json!(world.token())),
        ("htm", json!("POST")),
        ("htu", json!(super::issuer(&app) + "/oauth2/token")),
        ("iat", json!(crate::support::START.secs() - 51)),
    ] {
        is_refused_by_dpop(world.with_claim(name, value), refused).await;
    }
    // One of the token endpoint is none here.
    is_refused_by_dpop(world.with_proof(&world.holder.for_token()), refused).await;
    app.json(world.with_claim("a", json!(1)), 200).await;
}

#[tokio::test]
async fn a_token_is_worth_nothing_with_a_proof_of_another_key() {
    let app = start().await;
    let world = World::new(&app).await;
    let thief = Holder::new(&app);
    is_refused_by_dpop(thief.userinfo(&world.tokens), "invalid_token").await;
    // Nor are two tokens of two keys worth each other's proofs.
    let code = world.photos.code(&mut Browser::new(&app), "ann").await;
    let theirs = thief.tokens(&world.photos, world.photos.redeems(&code)).await;
    let proof = thief.for_resource("GET", PATH, theirs["access_token"].as_str().unwrap());
    is_refused_by_dpop(world.with_proof(&proof), "invalid_dpop_proof").await;
}

#[tokio::test]
async fn a_proof_that_was_used_at_a_resource_is_good_no_more() {
    let app = start().await;
    let world = World::new(&app).await;
    let proof = world.holder.for_resource("GET", PATH, world.token());
    let all = (0..16).map(|_| world.with_proof(&proof).send());
    let all = futures_util::future::join_all(all).await;
    assert_eq!(all.iter().filter(|answer| answer.as_ref().unwrap().status() == 200).count(), 1);
    for seconds in [0, 59, 2] {
        app.clock.advance_secs(seconds);
        is_refused_by_dpop(world.with_proof(&proof), "invalid_dpop_proof").await;
    }
}

#[tokio::test]
async fn without_a_token_both_ways_of_sending_one_are_told() {
    let app = start().await;
    let answer = app.get(PATH).await;
    let expected = ["Bearer realm=\"auth-service\"", "DPoP algs=\"ES256 EdDSA RS256 PS256\""];
    assert_eq!(challenges(&answer), expected);
}

#[tokio::test]
async fn the_rest_of_the_api_takes_neither_bound_tokens_nor_its_own_as_if_they_were() {
    let app = start().await;
    let world = World::new(&app).await;
    let ann = app.log_in("ann", PASSWORD).await;
    let me = || app.request(Method::GET, "/auth/me");
    app.fails(me().bearer_auth(world.token()), 401, "INVALID_TOKEN").await;
    let proof = |token: &str| world.holder.for_resource("GET", "/auth/me", token);
    for token in [world.token(), &ann.tokens.access] {
        let request = me().header("Authorization", format!("DPoP {token}")).header("DPoP", proof(token));
        app.fails(request, 401, "INVALID_TOKEN").await;
    }
    // Nor does a cookie count beside it.
    let both =
        ann.cookie(Method::GET, "/auth/me").header("Authorization", format!("dpop {}", ann.tokens.access));
    app.fails(both, 401, "INVALID_TOKEN").await;
    app.json(ann.bearer(Method::GET, "/auth/me"), 200).await;
}

#[tokio::test]
async fn pages_of_any_origin_can_send_proofs_and_read_nonces() {
    let app = start().await;
    let world = World::new(&app).await;
    for path in ["/oauth2/token", PATH] {
        let asked = app.request(Method::OPTIONS, path).header("Origin", "https://spa.example");
        let asked = asked.header("Access-Control-Request-Method", "POST");
        let answer =
            asked.header("Access-Control-Request-Headers", "authorization, dpop").send().await.unwrap();
        let allowed = answer.headers()["access-control-allow-headers"].to_str().unwrap();
        assert!(allowed.split(", ").any(|name| name == "dpop"), "{path}: {allowed}");
    }
    let request = world.holder.userinfo(&world.tokens).header("Origin", "https://spa.example");
    let answer = request.send().await.unwrap();
    let exposed = answer.headers()["access-control-expose-headers"].to_str().unwrap();
    for name in ["dpop-nonce", "www-authenticate"] {
        assert!(exposed.split(", ").any(|known| known == name), "{exposed}");
    }
}
