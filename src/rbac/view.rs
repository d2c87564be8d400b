//! Whoever may hold rights, on the wire.
use poem_openapi::Object;
use serde::Serialize;

use super::actor::Subject;
use super::permission::Permission;
use crate::base::{Error, Result};

/// Permissions that one request may ask about.
const MAX_QUESTIONS: usize = 100;

/// Somebody who may hold rights.
#[derive(Object, Serialize)]
pub struct SubjectView {
    /// `user` or `service_account`.
    #[oai(rename = "type")]
    #[serde(rename = "type")]
    pub kind: String,
    pub id: String,
    pub name: String,
}

impl SubjectView {
    #[must_use]
    pub fn of(subject: &Subject) -> Self {
        let id = subject.id();
        Self { kind: id.kind().to_owned(), id: id.to_string(), name: subject.name().to_owned() }
    }

    /// The one that examples are about.
    #[must_use]
    pub fn testuser() -> Self {
        Self { kind: "user".into(), id: "2".into(), name: "testuser".into() }
    }
}

/// Looks at the names of the permissions that are asked about.
///
/// # Errors
/// `Error::Invalid` naming `permissions` for fewer than `at_least`, more than 100, and what is no name.
pub fn check_questions(permissions: &[String], at_least: usize) -> Result<()> {
    if !(at_least..=MAX_QUESTIONS).contains(&permissions.len()) {
        return Err(Error::invalid("permissions", format!("must be {at_least} to {MAX_QUESTIONS} names")));
    }
    permissions.iter().try_for_each(|name| Permission::check("permissions", name))
}
