//! What can be asked, and what is answered: one JSON line each on the socket.
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::clients::ClientsCommand;
use super::forward_rules::ForwardRulesCommand;
use super::users::UserFilter;
use crate::account::User;
use crate::rbac::Role;
use crate::rbac::model::roles_of;
use crate::session::Session;
use crate::transfer::{Exported, Outcome, Row};

/// One request of the command line. Passwords travel on a socket that its owner alone can open.
#[derive(Serialize, Deserialize)]
#[serde(tag = "command", rename_all = "snake_case")]
pub enum Command {
    UserCreate {
        username: String,
        email: String,
        first_name: Option<String>,
        last_name: Option<String>,
        password: String,
        superuser: bool,
    },
    UserShow {
        user: String,
    },
    UserSetActive {
        user: String,
        active: bool,
    },
    UserSetPassword {
        user: String,
        password: String,
    },
    Users {
        what: UsersCommand,
    },
    ApiKeys {
        what: ApiKeysCommand,
    },
    ServiceAccounts {
        what: ServiceAccountsCommand,
    },
    Clients {
        what: ClientsCommand,
    },
    ForwardRules {
        what: ForwardRulesCommand,
    },
    Audit {
        what: AuditCommand,
    },
    Mail {
        what: MailCommand,
    },
    Roles {
        what: RolesCommand,
    },
    Transfer {
        what: TransferCommand,
    },
    SessionList {
        user: String,
    },
    SessionRevoke {
        user: String,
        /// All of the user's when there is none.
        session: Option<String>,
    },
    KeysList,
    KeysRotate,
    Check,
    Health,
}

/// What is asked about roles and permissions.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RolesCommand {
    SetRoles { user: String, roles: Vec<String> },
    List,
    Show { role: String },
    Create { role: String, change: RoleFields },
    Change { role: String, change: RoleFields },
    Delete { role: String },
    Permissions,
    Define { name: String, description: String },
    Undefine { name: String },
}

/// Many accounts at once, a part of them in each command.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TransferCommand {
    Import { rows: Vec<Row>, dry_run: bool },
    Export { cursor: Option<String>, password_hashes: bool },
}

/// What is asked about accounts.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UsersCommand {
    List {
        filter: UserFilter,
        limit: i64,
        cursor: Option<String>,
    },
    /// Into the recycle bin.
    Delete {
        user: String,
    },
    /// For good.
    Erase {
        user: String,
    },
    Restore {
        user: String,
    },
    RequirePasswordChange {
        user: String,
    },
    ResetPassword {
        user: String,
    },
    ResetMfa {
        user: String,
    },
    Recover {
        user: String,
    },
    Passkeys(PasskeysCommand),
}

/// Whose key.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Owner {
    User(String),
    ServiceAccount(String),
}

/// What is asked about API keys.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ApiKeysCommand {
    List { owner: Owner },
    Show { owner: Owner, id: String },
    Create { owner: Owner, fields: KeyFields },
    Change { owner: Owner, id: String, fields: KeyFields },
    Rotate { owner: Owner, id: String, overlap_secs: i64 },
    Revoke { owner: Owner, id: String },
    Delete { owner: Owner, id: String },
    Verify { key: String, address: Option<String> },
}

/// What is said of a key; what is not said stays as it is.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct KeyFields {
    pub name: Option<String>,
    pub unrestricted: bool,
    pub permissions: Option<Vec<String>>,
    pub roles: Option<Vec<String>>,
    pub networks: Option<Vec<String>>,
    pub requests_per_hour: Option<u32>,
    pub expires_at: Option<String>,
}

/// What is asked about service accounts.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ServiceAccountsCommand {
    List,
    Show { account: String },
    Create { name: String, description: String, roles: Vec<String> },
    Change { account: String, name: Option<String>, description: Option<String>, is_active: Option<bool> },
    SetRoles { account: String, roles: Vec<String> },
    Delete { account: String },
}

/// What is asked about passkeys.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PasskeysCommand {
    List { user: String },
    Delete { user: String, id: String },
}

/// What is asked about the audit trail.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AuditCommand {
    List {
        filter: EventFilter,
        limit: i64,
        cursor: Option<String>,
    },
    Export {
        filter: EventFilter,
        seq: Option<u64>,
    },
    /// `noted`: the number and hash of an event, as they were written down elsewhere.
    Verify {
        noted: Option<(u64, String)>,
    },
}

/// What is asked about mails that wait.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MailCommand {
    List { limit: i64, cursor: Option<String> },
    Show { id: String },
    Retry { id: String },
    Discard { id: String },
}

