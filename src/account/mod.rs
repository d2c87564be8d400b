//! Users: how they are made, found, changed and removed, and what their passwords may be.
pub mod change;
mod history;
pub mod http;
pub mod model;
pub mod password_policy;
pub mod passwords;
mod profile;
pub mod service;
mod strength;
pub mod table;

pub use model::{NewUser, ProfileChange, User};
pub use password_policy::PasswordPolicy;
pub use passwords::{Passwords, Verdict};
pub use service::Accounts;
