//! What an API key is, and when it is good. Pure: no store, no HTTP, no clock.
use std::fmt;
use std::net::IpAddr;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use crate::base::text::{is_visible, rearranges};
use crate::base::{Error, Id, Result, Timestamp, constant_time_eq};
use crate::rbac::{Pattern, RoleName, SubjectId};

const MAX_NAME: usize = 100;
/// Networks, roles, or permissions of one key.
const MAX_LISTED: usize = 100;

/// A credential for programs, with rights of its own: never more than those of its owner at the time of use.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApiKey {
    pub id: Id<ApiKey>,
    pub owner: SubjectId,
    pub name: String,
    pub rights: Rights,
    /// From where it may be used; anywhere when there is none.
    pub networks: Vec<IpNet>,
    /// Requests an hour, instead of what every client has.
    pub requests_per_hour: Option<u32>,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
    pub rotated_at: Option<Timestamp>,
    pub expires_at: Option<Timestamp>,
    pub revoked_at: Option<Timestamp>,
    /// The hash of its text.
    pub hash: [u8; 32],
    /// The text before the last rotation.
    pub previous: Option<Previous>,
}

/// What a key may do of what its owner may do.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rights {
    /// Everything, now and later.
    pub unrestricted: bool,
    pub permissions: Vec<Pattern>,
    pub roles: Vec<RoleName>,
}

/// A text that was rotated away and is still good for a while.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Previous {
    pub hash: [u8; 32],
    pub until: Timestamp,
}

/// Everything but the hash.
impl fmt::Debug for Previous {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Previous").field("until", &self.until).finish_non_exhaustive()
    }
}

/// A key that is asked for.
#[derive(Debug, Clone)]
pub struct NewApiKey {
    pub name: String,
    pub rights: Rights,
    pub networks: Vec<IpNet>,
    pub requests_per_hour: Option<u32>,
    pub expires_at: Option<Timestamp>,
}

/// What is changed of a key; `None` leaves a field as it is, `Some(None)` empties it.
#[derive(Debug, Clone, Default)]
pub struct ApiKeyChange {
    pub name: Option<String>,
    pub rights: Option<Rights>,
    pub networks: Option<Vec<IpNet>>,
    pub requests_per_hour: Option<Option<u32>>,
    pub expires_at: Option<Option<Timestamp>>,
}

/// Why a key is not good.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flaw {
    /// Mistyped, cut, or not one of ours.
    Malformed,
    /// There is no such key, or this is not its text (any more).
    Unknown,
    Revoked,
    Expired,
    /// Its owner is switched off or gone.
    OwnerDisabled,
    /// It may not be used from there.
    Network,
}

impl Flaw {
    /// In the words of the API.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Malformed => "malformed",
            Self::Unknown => "unknown",
            Self::Revoked => "revoked",
            Self::Expired => "expired",
            Self::OwnerDisabled => "owner_disabled",
            Self::Network => "network_not_allowed",
        }
    }

    /// What whoever presents it is answered.
    #[must_use]
    pub fn error(self) -> Error {
        match self {
            Self::Malformed | Self::Unknown => Error::InvalidToken,
            Self::Revoked | Self::OwnerDisabled => Error::TokenRevoked,
            Self::Expired => Error::TokenExpired,
            Self::Network => Error::WrongNetwork,
        }
    }
}

/// Everything but the hashes.
impl fmt::Debug for ApiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ApiKey")
            .field("id", &self.id)
            .field("owner", &self.owner)
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

impl ApiKey {
    /// Judges a text of this key, presented `now` from an address (`None`: it does not matter from where).
    ///
    /// # Errors
    /// The flaw, the most lasting one first.
    pub fn judge(&self, hash: &[u8; 32], now: Timestamp, address: Option<IpAddr>) -> Result<(), Flaw> {
        let is_current = constant_time_eq(&self.hash, hash);
        let in_overlap = |previous: &Previous| constant_time_eq(&previous.hash, hash) && now < previous.until;
        if !is_current && !self.previous.as_ref().is_some_and(in_overlap) {
            return Err(Flaw::Unknown);
        }
        if self.revoked_at.is_some() {
            return Err(Flaw::Revoked);
        }
        if self.expires_at.is_some_and(|end| now >= end) {
            return Err(Flaw::Expired);
        }
        match address {
            Some(address) if !self.allows_from(address) => Err(Flaw::Network),
            _ => Ok(()),
        }
    }

