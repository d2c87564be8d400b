//! One index of everything that ends (`when ++ table 0 key`), and the sweep over it.
//!
//! An index row says when to look, not what is true: a record whose end moved is filed again when it comes up.
//! So prolonging a session costs no second row.
use super::{Map, Tx, WriteTx};
use crate::base::{Error, Result, Timestamp};

pub(super) const DUE: Map<()> = Map::new("store.expiry");
/// When to try again what failed, in seconds.
const DAY_SECS: i64 = 24 * 3600;

/// How rows of one table end.
#[derive(Clone, Copy)]
pub struct Sweep {
    /// The table that [`expire_at`] was given.
    pub table: &'static str,
    /// Removes the record at the key with its indexes, or says when to look again. A record that is gone
    /// already is `Ok(None)`. Reads before it edits, so that an error leaves nothing half done.
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
    let rows = tx.rows(DUE.name(), &[], None, limit)?;
    let end = now.micros().max(0).to_be_bytes();
    let is_due = |key: &Vec<u8>| key.get(..8).is_none_or(|when| when <= &end[..]);
    Ok(rows.into_iter().map(|(key, _)| key).take_while(is_due).collect())
}

/// Ends what the rows point at, and files what goes on under its new time. What cannot be ended is filed a day later,
/// so that it stands in nobody's way and is not forgotten.
pub(super) fn sweep(tx: &mut WriteTx, sweeps: &[Sweep], due: &[Vec<u8>], now: Timestamp) -> Result<()> {
    for row in due {
        DUE.remove(tx, row);
        let Some((table, key)) = split(row) else {
            tracing::error!(row = ?row, "the expiry index has a row that cannot be read; it is removed");
            continue;
        };
        let sweep = sweeps.iter().find(|sweep| sweep.table.as_bytes() == table);
        let unknown = || Err(Error::internal("nobody sweeps this table"));
        let later = match sweep.map_or_else(unknown, |sweep| (sweep.end)(tx, key, now)) {
            Ok(later) => later.map(|later| later.max(now.plus_secs(1))),
            Err(Error::Unavailable(cause)) => return Err(Error::Unavailable(cause)),
            Err(error) => {
                let table = String::from_utf8_lossy(table);
                tracing::error!(?error, %table, "what is over could not be ended; it is tried again in a day");
                Some(now.plus_secs(DAY_SECS))
            }
        };
        if let Some(later) = later {
            DUE.put(tx, &filed_anew(row, later), &())?;
        }
    }
    Ok(())
}

fn filed_anew(row: &[u8], when: Timestamp) -> Vec<u8> {
    [&when.micros().max(0).to_be_bytes(), &row[8..]].concat()
}

pub(super) fn split(row: &[u8]) -> Option<(&[u8], &[u8])> {
    let rest = row.get(8..)?;
    let end = rest.iter().position(|byte| *byte == 0)?;
    Some((&rest[..end], &rest[end + 1..]))
}
