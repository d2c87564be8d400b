//! What administrators decide of a client, on the wire.
use poem_openapi::Object;
use poem_openapi::types::MaybeUndefined;

use super::model::{ClientId, Rules};
use crate::base::{Error, Result};
use crate::rbac::{Pattern, RoleName};

const MAX_RESOURCES: usize = 50;
const MAX_PERMISSIONS: usize = 100;
const MAX_CLIENTS: usize = 100;

/// What administrators decide of a client.
#[derive(Object, Default)]
pub struct RulesBody {
    /// True: its users are not asked whether they agree.
    pub first_party: Option<bool>,
    /// False, for a client with a secret or a key: it need not use PKCE.
    pub require_pkce: Option<bool>,
    /// Only users with one of these may use it; none: everyone.
    pub roles: Option<Vec<String>>,
    /// What it may ask tokens for (RFC 8707).
    pub resources: Option<Vec<String>>,
    /// What it may do by itself, with the grant client_credentials.
    pub permissions: Option<Vec<String>>,
    /// True: it may find out about tokens of other clients (RFC 7662), as a service that is shown them has to.
    pub introspect: Option<bool>,
    /// Of which other clients it may exchange tokens (RFC 8693); that it may at all is the permission `tokens:exchange`.
    pub exchange_clients: Option<Vec<String>>,
    /// Its own limit, instead of what every client has.
    pub requests_per_hour: MaybeUndefined<u32>,
}

impl RulesBody {
    /// The rules after what is said here.
    ///
    /// # Errors
    /// `Error::Invalid` naming the field that is wrong.
    pub fn over(self, mut old: Rules) -> Result<Rules> {
        old.is_first_party = self.first_party.unwrap_or(old.is_first_party);
        old.introspects = self.introspect.unwrap_or(old.introspects);
        old.requires_pkce = self.require_pkce.unwrap_or(old.requires_pkce);
        if let Some(roles) = self.roles {
            old.roles = RoleName::parse_all("roles", &roles)?;
        }
        if let Some(resources) = self.resources {
            old.resources = resources.iter().map(|uri| parse_resource(uri)).collect::<Result<_>>()?;
        }
        if let Some(permissions) = self.permissions {
            old.permissions = Pattern::parse_all("permissions", &permissions)?;
        }
        if let Some(clients) = self.exchange_clients {
            old.exchanges_tokens_of = parse_clients(&clients)?;
        }
        match self.requests_per_hour {
            MaybeUndefined::Undefined => {}
            MaybeUndefined::Null => old.requests_per_hour = None,
            MaybeUndefined::Value(number) => old.requests_per_hour = Some(number),
        }
        if old.resources.len() > MAX_RESOURCES {
            return Err(Error::invalid("resources", format!("must be at most {MAX_RESOURCES}")));
        }
        if old.permissions.len() > MAX_PERMISSIONS {
            return Err(Error::invalid("permissions", format!("must be at most {MAX_PERMISSIONS}")));
        }
        Ok(old)
    }
}

/// Names of clients, each once.
fn parse_clients(ids: &[String]) -> Result<Vec<ClientId>> {
    let wrong =
        || Error::invalid("exchange_clients", format!("must be at most {MAX_CLIENTS} ids of clients"));
    let mut clients = Vec::new();
    for id in ids {
        let id = ClientId::parse(id).map_err(|_| wrong())?;
        if !clients.contains(&id) {
            clients.push(id);
        }
    }
    if clients.len() > MAX_CLIENTS { Err(wrong()) } else { Ok(clients) }
}

/// An absolute URI without fragment (RFC 8707 section 2).
///
/// # Errors
/// `Error::Invalid` naming `resources`.
pub fn parse_resource(text: &str) -> Result<String> {
    let is_uri = url::Url::parse(text).is_ok_and(|url| url.fragment().is_none());
    if is_uri && text.len() <= 2048 && text.bytes().all(|b| b.is_ascii_graphic()) {
        Ok(text.to_owned())
    } else {
        Err(Error::invalid("resources", "must hold absolute URIs without fragment"))
    }
}
