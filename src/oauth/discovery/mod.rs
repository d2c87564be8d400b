//! What this server can do, for whoever only has its URL (OpenID Connect Discovery 1.0, RFC 8414).
pub mod http;
