//! Clients of the OAuth 2.0 server: who registers them, what they may be, and what users have let them have.
mod consents;
mod declared;
mod form;
mod rights;
mod secrets;

use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};

use crate::support::{Person, TestApp};

const REDIRECT: &str = "https://app.example/cb";

/// What an application in a browser is asked for as.
fn web(id: &str) -> Value {
    json!({"client_id": id, "client_name": "App", "redirect_uris": [REDIRECT]})
}

/// What a program that acts for itself is asked for as.
fn robot(id: &str) -> Value {
    json!({"client_id": id, "client_name": "Robot", "grant_types": ["client_credentials"]})
}

fn with(mut body: Value, field: &str, value: Value) -> Value {
    body[field] = value;
    body
}

fn create(who: &Person, body: &Value) -> RequestBuilder {
    who.bearer(Method::POST, "/oauth-clients").json(body)
}

async fn made(who: &Person<'_>, body: &Value) -> Value {
    who.app.json(create(who, body), 201).await
}

fn of(who: &Person, method: Method, id: &str, rest: &str) -> RequestBuilder {
    let id = id.replace(':', "%3A").replace('/', "%2F");
    who.bearer(method, &format!("/oauth-clients/{id}{rest}"))
}

fn change(who: &Person, id: &str, body: &Value) -> RequestBuilder {
    of(who, Method::PATCH, id, "").json(body)
}

fn rotate(who: &Person, id: &str, overlap: i64) -> RequestBuilder {
    of(who, Method::POST, id, "/secret").json(&json!({"overlap_seconds": overlap}))
}

/// The secret of an answer that shows one.
fn secret_of(made: &Value) -> String {
    made["client_secret"].as_str().unwrap().to_owned()
}

/// A request with the fields of a form.
fn form(request: RequestBuilder, fields: &[(&str, &str)]) -> RequestBuilder {
    let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
    request.header("Content-Type", "application/x-www-form-urlencoded").body(body)
}

/// What the token endpoint says to a client that proves itself by `Authorization: Basic`.
async fn by_basic(app: &TestApp, id: &str, secret: &str) -> u16 {
    let request = app.request(Method::POST, "/oauth2/token").basic_auth(id, Some(secret));
    form(request, &[("grant_type", "client_credentials")]).send().await.unwrap().status().as_u16()
}

/// And to one that does by its body.
async fn by_post(app: &TestApp, id: &str, secret: &str) -> u16 {
    let fields = [("grant_type", "client_credentials"), ("client_id", id), ("client_secret", secret)];
    form(app.request(Method::POST, "/oauth2/token"), &fields).send().await.unwrap().status().as_u16()
}

async fn role(root: &Person<'_>, name: &str, permissions: &[&str]) {
    let body = json!({"name": name, "permissions": permissions});
    root.app.json(root.bearer(Method::POST, "/roles").json(&body), 201).await;
}

/// A user with a role of its own that has these permissions.
async fn holder<'a>(root: &Person<'a>, name: &str, permissions: &[&str]) -> Person<'a> {
    role(root, name, permissions).await;
    let holder = root.app.user(name).await;
    let give = root.bearer(Method::PUT, &format!("/users/{}/roles", holder.id()));
    root.app.json(give.json(&json!({"roles": [name]})), 200).await;
    holder
}

/// Every row is what it has to be.
fn is_whole(app: &TestApp) {
    let findings = app.app.store.verify(&auth_service::app::CHECKS.concat()).unwrap();
    assert_eq!(findings.problems, Vec::<String>::new());
}
