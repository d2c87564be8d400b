//! `/oauth2/authorize`: a user lets a client have something, or has done so before.
pub mod code;
pub(in crate::oauth) mod consent;
pub mod decide;
pub mod http;
mod mail_sign_in;
pub mod object;
pub mod parameters;
mod read;
pub mod request;
mod select_account;
pub mod service;
pub mod sign_in;

pub use service::Authorization;
