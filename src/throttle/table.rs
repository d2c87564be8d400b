//! Where counts outlive a restart.
use serde::{Deserialize, Serialize};

use super::counters::WORTH_WRITING;
use super::model::Count;
use crate::base::{Result, Timestamp};
use crate::store::{Check, Map, Record, Sweep, Tx, WriteTx, expire_at};

/// key -> count
const COUNTS: Map<Stored> = Map::new("throttle");
const DAY_SECS: i64 = 24 * 3600;

/// A count as it is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stored {
    pub guesses: u32,
    pub last: u32,
}

impl Record for Stored {
    const VERSION: u8 = 1;
}

/// How rows of this table end: a day after they were last written, about.
pub const SWEEPS: [Sweep; 1] = [Sweep {
    table: COUNTS.name(),
    end: |tx, key, now| {
        let Some(stored) = COUNTS.get(tx, key)? else { return Ok(None) };
        let end = end_of(stored.last);
        if end > now {
            return Ok(Some(end));
        }
        COUNTS.remove(tx, key);
        Ok(None)
    },
}];

/// Looks at every row of this table.
pub const CHECKS: &[(&str, Check)] = &[(COUNTS.name(), |_, _, value| COUNTS.decode(value).map(|_| None))];

/// What is stored of a key.
///
/// # Errors
/// `Error::Unavailable` when the store does not serve, here and below.
pub fn count(tx: &impl Tx, key: u64) -> Result<Count> {
    let stored = COUNTS.get(tx, &key.to_be_bytes())?;
    // A restart takes away what counted for the next guess to be forgotten, which is minutes.
    Ok(stored.map_or(Count::default(), |Stored { guesses, last }| Count { guesses, last, rest: 0 }))
}

/// Writes counts; one with few guesses is as good as none.
///
/// # Errors
/// As [`count`].
pub fn put(tx: &mut WriteTx, counts: &[(u64, Count)]) -> Result<()> {
    for (key, count) in counts {
        let key = key.to_be_bytes();
        if count.guesses < WORTH_WRITING {
            COUNTS.remove(tx, &key);
            continue;
        }
        // A row that is there is in the index already.
        if COUNTS.get(tx, &key)?.is_none() {
            expire_at(tx, COUNTS.name(), &key, end_of(count.last))?;
        }
        COUNTS.put(tx, &key, &Stored { guesses: count.guesses, last: count.last })?;
    }
    Ok(())
}

fn end_of(last: u32) -> Timestamp {
    Timestamp::from_secs(i64::from(last) + DAY_SECS)
}
