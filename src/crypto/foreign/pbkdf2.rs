//! PBKDF2 with HMAC (RFC 8018 section 5.2).
use std::num::NonZeroU32;

use aws_lc_rs::pbkdf2::{Algorithm, PBKDF2_HMAC_SHA1, PBKDF2_HMAC_SHA256, PBKDF2_HMAC_SHA512, verify};

use super::text::{damaged, number, output, padded, too_costly, unknown, unpadded, values};
use crate::base::Result;

/// Of HMACs, over all blocks of the output: some seconds without special instructions. Django does a million.
const MAX_WORK: u64 = 10_000_000;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Digest {
    Sha1,
    Sha256,
    Sha512,
}

#[derive(Clone, PartialEq, Eq)]
pub(super) struct Pbkdf2 {
    digest: Digest,
    iterations: NonZeroU32,
    salt: Vec<u8>,
    expected: Vec<u8>,
}

impl Pbkdf2 {
    /// `$pbkdf2-sha256$i=…,l=…$salt$hash`, from its fields; `l` is the length of the hash.
    ///
    /// # Errors
    /// `Error::Invalid` for other text, another digest, and a cost too high.
    pub(super) fn phc(name: &str, list: &str, salt: &str, hash: &str) -> Result<Self> {
        let digest = Digest::named(name.strip_prefix("pbkdf2-").ok_or_else(unknown)?)?;
        let [iterations, length] = values(list, ["i", "l"])?;
        let expected = unpadded(hash)?;
        if usize::try_from(number(length)?) != Ok(expected.len()) {
            return Err(damaged());
        }
        Self::new(digest, iterations, unpadded(salt)?, expected)
    }

    /// `$pbkdf2-sha256$rounds$salt$hash`, from its fields; `$pbkdf2$` is SHA-1 (`passlib.hash.pbkdf2_sha256` and its
    /// siblings, whose base64 has a dot for the plus).
    ///
    /// # Errors
    /// As [`Pbkdf2::phc`].
    pub(super) fn passlib(name: &str, rounds: &str, salt: &str, hash: &str) -> Result<Self> {
        let digest = match name.strip_prefix("pbkdf2-") {
            Some("sha1") => return Err(unknown()),
            Some(digest) => Digest::named(digest)?,
            None if name == "pbkdf2" => Digest::Sha1,
            None => return Err(unknown()),
        };
        Self::new(digest, rounds, dotted(salt)?, dotted(hash)?)
    }

    /// `pbkdf2_sha256$iterations$salt$hash`, from its fields; the salt is text (`PBKDF2PasswordHasher` of Django).
    ///
    /// # Errors
    /// As [`Pbkdf2::phc`].
    pub(super) fn django(name: &str, iterations: &str, salt: &str, hash: &str) -> Result<Self> {
        let digest = Digest::named(name.strip_prefix("pbkdf2_").ok_or_else(unknown)?)?;
        Self::new(digest, iterations, salt.into(), padded(hash)?)
    }

    fn new(digest: Digest, iterations: &str, salt: Vec<u8>, expected: Vec<u8>) -> Result<Self> {
        let iterations = NonZeroU32::new(number(iterations)?).ok_or_else(damaged)?;
        let expected = output(expected)?;
        let blocks = expected.len().div_ceil(digest.output_bytes()) as u64;
        if u64::from(iterations.get()) * blocks > MAX_WORK {
            return Err(too_costly());
        }
        Ok(Self { digest, iterations, salt, expected })
    }

    /// The library compares in constant time.
    pub(super) fn verify(&self, password: &[u8]) -> bool {
        verify(self.digest.algorithm(), self.iterations, &self.salt, password, &self.expected).is_ok()
    }
}

impl Digest {
    fn named(name: &str) -> Result<Self> {
        match name {
            "sha1" => Ok(Self::Sha1),
            "sha256" => Ok(Self::Sha256),
            "sha512" => Ok(Self::Sha512),
            _ => Err(unknown()),
        }
    }

    fn output_bytes(self) -> usize {
        match self {
            Self::Sha1 => 20,
            Self::Sha256 => 32,
            Self::Sha512 => 64,
        }
    }

    fn algorithm(self) -> Algorithm {
        match self {
            Self::Sha1 => PBKDF2_HMAC_SHA1,
            Self::Sha256 => PBKDF2_HMAC_SHA256,
            Self::Sha512 => PBKDF2_HMAC_SHA512,
        }
    }
}

fn dotted(text: &str) -> Result<Vec<u8>> {
    if text.contains('+') { Err(damaged()) } else { unpadded(&text.replace('.', "+")) }
}
