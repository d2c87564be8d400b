//! Where service accounts are kept. Every index is written here and nowhere else.
use serde::{Deserialize, Serialize};

use super::model::ServiceAccount;
use crate::base::text::Slug;
use crate::base::{Error, Id, Page, PageRequest, Result};
use crate::rbac::RoleName;
use crate::store::{Check, Map, Record, Tx, WriteTx, points_at};

/// id -> service account
const ACCOUNTS: Map<ServiceAccount> = Map::new("service_account");
/// name -> id, as a record of its own: the id is the value
const BY_NAME: Map<ByName> = Map::new("service_account.by_name");
/// role 0 id -> nothing
const BY_ROLE: Map<()> = Map::new("service_account.by_role");

/// What a name stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ByName(pub Id<ServiceAccount>);

impl Record for ServiceAccount {
    const VERSION: u8 = 1;
}
impl Record for ByName {
    const VERSION: u8 = 0;
}

/// Looks at every row of these tables.
pub const CHECKS: &[(&str, Check)] = &[
    (ACCOUNTS.name(), |tx, key, value| {
        let account = ACCOUNTS.decode(value)?;
        for role in &account.roles {
            if BY_ROLE.get(tx, &role_key(role, account.id))?.is_none() {
                return Ok(Some("is not in the list of a role".to_owned()));
            }
        }
        let named = BY_NAME.get(tx, account.name.as_str().as_bytes())?.is_some_and(|by| by.0 == account.id);
        Ok((!(named && key == account.id.as_bytes()))
            .then(|| "is not found by its id and its name".to_owned()))
    }),
    (BY_NAME.name(), |tx, _, value| points_at(tx, ACCOUNTS.name(), BY_NAME.decode(value)?.0.as_bytes())),
    (BY_ROLE.name(), |tx, key, _| {
        points_at(tx, ACCOUNTS.name(), key.last_chunk::<16>().map_or(&[], |id| id))
    }),
];

/// The service account with an id.
///
/// # Errors
/// `Error::Unavailable` when the store does not serve, here and below.
pub fn by_id(tx: &impl Tx, id: Id<ServiceAccount>) -> Result<Option<ServiceAccount>> {
    ACCOUNTS.get(tx, id.as_bytes())
}

/// The service account with a name.
///
/// # Errors
/// As [`by_id`].
pub fn by_name(tx: &impl Tx, name: &str) -> Result<Option<ServiceAccount>> {
    BY_NAME.get(tx, name.as_bytes())?.map_or(Ok(None), |by| by_id(tx, by.0))
}

/// One page of all service accounts, the oldest first.
///
/// # Errors
/// As [`by_id`].
pub fn page(tx: &impl Tx, request: &PageRequest) -> Result<Page<ServiceAccount>> {
    request.check(&[], Some(16))?;
    ACCOUNTS.page(tx, &[], request)
}

/// Writes a new service account.
///
/// # Errors
/// `Error::Invalid` naming `name` when it is taken.
pub fn insert(tx: &mut WriteTx, account: &ServiceAccount) -> Result<()> {
    claim(tx, &account.name, account.id)?;
    index_roles(tx, account)?;
    ACCOUNTS.put(tx, account.id.as_bytes(), account)
}

/// Writes a changed service account over `old`.
///
/// # Errors
/// As [`insert`].
pub fn update(tx: &mut WriteTx, old: &ServiceAccount, new: &ServiceAccount) -> Result<()> {
    if old.name != new.name {
        claim(tx, &new.name, new.id)?;
        BY_NAME.remove(tx, old.name.as_str().as_bytes());
    }
    unindex_roles(tx, old);
    index_roles(tx, new)?;
    ACCOUNTS.put(tx, new.id.as_bytes(), new)
}

/// Removes a service account and sets its name free.
pub fn remove(tx: &mut WriteTx, account: &ServiceAccount) {
    BY_NAME.remove(tx, account.name.as_str().as_bytes());
    unindex_roles(tx, account);
    ACCOUNTS.remove(tx, account.id.as_bytes());
}

/// Whether any has a role.
///
/// # Errors
/// As [`by_id`].
pub fn has_holder(tx: &impl Tx, role: &str) -> Result<bool> {
    Ok(!BY_ROLE.first(tx, &[role.as_bytes(), &[0]].concat(), 1)?.is_empty())
}

fn claim(tx: &mut WriteTx, name: &Slug, id: Id<ServiceAccount>) -> Result<()> {
    if BY_NAME.get(tx, name.as_str().as_bytes())?.is_some() {
        return Err(Error::invalid("name", "is taken"));
    }
    BY_NAME.put(tx, name.as_str().as_bytes(), &ByName(id))
}

fn index_roles(tx: &mut WriteTx, account: &ServiceAccount) -> Result<()> {
    account.roles.iter().try_for_each(|role| BY_ROLE.put(tx, &role_key(role, account.id), &()))
}

fn unindex_roles(tx: &mut WriteTx, account: &ServiceAccount) {
    account.roles.iter().for_each(|role| BY_ROLE.remove(tx, &role_key(role, account.id)));
}

fn role_key(role: &RoleName, id: Id<ServiceAccount>) -> Vec<u8> {
    [role.as_str().as_bytes(), &[0], id.as_bytes()].concat()
}
