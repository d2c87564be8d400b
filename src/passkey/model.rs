//! What a passkey is, and what becomes of it when it is used. Pure.
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::base::text::rearranges;
use crate::base::{Error, Id, Result, Timestamp};
use crate::crypto::webauthn::{Descriptor, Registered, Seen};

/// Passkeys of one user.
pub const MAX_PASSKEYS: usize = 20;
const MAX_NAME: usize = 100;

/// How a session is made with one. `pop` (proof of possession of a key, registered with IANA): without attestation nobody
/// knows whether the key is in hardware, so neither `hwk` nor `swk` would be true. `user`: its user was there; `mfa`: and was
/// verified by what it knows or is, so the key alone is not enough (RFC 8176 section 2).
pub const METHODS: [&str; 3] = ["pop", "user", "mfa"];

/// A key pair that an authenticator holds for a user.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Passkey {
    pub id: Id<Passkey>,
    pub user: u64,
    pub name: String,
    /// By what it is named to browsers.
    pub credential: Vec<u8>,
    pub transports: Vec<String>,
    /// The domain that it was made for: it is good for no other.
    pub rp_id: String,
    /// The make of the authenticator, if it said so.
    pub aaguid: Option<[u8; 16]>,
    /// What the library knows of it, public key included.
    pub stored: String,
    pub counter: u32,
    pub backup_eligible: bool,
    pub backed_up: bool,
    pub created_at: Timestamp,
    pub last_used: Option<LastUse>,
    /// When an answer came whose counter was not beyond the last one: there may be a copy (WebAuthn section 6.1.1).
    pub counter_went_back_at: Option<Timestamp>,
}

/// When and from where it was used last.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastUse {
    pub at: Timestamp,
    pub address: String,
}

/// Short: what is stored of a key is long, and nobody's to read.
impl fmt::Debug for Passkey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Passkey")
            .field("id", &self.id)
            .field("user", &self.user)
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

/// What is left of a challenge whose answer was taken, until it would be over anyway.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Mark {
    pub hash: [u8; 32],
    pub expires_at: Timestamp,
}

/// Everything but the hash.
impl fmt::Debug for Mark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mark").field("expires_at", &self.expires_at).finish_non_exhaustive()
    }
}

/// The answer of an authenticator that was found good, to be used up in a change.
#[derive(Clone, PartialEq, Eq)]
pub struct Proof {
    pub passkey: Passkey,
    /// What is to be stored from now on, and what the authenticator said.
    pub(super) stored: String,
    pub(super) seen: Seen,
    pub(super) mark: Mark,
    /// From where it came.
    pub(super) address: String,
}

impl Passkey {
    /// A passkey that was registered.
    #[must_use]
    pub fn new(
        id: Id<Self>,
        (user, rp_id): (u64, &str),
        name: String,
        registered: Registered,
        now: Timestamp,
    ) -> Self {
        let Registered { stored, descriptor, aaguid, seen } = registered;
        Self {
            id,
            user,
            name,
            credential: descriptor.id,
            transports: descriptor.transports,
            rp_id: rp_id.to_owned(),
            aaguid,
            stored,
            counter: seen.counter,
            backup_eligible: seen.backup_eligible,
            backed_up: seen.backed_up,
            created_at: now,
            last_used: None,
            counter_went_back_at: None,
        }
    }

    /// By what it is named to browsers.
    #[must_use]
    pub fn descriptor(&self) -> Descriptor {
        Descriptor { id: self.credential.clone(), transports: self.transports.clone() }
    }

    /// Whether a counter is beyond the one that came last. Those that do not count always say 0.
    #[must_use]
    pub fn takes(&self, counter: u32) -> bool {
        counter > self.counter || counter == 0 && self.counter == 0
    }

    /// The passkey after it was used.
    #[must_use]
    pub fn used(mut self, stored: String, seen: Seen, address: &str, now: Timestamp) -> Self {
        self.stored = stored;
        self.counter = seen.counter;
        self.backup_eligible = seen.backup_eligible;
        self.backed_up = seen.backed_up;
        self.last_used = Some(LastUse { at: now, address: address.to_owned() });
        self
    }
}

/// What a passkey is called by its user.
///
/// # Errors
/// `Error::Invalid` naming `name` unless it has 1 to 100 characters, none of them a control character.
pub fn parse_name(text: &str) -> Result<String> {
    let text = text.trim();
    if !(1..=MAX_NAME).contains(&text.chars().count()) {
        return Err(Error::invalid("name", "must have 1 to 100 characters"));
    }
    if text.chars().any(|c| c.is_control() || rearranges(c)) {
        return Err(Error::invalid("name", "must not have control characters"));
    }
    Ok(text.to_owned())
}

/// What a passkey is called that nobody has named: `Passkey of 2027-01-15`.
#[must_use]
pub fn default_name(now: Timestamp) -> String {
    let date: String = now.rfc3339().chars().take(10).collect();
    format!("Passkey of {date}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn passkey(counter: u32) -> Passkey {
        let seen = Seen { counter, backup_eligible: false, backed_up: false };
        let descriptor = Descriptor { id: vec![1], transports: Vec::new() };
        let registered = Registered { stored: String::new(), descriptor, aaguid: None, seen };
        Passkey::new(Id::from_bytes([1; 16]), (1, "localhost"), "x".into(), registered, Timestamp::default())
    }

    #[test]
    fn a_counter_goes_on_or_is_always_zero() {
        assert!(passkey(0).takes(0) && passkey(0).takes(1) && passkey(5).takes(6));
        assert!(!passkey(5).takes(5) && !passkey(5).takes(4) && !passkey(5).takes(0));
    }

    #[test]
    fn names() {
        assert_eq!(parse_name(" Laptop ").unwrap(), "Laptop");
        assert_eq!(default_name(Timestamp::from_secs(1_800_000_000)), "Passkey of 2027-01-15");
        for bad in ["", "  ", "a\nb", "a\u{202e}b", &"x".repeat(101)] {
            assert!(parse_name(bad).is_err(), "{bad:?}");
        }
    }
}
