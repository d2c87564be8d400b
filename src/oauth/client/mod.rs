//! Applications that log their users in with us, or ask for tokens of their own.
pub mod authentication;
mod checks;
pub mod declaration;
pub mod declared;
pub mod http;
pub mod keys;
pub mod live;
pub mod metadata;
pub mod model;
pub mod redirect;
pub mod rules;
mod secret;
pub mod service;
pub mod table;
mod trail;
pub mod vault;
pub mod view;
mod words;

pub use live::LiveClients;
pub use model::{Client, ClientId};
pub use service::Clients;
