//! Where logins wait for their second factor.
use super::model::{MAX_PENDING, Pending};
use crate::base::Result;
use crate::crypto::user_token::Presented;
use crate::store::{Check, Map, Record, Sweep, Tx, WriteTx, expire_at};

/// user ++ hash of the token -> login
const PENDING: Map<Pending> = Map::new("login.pending");

impl Record for Pending {
    const VERSION: u8 = 1;
}

/// How rows of this table end.
pub const SWEEPS: [Sweep; 1] = [Sweep {
    table: PENDING.name(),
    end: |tx, key, _| {
        PENDING.remove(tx, key);
        Ok(None)
    },
}];

/// Looks at every row of this table.
pub const CHECKS: &[(&str, Check)] = &[(PENDING.name(), |_, _, value| PENDING.decode(value).map(|_| None))];

/// The login of a token.
///
/// # Errors
/// `Error::Unavailable` when the store does not serve, here and below.
pub fn by_token(tx: &impl Tx, token: &Presented) -> Result<Option<Pending>> {
    PENDING.get(tx, &key(token))
}

/// Writes a new login; the oldest of its user's go where there would be too many.
///
/// # Errors
/// As [`by_token`].
pub fn insert(tx: &mut WriteTx, token: &Presented, login: &Pending) -> Result<()> {
    let mut rows = PENDING.first(tx, &token.user.to_be_bytes(), usize::MAX)?;
    rows.sort_by_key(|(_, login)| login.created_at);
    let surplus = (rows.len() + 1).saturating_sub(MAX_PENDING);
    rows.iter().take(surplus).for_each(|(key, _)| PENDING.remove(tx, key));
    expire_at(tx, PENDING.name(), &key(token), login.expires_at)?;
    update(tx, token, login)
}

/// Writes a changed login.
///
/// # Errors
/// As [`by_token`].
pub fn update(tx: &mut WriteTx, token: &Presented, login: &Pending) -> Result<()> {
    PENDING.put(tx, &key(token), login)
}

/// Removes a login.
pub fn remove(tx: &mut WriteTx, token: &Presented) {
    PENDING.remove(tx, &key(token));
}

/// Removes all of a user's.
///
/// # Errors
/// As [`by_token`].
pub fn remove_all(tx: &mut WriteTx, user: u64) -> Result<()> {
    let rows = PENDING.first(tx, &user.to_be_bytes(), usize::MAX)?;
    rows.iter().for_each(|(key, _)| PENDING.remove(tx, key));
    Ok(())
}

fn key(token: &Presented) -> Vec<u8> {
    [&token.user.to_be_bytes()[..], &token.hash].concat()
}
