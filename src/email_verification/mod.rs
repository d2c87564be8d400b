//! Whose an e-mail address is: shown by opening a link that was mailed to it, for the address of an account and for one that
//! is to take its place.
pub mod http;
pub mod model;
pub mod service;
pub mod table;

pub use service::EmailVerifications;
