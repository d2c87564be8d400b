//! What administrators do with accounts.
pub mod access;
pub mod http;
pub mod service;

pub use service::Users;
