//! Where mails wait. The index of what is due and the count are written here and nowhere else.
use super::model::{Queued, Turns};
use crate::base::{Error, Id, Page, PageRequest, Result, Timestamp};
use crate::crypto::sha256;
use crate::store::{Check, Map, Record, Sweep, Tx, WriteTx, expire_at, points_at};

/// id -> mail
const QUEUE: Map<Queued> = Map::new(NAME);
/// when it is tried next ++ id -> nothing
const DUE: Map<()> = Map::new("mail.due");
/// nothing -> how many there are
const COUNT: Map<u64> = Map::new("mail.count");
/// hash of kind and address -> when such mails went there
const TURNS: Map<Turns> = Map::new("mail.turns");
/// Mails that wait; one more is not queued.
const MOST: u64 = 10_000;
const HOUR_SECS: i64 = 3600;

impl Record for Queued {
    const VERSION: u8 = 1;
}
impl Record for Turns {
    const VERSION: u8 = 1;
}

/// The table of mails, in the expiry index.
pub const NAME: &str = "mail.queue";

/// How turns end.
pub const SWEEPS: [Sweep; 1] = [Sweep {
    table: TURNS.name(),
    end: |tx, key, now| {
        let last = TURNS.get(tx, key)?.and_then(|turns| turns.at.last().copied());
        let end = last.map(|last| last.plus_secs(HOUR_SECS));
        if end.is_some_and(|end| end > now) {
            return Ok(end);
        }
        TURNS.remove(tx, key);
        Ok(None)
    },
}];

/// Looks at every row of these tables.
pub const CHECKS: &[(&str, Check)] = &[
    (QUEUE.name(), |tx, key, value| {
        let queued = QUEUE.decode(value)?;
        let listed = DUE.get(tx, &due_key(&queued))?.is_some();
        Ok((!(listed && key == queued.id.as_bytes())).then(|| "is not in the list of what is due".to_owned()))
    }),
    (DUE.name(), |tx, key, _| points_at(tx, QUEUE.name(), key.get(8..).unwrap_or_default())),
    (COUNT.name(), |_, _, value| COUNT.decode(value).map(|_| None)),
    (TURNS.name(), |_, _, value| TURNS.decode(value).map(|_| None)),
];

/// The mail with an id.
///
/// # Errors
/// `Error::Unavailable` when the store does not serve, here and below.
pub fn by_id(tx: &impl Tx, id: Id<Queued>) -> Result<Option<Queued>> {
    QUEUE.get(tx, id.as_bytes())
}

/// The mail in a row of the expiry index.
///
/// # Errors
/// As [`by_id`].
pub fn by_key(tx: &impl Tx, key: &[u8]) -> Result<Option<Queued>> {
    QUEUE.get(tx, key)
}

/// One page of what waits, the oldest first.
///
/// # Errors
/// As [`by_id`].
pub fn page(tx: &impl Tx, request: &PageRequest) -> Result<Page<Queued>> {
    QUEUE.page(tx, &[], request)
}

/// Some of those whose time has come, the longest due first.
///
/// # Errors
/// As [`by_id`].
pub fn due(tx: &impl Tx, now: Timestamp, limit: usize) -> Result<Vec<Queued>> {
    let rows = DUE.first(tx, &[], limit)?;
    let is_due =
        |key: &Vec<u8>| key.get(..8).is_none_or(|when| when <= &now.micros().max(0).to_be_bytes()[..]);
    let ids = rows.into_iter().map(|(key, ())| key).take_while(is_due);
    let mails = ids.filter_map(|key| QUEUE.get(tx, key.get(8..).unwrap_or_default()).transpose());
    mails.collect()
}

/// How many there are.
///
/// # Errors
/// As [`by_id`].
pub fn count(tx: &impl Tx) -> Result<u64> {
    Ok(COUNT.get(tx, &[])?.unwrap_or(0))
}

/// Takes a turn for a mail of one kind to one address, whether anybody has it or not.
///
/// # Errors
/// As [`by_id`].
///
/// # Returns
/// Whether there was one left.
pub fn take_turn(tx: &mut WriteTx, kind: u8, address: &[u8], now: Timestamp) -> Result<bool> {
    let key = sha256(&[&[kind], address]);
    let Some(turns) = TURNS.get(tx, &key)?.unwrap_or_default().take(now) else { return Ok(false) };
    if turns.at.len() == 1 {
        expire_at(tx, TURNS.name(), &key, now.plus_secs(HOUR_SECS))?;
    }
    TURNS.put(tx, &key, &turns)?;
    Ok(true)
}

/// Writes a mail behind the others: call it in the change that it is about.
///
/// # Errors
/// As [`by_id`].
///
/// # Returns
/// Whether there was room.
pub fn enqueue(tx: &mut WriteTx, queued: &Queued) -> Result<bool> {
    let count = count(tx)?;
    if count >= MOST {
        return Ok(false);
    }
    COUNT.put(tx, &[], &(count + 1))?;
    expire_at(tx, QUEUE.name(), queued.id.as_bytes(), queued.expires_at)?;
    put(tx, queued)?;
    Ok(true)
}

fn put(tx: &mut WriteTx, queued: &Queued) -> Result<()> {
    DUE.put(tx, &due_key(queued), &())?;
    QUEUE.put(tx, queued.id.as_bytes(), queued)
}

/// Writes a mail that is to be tried at another time.
///
/// # Errors
/// `Error::NotFound` for one that is gone.
pub fn update(tx: &mut WriteTx, queued: &Queued) -> Result<()> {
    let old = by_id(tx, queued.id)?.ok_or(Error::NotFound("mail"))?;
    DUE.remove(tx, &due_key(&old));
    put(tx, queued)
}

/// Removes a mail, if it is there.
///
/// # Errors
/// As [`by_id`].
pub fn remove(tx: &mut WriteTx, queued: &Queued) -> Result<()> {
    let Some(there) = by_id(tx, queued.id)? else { return Ok(()) };
    DUE.remove(tx, &due_key(&there));
    QUEUE.remove(tx, there.id.as_bytes());
    let left = count(tx)?.saturating_sub(1);
    COUNT.put(tx, &[], &left)
}

fn due_key(queued: &Queued) -> [u8; 24] {
    let mut key = [0; 24];
    key[..8].copy_from_slice(&queued.next_at.micros().max(0).to_be_bytes());
    key[8..].copy_from_slice(queued.id.as_bytes());
    key
}
