//! What is known of an address, and of one that is to take its place. Pure.
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::base::Timestamp;
use crate::base::text::Email;

/// What is known of a user's address.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Standing {
    /// The address that was verified, and when. Another one by now is not.
    pub verified: Option<(Email, Timestamp)>,
    /// Whether its user can log in only once an address is verified.
    pub is_required: bool,
}

/// An address that is to take the place of another one.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    pub email: Email,
    /// Of the text that makes it so.
    pub hash: [u8; 32],
    pub expires_at: Timestamp,
}

/// Everything but the hash.
impl fmt::Debug for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Change")
            .field("email", &self.email)
            .field("expires_at", &self.expires_at)
            .finish_non_exhaustive()
    }
}

impl Standing {
    /// Whether an address is the one that was verified.
    #[must_use]
    pub fn is_verified(&self, email: &Email) -> bool {
        self.verified.as_ref().is_some_and(|(verified, _)| verified == email)
    }

    /// Whether its user may log in.
    #[must_use]
    pub fn may_log_in(&self) -> bool {
        !self.is_required || self.verified.is_some()
    }
}
