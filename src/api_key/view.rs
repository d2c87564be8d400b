//! API keys on the wire: as they are asked for, and as they are shown.
use std::net::IpAddr;

use ipnet::IpNet;
use poem_openapi::Object;
use poem_openapi::types::{Example, MaybeUndefined};
use serde::Serialize;

use super::model::{ApiKey, ApiKeyChange, NewApiKey, parse_name, parse_networks, parse_rights};
use super::service::Used;
use crate::base::{Error, Page, Result, Secret, Timestamp};

/// A key that is asked for.
#[derive(Object)]
#[oai(example)]
pub struct NewKeyBody {
    /// 1 to 100 characters.
    pub name: String,
    /// What it may do, of what its owner may do; `*` stands for any one segment.
    pub permissions: Option<Vec<String>>,
    /// Roles whose permissions it has, too.
    pub roles: Option<Vec<String>>,
    /// True: it may do whatever its owner may do, now and later.
    pub unrestricted: Option<bool>,
    /// From where it may be used: addresses, and networks like `10.0.0.0/8`. None: from anywhere.
    pub networks: Option<Vec<String>>,
    /// Its own limit, instead of what every client has; a higher one needs `users:write`.
    pub requests_per_hour: Option<u32>,
    /// RFC 3339. None: it does not end by itself.
    pub expires_at: Option<String>,
}

/// What is changed of a key.
#[derive(Object)]
#[oai(example)]
pub struct KeyBody {
    pub name: Option<String>,
    /// `permissions`, `roles` and `unrestricted` are replaced together, when one of them is there.
    pub permissions: Option<Vec<String>>,
    pub roles: Option<Vec<String>>,
    pub unrestricted: Option<bool>,
    pub networks: Option<Vec<String>>,
    /// Null: what every client has; more needs `users:write`.
    pub requests_per_hour: MaybeUndefined<u32>,
    /// Null: it does not end by itself.
    pub expires_at: MaybeUndefined<String>,
}

#[derive(Object)]
#[oai(example)]
pub struct RotateBody {
    /// How long the text before stays good; 0 by default, at most 30 days.
    pub overlap_seconds: Option<i64>,
}

/// A key, without its text.
#[derive(Object, Serialize)]
#[oai(example)]
pub struct KeyView {
    pub id: String,
    pub name: String,
    pub permissions: Vec<String>,
    pub roles: Vec<String>,
    pub unrestricted: bool,
    pub networks: Vec<String>,
    pub requests_per_hour: Option<u32>,
    pub created_at: String,
    pub rotated_at: Option<String>,
    /// Until when the text before the last rotation is good.
    pub previous_until: Option<String>,
    pub expires_at: Option<String>,
    pub revoked_at: Option<String>,
    pub last_used_at: Option<String>,
    pub last_used_address: Option<String>,
}

#[derive(Object, Serialize)]
#[oai(example)]
pub struct KeyList {
    pub items: Vec<KeyView>,
    pub next_cursor: Option<String>,
}

/// A key with its text.
#[derive(Object, Serialize)]
#[oai(example)]
pub struct NewKeyView {
    /// For the header X-API-Key. It is not stored and cannot be shown again.
    pub key: String,
    pub api_key: KeyView,
}

impl TryFrom<NewKeyBody> for NewApiKey {
    type Error = Error;

    fn try_from(body: NewKeyBody) -> Result<Self> {
        let (permissions, roles) = (body.permissions.unwrap_or_default(), body.roles.unwrap_or_default());
        Ok(Self {
            name: parse_name(&body.name)?,
            rights: parse_rights(body.unrestricted.unwrap_or_default(), &permissions, &roles)?,
            networks: parse_networks(&body.networks.unwrap_or_default())?,
            requests_per_hour: body.requests_per_hour.map(limit).transpose()?,
            expires_at: body.expires_at.as_deref().map(end_of).transpose()?,
        })
    }
}

impl TryFrom<KeyBody> for ApiKeyChange {
    type Error = Error;

    fn try_from(body: KeyBody) -> Result<Self> {
        let has_rights = body.permissions.is_some() || body.roles.is_some() || body.unrestricted.is_some();
        let (permissions, roles) = (body.permissions.unwrap_or_default(), body.roles.unwrap_or_default());
        let rights = parse_rights(body.unrestricted.unwrap_or_default(), &permissions, &roles)?;
        Ok(Self {
            name: body.name.as_deref().map(parse_name).transpose()?,
            rights: has_rights.then_some(rights),
            networks: body.networks.as_deref().map(parse_networks).transpose()?,
            requests_per_hour: or_null(body.requests_per_hour, limit)?,
            expires_at: or_null(body.expires_at, |text| end_of(&text))?,
        })
    }
}

