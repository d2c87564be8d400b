//! Second factors: the codes of an authenticator app, recovery codes, devices that are trusted for a while, and who has
//! to have one.
pub mod change;
pub mod http;
pub mod model;
pub mod policy;
pub mod qr;
pub mod service;
pub mod table;
pub mod view;

pub use model::{Answer, Factors, Spent};
pub use policy::Policy;
pub use service::{Mfa, Vault};
