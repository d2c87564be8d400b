//! Commands about the clients of the OAuth 2.0 server.
use clap::Subcommand;
use serde::Serialize;
use serde_json::{Map, Value};

use crate::admin::{ClientsCommand, Command};
use crate::base::{Error, Result};

/// Fields that a client need not have: said as "", they are taken away.
const MAY_BE_NULL: &[&str] = &[
    "token_endpoint_auth_signing_alg",
    "jwks",
    "jwks_uri",
    "request_object_signing_alg",
    "userinfo_signed_response_alg",
    "client_uri",
    "logo_uri",
    "policy_uri",
    "tos_uri",
    "backchannel_logout_uri",
    "frontchannel_logout_uri",
    "sector_identifier_uri",
];

#[derive(Debug, Subcommand)]
pub enum ClientGroup {
    /// List clients
    List {
        /// 1 to 200
        #[arg(long, default_value_t = 50)]
        limit: i64,
        /// next_cursor of the page before
        #[arg(long)]
        cursor: Option<String>,
    },
    /// Show one client, without its secrets
    Show { id: String },
    /// Register a client; its secret, if it has one, is printed once
    Create(Box<NewClient>),
    /// Change a client; what is not said stays as it is, and what is said as "" is taken away
    Change(Box<ChangedClient>),
    /// Give a client another secret, which is printed once
    RotateSecret {
        id: String,
        /// Seconds that the secret before stays good
        #[arg(long, value_name = "SECONDS", default_value_t = 0)]
        overlap: i64,
    },
    /// Delete a client: what it has is good for nothing from then on
    Delete { id: String },
    /// List what a client was told of the ends of sessions, and what it is still to be told
    Deliveries {
        id: String,
        /// 1 to 200
        #[arg(long, default_value_t = 50)]
        limit: i64,
        /// next_cursor of the page before
        #[arg(long)]
        cursor: Option<String>,
    },
    /// Make, list and delete what lets programs register clients themselves
    RegistrationToken {
        #[command(subcommand)]
        command: TokenGroup,
    },
}

#[derive(Debug, Subcommand)]
pub enum TokenGroup {
    /// List them
    List {
        /// 1 to 200
        #[arg(long, default_value_t = 50)]
        limit: i64,
        /// next_cursor of the page before
        #[arg(long)]
        cursor: Option<String>,
    },
    /// Make one, which is printed once
    Create(NewToken),
    /// Delete one; what was registered with it stays
    Delete { id: String },
}

#[derive(Debug, clap::Args, Serialize)]
pub struct NewToken {
    /// What it is for
    name: String,
    /// How many clients can be registered with it [default: 1]
    #[arg(long, value_name = "N")]
    max_uses: Option<u32>,
    /// How long it is good [default: 86400]
    #[arg(long = "lifetime", value_name = "SECONDS")]
    lifetime_seconds: Option<i64>,
}

#[derive(Debug, clap::Args, Serialize)]
pub struct NewClient {
    /// What people know it by
    #[serde(rename = "client_name")]
    name: String,
    /// Letters, digits, '.', '_', '~', ':', '/' and '-' [default: one is made]
    #[arg(long, value_name = "ID")]
    client_id: Option<String>,
    #[command(flatten)]
    #[serde(flatten)]
    fields: ClientFields,
}

#[derive(Debug, clap::Args, Serialize)]
pub struct ChangedClient {
    #[serde(skip)]
    id: String,
    /// What people know it by
    #[arg(long)]
    #[serde(rename = "client_name")]
    name: Option<String>,
    /// false: it gets no tokens, and those that it has are good for nothing
    #[arg(long, value_name = "BOOL")]
    #[serde(rename = "is_active")]
    active: Option<bool>,
    #[command(flatten)]
    #[serde(flatten)]
    fields: ClientFields,
}

