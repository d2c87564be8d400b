//! The audit trail: who did what, to whom, from where, and with what outcome. Every event is written in the change that
//! it is about; each holds a hash over itself and the one before.
pub mod export;
pub mod failures;
pub mod http;
pub mod model;
pub mod service;
pub mod table;

pub use failures::Failures;
pub use model::{Entry, Event, Filter, Outcome, Party};
pub use service::Audit;
