//! Authorization requests that are kept here, under a reference: pushed by their clients (RFC 9126), or signed (RFC 9101).
pub mod http;
pub mod model;
pub mod service;
pub mod table;

pub use service::PushedRequests;
