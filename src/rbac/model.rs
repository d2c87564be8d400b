//! The one who acts in a request, and what its roles are.
use std::sync::Arc;

use crate::account::User;
use crate::session::AccessToken;

/// The role of whoever may do everything.
pub const SUPERUSER: &str = "superuser";
/// The role of everyone.
pub const USER: &str = "user";

/// A user in a session, as true as the last commit.
#[derive(Debug, Clone)]
pub struct Actor {
    pub user: Arc<User>,
    pub token: Arc<AccessToken>,
}

/// The names of a user's roles, as they stand in its tokens.
#[must_use]
pub fn roles_of(user: &User) -> Vec<String> {
    let role = if user.is_superuser { SUPERUSER } else { USER };
    vec![role.to_owned()]
}
