//! Forward authentication: reverse proxies ask whether a request may pass to what is behind them, and who it comes from.
pub mod http;
pub mod identity;
pub mod original;
pub mod returns;
pub mod rule;
pub mod service;
pub mod sign_in;
pub mod token;

pub use http::Forward;
pub use identity::IdentityHeaders;
pub use returns::Returns;
pub use rule::Rules;
pub use service::Passers;
pub use token::ForwardTokens;
