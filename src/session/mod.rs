//! Sessions: login, refresh, logout, and who a token stands for.
pub mod change;
pub mod http;
pub mod live;
pub mod model;
pub mod service;
pub mod table;

pub use live::LiveSessions;
pub use model::{AccessToken, Origin, Session};
pub use service::{Granted, Sessions};
