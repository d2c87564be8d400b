//! Where requests are kept.
use super::model::Pushed;
use crate::base::Result;
use crate::store::{Check, Map, Record, Sweep, Tx, WriteTx, expire_at};

/// hash of the reference -> request
const PUSHED: Map<Pushed> = Map::new("oauth.pushed");

impl Record for Pushed {
    const VERSION: u8 = 1;
}

/// How rows of this table end.
pub const SWEEPS: [Sweep; 1] = [Sweep {
    table: PUSHED.name(),
    end: |tx, key, now| {
        let Some(pushed) = PUSHED.get(tx, key)? else { return Ok(None) };
        if pushed.is_good(now) {
            return Ok(Some(pushed.expires_at));
        }
        PUSHED.remove(tx, key);
        Ok(None)
    },
}];

/// Looks at every row of this table.
pub const CHECKS: &[(&str, Check)] = &[(PUSHED.name(), |_, _, value| PUSHED.decode(value).map(|_| None))];

/// The request under a key.
///
/// # Errors
/// `Error::Unavailable` when the store does not serve, here and below.
pub fn find(tx: &impl Tx, key: &[u8; 32]) -> Result<Option<Pushed>> {
    PUSHED.get(tx, key)
}

/// Writes a new request.
///
/// # Errors
/// As [`find`].
pub fn insert(tx: &mut WriteTx, key: &[u8; 32], pushed: &Pushed) -> Result<()> {
    expire_at(tx, PUSHED.name(), key, pushed.expires_at)?;
    PUSHED.put(tx, key, pushed)
}

/// Writes a changed request. The expiry index finds the new end by itself.
///
/// # Errors
/// As [`find`].
pub fn update(tx: &mut WriteTx, key: &[u8; 32], pushed: &Pushed) -> Result<()> {
    PUSHED.put(tx, key, pushed)
}

/// Takes a request away.
///
/// # Errors
/// As [`find`].
///
/// # Returns
/// Whether it was there.
pub fn spend(tx: &mut WriteTx, key: &[u8; 32]) -> Result<bool> {
    let was_there = PUSHED.get(tx, key)?.is_some();
    PUSHED.remove(tx, key);
    Ok(was_there)
}
