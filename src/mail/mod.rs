//! Mails: a queue in the store, templates in two languages, and a worker that hands them on.
pub mod http;
pub mod model;
pub mod service;
pub mod sink;
pub mod table;
pub mod templates;
pub mod worker;

pub use model::{Kind, Letter, NOBODY};
pub use service::{Mailer, Prepared};
