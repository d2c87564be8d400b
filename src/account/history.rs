//! What users were stored as before.
use serde::Deserialize;

use super::model::User;
use crate::base::text::{DisplayName, Email, Username};
use crate::base::{Error, Result, Timestamp};
use crate::rbac::RoleName;
use crate::store::{Record, decode_body};

impl Record for User {
    const VERSION: u8 = 3;

    fn upgrade(version: u8, body: &[u8]) -> Result<Self> {
        match version {
            1 => decode_body::<UserV1>(body).map(|old| UserV2::from(old).into()),
            2 => decode_body::<UserV2>(body).map(Into::into),
            other => Err(Error::internal(format!("no upgrade from record version {other}"))),
        }
    }
}

/// Before there were roles and a recycle bin.
#[derive(Deserialize)]
struct UserV1 {
    id: u64,
    username: Username,
    email: Email,
    first_name: Option<DisplayName>,
    last_name: Option<DisplayName>,
    is_active: bool,
    is_superuser: bool,
    password_hash: String,
    created_at: Timestamp,
    updated_at: Timestamp,
    password_changed_at: Timestamp,
}

/// Before a change of the password could be asked for.
#[derive(Deserialize)]
struct UserV2 {
    id: u64,
    username: Username,
    email: Email,
    first_name: Option<DisplayName>,
    last_name: Option<DisplayName>,
    is_active: bool,
    is_superuser: bool,
    roles: Vec<RoleName>,
    password_hash: String,
    created_at: Timestamp,
    updated_at: Timestamp,
    password_changed_at: Timestamp,
    deleted_at: Option<Timestamp>,
}

impl From<UserV1> for UserV2 {
    fn from(old: UserV1) -> Self {
        Self {
            id: old.id,
            username: old.username,
            email: old.email,
            first_name: old.first_name,
            last_name: old.last_name,
            is_active: old.is_active,
            is_superuser: old.is_superuser,
            roles: Vec::new(),
            password_hash: old.password_hash,
            created_at: old.created_at,
            updated_at: old.updated_at,
            password_changed_at: old.password_changed_at,
            deleted_at: None,
        }
    }
}

impl From<UserV2> for User {
    fn from(old: UserV2) -> Self {
        Self {
            id: old.id,
            username: old.username,
            email: old.email,
            first_name: old.first_name,
            last_name: old.last_name,
            is_active: old.is_active,
            is_superuser: old.is_superuser,
            roles: old.roles,
            password_hash: old.password_hash,
            created_at: old.created_at,
            updated_at: old.updated_at,
            password_changed_at: old.password_changed_at,
            deleted_at: old.deleted_at,
            password_change_required: false,
        }
    }
}
