//! Passkeys: registering them, logging in with them, and what becomes of them.
pub mod challenge;
pub mod change;
pub mod http;
pub mod model;
pub mod service;
pub mod table;
pub mod view;

pub use challenge::Challenges;
pub use model::Passkey;
pub use service::{Passkeys, Reach};
