//! Decoded values kept near, never older than the last change its caller has heard of.
//!
//! Newer knowledge wins, in whatever order it arrives: every entry carries the commit at which it was true. Without
//! it, a reader that began before a commit could put the old value back after that commit's invalidation, and a
//! revoked session would live on. For the same reason nothing is believed that was read before the engine had to open
//! its disk again.
use std::hash::Hash;
use std::sync::{Arc, PoisonError, RwLock};

use moka::ops::compute::Op;
use moka::sync;

use super::{ReadTx, Store, WriteTx};
use crate::base::Result;

/// The commit at which a key was looked at, and its value (`None`: changed since, load it again).
type Known<V> = (u64, Option<V>);

/// Values of `V` by `K`, loaded from the store on a miss.
pub struct Cache<K, V>(sync::Cache<K, Known<V>>);

impl<K, V> Clone for Cache<K, V> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<K, V> Cache<K, V>
where
    K: Hash + Eq + Clone + Send + Sync + 'static,
    V: Clone + Send + Sync + 'static,
{
    /// A cache of at most about `capacity` entries.
    #[must_use]
    pub fn new(capacity: u64) -> Self {
        Self(sync::Cache::new(capacity))
    }

    /// The value of `key`, from memory or by `load`.
    ///
    /// # Errors
    /// Whatever `load` returns.
    pub fn get(&self, store: &Store, key: K, load: impl FnOnce(&ReadTx) -> Result<V>) -> Result<V> {
        if let Some((commit, Some(value))) = self.0.get(&key)
            && commit >= store.engine.replaced_at()
        {
            return Ok(value);
        }
        let (commit, value) = store.get(|tx| Ok((tx.commit(), load(tx)?)))?;
        // Where nothing is known any more, a change may have been forgotten that came after the reading.
        let is_latest = || store.engine.last_commit() == commit;
        self.0.entry(key).and_compute_with(|old| match old {
            Some(old) if old.value().0 > commit => Op::Nop,
            None if !is_latest() => Op::Nop,
            _ => Op::Put((commit, Some(value.clone()))),
        });
        Ok(value)
    }

    /// About how many entries there are.
    #[must_use]
    pub fn entries(&self) -> u64 {
        self.0.run_pending_tasks();
        self.0.entry_count()
    }

    /// Call in every change of what `key` stands for.
    pub fn forget(&self, tx: &mut WriteTx, key: K) {
        let cache = self.clone();
        tx.when_settled(move |commit| {
            cache.0.entry(key).and_compute_with(|old| match old {
                Some(old) if old.value().0 > commit => Op::Nop,
                _ => Op::Put((commit, None)),
            });
        });
    }
}

/// One value that every request asks for: a [`Cache`] of one entry, without its search.
pub struct Single<V>(Arc<RwLock<Option<Known<V>>>>);

impl<V> Clone for Single<V> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<V> Default for Single<V> {
    fn default() -> Self {
        Self(Arc::default())
    }
}

impl<V: Clone + Send + Sync + 'static> Single<V> {
    /// The value, from memory or by `load`.
    ///
    /// # Errors
    /// Whatever `load` returns.
    pub fn get(&self, store: &Store, load: impl FnOnce(&ReadTx) -> Result<V>) -> Result<V> {
        if let Some((commit, Some(value))) = &*self.0.read().unwrap_or_else(PoisonError::into_inner)
            && *commit >= store.engine.replaced_at()
        {
            return Ok(value.clone());
        }
        let (commit, value) = store.get(|tx| Ok((tx.commit(), load(tx)?)))?;
        let mut known = self.0.write().unwrap_or_else(PoisonError::into_inner);
        match &*known {
            Some((later, _)) if *later > commit => {}
            // A change may have been forgotten that came after the reading.
            None if store.engine.last_commit() != commit => {}
            _ => *known = Some((commit, Some(value.clone()))),
        }
        Ok(value)
    }

    /// Call in every change of what the value is made of.
    pub fn forget(&self, tx: &mut WriteTx) {
        let cache = self.clone();
        tx.when_settled(move |commit| {
            let mut known = cache.0.write().unwrap_or_else(PoisonError::into_inner);
            if known.as_ref().is_none_or(|(later, _)| *later <= commit) {
                *known = Some((commit, None));
            }
        });
    }
}
