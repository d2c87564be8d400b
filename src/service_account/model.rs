//! What a service account is: a program that holds rights, and has keys but no password. Pure.
use serde::{Deserialize, Serialize};

use crate::base::text::Slug;
use crate::base::{Id, Timestamp};
use crate::rbac::RoleName;

/// A program that holds rights.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServiceAccount {
    pub id: Id<ServiceAccount>,
    /// Unique.
    pub name: Slug,
    pub description: String,
    pub roles: Vec<RoleName>,
    pub is_active: bool,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

/// What is changed of one; `None` leaves a field as it is.
#[derive(Debug, Clone, Default)]
pub struct ServiceAccountChange {
    pub name: Option<Slug>,
    pub description: Option<String>,
    /// False shuts out all its keys.
    pub is_active: Option<bool>,
}

impl ServiceAccount {
    /// The service account after a change.
    #[must_use]
    pub fn with(mut self, change: ServiceAccountChange, now: Timestamp) -> Self {
        if let Some(name) = change.name {
            self.name = name;
        }
        if let Some(description) = change.description {
            self.description = description;
        }
        if let Some(is_active) = change.is_active {
            self.is_active = is_active;
        }
        self.updated_at = now;
        self
    }
}
