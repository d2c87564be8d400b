//! Where API keys and their uses are kept. Every index is written here and nowhere else.
use serde::{Deserialize, Serialize};

use super::model::ApiKey;
use crate::base::{Error, Id, Page, PageRequest, Result, Timestamp};
use crate::rbac::SubjectId;
use crate::store::{Check, Map, Record, Sweep, Tx, WriteTx, expire_at, points_at};

/// id -> key
const KEYS: Map<ApiKey> = Map::new("api_key");
/// owner ++ id -> nothing
const BY_OWNER: Map<()> = Map::new("api_key.by_owner");
/// id -> when and from where it was used last
const LAST_USED: Map<LastUse> = Map::new("api_key.last_used");
/// id ++ day (u32, since the epoch) -> uses
const USES: Map<Uses> = Map::new("api_key.uses");
const DAY_SECS: i64 = 24 * 3600;
/// How long the uses of a day are kept, in seconds.
const USES_KEPT_SECS: i64 = 90 * DAY_SECS;
/// role 0 id -> nothing
const BY_ROLE: Map<()> = Map::new("api_key.by_role");
/// owner -> how many it was given lately
const MADE: Map<Made> = Map::new("api_key.made");
const ID_BYTES: usize = 16;
const HOUR_SECS: i64 = 3600;

/// When and from where a key was used last.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastUse {
    pub at: Timestamp,
    pub address: String,
}

/// How often a key was used on one day (UTC).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Uses {
    pub accepted: u64,
    /// Good keys from a wrong network, or with nothing left of their limit.
    pub refused: u64,
}

/// Keys that were made for an owner since a time, whether they are still there or not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Made {
    pub since: Timestamp,
    pub count: u32,
}

impl Record for Made {
    const VERSION: u8 = 1;
}
impl Record for ApiKey {
    const VERSION: u8 = 1;
}
impl Record for LastUse {
    const VERSION: u8 = 1;
}
impl Record for Uses {
    const VERSION: u8 = 1;
}

/// How rows of these tables end.
pub const SWEEPS: [Sweep; 1] = [Sweep {
    table: USES.name(),
    end: |tx, key, _| {
        USES.remove(tx, key);
        Ok(None)
    },
}];

/// Looks at every row of these tables.
pub const CHECKS: &[(&str, Check)] = &[
    (KEYS.name(), |tx, key, value| {
        let found = KEYS.decode(value)?;
        let listed = BY_OWNER.get(tx, &owner_key(found.owner, found.id))?.is_some();
        if !(listed && key == found.id.as_bytes()) {
            return Ok(Some("is not in the list of its owner".to_owned()));
        }
        for role in &found.rights.roles {
            if BY_ROLE.get(tx, &role_key(role.as_str(), found.id))?.is_none() {
                return Ok(Some("is not in the list of a role".to_owned()));
            }
        }
        Ok(None)
    }),
    (BY_ROLE.name(), |tx, key, _| {
        points_at(tx, KEYS.name(), key.last_chunk::<ID_BYTES>().map_or(&[], |id| id))
    }),
    (MADE.name(), |_, _, value| MADE.decode(value).map(|_| None)),
    (BY_OWNER.name(), |tx, key, _| {
        points_at(tx, KEYS.name(), key.last_chunk::<ID_BYTES>().map_or(&[], |id| id))
    }),
    (LAST_USED.name(), |tx, key, value| {
        LAST_USED.decode(value)?;
        points_at(tx, KEYS.name(), key)
    }),
    (USES.name(), |tx, key, value| {
        USES.decode(value)?;
        points_at(tx, KEYS.name(), key.get(..ID_BYTES).unwrap_or_default())
    }),
];

/// The key with an id.
///
/// # Errors
/// `Error::Unavailable` when the store does not serve, here and below.
pub fn by_id(tx: &impl Tx, id: Id<ApiKey>) -> Result<Option<ApiKey>> {
    KEYS.get(tx, id.as_bytes())
}

/// One page of the keys of an owner, the oldest first.
///
/// # Errors
/// As [`by_id`].
pub fn of_owner(tx: &impl Tx, owner: SubjectId, request: &PageRequest) -> Result<Page<ApiKey>> {
    let prefix = owner.to_bytes();
    request.check(&prefix, Some(prefix.len() + ID_BYTES))?;
    let limit = request.limit.saturating_add(1);
    let rows = tx.rows(BY_OWNER.name(), &prefix, request.after.as_deref(), limit)?;
    let rows = rows.into_iter().filter_map(|(key, _)| {
        let id = Id::from_bytes(*key.last_chunk()?);
        by_id(tx, id).transpose().map(|found| found.map(|found| (key, found)))
    });
    Ok(request.cut(rows.collect::<Result<_>>()?))
}

/// The ids of all keys of an owner, the oldest first.
///
/// # Errors
/// As [`by_id`].
pub fn ids_of_owner(tx: &impl Tx, owner: SubjectId) -> Result<Vec<Id<ApiKey>>> {
    let rows = BY_OWNER.first(tx, &owner.to_bytes(), usize::MAX)?;
    Ok(rows.into_iter().filter_map(|(key, ())| key.last_chunk().copied().map(Id::from_bytes)).collect())
}

/// Writes a new key.
///
/// # Errors
/// As [`by_id`].
pub fn insert(tx: &mut WriteTx, key: &ApiKey) -> Result<()> {
    BY_OWNER.put(tx, &owner_key(key.owner, key.id), &())?;
    write(tx, key)
}

