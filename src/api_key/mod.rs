//! API keys: credentials for programs.
pub mod change;
pub mod http;
pub mod live;
pub mod model;
mod rules;
pub mod service;
pub mod table;
pub mod usage;
pub mod verify;
pub mod view;

pub use live::LiveKeys;
pub use model::{ApiKey, ApiKeyChange, Flaw, NewApiKey, Rights};
pub use service::ApiKeys;
pub use usage::Usage;
