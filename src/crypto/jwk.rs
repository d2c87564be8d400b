//! Keys of others, as they publish them (RFC 7517). Each verifies by the algorithms of its type, which we choose, and never by
//! what a token says of itself.
use std::fmt;

use aws_lc_rs::hmac;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED, ParsedPublicKey};
use serde_json::Value;

use super::public_key::{PRIVATE, PublicKey};
use super::signing::Algorithm;
use crate::base::{Error, Result};

/// Of a set; more than anybody rotates.
const MAX_KEYS: usize = 50;
/// Of the name of a key.
const MAX_KID: usize = 256;
/// NIST SP 800-131A: fewer bits are no security. More are work for nothing.
const RSA_BITS: std::ops::RangeInclusive<usize> = 2048..=8192;
/// A key that verifies what somebody else has signed.
pub struct VerifyingKey {
    kid: Option<String>,
    /// What its owner has made it for, if that was said.
    only: Option<Algorithm>,
    material: Material,
}

enum Material {
    Public(PublicKey),
    Shared(Box<hmac::Key>),
}

impl VerifyingKey {
    /// The public key that a JWK is.
    ///
    /// # Errors
    /// Why it is none that verifies a signature here.
    pub fn parse(jwk: &Value) -> Result<Self, &'static str> {
        let text = |name: &str| jwk[name].as_str();
        if text("use").is_some_and(|purpose| purpose != "sig") {
            return Err("it is not for signatures (use)");
        }
        let operations = jwk["key_ops"].as_array();
        if operations.is_some_and(|all| all.iter().all(|one| one != "verify")) {
            return Err("it is not for verifying (key_ops)");
        }
        let key = PublicKey::parse(jwk)?;
        check_strength(&key)?;
        let material = Material::Public(key);
        let kid = text("kid").map(str::to_owned);
        if kid.as_ref().is_some_and(|kid| kid.len() > MAX_KID) {
            return Err("it has a name of more than 256 bytes (kid)");
        }
        let only =
            text("alg").map(|name| Algorithm::public_key(name).ok_or("it is for another algorithm (alg)"));
        let key = Self { kid, only: only.transpose()?, material };
        match key.only {
            Some(algorithm) if !key.fits(algorithm) => Err("it is for an algorithm of another type (alg)"),
            _ => Ok(key),
        }
    }

    /// A secret that both sides hold.
    #[must_use]
    pub fn shared(secret: &[u8]) -> Self {
        let key = Box::new(hmac::Key::new(hmac::HMAC_SHA256, secret));
        Self { kid: None, only: None, material: Material::Shared(key) }
    }

    #[must_use]
    pub fn kid(&self) -> Option<&str> {
        self.kid.as_deref()
    }

    /// Whether it verifies by an algorithm: a public key never by one whose key is a secret.
    #[must_use]
    pub fn takes(&self, algorithm: Algorithm) -> bool {
        self.fits(algorithm) && self.only.is_none_or(|only| only == algorithm)
    }

    fn fits(&self, algorithm: Algorithm) -> bool {
        match &self.material {
            Material::Public(PublicKey::P256 { .. }) => algorithm == Algorithm::Es256,
            Material::Public(PublicKey::Ed25519 { .. }) => algorithm == Algorithm::EdDsa,
            Material::Public(PublicKey::Rsa { .. }) => {
                matches!(algorithm, Algorithm::Rs256 | Algorithm::Ps256)
            }
            Material::Shared(_) => algorithm == Algorithm::Hs256,
        }
    }

    /// Whether a signature of a message is of this key, by an algorithm that it takes.
    #[must_use]
    pub fn verifies(&self, algorithm: Algorithm, message: &[u8], signature: &[u8]) -> bool {
        if !self.takes(algorithm) {
            return false;
        }
        match &self.material {
            Material::Public(key) => key.has_signed(algorithm, message, signature),
            Material::Shared(key) => hmac::verify(key, message, signature).is_ok(),
        }
    }
}

