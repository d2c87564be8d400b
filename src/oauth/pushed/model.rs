//! What is kept of a request until its user has answered it. Pure.
use serde::{Deserialize, Serialize};

use crate::base::{Entropy, Timestamp, entropy};
use crate::crypto::sha256;
use crate::oauth::client::ClientId;

/// What every reference of ours begins with (RFC 9126 section 2.2).
const PREFIX: &str = "urn:ietf:params:oauth:request_uri:";
const RANDOM_BYTES: usize = 32;
/// How long a user may take over the pages, in seconds.
pub const PATIENCE_SECS: i64 = 3600;

/// An authorization request that is kept. Good for one answer.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pushed {
    pub client: ClientId,
    /// Its parameters, as a query string.
    pub query: String,
    /// Whether the client has sent it here itself.
    pub is_pushed: bool,
    /// Whether the client has signed it.
    pub is_signed: bool,
    /// Whether a browser has come with it.
    pub is_open: bool,
    pub expires_at: Timestamp,
}

impl Pushed {
    /// Whether it may be answered `now`.
    #[must_use]
    pub fn is_good(&self, now: Timestamp) -> bool {
        now < self.expires_at
    }

    /// The same once a browser has come with it: then its user has time, and a page may be loaded anew.
    #[must_use]
    pub fn opened(self, now: Timestamp) -> Self {
        Self { is_open: true, expires_at: now.plus_secs(PATIENCE_SECS), ..self }
    }
}

/// A reference that nobody can guess.
#[must_use]
pub fn generate(rng: &dyn Entropy) -> String {
    let random: [u8; RANDOM_BYTES] = entropy::bytes(rng);
    let hex: String = random.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("{PREFIX}{hex}")
}

/// Whether a `request_uri` is a reference of ours, and nothing to be looked up elsewhere.
#[must_use]
pub fn is_ours(uri: &str) -> bool {
    uri.starts_with(PREFIX)
}

/// Under what a request is kept: whoever reads the store has no reference.
#[must_use]
pub fn key_of(uri: &str) -> [u8; 32] {
    sha256(&[uri.as_bytes()])
}

/// What is asked for is nobody else's business.
impl std::fmt::Debug for Pushed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pushed").field("client", &self.client).finish_non_exhaustive()
    }
}
