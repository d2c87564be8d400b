//! `/auth/api-keys`: the keys of whoever asks.
use poem_openapi::param::Path;
use poem_openapi::types::Example;
use poem_openapi::{Object, OpenApi};
use serde::Serialize;

use super::service::{ApiKeys, Statistics, Uses};
use super::view::{KeyBody, KeyList, KeyView, NewKeyBody, NewKeyView, RotateBody};
use crate::base::{Error, PageRequest, Result, Timestamp};
use crate::http::{Created, Done, Failure, Json, May, Query, Recent, spec};
use crate::rbac::Named;
use crate::rbac::permission::AccountKeys;

const MAX_DAYS: u32 = 90;
const DEFAULT_DAYS: u32 = 30;
const DAY_SECS: i64 = 24 * 3600;

/// API keys of the own account.
pub struct ApiKeysApi(pub ApiKeys);

/// The errors that the form of these operations does not tell.
pub const ERRORS: &[spec::OperationErrors] = &[
    ("create_api_key", &["NOT_FOUND", "REAUTHENTICATION_REQUIRED"]),
    ("read_api_key", &["NOT_FOUND", "VALIDATION_ERROR"]),
    ("update_api_key", &["NOT_FOUND", "REAUTHENTICATION_REQUIRED"]),
    ("rotate_api_key", &["NOT_FOUND", "REAUTHENTICATION_REQUIRED"]),
    ("revoke_api_key", &["NOT_FOUND", "VALIDATION_ERROR"]),
    ("delete_api_key", &["NOT_FOUND", "VALIDATION_ERROR"]),
];

/// Which permission each operation needs.
pub const PERMISSIONS: &[spec::OperationPermission] = &[
    ("list_api_keys", AccountKeys::NAME),
    ("create_api_key", AccountKeys::NAME),
    ("read_api_key", AccountKeys::NAME),
    ("update_api_key", AccountKeys::NAME),
    ("rotate_api_key", AccountKeys::NAME),
    ("revoke_api_key", AccountKeys::NAME),
    ("delete_api_key", AccountKeys::NAME),
    ("list_api_key_usage", AccountKeys::NAME),
];

/// How often a key was used.
#[derive(Object, Serialize)]
#[oai(example)]
struct UsageView {
    id: String,
    name: String,
    last_used_at: Option<String>,
    last_used_address: Option<String>,
    /// Over the days asked for.
    accepted: u64,
    /// Good keys from a wrong network, or with nothing left of their limit.
    refused: u64,
    /// Days with uses, the oldest first.
    days: Vec<DayView>,
}

#[derive(Object, Serialize)]
struct DayView {
    /// UTC.
    date: String,
    accepted: u64,
    refused: u64,
}

#[derive(Object, Serialize)]
#[oai(example)]
struct UsageList {
    items: Vec<UsageView>,
    next_cursor: Option<String>,
}

#[OpenApi]
impl ApiKeysApi {
    /// List my API keys, the oldest first
    #[oai(path = "/auth/api-keys", method = "get", operation_id = "list_api_keys")]
    async fn list(
        &self,
        caller: May<AccountKeys>,
        /// 1 to 200
        limit: Query<Option<i64>>,
        /// `next_cursor` of the page before
        cursor: Query<Option<String>>,
    ) -> Result<Json<KeyList>, Failure> {
        let request = PageRequest::parse(limit.0, cursor.0.as_deref())?;
        Ok(Json(KeyList::of(self.0.list(caller.actor.subject.id(), request).await?)))
    }

    /// Make an API key
    ///
    /// Its text is shown once. Without `permissions`, `roles` or `unrestricted` it says who its owner is, and may do
    /// nothing. Nobody gives a key what they do not hold.
    #[oai(path = "/auth/api-keys", method = "post", operation_id = "create_api_key")]
    async fn create(
        &self,
        caller: Recent<AccountKeys>,
        body: Json<NewKeyBody>,
    ) -> Result<Created<NewKeyView>, Failure> {
        let owner = caller.actor.subject.id();
        let made = self.0.create(caller.initiator(), owner, body.0.try_into()?).await?;
        Ok(Created(NewKeyView::of(made)))
    }

