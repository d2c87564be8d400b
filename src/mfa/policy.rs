//! Who has to have a second factor. Pure.
use crate::account::User;
use crate::rbac::model::roles_of;

/// What this installation asks for.
#[derive(Debug, Clone, Default)]
pub struct Policy {
    /// The roles whose holders have to have a second factor; that of everyone stands for everyone. Roles that include
    /// one of these do not count.
    pub required_for: Vec<String>,
    /// What apps show beside the account.
    pub issuer: String,
    /// Days that a device can be trusted at most; 0: no device is.
    pub trusted_device_days: u32,
    /// The domain whose passkeys count, if there can be any.
    pub rp_id: Option<String>,
}

impl Policy {
    /// Whether a user has to have one.
    #[must_use]
    pub fn requires(&self, user: &User) -> bool {
        !self.required_for.is_empty() && roles_of(user).iter().any(|role| self.required_for.contains(role))
    }
}