/// Writes a changed key; its owner stays.
///
/// # Errors
/// As [`by_id`].
pub fn update(tx: &mut WriteTx, key: &ApiKey) -> Result<()> {
    if let Some(old) = by_id(tx, key.id)? {
        old.rights.roles.iter().for_each(|role| BY_ROLE.remove(tx, &role_key(role.as_str(), key.id)));
    }
    write(tx, key)
}

fn write(tx: &mut WriteTx, key: &ApiKey) -> Result<()> {
    for role in &key.rights.roles {
        BY_ROLE.put(tx, &role_key(role.as_str(), key.id), &())?;
    }
    KEYS.put(tx, key.id.as_bytes(), key)
}

/// Brings what was written before there was an index of roles into it.
///
/// # Errors
/// As [`by_id`].
pub fn index_roles(tx: &mut WriteTx) -> Result<()> {
    for (_, key) in KEYS.first(tx, &[], usize::MAX)? {
        write(tx, &key)?;
    }
    Ok(())
}

/// Whether a key has a role.
///
/// # Errors
/// As [`by_id`].
pub fn has_holder(tx: &impl Tx, role: &str) -> Result<bool> {
    Ok(!BY_ROLE.first(tx, &[role.as_bytes(), &[0]].concat(), 1)?.is_empty())
}

/// Counts a key that is made for an owner, of so many an hour.
///
/// # Errors
/// `Error::RateLimited` when there were that many.
pub fn count_made(tx: &mut WriteTx, owner: SubjectId, quota: u32, now: Timestamp) -> Result<()> {
    let fresh = Made { since: now, count: 0 };
    let made = MADE.get(tx, &owner.to_bytes())?.filter(|made| now.secs_since(made.since) < HOUR_SECS);
    let made = made.unwrap_or(fresh);
    if made.count >= quota {
        let retry_after_secs = made.since.plus_secs(HOUR_SECS).secs_since(now).unsigned_abs().max(1);
        return Err(Error::RateLimited { retry_after_secs, quota });
    }
    MADE.put(tx, &owner.to_bytes(), &Made { count: made.count + 1, ..made })
}

/// Forgets how many keys were made for an owner who goes.
pub fn forget_made(tx: &mut WriteTx, owner: SubjectId) {
    MADE.remove(tx, &owner.to_bytes());
}

/// Removes a key with all that is known of its uses.
///
/// # Errors
/// As [`by_id`].
pub fn remove(tx: &mut WriteTx, key: &ApiKey) -> Result<()> {
    for (day, _) in USES.first(tx, key.id.as_bytes(), usize::MAX)? {
        USES.remove(tx, &day);
    }
    LAST_USED.remove(tx, key.id.as_bytes());
    key.rights.roles.iter().for_each(|role| BY_ROLE.remove(tx, &role_key(role.as_str(), key.id)));
    BY_OWNER.remove(tx, &owner_key(key.owner, key.id));
    KEYS.remove(tx, key.id.as_bytes());
    Ok(())
}

/// Adds uses of a day, and when the last one was. A key that is gone by now has none.
///
/// # Errors
/// As [`by_id`].
pub fn add_uses(
    tx: &mut WriteTx,
    id: Id<ApiKey>,
    uses: Uses,
    last: Option<&LastUse>,
    now: Timestamp,
) -> Result<()> {
    if by_id(tx, id)?.is_none() {
        return Ok(());
    }
    if let Some(last) = last {
        LAST_USED.put(tx, id.as_bytes(), last)?;
    }
    let day = day_key(id, day_of(now));
    let before = USES.get(tx, &day)?;
    if before.is_none() {
        expire_at(tx, USES.name(), &day, now.plus_secs(USES_KEPT_SECS))?;
    }
    let before = before.unwrap_or_default();
    let sum = Uses { accepted: before.accepted + uses.accepted, refused: before.refused + uses.refused };
    USES.put(tx, &day, &sum)
}

/// When and from where a key was used last.
///
/// # Errors
/// As [`by_id`].
pub fn last_use(tx: &impl Tx, id: Id<ApiKey>) -> Result<Option<LastUse>> {
    LAST_USED.get(tx, id.as_bytes())
}

/// The uses of a key by day (days since the epoch), from a day on.
///
/// # Errors
/// As [`by_id`].
pub fn uses(tx: &impl Tx, id: Id<ApiKey>, from: u32) -> Result<Vec<(u32, Uses)>> {
    let rows = USES.first(tx, id.as_bytes(), usize::MAX)?;
    let day = |key: &[u8]| key.last_chunk().copied().map(u32::from_be_bytes);
    Ok(rows
        .into_iter()
        .filter_map(|(key, uses)| Some((day(&key)?, uses)))
        .filter(|(day, _)| *day >= from)
        .collect())
}

/// The day of a time, counted from the epoch (UTC).
#[must_use]
pub fn day_of(time: Timestamp) -> u32 {
    u32::try_from(time.secs().div_euclid(DAY_SECS)).unwrap_or_default()
}

fn owner_key(owner: SubjectId, id: Id<ApiKey>) -> Vec<u8> {
    [&owner.to_bytes()[..], id.as_bytes()].concat()
}

fn role_key(role: &str, id: Id<ApiKey>) -> Vec<u8> {
    [role.as_bytes(), &[0], id.as_bytes()].concat()
}

fn day_key(id: Id<ApiKey>, day: u32) -> Vec<u8> {
    [&id.as_bytes()[..], &day.to_be_bytes()].concat()
}
