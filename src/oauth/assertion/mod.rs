//! What clients sign: who they are (RFC 7523, OpenID Connect Core section 9), and what they ask for (RFC 9101).
pub mod live;
pub mod model;
pub mod service;
pub mod table;

pub use live::PublishedKeys;
pub use service::Assertions;
