//! The operations of the OpenAPI document, and the files that hold what they were before.
use std::path::PathBuf;

use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};

use super::TestApp;

const JSON: &str = "application/json; charset=utf-8";

/// Operations that anyone may call, and why. This list may only shrink.
pub const PUBLIC: [(&str, &str); 34] = [
    ("get_health", "anyone may ask"),
    ("get_liveness", "supervisors have no account"),
    ("get_readiness", "supervisors have no account"),
    ("get_jwks", "public keys are public"),
    ("get_openid_configuration", "clients ask it before they have anything"),
    ("get_oauth_authorization_server", "clients ask it before they have anything"),
    ("get_oauth_protected_resource", "clients ask it before they have anything"),
    ("oauth_token", "its credential is the client's"),
    ("oauth_userinfo", "its credential is an access token of a client"),
    ("oauth_userinfo_by_post", "its credential is an access token of a client"),
    ("oauth_introspect", "its credential is the client's"),
    ("oauth_revoke", "its credential is the client's"),
    ("oauth_device_authorization", "its credential is the client's"),
    ("oauth_push_request", "its credential is the client's"),
    (
        "oauth_register",
        "nobody has a client before; its credential, where one is needed, is an initial access token",
    ),
    ("oauth_read_registration", "its credential is the client's registration access token"),
    ("oauth_replace_registration", "its credential is the client's registration access token"),
    ("oauth_delete_registration", "its credential is the client's registration access token"),
    ("register", "nobody has an account before"),
    ("log_in", "its credential is the password"),
    ("log_in_alias", "its credential is the password"),
    ("verify_mfa", "its credential is the token of a login"),
    ("start_passkey_login", "nobody is logged in before"),
    ("finish_passkey_login", "its credential is the passkey"),
    ("get_related_origins", "browsers ask it for pages of others"),
    ("start_mfa_passkey", "its credential is the token of a login"),
    ("recover_account", "its credential is the token of the recovery"),
    ("reset_password", "its credential is the token of the reset"),
    ("forget_password", "whoever has forgotten it has none"),
    ("verify_email", "its credential is the token in the mail"),
    ("confirm_email", "its credential is the token in the mail"),
    ("start_email_login", "nobody is logged in before"),
    ("finish_email_login", "its credential is what was mailed"),
    ("refresh_token", "its credential is the refresh token"),
];

/// One operation of the document.
pub struct Operation<'s> {
    pub id: &'s str,
    pub method: Method,
    pub path: String,
    pub spec: &'s Value,
}

impl Operation<'_> {
    pub fn is_public(&self) -> bool {
        PUBLIC.iter().any(|(id, _)| *id == self.id)
    }

    pub fn is_unsafe(&self) -> bool {
        self.method != Method::GET
    }

    /// Whether its errors have the form of RFC 6749.
    pub fn is_of_protocol(&self) -> bool {
        self.id.starts_with("oauth_")
    }

    /// A request with a body that is no worse than empty.
    pub fn dressed(&self, request: RequestBuilder) -> RequestBuilder {
        let types = self.spec["requestBody"]["content"].as_object();
        match types.filter(|types| !types.contains_key(JSON)).and_then(|types| types.keys().next()) {
            Some(media_type) => request.header("Content-Type", media_type).body("{}"),
            None if self.is_unsafe() => request.json(&json!({})),
            None => request,
        }
    }

    pub fn responses(&self) -> impl Iterator<Item = (u16, &Value)> {
        let all = self.spec["responses"].as_object().unwrap();
        all.iter().map(|(status, response)| (status.parse().unwrap(), response))
    }
}

/// All of them.
pub fn operations(app: &TestApp) -> Vec<Operation<'_>> {
    let mut all = Vec::new();
    for (path, operations) in app.spec["paths"].as_object().unwrap() {
        for (method, spec) in operations.as_object().unwrap() {
            all.push(Operation {
                id: spec["operationId"].as_str().unwrap_or_else(|| panic!("{method} {path} has no id")),
                method: method.to_uppercase().parse().unwrap(),
                path: path
                    .replace("{id}", &"0".repeat(32))
                    .replace("{passkey}", &"0".repeat(32))
                    .replace("{key}", &"0".repeat(32))
                    .replace("{session}", &"0".repeat(32)),
                spec,
            });
        }
    }
    assert!(all.len() >= 16, "the walk has lost its way");
    all
}

/// Compares a text with what a file has, which `AUTH_BLESS=1` rewrites.
pub fn golden(name: &str, text: &str) {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/it/golden").join(name);
    if std::env::var("AUTH_BLESS").is_ok_and(|bless| bless == "1") {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
    }
    let golden = std::fs::read_to_string(&path).unwrap_or_default();
    let differs = text.lines().zip(golden.lines()).position(|(now, before)| now != before).map(|at| at + 1);
    assert!(text == golden, "differs from {} at line {differs:?}; AUTH_BLESS=1 rewrites it", path.display());
}
