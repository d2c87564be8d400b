//! Where users can be reached beside their e-mail address: what applications are told for the scopes `phone` and `address`.
pub mod http;
pub mod model;
pub mod service;
pub mod table;

pub use model::Contact;
pub use service::Contacts;
