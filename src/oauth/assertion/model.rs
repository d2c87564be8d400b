//! What a signed text has to say so that its client is who it says. Pure.
use serde_json::{Map, Value};

use crate::base::Timestamp;
use crate::crypto::sha256;
use crate::oauth::client::ClientId;

/// How a client says that it has signed who it is (RFC 7523 section 2.2).
pub const BEARER: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
/// What may say who a client is: with a type of its own, or with that of all (RFC 7519 section 5.1). Other kinds of signed texts
/// have other types, and are none of it.
pub const TYPES: &[&str] = &["JWT", "client-authentication+jwt"];
/// How long one may be good: each is remembered until it ends.
pub const MAX_LIFETIME_SECS: i64 = 3600;
/// How far clocks may be apart (FAPI 2.0 section 5.3.2.1: more than a minute is too much).
pub const MAX_SKEW_SECS: i64 = 60;
const MAX_JTI_BYTES: usize = 256;

/// What is remembered of an assertion, so that nobody uses it again.
#[derive(Clone, PartialEq, Eq)]
pub struct Once {
    pub key: [u8; 32],
    pub expires_at: Timestamp,
}

/// Whether the claims of an assertion are good for a client `now`; its signature is for others to check.
///
/// It names us by our issuer, alone and as a text: what is made for one of our endpoints, or for others too, could be taken
/// from a client by a server that it has mistaken for us (FAPI 2.0 section 5.3.2.1, RFC 7523 as it is being revised).
///
/// # Errors
/// What is wrong with them.
pub fn check(
    client: &ClientId,
    issuer: &str,
    claims: &Map<String, Value>,
    now: Timestamp,
) -> Result<Once, &'static str> {
    let text = |name: &str| claims.get(name).and_then(Value::as_str);
    if text("iss") != Some(client.as_str()) || text("sub") != Some(client.as_str()) {
        return Err("iss and sub of client_assertion must be the client_id");
    }
    if text("aud") != Some(issuer) {
        return Err("aud of client_assertion must be the issuer of this server, as a text");
    }
    let exp = time(claims, "exp")?.ok_or("client_assertion must have exp")?;
    if exp <= now.secs() {
        return Err("client_assertion is over (exp)");
    }
    if exp - now.secs() > MAX_LIFETIME_SECS {
        return Err("client_assertion must be good for an hour at most (exp)");
    }
    check_begins(claims, now)?;
    let jti = text("jti").filter(|jti| (1..=MAX_JTI_BYTES).contains(&jti.len()));
    let jti = jti.ok_or("client_assertion must have jti, of 1 to 256 bytes")?;
    let key = sha256(&[client.as_str().as_bytes(), &[0], jti.as_bytes()]);
    Ok(Once { key, expires_at: Timestamp::from_secs(exp) })
}

/// Whether `iat` and `nbf`, where they are there, are not yet to come.
///
/// # Errors
/// That they are, or are no times.
pub fn check_begins(claims: &Map<String, Value>, now: Timestamp) -> Result<(), &'static str> {
    for name in ["iat", "nbf"] {
        if time(claims, name)?.is_some_and(|at| at > now.secs() + MAX_SKEW_SECS) {
            return Err("iat and nbf must not lie in the future");
        }
    }
    Ok(())
}

/// A time in seconds, which may have a fraction (RFC 7519 section 2).
///
/// # Errors
/// That it is none.
pub fn time(claims: &Map<String, Value>, name: &str) -> Result<Option<i64>, &'static str> {
    const LATEST: f64 = 1e12;
    let Some(value) = claims.get(name) else { return Ok(None) };
    let whole = value.as_i64().or_else(|| value.as_f64().map(|secs| secs.clamp(-1.0, LATEST) as i64));
    // Whatever lies beyond is as good as never, and adds to nothing.
    whole.map(|secs| Some(secs.clamp(-1, LATEST as i64))).ok_or("exp, iat and nbf must be numbers")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const NOW: Timestamp = Timestamp::from_secs(10_000);
    const ISSUER: &str = "https://id.example";

    fn judged(change: Value) -> Result<Once, &'static str> {
        let mut claims = json!({"iss": "app", "sub": "app", "aud": ISSUER, "exp": 10_060, "jti": "1"});
        let claims = claims.as_object_mut().unwrap();
        for (name, value) in change.as_object().unwrap() {
            match value {
                Value::Null => claims.remove(name),
                value => claims.insert(name.clone(), value.clone()),
            };
        }
        check(&ClientId::parse("app").unwrap(), ISSUER, claims, NOW)
    }

    #[test]
    fn it_is_for_us_alone_by_its_client_and_for_a_while() {
        assert_eq!(judged(json!({})).unwrap().expires_at, Timestamp::from_secs(10_060));
        for good in [
            json!({"exp": 13_600}),
            json!({"exp": 10_000.5 + 1.0}),
            json!({"iat": 10_060, "nbf": 10_060}),
            json!({"iat": 1, "nbf": 9_999}),
        ] {
            assert!(judged(good.clone()).is_ok(), "{good}");
        }
        for bad in [
            json!({"iss": "other"}),
            json!({"iss": null}),
            json!({"sub": "other"}),
            json!({"sub": null}),
            json!({"sub": ["app"]}),
            json!({"aud": null}),
            json!({"aud": [ISSUER]}),
            json!({"aud": "https://id.example/"}),
            json!({"aud": "https://id.example/oauth2/token"}),
            json!({"exp": null}),
            json!({"exp": 10_000}),
            json!({"exp": 13_601}),
            json!({"exp": i64::MAX}),
            json!({"exp": 1e300}),
            json!({"exp": -1e300}),
            json!({"exp": "10060"}),
            json!({"iat": 10_061}),
            json!({"nbf": 10_061}),
            json!({"nbf": u64::MAX}),
            json!({"nbf": "x"}),
            json!({"jti": null}),
            json!({"jti": ""}),
            json!({"jti": 1}),
            json!({"jti": "x".repeat(257)}),
        ] {
            assert!(judged(bad.clone()).is_err(), "{bad}");
        }
    }

    #[test]
    fn what_is_remembered_is_of_one_client_and_one_name() {
        let claims = |client: &str, jti: &str| {
            let claims = json!({"iss": client, "sub": client, "aud": ISSUER, "exp": 10_060, "jti": jti});
            let id = ClientId::parse(client).unwrap();
            check(&id, ISSUER, claims.as_object().unwrap(), NOW).unwrap().key
        };
        assert_eq!(claims("app", "1"), claims("app", "1"));
        assert_ne!(claims("app", "1"), claims("app", "2"));
        assert_ne!(claims("app", "1"), claims("app2", "1"));
    }
}
