//! What clients were granted: codes that can be redeemed, and what came of them.
pub mod change;
pub mod live;
pub mod model;
pub mod table;
pub mod tokens;

pub use live::LiveGrants;
pub use model::{Code, Grant};
pub use tokens::Minter;
