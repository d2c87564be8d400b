//! Where it is kept which addresses are verified, and which are to be.
use super::model::{Change, Standing};
use crate::base::text::Email;
use crate::base::{Result, Timestamp};
use crate::one_time::Texts;
use crate::store::{Check, Map, Record, Sweep, Tx, WriteTx, expire_at};

/// user -> what is known of the address
const STANDINGS: Map<Standing> = Map::new("email_verification");
/// The texts that verify an address.
pub const LINKS: Texts = Texts::new("email_verification.link");
/// user -> the address that is to take the place of the other one
const CHANGES: Map<Change> = Map::new("email_change");

impl Record for Standing {
    const VERSION: u8 = 1;
}
impl Record for Change {
    const VERSION: u8 = 1;
}

/// How rows of these tables end.
pub const SWEEPS: [Sweep; 2] = [
    Sweep { table: LINKS.name(), end: |tx, key, now| LINKS.end(tx, key, now) },
    Sweep {
        table: CHANGES.name(),
        end: |tx, key, now| {
            // A later one has a row of its own in the index.
            if CHANGES.get(tx, key)?.is_some_and(|change| change.expires_at <= now) {
                CHANGES.remove(tx, key);
            }
            Ok(None)
        },
    },
];

/// Looks at every row of these tables.
pub const CHECKS: &[(&str, Check)] = &[
    (STANDINGS.name(), |_, _, value| STANDINGS.decode(value).map(|_| None)),
    (LINKS.name(), |_, _, value| LINKS.verify(value)),
    (CHANGES.name(), |_, _, value| CHANGES.decode(value).map(|_| None)),
];

/// What is known of a user's address.
///
/// # Errors
/// `Error::Unavailable` when the store does not serve, here and below.
pub fn standing(tx: &impl Tx, user: u64) -> Result<Standing> {
    Ok(STANDINGS.get(tx, &user.to_be_bytes())?.unwrap_or_default())
}

/// Has a user log in only once an address is verified.
///
/// # Errors
/// As [`standing`].
pub fn require(tx: &mut WriteTx, user: u64) -> Result<()> {
    let standing = Standing { is_required: true, ..standing(tx, user)? };
    STANDINGS.put(tx, &user.to_be_bytes(), &standing)
}

/// Notes that an address is its user's.
///
/// # Errors
/// As [`standing`].
pub fn verified(tx: &mut WriteTx, user: u64, email: Email, now: Timestamp) -> Result<()> {
    LINKS.remove(tx, user);
    let standing = Standing { verified: Some((email, now)), ..standing(tx, user)? };
    STANDINGS.put(tx, &user.to_be_bytes(), &standing)
}

/// The address that is to take the place of a user's.
///
/// # Errors
/// As [`standing`].
pub fn change(tx: &impl Tx, user: u64) -> Result<Option<Change>> {
    CHANGES.get(tx, &user.to_be_bytes())
}

/// Writes a change over the one before.
///
/// # Errors
/// As [`standing`].
pub fn put_change(tx: &mut WriteTx, user: u64, change: &Change) -> Result<()> {
    expire_at(tx, CHANGES.name(), &user.to_be_bytes(), change.expires_at)?;
    CHANGES.put(tx, &user.to_be_bytes(), change)
}

/// Forgets a change that was asked for: it was made, or somebody has taken the account back since.
pub fn remove_change(tx: &mut WriteTx, user: u64) {
    CHANGES.remove(tx, &user.to_be_bytes());
}

/// Forgets the links that were mailed to an address that is the user's no more.
pub fn remove_links(tx: &mut WriteTx, user: u64) {
    LINKS.remove(tx, user);
    remove_change(tx, user);
}

/// Forgets everything about a user.
pub fn remove_all(tx: &mut WriteTx, user: u64) {
    remove_links(tx, user);
    STANDINGS.remove(tx, &user.to_be_bytes());
}
