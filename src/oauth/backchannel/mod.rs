//! What clients are told of the ends of sessions, behind their users' backs (OpenID Connect Back-Channel Logout 1.0). It is
//! written in the change that ends a session, and sent afterwards until it is heard.
pub mod change;
pub mod http;
pub mod model;
pub mod service;
pub mod table;
pub mod view;
pub mod worker;

pub use model::Delivery;
pub use service::{Backchannel, Outbox};
