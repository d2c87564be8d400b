//! Roles: their names, what they hold, and the built-in ones.
use std::fmt;

use serde::{Deserialize, Serialize};

use super::permission::Pattern;
use crate::account::User;
use crate::base::text::{Slug, rearranges};
use crate::base::{Error, Result, Timestamp};

/// The role of whoever may do everything.
pub const SUPERUSER: &str = "superuser";
/// The role of whoever runs the service without owning it: everything but superusers and their making.
pub const ADMIN: &str = "admin";
/// The role of everyone.
pub const USER: &str = "user";
const MAX_DESCRIPTION: usize = 500;

/// A role's name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct RoleName(Slug);

/// Some permissions under a name; it may have those of other roles, too.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Role {
    pub name: RoleName,
    pub description: String,
    pub permissions: Vec<Pattern>,
    pub includes: Vec<RoleName>,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

/// What is changed of a role; `None` leaves a field as it is.
#[derive(Debug, Clone, Default)]
pub struct RoleChange {
    pub description: Option<String>,
    pub permissions: Option<Vec<Pattern>>,
    pub includes: Option<Vec<RoleName>>,
}

impl RoleName {
    /// # Errors
    /// `Error::Invalid` naming `field` unless it is a [`Slug`].
    pub fn parse(field: &'static str, text: &str) -> Result<Self> {
        Slug::parse(field, text).map(Self)
    }

    /// Several names, each once.
    ///
    /// # Errors
    /// As [`RoleName::parse`].
    pub fn parse_all(field: &'static str, texts: &[String]) -> Result<Vec<Self>> {
        let mut names = texts.iter().map(|text| Self::parse(field, text)).collect::<Result<Vec<_>>>()?;
        names.sort();
        names.dedup();
        Ok(names)
    }

    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }

    /// Whether the program brings it along: then it cannot be deleted.
    #[must_use]
    pub fn is_built_in(&self) -> bool {
        [SUPERUSER, ADMIN, USER].contains(&self.as_str())
    }
}

impl fmt::Display for RoleName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Role {
    /// The role after a change.
    #[must_use]
    pub fn with(mut self, change: RoleChange, now: Timestamp) -> Self {
        if let Some(description) = change.description {
            self.description = description;
        }
        if let Some(permissions) = change.permissions {
            self.permissions = permissions;
        }
        if let Some(includes) = change.includes {
            self.includes = includes;
        }
        self.updated_at = now;
        self
    }
}

/// What a role or permission is for.
///
/// # Errors
/// `Error::Invalid` naming `description` for more than 500 characters or a control character.
pub fn parse_description(text: &str) -> Result<String> {
    let text = text.trim();
    if text.chars().count() > MAX_DESCRIPTION {
        return Err(Error::invalid("description", "must have at most 500 characters"));
    }
    if text.chars().any(|c| c.is_control() || rearranges(c)) {
        return Err(Error::invalid("description", "must not have control characters"));
    }
    Ok(text.to_owned())
}

/// The names of a user's roles, as they stand in its tokens.
#[must_use]
pub fn roles_of(user: &User) -> Vec<String> {
    let superuser = user.is_superuser.then_some(SUPERUSER);
    let given = user.roles.iter().map(RoleName::as_str);
    superuser.into_iter().chain(given).chain([USER]).map(str::to_owned).collect()
}
