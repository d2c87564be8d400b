//! `/audit` and `/auth/me/activity`.
use std::collections::BTreeMap;

use futures_util::stream::{self, TryStreamExt};
use poem::Body;
use poem_openapi::types::Example;
use poem_openapi::{Object, OpenApi};
use serde::Serialize;

use super::export::{exported, hex};
use super::model::{Entry, Filter, Outcome, Party};
use super::service::{Audit, Linked};
use crate::base::{Error, Page, PageRequest, Result, Timestamp};
use crate::http::{Failure, Json, JsonLines, May, Query, spec};
use crate::rbac::permission::{AccountRead, AuditRead};
use crate::rbac::{Named, SubjectId};

/// The audit trail.
pub struct AuditApi(pub Audit);

/// Which permission each operation needs.
pub const PERMISSIONS: &[spec::OperationPermission] = &[
    ("list_events", AuditRead::NAME),
    ("export_events", AuditRead::NAME),
    ("list_my_activity", AccountRead::NAME),
];

/// Somebody who acts or is acted on.
#[derive(Object, Serialize)]
struct PartyView {
    /// `user`, `service_account`, `host`, `system` or `anonymous`.
    #[oai(rename = "type")]
    #[serde(rename = "type")]
    kind: String,
    id: Option<String>,
    /// By what name it was known then.
    name: String,
}

#[derive(Object, Serialize)]
#[oai(example)]
struct EventView {
    /// Its number: 1, 2, 3, … without gaps.
    seq: u64,
    at: String,
    /// What was done, like `api_key.created`.
    action: String,
    /// `success` or `failure`.
    outcome: String,
    actor: PartyView,
    /// The session or the API key that the actor used: `session` or `api_key`, and its id.
    via: BTreeMap<String, String>,
    /// Whose account it is about.
    subject: Option<PartyView>,
    address: String,
    user_agent: String,
    request_id: String,
    /// More than 1 for failures of the same kind that were gathered.
    count: u64,
    details: BTreeMap<String, String>,
    /// SHA-256 over the hash of the event before and the exported line of this one.
    hash: String,
}

#[derive(Object, Serialize)]
#[oai(example)]
struct EventList {
    items: Vec<EventView>,
    /// May be there though the page has fewer items than asked for.
    next_cursor: Option<String>,
}

#[OpenApi]
impl AuditApi {
    /// List events, the newest first
    #[oai(path = "/audit", method = "get", operation_id = "list_events")]
    #[expect(clippy::too_many_arguments, reason = "each is a parameter of the query")]
    async fn list(
        &self,
        _caller: May<AuditRead>,
        /// The id of a user or service account that acts or is acted on
        subject: Query<Option<String>>,
        /// An action, or with a dot at its end what it begins with: `api_key.`
        action: Query<Option<String>>,
        /// `success` or `failure`
        outcome: Query<Option<String>>,
        /// The address that it came from
        address: Query<Option<String>>,
        /// RFC 3339
        from: Query<Option<String>>,
        /// RFC 3339, not included
        until: Query<Option<String>>,
        /// 1 to 200
        limit: Query<Option<i64>>,
        /// `next_cursor` of the page before
        cursor: Query<Option<String>>,
    ) -> Result<Json<EventList>, Failure> {
        let filter = filter((subject.0, action.0, outcome.0, address.0), (from.0, until.0))?;
        let request = PageRequest::parse(limit.0, cursor.0.as_deref())?;
        Ok(Json(EventList::of(self.0.search(filter, request).await?)))
    }

    /// Export events as JSON lines, the oldest first
    ///
    /// The hash of a line is SHA-256 over the 32 bytes of `previous_hash` (zeros before the first event) and the line
    /// without its last members, `previous_hash` and `hash`.
    #[oai(path = "/audit/export", method = "get", operation_id = "export_events")]
    #[expect(clippy::too_many_arguments, reason = "each is a parameter of the query")]
    async fn export(
        &self,
        caller: May<AuditRead>,
        /// The id of a user or service account that acts or is acted on
        subject: Query<Option<String>>,
        /// An action, or with a dot at its end what it begins with: `api_key.`
        action: Query<Option<String>>,
        /// `success` or `failure`
        outcome: Query<Option<String>>,
        /// The address that it came from
        address: Query<Option<String>>,
        /// RFC 3339
        from: Query<Option<String>>,
        /// RFC 3339, not included
        until: Query<Option<String>>,
        /// The number of the first event
        seq: Query<Option<u64>>,
    ) -> Result<JsonLines, Failure> {
        let filter = filter((subject.0, action.0, outcome.0, address.0), (from.0, until.0))?;
        self.0.note_export(&caller.initiator()).await;
        let first = self.0.first_of(&filter).await?.max(seq.0.unwrap_or_default());
        Ok(JsonLines(self.lines(filter, first)))
    }

