//! Where signing keys are kept.
use super::model::KeyRecord;
use crate::base::Result;
use crate::store::{Check, Map, Record, Tx, WriteTx};

/// kid -> key
const KEYS: Map<KeyRecord> = Map::new("signing_key");

impl Record for KeyRecord {
    const VERSION: u8 = 1;
}

/// Looks at every row of this table.
pub const CHECKS: &[(&str, Check)] = &[(KEYS.name(), |_, key, value| {
    let record = KEYS.decode(value)?;
    Ok((key != record.kid.as_bytes()).then(|| "stands under another id".to_owned()))
})];

/// All keys.
///
/// # Errors
/// `Error::Unavailable` when the store does not serve.
pub fn all(tx: &impl Tx) -> Result<Vec<KeyRecord>> {
    Ok(KEYS.first(tx, &[], usize::MAX)?.into_iter().map(|(_, key)| key).collect())
}

/// Writes `keys` in place of whatever is there.
///
/// # Errors
/// As [`all`].
pub fn replace(tx: &mut WriteTx, keys: &[KeyRecord]) -> Result<()> {
    for gone in all(tx)?.iter().filter(|old| keys.iter().all(|key| key.kid != old.kid)) {
        KEYS.remove(tx, gone.kid.as_bytes());
    }
    keys.iter().try_for_each(|key| KEYS.put(tx, key.kid.as_bytes(), key))
}
