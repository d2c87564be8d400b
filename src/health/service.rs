//! The probes behind `/health`: real ones, at each call.
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use moka::sync::Cache;

use crate::base::{Env, Result, Tick, Timestamp};
use crate::store::{Map, Store};

/// A store that commits nothing for so long, though it commits a heartbeat every half minute, is stuck.
const STALE: Duration = Duration::from_secs(120);
/// Read at each probe; that no row is there is a good answer of the disk, too.
const PROBE: Map<u64> = Map::new("store.meta");
/// More probes than run at the same time: a number further away was left behind by a cache that takes nothing.
const AT_ONCE: u64 = 100_000;
const PROBE_KEY: &[u8] = b"schema";

/// Probes of the store and the cache.
#[derive(Clone)]
pub struct Health {
    store: Store,
    env: Env,
    cache: Cache<u8, u64>,
    probes: Arc<AtomicU64>,
    started: Tick,
}

impl Health {
    #[must_use]
    pub fn new(store: Store, env: Env) -> Self {
        Self { store, env, cache: Cache::new(1), probes: Arc::default(), started: Tick::now() }
    }

    /// Whether the store reads and commits.
    #[must_use]
    pub fn database_is_well(&self) -> bool {
        let vitals = self.store.vitals();
        let reads = || self.store.get(|tx| PROBE.get(tx, PROBE_KEY).map(drop)).is_ok();
        vitals.failure.is_none() && vitals.last_commit_age < STALE && reads()
    }

    /// Whether the cache gives back what is put into it.
    #[must_use]
    pub fn cache_is_well(&self) -> bool {
        let probe = self.probes.fetch_add(1, Ordering::Relaxed);
        self.cache.insert(0, probe);
        // Other probes put theirs at the same time, in any order.
        self.cache.get(&0).is_some_and(|found| found.abs_diff(probe) <= AT_ONCE)
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

    /// Whether requests can be served at all.
    ///
    /// # Errors
    /// `Error::Unavailable` when the store does not serve.
    pub fn check_ready(&self) -> Result<()> {
        self.store.get(|tx| PROBE.get(tx, PROBE_KEY).map(drop))
    }
}
