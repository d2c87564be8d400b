//! Public keys of others, as JWKs (RFC 7517, RFC 7518 section 6, RFC 8037), and what they have signed.
use std::fmt;

use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ED25519, RSA_PKCS1_2048_8192_SHA256, RSA_PSS_2048_8192_SHA256,
    RsaPublicKeyComponents, UnparsedPublicKey,
};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::hash::sha256;
use super::signing::Algorithm;

/// Members that only whoever signs may know (RFC 7518 sections 6.2.2, 6.3.2 and 6.4).
pub(super) const PRIVATE: &[&str] = &["d", "p", "q", "dp", "dq", "qi", "oth", "k"];
/// Bytes of an RSA modulus: 2048 to 8192 bits.
const MODULUS: std::ops::RangeInclusive<usize> = 256..=1024;
/// Bytes of an RSA exponent: who chooses a long one has others work.
const MAX_EXPONENT: usize = 5;

/// The SHA-256 thumbprint of a key (RFC 7638).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Thumbprint(pub [u8; 32]);

/// A key of somebody else's that verifies signatures.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PublicKey {
    P256 { x: Vec<u8>, y: Vec<u8> },
    Ed25519 { x: Vec<u8> },
    Rsa { n: Vec<u8>, e: Vec<u8> },
}

impl Thumbprint {
    /// Reads it in base64url.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        URL_SAFE_NO_PAD.decode(text).ok()?.try_into().map(Self).ok()
    }
}

/// In base64url.
impl fmt::Display for Thumbprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&URL_SAFE_NO_PAD.encode(self.0))
    }
}

