//! Who may pass reverse proxies: rules by host and path, in order.
pub mod book;
pub mod declaration;
pub mod host;
pub mod http;
pub mod model;
pub mod path;
pub mod service;
pub mod table;
pub mod view;

pub use book::{Asked, RuleBook};
pub use model::Rule;
pub use service::Rules;
