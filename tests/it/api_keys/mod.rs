//! API keys: what they open, what they never open, and when they end.
mod bounds;
mod credential;
mod form;
mod limits;
mod networks;
mod owner;
mod revocation;
mod rights;
mod rotation;
mod usage;
mod verify;

use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};

use crate::support::{Person, TestApp};

/// A key with its text.
struct Key {
    id: String,
    text: String,
}

impl Key {
    fn of(made: &Value) -> Self {
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        Self { id: text(&made["api_key"]["id"]), text: text(&made["key"]) }
    }
}

/// Makes a key of somebody's own.
async fn make(who: &Person<'_>, body: &Value) -> Key {
    Key::of(&who.app.json(asks(who, body), 201).await)
}

/// The request that asks for a key of one's own.
fn asks(who: &Person, body: &Value) -> RequestBuilder {
    who.bearer(Method::POST, "/auth/api-keys").json(body)
}

/// A request for one of the own keys, or for what hangs below it.
fn of(who: &Person, method: Method, id: &str, rest: &str) -> RequestBuilder {
    who.bearer(method, &format!("/auth/api-keys/{id}{rest}"))
}

fn patch(who: &Person, id: &str, body: &Value) -> RequestBuilder {
    of(who, Method::PATCH, id, "").json(body)
}

/// A request with a key and nothing else.
fn with(app: &TestApp, key: &str, method: Method, path: &str) -> RequestBuilder {
    app.request(method, path).header("X-API-Key", key)
}

fn me(app: &TestApp, key: &str) -> RequestBuilder {
    with(app, key, Method::GET, "/auth/me")
}

fn post(app: &TestApp, key: &str, path: &str, body: &Value) -> RequestBuilder {
    with(app, key, Method::POST, path).json(body)
}

/// The status of a request with a key that may read its owner's account.
async fn status(app: &TestApp, key: &str) -> u16 {
    me(app, key).send().await.unwrap().status().as_u16()
}

fn reader(name: &str) -> Value {
    json!({"name": name, "permissions": ["account:read"]})
}