    /// How often my API keys were used
    ///
    /// Counted in memory and written every few seconds: a power cut may cost the last ones.
    #[oai(path = "/auth/api-keys/usage", method = "get", operation_id = "list_api_key_usage")]
    async fn usage(
        &self,
        caller: May<AccountKeys>,
        /// How many days up to today, 1 to 90; 30 by default
        days: Query<Option<u32>>,
        /// 1 to 200
        limit: Query<Option<i64>>,
        /// `next_cursor` of the page before
        cursor: Query<Option<String>>,
    ) -> Result<Json<UsageList>, Failure> {
        let days = days.0.unwrap_or(DEFAULT_DAYS);
        if !(1..=MAX_DAYS).contains(&days) {
            return Err(Error::invalid("days", format!("must be 1 to {MAX_DAYS}")).into());
        }
        let request = PageRequest::parse(limit.0, cursor.0.as_deref())?;
        let page = self.0.statistics(caller.actor.subject.id(), days, request).await?;
        let items = page.items.into_iter().map(UsageView::of).collect();
        Ok(Json(UsageList { items, next_cursor: page.next_cursor }))
    }

    /// Read one of my API keys
    #[oai(path = "/auth/api-keys/:id", method = "get", operation_id = "read_api_key")]
    async fn read(&self, caller: May<AccountKeys>, id: Path<String>) -> Result<Json<KeyView>, Failure> {
        Ok(Json(KeyView::of(self.0.read(caller.actor.subject.id(), id.0.parse()?).await?)))
    }

    /// Change one of my API keys
    #[oai(path = "/auth/api-keys/:id", method = "patch", operation_id = "update_api_key")]
    async fn update(
        &self,
        caller: Recent<AccountKeys>,
        id: Path<String>,
        body: Json<KeyBody>,
    ) -> Result<Json<KeyView>, Failure> {
        let (owner, id) = (caller.actor.subject.id(), id.0.parse()?);
        self.0.change(caller.initiator(), owner, id, body.0.try_into()?).await?;
        Ok(Json(KeyView::of(self.0.read(owner, id).await?)))
    }

    /// Give one of my API keys another text, which is shown once
    #[oai(path = "/auth/api-keys/:id/rotate", method = "post", operation_id = "rotate_api_key")]
    async fn rotate(
        &self,
        caller: Recent<AccountKeys>,
        id: Path<String>,
        body: Json<RotateBody>,
    ) -> Result<Json<NewKeyView>, Failure> {
        let (owner, overlap) = (caller.actor.subject.id(), body.0.overlap_seconds.unwrap_or_default());
        let rotated = self.0.rotate(caller.initiator(), owner, id.0.parse()?, overlap).await?;
        Ok(Json(NewKeyView::of(rotated)))
    }

    /// Shut one of my API keys out for good, and keep it in the list
    #[oai(path = "/auth/api-keys/:id/revoke", method = "post", operation_id = "revoke_api_key")]
    async fn revoke(&self, caller: May<AccountKeys>, id: Path<String>) -> Result<Json<KeyView>, Failure> {
        let (owner, id) = (caller.actor.subject.id(), id.0.parse()?);
        self.0.revoke(caller.initiator(), owner, id).await?;
        Ok(Json(KeyView::of(self.0.read(owner, id).await?)))
    }

    /// Delete one of my API keys
    #[oai(path = "/auth/api-keys/:id", method = "delete", operation_id = "delete_api_key")]
    async fn delete(&self, caller: May<AccountKeys>, id: Path<String>) -> Result<Done, Failure> {
        self.0.delete(caller.initiator(), caller.actor.subject.id(), id.0.parse()?).await?;
        Ok(Done)
    }
}

impl UsageView {
    fn of(statistics: Statistics) -> Self {
        let Statistics { key, last, days } = statistics;
        let day = |(day, uses): &(u32, Uses)| DayView {
            date: Timestamp::from_secs(i64::from(*day) * DAY_SECS).rfc3339().chars().take(10).collect(),
            accepted: uses.accepted,
            refused: uses.refused,
        };
        Self {
            id: key.id.to_string(),
            name: key.name,
            last_used_at: last.as_ref().map(|last| last.at.rfc3339()),
            last_used_address: last.map(|last| last.address).filter(|address| !address.is_empty()),
            accepted: days.iter().map(|(_, uses)| uses.accepted).sum(),
            refused: days.iter().map(|(_, uses)| uses.refused).sum(),
            days: days.iter().map(day).collect(),
        }
    }
}

impl Example for UsageView {
    fn example() -> Self {
        Self {
            id: "0197731f8b2d4c6e9a0b1c2d3e4f5061".into(),
            name: "deploy".into(),
            last_used_at: Some("2025-06-15T11:20:00Z".into()),
            last_used_address: Some("10.1.2.3".into()),
            accepted: 1200,
            refused: 3,
            days: vec![DayView { date: "2025-06-15".into(), accepted: 1200, refused: 3 }],
        }
    }
}

impl Example for UsageList {
    fn example() -> Self {
        Self { items: vec![UsageView::example()], next_cursor: None }
    }
}
