//! SHA-crypt (Drepper, "Unix crypt using SHA-256 and SHA-512", version 0.4): `$5$` and `$6$`.
use sha_crypt::{Params, sha256_crypt, sha512_crypt};

use super::text::{damaged, number, too_costly};
use crate::base::{Error, Result, constant_time_eq};

const ROUNDS_IF_NONE: u32 = 5000;
const MIN_ROUNDS: u32 = 1000;
/// Some seconds with the longest password that is looked at; systems use 5000 to 656 000.
const MAX_ROUNDS: u32 = 1_000_000;
const MAX_SALT_CHARS: usize = 16;

/// The digits of crypt(3), least significant first.
const DIGITS: &[u8; 64] = b"./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

#[derive(Clone, Copy, PartialEq, Eq)]
enum Digest {
    Sha256,
    Sha512,
}

#[derive(Clone, PartialEq, Eq)]
pub(super) struct ShaCrypt {
    digest: Digest,
    rounds: u32,
    salt: String,
    expected: String,
}

impl ShaCrypt {
    /// `$6$salt$hash`, from its fields.
    ///
    /// # Errors
    /// `Error::Invalid` for other text.
    pub(super) fn new(name: &str, salt: &str, hash: &str) -> Result<Self> {
        let digest = if name == "5" { Digest::Sha256 } else { Digest::Sha512 };
        let is_salt = salt.len() <= MAX_SALT_CHARS && salt.bytes().all(|c| c.is_ascii_graphic());
        if !is_salt || hash.len() != digest.chars() || !hash.bytes().all(|c| DIGITS.contains(&c)) {
            return Err(damaged());
        }
        Ok(Self { digest, rounds: ROUNDS_IF_NONE, salt: salt.to_owned(), expected: hash.to_owned() })
    }

    /// `$6$rounds=…$salt$hash`, from its fields.
    ///
    /// # Errors
    /// `Error::Invalid` for other text and for a cost too high. Fewer rounds than 1000 stand in no stored hash: the
    /// systems raise them.
    pub(super) fn with_rounds(name: &str, rounds: &str, salt: &str, hash: &str) -> Result<Self> {
        let rounds = number(rounds.strip_prefix("rounds=").ok_or_else(damaged)?)?;
        if rounds < MIN_ROUNDS {
            return Err(damaged());
        }
        if rounds > MAX_ROUNDS {
            return Err(too_costly());
        }
        Ok(Self { rounds, ..Self::new(name, salt, hash)? })
    }

    /// Compared as text: so nothing but what the systems write can fit.
    pub(super) fn verify(&self, password: &[u8]) -> Result<bool> {
        let params = Params::new(self.rounds).map_err(|e| Error::internal(format!("sha-crypt: {e}")))?;
        let salt = self.salt.as_bytes();
        let text = match self.digest {
            Digest::Sha256 => text_of_sha256(&sha256_crypt(password, salt, params)),
            Digest::Sha512 => text_of_sha512(&sha512_crypt(password, salt, params)),
        };
        Ok(constant_time_eq(text.as_bytes(), self.expected.as_bytes()))
    }
}

impl Digest {
    fn chars(self) -> usize {
        match self {
            Self::Sha256 => 43,
            Self::Sha512 => 86,
        }
    }
}

/// Step 22: one byte of each third of the digest, in an order that turns with every three.
fn text_of_sha256(digest: &[u8; 32]) -> String {
    let mut text = String::with_capacity(Digest::Sha256.chars());
    for n in 0..10 {
        let mut three = [digest[n], digest[n + 10], digest[n + 20]];
        three.rotate_right(n % 3);
        push(&mut text, three, 4);
    }
    push(&mut text, [0, digest[31], digest[30]], 3);
    text
}

fn text_of_sha512(digest: &[u8; 64]) -> String {
    let mut text = String::with_capacity(Digest::Sha512.chars());
    for n in 0..21 {
        let mut three = [digest[n], digest[n + 21], digest[n + 42]];
        three.rotate_left(n % 3);
        push(&mut text, three, 4);
    }
    push(&mut text, [0, 0, digest[63]], 2);
    text
}

fn push(text: &mut String, [high, middle, low]: [u8; 3], chars: usize) {
    let mut bits = u32::from_be_bytes([0, high, middle, low]);
    for _ in 0..chars {
        text.push(DIGITS[(bits & 63) as usize].into());
        bits >>= 6;
    }
}
