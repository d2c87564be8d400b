//! Service accounts: programs that hold rights, with keys and without passwords.
pub mod http;
pub mod model;
pub mod service;
pub mod table;

pub use model::{ServiceAccount, ServiceAccountChange};
pub use service::ServiceAccounts;
