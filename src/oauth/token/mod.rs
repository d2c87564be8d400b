//! `/oauth2/token`: one way in, and a file for each grant.
pub mod authorization_code;
pub mod client_credentials;
pub mod device_code;
pub mod http;
pub mod refresh_token;
pub mod service;
pub mod token_exchange;

pub use service::TokenEndpoint;
