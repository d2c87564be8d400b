//! Where accounts wait that somebody has asked for. The index of their user names is written here alone.
use super::model::Wanted;
use crate::base::text::Email;
use crate::base::{Error, Result};
use crate::store::{Check, Map, Record, Sweep, Tx, WriteTx, expire_at, points_at};

/// number -> account
const WANTED: Map<Wanted> = Map::new("registration");
/// lookup key of the user name -> number
const BY_USERNAME: Map<u64> = Map::new("registration.by_username");

impl Record for Wanted {
    const VERSION: u8 = 1;
}

/// How rows of these tables end.
pub const SWEEPS: [Sweep; 1] = [Sweep {
    table: WANTED.name(),
    end: |tx, key, _| {
        if let Some(wanted) = WANTED.get(tx, key)? {
            remove_at(tx, key, &wanted);
        }
        Ok(None)
    },
}];

/// Looks at every row of these tables.
pub const CHECKS: &[(&str, Check)] = &[
    (WANTED.name(), |tx, key, value| {
        let wanted = WANTED.decode(value)?;
        let named = BY_USERNAME.get(tx, &wanted.username.lookup_key().to_bytes())?;
        Ok((named.map(u64::to_be_bytes).as_ref().map(<[u8; 8]>::as_slice) != Some(key))
            .then(|| "is not found by its user name".to_owned()))
    }),
    (BY_USERNAME.name(), |tx, _, value| {
        points_at(tx, WANTED.name(), &BY_USERNAME.decode(value)?.to_be_bytes())
    }),
];

/// The account with a number.
///
/// # Errors
/// `Error::Unavailable` when the store does not serve, here and below.
pub fn by_number(tx: &impl Tx, number: u64) -> Result<Option<Wanted>> {
    WANTED.get(tx, &number.to_be_bytes())
}

/// Writes an account that is asked for, in place of one of the same name that was asked for with the same address.
///
/// # Errors
/// `Error::Invalid` naming `username` for a name that somebody else has asked for.
pub fn insert(tx: &mut WriteTx, number: u64, wanted: &Wanted) -> Result<()> {
    let key = wanted.username.lookup_key();
    for (other, holder) in BY_USERNAME.first(tx, &key.look_alike_prefix(), usize::MAX)? {
        if !key.clashes_with(&other) {
            continue;
        }
        match by_number(tx, holder)?.filter(|held| same(&held.email, &wanted.email)) {
            Some(held) => remove(tx, holder, &held),
            None => return Err(Error::invalid("username", "is taken")),
        }
    }
    BY_USERNAME.put(tx, &key.to_bytes(), &number)?;
    expire_at(tx, WANTED.name(), &number.to_be_bytes(), wanted.expires_at)?;
    WANTED.put(tx, &number.to_be_bytes(), wanted)
}

/// Removes an account that is asked for no more, or was made.
pub fn remove(tx: &mut WriteTx, number: u64, wanted: &Wanted) {
    remove_at(tx, &number.to_be_bytes(), wanted);
}

fn remove_at(tx: &mut WriteTx, key: &[u8], wanted: &Wanted) {
    BY_USERNAME.remove(tx, &wanted.username.lookup_key().to_bytes());
    WANTED.remove(tx, key);
}

fn same(one: &Email, other: &Email) -> bool {
    one.lookup_key() == other.lookup_key()
}
