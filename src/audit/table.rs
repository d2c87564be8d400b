//! Where events are kept. The index of parties and the end of the chain are written here and nowhere else.
use serde::{Deserialize, Serialize};

use super::failures::Failures;
use super::model::{Entry, Event, Filter, GENESIS, Outcome};
use crate::base::page::cursor;
use crate::base::{Page, PageRequest, Result, Timestamp};
use crate::rbac::SubjectId;
use crate::store::{Check, Map, Record, Tx, WriteTx, encode, points_at};

/// seq -> entry
const ENTRIES: Map<Entry> = Map::new("audit");
/// party ++ inverted seq -> nothing: the newest first
const BY_PARTY: Map<()> = Map::new("audit.by_party");
/// nothing -> the two ends of the chain
const CHAIN: Map<Chain> = Map::new("audit.chain");
/// What [`append_nowhere`] has written last, each in the one row of its table.
const NOWHERE: Map<Entry> = Map::new("audit.nowhere");
const NOWHERE_BY_PARTY: Map<()> = Map::new("audit.nowhere_by_party");
const NOWHERE_CHAIN: Map<Chain> = Map::new("audit.nowhere_chain");
const SEQ_BYTES: usize = 8;
/// Failures are gathered for a while before they are written, so times are only about in the order of numbers.
const DISORDER_SECS: i64 = 600;

/// The two ends of the trail, and how much there is between them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Chain {
    /// The first entry that is still kept.
    pub first: u64,
    /// The hash before it.
    pub anchor: [u8; 32],
    /// The last entry; 0 when there never was one.
    pub last: u64,
    pub head: [u8; 32],
    /// Bytes of all entries that are kept.
    pub bytes: u64,
}

impl Default for Chain {
    fn default() -> Self {
        Self { first: 1, anchor: GENESIS, last: 0, head: GENESIS, bytes: 0 }
    }
}

impl Record for Entry {
    const VERSION: u8 = 1;
}
impl Record for Chain {
    const VERSION: u8 = 1;
}

/// Looks at every row of these tables.
pub const CHECKS: &[(&str, Check)] = &[
    (ENTRIES.name(), |tx, key, value| {
        let entry = ENTRIES.decode(value)?;
        for party in entry.event.parties() {
            if BY_PARTY.get(tx, &party_key(party, entry.seq))?.is_none() {
                return Ok(Some("is not in the list of a party".to_owned()));
            }
        }
        Ok((key != entry.seq.to_be_bytes()).then(|| "is not under its number".to_owned()))
    }),
    (BY_PARTY.name(), |tx, key, _| {
        points_at(tx, ENTRIES.name(), &seq_of(key).unwrap_or_default().to_be_bytes())
    }),
    (CHAIN.name(), |_, _, value| CHAIN.decode(value).map(|_| None)),
    (NOWHERE.name(), |_, _, value| NOWHERE.decode(value).map(|_| None)),
    (NOWHERE_BY_PARTY.name(), |_, _, value| NOWHERE_BY_PARTY.decode(value).map(|()| None)),
    (NOWHERE_CHAIN.name(), |_, _, value| NOWHERE_CHAIN.decode(value).map(|_| None)),
];

/// The two ends of the trail.
///
/// # Errors
/// `Error::Unavailable` when the store does not serve, here and below.
pub fn chain(tx: &impl Tx) -> Result<Chain> {
    Ok(CHAIN.get(tx, &[])?.unwrap_or_default())
}

/// Writes an event behind the others: call it in the change that it is about.
///
/// # Errors
/// As [`chain`].
pub fn append(tx: &mut WriteTx, event: Event) -> Result<()> {
    let (entry, chain) = next(tx, event)?;
    for party in entry.event.parties() {
        BY_PARTY.put(tx, &party_key(party, entry.seq), &())?;
    }
    CHAIN.put(tx, &[], &chain)?;
    ENTRIES.put(tx, &entry.seq.to_be_bytes(), &entry)
}

