//! Passkeys through a socket, with an authenticator in software.
mod last_one;
mod login;
mod manage;
mod register;
mod second_factor;
mod settings;

use reqwest::{Method, RequestBuilder, Response};
use serde_json::{Value, json};

use crate::support::{Authenticator, Person, TestApp, Tokens};

/// A device that a user of this server holds.
pub fn device(app: &TestApp) -> Authenticator {
    Authenticator::new(app.app.config.public_url().origin())
}

/// What a browser is asked when a passkey is to be made.
async fn asked_for_new(person: &Person<'_>) -> Value {
    person.app.json(person.bearer(Method::POST, "/auth/passkeys/register/start").json(&json!({})), 200).await
}

/// The request that brings a new passkey.
fn new_passkey(person: &Person<'_>, asked: &Value, credential: &Value) -> RequestBuilder {
    let body = json!({"challenge_id": asked["challenge_id"], "credential": credential, "name": "Laptop"});
    person.bearer(Method::POST, "/auth/passkeys/register/finish").json(&body)
}

/// Registers a passkey; gives how the server shows it.
pub async fn register(person: &Person<'_>, device: &mut Authenticator) -> Value {
    let asked = asked_for_new(person).await;
    // As if it were another device: one makes a single passkey for an account.
    let mut held = std::mem::take(&mut device.keys);
    let credential = device.create(&asked["options"]);
    held.append(&mut device.keys);
    device.keys = held;
    person.app.json(new_passkey(person, &asked, &credential), 201).await
}

/// What a browser is asked when somebody wants to log in.
pub async fn asked_for_login(app: &TestApp) -> Value {
    app.json(app.request(Method::POST, "/auth/passkeys/login/start").json(&json!({})), 200).await
}

/// The request that logs in.
pub fn login(app: &TestApp, asked: &Value, credential: &Value) -> RequestBuilder {
    let body = json!({"challenge_id": asked["challenge_id"], "credential": credential});
    app.request(Method::POST, "/auth/passkeys/login/finish").json(&body)
}

/// Logs in; gives the answer.
async fn log_in(app: &TestApp, device: &mut Authenticator) -> Response {
    let asked = asked_for_login(app).await;
    let credential = device.get(&asked["options"]);
    login(app, &asked, &credential).send().await.unwrap()
}

/// Logs in, which must work.
async fn logged_in<'a>(app: &'a TestApp, device: &mut Authenticator) -> Person<'a> {
    let answer = log_in(app, device).await;
    assert_eq!(answer.status(), 200, "{}", answer.text().await.unwrap());
    app.person(Tokens::from(answer).await)
}

/// The passkeys of somebody, as the server lists them.
async fn listed(person: &Person<'_>) -> Vec<Value> {
    let list = person.app.json(person.bearer(Method::GET, "/auth/passkeys"), 200).await;
    list["items"].as_array().unwrap().clone()
}

/// The events of an action that are in the trail by now.
async fn events(app: &TestApp, action: &str) -> Vec<auth_service::audit::Event> {
    app.app.write_gathered().await;
    let all = app.app.store.get(|tx| auth_service::audit::table::from(tx, 1, 10_000)).unwrap();
    all.into_iter().map(|entry| entry.event).filter(|event| event.action == action).collect()
}

/// Why the last login was refused, as the trail says.
async fn refusal(app: &TestApp) -> String {
    refusal_of(app, "session.refused").await
}

/// Whether a login was refused for a reason. Those of one moment are written in no order.
async fn was_refused_for(app: &TestApp, reason: &str) -> bool {
    let refused = events(app, "session.refused").await;
    refused.iter().any(|event| event.details.iter().any(|(name, why)| name == "reason" && why == reason))
}

/// Why the last one of an action was refused.
async fn refusal_of(app: &TestApp, action: &str) -> String {
    let refused = events(app, action).await;
    let reason = refused.last().unwrap().details.iter().find(|(name, _)| name == "reason").unwrap();
    reason.1.clone()
}
