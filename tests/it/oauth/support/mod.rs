//! A browser, a client, and a stranger who checks signatures.
pub mod browser;
pub mod documents_host;
pub mod exchange;
pub mod holder;
pub mod jws;
pub mod party;
pub mod receiver;
pub mod signer;

pub use browser::{Browser, Page, parameters};
pub use holder::Holder;
pub use party::{CALLBACK, Fields, Party, is_refused, issuer};
pub use receiver::{Receiver, Says};
pub use signer::Signer;
