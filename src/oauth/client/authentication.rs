//! Who a client is, by what it sends along (RFC 6749 section 2.3, OpenID Connect Core section 9).
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use poem::http::HeaderMap;
use poem::http::header::AUTHORIZATION;

use super::live::LiveClients;
use super::model::{Authentication, Client, ClientId};
use crate::base::{Secret, Timestamp};
use crate::http::ProtocolFailure;
use crate::oauth::error::{invalid_client, invalid_request};

/// What of a body says who the client is.
#[derive(Default)]
pub struct Claimed {
    pub client_id: Option<String>,
    pub client_secret: Option<Secret>,
}

/// What a client has shown.
struct Shown {
    id: String,
    secret: Option<Secret>,
    method: Authentication,
}

/// The client of a request, proven in the way that it has registered and in no other.
///
/// # Errors
/// `invalid_request` for two ways at once, `invalid_client` for anything that is not right.
pub fn authenticate(
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
    match &shown.secret {
        Some(secret) if !client.has_secret(secret.expose(), now) => Err(refused()),
        _ => Ok(client),
    }
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
        if claimed.client_secret.is_some() {
            return Err(invalid_request("the client proves who it is in two ways: one is right"));
        }
        let (id, secret) =
            parse_basic(encoded).ok_or_else(|| invalid_client("the header Authorization cannot be read"))?;
        if claimed.client_id.is_some_and(|other| other != id) {
            return Err(invalid_request("client_id differs from the one in the header Authorization"));
        }
        return Ok(Shown { id, secret: Some(secret), method: Authentication::SecretBasic });
    }
    if first.is_some() {
        return Err(invalid_client("the header Authorization has a scheme that is not taken here"));
    }
    let id = claimed.client_id.ok_or_else(|| invalid_client("the client has not said who it is"))?;
    let method =
        if claimed.client_secret.is_some() { Authentication::SecretPost } else { Authentication::None };
    Ok(Shown { id, secret: claimed.client_secret, method })
}

/// Name and secret, each in the form encoding within the base64 of RFC 7617 (RFC 6749 section 2.3.1).
fn parse_basic(encoded: &str) -> Option<(String, Secret)> {
    let bytes = zeroize::Zeroizing::new(STANDARD.decode(encoded.trim()).ok()?);
    let (id, secret) = str::from_utf8(&bytes).ok()?.split_once(':')?;
    Some((form_decoded(id), Secret::new(form_decoded(secret))))
}

fn form_decoded(text: &str) -> String {
    // As the name of a pair whose value is empty: then `=` and `&` in it would split it, so there may be none.
    if text.contains(['=', '&']) {
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
