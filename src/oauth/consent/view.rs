//! Consents on the wire.
use poem_openapi::Object;
use poem_openapi::types::Example;
use serde::Serialize;

use super::service::Given;
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
        let Given { consent, client_name } = given;
        Self {
            client_id: consent.client.to_string(),
            client_name,
            scopes: consent.scopes.iter().map(str::to_owned).collect(),
            resources: consent.resources,
            created_at: consent.created_at.rfc3339(),
            updated_at: consent.updated_at.rfc3339(),
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
        }
    }
}

impl Example for ConsentList {
    fn example() -> Self {
        Self { items: vec![ConsentView::example()], next_cursor: None }
    }
}
