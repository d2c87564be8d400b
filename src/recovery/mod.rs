//! Getting back in: a one-time text that the host makes for a user who has lost every way in.
pub mod http;
pub mod service;
pub mod table;

pub use service::Recoveries;
