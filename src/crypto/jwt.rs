//! Access tokens: JWTs in the profile of RFC 9068.
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Validation, decode, decode_header};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::signing::SigningKey;
use crate::base::{Error, Result, Timestamp};

/// The media type of RFC 9068 section 2.1: no other kind of JWT passes for an access token.
const TYPE: &str = "at+jwt";
/// Nothing of ours comes near; it bounds the work for what is not ours.
const MAX_TOKEN_BYTES: usize = 8192;

/// What an access token says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccessClaims {
    pub iss: String,
    /// The user id as text.
    pub sub: String,
    pub aud: String,
    /// Seconds since the epoch, as are `iat` and `auth_time`.
    pub exp: i64,
    pub iat: i64,
    pub jti: String,
    pub sid: String,
    pub user_id: u64,
    pub username: String,
    pub roles: Vec<String>,
    #[serde(rename = "type")]
    pub kind: String,
    pub auth_time: i64,
    /// How the user proved who it is (RFC 8176).
    pub amr: Vec<String>,
    /// What that is worth: [`acr_of`] `amr`. Tokens from before it was written have none.
    #[serde(default)]
    pub acr: String,
}

/// The authenticator assurance level (NIST SP 800-63B section 4) that methods come to.
#[must_use]
pub fn acr_of(amr: &[String]) -> &'static str {
    if amr.iter().any(|method| method == "mfa") { "aal2" } else { "aal1" }
}

/// Whose tokens are made and taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Issuer {
    pub issuer: String,
    pub audience: String,
}

/// Signs claims as an access token.
///
/// # Errors
/// As [`sign_typed`].
pub fn sign(key: &SigningKey, claims: &impl Serialize) -> Result<String> {
    sign_typed(key, TYPE, claims)
}

/// Signs claims as a JWT of a media type.
///
/// # Errors
/// `Error::Internal` if the library refuses.
pub fn sign_typed(key: &SigningKey, typ: &str, claims: &impl Serialize) -> Result<String> {
    let header = serde_json::json!({"typ": typ, "alg": key.algorithm().name(), "kid": key.kid()});
    let mut token = String::with_capacity(768);
    URL_SAFE_NO_PAD.encode_string(header.to_string(), &mut token);
    token.push('.');
    URL_SAFE_NO_PAD.encode_string(serde_json::to_vec(claims).map_err(Error::internal)?, &mut token);
    let signature = key.sign(token.as_bytes())?;
    token.push('.');
    URL_SAFE_NO_PAD.encode_string(signature, &mut token);
    Ok(token)
}

/// Checks a token's form, type, key, signature, issuer and audience, and that it has every claim. Its times are
/// for [`check_times`], which must be asked at every use.
///
/// `key_by_id` knows the keys that may have signed it; what else the header says (`jku`, `jwk`, `x5u`, …) is
/// never looked at.
///
/// # Errors
/// `Error::InvalidToken`, whatever is wrong.
pub fn verify<'k>(
    token: &str,
    issuer: &Issuer,
    key_by_id: impl FnOnce(&str) -> Option<&'k SigningKey>,
) -> Result<AccessClaims> {
    let key = signer_of(token, TYPE, key_by_id)?;
    let decoded = decode::<AccessClaims>(token, key.verifier(), &validation(key, issuer));
    let claims = decoded.map_err(|_| Error::InvalidToken)?.claims;
    if claims.kind == "access" { Ok(claims) } else { Err(Error::InvalidToken) }
}

/// Checks a token's form, type, key, signature and issuer, and that it has every claim of `T`. Whom it is for, and its
/// times, are for whoever asks to check.
///
/// # Errors
/// `Error::InvalidToken`, whatever is wrong.
pub fn verify_typed<'k, T: DeserializeOwned + Clone>(
    token: &str,
    typ: &str,
    issuer: &str,
    key_by_id: impl FnOnce(&str) -> Option<&'k SigningKey>,
) -> Result<T> {
    let key = signer_of(token, typ, key_by_id)?;
    let mut validation = Validation::new(key.algorithm().jose());
    validation.validate_exp = false;
    validation.validate_aud = false;
    validation.set_required_spec_claims(&["iss"]);
    validation.set_issuer(&[issuer]);
    let decoded = decode::<T>(token, key.verifier(), &validation);
    Ok(decoded.map_err(|_| Error::InvalidToken)?.claims)
}

/// The key that a token of a type says that it was signed with.
fn signer_of<'k>(
    token: &str,
    typ: &str,
    key_by_id: impl FnOnce(&str) -> Option<&'k SigningKey>,
) -> Result<&'k SigningKey> {
    if token.len() > MAX_TOKEN_BYTES {
        return Err(Error::InvalidToken);
    }
    let header = decode_header(token).map_err(|_| Error::InvalidToken)?;
    let typed = header.typ.is_some_and(|given| given.eq_ignore_ascii_case(typ)) && header.crit.is_none();
    header.kid.as_deref().filter(|_| typed).and_then(key_by_id).ok_or(Error::InvalidToken)
}

/// Times are left to [`check_times`]: the library can only ask the machine's own clock.
fn validation(key: &SigningKey, issuer: &Issuer) -> Validation {
    let mut validation = Validation::new(key.algorithm().jose());
    validation.validate_exp = false;
    validation.validate_nbf = false;
    validation.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
    validation.set_issuer(&[&issuer.issuer]);
    validation.set_audience(&[&issuer.audience]);
    validation
}

