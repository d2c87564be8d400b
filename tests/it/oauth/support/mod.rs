//! A browser, a client, and a stranger who checks signatures.
pub mod browser;
pub mod holder;
pub mod jws;
pub mod party;

pub use browser::{Browser, Page, parameters};
pub use holder::Holder;
pub use party::{CALLBACK, Fields, Party, is_refused, issuer};
