//! The text that resets a password: `asp_`, and in base64url the number of the user and 256 random bits.
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use zeroize::Zeroizing;

use super::hash::sha256;
use crate::base::{Entropy, Secret, entropy};

/// Secret scanners find leaked ones by it.
const PREFIX: &str = "asp_";
const USER: usize = 8;
const TOTAL: usize = USER + 32;

/// What a text says: whose password it claims to reset, and the hash that is stored of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Presented {
    pub user: u64,
    pub hash: [u8; 32],
}

/// A new text for a user.
///
/// # Returns
/// The text, to be handed on once, and the hash that is stored of it.
#[must_use]
pub fn generate(user: u64, rng: &dyn Entropy) -> (Secret, [u8; 32]) {
    let mut raw = Zeroizing::new([0; TOTAL]);
    raw[..USER].copy_from_slice(&user.to_be_bytes());
    raw[USER..].copy_from_slice(&*Zeroizing::new(entropy::bytes::<32>(rng)));
    (Secret::new(format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(&raw[..]))), sha256(&[&raw[..]]))
}

/// Reads a text that someone presents; `None` for one that has not the form of ours.
#[must_use]
pub fn parse(text: &str) -> Option<Presented> {
    let mut raw = Zeroizing::new([0; TOTAL]);
    let len = URL_SAFE_NO_PAD.decode_slice(text.strip_prefix(PREFIX)?, raw.as_mut()).ok()?;
    let user = raw.first_chunk().copied().map(u64::from_be_bytes)?;
    (len == TOTAL).then(|| Presented { user, hash: sha256(&[&raw[..]]) })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::base::SeededEntropy;

    proptest! {
        #[test]
        fn a_text_parses_to_itself(user: u64, seed: u64) {
            let (text, hash) = generate(user, &SeededEntropy::new(seed));
            prop_assert_eq!(parse(text.expose()), Some(Presented { user, hash }));
            prop_assert_eq!(parse(&text.expose()[..text.expose().len() - 1]), None);
        }

        #[test]
        fn garbage_is_refused(text in "\\PC{0,80}|asp_[A-Za-z0-9_-]{0,52}") {
            prop_assert_eq!(parse(&text), None);
        }
    }
}
