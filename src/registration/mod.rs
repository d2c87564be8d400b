//! Registration that does not tell which addresses have an account: the account is made when the link in a mail is opened.
pub mod model;
pub mod service;
pub mod table;

pub use service::Registrations;
