//! What a token is worth now, for services that are shown one (RFC 7662).
pub mod http;
