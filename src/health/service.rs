//! The probes behind `/health`: real ones, at each call.
use std::time::Duration;

use moka::sync::Cache;

use crate::base::{Env, Tick, Timestamp};
use crate::store::{Store, Vitals};

/// A store that commits nothing for so long, though it commits a heartbeat every half minute, is stuck.
const STALE: Duration = Duration::from_secs(120);

/// Probes of the store and the cache.
#[derive(Clone)]
pub struct Health {
    store: Store,
    env: Env,
    cache: Cache<u8, u64>,
    started: Tick,
}

impl Health {
    #[must_use]
    pub fn new(store: Store, env: Env) -> Self {
        Self { store, env, cache: Cache::new(1), started: Tick::now() }
    }

    /// Whether the store reads and commits.
    #[must_use]
    pub fn database_is_well(&self) -> bool {
        let vitals = self.store.vitals();
        vitals.failure.is_none() && vitals.last_commit_age < STALE && self.store.probe().is_ok()
    }

    /// Whether the cache gives back what is put into it.
    #[must_use]
    pub fn cache_is_well(&self) -> bool {
        let second = self.uptime().as_secs();
        self.cache.insert(0, second);
        // Another probe may have put its second at the same time, in any order.
        self.cache.get(&0).is_some_and(|found| found.abs_diff(second) <= 1)
    }

    /// What the store says of itself.
    #[must_use]
    pub fn vitals(&self) -> Vitals {
        self.store.vitals()
    }

    /// Bytes of the store's file, if the disk says.
    #[must_use]
    pub fn store_size(&self) -> Option<u64> {
        self.store.size()
    }

    /// Since when the program runs.
    #[must_use]
    pub fn uptime(&self) -> Duration {
        self.started.elapsed()
    }

    /// The present, for the answer.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.env.now()
    }
}
