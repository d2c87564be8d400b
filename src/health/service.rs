//! The probes behind `/health`: real ones, at each call.
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use moka::sync::Cache;

use crate::base::{Env, Result, Tick, Timestamp};
use crate::store::{Store, Vitals};

/// A store that commits nothing for so long, though it commits a heartbeat every half minute, is stuck.
const STALE: Duration = Duration::from_secs(120);
/// More probes than run at the same time: a number further away was left behind by a cache that takes nothing.
const AT_ONCE: u64 = 100_000;

const KEY: u8 = 0;

/// What a probe puts into the cache.
struct Entry {
    second: u64,
    value: AtomicU64,
}

/// Probes of the store and the cache.
#[derive(Clone)]
pub struct Health {
    store: Store,
    env: Env,
    cache: Cache<u8, Arc<Entry>>,
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
        vitals.failure.is_none() && vitals.last_commit_age < STALE && self.store.probe().is_ok()
    }

    /// Whether the cache gives back what is put into it. The entry is a new one every second; in between the value
    /// is put into the entry that the cache holds.
    #[must_use]
    pub fn cache_is_well(&self) -> bool {
        let (probe, second) = (self.probes.fetch_add(1, Ordering::Relaxed), self.uptime().as_secs());
        match self.cache.get(&KEY) {
            Some(entry) if entry.second == second => entry.value.store(probe, Ordering::Relaxed),
            _ => self.cache.insert(KEY, Arc::new(Entry { second, value: AtomicU64::new(probe) })),
        }
        let found = self.cache.get(&KEY).map(|entry| entry.value.load(Ordering::Relaxed));
        // Other probes put theirs at the same time, in any order.
        found.is_some_and(|found| found.abs_diff(probe) <= AT_ONCE)
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

    /// Whether requests can be served at all.
    ///
    /// # Errors
    /// `Error::Unavailable` when the store does not serve.
    pub fn check_ready(&self) -> Result<()> {
        self.store.probe()
    }
}
