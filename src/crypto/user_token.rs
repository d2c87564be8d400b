//! Texts that stand for something of one user's: a prefix that says what, and in base64url the number of the user and
//! 256 random bits. Only their hashes are stored.
use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use zeroize::Zeroizing;

use super::hash::sha256;
use crate::base::{Entropy, Secret, entropy};

const USER: usize = 8;
const TOTAL: usize = USER + 32;

/// What a text is good for. Secret scanners find leaked ones by what they begin with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Choosing another password.
    PasswordReset,
    /// Going on with a login that lacks its second factor.
    Login,
    /// Getting back in without what was lost.
    Recovery,
    /// A device whose user need not show a second factor on it.
    TrustedDevice,
    /// Showing that an e-mail address is its user's.
    EmailVerification,
    /// Giving an account another e-mail address.
    EmailChange,
    /// Logging in by mail.
    EmailLogin,
    /// Making the account that was asked for.
    Registration,
}

/// What a text says: whose it claims to be, and the hash that is stored of it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Presented {
    pub user: u64,
    pub hash: [u8; 32],
}

/// Everything but the hash.
impl fmt::Debug for Presented {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Presented").field("user", &self.user).finish_non_exhaustive()
    }
}

impl Kind {
    /// What its texts begin with.
    #[must_use]
    pub fn prefix(self) -> &'static str {
        match self {
            Self::PasswordReset => "asp_",
            Self::Login => "asl_",
            Self::Recovery => "asc_",
            Self::TrustedDevice => "asd_",
            Self::EmailVerification => "asv_",
            Self::EmailChange => "ase_",
            Self::EmailLogin => "asm_",
            Self::Registration => "asn_",
        }
    }
}

/// A new text for a user.
///
/// # Returns
/// The text, to be handed on once, and the hash that is stored of it.
#[must_use]
pub fn generate(kind: Kind, user: u64, rng: &dyn Entropy) -> (Secret, [u8; 32]) {
    let mut raw = Zeroizing::new([0; TOTAL]);
    raw[..USER].copy_from_slice(&user.to_be_bytes());
    raw[USER..].copy_from_slice(&*Zeroizing::new(entropy::bytes::<32>(rng)));
    let text = Secret::new(format!("{}{}", kind.prefix(), URL_SAFE_NO_PAD.encode(&raw[..])));
    (text, sha256(&[&raw[..]]))
}

/// Reads a text that someone presents; `None` for one that has not the form of ours.
#[must_use]
pub fn parse(kind: Kind, text: &str) -> Option<Presented> {
    let mut raw = Zeroizing::new([0; TOTAL]);
    let len = URL_SAFE_NO_PAD.decode_slice(text.strip_prefix(kind.prefix())?, raw.as_mut()).ok()?;
    let user = raw.first_chunk().copied().map(u64::from_be_bytes)?;
    (len == TOTAL).then(|| Presented { user, hash: sha256(&[&raw[..]]) })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::base::SeededEntropy;

    const KINDS: [Kind; 8] = [
        Kind::PasswordReset,
        Kind::Login,
        Kind::Recovery,
        Kind::TrustedDevice,
        Kind::EmailVerification,
        Kind::EmailChange,
        Kind::EmailLogin,
        Kind::Registration,
    ];

    proptest! {
        #[test]
        fn a_text_parses_to_itself_and_is_good_for_one_thing(user: u64, seed: u64) {
            for kind in KINDS {
                let (text, hash) = generate(kind, user, &SeededEntropy::new(seed));
                prop_assert_eq!(parse(kind, text.expose()), Some(Presented { user, hash }));
                prop_assert_eq!(parse(kind, &text.expose()[..text.expose().len() - 1]), None);
                let others = KINDS.into_iter().filter(|other| *other != kind);
                prop_assert!(others.map(|other| parse(other, text.expose())).all(|read| read.is_none()));
            }
        }

        #[test]
        fn garbage_is_refused(text in "\\PC{0,80}|asp_[A-Za-z0-9_-]{0,52}") {
            prop_assert_eq!(parse(Kind::PasswordReset, &text), None);
        }
    }
}
