//! A browser, a client, and a stranger who checks signatures.
pub mod browser;
pub mod jws;
pub mod party;

pub use browser::{Browser, Page, parameters};
pub use party::{CALLBACK, Fields, Party, is_refused, issuer};
