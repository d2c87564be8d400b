//! Demonstrating proof of possession (RFC 9449): tokens that are good for whoever holds a key, and for nobody else.
pub mod nonce;
pub mod presented;
pub mod proof;
pub mod seen;
pub mod service;

pub use service::{Dpop, Policy};
