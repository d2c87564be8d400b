//! Tokens that their client no longer wants (RFC 7009).
pub mod http;
pub mod service;

pub use service::Revocations;