/// Writes a failure in the change that it belongs to, if there is room for it among the failures of this hour; in the same time
/// if there is none.
///
/// # Errors
/// As [`chain`].
pub fn append_failure(tx: &mut WriteTx, failures: &Failures, event: Event) -> Result<()> {
    let event = Event { outcome: Outcome::Failure, ..event };
    if failures.admits(&event) { append(tx, event) } else { append_nowhere(tx, event) }
}

/// Does what [`append`] does, beside the trail: over the rows of the last time, so that nothing grows. Nobody reads it, and who
/// it was does not stay.
fn append_nowhere(tx: &mut WriteTx, event: Event) -> Result<()> {
    let (mut entry, chain) = next(tx, event)?;
    for party in entry.event.parties() {
        NOWHERE_BY_PARTY.put(tx, &party_key(party, 0), &())?;
    }
    for text in [&mut entry.event.address, &mut entry.event.user_agent] {
        *text = "-".repeat(text.len());
    }
    NOWHERE_CHAIN.put(tx, &[], &chain)?;
    NOWHERE.put(tx, &[0; SEQ_BYTES], &entry)
}

/// What comes behind the others, and the two ends then.
fn next(tx: &impl Tx, event: Event) -> Result<(Entry, Chain)> {
    let chain = chain(tx)?;
    let entry = Entry::after(&chain.head, chain.last + 1, event)?;
    let bytes = chain.bytes + encode(&entry)?.len() as u64;
    let chain = Chain { last: entry.seq, head: entry.hash, bytes, ..chain };
    Ok((entry, chain))
}

/// Up to `limit` entries from a number on, the oldest first.
///
/// # Errors
/// As [`chain`].
pub fn from(tx: &impl Tx, seq: u64, limit: usize) -> Result<Vec<Entry>> {
    let after = seq.checked_sub(1).map(u64::to_be_bytes);
    let rows = tx.rows(ENTRIES.name(), &[], after.as_ref().map(<[u8; 8]>::as_slice), limit)?;
    rows.into_iter().map(|(_, value)| ENTRIES.decode(&value)).collect()
}

/// The hash that the one of an entry rests on.
///
/// # Errors
/// As [`chain`].
pub fn hash_before(tx: &impl Tx, seq: u64) -> Result<[u8; 32]> {
    let chain = chain(tx)?;
    let before = seq.checked_sub(1).filter(|before| *before >= chain.first);
    let before = before.map_or(Ok(None), |before| ENTRIES.get(tx, &before.to_be_bytes()))?;
    Ok(before.map_or(chain.anchor, |entry| entry.hash))
}

/// One page of the events that a filter has, the newest first. It may have fewer than asked for, and still a next one:
/// then so many were looked at as one request may look at.
///
/// # Errors
/// As [`chain`].
pub fn search(tx: &impl Tx, filter: &Filter, request: &PageRequest) -> Result<Page<Entry>> {
    const MOST: usize = 5000;
    let chain = chain(tx)?;
    let newest = filter.until.map_or(Ok(chain.last), |until| number_before(tx, &chain, later(until)))?;
    let start = request
        .after
        .as_deref()
        .and_then(seq_of_cursor)
        .map_or(newest, |seq| newest.min(seq.saturating_sub(1)));
    let mut walk = Walk::new(tx, filter, &chain, start)?;
    let mut items = Vec::new();
    let mut last = None;
    for _ in 0..MOST {
        let Some(entry) = walk.next(tx)? else { return Ok(Page { items, next_cursor: None }) };
        if filter.from.is_some_and(|from| later(entry.event.at) < from) {
            return Ok(Page { items, next_cursor: None });
        }
        if items.len() == request.limit {
            break;
        }
        last = Some(entry.seq);
        if filter.fits(&entry.event) {
            items.push(entry);
        }
    }
    Ok(Page { items, next_cursor: last.map(|seq| cursor(&seq.to_be_bytes())) })
}

/// Entries from new to old: of everything by their numbers, which have no gaps; of one party by its list.
enum Walk {
    All { next: u64, first: u64 },
    Of { party: SubjectId, rows: std::vec::IntoIter<u64>, last: u64 },
}

