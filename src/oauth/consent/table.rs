//! Where consents are kept.
use super::model::Consent;
use crate::base::{Page, PageRequest, Result};
use crate::oauth::client::ClientId;
use crate::store::{Check, Map, Record, Tx, WriteTx};

/// user ++ name of the client -> consent
const CONSENTS: Map<Consent> = Map::new("oauth.consent");

impl Record for Consent {
    const VERSION: u8 = 1;
}

/// Looks at every row of this table.
pub const CHECKS: &[(&str, Check)] = &[(CONSENTS.name(), |_, row, value| {
    let consent = CONSENTS.decode(value)?;
    Ok((row != key(consent.user, &consent.client)).then(|| "stands under another key".to_owned()))
})];

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
    CONSENTS.put(tx, &key(consent.user, &consent.client), consent)
}

/// Removes a consent.
pub fn remove(tx: &mut WriteTx, user: u64, client: &ClientId) {
    CONSENTS.remove(tx, &key(user, client));
}

/// Removes all of a user's.
///
/// # Errors
/// As [`find`].
pub fn remove_all(tx: &mut WriteTx, user: u64) -> Result<()> {
    let rows = CONSENTS.first(tx, &user.to_be_bytes(), usize::MAX)?;
    rows.iter().for_each(|(key, _)| CONSENTS.remove(tx, key));
    Ok(())
}

fn key(user: u64, client: &ClientId) -> Vec<u8> {
    [&user.to_be_bytes()[..], client.as_str().as_bytes()].concat()
}
