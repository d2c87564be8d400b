//! Who may do what.
pub mod model;

pub use model::Actor;
