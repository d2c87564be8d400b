//! Where started resets are kept, and to which addresses they were mailed.
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::base::text::Email;
use crate::base::{Result, Timestamp, constant_time_eq};
use crate::crypto::user_token::Presented;
use crate::one_time::Texts;
use crate::store::{Check, Map, Record, Sweep, Tx, WriteTx, expire_at};

/// The texts that choose another password.
pub const RESETS: Texts = Texts::new("password_reset");

/// user -> the text that was mailed last
const MAILED: Map<MailedReset> = Map::new("password_reset.mailed");

/// A text that nobody has but who reads the mails of an address.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MailedReset {
    pub email: Email,
    pub hash: [u8; 32],
    pub expires_at: Timestamp,
}

/// Everything but the hash.
impl fmt::Debug for MailedReset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MailedReset").field("email", &self.email).finish_non_exhaustive()
    }
}

impl Record for MailedReset {
    const VERSION: u8 = 1;
}

/// How rows of these tables end.
pub const SWEEPS: [Sweep; 2] = [
    Sweep { table: RESETS.name(), end: |tx, key, now| RESETS.end(tx, key, now) },
    Sweep {
        table: MAILED.name(),
        end: |tx, key, now| {
            // A later one has a row of its own in the index.
            if MAILED.get(tx, key)?.is_some_and(|mailed| mailed.expires_at <= now) {
                MAILED.remove(tx, key);
            }
            Ok(None)
        },
    },
];

/// Looks at every row of these tables.
pub const CHECKS: &[(&str, Check)] = &[
    (RESETS.name(), |_, _, value| RESETS.verify(value)),
    (MAILED.name(), |_, _, value| MAILED.decode(value).map(|_| None)),
];

/// Remembers where a text was mailed to.
///
/// # Errors
/// `Error::Unavailable` when the store does not serve, here and below.
pub fn put_mailed(tx: &mut WriteTx, user: u64, mailed: &MailedReset) -> Result<()> {
    expire_at(tx, MAILED.name(), &user.to_be_bytes(), mailed.expires_at)?;
    MAILED.put(tx, &user.to_be_bytes(), mailed)
}

/// Whether a text was mailed to an address, and not handed on by an administrator.
///
/// # Errors
/// As [`put_mailed`].
pub fn was_mailed_to(tx: &impl Tx, text: &Presented, email: &Email) -> Result<bool> {
    let mailed = MAILED.get(tx, &text.user.to_be_bytes())?;
    Ok(mailed.is_some_and(|mailed| mailed.email == *email && constant_time_eq(&mailed.hash, &text.hash)))
}

/// Forgets everything about a user.
pub fn remove_all(tx: &mut WriteTx, user: u64) {
    RESETS.remove(tx, user);
    MAILED.remove(tx, &user.to_be_bytes());
}