/// It names what is public.
impl fmt::Debug for Thumbprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl PublicKey {
    /// Reads a JWK. Whatever else it says (`kid`, `x5u`, …) is never looked at.
    ///
    /// # Errors
    /// What is wrong with it: another kind of key, one that is private, one that is written in an unusual way.
    pub fn parse(jwk: &Value) -> Result<Self, &'static str> {
        if PRIVATE.iter().any(|member| jwk.get(member).is_some()) {
            return Err("the key is a private or a shared one");
        }
        let text = |member: &str| jwk.get(member).and_then(Value::as_str);
        let bytes = |member: &str| text(member).and_then(|text| URL_SAFE_NO_PAD.decode(text).ok());
        let coordinate = |member: &str| bytes(member).filter(|bytes| bytes.len() == 32);
        let number =
            |member: &str| bytes(member).filter(|bytes| bytes.first().is_some_and(|byte| *byte != 0));
        let key = match (text("kty"), text("crv")) {
            (Some("EC"), Some("P-256")) => {
                coordinate("x").zip(coordinate("y")).map(|(x, y)| Self::P256 { x, y })
            }
            (Some("OKP"), Some("Ed25519")) => coordinate("x").map(|x| Self::Ed25519 { x }),
            (Some("RSA"), None) => number("n")
                .filter(|n| MODULUS.contains(&n.len()))
                .zip(number("e").filter(|e| e.len() <= MAX_EXPONENT))
                .map(|(n, e)| Self::Rsa { n, e }),
            _ => return Err("the key must be of P-256, Ed25519 or RSA"),
        };
        key.ok_or("a member of the key is not as it has to be")
    }

    /// Whether it has signed a message (RFC 7518 section 3). A key is good for its own kind of algorithm alone.
    #[must_use]
    pub fn has_signed(&self, algorithm: Algorithm, message: &[u8], signature: &[u8]) -> bool {
        match (self, algorithm) {
            (Self::P256 { x, y }, Algorithm::Es256) => {
                let point = [&[4], x.as_slice(), y].concat();
                UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point).verify(message, signature).is_ok()
            }
            (Self::Ed25519 { x }, Algorithm::EdDsa) => {
                UnparsedPublicKey::new(&ED25519, x).verify(message, signature).is_ok()
            }
            (Self::Rsa { n, e }, Algorithm::Rs256) => {
                let key = RsaPublicKeyComponents { n, e };
                key.verify(&RSA_PKCS1_2048_8192_SHA256, message, signature).is_ok()
            }
            (Self::Rsa { n, e }, Algorithm::Ps256) => {
                let key = RsaPublicKeyComponents { n, e };
                key.verify(&RSA_PSS_2048_8192_SHA256, message, signature).is_ok()
            }
            _ => false,
        }
    }

    /// What it is known by, whatever else its JWK said (RFC 7638 section 3).
    #[must_use]
    pub fn thumbprint(&self) -> Thumbprint {
        let text = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        let members = match self {
            Self::P256 { x, y } => {
                format!(r#"{{"crv":"P-256","kty":"EC","x":"{}","y":"{}"}}"#, text(x), text(y))
            }
            Self::Ed25519 { x } => format!(r#"{{"crv":"Ed25519","kty":"OKP","x":"{}"}}"#, text(x)),
            Self::Rsa { n, e } => format!(r#"{{"e":"{}","kty":"RSA","n":"{}"}}"#, text(e), text(n)),
        };
        Thumbprint(sha256(&[members.as_bytes()]))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::crypto::signing::{SigningKey, generate};

    const ALL: [Algorithm; 4] = [Algorithm::Es256, Algorithm::EdDsa, Algorithm::Rs256, Algorithm::Ps256];

    #[test]
    fn each_kind_of_key_verifies_what_it_has_signed_by_its_own_algorithms_alone() {
        for algorithm in ALL {
            let private = SigningKey::parse(algorithm, &generate(algorithm).unwrap()).unwrap();
            let jwk = serde_json::to_value(private.public().unwrap()).unwrap();
            let key = PublicKey::parse(&jwk).unwrap();
            let signature = private.sign(b"a message").unwrap();
            for other in ALL {
                let is_good = key.has_signed(other, b"a message", &signature);
                assert_eq!(is_good, other == algorithm, "{algorithm} {other}");
            }
            assert!(!key.has_signed(algorithm, b"another", &signature));
            assert!(!key.has_signed(Algorithm::Hs256, b"a message", &signature));
        }
    }

    #[test]
    fn the_thumbprints_are_those_of_the_specifications() {
        // RFC 8037 appendix A.3.
        let ed = json!({"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"});
        let thumbprint = PublicKey::parse(&ed).unwrap().thumbprint();
        assert_eq!(thumbprint.to_string(), "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
        assert_eq!(Thumbprint::parse(&thumbprint.to_string()), Some(thumbprint));
        // RFC 9449 section 6.1: the key of its examples.
        let ec = json!({
            "kty": "EC", "crv": "P-256", "alg": "ES256",
            "x": "l8tFrhx-34tV3hRICRDY9zCkDlpBhF42UQUfWVAWBFs",
            "y": "9VE4jf_Ok_o64zbTTlcuNJajHmt6v9TDVrU0CdvGRDA",
        });
        let thumbprint = PublicKey::parse(&ec).unwrap().thumbprint();
        assert_eq!(thumbprint.to_string(), "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I");
        assert_eq!(Thumbprint::parse("0ZcO"), None);
    }

    #[test]
    fn a_key_that_is_private_or_strange_is_none() {
        let good = json!({"kty": "EC", "crv": "P-256", "x": "A".repeat(43), "y": "A".repeat(43)});
        assert!(PublicKey::parse(&good).is_ok());
        let rsa = json!({"kty": "RSA", "n": format!("{}w", "_".repeat(341)), "e": "AQAB"});
        assert!(PublicKey::parse(&rsa).is_ok());
        for (key, member, value) in [
            (&good, "d", json!("AAAA")),
            (&good, "k", json!("AAAA")),
            (&good, "kty", json!("oct")),
            (&good, "kty", Value::Null),
            (&good, "crv", json!("P-521")),
            (&good, "x", json!("AAAA")),
            (&good, "y", json!("A".repeat(44))),
            (&good, "y", json!(1)),
            (&rsa, "n", json!("_".repeat(340))),
            (&rsa, "n", json!(format!("AAAA{}w", "_".repeat(341)))),
            (&rsa, "e", json!("_".repeat(8))),
            (&rsa, "e", json!("AAEAAQ")),
            (&rsa, "q", json!("AQAB")),
        ] {
            let mut wrong = key.clone();
            wrong[member] = value.clone();
            assert!(PublicKey::parse(&wrong).is_err(), "{member} {value}");
        }
        assert!(PublicKey::parse(&json!("text")).is_err() && PublicKey::parse(&Value::Null).is_err());
    }
}
