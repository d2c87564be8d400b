//! Deliveries: how the rest of the program has them written, and how administrators see them.
use std::sync::Arc;

use tokio::sync::Notify;

use super::change;
use super::model::Delivery;
use super::table;
use crate::base::{Env, Error, Id, Page, PageRequest, Result};
use crate::oauth::client::{self, ClientId};
use crate::oauth::grant::Minter;
use crate::outbound::Outbound;
use crate::session::Session;
use crate::store::{ReadTx, Store, WriteTx};

const DAY_SECS: i64 = 24 * 3600;
/// Rows that are removed in one change.
const AT_ONCE: usize = 1000;

/// Where ends of sessions are noted, for clients to be told.
#[derive(Clone)]
pub struct Outbox {
    env: Env,
    pub(super) wake: Arc<Notify>,
}

/// What clients are told of the ends of sessions.
#[derive(Clone)]
pub struct Backchannel {
    pub store: Store,
    pub env: Env,
    pub minter: Minter,
    pub outbound: Outbound,
    pub outbox: Outbox,
    /// Days that deliveries are listed; 0 for ever.
    pub days: i64,
}

impl Outbox {
    #[must_use]
    pub fn new(env: Env) -> Self {
        Self { env, wake: Arc::new(Notify::new()) }
    }

    /// Call in every change that ends a session: its clients are told once the change is durable, and nobody waits for them.
    ///
    /// # Errors
    /// `Error::Unavailable` when the store does not serve, here and below.
    pub fn session_ended(&self, tx: &mut WriteTx, session: Id<Session>) -> Result<()> {
        if change::session_ended(tx, session, self.env.now())? {
            let wake = Arc::clone(&self.wake);
            tx.when_settled(move |_| wake.notify_one());
        }
        Ok(())
    }
}

impl Backchannel {
    /// One page of what a client was told, or is to be told, the oldest first.
    ///
    /// # Errors
    /// `Error::NotFound` for a client that is not there.
    pub async fn list(&self, client: ClientId, request: PageRequest) -> Result<Page<Delivery>> {
        let list = move |tx: &ReadTx| {
            client::table::by_id(tx, &client)?.ok_or(Error::NotFound("OAuth client"))?;
            table::of_client(tx, &client, &request)
        };
        self.store.scan(list).await
    }

    /// Removes what was settled long ago.
    ///
    /// # Errors
    /// `Error::Unavailable` when the store does not serve.
    pub async fn prune(&self) -> Result<()> {
        if self.days == 0 {
            return Ok(());
        }
        let before = self.env.now().plus_secs(self.days.saturating_mul(-DAY_SECS));
        while self.store.write(move |tx| table::prune(tx, before, AT_ONCE)).await? {}
        Ok(())
    }
}
