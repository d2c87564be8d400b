//! The text of an API key: `asku_` (a user's) or `asks_` (a service account's), the key's id, 256 random bits and a
//! checksum, in hexadecimal digits with `_` between. Scanners find leaked ones by
//! `ask[us]_[0-9a-f]{32}_[0-9a-f]{64}_[0-9a-f]{8}`; the checksum tells a mistyped one before anything is looked up.
use std::fmt;

use zeroize::Zeroizing;

use super::hash::sha256;
use crate::base::{Entropy, Secret, entropy};

const OF_USER: &str = "asku_";
const OF_SERVICE: &str = "asks_";
const PREFIX: usize = OF_USER.len();
const ID: usize = PREFIX + 32;
const SECRET: usize = ID + 1 + 64;
const TOTAL: usize = SECRET + 1 + 8;

/// What a well-formed text says: which key it claims to be, and the hash that the key's would have to be.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Presented {
    pub id: [u8; 16],
    pub hash: [u8; 32],
}

/// Everything but the hash.
impl fmt::Debug for Presented {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Presented").field("id", &self.id).finish_non_exhaustive()
    }
}

/// A new text for the key of an id.
///
/// # Returns
/// The text, to be shown once, and the hash that is stored of it.
#[must_use]
pub fn generate(is_user: bool, id: &[u8; 16], rng: &dyn Entropy) -> (Secret, [u8; 32]) {
    let prefix = if is_user { OF_USER } else { OF_SERVICE };
    let secret = Zeroizing::new(entropy::bytes::<32>(rng));
    let (high, low) = secret.split_at(16);
    let number = |half: &[u8]| half.iter().fold(0_u128, |number, byte| number << 8 | u128::from(*byte));
    let body = Zeroizing::new(format!(
        "{prefix}{:032x}_{:032x}{:032x}",
        u128::from_be_bytes(*id),
        number(high),
        number(low)
    ));
    let text = format!("{}_{:08x}", &*body, crc32fast::hash(body.as_bytes()));
    let hash = hash(&text);
    (Secret::new(text), hash)
}

/// Reads a text that someone presents; `None` for one that is mistyped or cut, or none of ours.
#[must_use]
pub fn parse(text: &str) -> Option<Presented> {
    let bytes = text.as_bytes();
    if bytes.len() != TOTAL || !(text.starts_with(OF_USER) || text.starts_with(OF_SERVICE)) {
        return None;
    }
    // To the end, whatever it finds: so the processor looks at many at a time.
    let digits = |part: &[u8]| part.iter().fold(true, |all, b| all & matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    let (id, sum) = (text.get(PREFIX..ID)?, text.get(SECRET + 1..)?);
    let shaped = bytes[ID] == b'_' && bytes[SECRET] == b'_' && digits(&bytes[ID + 1..SECRET]);
    if !shaped || !digits(id.as_bytes()) || !digits(sum.as_bytes()) {
        return None;
    }
    if u32::from_str_radix(sum, 16).ok()? != crc32fast::hash(&bytes[..SECRET]) {
        return None;
    }
    let id = u128::from_str_radix(id, 16).ok()?.to_be_bytes();
    Some(Presented { id, hash: hash(text) })
}

/// 256 random bits need no slow hash (OWASP ASVS 5.0, 6.5.2).
fn hash(text: &str) -> [u8; 32] {
    sha256(&[text.as_bytes()])
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::base::SeededEntropy;

    proptest! {
        #[test]
        fn a_key_parses_to_itself_and_no_mistyped_one_parses(
            id: [u8; 16], is_user: bool, seed: u64, at in 0..TOTAL, other in "[0-9a-fA-F_ ]",
        ) {
            let (text, hash) = generate(is_user, &id, &SeededEntropy::new(seed));
            let text = text.expose();
            prop_assert_eq!(parse(text), Some(Presented { id, hash }));
            let mut mistyped = text.to_owned();
            mistyped.replace_range(at..=at, &other);
            prop_assert_eq!(parse(&mistyped).is_some(), mistyped == text);
            let longer = format!("{text}0");
            prop_assert!(parse(&text[..at]).is_none() && parse(&longer).is_none());
        }

        #[test]
        fn garbage_is_refused(text in "\\PC{0,120}|ask[us]_[0-9a-f]{32}_[0-9a-f]{64}_[0-9a-f]{8}") {
            let body = text.get(..SECRET).unwrap_or_default();
            let by_chance = text.ends_with(&format!("_{:08x}", crc32fast::hash(body.as_bytes())));
            prop_assert!(by_chance || parse(&text).is_none());
        }
    }
}
