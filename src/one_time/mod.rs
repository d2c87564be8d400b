//! Texts that are good once: of each kind, every user has at most one, and the last one that was made counts.
pub mod table;

pub use table::{Started, Texts};
