//! What the command line asks of a server: the same calls on a live one (through its socket) and on a store that
//! nobody serves. Owns no rules.
mod command;
mod roles;
mod service;
pub mod socket;
mod transfer;

pub use command::{
    Answer, Command, KeyLine, PermissionLine, RoleFields, RoleLine, RolesCommand, SessionLine,
    TransferCommand, UserLine,
};
pub use service::Admin;
