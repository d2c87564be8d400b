//! The keys that sign tokens, and the master key that they are encrypted under.
pub mod http;
pub mod master;
pub mod model;
pub mod service;
pub mod table;

pub use model::{KeyRecord, Stage};
pub use service::{KeyPolicy, Keys};
