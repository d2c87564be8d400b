//! Whoever holds a key, and proves it (RFC 9449), or tries to.
use std::sync::atomic::{AtomicU64, Ordering};

use auth_service::base::Clock;
use auth_service::crypto::signing::generate;
use auth_service::crypto::{Algorithm, PublicKey, SigningKey, sha256};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};

use super::party::{Fields, Party, issuer};
use crate::support::TestApp;

pub struct Holder<'a> {
    app: &'a TestApp,
    pub key: SigningKey,
    made: AtomicU64,
}

impl<'a> Holder<'a> {
    pub fn new(app: &'a TestApp) -> Self {
        Self::with(app, Algorithm::Es256)
    }

    pub fn with(app: &'a TestApp, algorithm: Algorithm) -> Self {
        let key = SigningKey::parse(algorithm, &generate(algorithm).unwrap()).unwrap();
        Self { app, key, made: AtomicU64::new(0) }
    }

    /// The thumbprint of the key.
    pub fn jkt(&self) -> String {
        PublicKey::parse(&self.jwk()).unwrap().thumbprint().to_string()
    }

    pub fn jwk(&self) -> Value {
        serde_json::to_value(self.key.public().unwrap()).unwrap()
    }

    pub fn header(&self) -> Value {
        json!({"typ": "dpop+jwt", "alg": self.key.algorithm().name(), "jwk": self.jwk()})
    }

    /// What a proof for a request says; each is another one.
    pub fn claims(&self, method: &str, path: &str) -> Value {
        json!({
            "jti": format!("proof-{}", self.made.fetch_add(1, Ordering::SeqCst)),
            "htm": method,
            "htu": format!("{}{path}", issuer(self.app)),
            "iat": self.app.clock.now().secs(),
        })
    }

    /// A proof for a request to the token endpoint.
    pub fn for_token(&self) -> String {
        self.signed(&self.header(), &self.claims("POST", "/oauth2/token"))
    }

    /// A proof for a request with an access token.
    pub fn for_resource(&self, method: &str, path: &str, token: &str) -> String {
        let mut claims = self.claims(method, path);
        claims["ath"] = json!(ath(token));
        self.signed(&self.header(), &claims)
    }

    /// Whatever it says, signed by the key.
    pub fn signed(&self, header: &Value, claims: &Value) -> String {
        let encode = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let message = format!("{}.{}", encode(header), encode(claims));
        let signature = self.key.sign(message.as_bytes()).unwrap();
        format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature))
    }

    /// A request of a client for tokens, with a proof.
    pub fn request(&self, party: &Party<'a>, fields: Fields) -> RequestBuilder {
        party.request("/oauth2/token", fields).header("DPoP", self.for_token())
    }

    /// Asks for tokens that are bound to the key, and gets them.
    pub async fn tokens(&self, party: &Party<'a>, fields: Fields) -> Value {
        let answer = self.request(party, fields).send().await.unwrap();
        assert!(answer.headers().contains_key("dpop-nonce"));
        let (status, text) = (answer.status().as_u16(), answer.text().await.unwrap());
        assert_eq!(status, 200, "{text}");
        let tokens: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(tokens["token_type"], "DPoP", "{tokens}");
        let claims = crate::support::jwt::claims(tokens["access_token"].as_str().unwrap());
        assert_eq!(claims["cnf"], json!({"jkt": self.jkt()}));
        tokens
    }

    /// A request about the user, with a token and a proof.
    pub fn userinfo(&self, tokens: &Value) -> RequestBuilder {
        let token = tokens["access_token"].as_str().unwrap();
        let proof = self.for_resource("GET", "/oauth2/userinfo", token);
        self.app
            .request(Method::GET, "/oauth2/userinfo")
            .header("Authorization", format!("DPoP {token}"))
            .header("DPoP", proof)
    }
}

/// The hash of an access token that a proof is about.
pub fn ath(token: &str) -> String {
    URL_SAFE_NO_PAD.encode(sha256(&[token.as_bytes()]))
}

/// A server that has been there for a while: in its first seconds it asks for nonces.
pub async fn start() -> TestApp {
    let app = TestApp::start().await;
    app.clock.advance_secs(10);
    app
}

/// A client that acts for itself.
pub async fn robot<'a>(root: &crate::support::Person<'a>, also: Value) -> Party<'a> {
    let mut body = json!({"grant_types": ["client_credentials"], "redirect_uris": [], "scope": "read"});
    body.as_object_mut().unwrap().extend(also.as_object().unwrap().clone());
    Party::register(root, body).await
}

/// What such a client asks for.
pub fn asks() -> Fields {
    Fields(Vec::new()).with("grant_type", "client_credentials")
}
