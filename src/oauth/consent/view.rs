//! Consents on the wire.
use poem_openapi::Object;
use poem_openapi::types::Example;
use serde::Serialize;

use super::service::{Given, Held};
use crate::base::Page;

/// What a user has let a client have.
#[derive(Object, Serialize)]
#[oai(example)]
pub struct ConsentView {
    pub client_id: String,
    pub client_name: String,
    pub scopes: Vec<String>,
    /// What its tokens may be for, beside this service.
    pub resources: Vec<String>,
    /// When the user has agreed for the first time.
    pub created_at: String,
    /// When the user has agreed for the last time.
    pub updated_at: String,
    /// What it has by that now: the newest 50, the oldest of them first.
    pub grants: Vec<GrantView>,
    /// How many there are in all.
    pub grants_total: usize,
}

/// What a client has from one authorization on.
#[derive(Object, Serialize)]
#[oai(example)]
pub struct GrantView {
    pub id: String,
    pub scopes: Vec<String>,
    pub created_at: String,
    /// When the client has last come for tokens.
    pub last_used_at: String,
    pub expires_at: String,
    /// True: it goes on when the session ends.
    pub offline: bool,
    /// The session that it came of; null when that has ended.
    pub session: Option<GrantSessionView>,
}

/// Where a user was signed in when a client got something.
#[derive(Object, Serialize)]
pub struct GrantSessionView {
    pub id: String,
    pub address: String,
    pub user_agent: String,
}

#[derive(Object, Serialize)]
#[oai(example)]
pub struct ConsentList {
    pub items: Vec<ConsentView>,
    pub next_cursor: Option<String>,
}

impl ConsentView {
    #[must_use]
    pub fn of(given: Given) -> Self {
        let Given { consent, client_name, grants, grants_total } = given;
        Self {
            client_id: consent.client.to_string(),
            client_name,
            scopes: consent.scopes.iter().map(str::to_owned).collect(),
            resources: consent.resources,
            created_at: consent.created_at.rfc3339(),
            updated_at: consent.updated_at.rfc3339(),
            grants: grants.iter().map(GrantView::of).collect(),
            grants_total,
        }
    }
}

impl GrantView {
    fn of(held: &Held) -> Self {
        let Held { grant, session } = held;
        let session = session.as_ref().map(|session| GrantSessionView {
            id: session.id.to_string(),
            address: session.origin.address.clone(),
            user_agent: session.origin.user_agent.clone(),
        });
        Self {
            id: grant.id.to_string(),
            scopes: grant.consented.scopes.iter().map(str::to_owned).collect(),
            created_at: grant.created_at.rfc3339(),
            last_used_at: grant.refreshed_at.rfc3339(),
            expires_at: grant.expires_at.rfc3339(),
            offline: grant.is_offline,
            session,
        }
    }
}

impl ConsentList {
    #[must_use]
    pub fn of(page: Page<Given>) -> Self {
        let items = page.items.into_iter().map(ConsentView::of).collect();
        Self { items, next_cursor: page.next_cursor }
    }
}

impl Example for ConsentView {
    fn example() -> Self {
        Self {
            client_id: "client_0197731f8b2d4c6e9a0b1c2d3e4f5061".into(),
            client_name: "Photo album".into(),
            scopes: vec!["openid".into(), "profile".into(), "email".into()],
            resources: Vec::new(),
            created_at: "2025-06-15T11:09:03Z".into(),
            updated_at: "2025-06-15T11:09:03Z".into(),
            grants: vec![GrantView::example()],
            grants_total: 1,
        }
    }
}

impl Example for GrantView {
    fn example() -> Self {
        Self {
            id: "0197731f8b2d4c6e9a0b1c2d3e4f5062".into(),
            scopes: vec!["openid".into(), "profile".into(), "email".into()],
            created_at: "2025-06-15T11:09:03Z".into(),
            last_used_at: "2025-06-16T07:30:00Z".into(),
            expires_at: "2025-07-16T07:30:00Z".into(),
            offline: false,
            session: Some(GrantSessionView {
                id: "0197731f8b2d4c6e9a0b1c2d3e4f5060".into(),
                address: "192.0.2.7".into(),
                user_agent: "Mozilla/5.0 (X11; Linux x86_64) Firefox/128.0".into(),
            }),
        }
    }
}

impl Example for ConsentList {
    fn example() -> Self {
        Self { items: vec![ConsentView::example()], next_cursor: None }
    }
}
