//! `/oauth2/authorize`: a user lets a client have something, or has done so before.
pub mod code;
pub(in crate::oauth) mod consent;
pub mod decide;
pub mod http;
pub mod parameters;
pub mod request;
pub mod service;
mod sign_in;

pub use service::Authorization;
