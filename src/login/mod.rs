//! Logins: from what somebody knows and has to a session, in one step or two; and proving it again later.
pub mod again;
pub mod change;
pub mod http;
pub mod model;
pub mod service;
pub mod table;

pub use service::{LoggedIn, Logins, Offered};
