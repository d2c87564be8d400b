//! What every endpoint shares: the envelope, credentials, limits, payloads, the spec. Knows no feature.
pub mod address;
pub mod answer;
pub mod body;
pub mod caller;
pub mod cookies;
pub mod cors;
pub mod csrf;
pub mod docs;
pub mod envelope;
pub mod gate;
pub mod json;
pub mod limit;
pub mod permit;
pub mod query;
pub mod routes;
pub mod shape;
pub mod spec;

pub use answer::{Created, Done, WithCookies};
pub use caller::{Authenticator, Caller, Credential};
pub use cookies::Cookies;
pub use envelope::Failure;
pub use gate::{Gate, RequestInfo};
pub use json::{Form, Json};
pub use permit::May;
pub use query::Query;
pub use routes::Routes;