/// Whether a token that ends at `exp` (seconds) may be used `now` (RFC 7519 section 4.1.4: not on or after it).
///
/// # Errors
/// `Error::TokenExpired`.
pub fn check_times(exp: i64, now: Timestamp) -> Result<()> {
    if now < Timestamp::from_secs(exp) { Ok(()) } else { Err(Error::TokenExpired) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;
    use crate::crypto::signing::{Algorithm, generate};

    fn claims() -> AccessClaims {
        AccessClaims {
            iss: "http://i".into(),
            sub: "1".into(),
            aud: "a".into(),
            exp: 2000,
            iat: 1000,
            jti: "j".into(),
            sid: "s".into(),
            user_id: 1,
            username: "ann".into(),
            roles: vec!["user".into()],
            kind: "access".into(),
            auth_time: 1000,
            amr: vec!["pwd".into()],
            acr: "aal1".into(),
        }
    }

    fn issuer() -> Issuer {
        Issuer { issuer: "http://i".into(), audience: "a".into() }
    }

    fn key(algorithm: Algorithm) -> SigningKey {
        SigningKey::parse(algorithm, &generate(algorithm).unwrap()).unwrap()
    }

    fn check(token: &str, key: &SigningKey) -> Result<AccessClaims> {
        verify(token, &issuer(), |kid| (kid == key.kid()).then_some(key))
    }

    /// A token with any header and any claims, signed with a real key.
    fn forge(key: &SigningKey, header: &Value, claims: &Value) -> String {
        let encode = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let message = format!("{}.{}", encode(header), encode(claims));
        let signature = key.sign(message.as_bytes()).unwrap();
        format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature))
    }

    #[test]
    fn a_signed_token_verifies_with_every_algorithm() {
        for algorithm in [Algorithm::Es256, Algorithm::Rs256, Algorithm::EdDsa] {
            let key = key(algorithm);
            assert_eq!(check(&sign(&key, &claims()).unwrap(), &key).unwrap(), claims());
        }
        let shared = SigningKey::parse(Algorithm::Hs256, &[5; 32]).unwrap();
        assert_eq!(check(&sign(&shared, &claims()).unwrap(), &shared).unwrap(), claims());
    }

    #[test]
    fn another_header_or_claim_is_refused_though_it_is_signed() {
        let key = key(Algorithm::Es256);
        let (good, claims) = (
            json!({"typ": "at+jwt", "alg": "ES256", "kid": key.kid()}),
            serde_json::to_value(claims()).unwrap(),
        );
        assert!(check(&forge(&key, &good, &claims), &key).is_ok());
        for (name, value) in [
            ("typ", json!("JWT")),
            ("typ", Value::Null),
            ("alg", json!("none")),
            ("alg", json!("HS256")),
            ("alg", json!("ES384")),
            ("kid", json!("other")),
            ("kid", Value::Null),
            ("crit", json!(["exp"])),
        ] {
            let mut header = good.clone();
            header[name] = value.clone();
            assert_eq!(
                check(&forge(&key, &header, &claims), &key),
                Err(Error::InvalidToken),
                "{name} {value}"
            );
        }
        for (name, value) in [
            ("iss", json!("http://other")),
            ("aud", json!("other")),
            ("type", json!("refresh")),
            ("exp", Value::Null),
            ("exp", json!("soon")),
            ("sub", Value::Null),
            ("sid", Value::Null),
        ] {
            let mut changed = claims.clone();
            changed[name] = value.clone();
            assert_eq!(
                check(&forge(&key, &good, &changed), &key),
                Err(Error::InvalidToken),
                "{name} {value}"
            );
        }
    }

    #[test]
    fn a_public_key_is_not_taken_for_a_shared_secret() {
        let key = key(Algorithm::Rs256);
        let public = serde_json::to_vec(key.public().unwrap()).unwrap();
        let forger = SigningKey::parse(Algorithm::Hs256, &public).unwrap();
        let header = json!({"typ": "at+jwt", "alg": "HS256", "kid": key.kid()});
        let token = forge(&forger, &header, &serde_json::to_value(claims()).unwrap());
        assert_eq!(check(&token, &key), Err(Error::InvalidToken));
    }

    #[test]
    fn a_token_ends_at_its_last_second() {
        assert_eq!(check_times(2000, Timestamp::from_micros(1_999_999_999)), Ok(()));
        assert_eq!(check_times(2000, Timestamp::from_secs(2000)), Err(Error::TokenExpired));
    }

    proptest! {
        #[test]
        fn a_damaged_token_is_refused(at: prop::sample::Index, bit in 0..7_u8) {
            let key = SigningKey::parse(Algorithm::Hs256, &[5; 32]).unwrap();
            let mut bytes = sign(&key, &claims()).unwrap().into_bytes();
            let at = at.index(bytes.len());
            bytes[at] ^= 1 << bit;
            if let Ok(token) = String::from_utf8(bytes) {
                prop_assert_eq!(check(&token, &key), Err(Error::InvalidToken));
            }
        }

        #[test]
        fn garbage_is_refused(token in "\\PC{0,200}|[A-Za-z0-9_-]{0,40}\\.[A-Za-z0-9_-]{0,40}\\.[A-Za-z0-9_-]{0,40}") {
            let key = SigningKey::parse(Algorithm::Hs256, &[5; 32]).unwrap();
            prop_assert_eq!(check(&token, &key), Err(Error::InvalidToken));
        }
    }
}