impl Walk {
    fn new(tx: &impl Tx, filter: &Filter, chain: &Chain, start: u64) -> Result<Self> {
        let Some(party) = filter.subject else { return Ok(Self::All { next: start, first: chain.first }) };
        Ok(Self::Of { party, rows: listed(tx, party, start)?, last: start })
    }

    fn next(&mut self, tx: &impl Tx) -> Result<Option<Entry>> {
        let seq = match self {
            Self::All { next, first } if *next >= *first => {
                *next -= 1;
                *next + 1
            }
            Self::All { .. } => return Ok(None),
            Self::Of { party, rows, last } => {
                if rows.len() == 0 {
                    *rows = listed(tx, *party, last.saturating_sub(1))?;
                }
                let Some(seq) = rows.next() else { return Ok(None) };
                *last = seq;
                seq
            }
        };
        ENTRIES.get(tx, &seq.to_be_bytes())
    }
}

/// The next numbers of a party's list, from `start` down.
fn listed(tx: &impl Tx, party: SubjectId, start: u64) -> Result<std::vec::IntoIter<u64>> {
    const AT_ONCE: usize = 256;
    let after = party_key(party, start.saturating_add(1));
    let rows = tx.rows(BY_PARTY.name(), &party.to_bytes(), Some(&after), AT_ONCE)?;
    let numbers: Vec<_> = rows.iter().filter_map(|(key, _)| seq_of(key)).collect();
    Ok(numbers.into_iter())
}

/// The last entry from before a time. Numbers rise with time, so halving finds it.
fn number_before(tx: &impl Tx, chain: &Chain, time: Timestamp) -> Result<u64> {
    let (mut low, mut high) = (chain.first, chain.last + 1);
    while low < high {
        let middle = low + (high - low) / 2;
        let is_before = ENTRIES.get(tx, &middle.to_be_bytes())?.is_some_and(|entry| entry.event.at < time);
        if is_before {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    Ok(low - 1)
}

/// The first entry that may be from a time or later.
///
/// # Errors
/// As [`chain`].
pub fn first_since(tx: &impl Tx, time: Timestamp) -> Result<u64> {
    number_before(tx, &chain(tx)?, time.plus_secs(-DISORDER_SECS)).map(|seq| seq + 1)
}

/// A time after which nothing from before `time` is written any more.
#[must_use]
pub fn later(time: Timestamp) -> Timestamp {
    time.plus_secs(DISORDER_SECS)
}

/// Takes entries away at the old end: those from before a time, and as many as there are too many bytes; at most
/// `limit`. The hash of the last one that goes stays, so that the rest can be checked.
///
/// # Errors
/// As [`chain`].
///
/// # Returns
/// How many went.
pub fn prune(tx: &mut WriteTx, before: Timestamp, max_bytes: u64, limit: usize) -> Result<usize> {
    let mut chain = chain(tx)?;
    let mut gone = 0;
    for entry in from(tx, chain.first, limit)? {
        if entry.event.at >= before && chain.bytes <= max_bytes {
            break;
        }
        for party in entry.event.parties() {
            BY_PARTY.remove(tx, &party_key(party, entry.seq));
        }
        ENTRIES.remove(tx, &entry.seq.to_be_bytes());
        chain.first = entry.seq + 1;
        chain.anchor = entry.hash;
        chain.bytes = chain.bytes.saturating_sub(encode(&entry)?.len() as u64);
        gone += 1;
    }
    if gone > 0 {
        CHAIN.put(tx, &[], &chain)?;
    }
    Ok(gone)
}

fn party_key(party: SubjectId, seq: u64) -> Vec<u8> {
    [&party.to_bytes()[..], &(!seq).to_be_bytes()].concat()
}

fn seq_of(party_key: &[u8]) -> Option<u64> {
    party_key.last_chunk::<SEQ_BYTES>().map(|inverted| !u64::from_be_bytes(*inverted))
}

fn seq_of_cursor(cursor: &[u8]) -> Option<u64> {
    cursor.try_into().ok().map(u64::from_be_bytes)
}
