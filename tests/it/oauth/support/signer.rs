//! A client that signs who it is and what it asks for, or somebody who would like to be one.
use std::sync::atomic::{AtomicU64, Ordering};

use auth_service::base::Clock;
use auth_service::crypto::signing::generate;
use auth_service::crypto::{Algorithm, SigningKey};
use reqwest::{Method, RequestBuilder, Response};
use serde_json::{Value, json};

use super::party::{Fields, issuer};
use crate::support::{Person, TestApp, jwt};

/// RFC 7523 section 2.2.
pub const BEARER: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

pub struct Signer<'a> {
    pub app: &'a TestApp,
    pub id: String,
    pub key: SigningKey,
    made: AtomicU64,
}

impl<'a> Signer<'a> {
    /// A client with a key that nobody else has, but for what `also` says.
    pub async fn register(root: &Person<'a>, algorithm: Algorithm, also: Value) -> Self {
        let key = SigningKey::parse(algorithm, &generate(algorithm).unwrap()).unwrap();
        let mut body = json!({
            "client_name": "Robot",
            "grant_types": ["client_credentials"],
            "token_endpoint_auth_method": "private_key_jwt",
            "jwks": {"keys": [public(&key)]},
            "id_token_signed_response_alg": "ES256",
        });
        body.as_object_mut().unwrap().extend(also.as_object().unwrap().clone());
        let made = root.app.json(root.bearer(Method::POST, "/oauth-clients").json(&body), 201).await;
        assert_eq!(made["client_secret"], Value::Null);
        Self::known_as(root.app, made["client_id"].as_str().unwrap(), key)
    }

    /// A client that signs with its secret.
    pub async fn with_secret(root: &Person<'a>) -> (Self, String) {
        let body = json!({
            "client_name": "Robot",
            "grant_types": ["client_credentials"],
            "token_endpoint_auth_method": "client_secret_jwt",
            "id_token_signed_response_alg": "ES256",
        });
        let made = root.app.json(root.bearer(Method::POST, "/oauth-clients").json(&body), 201).await;
        let secret = made["client_secret"].as_str().unwrap().to_owned();
        let key = SigningKey::parse(Algorithm::Hs256, secret.as_bytes()).unwrap();
        (Self::known_as(root.app, made["client_id"].as_str().unwrap(), key), secret)
    }

    pub fn known_as(app: &'a TestApp, id: &str, key: SigningKey) -> Self {
        Self { app, id: id.to_owned(), key, made: AtomicU64::new(0) }
    }

    pub fn header(&self) -> Value {
        let header = json!({"alg": self.key.algorithm().name(), "typ": "JWT", "kid": self.key.kid()});
        if self.key.algorithm() == Algorithm::Hs256 { without(&header, "kid") } else { header }
    }

    /// Who it is; each time in other words.
    pub fn claims(&self) -> Value {
        let now = self.app.clock.now().secs();
        json!({
            "iss": self.id,
            "sub": self.id,
            "aud": issuer(self.app),
            "iat": now,
            "exp": now + 60,
            "jti": format!("jti-{}", self.made.fetch_add(1, Ordering::SeqCst)),
        })
    }

    pub fn assertion(&self) -> String {
        jwt::forge(&self.key, &self.header(), &self.claims())
    }

    /// With some claims otherwise; null: without.
    pub fn assertion_but(&self, change: &Value) -> String {
        jwt::forge(&self.key, &self.header(), &changed(&self.claims(), change))
    }

    /// Asks for a token of its own with an assertion.
    pub async fn sends(&self, assertion: &str) -> Response {
        let fields = Fields(Vec::new()).with("grant_type", "client_credentials");
        proving(fields, assertion).post(self.app, "/oauth2/token").send().await.unwrap()
    }

    /// Whether an assertion is worth a token.
    pub async fn is_taken(&self, assertion: &str) -> bool {
        let answer = self.sends(assertion).await;
        match answer.status().as_u16() {
            200 => true,
            _ => {
                super::is_refused(answer, 401, "invalid_client").await;
                false
            }
        }
    }

    /// A request that proves who it is.
    pub fn request(&self, path: &str, fields: Fields) -> RequestBuilder {
        proving(fields, &self.assertion()).post(self.app, path)
    }
}

/// Fields with a proof of who the client is.
pub fn proving(fields: Fields, assertion: &str) -> Fields {
    fields.with("client_assertion_type", BEARER).with("client_assertion", assertion)
}

/// The public half of a key.
pub fn public(key: &SigningKey) -> Value {
    serde_json::to_value(key.public().unwrap()).unwrap()
}

/// With some members otherwise; null: without.
pub fn changed(old: &Value, change: &Value) -> Value {
    let mut new = old.clone();
    for (name, value) in change.as_object().unwrap() {
        if value.is_null() {
            new = without(&new, name);
        } else {
            new[name] = value.clone();
        }
    }
    new
}

fn without(value: &Value, name: &str) -> Value {
    let mut value = value.clone();
    value.as_object_mut().unwrap().remove(name);
    value
}
