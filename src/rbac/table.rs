//! Where roles and permissions are kept.
use serde::{Deserialize, Serialize};

use super::model::{Role, RoleName};
use super::permission::Permission;
use crate::base::{Result, Timestamp};
use crate::store::{Check, Map, Record, Tx, WriteTx};

/// name -> role; a built-in one only once it was changed
const ROLES: Map<Role> = Map::new("role");
/// name -> what it is for
const PERMISSIONS: Map<Definition> = Map::new("permission");

/// A permission that another service has defined.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Definition {
    pub name: Permission,
    pub description: String,
    pub created_at: Timestamp,
}

impl Record for Role {
    const VERSION: u8 = 1;
}
impl Record for Definition {
    const VERSION: u8 = 1;
}

/// Looks at every row of these tables.
pub const CHECKS: &[(&str, Check)] = &[
    (ROLES.name(), |_, key, value| {
        let role = ROLES.decode(value)?;
        Ok((role.name.as_str().as_bytes() != key).then(|| "is not under its name".to_owned()))
    }),
    (PERMISSIONS.name(), |_, key, value| {
        let found = PERMISSIONS.decode(value)?;
        Ok((found.name.as_str().as_bytes() != key).then(|| "is not under its name".to_owned()))
    }),
];

/// All roles that are stored.
///
/// # Errors
/// `Error::Unavailable` when the store does not serve, here and below.
pub fn roles(tx: &impl Tx) -> Result<Vec<Role>> {
    Ok(ROLES.first(tx, &[], usize::MAX)?.into_iter().map(|(_, role)| role).collect())
}

/// Writes a role.
///
/// # Errors
/// As [`roles`].
pub fn put_role(tx: &mut WriteTx, role: &Role) -> Result<()> {
    ROLES.put(tx, role.name.as_str().as_bytes(), role)
}

/// Removes a role.
pub fn remove_role(tx: &mut WriteTx, name: &RoleName) {
    ROLES.remove(tx, name.as_str().as_bytes());
}

/// All permissions that other services have defined.
///
/// # Errors
/// As [`roles`].
pub fn permissions(tx: &impl Tx) -> Result<Vec<Definition>> {
    Ok(PERMISSIONS.first(tx, &[], usize::MAX)?.into_iter().map(|(_, found)| found).collect())
}

/// One of them.
///
/// # Errors
/// As [`roles`].
pub fn permission(tx: &impl Tx, name: &str) -> Result<Option<Definition>> {
    PERMISSIONS.get(tx, name.as_bytes())
}

/// Writes a permission.
///
/// # Errors
/// As [`roles`].
pub fn put_permission(tx: &mut WriteTx, definition: &Definition) -> Result<()> {
    PERMISSIONS.put(tx, definition.name.as_str().as_bytes(), definition)
}

/// Removes a permission.
pub fn remove_permission(tx: &mut WriteTx, name: &Permission) {
    PERMISSIONS.remove(tx, name.as_str().as_bytes());
}
