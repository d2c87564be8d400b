//! Resetting a password: whoever starts it chooses and sees none.
pub mod http;
pub mod service;
pub mod table;

pub use service::PasswordResets;