#[expect(clippy::option_option, reason = "undefined, null, or a value")]
fn or_null<T, U>(value: MaybeUndefined<T>, read: impl FnOnce(T) -> Result<U>) -> Result<Option<Option<U>>> {
    match value {
        MaybeUndefined::Undefined => Ok(None),
        MaybeUndefined::Null => Ok(Some(None)),
        MaybeUndefined::Value(value) => read(value).map(|value| Some(Some(value))),
    }
}

fn limit(requests: u32) -> Result<u32> {
    if requests == 0 { Err(Error::invalid("requests_per_hour", "must be at least 1")) } else { Ok(requests) }
}

/// When a key ends, as somebody typed it.
///
/// # Errors
/// `Error::Invalid` naming `expires_at`.
pub fn end_of(text: &str) -> Result<Timestamp> {
    Timestamp::parse_rfc3339_of("expires_at", text)
}

/// What somebody typed as the address of a request.
///
/// # Errors
/// `Error::Invalid` naming `address`.
pub fn parse_address(text: &str) -> Result<IpAddr> {
    text.parse().map_err(|_| Error::invalid("address", "must be an IP address"))
}

impl KeyView {
    /// A key, with its last use.
    #[must_use]
    pub fn of((key, last): Used) -> Self {
        let previous = key.previous.as_ref().map(|previous| previous.until.rfc3339());
        Self {
            id: key.id.to_string(),
            permissions: key.rights.permissions.iter().map(|one| one.as_str().to_owned()).collect(),
            roles: key.rights.roles.iter().map(ToString::to_string).collect(),
            unrestricted: key.rights.unrestricted,
            networks: key.networks.iter().map(IpNet::to_string).collect(),
            requests_per_hour: key.requests_per_hour,
            created_at: key.created_at.rfc3339(),
            rotated_at: key.rotated_at.map(Timestamp::rfc3339),
            previous_until: previous,
            expires_at: key.expires_at.map(Timestamp::rfc3339),
            revoked_at: key.revoked_at.map(Timestamp::rfc3339),
            last_used_at: last.as_ref().map(|last| last.at.rfc3339()),
            last_used_address: last.map(|last| last.address).filter(|address| !address.is_empty()),
            name: key.name,
        }
    }
}

impl KeyList {
    /// A page of keys.
    #[must_use]
    pub fn of(page: Page<Used>) -> Self {
        Self { items: page.items.into_iter().map(KeyView::of).collect(), next_cursor: page.next_cursor }
    }
}

impl NewKeyView {
    /// A key that was just made or rotated.
    #[must_use]
    pub fn of((key, text): (ApiKey, Secret)) -> Self {
        Self { key: text.expose().to_owned(), api_key: KeyView::of((key, None)) }
    }
}

impl Example for NewKeyBody {
    fn example() -> Self {
        Self {
            name: "deploy".into(),
            permissions: Some(vec!["billing:invoices:read".into()]),
            roles: None,
            unrestricted: None,
            networks: Some(vec!["10.0.0.0/8".into()]),
            requests_per_hour: Some(10_000),
            expires_at: Some("2027-01-15T08:00:00Z".into()),
        }
    }
}

impl Example for KeyBody {
    fn example() -> Self {
        Self {
            name: Some("deploy".into()),
            permissions: None,
            roles: None,
            unrestricted: None,
            networks: None,
            requests_per_hour: MaybeUndefined::Value(20_000),
            expires_at: MaybeUndefined::Undefined,
        }
    }
}

impl Example for RotateBody {
    fn example() -> Self {
        Self { overlap_seconds: Some(86_400) }
    }
}

impl Example for KeyView {
    fn example() -> Self {
        Self {
            id: "0197731f8b2d4c6e9a0b1c2d3e4f5061".into(),
            name: "deploy".into(),
            permissions: vec!["billing:invoices:read".into()],
            roles: Vec::new(),
            unrestricted: false,
            networks: vec!["10.0.0.0/8".into()],
            requests_per_hour: Some(10_000),
            created_at: "2025-06-15T11:09:03Z".into(),
            rotated_at: None,
            previous_until: None,
            expires_at: Some("2027-01-15T08:00:00Z".into()),
            revoked_at: None,
            last_used_at: Some("2025-06-15T11:20:00Z".into()),
            last_used_address: Some("10.1.2.3".into()),
        }
    }
}

impl Example for KeyList {
    fn example() -> Self {
        Self { items: vec![KeyView::example()], next_cursor: None }
    }
}

impl Example for NewKeyView {
    fn example() -> Self {
        Self {
            key: "asku_0197731f8b2d4c6e9a0b1c2d3e4f5061_9f86d081…_1c291ca3".into(),
            api_key: KeyView::example(),
        }
    }
}
