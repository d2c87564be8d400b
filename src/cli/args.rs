//! Every command and flag there is.
use std::path::PathBuf;

use clap::{Parser, Subcommand};

use super::breach::BuildFilter;
use super::clients::ClientGroup;
use super::credentials::{ApiKeyGroup, AuditGroup, ServiceAccountGroup};
use super::forward_rules::ForwardRuleGroup;
use super::later::Later;
use crate::config::Flags;

const EXIT_CODES: &str = "Exit codes: 0 done, 1 refused (of `user import`: some rows), 2 wrong arguments or settings, 3 the store or server \
                          cannot be used, 4 `check` or `health` found something wrong.";

/// Identity in one binary: accounts, sessions and tokens on an embedded store.
#[derive(Debug, Parser)]
#[command(name = "auth-service", version, after_help = EXIT_CODES)]
pub struct Args {
    /// Read settings from this file instead of config.toml in the data directory
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    /// The directory of the store and its keys [default: ./data]
    #[arg(long, global = true, value_name = "DIR")]
    data_dir: Option<String>,
    /// Where to listen [default: 127.0.0.1:8000]
    #[arg(long, global = true, value_name = "ADDRESS:PORT")]
    listen: Option<String>,
    /// Where clients find the server [default: where it listens]
    #[arg(long, global = true, value_name = "URL")]
    public_url: Option<String>,
    /// Print JSON
    #[arg(long, global = true)]
    pub json: bool,
    #[command(subcommand)]
    pub command: Option<Group>,
}

impl Args {
    /// The flags that are settings.
    pub fn flags(&self) -> Flags {
        Flags {
            config: self.config.clone(),
            data_dir: self.data_dir.clone(),
            listen: self.listen.clone(),
            public_url: self.public_url.clone(),
        }
    }
}

#[derive(Debug, Subcommand)]
pub enum Group {
    /// Run the server (what happens without a command, too)
    Serve,
    /// Create, list and change accounts
    User {
        #[command(subcommand)]
        command: Later<UserGroup>,
    },
    /// Make, change and delete roles
    Role {
        #[command(subcommand)]
        command: Later<RoleGroup>,
    },
    /// Define the permissions of your services
    Permission {
        #[command(subcommand)]
        command: Later<PermissionGroup>,
    },
    /// Make programs that hold rights, without passwords
    ServiceAccount {
        #[command(subcommand)]
        command: Later<ServiceAccountGroup>,
    },
    /// Make, rotate and end API keys
    ApiKey {
        #[command(subcommand)]
        command: Later<ApiKeyGroup>,
    },
    /// Register, change and delete the applications that log their users in here
    Client {
        #[command(subcommand)]
        command: Later<ClientGroup>,
    },
    /// Say who may pass reverse proxies
    ForwardRule {
        #[command(subcommand)]
        command: Later<ForwardRuleGroup>,
    },
    /// List and remove passkeys of users
    Passkey {
        #[command(subcommand)]
        command: Later<PasskeyGroup>,
    },
    /// Read the audit trail and check it
    Audit {
        #[command(subcommand)]
        command: Later<AuditGroup>,
    },
    /// Read and manage mails that wait
    Mail {
        #[command(subcommand)]
        command: Later<MailGroup>,
    },
    /// List and end sessions
    Session {
        #[command(subcommand)]
        command: Later<SessionGroup>,
    },
    /// List and rotate the keys that sign tokens
    Keys {
        #[command(subcommand)]
        command: Later<KeysGroup>,
    },
    /// Make the list of passwords that are known from breaches
    Passwords {
        #[command(subcommand)]
        command: Later<PasswordsGroup>,
    },
    /// Show settings
    Config {
        #[command(subcommand)]
        command: Later<ConfigGroup>,
    },
    /// Verify every row of the store; without a server running, its file, too
    Check,
    /// Probe the store and the cache
    Health,
}

#[derive(Debug, Subcommand)]
pub enum UserGroup {
    /// Make an account; asks for the password
    Create(NewUser),
    /// List accounts
    List {
        /// Those whose user name begins so
        #[arg(long)]
        username: Option<String>,
        /// Those whose e-mail address begins so
        #[arg(long)]
        email: Option<String>,
        /// Those who were given a role
        #[arg(long)]
        role: Option<String>,
        /// Those that are switched on, or off
        #[arg(long)]
        active: Option<bool>,
        /// Those in the recycle bin
        #[arg(long)]
        deleted: bool,
        /// 1 to 200
        #[arg(long, default_value_t = 50)]
        limit: i64,
        /// next_cursor of the page before
        #[arg(long)]
        cursor: Option<String>,
    },
    /// Show one account
    Show {
        /// User name, e-mail address or id
        user: String,
    },
    /// Switch an account off and end its sessions
    Disable {
        /// User name, e-mail address or id
        user: String,
    },
    /// Switch an account on
    Enable {
        /// User name, e-mail address or id
        user: String,
    },
    /// Set a password and end all sessions; asks for the password
    SetPassword {
        /// User name, e-mail address or id
        user: String,
        /// Read the password from the first line of standard input
        #[arg(long)]
        password_stdin: bool,
    },
    /// Give an account these roles instead of those that it has
    SetRoles {
        /// User name, e-mail address or id
        user: String,
        /// None: it has that of everyone alone
        roles: Vec<String>,
    },
    /// Bring accounts from a file, with their password hashes; exit code 1 when some rows were refused
    Import(ImportArgs),
    /// Write all accounts as JSON lines, in the fields that `import` takes; without those in the recycle bin
    Export {
        /// With password hashes: keep what is written as secret as the store
        #[arg(long)]
        password_hashes: bool,
    },
    /// Ask for another password: until then the account can do nothing but choose one
    RequirePasswordChange {
        /// User name, e-mail address or id
        user: String,
    },
    /// Start the reset of a password: prints a token with which the user chooses another one within 30 minutes
    ResetPassword {
        /// User name, e-mail address or id
        user: String,
    },
    /// Let a user back in who has lost every way in: prints a token for POST /auth/recover, good once within an hour; it
    /// passes by password and second factor
    Recover {
        /// User name, e-mail address or id
        user: String,
    },
    /// Take the second factors of an account away, for a user who has lost them; the password stays
    ResetMfa {
        /// User name, e-mail address or id
        user: String,
    },
    /// Put an account into the recycle bin for 30 days; its sessions end
    Delete {
        /// User name, e-mail address or id
        user: String,
        /// Not into the recycle bin: gone at once, whatever the account had with it
        #[arg(long)]
        for_good: bool,
    },
    /// Take an account out of the recycle bin
    Restore {
        /// User name, e-mail address or id
        user: String,
    },
}

