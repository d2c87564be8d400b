//! Where deliveries are kept, done or waiting. Every index is written here and nowhere else.
use super::model::Delivery;
use crate::base::{Id, Page, PageRequest, Result, Timestamp};
use crate::crypto::sha256;
use crate::oauth::client::ClientId;
use crate::store::{Check, Map, Record, Tx, WriteTx, expire_at, points_at};

/// id -> delivery
const DELIVERIES: Map<Delivery> = Map::new("oauth.logout");
/// lane ++ id -> nothing
const BY_CLIENT: Map<()> = Map::new("oauth.logout.by_client");
/// lane ++ when it is tried next ++ id -> nothing
const WAITING: Map<()> = Map::new("oauth.logout.waiting");
/// lane -> how many there are
const COUNTS: Map<u64> = Map::new("oauth.logout.count");

/// Deliveries of one client that are kept, done or waiting; one more takes the place of the oldest.
pub const MOST_OF_CLIENT: u64 = 10_000;
/// Their table in the expiry index.
pub const NAME: &str = DELIVERIES.name();
/// That of clients that are gone.
pub const CLIENTS: &str = BY_CLIENT.name();

/// The deliveries of one client: a client that does not answer holds up its own alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Lane([u8; 16]);

impl Record for Delivery {
    const VERSION: u8 = 1;
}

impl Lane {
    #[must_use]
    pub fn of(client: &ClientId) -> Self {
        let mut lane = [0; 16];
        lane.copy_from_slice(&sha256(&[client.as_str().as_bytes()])[..16]);
        Self(lane)
    }
}

/// Looks at every row of these tables.
pub const CHECKS: &[(&str, Check)] = &[
    (DELIVERIES.name(), |tx, key, value| {
        let delivery = DELIVERIES.decode(value)?;
        let by_client = BY_CLIENT.get(tx, &client_key(&delivery))?.is_some();
        let is_listed =
            waiting_key(&delivery).map_or(Ok(true), |key| Ok(WAITING.get(tx, &key)?.is_some()))?;
        let is_good = by_client && is_listed && key == delivery.id.as_bytes();
        Ok((!is_good).then(|| "is not in the lists of its client".to_owned()))
    }),
    (BY_CLIENT.name(), |tx, key, _| points_at(tx, NAME, key.get(16..).unwrap_or_default())),
    (WAITING.name(), |tx, key, _| points_at(tx, NAME, key.get(24..).unwrap_or_default())),
    (COUNTS.name(), |tx, key, value| {
        let is_right = COUNTS.decode(value)? == BY_CLIENT.first(tx, key, usize::MAX)?.len() as u64;
        Ok((!is_right).then(|| "is not how many there are".to_owned()))
    }),
];

/// The delivery in a row of the expiry index.
///
/// # Errors
/// `Error::Unavailable` when the store does not serve, here and below.
pub fn by_key(tx: &impl Tx, key: &[u8]) -> Result<Option<Delivery>> {
    DELIVERIES.get(tx, key)
}

/// The delivery with an id.
///
/// # Errors
/// As [`by_key`].
pub fn by_id(tx: &impl Tx, id: Id<Delivery>) -> Result<Option<Delivery>> {
    by_key(tx, id.as_bytes())
}

/// One page of a client's, the oldest first.
///
/// # Errors
/// As [`by_key`].
pub fn of_client(tx: &impl Tx, client: &ClientId, request: &PageRequest) -> Result<Page<Delivery>> {
    let Lane(prefix) = Lane::of(client);
    request.check(&prefix, Some(32))?;
    let rows =
        tx.rows(BY_CLIENT.name(), &prefix, request.after.as_deref(), request.limit.saturating_add(1))?;
    let rows = rows.into_iter().filter_map(|(key, _)| {
        let found = by_key(tx, key.get(16..)?).transpose()?;
        Some(found.map(|delivery| (key, delivery)))
    });
    Ok(request.cut(rows.collect::<Result<_>>()?))
}

/// The clients for which something is due, in the order of their lanes.
///
/// # Errors
/// As [`by_key`].
pub fn lanes(tx: &impl Tx, now: Timestamp) -> Result<Vec<Lane>> {
    let (mut lanes, mut after) = (Vec::new(), None);
    while let Some((key, _)) = tx.rows(WAITING.name(), &[], after.as_deref(), 1)?.pop() {
        let Some((lane, rest)) = key.split_first_chunk::<16>() else { break };
        if is_due(rest, now) {
            lanes.push(Lane(*lane));
        }
        // The next lane begins behind everything of this one.
        after = Some([&lane[..], &[0xff; 25]].concat());
    }
    Ok(lanes)
}

/// Some of those of a lane whose time has come, the longest due first.
///
/// # Errors
/// As [`by_key`].
pub fn due(tx: &impl Tx, lane: Lane, now: Timestamp, limit: usize) -> Result<Vec<Delivery>> {
    let rows = tx.rows(WAITING.name(), &lane.0, None, limit)?;
    let rows = rows.iter().map(|(key, _)| key.get(16..).unwrap_or_default());
    let due = rows.take_while(|rest| is_due(rest, now));
    due.filter_map(|rest| by_key(tx, rest.get(8..).unwrap_or_default()).transpose()).collect()
}

