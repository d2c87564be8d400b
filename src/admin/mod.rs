//! What the command line asks of a server: the same calls on a live one (through its socket) and on a store that
//! nobody serves. Owns no rules.
mod api_keys;
mod audit;
mod clients;
mod command;
mod forward_rules;
mod mail;
mod passkeys;
mod roles;
mod service;
pub mod socket;
mod transfer;
mod users;

pub use clients::ClientsCommand;
pub use command::{
    Answer, ApiKeysCommand, AuditCommand, Command, EventFilter, KeyFields, KeyLine, MailCommand, Owner,
    PasskeysCommand, PermissionLine, RoleFields, RoleLine, RolesCommand, ServiceAccountsCommand, SessionLine,
    TransferCommand, UserLine, UsersCommand,
};
pub use forward_rules::ForwardRulesCommand;
pub use service::Admin;
pub use users::UserFilter;
