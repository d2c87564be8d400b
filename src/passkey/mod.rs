//! Passkeys: registering them, logging in with them, and what becomes of them.
pub mod challenge;
pub mod change;
pub mod http;
pub mod login;
pub mod model;
mod rules;
pub mod service;
pub mod table;
pub mod view;

pub use challenge::Challenges;
pub use challenge::Purpose;
pub use model::{Passkey, Proof};
pub use service::{Passkeys, Question, Reach, Reply};
