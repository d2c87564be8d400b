//! Commands about API keys, service accounts and the audit trail.
use clap::Subcommand;

use crate::admin::{
    ApiKeysCommand, AuditCommand, Command, EventFilter, KeyFields, Owner, ServiceAccountsCommand,
};
use crate::base::{Error, Result};

#[derive(Debug, Subcommand)]
pub enum ApiKeyGroup {
    /// List the keys of a user or a service account
    List {
        #[command(flatten)]
        owner: OwnerArgs,
    },
    /// Show one key, without its text
    Show {
        #[command(flatten)]
        owner: OwnerArgs,
        id: String,
    },
    /// Make a key; its text is printed once
    Create {
        #[command(flatten)]
        owner: OwnerArgs,
        #[command(flatten)]
        fields: KeyArgs,
    },
    /// Change a key; what is not said stays as it is, but rights are replaced together
    Change {
        #[command(flatten)]
        owner: OwnerArgs,
        id: String,
        #[command(flatten)]
        fields: KeyArgs,
    },
    /// Give a key another text, which is printed once
    Rotate {
        #[command(flatten)]
        owner: OwnerArgs,
        id: String,
        /// Seconds that the text before stays good
        #[arg(long, value_name = "SECONDS", default_value_t = 0)]
        overlap: i64,
    },
    /// Shut a key out for good, and keep it in the list
    Revoke {
        #[command(flatten)]
        owner: OwnerArgs,
        id: String,
    },
    /// Delete a key
    Delete {
        #[command(flatten)]
        owner: OwnerArgs,
        id: String,
    },
    /// Say whether a key is good, whose it is and what it may do; reads it from standard input
    Verify {
        /// From where it came
        #[arg(long)]
        address: Option<String>,
    },
}

#[derive(Debug, clap::Args)]
#[group(required = true, multiple = false)]
pub struct OwnerArgs {
    /// User name, e-mail address or id of the owner
    #[arg(long)]
    user: Option<String>,
    /// Name or id of the service account that is the owner
    #[arg(long)]
    service_account: Option<String>,
}

#[derive(Debug, clap::Args)]
pub struct KeyArgs {
    #[arg(long)]
    name: Option<String>,
    /// What it may do, with commas between; `*` stands for any one segment
    #[arg(long, value_name = "NAMES")]
    permissions: Option<String>,
    /// Roles whose permissions it has, too, with commas between
    #[arg(long, value_name = "ROLES")]
    roles: Option<String>,
    /// It may do whatever its owner may do, now and later
    #[arg(long)]
    unrestricted: bool,
    /// From where it may be used, with commas between: addresses, and networks like 10.0.0.0/8
    #[arg(long)]
    networks: Option<String>,
    /// Its own limit, instead of what every client has
    #[arg(long, value_name = "N")]
    requests_per_hour: Option<u32>,
    /// When it ends, like 2027-01-15T08:00:00Z
    #[arg(long, value_name = "TIME")]
    expires_at: Option<String>,
}

#[derive(Debug, Subcommand)]
pub enum ServiceAccountGroup {
    /// List service accounts
    List,
    /// Show one service account
    Show {
        /// Name or id
        account: String,
    },
    /// Make a service account: a program that holds rights
    Create {
        name: String,
        #[arg(long, default_value = "")]
        description: String,
        /// With commas between
        #[arg(long, default_value = "")]
        roles: String,
    },
    /// Change a service account; what is not said stays as it is
    Change {
        /// Name or id
        account: String,
        #[arg(long)]
        name: Option<String>,
        #[arg(long)]
        description: Option<String>,
    },
    /// Give a service account these roles instead of those that it has
    SetRoles {
        /// Name or id
        account: String,
        roles: Vec<String>,
    },
    /// Switch a service account off: its keys are good for nothing
    Disable {
        /// Name or id
        account: String,
    },
    /// Switch a service account on
    Enable {
        /// Name or id
        account: String,
    },
    /// Delete a service account with all its keys
    Delete {
        /// Name or id
        account: String,
    },
}

#[derive(Debug, Subcommand)]
pub enum AuditGroup {
    /// List events, the newest first
    List {
        #[command(flatten)]
        filter: FilterArgs,
        /// 1 to 200
        #[arg(long, default_value_t = 50)]
        limit: i64,
        /// next_cursor of the page before
        #[arg(long)]
        cursor: Option<String>,
    },
    /// Write events as JSON lines, the oldest first
    Export {
        #[command(flatten)]
        filter: FilterArgs,
        /// The number of the first event
        #[arg(long)]
        seq: Option<u64>,
    },
    /// Check the chain of hashes over all events; exit code 4 if something was changed
    Verify {
        /// An event that was noted elsewhere, as this command printed it: its number, a colon, its hash
        #[arg(long, value_name = "SEQ:HASH")]
        noted: Option<String>,
    },
}

#[derive(Debug, clap::Args)]
pub struct FilterArgs {
    /// User name, e-mail address, service account or id that acts or is acted on
    #[arg(long)]
    subject: Option<String>,
    /// An action, or with a dot at its end what it begins with: `api_key.`
    #[arg(long)]
    action: Option<String>,
    /// success or failure
    #[arg(long)]
    outcome: Option<String>,
    /// The address that it came from
    #[arg(long)]
    address: Option<String>,
    /// Like 2027-01-15T08:00:00Z
    #[arg(long, value_name = "TIME")]
    from: Option<String>,
    /// Like 2027-01-15T08:00:00Z, not included
    #[arg(long, value_name = "TIME")]
    until: Option<String>,
}

