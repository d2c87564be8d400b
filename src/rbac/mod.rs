//! Who may do what.
pub mod book;
pub mod http;
pub mod model;
pub mod permission;
pub mod service;
pub mod table;

pub use book::{Grants, RoleBook};
pub use model::{Actor, Role, RoleName};
pub use permission::{Named, Pattern, Permission};
pub use service::{Giver, Roles};