/// Whether a key that has the form of one protects anything.
fn check_strength(key: &PublicKey) -> Result<(), &'static str> {
    match key {
        PublicKey::P256 { x, y } => {
            let point = [&[4], x.as_slice(), y].concat();
            let parsed = ParsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point);
            parsed.map(drop).map_err(|_| "it has a point that is not on its curve (x, y)")
        }
        PublicKey::Ed25519 { .. } => Ok(()),
        PublicKey::Rsa { n, e } => {
            let unused = n.first().map_or(0, |byte| byte.leading_zeros() as usize);
            if !RSA_BITS.contains(&(n.len() * 8 - unused)) {
                return Err("it must have 2048 to 8192 bits (n)");
            }
            let is_odd = e.last().is_some_and(|byte| byte % 2 == 1);
            if is_odd && e.as_slice() != [1] {
                Ok(())
            } else {
                Err("it has an exponent that protects nothing (e)")
            }
        }
    }
}

/// The keys of a set that somebody registers, all of which have to be good.
///
/// # Errors
/// `Error::Invalid` naming `field`: for what is no set, has none or too many keys, one that is not public, one that cannot
/// verify, or two of one name.
pub fn parse_set(field: &'static str, set: &Value) -> Result<Vec<VerifyingKey>> {
    let refuse = |reason: String| Err(Error::invalid(field, reason));
    let Some(keys) = set["keys"].as_array() else {
        return refuse("must be a JWK set: {\"keys\": […]}".to_owned());
    };
    if !(1..=MAX_KEYS).contains(&keys.len()) {
        return refuse(format!("must have 1 to {MAX_KEYS} keys"));
    }
    let mut parsed: Vec<VerifyingKey> = Vec::with_capacity(keys.len());
    for (at, jwk) in keys.iter().enumerate() {
        if let Some(member) = PRIVATE.iter().find(|member| jwk.get(**member).is_some()) {
            return refuse(format!(
                "has a private or shared key (keys[{at}].{member}): make another one, and keep it"
            ));
        }
        match VerifyingKey::parse(jwk) {
            Ok(key) if key.kid.is_some() && parsed.iter().any(|other| other.kid == key.kid) => {
                return refuse(format!("has two keys of one name (keys[{at}].kid)"));
            }
            Ok(key) => parsed.push(key),
            Err(why) => return refuse(format!("has a key that cannot be used (keys[{at}]): {why}")),
        }
    }
    Ok(parsed)
}

/// The keys of a set that somebody publishes; those that are of no use here are passed over (RFC 7517 section 5).
///
/// # Errors
/// Why it is none.
pub fn read_set(text: &[u8]) -> Result<Vec<VerifyingKey>, &'static str> {
    let set: Value = serde_json::from_slice(text).map_err(|_| "it is no JSON")?;
    let keys = set["keys"].as_array().ok_or("it is no JWK set")?;
    if keys.len() > MAX_KEYS {
        return Err("it has too many keys");
    }
    Ok(keys.iter().filter_map(|jwk| VerifyingKey::parse(jwk).ok()).collect())
}

