//! Where it is kept how users can be reached.
use super::model::Contact;
use crate::base::Result;
use crate::store::{Check, Map, Record, Tx, WriteTx};

/// user -> contact
const CONTACTS: Map<Contact> = Map::new("contact");

impl Record for Contact {
    const VERSION: u8 = 1;
}

/// Looks at every row of this table.
pub const CHECKS: &[(&str, Check)] = &[(CONTACTS.name(), |_, _, value| CONTACTS.decode(value).map(|_| None))];

/// How a user can be reached, if anything is known.
///
/// # Errors
/// `Error::Unavailable` when the store does not serve, here and below.
pub fn of_user(tx: &impl Tx, user: u64) -> Result<Option<Contact>> {
    CONTACTS.get(tx, &user.to_be_bytes())
}

/// Writes it over what was known before.
///
/// # Errors
/// As [`of_user`].
pub fn put(tx: &mut WriteTx, user: u64, contact: &Contact) -> Result<()> {
    CONTACTS.put(tx, &user.to_be_bytes(), contact)
}

/// Forgets it.
pub fn remove(tx: &mut WriteTx, user: u64) {
    CONTACTS.remove(tx, &user.to_be_bytes());
}