    /// Whether it may be used from an address; IPv4 in IPv6 form counts as IPv4.
    #[must_use]
    pub fn allows_from(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.networks.is_empty() || self.networks.iter().any(|net| net.contains(&address))
    }

    /// The key after a change.
    #[must_use]
    pub fn with(mut self, change: ApiKeyChange, now: Timestamp) -> Self {
        if let Some(name) = change.name {
            self.name = name;
        }
        if let Some(rights) = change.rights {
            self.rights = rights;
        }
        if let Some(networks) = change.networks {
            self.networks = networks;
        }
        if let Some(requests) = change.requests_per_hour {
            self.requests_per_hour = requests;
        }
        if let Some(end) = change.expires_at {
            self.expires_at = end;
        }
        self.updated_at = now;
        self
    }

    /// The key with another text; the one before stays good for so many seconds.
    #[must_use]
    pub fn rotated(mut self, hash: [u8; 32], overlap_secs: i64, now: Timestamp) -> Self {
        let until = now.plus_secs(overlap_secs);
        let before = std::mem::replace(&mut self.hash, hash);
        self.previous = (overlap_secs > 0).then_some(Previous { hash: before, until });
        self.rotated_at = Some(now);
        self.updated_at = now;
        self
    }
}

/// The name of a key, trimmed.
///
/// # Errors
/// `Error::Invalid` naming `name` unless it has 1 to 100 characters, none of them a control character.
pub fn parse_name(text: &str) -> Result<String> {
    let text = text.trim();
    if !(1..=MAX_NAME).contains(&text.chars().count()) {
        return Err(Error::invalid("name", "must have 1 to 100 characters"));
    }
    if text.chars().any(|c| c.is_control() || rearranges(c)) {
        return Err(Error::invalid("name", "must not have control characters"));
    }
    if !is_visible(text) {
        return Err(Error::invalid("name", "has nothing that can be seen"));
    }
    Ok(text.to_owned())
}

/// Networks as people write them: `10.0.0.0/8`, or a single address.
///
/// # Errors
/// `Error::Invalid` naming `networks`.
pub fn parse_networks(texts: &[String]) -> Result<Vec<IpNet>> {
    check_count("networks", texts.len())?;
    let parse = |text: &String| {
        let net = text.parse().ok().or_else(|| text.parse::<IpAddr>().ok().map(IpNet::from));
        net.and_then(canonical)
            .map(|net| net.trunc())
            .ok_or_else(|| Error::invalid("networks", "must hold addresses or networks like \"10.0.0.0/8\""))
    };
    texts.iter().map(parse).collect()
}

/// An IPv4 network in IPv6 form as what it is: addresses are compared so. One that reaches beyond those is none.
fn canonical(net: IpNet) -> Option<IpNet> {
    const MAPPED_BITS: u8 = 96;
    match net {
        IpNet::V6(v6) => match v6.addr().to_ipv4_mapped() {
            Some(v4) => IpNet::new(v4.into(), v6.prefix_len().checked_sub(MAPPED_BITS)?).ok(),
            None => Some(net),
        },
        IpNet::V4(_) => Some(net),
    }
}

/// Rights as they were typed.
///
/// # Errors
/// `Error::Invalid` naming `permissions`, `roles`, or `unrestricted` beside either.
pub fn parse_rights(unrestricted: bool, permissions: &[String], roles: &[String]) -> Result<Rights> {
    if unrestricted && !(permissions.is_empty() && roles.is_empty()) {
        return Err(Error::invalid("unrestricted", "leaves no room for `permissions` or `roles`"));
    }
    check_count("permissions", permissions.len())?;
    check_count("roles", roles.len())?;
    Ok(Rights {
        unrestricted,
        permissions: Pattern::parse_all("permissions", permissions)?,
        roles: RoleName::parse_all("roles", roles)?,
    })
}

fn check_count(field: &'static str, count: usize) -> Result<()> {
    if count > MAX_LISTED {
        return Err(Error::invalid(field, format!("must be at most {MAX_LISTED}")));
    }
    Ok(())
}
