//! Where passkeys are kept, and what was taken as an answer. Every index is written here and nowhere else.
use serde::{Deserialize, Serialize};

use super::model::{Mark, Passkey};
use crate::base::{Id, Page, PageRequest, Result, Timestamp};
use crate::crypto::sha256;
use crate::crypto::webauthn::HANDLE_BYTES;
use crate::store::{Check, Map, Record, Sweep, Tx, WriteTx, expire_at, points_at};

/// user ++ id -> passkey
const PASSKEYS: Map<Passkey> = Map::new("passkey");
/// hash of the credential's id -> where its passkey is
const BY_CREDENTIAL: Map<Place> = Map::new("passkey.by_credential");
/// user -> by what authenticators know it
const HANDLES: Map<Handle> = Map::new("passkey.handle");
/// hash of a challenge whose answer was taken -> when it is over (seconds)
const SPENT: Map<u64> = Map::new("passkey.spent");

/// Whose passkey it is, and which.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    pub user: u64,
    pub id: Id<Passkey>,
}

/// By what authenticators know a user: random, so that it says nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Handle(pub [u8; HANDLE_BYTES]);

impl Record for Passkey {
    const VERSION: u8 = 1;
}
impl Record for Place {
    const VERSION: u8 = 1;
}
impl Record for Handle {
    const VERSION: u8 = 1;
}

/// How rows of these tables end.
pub const SWEEPS: [Sweep; 1] = [Sweep {
    table: SPENT.name(),
    end: |tx, key, _| {
        SPENT.remove(tx, key);
        Ok(None)
    },
}];

/// Looks at every row of these tables.
pub const CHECKS: &[(&str, Check)] = &[
    (PASSKEYS.name(), |tx, key, value| {
        let found = PASSKEYS.decode(value)?;
        let place = Place { user: found.user, id: found.id };
        let listed = BY_CREDENTIAL.get(tx, &sha256(&[&found.credential]))? == Some(place);
        Ok((!(listed && key == place.key())).then(|| "is not found by its credential".to_owned()))
    }),
    (BY_CREDENTIAL.name(), |tx, _, value| {
        points_at(tx, PASSKEYS.name(), &BY_CREDENTIAL.decode(value)?.key())
    }),
    (HANDLES.name(), |_, _, value| HANDLES.decode(value).map(|_| None)),
    (SPENT.name(), |_, _, value| SPENT.decode(value).map(|_| None)),
];

impl Place {
    fn key(self) -> [u8; 24] {
        let mut key = [0; 24];
        key[..8].copy_from_slice(&self.user.to_be_bytes());
        key[8..].copy_from_slice(self.id.as_bytes());
        key
    }
}

/// A passkey of a user.
///
/// # Errors
/// `Error::Unavailable` when the store does not serve, here and below.
pub fn by_id(tx: &impl Tx, user: u64, id: Id<Passkey>) -> Result<Option<Passkey>> {
    PASSKEYS.get(tx, &Place { user, id }.key())
}

/// The passkey of a credential, whosever it is.
///
/// # Errors
/// As [`by_id`].
pub fn by_credential(tx: &impl Tx, credential: &[u8]) -> Result<Option<Passkey>> {
    match BY_CREDENTIAL.get(tx, &sha256(&[credential]))? {
        Some(place) => by_id(tx, place.user, place.id),
        None => Ok(None),
    }
}

/// All passkeys of a user, the oldest first.
///
/// # Errors
/// As [`by_id`].
pub fn of_user(tx: &impl Tx, user: u64) -> Result<Vec<Passkey>> {
    let rows = PASSKEYS.first(tx, &user.to_be_bytes(), usize::MAX)?;
    Ok(rows.into_iter().map(|(_, passkey)| passkey).collect())
}

/// One page of the passkeys of a user, the oldest first.
///
/// # Errors
/// As [`by_id`].
pub fn page(tx: &impl Tx, user: u64, request: &PageRequest) -> Result<Page<Passkey>> {
    PASSKEYS.page(tx, &user.to_be_bytes(), request)
}

/// Writes a passkey, new or changed; its user and its credential stay.
///
/// # Errors
/// As [`by_id`].
pub fn put(tx: &mut WriteTx, passkey: &Passkey) -> Result<()> {
    let place = Place { user: passkey.user, id: passkey.id };
    BY_CREDENTIAL.put(tx, &sha256(&[&passkey.credential]), &place)?;
    PASSKEYS.put(tx, &place.key(), passkey)
}

/// Removes a passkey.
pub fn remove(tx: &mut WriteTx, passkey: &Passkey) {
    BY_CREDENTIAL.remove(tx, &sha256(&[&passkey.credential]));
    PASSKEYS.remove(tx, &Place { user: passkey.user, id: passkey.id }.key());
}

/// By what authenticators know a user; `None` before it has asked for its first passkey.
///
/// # Errors
/// As [`by_id`].
pub fn handle(tx: &impl Tx, user: u64) -> Result<Option<[u8; HANDLE_BYTES]>> {
    Ok(HANDLES.get(tx, &user.to_be_bytes())?.map(|Handle(bytes)| bytes))
}

/// Writes by what authenticators know a user.
///
/// # Errors
/// As [`by_id`].
pub fn put_handle(tx: &mut WriteTx, user: u64, handle: [u8; HANDLE_BYTES]) -> Result<()> {
    HANDLES.put(tx, &user.to_be_bytes(), &Handle(handle))
}

/// Forgets by what authenticators know a user.
pub fn remove_handle(tx: &mut WriteTx, user: u64) {
    HANDLES.remove(tx, &user.to_be_bytes());
}

/// Whether the answer to a challenge was taken.
///
/// # Errors
/// As [`by_id`].
pub fn is_spent(tx: &impl Tx, mark: &Mark) -> Result<bool> {
    Ok(SPENT.get(tx, &mark.hash)?.is_some())
}

/// Remembers that the answer to a challenge was taken.
///
/// # Errors
/// As [`by_id`].
///
/// # Returns
/// `false` when one was taken before.
pub fn spend(tx: &mut WriteTx, mark: &Mark) -> Result<bool> {
    if is_spent(tx, mark)? {
        return Ok(false);
    }
    SPENT.put(tx, &mark.hash, &mark.expires_at.secs().unsigned_abs())?;
    // A moment later than the challenge ends: until then nobody may forget it.
    expire_at(tx, SPENT.name(), &mark.hash, Timestamp::from_secs(mark.expires_at.secs()).plus_secs(1))?;
    Ok(true)
}
