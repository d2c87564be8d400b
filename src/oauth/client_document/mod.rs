//! Clients whose name is the URL of a document that says what they are (draft-ietf-oauth-client-id-metadata-document).
pub mod model;
pub mod service;

pub use service::ClientDocuments;