    /// What I did, and what was done to my account
    #[oai(path = "/auth/me/activity", method = "get", operation_id = "list_my_activity")]
    async fn activity(
        &self,
        caller: May<AccountRead>,
        /// 1 to 200
        limit: Query<Option<i64>>,
        /// `next_cursor` of the page before
        cursor: Query<Option<String>>,
    ) -> Result<Json<EventList>, Failure> {
        let filter = Filter { subject: Some(caller.actor.subject.id()), ..Filter::default() };
        let request = PageRequest::parse(limit.0, cursor.0.as_deref())?;
        let mut page = self.0.search(filter, request).await?;
        page.items.iter_mut().for_each(|entry| hide_others(entry, caller.actor.subject.id()));
        Ok(Json(EventList::of(page)))
    }
}

/// Of what somebody else has done to an account, its user learns what, when and who, not from where.
fn hide_others(entry: &mut Entry, viewer: SubjectId) {
    let event = &mut entry.event;
    if event.actor.id.is_some_and(|actor| actor != viewer) {
        event.via = None;
        event.address.clear();
        event.user_agent.clear();
    }
}

impl AuditApi {
    /// All lines, read as they are sent.
    fn lines(&self, filter: Filter, first: u64) -> Body {
        let audit = self.0.clone();
        let step = move |next: Option<u64>| {
            let (audit, filter) = (audit.clone(), filter.clone());
            async move {
                let Some(seq) = next else { return Ok(None) };
                let (entries, next) = audit.export(filter, seq).await?;
                let line = |linked: &Linked| exported(&linked.entry, Some(&linked.before));
                let lines = entries.iter().map(line).collect::<Result<String>>()?;
                Ok::<_, Error>(Some((lines, next)))
            }
        };
        // An export that breaks off tells its reader so by ending without its end.
        Body::from_bytes_stream(stream::try_unfold(Some(first), step).map_err(std::io::Error::other))
    }
}

type Texts = (Option<String>, Option<String>, Option<String>, Option<String>);

fn filter(
    (subject, action, outcome, address): Texts,
    (from, until): (Option<String>, Option<String>),
) -> Result<Filter> {
    let time = |field: &'static str, text: Option<String>| {
        text.map(|text| Timestamp::parse_rfc3339_of(field, &text)).transpose()
    };
    Ok(Filter {
        subject: subject.map(|text| text.parse::<SubjectId>()).transpose()?,
        action,
        outcome: outcome.as_deref().map(Outcome::parse).transpose()?,
        address,
        from: time("from", from)?,
        until: time("until", until)?,
    })
}

impl EventList {
    fn of(page: Page<Entry>) -> Self {
        Self { items: page.items.into_iter().map(EventView::of).collect(), next_cursor: page.next_cursor }
    }
}

impl PartyView {
    fn of(party: Party) -> Self {
        Self { kind: party.kind, id: party.id.map(|id| id.to_string()), name: party.name }
    }
}

impl EventView {
    fn of(entry: Entry) -> Self {
        let event = entry.event;
        Self {
            seq: entry.seq,
            at: event.at.rfc3339_micros(),
            action: event.action,
            outcome: event.outcome.name().to_owned(),
            actor: PartyView::of(event.actor),
            via: event.via.into_iter().collect(),
            subject: event.subject.map(PartyView::of),
            address: event.address,
            user_agent: event.user_agent,
            request_id: event.request_id,
            count: event.count,
            details: event.details.into_iter().collect(),
            hash: hex(&entry.hash),
        }
    }
}

impl Example for EventView {
    fn example() -> Self {
        let ann = || PartyView { kind: "user".into(), id: Some("2".into()), name: "testuser".into() };
        Self {
            seq: 17,
            at: "2025-06-15T11:09:03.405528Z".into(),
            action: "session.created".into(),
            outcome: "success".into(),
            actor: ann(),
            via: BTreeMap::from([("session".into(), "0197731f8b2d4c6e9a0b1c2d3e4f5061".into())]),
            subject: Some(ann()),
            address: "203.0.113.7".into(),
            user_agent: "Mozilla/5.0".into(),
            request_id: "req_123456789".into(),
            count: 1,
            details: BTreeMap::from([("amr".into(), "pwd".into())]),
            hash: "5f1d…".into(),
        }
    }
}

impl Example for EventList {
    fn example() -> Self {
        Self { items: vec![EventView::example()], next_cursor: None }
    }
}
