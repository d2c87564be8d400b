//! What was used once.
use super::model::Once;
use crate::base::Result;
use crate::store::{Check, Map, Sweep, Tx, WriteTx, expire_at};

/// hash of client and `jti` -> when it ends (seconds)
const USED: Map<u64> = Map::new("oauth.assertion");

/// How rows of this table end.
pub const SWEEPS: [Sweep; 1] = [Sweep {
    table: USED.name(),
    end: |tx, key, _| {
        USED.remove(tx, key);
        Ok(None)
    },
}];

/// Looks at every row of this table.
pub const CHECKS: &[(&str, Check)] = &[(USED.name(), |_, _, value| USED.decode(value).map(|_| None))];

/// Remembers that something was used.
///
/// # Errors
/// `Error::Unavailable` when the store does not serve.
///
/// # Returns
/// Whether it was not used before.
pub fn use_once(tx: &mut WriteTx, once: &Once) -> Result<bool> {
    if USED.get(tx, &once.key)?.is_some() {
        return Ok(false);
    }
    USED.put(tx, &once.key, &once.expires_at.secs().unsigned_abs())?;
    expire_at(tx, USED.name(), &once.key, once.expires_at)?;
    Ok(true)
}

/// Whether something was used already, as far as is known.
///
/// # Errors
/// As [`use_once`].
pub fn is_used(tx: &impl Tx, once: &Once) -> Result<bool> {
    Ok(USED.get(tx, &once.key)?.is_some())
}
