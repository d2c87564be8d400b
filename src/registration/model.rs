//! An account that somebody has asked for. Pure.
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::account::{NewUser, User};
use crate::base::text::{DisplayName, Email, Username};
use crate::base::{Secret, Timestamp};

/// An account that is made when the link in a mail is opened. Until then its user name is taken; also where nothing will come
/// of it, because somebody has the address already: nobody can tell the one from the other.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Wanted {
    pub username: Username,
    pub email: Email,
    pub first_name: Option<DisplayName>,
    pub last_name: Option<DisplayName>,
    pub password_hash: String,
    /// Of the text that makes it.
    pub hash: [u8; 32],
    pub expires_at: Timestamp,
}

/// Everything but the hashes.
impl fmt::Debug for Wanted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Wanted").field("username", &self.username).finish_non_exhaustive()
    }
}

impl Wanted {
    /// What is kept of a registration.
    #[must_use]
    pub fn of(new: NewUser, password_hash: String, hash: [u8; 32], expires_at: Timestamp) -> Self {
        let NewUser { username, email, first_name, last_name, .. } = new;
        Self { username, email, first_name, last_name, password_hash, hash, expires_at }
    }

    /// The account, once it has an id.
    #[must_use]
    pub fn into_user(self, id: u64, now: Timestamp) -> User {
        let Self { username, email, first_name, last_name, password_hash, .. } = self;
        let new = NewUser {
            username,
            email,
            first_name,
            last_name,
            password: Secret::new(""),
            is_superuser: false,
            roles: Vec::new(),
        };
        new.into_user(id, password_hash, now)
    }
}
