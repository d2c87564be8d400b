//! Numbers that are given out once, in order, and never again.
use super::{Map, Tx, WriteTx};
use crate::base::Result;

pub(super) const LAST_IDS: Map<u64> = Map::new("store.sequence");

/// The next number of a sequence, from 1. Claimed by the change itself: a change that fails claims none.
///
/// # Errors
/// `Error::Unavailable` when the disk does not serve.
pub fn next_id(tx: &mut WriteTx, sequence: &'static str) -> Result<u64> {
    let next = coming_id(tx, sequence)?;
    LAST_IDS.put(tx, sequence.as_bytes(), &next)?;
    Ok(next)
}

/// The number that [`next_id`] would give, without claiming it.
///
/// # Errors
/// As [`next_id`].
pub fn coming_id(tx: &impl Tx, sequence: &'static str) -> Result<u64> {
    Ok(LAST_IDS.get(tx, sequence.as_bytes())?.unwrap_or(0) + 1)
}
