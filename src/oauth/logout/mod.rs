//! The end of a session, as a client or its user wants it (OpenID Connect RP-Initiated Logout 1.0).
mod http;
mod service;
pub mod table;