/// Which events are listed.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct EventFilter {
    pub subject: Option<String>,
    pub action: Option<String>,
    pub outcome: Option<String>,
    pub address: Option<String>,
    pub from: Option<String>,
    pub until: Option<String>,
}

/// What came of it.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    User(UserLine),
    Users {
        items: Vec<UserLine>,
        next_cursor: Option<String>,
    },
    Role(RoleLine),
    Roles(Vec<RoleLine>),
    Permissions(Vec<PermissionLine>),
    Sessions(Vec<SessionLine>),
    Imported(Vec<Outcome>),
    Exported {
        accounts: Vec<Exported>,
        next_cursor: Option<String>,
    },
    Ended(usize),
    /// One thing, by its fields.
    Object(Value),
    /// Several things, and which of their fields a line of text shows.
    List {
        columns: Vec<String>,
        items: Vec<Value>,
        next_cursor: Option<String>,
    },
    Events {
        items: Vec<Value>,
        next_cursor: Option<String>,
    },
    /// Lines as they are exported, and the number that the next ones begin with.
    EventLines {
        lines: String,
        next: Option<u64>,
    },
    Trail {
        first: u64,
        last: u64,
        head: String,
        problem: Option<String>,
    },
    Keys(Vec<KeyLine>),
    Findings {
        tables: Vec<(String, u64)>,
        problems: Vec<String>,
        problem_count: u64,
    },
    Health {
        healthy: bool,
        database: bool,
        cache: bool,
        uptime_secs: u64,
    },
    Done,
    /// The stable code of an error, the field it is about, and what people read.
    Refused {
        code: String,
        field: Option<String>,
        message: String,
    },
}

/// What is said of a role; what is not said stays as it is.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct RoleFields {
    pub description: Option<String>,
    pub permissions: Option<Vec<String>>,
    pub includes: Option<Vec<String>>,
}

/// A role as administrators see it.
#[derive(Debug, Serialize, Deserialize)]
pub struct RoleLine {
    pub name: String,
    pub description: String,
    pub permissions: Vec<String>,
    pub includes: Vec<String>,
    pub built_in: bool,
}

/// A permission as administrators see it.
#[derive(Debug, Serialize, Deserialize)]
pub struct PermissionLine {
    pub name: String,
    pub description: String,
    pub built_in: bool,
}

/// A user as administrators see it.
#[derive(Debug, Serialize, Deserialize)]
pub struct UserLine {
    pub id: u64,
    pub username: String,
    pub email: String,
    pub first_name: Option<String>,
    pub last_name: Option<String>,
    pub is_active: bool,
    pub is_superuser: bool,
    pub roles: Vec<String>,
    pub created_at: String,
    pub password_changed_at: String,
}

/// A session as administrators see it.
#[derive(Debug, Serialize, Deserialize)]
pub struct SessionLine {
    pub id: String,
    pub created_at: String,
    pub refreshed_at: String,
    pub expires_at: String,
    pub address: String,
    pub user_agent: String,
}

/// A signing key, without what is private of it.
#[derive(Debug, Serialize, Deserialize)]
pub struct KeyLine {
    pub kid: String,
    pub algorithm: String,
    pub stage: String,
}

impl From<User> for UserLine {
    fn from(user: User) -> Self {
        let roles = roles_of(&user);
        Self {
            id: user.id,
            username: user.username.to_string(),
            email: user.email.to_string(),
            first_name: user.first_name.map(|name| name.as_str().to_owned()),
            last_name: user.last_name.map(|name| name.as_str().to_owned()),
            is_active: user.is_active,
            is_superuser: user.is_superuser,
            roles,
            created_at: user.created_at.rfc3339(),
            password_changed_at: user.password_changed_at.rfc3339(),
        }
    }
}

impl From<&Role> for RoleLine {
    fn from(role: &Role) -> Self {
        Self {
            name: role.name.to_string(),
            description: role.description.clone(),
            permissions: role.permissions.iter().map(|pattern| pattern.as_str().to_owned()).collect(),
            includes: role.includes.iter().map(ToString::to_string).collect(),
            built_in: role.name.is_built_in(),
        }
    }
}

impl From<Session> for SessionLine {
    fn from(session: Session) -> Self {
        Self {
            id: session.id.to_string(),
            created_at: session.created_at.rfc3339(),
            refreshed_at: session.refreshed_at.rfc3339(),
            expires_at: session.expires_at.rfc3339(),
            address: session.origin.address,
            user_agent: session.origin.user_agent,
        }
    }
}
