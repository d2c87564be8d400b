//! Where users are kept. Every index is written here and nowhere else.
use super::model::{By, Filter, User, later};
use crate::base::page::cursor;
use crate::base::text::{LookupKey, MAX_TYPED_BYTES};
use crate::base::{Error, Page, PageRequest, Result, Timestamp};
use crate::rbac::RoleName;
use crate::rbac::model::SUPERUSER;
use crate::store::{Check, Map, Tx, WriteTx, coming_id, expire_at, next_id, points_at};

/// id -> user
const USERS: Map<User> = Map::new(NAME);
/// The table of users, in the expiry index.
pub const NAME: &str = "user";
/// lookup key of the user name -> id
const BY_USERNAME: Map<u64> = Map::new("user.by_username");
/// lookup key of the e-mail address -> id
const BY_EMAIL: Map<u64> = Map::new("user.by_email");
const ID_BYTES: usize = 8;
/// How long a deleted user lies in the recycle bin, in seconds.
pub const BIN_SECS: i64 = 30 * 24 * 3600;
/// role 0 id -> nothing
const BY_ROLE: Map<()> = Map::new("user.by_role");

/// Brings what was written before there was an index of roles into it.
///
/// # Errors
/// As [`by_id`].
pub fn index_roles(tx: &mut WriteTx) -> Result<()> {
    const AT_ONCE: usize = 1000;
    let mut request = PageRequest { after: None, limit: AT_ONCE };
    loop {
        let found = USERS.page(tx, &[], &request)?;
        for user in &found.items {
            for role in held(user) {
                BY_ROLE.put(tx, &role_key(role, user.id), &())?;
            }
        }
        let Some(last) = found.items.last().filter(|_| found.next_cursor.is_some()) else { return Ok(()) };
        request.after = Some(last.id.to_be_bytes().to_vec());
    }
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
    (BY_ROLE.name(), |tx, key, _| points_at(tx, USERS.name(), &id_of(key).unwrap_or_default().to_be_bytes())),
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
        id_at(tx, &BY_EMAIL, &LookupKey::of_login(login))?
    } else {
        id_at(tx, &BY_USERNAME, &LookupKey::of_login(login))?
    };
    id.map_or(Ok(None), |id| by_id(tx, id))
}

/// One page of all users, by id.
///
/// # Errors
/// As [`by_id`].
pub fn page(tx: &impl Tx, request: &PageRequest) -> Result<Page<User>> {
    request.check(&[], Some(ID_BYTES))?;
    USERS.page(tx, &[], request)
}

fn index(filter: &Filter) -> (&'static str, Vec<u8>) {
    match &filter.by {
        By::Id => (USERS.name(), Vec::new()),
        By::Username(prefix) => (BY_USERNAME.name(), prefix.prefix()),
        By::Email(prefix) => (BY_EMAIL.name(), prefix.prefix()),
        By::Role(role) => (BY_ROLE.name(), role_prefix(role)),
    }
}

fn at_row(tx: &impl Tx, filter: &Filter, key: &[u8], value: &[u8]) -> Result<Option<User>> {
    match &filter.by {
        By::Id => USERS.decode(value).map(Some),
        By::Username(_) => by_id(tx, BY_USERNAME.decode(value)?),
        By::Email(_) => by_id(tx, BY_EMAIL.decode(value)?),
        By::Role(_) => id_of(key).map_or(Ok(None), |id| by_id(tx, id)),
    }
}

