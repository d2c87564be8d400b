//! A chain of applications: a page that a user has logged in to, an API that it calls, and what that calls in turn.
use serde_json::{Value, json};

use super::browser::Browser;
use super::party::{Fields, Party};
use crate::support::{Person, TestApp, jwt};

pub const GRANT: &str = "urn:ietf:params:oauth:grant-type:token-exchange";
pub const ACCESS: &str = "urn:ietf:params:oauth:token-type:access_token";
pub const JWT: &str = "urn:ietf:params:oauth:token-type:jwt";
pub const API: &str = "https://api.example/";
pub const BILLING: &str = "https://billing.example/";

pub struct Chain<'a> {
    pub app: &'a TestApp,
    pub root: Person<'a>,
    pub spa: Party<'a>,
    pub api: Party<'a>,
}

impl<'a> Chain<'a> {
    /// `permissions`: those of the API.
    pub async fn new(app: &'a TestApp, permissions: &[&str]) -> Self {
        let root = app.superuser("root").await;
        app.register("ann").await;
        let spa = Party::register(&root, json!({"first_party": true, "resources": [API]})).await;
        let api = service(&root, permissions, &[&spa.id]).await;
        Self { app, root, spa, api }
    }

    /// One more that may exchange tokens of some.
    pub async fn service(&self, permissions: &[&str], of: &[&str]) -> Party<'a> {
        service(&self.root, permissions, of).await
    }

    /// What the page asks for.
    pub fn asked(&self) -> Fields {
        self.spa.asks().with("scope", "openid email").with("resource", API)
    }

    /// The tokens of the page: the access token is what it sends to the API.
    pub async fn subject(&self) -> Value {
        let code = self.spa.answer(&mut Browser::new(self.app), &self.asked(), "ann").await["code"].clone();
        self.spa.tokens(self.spa.redeems(&code)).await
    }

    /// The tokens of the page, and what the API gets for them.
    pub async fn exchanged(&self) -> (Value, Value) {
        let subject = self.subject().await;
        let given = self.api.tokens(asks(&subject).with("audience", BILLING)).await;
        (subject, given)
    }
}

async fn service<'a>(root: &Person<'a>, permissions: &[&str], of: &[&str]) -> Party<'a> {
    let body = json!({
        "grant_types": ["client_credentials", GRANT], "redirect_uris": [], "permissions": permissions,
        "exchange_clients": of, "resources": [BILLING],
    });
    Party::register(root, body).await
}

/// What exchanges an access token.
pub fn asks(tokens: &Value) -> Fields {
    let fields = Fields(Vec::new()).with("grant_type", GRANT);
    let token = tokens["access_token"].as_str().unwrap();
    fields.with("subject_token", token).with("subject_token_type", ACCESS)
}

pub fn claims(tokens: &Value) -> Value {
    jwt::claims(tokens["access_token"].as_str().unwrap())
}
