//! Requests of this server to others: what clients publish of themselves, and what they are told. Whose address it is, somebody
//! else has said, so it never leads into the inner network, and nothing that comes back is waited for or read without end.
mod addresses;
mod service;
mod tls;

pub use addresses::Networks;
pub use service::{Failure, Outbound};
