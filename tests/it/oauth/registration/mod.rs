//! Clients that register themselves (RFC 7591), and manage what they have registered (RFC 7592).
mod attacks;
mod consent;
mod manage;
mod metadata;
mod open;
mod sector;
mod tokens;

use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};

use super::{Browser, CALLBACK, Party, is_refused, issuer};
use crate::support::{Person, Setup, TestApp};

/// A server where anybody registers clients.
fn open() -> Setup {
    Setup::default().with("client_registration.state", "open")
}

/// What can be registered; the default algorithm, RS256, takes a second to make its keys.
fn album() -> Value {
    json!({
        "client_name": "Photo album",
        "redirect_uris": [CALLBACK],
        "grant_types": ["authorization_code", "refresh_token"],
        "id_token_signed_response_alg": "ES256",
    })
}

fn with(mut body: Value, name: &str, value: Value) -> Value {
    body[name] = value;
    body
}

fn asks(app: &TestApp, body: &Value) -> RequestBuilder {
    app.request(Method::POST, "/oauth2/register").json(body)
}

async fn registered(app: &TestApp, body: &Value) -> Value {
    app.json(asks(app, body), 201).await
}

/// Sends what must be refused; what is said.
async fn refused(request: RequestBuilder, status: u16, error: &str) -> String {
    is_refused(request.send().await.unwrap(), status, error).await
}

fn text<'v>(value: &'v Value, name: &str) -> &'v str {
    value[name].as_str().unwrap_or_else(|| panic!("{name}: {value}"))
}

/// A request of a client about itself.
fn own(app: &TestApp, method: Method, about: &Value) -> RequestBuilder {
    let path = format!("/oauth2/register/{}", text(about, "client_id"));
    app.request(method, &path).bearer_auth(text(about, "registration_access_token"))
}

fn replaces(app: &TestApp, about: &Value, body: &Value) -> RequestBuilder {
    let body = with(body.clone(), "client_id", about["client_id"].clone());
    own(app, Method::PUT, about).json(&body)
}

/// A client that has registered itself.
fn party<'a>(app: &'a TestApp, about: &Value) -> Party<'a> {
    Party {
        app,
        id: text(about, "client_id").to_owned(),
        secret: about["client_secret"].as_str().map(str::to_owned),
        method: text(about, "token_endpoint_auth_method").to_owned(),
    }
}

async fn token(root: &Person<'_>, body: &Value) -> Value {
    root.app.json(root.bearer(Method::POST, "/oauth-registration-tokens").json(body), 201).await
}

/// Every row is what it has to be.
fn is_whole(app: &TestApp) {
    let findings = app.app.store.verify(&auth_service::app::CHECKS.concat()).unwrap();
    assert_eq!(findings.problems, Vec::<String>::new());
}
