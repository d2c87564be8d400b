//! Who may do what.
pub mod actor;
pub mod book;
pub mod held;
pub mod http;
pub mod model;
pub mod permission;
pub mod service;
pub mod table;
pub mod view;

pub use actor::{Actor, Delegated, Initiator, Subject, SubjectId, Via, ViaId, Who};
pub use book::{Grants, RoleBook};
pub use model::{Role, RoleName};
pub use permission::{Named, Pattern, Permission};
pub use service::Roles;