fn is_due(rest: &[u8], now: Timestamp) -> bool {
    rest.get(..8).is_none_or(|when| when <= &now.micros().max(0).to_be_bytes()[..])
}

/// Writes a new one that waits.
///
/// # Errors
/// As [`by_key`].
///
/// # Returns
/// The oldest of its client, where that has had to go.
pub fn insert(tx: &mut WriteTx, delivery: &Delivery) -> Result<Option<Delivery>> {
    let Lane(lane) = Lane::of(&delivery.client);
    let count = COUNTS.get(tx, &lane)?.unwrap_or(0);
    let oldest = if count < MOST_OF_CLIENT { None } else { oldest(tx, &lane)? };
    if let Some(oldest) = &oldest {
        remove(tx, oldest)?;
    }
    let count = COUNTS.get(tx, &lane)?.unwrap_or(0);
    COUNTS.put(tx, &lane, &(count + 1))?;
    BY_CLIENT.put(tx, &client_key(delivery), &())?;
    expire_at(tx, NAME, delivery.id.as_bytes(), delivery.deadline())?;
    put(tx, delivery)?;
    Ok(oldest)
}

fn oldest(tx: &impl Tx, lane: &[u8; 16]) -> Result<Option<Delivery>> {
    let row = tx.rows(BY_CLIENT.name(), lane, None, 1)?.pop();
    row.map_or(Ok(None), |(key, _)| by_key(tx, key.get(16..).unwrap_or_default()))
}

/// Writes what has become of one that is there.
///
/// # Errors
/// As [`by_key`].
pub fn update(tx: &mut WriteTx, old: &Delivery, new: &Delivery) -> Result<()> {
    if let Some(key) = waiting_key(old) {
        WAITING.remove(tx, &key);
    }
    put(tx, new)
}

fn put(tx: &mut WriteTx, delivery: &Delivery) -> Result<()> {
    if let Some(key) = waiting_key(delivery) {
        WAITING.put(tx, &key, &())?;
    }
    DELIVERIES.put(tx, delivery.id.as_bytes(), delivery)
}

/// Removes one that is there.
///
/// # Errors
/// As [`by_key`].
pub fn remove(tx: &mut WriteTx, delivery: &Delivery) -> Result<()> {
    let Lane(lane) = Lane::of(&delivery.client);
    if let Some(key) = waiting_key(delivery) {
        WAITING.remove(tx, &key);
    }
    BY_CLIENT.remove(tx, &client_key(delivery));
    DELIVERIES.remove(tx, delivery.id.as_bytes());
    match COUNTS.get(tx, &lane)?.unwrap_or(0).saturating_sub(1) {
        0 => COUNTS.remove(tx, &lane),
        left => COUNTS.put(tx, &lane, &left)?,
    }
    Ok(())
}

/// Has those of a client that is gone removed before long.
///
/// # Errors
/// As [`by_key`].
pub fn client_is_gone(tx: &mut WriteTx, client: &ClientId, now: Timestamp) -> Result<()> {
    expire_at(tx, BY_CLIENT.name(), client.as_str().as_bytes(), now)
}

/// Removes some of those of a client that were written before a time, whatever became of them.
///
/// # Errors
/// As [`by_key`].
///
/// # Returns
/// Whether there may be more.
pub fn remove_some(tx: &mut WriteTx, client: &ClientId, before: Timestamp, limit: usize) -> Result<bool> {
    let found = of_client(tx, client, &PageRequest { after: None, limit })?.items;
    let old: Vec<_> = found.into_iter().filter(|delivery| delivery.created_at < before).collect();
    old.iter().try_for_each(|delivery| remove(tx, delivery))?;
    Ok(old.len() == limit)
}

/// Removes some of those that were written before a time, and wait no longer.
///
/// # Errors
/// As [`by_key`].
///
/// # Returns
/// Whether there may be more.
pub fn prune(tx: &mut WriteTx, before: Timestamp, limit: usize) -> Result<bool> {
    let oldest = DELIVERIES.first(tx, &[], limit)?;
    let old = oldest.into_iter().map(|(_, delivery)| delivery);
    let old: Vec<_> = old.filter(|old| old.created_at < before && !old.is_waiting()).collect();
    old.iter().try_for_each(|delivery| remove(tx, delivery))?;
    Ok(old.len() == limit)
}

fn client_key(delivery: &Delivery) -> Vec<u8> {
    [&Lane::of(&delivery.client).0[..], delivery.id.as_bytes()].concat()
}

fn waiting_key(delivery: &Delivery) -> Option<Vec<u8>> {
    let when = delivery.state.next_at()?.micros().max(0).to_be_bytes();
    Some([&Lane::of(&delivery.client).0[..], &when, delivery.id.as_bytes()].concat())
}
