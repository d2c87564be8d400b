//! Secrets of clients, as they are kept. Pure.
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::base::Timestamp;

/// A secret of a client, as it is stored.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClientSecret {
    pub hash: [u8; 32],
    /// Itself, sealed under the master key and for its client: for who signs with it. Empty for everybody else.
    pub sealed: Vec<u8>,
    pub created_at: Timestamp,
    pub expires_at: Option<Timestamp>,
}

impl ClientSecret {
    #[must_use]
    pub fn is_good(&self, now: Timestamp) -> bool {
        self.expires_at.is_none_or(|end| now < end)
    }

    /// Whether it is one to sign with, and not to be sent.
    #[must_use]
    pub const fn signs(&self) -> bool {
        !self.sealed.is_empty()
    }
}

/// When it was made, and nothing of what it is.
impl fmt::Debug for ClientSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientSecret").field("created_at", &self.created_at).finish_non_exhaustive()
    }
}
