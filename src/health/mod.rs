//! Whether this server can do its work.
pub mod http;
pub mod report;
pub mod service;

pub use service::Health;
