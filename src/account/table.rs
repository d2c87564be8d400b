//! Where users are kept. Every index is written here and nowhere else.
use super::model::User;
use crate::base::text::{Email, LookupKey, MAX_TYPED_BYTES};
use crate::base::{Error, Page, PageRequest, Result};
use crate::store::{Check, Map, Record, Tx, WriteTx, next_id, points_at};

/// id -> user
const USERS: Map<User> = Map::new("user");
/// lookup key of the user name -> id
const BY_USERNAME: Map<u64> = Map::new("user.by_username");
/// lookup key of the e-mail address -> id
const BY_EMAIL: Map<u64> = Map::new("user.by_email");

impl Record for User {
    const VERSION: u8 = 1;
}

/// Looks at every row of these tables.
pub const CHECKS: &[(&str, Check)] = &[
    (USERS.name(), |tx, key, value| {
        let user = USERS.decode(value)?;
        let named = id_at(tx, &BY_USERNAME, &user.username.lookup_key())? == Some(user.id);
        let addressed = id_at(tx, &BY_EMAIL, &user.email.lookup_key())? == Some(user.id);
        let keyed = key == user.id.to_be_bytes();
        Ok((!(named && addressed && keyed))
            .then(|| "is not found by its id, user name and e-mail".to_owned()))
    }),
    (BY_USERNAME.name(), |tx, _, value| {
        points_at(tx, USERS.name(), &BY_USERNAME.decode(value)?.to_be_bytes())
    }),
    (BY_EMAIL.name(), |tx, _, value| points_at(tx, USERS.name(), &BY_EMAIL.decode(value)?.to_be_bytes())),
];

/// The user with an id.
///
/// # Errors
/// `Error::Unavailable` when the store does not serve, here and below.
pub fn by_id(tx: &impl Tx, id: u64) -> Result<Option<User>> {
    USERS.get(tx, &id.to_be_bytes())
}

/// The user of what someone typed into a login form: a user name, or an e-mail address.
///
/// # Errors
/// As [`by_id`].
pub fn by_login(tx: &impl Tx, login: &str) -> Result<Option<User>> {
    if login.len() > MAX_TYPED_BYTES {
        return Ok(None);
    }
    let id = if login.contains('@') {
        match Email::parse(login) {
            Ok(email) => id_at(tx, &BY_EMAIL, &email.lookup_key())?,
            Err(_) => None,
        }
    } else {
        id_at(tx, &BY_USERNAME, &LookupKey::of(login))?
    };
    id.map_or(Ok(None), |id| by_id(tx, id))
}

/// One page of all users, by id.
///
/// # Errors
/// As [`by_id`].
pub fn page(tx: &impl Tx, request: &PageRequest) -> Result<Page<User>> {
    USERS.page(tx, &[], request)
}

/// Claims an id and both names and writes the user that `make` makes of the id.
///
/// # Errors
/// `Error::Invalid` naming `username` or `email` when it is taken.
pub fn insert(tx: &mut WriteTx, make: impl FnOnce(u64) -> User) -> Result<User> {
    let user = make(next_id(tx, "user")?);
    claim(tx, &BY_USERNAME, "username", &user.username.lookup_key(), user.id)?;
    claim(tx, &BY_EMAIL, "email", &user.email.lookup_key(), user.id)?;
    USERS.put(tx, &user.id.to_be_bytes(), &user)?;
    Ok(user)
}

/// Writes a changed user over `old`, and its names where they changed.
///
/// # Errors
/// As [`insert`].
pub fn update(tx: &mut WriteTx, old: &User, new: &User) -> Result<()> {
    if old.username != new.username {
        BY_USERNAME.remove(tx, &old.username.lookup_key().to_bytes());
        claim(tx, &BY_USERNAME, "username", &new.username.lookup_key(), new.id)?;
    }
    if old.email != new.email {
        BY_EMAIL.remove(tx, &old.email.lookup_key().to_bytes());
        claim(tx, &BY_EMAIL, "email", &new.email.lookup_key(), new.id)?;
    }
    USERS.put(tx, &new.id.to_be_bytes(), new)
}

/// Removes a user and sets its names free; its id stays used.
pub fn remove(tx: &mut WriteTx, user: &User) {
    BY_USERNAME.remove(tx, &user.username.lookup_key().to_bytes());
    BY_EMAIL.remove(tx, &user.email.lookup_key().to_bytes());
    USERS.remove(tx, &user.id.to_be_bytes());
}

fn id_at(tx: &impl Tx, index: &Map<u64>, key: &LookupKey) -> Result<Option<u64>> {
    index.get(tx, &key.to_bytes())
}

/// A name is free when nobody has it, nor one that a reader takes for it.
fn claim(tx: &mut WriteTx, index: &Map<u64>, field: &'static str, key: &LookupKey, id: u64) -> Result<()> {
    let look_alikes = index.first(tx, &key.look_alike_prefix(), usize::MAX)?;
    if look_alikes.iter().any(|(other, holder)| *holder != id && key.clashes_with(other)) {
        return Err(Error::invalid(field, "is taken"));
    }
    index.put(tx, &key.to_bytes(), &id)
}
