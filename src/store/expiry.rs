//! One index of everything that ends (`when ++ table 0 key`), and the sweep over it.
//!
//! An index row says when to look, not what is true: a record whose end moved is filed again when it comes up.
//! So prolonging a session costs no second row.
use super::{Map, Tx, WriteTx};
use crate::base::{Error, Result, Timestamp};

pub(super) const DUE: Map<()> = Map::new("store.expiry");

/// How rows of one table end.
pub struct Sweep {
    /// The table that [`expire_at`] was given.
    pub table: &'static str,
    /// Removes the record at the key with its indexes, or says when to look again. A record that is gone
    /// already is `Ok(None)`.
    pub end: fn(&mut WriteTx, &[u8], Timestamp) -> Result<Option<Timestamp>>,
}

/// Has the record at `key` looked at once `when` has passed.
///
/// # Errors
/// `Error::Internal` if the row cannot be written as bytes.
pub fn expire_at(tx: &mut WriteTx, table: &'static str, key: &[u8], when: Timestamp) -> Result<()> {
    DUE.put(tx, &due_key(table, key, when), &())
}

fn due_key(table: &str, key: &[u8], when: Timestamp) -> Vec<u8> {
    let mut due = when.micros().max(0).to_be_bytes().to_vec();
    due.extend_from_slice(table.as_bytes());
    due.push(0);
    due.extend_from_slice(key);
    due
}

/// The index rows whose time has come, the oldest first.
pub(super) fn due(tx: &impl Tx, now: Timestamp, limit: usize) -> Result<Vec<Vec<u8>>> {
    let rows = DUE.first(tx, &[], limit)?;
    let end = now.micros().max(0).to_be_bytes();
    Ok(rows.into_iter().map(|(key, ())| key).take_while(|key| key[..8] <= end[..]).collect())
}

/// Ends what the rows point at, and files what goes on under its new time.
pub(super) fn sweep(tx: &mut WriteTx, sweeps: &[Sweep], due: &[Vec<u8>], now: Timestamp) -> Result<()> {
    for row in due {
        let (table, key) = split(row).ok_or_else(|| Error::internal("a broken row in the expiry index"))?;
        let sweep = sweeps.iter().find(|sweep| sweep.table.as_bytes() == table);
        let sweep =
            sweep.ok_or_else(|| Error::internal("the expiry index names a table that nobody sweeps"))?;
        DUE.remove(tx, row);
        if let Some(later) = (sweep.end)(tx, key, now)? {
            expire_at(tx, sweep.table, key, later.max(now.plus_secs(1)))?;
        }
    }
    Ok(())
}

fn split(row: &[u8]) -> Option<(&[u8], &[u8])> {
    let rest = row.get(8..)?;
    let end = rest.iter().position(|byte| *byte == 0)?;
    Some((&rest[..end], &rest[end + 1..]))
}
