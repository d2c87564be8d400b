//! What a consent is. Pure.
use serde::{Deserialize, Serialize};

use crate::base::Timestamp;
use crate::oauth::client::{Client, ClientId};
use crate::oauth::grant::model::Consented;
use crate::oauth::scope::Scopes;

/// What a user has let a client have, at one time or another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Consent {
    pub user: u64,
    pub client: ClientId,
    pub scopes: Scopes,
    pub resources: Vec<String>,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

impl Consent {
    /// Whether a client is the one that it was given to: one that was deleted and made anew is another.
    #[must_use]
    pub fn is_of(&self, client: &Client) -> bool {
        self.client == client.id && self.created_at >= client.created_at
    }

    /// Whether it has all of something in it.
    #[must_use]
    pub fn covers(&self, client: &Client, wanted: &Consented) -> bool {
        self.is_of(client)
            && wanted.all_scopes().is_within(&self.scopes)
            && wanted.resources.iter().all(|uri| self.resources.contains(uri))
    }

    /// The consent with something more in it.
    #[must_use]
    pub fn and(mut self, wanted: &Consented, now: Timestamp) -> Self {
        self.scopes = self.scopes.and(&wanted.all_scopes());
        let new = wanted.resources.iter().filter(|uri| !self.resources.contains(uri)).cloned();
        let new: Vec<_> = new.collect();
        self.resources.extend(new);
        self.updated_at = now;
        self
    }
}
