//! Applications that log their users in with us, or ask for tokens of their own.
pub mod authentication;
pub mod declaration;
pub mod declared;
pub mod http;
pub mod live;
pub mod metadata;
pub mod model;
pub mod redirect;
pub mod service;
pub mod table;
pub mod view;

pub use live::LiveClients;
pub use model::{Client, ClientId};
pub use service::Clients;
