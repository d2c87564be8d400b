//! Who a client is, by what it sends along (RFC 6749 section 2.3, OpenID Connect Core section 9).
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use poem::http::HeaderMap;
use poem::http::header::AUTHORIZATION;
use poem_openapi::Object;

use super::live::LiveClients;
use super::model::{Authentication, Client, ClientId};
use crate::base::{Secret, Timestamp};
use crate::crypto::{Algorithm, Jws};
use crate::http::ProtocolFailure;
use crate::oauth::assertion::model::BEARER;
use crate::oauth::error::{invalid_client, invalid_request};

/// What of a body says who the client is.
#[derive(Default)]
pub struct Claimed {
    pub client_id: Option<String>,
    pub client_secret: Option<Secret>,
    pub assertion_type: Option<String>,
    pub assertion: Option<Secret>,
}

/// The part of a form that says who the client is: the same at every endpoint where clients prove it.
#[derive(Object, Default)]
pub struct ClaimedBody {
    client_id: Option<String>,
    client_secret: Option<String>,
    /// `urn:ietf:params:oauth:client-assertion-type:jwt-bearer`, for private_key_jwt and client_secret_jwt (RFC 7523).
    client_assertion_type: Option<String>,
    client_assertion: Option<String>,
}

/// What a client has shown.
struct Shown {
    id: String,
    proof: Option<Secret>,
    method: Authentication,
}

/// The client of a request, proven in the way that it has registered and in no other.
///
/// # Errors
/// `invalid_request` for two ways at once, `invalid_client` for anything that is not right.
pub async fn authenticate(
    clients: &LiveClients,
    headers: &HeaderMap,
    claimed: Claimed,
    now: Timestamp,
) -> Result<Arc<Client>, ProtocolFailure> {
    let shown = shown(headers, claimed)?;
    let refused =
        || invalid_client("the client is not known, or has not proven who it is as it has registered");
    let id = ClientId::parse(&shown.id).map_err(|_| refused())?;
    let client = clients.find(&id)?.ok_or_else(refused)?;
    if client.metadata.authentication != shown.method {
        return Err(refused());
    }
    let Some(proof) = &shown.proof else { return Ok(client) };
    if shown.method.signs() {
        let outcome = clients.assertions.admit(&client, proof.expose(), now).await?;
        return outcome.map(|()| client).map_err(invalid_client);
    }
    if client.has_secret(proof.expose(), now) { Ok(client) } else { Err(refused()) }
}

fn shown(headers: &HeaderMap, claimed: Claimed) -> Result<Shown, ProtocolFailure> {
    let mut basic = headers.get_all(AUTHORIZATION).iter();
    let (first, second) = (basic.next(), basic.next());
    if second.is_some() {
        return Err(invalid_request("the header Authorization came twice"));
    }
    let text = first.map(|value| value.to_str().unwrap_or_default()).unwrap_or_default();
    let (scheme, encoded) = text.split_once(' ').unwrap_or((text, ""));
    if scheme.eq_ignore_ascii_case("basic") {
        if claimed.client_secret.is_some() || claimed.is_signed() {
            return Err(invalid_request("the client proves who it is in two ways: one is right"));
        }
        let (id, secret) =
            parse_basic(encoded).ok_or_else(|| invalid_client("the header Authorization cannot be read"))?;
        if claimed.client_id.is_some_and(|other| other != id) {
            return Err(invalid_request("client_id differs from the one in the header Authorization"));
        }
        return Ok(Shown { id, proof: Some(secret), method: Authentication::SecretBasic });
    }
    if first.is_some() {
        return Err(invalid_client("the header Authorization has a scheme that is not taken here"));
    }
    if claimed.is_signed() {
        return signed(claimed);
    }
    let id = claimed.client_id.ok_or_else(|| invalid_client("the client has not said who it is"))?;
    let method =
        if claimed.client_secret.is_some() { Authentication::SecretPost } else { Authentication::None };
    Ok(Shown { id, proof: claimed.client_secret, method })
}

/// Who it says it is by what it has signed (RFC 7521 section 4.2), which is yet to be checked.
fn signed(claimed: Claimed) -> Result<Shown, ProtocolFailure> {
    if claimed.client_secret.is_some() {
        return Err(invalid_request("the client proves who it is in two ways: one is right"));
    }
    if claimed.assertion_type.as_deref() != Some(BEARER) {
        return Err(invalid_client(format!("client_assertion_type must be {BEARER}")));
    }
    let assertion = claimed.assertion.ok_or_else(|| invalid_client("client_assertion is required"))?;
    let read = Jws::read(assertion.expose());
    let read = read.ok_or_else(|| invalid_client("client_assertion is no signed JWT"))?;
    // No other algorithm is taken for the one than for the other.
    let method = match read.algorithm() {
        Some(Algorithm::Hs256) => Authentication::SecretJwt,
        Some(_) => Authentication::PrivateKeyJwt,
        None => return Err(invalid_client("client_assertion has an algorithm that is not taken (alg)")),
    };
    let named = read.claims.get("sub").and_then(serde_json::Value::as_str);
    let named = named.ok_or_else(|| invalid_client("client_assertion must have sub"))?;
    if claimed.client_id.is_some_and(|id| id != named) {
        return Err(invalid_client("client_id differs from sub of client_assertion"));
    }
    let id = named.to_owned();
    Ok(Shown { id, proof: Some(assertion), method })
}

impl Claimed {
    fn is_signed(&self) -> bool {
        self.assertion.is_some() || self.assertion_type.is_some()
    }
}

impl From<ClaimedBody> for Claimed {
    fn from(body: ClaimedBody) -> Self {
        Self {
            client_id: body.client_id,
            client_secret: body.client_secret.map(Secret::new),
            assertion_type: body.client_assertion_type,
            assertion: body.client_assertion.map(Secret::new),
        }
    }
}

impl ClaimedBody {
    /// A client that says no more than who it is.
    #[must_use]
    pub fn named(id: &str) -> Self {
        Self { client_id: Some(id.to_owned()), ..Self::default() }
    }
}

/// Name and secret, each in the form encoding within the base64 of RFC 7617 (RFC 6749 section 2.3.1).
fn parse_basic(encoded: &str) -> Option<(String, Secret)> {
    let bytes = zeroize::Zeroizing::new(STANDARD.decode(encoded.trim()).ok()?);
    let (id, secret) = str::from_utf8(&bytes).ok()?.split_once(':')?;
    Some((form_decoded(id), Secret::new(form_decoded(secret))))
}

fn form_decoded(text: &str) -> String {
    // As the name of a pair whose value is empty: then `=` and `&` in it would split it, so there may be none.
    if text.contains(['=', '&']) || !text.contains(['%', '+']) {
        return text.to_owned();
    }
    let mut pairs = form_urlencoded::parse(text.as_bytes());
    pairs.next().map(|(name, _)| name.into_owned()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn basic_credentials_are_form_encoded_within() {
        let read = |text: &str| {
            parse_basic(&STANDARD.encode(text)).map(|(id, secret)| (id, secret.expose().to_owned()))
        };
        assert_eq!(read("app:a%3Ab+c"), Some(("app".into(), "a:b c".into())));
        assert_eq!(read("app:aso_x-y"), Some(("app".into(), "aso_x-y".into())));
        assert_eq!(read("https%3A%2F%2Fa.example:s"), Some(("https://a.example".into(), "s".into())));
        assert_eq!(read("app"), None);
        assert!(parse_basic("%").is_none());
    }
}