/// The command of a group about API keys.
///
/// # Errors
/// `Error::Invalid` naming `key` when there is none on standard input.
pub fn api_key(group: ApiKeyGroup) -> Result<Command> {
    let what = match group {
        ApiKeyGroup::List { owner } => ApiKeysCommand::List { owner: owner.into() },
        ApiKeyGroup::Show { owner, id } => ApiKeysCommand::Show { owner: owner.into(), id },
        ApiKeyGroup::Create { owner, fields } => {
            ApiKeysCommand::Create { owner: owner.into(), fields: fields.into() }
        }
        ApiKeyGroup::Change { owner, id, fields } => {
            ApiKeysCommand::Change { owner: owner.into(), id, fields: fields.into() }
        }
        ApiKeyGroup::Rotate { owner, id, overlap } => {
            ApiKeysCommand::Rotate { owner: owner.into(), id, overlap_secs: overlap }
        }
        ApiKeyGroup::Revoke { owner, id } => ApiKeysCommand::Revoke { owner: owner.into(), id },
        ApiKeyGroup::Delete { owner, id } => ApiKeysCommand::Delete { owner: owner.into(), id },
        ApiKeyGroup::Verify { address } => ApiKeysCommand::Verify { key: presented()?, address },
    };
    Ok(Command::ApiKeys { what })
}

/// Never from an argument, which every user of the machine could see.
fn presented() -> Result<String> {
    let mut line = String::new();
    let read = std::io::stdin().read_line(&mut line).map_err(Error::unavailable)?;
    if read == 0 {
        Err(Error::invalid("key", "is missing on standard input"))
    } else {
        Ok(line.trim().to_owned())
    }
}

/// The command of a group about service accounts.
#[must_use]
pub fn service_account(group: ServiceAccountGroup) -> Command {
    let switch = |account, is_active| ServiceAccountsCommand::Change {
        account,
        name: None,
        description: None,
        is_active: Some(is_active),
    };
    let what = match group {
        ServiceAccountGroup::List => ServiceAccountsCommand::List,
        ServiceAccountGroup::Show { account } => ServiceAccountsCommand::Show { account },
        ServiceAccountGroup::Create { name, description, roles } => {
            ServiceAccountsCommand::Create { name, description, roles: names(&roles) }
        }
        ServiceAccountGroup::Change { account, name, description } => {
            ServiceAccountsCommand::Change { account, name, description, is_active: None }
        }
        ServiceAccountGroup::SetRoles { account, roles } => {
            ServiceAccountsCommand::SetRoles { account, roles }
        }
        ServiceAccountGroup::Disable { account } => switch(account, false),
        ServiceAccountGroup::Enable { account } => switch(account, true),
        ServiceAccountGroup::Delete { account } => ServiceAccountsCommand::Delete { account },
    };
    Command::ServiceAccounts { what }
}

/// The command of a group about the audit trail; an export is asked for part by part.
///
/// # Errors
/// `Error::Invalid` naming `noted` for what is no number and hash.
pub fn audit(group: AuditGroup) -> Result<Command> {
    let what = match group {
        AuditGroup::List { filter, limit, cursor } => {
            AuditCommand::List { filter: filter.into(), limit, cursor }
        }
        AuditGroup::Export { filter, seq } => AuditCommand::Export { filter: filter.into(), seq },
        AuditGroup::Verify { noted } => {
            AuditCommand::Verify { noted: noted.as_deref().map(parse_noted).transpose()? }
        }
    };
    Ok(Command::Audit { what })
}

fn parse_noted(text: &str) -> Result<(u64, String)> {
    let parts = text.split_once(':').and_then(|(seq, hash)| Some((seq.parse().ok()?, hash.to_owned())));
    parts.ok_or_else(|| Error::invalid("noted", "must be the number of an event, a colon, and its hash"))
}

/// Names with commas between.
#[must_use]
pub fn names(text: &str) -> Vec<String> {
    text.split(',').map(str::trim).filter(|name| !name.is_empty()).map(str::to_owned).collect()
}

impl From<OwnerArgs> for Owner {
    fn from(args: OwnerArgs) -> Self {
        match args.service_account {
            Some(account) => Self::ServiceAccount(account),
            None => Self::User(args.user.unwrap_or_default()),
        }
    }
}

impl From<KeyArgs> for KeyFields {
    fn from(args: KeyArgs) -> Self {
        Self {
            name: args.name,
            unrestricted: args.unrestricted,
            permissions: args.permissions.as_deref().map(names),
            roles: args.roles.as_deref().map(names),
            networks: args.networks.as_deref().map(names),
            requests_per_hour: args.requests_per_hour,
            expires_at: args.expires_at,
        }
    }
}

impl From<FilterArgs> for EventFilter {
    fn from(args: FilterArgs) -> Self {
        let FilterArgs { subject, action, outcome, address, from, until } = args;
        Self { subject, action, outcome, address, from, until }
    }
}
