//! bcrypt (Provos and Mazières, "A Future-Adaptable Password Scheme", 1999) in the form that crypt(3) stores.
//!
//! It is short above Blowfish. `$2a$`, `$2b$` and `$2y$` are one algorithm: the letters tell which programs had their
//! defect mended. `$2x$` is the defect of `crypt_blowfish` before 1.1 (CVE-2011-2483), for the hashes made with it.
use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine;
use base64::alphabet::BCRYPT;
use base64::engine::general_purpose::{GeneralPurpose, NO_PAD};
use blowfish::Blowfish;
use zeroize::Zeroizing;

use super::text::{damaged, number, too_costly};
use crate::base::{Result, constant_time_eq};

/// The alphabet is crypt's, the order of the bits is that of MIME.
const BASE64: GeneralPurpose = GeneralPurpose::new(&BCRYPT, NO_PAD);

const MIN_COST: u32 = 4;
/// Each step doubles the time; 12 takes a quarter of a second.
const MAX_COST: u32 = 16;
const SALT_BYTES: usize = 16;
const SALT_CHARS: usize = 22;
/// Of 24 bytes, the last was never stored.
const OUTPUT_BYTES: usize = 23;
/// Blowfish takes 18 words of key, each password ends with a NUL, and what is beyond counts nothing.
const KEY_BYTES: usize = 72;
/// "OrpheanBeholderScryDoubt", encrypted over and over.
const PLAIN: [[u32; 2]; 3] =
    [[0x4f72_7068, 0x6561_6e42], [0x6568_6f6c, 0x6465_7253], [0x6372_7944, 0x6f75_6274]];

#[derive(Clone, PartialEq, Eq)]
pub(super) struct Bcrypt {
    /// Whether the password is hashed before (Django's `bcrypt_sha256`).
    of_sha256: bool,
    /// Whether bytes above 127 spoil those before them (`$2x$`).
    sign_extends: bool,
    cost: u32,
    salt: [u8; SALT_BYTES],
    expected: [u8; OUTPUT_BYTES],
}

impl Bcrypt {
    /// `$2b$cost$salthash`, from its fields.
    ///
    /// # Errors
    /// `Error::Invalid` for other text and for a cost too high.
    pub(super) fn crypt(version: &str, cost: &str, data: &str) -> Result<Self> {
        if !matches!(version, "2a" | "2b" | "2x" | "2y") || cost.len() != 2 {
            return Err(damaged());
        }
        let cost = number(cost.strip_prefix('0').unwrap_or(cost))?;
        if cost < MIN_COST {
            return Err(damaged());
        }
        if cost > MAX_COST {
            return Err(too_costly());
        }
        let (salt, expected) = data.split_at_checked(SALT_CHARS).ok_or_else(damaged)?;
        Ok(Self {
            of_sha256: false,
            sign_extends: version == "2x",
            cost,
            salt: decode(salt)?,
            expected: decode(expected)?,
        })
    }

    /// The same over the hexadecimal SHA-256 of the password (`BCryptSHA256PasswordHasher` of Django).
    ///
    /// # Errors
    /// As [`Bcrypt::crypt`].
    pub(super) fn of_sha256(version: &str, cost: &str, data: &str) -> Result<Self> {
        Ok(Self { of_sha256: true, ..Self::crypt(version, cost, data)? })
    }

    pub(super) fn verify(&self, password: &[u8]) -> bool {
        let hex = self.of_sha256.then(|| Zeroizing::new(hex_of_sha256(password)));
        let key = self.key(hex.as_ref().map_or(password, |hex| hex.as_bytes()));
        let output = hash(self.cost, &self.salt, &*key);
        constant_time_eq(&output[..OUTPUT_BYTES], &self.expected)
    }

    /// The password with its NUL, again and again until the key is full: so Blowfish would read it.
    fn key(&self, password: &[u8]) -> Zeroizing<[u8; KEY_BYTES]> {
        let mut key = Zeroizing::new([0; KEY_BYTES]);
        let mut bytes = password.iter().copied().chain([0]).cycle();
        for word in key.chunks_exact_mut(size_of::<u32>()) {
            let folded = bytes.by_ref().take(size_of::<u32>()).fold(0_u32, |word, byte| {
                let low = if self.sign_extends { byte.cast_signed() as u32 } else { u32::from(byte) };
                (word << 8) | low
            });
            word.copy_from_slice(&folded.to_be_bytes());
        }
        key
    }
}

/// # Errors
/// `Error::Invalid` for text of another length, or whose last bits are not zero: no system accepts that.
fn decode<const N: usize>(text: &str) -> Result<[u8; N]> {
    let bytes = BASE64.decode(text).map_err(|_| damaged())?;
    bytes.try_into().map_err(|_| damaged())
}

fn hex_of_sha256(password: &[u8]) -> String {
    digest(&SHA256, password).as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// "EksBlowfishSetup" and what follows it in the paper.
fn hash(cost: u32, salt: &[u8], key: &[u8]) -> Vec<u8> {
    let mut state = Blowfish::bc_init_state();
    state.salted_expand_key(salt, key);
    for _ in 0..1_u32 << cost {
        state.bc_expand_key(key);
        state.bc_expand_key(salt);
    }
    let cipher = PLAIN.map(|block| (0..64).fold(block, |block, _| state.bc_encrypt(block)));
    cipher.as_flattened().iter().flat_map(|word| word.to_be_bytes()).collect()
}
