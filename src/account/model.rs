//! What a user is. Pure: no store, no HTTP, no clock.
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::base::text::{DisplayName, Email, LookupKey, Username};
use crate::base::{Result, Secret, Timestamp};
use crate::rbac::RoleName;

/// An account.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct User {
    /// 1, 2, 3, …; never given out twice.
    pub id: u64,
    pub username: Username,
    pub email: Email,
    pub first_name: Option<DisplayName>,
    pub last_name: Option<DisplayName>,
    pub is_active: bool,
    pub is_superuser: bool,
    /// Beside that of everyone, and the superuser's.
    pub roles: Vec<RoleName>,
    /// The password's hash: ours, one of another system until the first login, or empty while there is none.
    pub password_hash: String,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
    pub password_changed_at: Timestamp,
    /// Since when it lies in the recycle bin.
    pub deleted_at: Option<Timestamp>,
    /// Until it has another password, its sessions can do nothing else than choose one.
    pub password_change_required: bool,
}

/// Everything but the hash.
impl fmt::Debug for User {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("User")
            .field("id", &self.id)
            .field("username", &self.username)
            .field("is_active", &self.is_active)
            .field("is_superuser", &self.is_superuser)
            .finish_non_exhaustive()
    }
}

/// An account that is asked for; its texts are checked, its password is not hashed yet.
#[derive(Debug, Clone)]
pub struct NewUser {
    pub username: Username,
    pub email: Email,
    pub first_name: Option<DisplayName>,
    pub last_name: Option<DisplayName>,
    pub password: Secret,
    pub is_superuser: bool,
    pub roles: Vec<RoleName>,
}

impl NewUser {
    /// Checks what someone typed.
    ///
    /// # Errors
    /// `Error::Invalid` naming the first wrong field.
    pub fn parse(
        (username, email): (&str, &str),
        (first_name, last_name): (Option<&str>, Option<&str>),
        password: Secret,
    ) -> Result<Self> {
        Ok(Self {
            username: Username::parse(username)?,
            email: Email::parse(email)?,
            first_name: DisplayName::parse("first_name", first_name.unwrap_or_default())?,
            last_name: DisplayName::parse("last_name", last_name.unwrap_or_default())?,
            password,
            is_superuser: false,
            roles: Vec::new(),
        })
    }

    /// The account, once it has an id and a hash.
    #[must_use]
    pub fn into_user(self, id: u64, password_hash: String, now: Timestamp) -> User {
        User {
            id,
            username: self.username,
            email: self.email,
            first_name: self.first_name,
            last_name: self.last_name,
            is_active: true,
            is_superuser: self.is_superuser,
            roles: self.roles,
            password_hash,
            created_at: now,
            updated_at: now,
            password_changed_at: now,
            deleted_at: None,
            password_change_required: false,
        }
    }
}

/// What an owner changes of an account; `None` leaves a field as it is, `Some(None)` empties it.
#[derive(Debug, Clone, Default)]
pub struct ProfileChange {
    pub first_name: Option<Option<DisplayName>>,
    pub last_name: Option<Option<DisplayName>>,
    pub email: Option<Email>,
}

impl User {
    /// The account after a change.
    #[must_use]
    pub fn with(mut self, change: ProfileChange, now: Timestamp) -> Self {
        if let Some(first_name) = change.first_name {
            self.first_name = first_name;
        }
        if let Some(last_name) = change.last_name {
            self.last_name = last_name;
        }
        if let Some(email) = change.email {
            self.email = email;
        }
        self.updated_at = now;
        self
    }

    /// The account with another password.
    #[must_use]
    pub fn with_password(mut self, password_hash: String, now: Timestamp) -> Self {
        self.password_hash = password_hash;
        self.password_change_required = false;
        self.password_changed_at = now;
        self.updated_at = now;
        self
    }

    /// Whether it may be used: switched on, and not in the recycle bin.
    #[must_use]
    pub fn may_go_on(&self) -> bool {
        self.is_active && self.deleted_at.is_none()
    }
}

/// Which users a list has.
#[derive(Debug, Clone)]
pub struct Filter {
    pub by: By,
    pub is_active: Option<bool>,
    /// Those in the recycle bin, or those that are not.
    pub deleted: bool,
    pub created_from: Option<Timestamp>,
    /// Not included.
    pub created_until: Option<Timestamp>,
}

/// In what order, and of which part of all.
#[derive(Debug, Clone)]
pub enum By {
    Id,
    /// The user names that begin so.
    Username(LookupKey),
    /// The e-mail addresses that begin so.
    Email(LookupKey),
    /// The holders of a role, by id.
    Role(String),
}

/// An account is given its time before its id, so times are only about in the order of ids: whoever comes behind one
/// made at `time` was made so much before [`later`] at most.
#[must_use]
pub fn later(time: Timestamp) -> Timestamp {
    const DISORDER_SECS: i64 = 600;
    time.plus_secs(DISORDER_SECS)
}

impl Filter {
    /// Whether a list by id has nobody of the filter from this user on.
    #[must_use]
    pub fn is_past(&self, user: &User) -> bool {
        matches!(self.by, By::Id) && self.created_until.is_some_and(|until| user.created_at >= later(until))
    }

    /// Whether a user is one of them.
    #[must_use]
    pub fn fits(&self, user: &User) -> bool {
        let begins = match &self.by {
            By::Username(prefix) => user.username.lookup_key().begins_with(prefix),
            By::Email(prefix) => user.email.lookup_key().begins_with(prefix),
            By::Id | By::Role(_) => true,
        };
        begins
            && self.is_active.is_none_or(|active| active == user.is_active)
            && self.deleted == user.deleted_at.is_some()
            && self.created_from.is_none_or(|from| user.created_at >= from)
            && self.created_until.is_none_or(|until| user.created_at < until)
    }
}
