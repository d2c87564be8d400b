//! Request objects (RFC 9101, OpenID Connect Core section 6): the parameters of a request, signed by the client. Pure.
use serde_json::{Map, Value};

use super::parameters::{Origin, Parameters};
use super::request::Refusal;
use crate::base::Timestamp;
use crate::oauth::assertion::model::{check_begins, time};
use crate::oauth::client::Client;

/// Nothing that anybody asks for comes near.
pub const MAX_BYTES: usize = 32 * 1024;
/// With a type of its own (RFC 9101 section 10.8), or with that of all.
pub const TYPES: &[&str] = &["JWT", "oauth-authz-req+jwt"];
/// What a JWT says of itself (RFC 7519 section 4.1): no parameters.
const ABOUT: &[&str] = &["iss", "aud", "exp", "nbf", "iat", "jti", "sub"];
/// What says where an answer goes, and how.
const DESTINATION: &[&str] = &["redirect_uri", "response_mode", "state"];

/// A refusal in the words of RFC 9101 section 7.
#[must_use]
pub const fn invalid(description: &'static str) -> Refusal {
    Refusal { error: "invalid_request_object", description }
}

/// The parameters that a client has signed. What stands beside them in the request counts for nothing (RFC 9101 section 6.3).
///
/// # Errors
/// What is wrong with them, for the client.
pub fn read(
    client: &Client,
    issuer: &str,
    outer: &Parameters,
    (claims, now): (&Map<String, Value>, Timestamp),
) -> Result<Parameters, Refusal> {
    let text = |name: &str| claims.get(name).and_then(Value::as_str);
    let is_us = |value: &Value| value.as_str() == Some(issuer);
    let is_for_us = match claims.get("aud") {
        Some(Value::Array(all)) => all.iter().any(is_us),
        Some(one) => is_us(one),
        None => false,
    };
    if text("iss") != Some(client.id.as_str()) || !is_for_us {
        return Err(invalid(
            "iss of the request object must be the client_id, and aud the issuer of this server",
        ));
    }
    if text("client_id") != Some(client.id.as_str()) {
        return Err(invalid("client_id of the request object must be the one beside it"));
    }
    // Else what a client signs to say who it is could be taken for what it asks for (RFC 9101 section 10.8).
    if text("sub") == Some(client.id.as_str()) {
        return Err(invalid("sub of the request object must not be the client_id"));
    }
    let exp = time(claims, "exp").map_err(invalid)?;
    if exp.is_some_and(|exp| exp <= now.secs()) {
        return Err(invalid("the request object is over (exp)"));
    }
    check_begins(claims, now).map_err(invalid)?;
    if claims.contains_key("request") || claims.contains_key("request_uri") {
        return Err(invalid("a request object must not hold request or request_uri"));
    }
    // OpenID Connect Core section 6.1.
    if outer.get("response_type").is_some_and(|outside| text("response_type") != Some(outside)) {
        return Err(invalid("response_type of the request object must be the one beside it"));
    }
    let mut parameters = Parameters::default();
    for (name, value) in claims.iter().filter(|(name, _)| !ABOUT.contains(&name.as_str())) {
        put(&mut parameters, name, value)?;
    }
    parameters.origin = Origin { is_signed: true, ..Origin::default() };
    Ok(parameters)
}

fn put(parameters: &mut Parameters, name: &str, value: &Value) -> Result<(), Refusal> {
    const BROKEN: Refusal = invalid("a parameter of the request object is no text, number or object");
    match (name, value) {
        (_, Value::Null) => {}
        ("resource", Value::Array(all)) => {
            for one in all {
                parameters.resources.push(one.as_str().ok_or(BROKEN)?.to_owned());
            }
        }
        ("resource", Value::String(one)) => parameters.resources.push(one.clone()),
        ("resource", _) | (_, Value::Array(_)) => return Err(BROKEN),
        (_, Value::String(text)) if text.is_empty() => {}
        (_, Value::String(text)) => parameters.set(name, text.clone()),
        (_, other) => parameters.set(name, other.to_string()),
    }
    Ok(())
}

/// A request whose object is not good. Where it says that the answer shall go holds against what stands beside it, as it would
/// if it were good: an address that is not registered leads to a page, and nowhere else.
#[must_use]
pub fn broken(mut outer: Parameters, claims: Option<&Map<String, Value>>, why: Refusal) -> Parameters {
    for name in DESTINATION {
        match claims.and_then(|claims| claims.get(*name)) {
            Some(Value::String(text)) => outer.set(name, text.clone()),
            Some(Value::Null) | None => {}
            Some(_) => outer.remove(name),
        }
    }
    outer.origin.broken = Some(why);
    outer
}
