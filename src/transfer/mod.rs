//! Many accounts at once: brought from elsewhere with their password hashes, and written out again.
mod csv_rows;
pub mod http;
mod json_rows;
pub mod model;
pub mod rows;
mod seen;
pub mod service;

pub use model::{Arrival, Exported, Format, Outcome, Refused, Report, Row, Totals};
pub use rows::Rows;
pub use seen::Seen;
pub use service::Transfer;
