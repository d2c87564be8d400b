//! Signing in with a mailed link or code in place of the password.
pub mod http;
pub mod model;
pub mod service;
pub mod table;

pub use service::EmailLogins;
