//! What an initial access token is. Pure.
use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::base::{Entropy, Error, Id, Result, Secret, Timestamp, constant_time_eq, entropy};
use crate::crypto::sha256;

/// Secret scanners find leaked ones by it.
const PREFIX: &str = "asi_";
const MAX_NAME: usize = 100;
const MAX_USES: u32 = 10_000;
const DAY_SECS: i64 = 24 * 3600;
const MAX_SECS: i64 = 366 * DAY_SECS;

/// Lets whoever shows it register clients: so many, and so long.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InitialToken {
    pub id: Id<InitialToken>,
    /// What it is for, in the words of whoever has made it.
    pub name: String,
    pub hash: [u8; 32],
    pub uses: u32,
    pub max_uses: u32,
    pub created_at: Timestamp,
    pub expires_at: Timestamp,
}

/// One that is asked for.
#[derive(Debug, PartialEq, Eq)]
pub struct NewInitialToken {
    pub name: String,
    pub max_uses: u32,
    pub lifetime_secs: i64,
}

/// What a text says: which token it claims to be, and the hash that the token's would have to be.
#[derive(Clone, Copy)]
pub struct Presented {
    pub id: Id<InitialToken>,
    hash: [u8; 32],
}

impl NewInitialToken {
    /// Once, and for a day, where nothing is said.
    ///
    /// # Errors
    /// `Error::Invalid` naming `name`, `max_uses` or `lifetime_seconds`.
    pub fn parse(name: &str, max_uses: Option<u32>, lifetime_secs: Option<i64>) -> Result<Self> {
        let (name, max_uses) = (name.trim(), max_uses.unwrap_or(1));
        let lifetime_secs = lifetime_secs.unwrap_or(DAY_SECS);
        let is_good = |c: char| !c.is_control() && !crate::base::text::rearranges(c);
        if !(1..=MAX_NAME).contains(&name.chars().count()) || !name.chars().all(is_good) {
            return Err(Error::invalid(
                "name",
                "must have 1 to 100 characters, none of them a control character",
            ));
        }
        if !(1..=MAX_USES).contains(&max_uses) {
            return Err(Error::invalid("max_uses", "must be 1 to 10000"));
        }
        if !(1..=MAX_SECS).contains(&lifetime_secs) {
            return Err(Error::invalid("lifetime_seconds", "must be 1 to 31622400"));
        }
        Ok(Self { name: name.to_owned(), max_uses, lifetime_secs })
    }
}

impl InitialToken {
    /// A new one, and its text, which is shown once. 256 random bits need no slow hash (OWASP ASVS 5.0, 6.5.2).
    #[must_use]
    pub fn generate(new: NewInitialToken, now: Timestamp, rng: &dyn Entropy) -> (Self, Secret) {
        let id = Id::new(now, rng);
        let random = Zeroizing::new(entropy::bytes::<32>(rng));
        let text = Secret::new(format!("{PREFIX}{id}_{}", URL_SAFE_NO_PAD.encode(&random[..])));
        let hash = sha256(&[text.expose().as_bytes()]);
        let NewInitialToken { name, max_uses, lifetime_secs } = new;
        let expires_at = now.plus_secs(lifetime_secs);
        (Self { id, name, hash, uses: 0, max_uses, created_at: now, expires_at }, text)
    }

    /// Whether a text is this one, and it lets register somebody `now`.
    #[must_use]
    pub fn admits(&self, shown: &Presented, now: Timestamp) -> bool {
        constant_time_eq(&self.hash, &shown.hash) && now < self.expires_at && self.uses < self.max_uses
    }

    /// The token after one use more.
    #[must_use]
    pub fn used(self) -> Self {
        Self { uses: self.uses.saturating_add(1), ..self }
    }
}

impl Presented {
    /// Reads a text; `None` for one that is none of ours.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (id, _) = text.strip_prefix(PREFIX)?.split_once('_')?;
        Some(Self { id: id.parse().ok()?, hash: sha256(&[text.as_bytes()]) })
    }
}

/// Everything but the hash.
impl fmt::Debug for InitialToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InitialToken")
            .field("id", &self.id)
            .field("uses", &self.uses)
            .field("max_uses", &self.max_uses)
            .field("expires_at", &self.expires_at)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::SeededEntropy;

    #[test]
    fn it_admits_so_many_and_so_long_and_nobody_with_another_text() {
        let (at, rng) = (Timestamp::from_secs, SeededEntropy::new(1));
        let new = || NewInitialToken::parse("CI", Some(2), Some(60)).unwrap();
        let (token, text) = InitialToken::generate(new(), at(100), &rng);
        let shown = Presented::parse(text.expose()).unwrap();
        assert!(token.admits(&shown, at(159)) && !token.admits(&shown, at(160)));
        let (_, other) = InitialToken::generate(new(), at(100), &rng);
        let forged = format!("{}{}", &text.expose()[..37], &other.expose()[37..]);
        let forged = Presented::parse(&forged).unwrap();
        assert!(forged.id == token.id && !token.admits(&forged, at(100)));
        assert!(!token.used().used().admits(&shown, at(100)));
        for none in ["", "asi_", "asi_x_y", "aso_00000000000000000000000000000000_x"] {
            assert!(Presented::parse(none).is_none(), "{none}");
        }
    }

    #[test]
    fn a_wrong_number_is_named() {
        let field = |name, uses, secs| match NewInitialToken::parse(name, uses, secs) {
            Err(Error::Invalid(wrong)) => wrong.field.to_string(),
            other => panic!("{other:?}"),
        };
        assert_eq!(field(" ", None, None), "name");
        assert_eq!(field("a\u{202e}b", None, None), "name");
        assert_eq!(field("a", Some(0), None), "max_uses");
        assert_eq!(field("a", Some(10_001), None), "max_uses");
        assert_eq!(field("a", None, Some(0)), "lifetime_seconds");
        assert_eq!(field("a", None, Some(MAX_SECS + 1)), "lifetime_seconds");
    }
}
