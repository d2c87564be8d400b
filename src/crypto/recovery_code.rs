//! Recovery codes: 125 random bits each, in groups that can be written down. So many that a plain hash keeps them (OWASP
//! ASVS 6.5.2).
use zeroize::Zeroizing;

use super::hash::sha256;
use crate::base::{Entropy, Secret, entropy};

/// Crockford's base 32: without `I`, `L`, `O` and `U`, which are taken for others.
const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
const CHARS: usize = 25;
const GROUP: usize = 5;

/// A new code.
///
/// # Returns
/// The text, to be shown once, and the hash that is stored of it.
#[must_use]
pub fn generate(rng: &dyn Entropy) -> (Secret, [u8; 32]) {
    let raw = Zeroizing::new(entropy::bytes::<CHARS>(rng));
    let code: Zeroizing<Vec<u8>> =
        Zeroizing::new(raw.iter().map(|byte| ALPHABET[usize::from(byte & 31)]).collect());
    let hash = sha256(&[&code]);
    let groups: Vec<_> = code.chunks(GROUP).map(|group| String::from_utf8_lossy(group)).collect();
    (Secret::new(groups.join("-")), hash)
}

/// The hash of a code that somebody typed, whatever case and separators it has; `None` for what has not the form of one.
#[must_use]
pub fn hash_of(text: &str) -> Option<[u8; 32]> {
    let mut code = Zeroizing::new(Vec::with_capacity(CHARS + 1));
    for byte in text.bytes().filter(|byte| !matches!(byte, b'-' | b' ')).take(CHARS + 1) {
        let plain = match byte.to_ascii_uppercase() {
            b'O' => b'0',
            b'I' | b'L' => b'1',
            other => other,
        };
        ALPHABET.contains(&plain).then(|| code.push(plain))?;
    }
    (code.len() == CHARS).then(|| sha256(&[&code]))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::base::SeededEntropy;

    proptest! {
        #[test]
        fn a_code_is_known_again_however_it_is_typed(seed: u64) {
            let (text, hash) = generate(&SeededEntropy::new(seed));
            let text = text.expose();
            prop_assert_eq!(text.len(), 29);
            prop_assert_eq!(hash_of(text), Some(hash));
            let other = text.to_lowercase().replace('-', " ").replace('0', "o").replace('1', "l");
            prop_assert_eq!(hash_of(&other), Some(hash));
            prop_assert_eq!(hash_of(&text[..28]), None);
            let next = format!("{text}0");
            prop_assert_eq!(hash_of(&next), None);
        }

        #[test]
        fn any_text_is_read_without_panic(text in "\\PC{0,60}") {
            let read = hash_of(&text);
            prop_assert!(read.is_none() || text.is_ascii());
        }
    }
}
