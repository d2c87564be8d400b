//! Keys that sign tokens: parsed once, used for every token.
use std::fmt;
use std::str::FromStr;

use aws_lc_rs::encoding::AsDer;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair as RsaKeyPair, KeySize};
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair, RSA_PKCS1_SHA256, RSA_PSS_SHA256,
    RsaEncoding,
};
use aws_lc_rs::{digest, hmac};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::jwk::{Jwk, PublicKeyUse};
use jsonwebtoken::{DecodingKey, EncodingKey};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::base::{Error, Result};

/// How tokens are signed (RFC 7518 section 3.1, RFC 8037).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Algorithm {
    Es256,
    Rs256,
    EdDsa,
    Hs256,
    Ps256,
}

impl Algorithm {
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Es256 => "ES256",
            Self::Rs256 => "RS256",
            Self::EdDsa => "EdDSA",
            Self::Hs256 => "HS256",
            Self::Ps256 => "PS256",
        }
    }

    /// The algorithm of a name in the registry of RFC 7518, if it is one of ours whose keys can be published.
    #[must_use]
    pub fn public_key(name: &str) -> Option<Self> {
        [Self::Es256, Self::Rs256, Self::EdDsa, Self::Ps256].into_iter().find(|known| known.name() == name)
    }

    pub(super) const fn jose(self) -> jsonwebtoken::Algorithm {
        match self {
            Self::Es256 => jsonwebtoken::Algorithm::ES256,
            Self::Rs256 => jsonwebtoken::Algorithm::RS256,
            Self::EdDsa => jsonwebtoken::Algorithm::EdDSA,
            Self::Hs256 => jsonwebtoken::Algorithm::HS256,
            Self::Ps256 => jsonwebtoken::Algorithm::PS256,
        }
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Algorithm {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let all = [Self::Es256, Self::Rs256, Self::EdDsa, Self::Hs256];
        let found = all.into_iter().find(|algorithm| algorithm.name() == text);
        found.ok_or_else(|| Error::invalid("algorithm", "must be ES256, RS256, EdDSA or HS256"))
    }
}

enum Signer {
    Ecdsa(EcdsaKeyPair),
    Ed25519(Ed25519KeyPair),
    Rsa(RsaKeyPair),
    Hmac(Box<hmac::Key>),
}

/// A private key (or shared secret) ready to sign, and what verifies its signatures.
pub struct SigningKey {
    kid: String,
    algorithm: Algorithm,
    signer: Signer,
    verifier: DecodingKey,
    /// What others may know; nothing for a shared secret.
    public: Option<Jwk>,
}

/// A new private key in PKCS#8. RSA has 3072 bits (NIST SP 800-57: 128 bits of security) and takes a while.
///
/// # Errors
/// `Error::Internal` if the library refuses, or for HS256, whose secret is not made here.
pub fn generate(algorithm: Algorithm) -> Result<Zeroizing<Vec<u8>>> {
    let der = match algorithm {
        Algorithm::Es256 => EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING)
            .and_then(|key| key.to_pkcs8v1())
            .map(|document| document.as_ref().to_vec()),
        Algorithm::EdDsa => Ed25519KeyPair::generate()
            .and_then(|key| key.to_pkcs8v1())
            .map(|document| document.as_ref().to_vec()),
        Algorithm::Rs256 | Algorithm::Ps256 => RsaKeyPair::generate(KeySize::Rsa3072)
            .and_then(|key| key.as_der().map(|der| der.as_ref().to_vec())),
        Algorithm::Hs256 => return Err(Error::internal("a shared secret is configured, not made")),
    };
    der.map(Zeroizing::new).map_err(Error::internal)
}

impl SigningKey {
    /// From PKCS#8, or from the bytes of the shared secret for HS256.
    ///
    /// # Errors
    /// `Error::Internal` for bytes that are no such key.
    pub fn parse(algorithm: Algorithm, private: &[u8]) -> Result<Self> {
        let signer = parse_signer(algorithm, private)?;
        if algorithm == Algorithm::Hs256 {
            let verifier = DecodingKey::from_secret(private);
            return Ok(Self { kid: thumbprint(private), algorithm, signer, verifier, public: None });
        }
        let encoding = match &signer {
            Signer::Ecdsa(_) => EncodingKey::from_ec_der(private),
            Signer::Ed25519(_) => EncodingKey::from_ed_der(private),
            // jsonwebtoken wants PKCS#1 here; only the public half is taken from it.
            Signer::Rsa(_) => return Self::rsa(algorithm, signer),
            Signer::Hmac(key) => return Err(Error::internal(format!("no public half of {key:?}"))),
        };
        let jwk = Jwk::from_encoding_key(&encoding, algorithm.jose()).map_err(Error::internal)?;
        Self::with_public(algorithm, signer, jwk)
    }

