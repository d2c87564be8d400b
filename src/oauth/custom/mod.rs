//! Scopes of one's own: what they are called, what a client learns of a user for them, and what it may do.
pub mod model;
pub mod service;

pub use model::{CustomScope, Place};
pub use service::CustomScopes;
