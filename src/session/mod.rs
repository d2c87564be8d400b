//! Sessions: refresh, logout, and who a token stands for.
pub mod arrival;
pub mod change;
pub mod http;
pub mod live;
pub mod model;
pub mod service;
pub mod table;
pub mod tokens;

pub use arrival::Arrivals;
pub use live::LiveSessions;
pub use model::{AccessToken, MULTI_FACTOR, Origin, Session};
pub use service::Sessions;
pub use tokens::{Granted, SessionTokens};
