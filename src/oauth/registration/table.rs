//! Where it is kept how clients manage what they have registered. Every index is written here and nowhere else.
use super::model::Registration;
use crate::base::{Error, Result, Timestamp};
use crate::oauth::client::ClientId;
use crate::store::{Check, Map, Record, Tx, WriteTx, points_at};

/// name of the client -> registration
const REGISTRATIONS: Map<Registration> = Map::new("oauth.registration");
/// when to look ++ name of the client -> nothing; only those that may end
const BY_END: Map<()> = Map::new("oauth.registration.by_end");
/// nothing -> how many there are that may end
const COUNT: Map<u64> = Map::new("oauth.registration.count");

impl Record for Registration {
    const VERSION: u8 = 1;
}

/// Looks at every row of these tables.
pub const CHECKS: &[(&str, Check)] = &[
    (REGISTRATIONS.name(), |tx, key, value| {
        let filed_at = REGISTRATIONS.decode(value)?.filed_at;
        let row = filed_at.map(|at| [&at.micros().max(0).to_be_bytes(), key].concat());
        let is_filed = row.map(|row| BY_END.get(tx, &row)).transpose()?.is_none_or(|found| found.is_some());
        if is_filed { points_at(tx, "oauth.client", key) } else { Ok(Some("is not filed".to_owned())) }
    }),
    (BY_END.name(), |tx, key, _| points_at(tx, REGISTRATIONS.name(), key.get(8..).unwrap_or_default())),
    (COUNT.name(), |tx, _, value| {
        let all = REGISTRATIONS.first(tx, &[], usize::MAX)?;
        let there = all.iter().filter(|(_, one)| one.keep_secs.is_some()).count();
        Ok((COUNT.decode(value)? != there as u64).then(|| format!("is not {there}")))
    }),
];

/// How a client manages itself, if it does.
///
/// # Errors
/// `Error::Unavailable` when the store does not serve, here and below.
pub fn of_client(tx: &impl Tx, id: &ClientId) -> Result<Option<Registration>> {
    REGISTRATIONS.get(tx, id.as_str().as_bytes())
}

/// Writes a new registration; of those that nobody vouches for, if there are not `max` already.
///
/// # Errors
/// `Error::Busy` if there are.
pub fn insert(tx: &mut WriteTx, id: &ClientId, registration: &Registration, max: u64) -> Result<()> {
    const LATER_SECS: u64 = 3600;
    if let Some(at) = registration.filed_at {
        let there = count(tx)?;
        if there >= max {
            return Err(Error::Busy { retry_after_secs: LATER_SECS });
        }
        COUNT.put(tx, &[], &(there + 1))?;
        BY_END.put(tx, &end_key(at, id), &())?;
    }
    update(tx, id, registration)
}

/// Writes a changed registration. Its end is found by itself.
///
/// # Errors
/// As [`of_client`].
pub fn update(tx: &mut WriteTx, id: &ClientId, registration: &Registration) -> Result<()> {
    REGISTRATIONS.put(tx, id.as_str().as_bytes(), registration)
}

/// Call when a client gets a token.
///
/// # Errors
/// As [`of_client`].
pub fn used(tx: &mut WriteTx, id: &ClientId, now: Timestamp) -> Result<()> {
    match of_client(tx, id)?.and_then(|registration| registration.used(now)) {
        Some(used) => update(tx, id, &used),
        None => Ok(()),
    }
}

/// Removes the registration of a client, if it has one.
///
/// # Errors
/// As [`of_client`].
pub fn remove(tx: &mut WriteTx, id: &ClientId) -> Result<()> {
    let Some(registration) = of_client(tx, id)? else { return Ok(()) };
    if let Some(at) = registration.filed_at {
        let left = count(tx)?.saturating_sub(1);
        COUNT.put(tx, &[], &left)?;
        BY_END.remove(tx, &end_key(at, id));
    }
    REGISTRATIONS.remove(tx, id.as_str().as_bytes());
    Ok(())
}

/// Some clients whose time may have come.
///
/// # Errors
/// As [`of_client`].
pub fn due(tx: &impl Tx, now: Timestamp, limit: usize) -> Result<Vec<ClientId>> {
    let rows = BY_END.first(tx, &[], limit)?;
    let is_due = |key: &Vec<u8>| key.get(..8).is_none_or(|when| when <= &now.micros().to_be_bytes()[..]);
    let keys = rows.into_iter().map(|(key, ())| key).take_while(is_due);
    let named = |key: Vec<u8>| {
        let name = key.get(8..).and_then(|name| str::from_utf8(name).ok()).unwrap_or_default();
        ClientId::parse(name).map_err(|_| Error::internal("a client is filed under no name"))
    };
    keys.map(named).collect()
}

/// Files a registration under the end that it has now.
///
/// # Errors
/// As [`of_client`].
pub fn file_anew(tx: &mut WriteTx, id: &ClientId, registration: Registration) -> Result<()> {
    if let Some(at) = registration.filed_at {
        BY_END.remove(tx, &end_key(at, id));
    }
    let filed_at = registration.ends_at();
    if let Some(at) = filed_at {
        BY_END.put(tx, &end_key(at, id), &())?;
    }
    update(tx, id, &Registration { filed_at, ..registration })
}

fn count(tx: &impl Tx) -> Result<u64> {
    Ok(COUNT.get(tx, &[])?.unwrap_or_default())
}

fn end_key(end: Timestamp, id: &ClientId) -> Vec<u8> {
    [&end.micros().max(0).to_be_bytes(), id.as_str().as_bytes()].concat()
}
