//! Where consents are kept.
use super::model::Consent;
use crate::base::{Page, PageRequest, Result, Timestamp};
use crate::oauth::client::ClientId;
use crate::store::{Check, Map, Record, Tx, WriteTx, expire_at};

/// user ++ name of the client -> consent
const CONSENTS: Map<Consent> = Map::new("oauth.consent");
/// name of the client ++ 0 ++ user -> nothing
const BY_CLIENT: Map<()> = Map::new("oauth.consent.by_client");
/// The table of clients that are gone in the expiry index.
pub const CLIENTS: &str = BY_CLIENT.name();

impl Record for Consent {
    const VERSION: u8 = 1;
}

/// Looks at every row of this table.
pub const CHECKS: &[(&str, Check)] = &[
    (CONSENTS.name(), |tx, row, value| {
        let consent = CONSENTS.decode(value)?;
        let is_listed = BY_CLIENT.get(tx, &client_key(consent.user, &consent.client))?.is_some();
        let is_good = is_listed && row == key(consent.user, &consent.client);
        Ok((!is_good).then(|| "stands under another key, or is not in the list of its client".to_owned()))
    }),
    (BY_CLIENT.name(), |tx, row, _| {
        let consent = split(row).map_or(Ok(None), |(client, user)| find(tx, user, &client))?;
        Ok(consent.is_none().then(|| "points at nothing".to_owned()))
    }),
];

/// What a user has let a client have.
///
/// # Errors
/// `Error::Unavailable` when the store does not serve, here and below.
pub fn find(tx: &impl Tx, user: u64, client: &ClientId) -> Result<Option<Consent>> {
    CONSENTS.get(tx, &key(user, client))
}

/// One page of a user's, by the names of clients.
///
/// # Errors
/// As [`find`].
pub fn of_user(tx: &impl Tx, user: u64, request: &PageRequest) -> Result<Page<Consent>> {
    let prefix = user.to_be_bytes();
    request.check(&prefix, None)?;
    CONSENTS.page(tx, &prefix, request)
}

/// Writes a consent over the one before.
///
/// # Errors
/// As [`find`].
pub fn put(tx: &mut WriteTx, consent: &Consent) -> Result<()> {
    BY_CLIENT.put(tx, &client_key(consent.user, &consent.client), &())?;
    CONSENTS.put(tx, &key(consent.user, &consent.client), consent)
}

/// Removes a consent.
pub fn remove(tx: &mut WriteTx, user: u64, client: &ClientId) {
    BY_CLIENT.remove(tx, &client_key(user, client));
    CONSENTS.remove(tx, &key(user, client));
}

/// Removes all of a user's.
///
/// # Errors
/// As [`find`].
pub fn remove_all(tx: &mut WriteTx, user: u64) -> Result<()> {
    let rows = CONSENTS.first(tx, &user.to_be_bytes(), usize::MAX)?;
    rows.iter().for_each(|(_, consent)| remove(tx, user, &consent.client));
    Ok(())
}

/// Has what was given to a client that is gone removed before long.
///
/// # Errors
/// As [`find`].
pub fn client_is_gone(tx: &mut WriteTx, client: &ClientId, now: Timestamp) -> Result<()> {
    expire_at(tx, CLIENTS, client.as_str().as_bytes(), now)
}

/// Some of what was given to a client.
///
/// # Errors
/// As [`find`].
pub fn of_client(tx: &impl Tx, client: &ClientId, limit: usize) -> Result<Vec<Consent>> {
    let rows = BY_CLIENT.first(tx, &[client.as_str().as_bytes(), &[0]].concat(), limit)?;
    let users = rows.into_iter().filter_map(|(row, ())| split(&row).map(|(_, user)| user));
    users.filter_map(|user| find(tx, user, client).transpose()).collect()
}

fn client_key(user: u64, client: &ClientId) -> Vec<u8> {
    [client.as_str().as_bytes(), &[0], &user.to_be_bytes()].concat()
}

fn split(row: &[u8]) -> Option<(ClientId, u64)> {
    let (rest, user) = row.split_last_chunk::<8>()?;
    Some((ClientId::parse_bytes(rest.strip_suffix(&[0])?)?, u64::from_be_bytes(*user)))
}

fn key(user: u64, client: &ClientId) -> Vec<u8> {
    [&user.to_be_bytes()[..], client.as_str().as_bytes()].concat()
}
