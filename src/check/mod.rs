//! Decisions for other services: may somebody do this?
pub mod http;
