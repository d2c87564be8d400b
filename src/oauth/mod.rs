//! The OAuth 2.0 authorization server and OpenID Connect provider.
pub mod authorize;
pub mod claims;
pub mod client;
pub mod consent;
pub mod custom;
pub mod device;
pub mod discovery;
pub mod dpop;
pub mod entrance;
pub mod error;
pub mod grant;
pub mod introspection;
mod logout;
pub mod page;
pub mod revocation;
pub mod scope;
pub mod token;
pub mod userinfo;
