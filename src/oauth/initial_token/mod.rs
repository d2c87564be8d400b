//! Initial access tokens: what lets a program register a client (RFC 7591 section 3).
pub mod http;
pub mod model;
pub mod service;
pub mod table;
pub mod view;

pub use model::InitialToken;
pub use service::InitialTokens;