/// After which row a page begins. Ids rise with time, so for a list by id halving finds the first that is late enough.
fn start(tx: &impl Tx, filter: &Filter, request: &PageRequest) -> Result<Option<Vec<u8>>> {
    let from = filter.created_from.filter(|_| matches!(filter.by, By::Id) && request.after.is_none());
    let Some(from) = from else { return Ok(request.after.clone()) };
    let (mut low, mut high) = (0, coming_id(tx, "user")?);
    while low < high {
        let middle = low + (high - low) / 2;
        let next =
            USERS.page(tx, &[], &PageRequest { after: Some(middle.to_be_bytes().to_vec()), limit: 1 })?;
        if next.items.first().is_some_and(|user| later(user.created_at) < from) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    Ok(Some(low.to_be_bytes().to_vec()))
}

/// One page of the users that a filter has. A page may have fewer than asked for, and still a next one: then so many
/// rows were looked at as one request may look at.
///
/// # Errors
/// As [`by_id`].
pub fn search(tx: &impl Tx, filter: &Filter, request: &PageRequest) -> Result<Page<User>> {
    const AT_ONCE: usize = 256;
    const MOST: usize = 20 * AT_ONCE;
    let (table, prefix) = index(filter);
    let bytes = match &filter.by {
        By::Id => Some(ID_BYTES),
        By::Role(_) => Some(prefix.len() + ID_BYTES),
        By::Username(_) | By::Email(_) => None,
    };
    request.check(&prefix, bytes)?;
    let (mut items, mut after) = (Vec::new(), start(tx, filter, request)?);
    for _ in 0..MOST / AT_ONCE {
        let rows = tx.rows(table, &prefix, after.as_deref(), AT_ONCE)?;
        let is_last = rows.len() < AT_ONCE;
        for (key, value) in rows {
            if items.len() == request.limit {
                return Ok(Page { items, next_cursor: after.as_deref().map(cursor) });
            }
            let user = at_row(tx, filter, &key, &value)?;
            if user.as_ref().is_some_and(|user| filter.is_past(user)) {
                return Ok(Page { items, next_cursor: None });
            }
            items.extend(user.filter(|user| filter.fits(user)));
            after = Some(key);
        }
        if is_last {
            return Ok(Page { items, next_cursor: None });
        }
    }
    Ok(Page { items, next_cursor: after.as_deref().map(cursor) })
}

/// Has a user in the recycle bin looked at when its time there is over.
///
/// # Errors
/// As [`by_id`].
pub fn throw_away_at(tx: &mut WriteTx, id: u64, when: Timestamp) -> Result<()> {
    expire_at(tx, USERS.name(), &id.to_be_bytes(), when)
}

/// The user in a row of the expiry index, and when its time in the recycle bin is over; `None` for one that is not in it.
///
/// # Errors
/// As [`by_id`].
pub fn thrown_away(tx: &impl Tx, key: &[u8]) -> Result<Option<(User, Timestamp)>> {
    let user = USERS.get(tx, key)?;
    Ok(user.and_then(|user| user.deleted_at.map(|at| at.plus_secs(BIN_SECS)).map(|end| (user, end))))
}

/// Claims an id and both names and writes the user that `make` makes of the id. Refused, it leaves no edit, so that a
/// change of many users can go on without this one.
///
/// # Errors
/// `Error::Invalid` naming `username` or `email` when it is taken.
pub fn insert(tx: &mut WriteTx, make: impl FnOnce(u64) -> User) -> Result<User> {
    let user = make(coming_id(tx, "user")?);
    let (name, address) = (user.username.lookup_key(), user.email.lookup_key());
    check_free(tx, &name, &address)?;
    next_id(tx, "user")?;
    BY_USERNAME.put(tx, &name.to_bytes(), &user.id)?;
    BY_EMAIL.put(tx, &address.to_bytes(), &user.id)?;
    for role in held(&user) {
        BY_ROLE.put(tx, &role_key(role, user.id), &())?;
    }
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
    for role in held(old).filter(|role| held(new).all(|other| other != *role)) {
        BY_ROLE.remove(tx, &role_key(role, new.id));
    }
    for role in held(new) {
        BY_ROLE.put(tx, &role_key(role, new.id), &())?;
    }
    USERS.put(tx, &new.id.to_be_bytes(), new)
}

/// The hash of the password of some user that `seed` chooses: always the same, until that user has another one; of all users
/// one as likely as another, and with one more user hardly a seed chooses another one. `None` where nobody near it has one.
///
/// # Errors
/// As [`by_id`].
pub fn hash_of_some(tx: &impl Tx, seed: u64) -> Result<Option<String>> {
    const NEAR: usize = 16;
    let first = chosen(seed, coming_id(tx, "user")? - 1);
    let near = |after: Option<u64>, limit| {
        let after = after.map(|id| id.to_be_bytes().to_vec());
        USERS.page(tx, &[], &PageRequest { after, limit })
    };
    for (after, limit) in [(Some(first), 1), (Some(first), NEAR), (None, NEAR)] {
        let mut hashes = near(after, limit)?.items.into_iter().map(|user| user.password_hash);
        if let Some(hash) = hashes.find(|hash| !hash.is_empty()) {
            return Ok(Some(hash));
        }
    }
    Ok(None)
}

/// A number below `buckets` (Lamping and Veach, "A Fast, Minimal Memory, Consistent Hash Algorithm", 2014).
fn chosen(mut seed: u64, buckets: u64) -> u64 {
    let (mut chosen, mut next) = (0, 0);
    while next < buckets {
        chosen = next;
        seed = seed.wrapping_mul(2_862_933_555_777_941_757).wrapping_add(1);
        let jump = (u128::from(chosen + 1) << 31) / u128::from((seed >> 33) + 1);
        next = u64::try_from(jump).unwrap_or(u64::MAX);
    }
    chosen
}

/// Whether anybody has a role.
///
/// # Errors
/// As [`by_id`].
pub fn has_holder(tx: &impl Tx, role: &str) -> Result<bool> {
    Ok(!BY_ROLE.first(tx, &role_prefix(role), 1)?.is_empty())
}

/// Refuses what would leave nobody who may do everything.
///
/// # Errors
/// `Error::Invalid` naming `field` if `leaving` is the last superuser who may go on.
pub fn check_not_last_superuser(tx: &impl Tx, leaving: &User, field: &'static str) -> Result<()> {
    if !leaving.is_superuser || !leaving.may_go_on() {
        return Ok(());
    }
    for (key, ()) in BY_ROLE.first(tx, &role_prefix(SUPERUSER), usize::MAX)? {
        let id = id_of(&key).filter(|id| *id != leaving.id);
        let other = id.map_or(Ok(None), |id| by_id(tx, id))?;
        // One without a password cannot log in.
        if other.is_some_and(|other| other.may_go_on() && !other.password_hash.is_empty()) {
            return Ok(());
        }
    }
    Err(Error::invalid(field, "is the last superuser"))
}

/// The roles of a user that were given, the superuser's included.
fn held(user: &User) -> impl Iterator<Item = &str> {
    user.is_superuser.then_some(SUPERUSER).into_iter().chain(user.roles.iter().map(RoleName::as_str))
}

fn role_prefix(role: &str) -> Vec<u8> {
    [role.as_bytes(), &[0]].concat()
}

fn role_key(role: &str, id: u64) -> Vec<u8> {
    [role.as_bytes(), &[0], &id.to_be_bytes()].concat()
}

fn id_of(key: &[u8]) -> Option<u64> {
    key.last_chunk().copied().map(u64::from_be_bytes)
}

/// Removes a user and sets its names free; its id stays used.
pub fn remove(tx: &mut WriteTx, user: &User) {
    BY_USERNAME.remove(tx, &user.username.lookup_key().to_bytes());
    BY_EMAIL.remove(tx, &user.email.lookup_key().to_bytes());
    for role in held(user) {
        BY_ROLE.remove(tx, &role_key(role, user.id));
    }
    USERS.remove(tx, &user.id.to_be_bytes());
}

fn id_at(tx: &impl Tx, index: &Map<u64>, key: &LookupKey) -> Result<Option<u64>> {
    index.get(tx, &key.to_bytes())
}

/// Whether a new user may have these names.
///
/// # Errors
/// As [`insert`].
pub fn check_free(tx: &impl Tx, username: &LookupKey, email: &LookupKey) -> Result<()> {
    check_username(tx, username)?;
    check_free_for(tx, (&BY_EMAIL, "email"), email, None)
}

/// Whether a new user may have a user name.
///
/// # Errors
/// As [`insert`].
pub fn check_username(tx: &impl Tx, username: &LookupKey) -> Result<()> {
    check_free_for(tx, (&BY_USERNAME, "username"), username, None)
}

/// Whether a user may have an address instead of its own.
///
/// # Errors
/// As [`insert`].
pub fn check_address(tx: &impl Tx, user: u64, email: &LookupKey) -> Result<()> {
    check_free_for(tx, (&BY_EMAIL, "email"), email, Some(user))
}

/// A name is free when nobody else has it, nor one that a reader takes for it.
fn check_free_for(
    tx: &impl Tx,
    (index, field): (&Map<u64>, &'static str),
    key: &LookupKey,
    id: Option<u64>,
) -> Result<()> {
    let look_alikes = index.first(tx, &key.look_alike_prefix(), usize::MAX)?;
    if look_alikes.iter().any(|(other, holder)| Some(*holder) != id && key.clashes_with(other)) {
        return Err(Error::invalid(field, "is taken"));
    }
    Ok(())
}

fn claim(tx: &mut WriteTx, index: &Map<u64>, field: &'static str, key: &LookupKey, id: u64) -> Result<()> {
    check_free_for(tx, (index, field), key, Some(id))?;
    index.put(tx, &key.to_bytes(), &id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_is_chosen_as_often_and_one_more_changes_few() {
        const SEEDS: u64 = 20_000;
        let spread = |seed: u64| seed.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let all = |buckets| (0..SEEDS).map(move |seed| chosen(spread(seed), buckets)).collect::<Vec<_>>();
        let (ten, eleven) = (all(10), all(11));
        for n in 0..10 {
            let count = ten.iter().filter(|chosen| **chosen == n).count();
            assert!((1700..2300).contains(&count), "{n}: {count}");
        }
        let moved: Vec<_> = ten.iter().zip(&eleven).filter(|(before, after)| before != after).collect();
        assert!((1500..2200).contains(&moved.len()), "{}", moved.len());
        assert!(moved.iter().all(|(_, after)| **after == 10), "to the new one alone");
        assert_eq!((chosen(7, 0), chosen(7, 1)), (0, 0));
    }
}
