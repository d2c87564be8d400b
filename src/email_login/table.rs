//! Where logins by mail wait.
use super::model::Mailed;
use crate::base::Result;
use crate::store::{Check, Map, Record, Sweep, Tx, WriteTx, expire_at};

/// user -> login
const LOGINS: Map<Mailed> = Map::new("email_login");
/// nothing -> how many codes were refused
const REFUSED: Map<u64> = Map::new("email_login.refused");

impl Record for Mailed {
    const VERSION: u8 = 1;
}

/// How rows of this table end.
pub const SWEEPS: [Sweep; 1] = [Sweep {
    table: LOGINS.name(),
    end: |tx, key, now| {
        // A later one has a row of its own in the index.
        if LOGINS.get(tx, key)?.is_some_and(|login| login.expires_at <= now) {
            LOGINS.remove(tx, key);
        }
        Ok(None)
    },
}];

/// Looks at every row of these tables.
pub const CHECKS: &[(&str, Check)] = &[
    (LOGINS.name(), |_, _, value| LOGINS.decode(value).map(|_| None)),
    (REFUSED.name(), |_, _, value| REFUSED.decode(value).map(|_| None)),
];

/// The login that was begun for a user.
///
/// # Errors
/// `Error::Unavailable` when the store does not serve, here and below.
pub fn of_user(tx: &impl Tx, user: u64) -> Result<Option<Mailed>> {
    LOGINS.get(tx, &user.to_be_bytes())
}

/// Writes a login over the one before.
///
/// # Errors
/// As [`of_user`].
pub fn put(tx: &mut WriteTx, user: u64, login: &Mailed) -> Result<()> {
    expire_at(tx, LOGINS.name(), &user.to_be_bytes(), login.expires_at)?;
    LOGINS.put(tx, &user.to_be_bytes(), login)
}

/// Ends a login.
pub fn remove(tx: &mut WriteTx, user: u64) {
    LOGINS.remove(tx, &user.to_be_bytes());
}

/// Counts a code that was refused, whoever it was for: so every refusal waits for the disk, and its time tells nothing.
///
/// # Errors
/// As [`of_user`].
pub fn count_refused(tx: &mut WriteTx) -> Result<()> {
    let count = REFUSED.get(tx, &[])?.unwrap_or(0);
    REFUSED.put(tx, &[], &(count + 1))
}
