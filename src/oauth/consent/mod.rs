//! What users have let clients have, so that they are not asked again.
pub mod change;
pub mod http;
pub mod model;
pub mod service;
pub mod table;
pub mod view;

pub use model::Consent;
pub use service::Consents;
