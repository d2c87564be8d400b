//! Where the hashes of one-time texts are kept: a table of its own for each kind.
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::base::{Error, Result, Timestamp, constant_time_eq};
use crate::crypto::user_token::Presented;
use crate::store::{Map, Record, Tx, WriteTx, expire_at};

/// user -> the text that was made last
pub struct Texts(Map<Started>);

/// A text that was handed on; another one of the same user takes its place.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Started {
    pub hash: [u8; 32],
    pub expires_at: Timestamp,
}

/// Everything but the hash.
impl fmt::Debug for Started {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Started").field("expires_at", &self.expires_at).finish_non_exhaustive()
    }
}

impl Record for Started {
    const VERSION: u8 = 1;
}

impl Texts {
    #[must_use]
    pub const fn new(table: &'static str) -> Self {
        Self(Map::new(table))
    }

    #[must_use]
    pub const fn name(&self) -> &'static str {
        self.0.name()
    }

    /// Whether a text is the last one of its user, and its time is not over.
    ///
    /// # Errors
    /// `Error::Invalid` naming `token` if not; `Error::Unavailable` when the store does not serve, here and below.
    pub fn check(&self, tx: &impl Tx, text: &Presented, now: Timestamp) -> Result<()> {
        let started = self.0.get(tx, &text.user.to_be_bytes())?.filter(|started| now < started.expires_at);
        let same = started.filter(|started| constant_time_eq(&started.hash, &text.hash));
        same.map(drop).ok_or_else(not_good)
    }

    /// Writes a text over the one before.
    ///
    /// # Errors
    /// As [`Texts::check`].
    pub fn put(&self, tx: &mut WriteTx, user: u64, started: &Started) -> Result<()> {
        expire_at(tx, self.name(), &user.to_be_bytes(), started.expires_at)?;
        self.0.put(tx, &user.to_be_bytes(), started)
    }

    /// Makes the text of a user good for nothing.
    pub fn remove(&self, tx: &mut WriteTx, user: u64) {
        self.0.remove(tx, &user.to_be_bytes());
    }

    /// How a row ends.
    ///
    /// # Errors
    /// As [`Texts::check`].
    pub fn end(&self, tx: &mut WriteTx, key: &[u8], now: Timestamp) -> Result<Option<Timestamp>> {
        // A later one has a row of its own in the index.
        if self.0.get(tx, key)?.is_some_and(|started| started.expires_at <= now) {
            self.0.remove(tx, key);
        }
        Ok(None)
    }

    /// Looks at a row.
    ///
    /// # Errors
    /// `Error::Internal` for bytes that are none.
    pub fn verify(&self, value: &[u8]) -> Result<Option<String>> {
        self.0.decode(value).map(|_| None)
    }
}

/// The one answer for a text that is good for nothing, whatever the reason.
#[must_use]
pub fn not_good() -> Error {
    Error::invalid("token", "is not valid, was used already, or has expired")
}
