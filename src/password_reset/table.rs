//! Where started resets are kept: of each user the last one.
use serde::{Deserialize, Serialize};

use crate::base::{Result, Timestamp};
use crate::store::{Check, Map, Record, Sweep, Tx, WriteTx, expire_at};

/// user -> reset
const RESETS: Map<Reset> = Map::new("password_reset");

/// A reset that was started; another one of the same user takes its place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reset {
    /// Of the text that finishes it.
    pub hash: [u8; 32],
    pub expires_at: Timestamp,
}

impl Record for Reset {
    const VERSION: u8 = 1;
}

/// How rows of this table end.
pub const SWEEPS: [Sweep; 1] = [Sweep {
    table: RESETS.name(),
    end: |tx, key, now| {
        let Some(reset) = RESETS.get(tx, key)? else { return Ok(None) };
        if reset.expires_at > now {
            // A later one; it has a row of its own in the index.
            return Ok(None);
        }
        RESETS.remove(tx, key);
        Ok(None)
    },
}];

/// Looks at every row of this table.
pub const CHECKS: &[(&str, Check)] = &[(RESETS.name(), |_, _, value| RESETS.decode(value).map(|_| None))];

/// The reset that was started for a user.
///
/// # Errors
/// `Error::Unavailable` when the store does not serve, here and below.
pub fn of_user(tx: &impl Tx, user: u64) -> Result<Option<Reset>> {
    RESETS.get(tx, &user.to_be_bytes())
}

/// Writes a reset over the one before.
///
/// # Errors
/// As [`of_user`].
pub fn put(tx: &mut WriteTx, user: u64, reset: &Reset) -> Result<()> {
    expire_at(tx, RESETS.name(), &user.to_be_bytes(), reset.expires_at)?;
    RESETS.put(tx, &user.to_be_bytes(), reset)
}

/// Makes the text of a user's reset good for nothing.
pub fn remove(tx: &mut WriteTx, user: u64) {
    RESETS.remove(tx, &user.to_be_bytes());
}
