//! Clients, from memory: what every request of one asks.
use std::sync::Arc;

use super::model::{Client, ClientId};
use super::table;
use crate::base::Result;
use crate::oauth::assertion::Assertions;
use crate::store::{Cache, Store, WriteTx};

const CLIENTS_KEPT: u64 = 10_000;

/// The clients that are in use, never older than the last commit that anybody has heard of.
#[derive(Clone)]
pub struct LiveClients {
    store: Store,
    clients: Cache<ClientId, Option<Arc<Client>>>,
    /// What they sign.
    pub assertions: Assertions,
}

impl LiveClients {
    #[must_use]
    pub fn new(store: Store, assertions: Assertions) -> Self {
        Self { store, clients: Cache::new(CLIENTS_KEPT), assertions }
    }

    /// The client of a name, if there is one that may be used.
    ///
    /// # Errors
    /// `Error::Unavailable` when the store does not serve.
    pub fn find(&self, id: &ClientId) -> Result<Option<Arc<Client>>> {
        let load = |tx: &crate::store::ReadTx| Ok(table::by_id(tx, id)?.map(Arc::new));
        Ok(self.clients.get(&self.store, id.clone(), load)?.filter(|client| client.is_active))
    }

    /// Call in every change of a client.
    pub fn forget(&self, tx: &mut WriteTx, id: &ClientId) {
        self.clients.forget(tx, id.clone());
    }
}
