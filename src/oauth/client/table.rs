//! Where clients are kept. Every index is written here and nowhere else.
use super::model::{Client, ClientId};
use crate::base::{Error, Page, PageRequest, Result};
use crate::rbac::RoleName;
use crate::store::{Check, Map, Record, Tx, WriteTx, points_at};

/// name -> client
const CLIENTS: Map<Client> = Map::new("oauth.client");
/// role 0 name -> nothing
const BY_ROLE: Map<()> = Map::new("oauth.client.by_role");

impl Record for Client {
    const VERSION: u8 = 1;
}

/// Looks at every row of these tables.
pub const CHECKS: &[(&str, Check)] = &[
    (CLIENTS.name(), |tx, key, value| {
        let client = CLIENTS.decode(value)?;
        for role in &client.rules.roles {
            if BY_ROLE.get(tx, &role_key(role, &client.id))?.is_none() {
                return Ok(Some("is not in the list of a role".to_owned()));
            }
        }
        Ok((key != client.id.as_str().as_bytes()).then(|| "stands under another name".to_owned()))
    }),
    (BY_ROLE.name(), |tx, key, _| {
        let name = key.iter().position(|byte| *byte == 0).map_or(&[][..], |end| &key[end + 1..]);
        points_at(tx, CLIENTS.name(), name)
    }),
];

/// The client of a name.
///
/// # Errors
/// `Error::Unavailable` when the store does not serve, here and below.
pub fn by_id(tx: &impl Tx, id: &ClientId) -> Result<Option<Client>> {
    CLIENTS.get(tx, id.as_str().as_bytes())
}

/// One page of all clients, by name.
///
/// # Errors
/// As [`by_id`].
pub fn page(tx: &impl Tx, request: &PageRequest) -> Result<Page<Client>> {
    request.check(&[], None)?;
    CLIENTS.page(tx, &[], request)
}

/// All of them, by name.
///
/// # Errors
/// As [`by_id`].
pub fn all(tx: &impl Tx) -> Result<Vec<Client>> {
    let rows = CLIENTS.first(tx, &[], usize::MAX)?;
    Ok(rows.into_iter().map(|(_, client)| client).collect())
}

/// Writes a new client.
///
/// # Errors
/// `Error::Invalid` naming `client_id` when it is taken.
pub fn insert(tx: &mut WriteTx, client: &Client) -> Result<()> {
    if by_id(tx, &client.id)?.is_some() {
        return Err(Error::invalid("client_id", "is taken"));
    }
    index_roles(tx, client)?;
    CLIENTS.put(tx, client.id.as_str().as_bytes(), client)
}

/// Writes a changed client over `old`.
///
/// # Errors
/// As [`by_id`].
pub fn update(tx: &mut WriteTx, old: &Client, new: &Client) -> Result<()> {
    unindex_roles(tx, old);
    index_roles(tx, new)?;
    CLIENTS.put(tx, new.id.as_str().as_bytes(), new)
}

/// Removes a client.
pub fn remove(tx: &mut WriteTx, client: &Client) {
    unindex_roles(tx, client);
    CLIENTS.remove(tx, client.id.as_str().as_bytes());
}

/// Whether any is for the holders of a role.
///
/// # Errors
/// As [`by_id`].
pub fn names_role(tx: &impl Tx, role: &str) -> Result<bool> {
    Ok(!BY_ROLE.first(tx, &[role.as_bytes(), &[0]].concat(), 1)?.is_empty())
}

fn index_roles(tx: &mut WriteTx, client: &Client) -> Result<()> {
    client.rules.roles.iter().try_for_each(|role| BY_ROLE.put(tx, &role_key(role, &client.id), &()))
}

fn unindex_roles(tx: &mut WriteTx, client: &Client) {
    client.rules.roles.iter().for_each(|role| BY_ROLE.remove(tx, &role_key(role, &client.id)));
}

fn role_key(role: &RoleName, id: &ClientId) -> Vec<u8> {
    [role.as_str().as_bytes(), &[0], id.as_str().as_bytes()].concat()
}