/// Its name alone.
impl fmt::Debug for VerifyingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VerifyingKey").field("kid", &self.kid).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use base64::Engine;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    use serde_json::json;

    use super::*;
    use crate::crypto::signing::{SigningKey, generate};

    const PUBLIC: [Algorithm; 4] = [Algorithm::Es256, Algorithm::EdDsa, Algorithm::Rs256, Algorithm::Ps256];

    fn made(algorithm: Algorithm) -> (SigningKey, Value) {
        let key = SigningKey::parse(algorithm, &generate(algorithm).unwrap()).unwrap();
        let jwk = serde_json::to_value(key.public().unwrap()).unwrap();
        (key, jwk)
    }

    fn without(jwk: &Value, name: &str) -> Value {
        let mut jwk = jwk.clone();
        jwk.as_object_mut().unwrap().remove(name);
        jwk
    }

    fn with(jwk: &Value, name: &str, value: Value) -> Value {
        let mut jwk = jwk.clone();
        jwk[name] = value;
        jwk
    }

    #[test]
    fn a_key_verifies_by_the_algorithms_of_its_type_and_its_own_signatures_alone() {
        for algorithm in PUBLIC {
            let (signs, jwk) = made(algorithm);
            let key = VerifyingKey::parse(&without(&jwk, "alg")).unwrap();
            let signature = signs.sign(b"message").unwrap();
            assert!(key.verifies(algorithm, b"message", &signature), "{algorithm}");
            assert!(!key.verifies(algorithm, b"massage", &signature), "{algorithm}");
            for other in PUBLIC.into_iter().chain([Algorithm::Hs256]).filter(|other| *other != algorithm) {
                assert!(!key.verifies(other, b"message", &signature), "{algorithm} as {other}");
            }
            assert!(!key.takes(Algorithm::Hs256), "{algorithm}");
        }
        let shared = VerifyingKey::shared(b"secret");
        let signature = SigningKey::parse(Algorithm::Hs256, b"secret").unwrap().sign(b"message").unwrap();
        assert!(shared.verifies(Algorithm::Hs256, b"message", &signature));
        assert!(PUBLIC.iter().all(|algorithm| !shared.takes(*algorithm)));
    }

    #[test]
    fn a_key_that_is_made_for_one_algorithm_takes_no_other() {
        let (_, jwk) = made(Algorithm::Rs256);
        let key = VerifyingKey::parse(&jwk).unwrap();
        assert!(key.takes(Algorithm::Rs256) && !key.takes(Algorithm::Ps256));
        assert!(VerifyingKey::parse(&with(&jwk, "alg", json!("ES256"))).is_err());
        assert!(VerifyingKey::parse(&with(&jwk, "alg", json!("HS256"))).is_err());
    }

    #[test]
    fn what_is_registered_are_public_keys_that_can_be_used() {
        let (_, good) = made(Algorithm::Es256);
        let (_, rsa) = made(Algorithm::Rs256);
        let set = |keys: Value| parse_set("jwks", &json!({"keys": keys}));
        assert_eq!(set(json!([good, with(&rsa, "kid", json!("b"))])).unwrap().len(), 2);
        let small = URL_SAFE_NO_PAD.encode([&[0x7f][..], &[0xff; 255]].concat());
        let huge = URL_SAFE_NO_PAD.encode([0xff; 1025]);
        for bad in [
            json!([]),
            json!([good, good]),
            json!([with(&good, "d", json!("x"))]),
            json!([{"kty": "oct", "k": "c2VjcmV0"}]),
            json!([with(&good, "crv", json!("P-384"))]),
            json!([with(&good, "use", json!("enc"))]),
            json!([with(&good, "key_ops", json!(["encrypt"]))]),
            json!([with(&good, "x", json!("AAAA"))]),
            json!([with(&good, "x", good["y"].clone())]),
            json!([with(&good, "kid", json!("x".repeat(257)))]),
            json!([with(&rsa, "n", json!(small))]),
            json!([with(&rsa, "n", json!(huge))]),
            json!([with(&rsa, "e", json!("AQ"))]),
            json!([with(&rsa, "e", json!("Ag"))]),
            json!(["key"]),
            json!((0..51).map(|n| with(&good, "kid", json!(n.to_string()))).collect::<Vec<_>>()),
        ] {
            assert!(set(bad.clone()).is_err(), "{bad}");
        }
        let Err(Error::Invalid(error)) = set(json!([with(&rsa, "dp", json!("x"))])) else { panic!() };
        assert!(error.reason.contains("keys[0].dp"), "{}", error.reason);
        for none in [json!([]), json!({}), json!("x"), json!({"keys": {}})] {
            assert!(parse_set("jwks", &none).is_err(), "{none}");
        }
    }

    #[test]
    fn of_what_is_published_what_cannot_be_used_is_passed_over() {
        let (_, good) = made(Algorithm::EdDsa);
        let read = |value: Value| read_set(value.to_string().as_bytes());
        assert_eq!(read(json!({"keys": [{"kty": "new"}, good, 7]})).unwrap().len(), 1);
        assert!(read(json!({"keys": vec![good; 51]})).is_err());
        assert!(read(json!([])).is_err() && read_set(b"<html>").is_err());
    }
}