    fn rsa(algorithm: Algorithm, signer: Signer) -> Result<Self> {
        let Signer::Rsa(pair) = &signer else { return Err(Error::internal("not an RSA key")) };
        let public = pair.public_key();
        let encode = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        let (n, e) = (public.modulus(), public.exponent());
        let jwk = serde_json::json!({
            "kty": "RSA",
            "alg": algorithm.name(),
            "n": encode(n.big_endian_without_leading_zero()),
            "e": encode(e.big_endian_without_leading_zero()),
        });
        Self::with_public(algorithm, signer, serde_json::from_value(jwk).map_err(Error::internal)?)
    }

    fn with_public(algorithm: Algorithm, signer: Signer, mut jwk: Jwk) -> Result<Self> {
        let verifier = DecodingKey::from_jwk(&jwk).map_err(Error::internal)?;
        let kid = thumbprint(&serde_json::to_vec(&jwk.algorithm).map_err(Error::internal)?);
        jwk.common.key_id = Some(kid.clone());
        jwk.common.public_key_use = Some(PublicKeyUse::Signature);
        Ok(Self { kid, algorithm, signer, verifier, public: Some(jwk) })
    }

    /// The key's id, derived from what verifies it.
    #[must_use]
    pub fn kid(&self) -> &str {
        &self.kid
    }

    #[must_use]
    pub const fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// The public half as a JWK (RFC 7517), for keys that have one.
    #[must_use]
    pub const fn public(&self) -> Option<&Jwk> {
        self.public.as_ref()
    }

    pub(super) const fn verifier(&self) -> &DecodingKey {
        &self.verifier
    }

    /// The signature of `message` in the form of RFC 7518.
    ///
    /// # Errors
    /// `Error::Internal` if the library refuses.
    pub fn sign(&self, message: &[u8]) -> Result<Vec<u8>> {
        let random = SystemRandom::new();
        match &self.signer {
            Signer::Ecdsa(key) => Ok(key.sign(&random, message).map_err(Error::internal)?.as_ref().to_vec()),
            Signer::Ed25519(key) => Ok(key.sign(message).as_ref().to_vec()),
            Signer::Hmac(key) => Ok(hmac::sign(key, message).as_ref().to_vec()),
            Signer::Rsa(key) => {
                let mut signature = vec![0; key.public_modulus_len()];
                let padding: &'static dyn RsaEncoding =
                    if self.algorithm == Algorithm::Ps256 { &RSA_PSS_SHA256 } else { &RSA_PKCS1_SHA256 };
                key.sign(padding, &random, message, &mut signature).map_err(Error::internal)?;
                Ok(signature)
            }
        }
    }
}

fn parse_signer(algorithm: Algorithm, private: &[u8]) -> Result<Signer> {
    match algorithm {
        Algorithm::Es256 => EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, private)
            .map(Signer::Ecdsa)
            .map_err(Error::internal),
        Algorithm::EdDsa => Ed25519KeyPair::from_pkcs8(private).map(Signer::Ed25519).map_err(Error::internal),
        Algorithm::Rs256 | Algorithm::Ps256 => {
            RsaKeyPair::from_pkcs8(private).map(Signer::Rsa).map_err(Error::internal)
        }
        Algorithm::Hs256 => Ok(Signer::Hmac(Box::new(hmac::Key::new(hmac::HMAC_SHA256, private)))),
    }
}

/// Sixteen hexadecimal digits that name a key.
fn thumbprint(bytes: &[u8]) -> String {
    let hash = digest::digest(&digest::SHA256, bytes);
    hash.as_ref().iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_algorithm_makes_parses_and_names_its_keys() {
        for algorithm in [Algorithm::Es256, Algorithm::Rs256, Algorithm::EdDsa, Algorithm::Ps256] {
            let private = generate(algorithm).unwrap();
            let (one, two) = (
                SigningKey::parse(algorithm, &private).unwrap(),
                SigningKey::parse(algorithm, &private).unwrap(),
            );
            assert_eq!(one.kid(), two.kid());
            let jwk = serde_json::to_value(one.public().unwrap()).unwrap();
            assert_eq!(jwk["kid"], one.kid());
            assert_eq!(jwk["use"], "sig");
            assert_eq!(jwk["alg"], algorithm.name());
            assert!(jwk.get("d").is_none(), "{jwk}");
            if matches!(algorithm, Algorithm::Rs256 | Algorithm::Ps256) {
                assert_eq!(jwk["n"].as_str().unwrap().len(), 512, "3072 bits");
            }
        }
        let shared = SigningKey::parse(Algorithm::Hs256, &[1; 32]).unwrap();
        assert!(shared.public().is_none());
    }
}
