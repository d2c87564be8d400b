//! Clients that register themselves (RFC 7591, OpenID Connect Registration), and manage what they have registered (RFC 7592).
pub mod http;
pub mod model;
pub mod service;
pub mod table;
pub mod view;

pub use model::{Mode, Policy};
pub use service::SelfRegistrations;
