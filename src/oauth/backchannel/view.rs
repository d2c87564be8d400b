//! Deliveries on the wire.
use poem_openapi::Object;
use poem_openapi::types::Example;
use serde::Serialize;

use super::model::Delivery;
use crate::base::{Page, Timestamp};

/// What a client was told of the end of a session, or is to be told.
#[derive(Object, Serialize)]
#[oai(example)]
pub struct DeliveryView {
    pub id: String,
    /// What the session was called in ID tokens.
    pub sid: String,
    /// When the session has ended.
    pub created_at: String,
    /// `waiting`, `delivered`, `refused` (the client has said no), or `given_up` after a day.
    pub status: String,
    pub attempts: u32,
    pub last_attempt_at: Option<String>,
    /// Of the last answer; null when there was none.
    pub last_http_status: Option<u16>,
    /// What was wrong the last time.
    pub last_error: Option<String>,
    /// Null for one that is not tried any more.
    pub next_attempt_at: Option<String>,
}

#[derive(Object, Serialize)]
#[oai(example)]
pub struct DeliveryList {
    pub items: Vec<DeliveryView>,
    pub next_cursor: Option<String>,
}

impl DeliveryView {
    #[must_use]
    pub fn of(delivery: &Delivery) -> Self {
        let last = delivery.last.as_ref();
        Self {
            id: delivery.id.to_string(),
            sid: delivery.sid.to_string(),
            created_at: delivery.created_at.rfc3339(),
            status: delivery.state.name().to_owned(),
            attempts: delivery.attempts,
            last_attempt_at: last.map(|last| last.at.rfc3339()),
            last_http_status: last.and_then(|last| last.status),
            last_error: last.map(|last| last.trouble.clone()).filter(|trouble| !trouble.is_empty()),
            next_attempt_at: delivery.state.next_at().map(Timestamp::rfc3339),
        }
    }
}

impl DeliveryList {
    #[must_use]
    pub fn of(page: Page<Delivery>) -> Self {
        Self { items: page.items.iter().map(DeliveryView::of).collect(), next_cursor: page.next_cursor }
    }
}

impl Example for DeliveryView {
    fn example() -> Self {
        Self {
            id: "0197731f8b2d4c6e9a0b1c2d3e4f5061".into(),
            sid: "0197731f8b2d4c6e9a0b1c2d3e4f5060".into(),
            created_at: "2025-06-15T11:09:03Z".into(),
            status: "waiting".into(),
            attempts: 1,
            last_attempt_at: Some("2025-06-15T11:09:03Z".into()),
            last_http_status: Some(503),
            last_error: None,
            next_attempt_at: Some("2025-06-15T11:09:14Z".into()),
        }
    }
}

impl Example for DeliveryList {
    fn example() -> Self {
        Self { items: vec![DeliveryView::example()], next_cursor: None }
    }
}
