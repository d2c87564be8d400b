//! A login by mail that was begun. Pure.
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::base::Timestamp;
use crate::base::text::Email;

/// How long link and code are good, in seconds: 10 minutes.
pub const LIFETIME_SECS: i64 = 600;
/// So many wrong codes end a login.
pub const MAX_WRONG: u8 = 10;
/// Of a code: 10 attempts at one of a hundred million.
pub const CODE_DIGITS: usize = 8;

/// A login that was begun; another one of the same user takes its place.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mailed {
    /// The address that it was mailed to: to another one by now it is nothing.
    pub email: Email,
    /// Of the link's text.
    pub token: [u8; 32],
    /// Of the code, under a key of this server: alone a code is soon guessed.
    pub code: [u8; 32],
    pub wrong: u8,
    pub expires_at: Timestamp,
}

/// Everything but the hashes.
impl fmt::Debug for Mailed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mailed")
            .field("email", &self.email)
            .field("wrong", &self.wrong)
            .field("expires_at", &self.expires_at)
            .finish_non_exhaustive()
    }
}