/// Under the names of the API.
#[derive(Debug, clap::Args, Serialize)]
struct ClientFields {
    /// Where answers may be sent; once for each
    #[arg(long = "redirect-uri", value_name = "URI")]
    redirect_uris: Option<Vec<String>>,
    /// Where browsers may go after a logout; once for each
    #[arg(long = "post-logout-redirect-uri", value_name = "URI")]
    post_logout_redirect_uris: Option<Vec<String>>,
    /// With commas between [default: authorization_code]
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    grant_types: Option<Vec<String>>,
    /// How it proves who it is; none for what cannot keep a secret [default: client_secret_basic]
    #[arg(long = "auth-method", value_name = "METHOD")]
    token_endpoint_auth_method: Option<String>,
    /// What it signs who it is by, for private_key_jwt and client_secret_jwt [default: any]
    #[arg(long = "auth-signing-alg", value_name = "ALGORITHM")]
    token_endpoint_auth_signing_alg: Option<String>,
    /// Its public keys: a JWK set, for private_key_jwt
    #[arg(long, value_name = "FILE", value_parser = read_json)]
    jwks: Option<Value>,
    /// Where it publishes its public keys, instead
    #[arg(long, value_name = "URL")]
    jwks_uri: Option<String>,
    /// What it signs requests by [default: any]
    #[arg(long = "request-object-alg", value_name = "ALGORITHM")]
    request_object_signing_alg: Option<String>,
    /// true: requests that it has not signed are refused
    #[arg(long = "require-signed-requests", value_name = "BOOL")]
    require_signed_request_object: Option<bool>,
    /// true: requests that it has not pushed are refused
    #[arg(long = "require-pushed-requests", value_name = "BOOL")]
    require_pushed_authorization_requests: Option<bool>,
    /// All that it may ask for, with spaces between
    #[arg(long)]
    scope: Option<String>,
    /// RS256, ES256, EdDSA or PS256 [default: RS256]
    #[arg(long = "id-token-alg", value_name = "ALGORITHM")]
    id_token_signed_response_alg: Option<String>,
    /// RS256, ES256, EdDSA or PS256 [default: userinfo is not signed]
    #[arg(long = "userinfo-alg", value_name = "ALGORITHM")]
    userinfo_signed_response_alg: Option<String>,
    /// public, or pairwise: then its users have names that no other client knows
    #[arg(long, value_name = "TYPE")]
    subject_type: Option<String>,
    /// After how long its users log in anew
    #[arg(long, value_name = "SECONDS")]
    default_max_age: Option<i64>,
    /// Say in every ID token when the user has logged in
    #[arg(long, value_name = "BOOL")]
    require_auth_time: Option<bool>,
    /// Where the list of redirect URIs is found that share the pairwise names of their users
    #[arg(long, value_name = "URL")]
    sector_identifier_uri: Option<String>,
    /// web or native [default: what the redirect URIs tell]
    #[arg(long, value_name = "TYPE")]
    application_type: Option<String>,
    #[arg(long, value_name = "URL")]
    client_uri: Option<String>,
    #[arg(long, value_name = "URL")]
    logo_uri: Option<String>,
    #[arg(long, value_name = "URL")]
    policy_uri: Option<String>,
    #[arg(long, value_name = "URL")]
    tos_uri: Option<String>,
    /// With commas between
    #[arg(long, value_delimiter = ',')]
    contacts: Option<Vec<String>>,
    /// true: all its access tokens are bound to a key that it proves to hold (DPoP)
    #[arg(long, value_name = "BOOL")]
    dpop_bound_access_tokens: Option<bool>,
    /// Where it is told that a session has ended
    #[arg(long, value_name = "URL")]
    backchannel_logout_uri: Option<String>,
    #[arg(long, value_name = "BOOL")]
    backchannel_logout_session_required: Option<bool>,
    /// What the browser opens when its user signs out
    #[arg(long, value_name = "URL")]
    frontchannel_logout_uri: Option<String>,
    #[arg(long, value_name = "BOOL")]
    frontchannel_logout_session_required: Option<bool>,
    /// true: its users are not asked whether they agree
    #[arg(long, value_name = "BOOL")]
    first_party: Option<bool>,
    /// false, for one with a secret: it need not use PKCE
    #[arg(long, value_name = "BOOL")]
    require_pkce: Option<bool>,
    /// Only users with one of these may use it, with commas between
    #[arg(long, value_delimiter = ',')]
    roles: Option<Vec<String>>,
    /// What it may ask tokens for; once for each
    #[arg(long = "resource", value_name = "URI")]
    resources: Option<Vec<String>>,
    /// What it may do by itself, with commas between
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    permissions: Option<Vec<String>>,
    /// true: it may find out about tokens of other clients
    #[arg(long, value_name = "BOOL")]
    introspect: Option<bool>,
    /// Of which other clients it may exchange tokens; once for each
    #[arg(long = "exchange-client", value_name = "ID")]
    exchange_clients: Option<Vec<String>>,
    /// Its own limit, instead of what every client has
    #[arg(long, value_name = "N")]
    requests_per_hour: Option<u32>,
}

/// The command of a group about clients.
///
/// # Errors
/// `Error::Internal` if the fields cannot be written.
pub fn client(group: ClientGroup) -> Result<Command> {
    let what = match group {
        ClientGroup::List { limit, cursor } => ClientsCommand::List { limit, cursor },
        ClientGroup::Show { id } => ClientsCommand::Show { id },
        ClientGroup::Create(new) => ClientsCommand::Create { fields: said(&*new)? },
        ClientGroup::Change(changed) => {
            let fields = said(&*changed)?;
            ClientsCommand::Change { id: changed.id, fields }
        }
        ClientGroup::RotateSecret { id, overlap } => {
            ClientsCommand::RotateSecret { id, overlap_secs: overlap }
        }
        ClientGroup::Delete { id } => ClientsCommand::Delete { id },
        ClientGroup::Deliveries { id, limit, cursor } => ClientsCommand::Deliveries { id, limit, cursor },
        ClientGroup::RegistrationToken { command } => match command {
            TokenGroup::List { limit, cursor } => ClientsCommand::Tokens { limit, cursor },
            TokenGroup::Create(new) => ClientsCommand::CreateToken { fields: said(&new)? },
            TokenGroup::Delete { id } => ClientsCommand::DeleteToken { id },
        },
    };
    Ok(Command::Clients { what })
}

/// The JSON in a file; an empty name stays one.
fn read_json(path: &str) -> std::result::Result<Value, String> {
    if path.is_empty() {
        return Ok(Value::String(String::new()));
    }
    let text = std::fs::read(path).map_err(|error| error.to_string())?;
    serde_json::from_slice(&text).map_err(|_| "has no JSON".to_owned())
}

/// What was said; an empty text says that there shall be none.
fn said(args: &impl Serialize) -> Result<Map<String, Value>> {
    let all = serde_json::to_value(args).map_err(Error::internal)?;
    let Value::Object(all) = all else { return Err(Error::internal("the fields are no object")) };
    let said = all.into_iter().filter(|(_, value)| !value.is_null());
    Ok(said.map(|(name, value)| none_if_empty(name, value)).collect())
}

fn none_if_empty(name: String, value: Value) -> (String, Value) {
    let value = match value {
        Value::String(text) if text.is_empty() && MAY_BE_NULL.contains(&&*name) => Value::Null,
        Value::Array(items) => Value::Array(items.into_iter().filter(|item| item != "").collect()),
        other => other,
    };
    (name, value)
}