#[derive(Debug, clap::Args)]
pub struct NewUser {
    #[arg(long)]
    pub username: String,
    #[arg(long)]
    pub email: String,
    #[arg(long)]
    pub first_name: Option<String>,
    #[arg(long)]
    pub last_name: Option<String>,
    /// May do everything
    #[arg(long)]
    pub superuser: bool,
    /// Read the password from the first line of standard input
    #[arg(long)]
    pub password_stdin: bool,
}

#[derive(Debug, clap::Args)]
pub struct ImportArgs {
    /// JSON objects, one a line, or CSV with column names in the first line; `-` is standard input
    pub file: PathBuf,
    /// How the file is written [default: what its name says]
    #[arg(long, value_parser = ["jsonl", "csv"])]
    pub format: Option<String>,
    /// Say what would become of the rows, and write nothing
    #[arg(long)]
    pub dry_run: bool,
    /// Write what became of each row to this file, one JSON object a line
    #[arg(long, value_name = "FILE")]
    pub report: Option<PathBuf>,
    /// Show progress on standard error, though it may be no terminal
    #[arg(long)]
    pub progress: bool,
}

#[derive(Debug, Subcommand)]
pub enum RoleGroup {
    /// List roles
    List,
    /// Show one role
    Show { role: String },
    /// Make a role
    Create {
        role: String,
        #[command(flatten)]
        fields: RoleFields,
    },
    /// Change a role; what is not said stays as it is
    Change {
        role: String,
        #[command(flatten)]
        fields: RoleFields,
    },
    /// Delete a role that nobody has and no other role includes
    Delete { role: String },
}

#[derive(Debug, clap::Args)]
pub struct RoleFields {
    #[arg(long)]
    pub description: Option<String>,
    /// Permissions, with commas between; `*` stands for any one segment
    #[arg(long, value_name = "NAMES")]
    pub permissions: Option<String>,
    /// Roles whose permissions it has, too, with commas between
    #[arg(long, value_name = "ROLES")]
    pub includes: Option<String>,
}

#[derive(Debug, Subcommand)]
pub enum PermissionGroup {
    /// List permissions
    List,
    /// Define a permission of another service, like billing:invoices:read
    Define {
        name: String,
        #[arg(long, default_value = "")]
        description: String,
    },
    /// Take back a permission that no role names
    Delete { name: String },
}

#[derive(Debug, Subcommand)]
pub enum PasskeyGroup {
    /// List the passkeys of a user
    List {
        /// User name, e-mail address or id
        #[arg(long)]
        user: String,
    },
    /// Remove a passkey of a user: one that was lost
    Delete {
        /// User name, e-mail address or id
        #[arg(long)]
        user: String,
        /// The passkey's id
        id: String,
    },
}

#[derive(Debug, Subcommand)]
pub enum SessionGroup {
    /// List the sessions of a user
    List {
        /// User name, e-mail address or id
        user: String,
    },
    /// End one session of a user, or all of them
    Revoke {
        /// User name, e-mail address or id
        user: String,
        /// The session's id; without it all are ended
        session: Option<String>,
    },
}

#[derive(Debug, Subcommand)]
pub enum MailGroup {
    /// List mails that wait, the oldest first
    List {
        /// 1 to 200
        #[arg(long, default_value_t = 50)]
        limit: i64,
        /// next_cursor of the page before
        #[arg(long)]
        cursor: Option<String>,
    },
    /// Show what a mail says, links included; the audit trail has that it was read
    Show { id: String },
    /// Have a mail tried now
    Retry { id: String },
    /// Take a mail out of the queue
    Discard { id: String },
}

#[derive(Debug, Subcommand)]
pub enum KeysGroup {
    /// List the keys and their stages
    List,
    /// Move every key one stage on: next signs, current only verifies
    Rotate,
}

#[derive(Debug, Subcommand)]
pub enum PasswordsGroup {
    /// Make the filter for the setting password.breach_filter of a downloaded list of SHA-1 hashes
    BuildFilter(BuildFilter),
}

#[derive(Debug, Subcommand)]
pub enum ConfigGroup {
    /// Print the settings in force and where each was said
    Show,
    /// Print a commented file with every setting and its default
    Example,
    /// Look whether the server would start with these settings and clients
    Check,
}
