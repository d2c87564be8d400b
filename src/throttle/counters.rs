//! Counts in memory, 20 bytes each, in parts that are locked one by one.
use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::model::{Count, Limits};

const PARTS: usize = 16;
/// How many entries are looked at to find the one that goes.
const LOOKED_AT: usize = 16;
/// Changed entries of a part that are remembered until they are written; of more, those that are used again.
const MOST_CHANGED: usize = 4096;
/// Counts with fewer guesses are not worth a write: they are free anyway.
pub const WORTH_WRITING: u32 = 5;

/// Counts by key.
pub struct Counters {
    parts: Vec<Mutex<Part>>,
    room: usize,
}

#[derive(Default)]
struct Part {
    counts: BTreeMap<u64, Count>,
    /// Keys of entries that were changed since they were written.
    changed: Vec<u64>,
}

impl Counters {
    /// Room for about so many.
    #[must_use]
    pub fn new(most: usize) -> Self {
        let parts = (0..PARTS).map(|_| Mutex::default()).collect();
        Self { parts, room: most.div_ceil(PARTS).max(LOOKED_AT) }
    }

    fn part(&self, key: u64) -> MutexGuard<'_, Part> {
        // Keys are hashes already.
        self.parts[key as usize % PARTS].lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts a guess; `stored`: what is known of a key that is not in memory.
    ///
    /// # Errors
    /// How many seconds there are to wait.
    ///
    /// # Returns
    /// The count before, and with the guess.
    pub fn count(
        &self,
        key: u64,
        limits: &Limits,
        now: u32,
        stored: impl FnOnce() -> Count,
    ) -> Result<(Count, Count), u32> {
        let mut part = self.part(key);
        let known = part.counts.get(&key).copied().unwrap_or_else(stored);
        let counted = limits.count(known, now)?;
        part.put(key, counted, self.room);
        Ok((known, counted))
    }

    /// Changes a count that is in memory.
    ///
    /// # Returns
    /// What it was before.
    pub fn change(&self, key: u64, change: impl FnOnce(Count) -> Count) -> u32 {
        let mut part = self.part(key);
        let Some(known) = part.counts.get(&key).copied() else { return 0 };
        part.put(key, change(known), self.room);
        known.guesses
    }

    /// Gives what was changed since the last time.
    #[must_use]
    pub fn take_changed(&self) -> Vec<(u64, Count)> {
        let take = |part: &Mutex<Part>| {
            let mut part = part.lock().unwrap_or_else(PoisonError::into_inner);
            let mut keys = std::mem::take(&mut part.changed);
            keys.sort_unstable();
            keys.dedup();
            let counts = &part.counts;
            keys.into_iter().filter_map(|key| Some((key, *counts.get(&key)?))).collect::<Vec<_>>()
        };
        self.parts.iter().flat_map(take).collect()
    }

    /// Takes back what could not be written.
    pub fn put_back(&self, keys: impl Iterator<Item = u64>) {
        for key in keys {
            let mut part = self.part(key);
            if part.changed.len() < MOST_CHANGED {
                part.changed.push(key);
            }
        }
    }

    /// Forgets what is older than a time.
    pub fn forget_before(&self, time: u32) {
        for part in &self.parts {
            let mut part = part.lock().unwrap_or_else(PoisonError::into_inner);
            part.counts.retain(|_, count| count.last >= time);
        }
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        let len = |part: &Mutex<Part>| part.lock().unwrap_or_else(PoisonError::into_inner).counts.len();
        self.parts.iter().map(len).sum()
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl Part {
    fn put(&mut self, key: u64, count: Count, room: usize) {
        if self.counts.len() >= room && !self.counts.contains_key(&key) {
            self.make_room(key);
        }
        let before = self.counts.insert(key, count).map_or(0, |before| before.guesses);
        if before.max(count.guesses) >= WORTH_WRITING && self.changed.len() < MOST_CHANGED {
            self.changed.push(key);
        }
    }

    /// Of the entries around a key, which nobody outside can foresee, the one with the fewest guesses goes; of those with as
    /// many, the oldest.
    fn make_room(&mut self, key: u64) {
        let around = self.counts.range(key..).chain(self.counts.range(..key)).take(LOOKED_AT);
        let least = around.min_by_key(|(_, count)| (count.guesses, count.last)).map(|(key, _)| *key);
        if let Some(key) = least {
            self.counts.remove(&key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Limits = Limits { free: 10, longest: 900, relief: 600 };

    fn count(counters: &Counters, key: u64) -> Result<(), u32> {
        counters.count(key, &LIMITS, 1000, Count::default).map(drop)
    }

    #[test]
    fn no_more_come_through_at_the_same_time_than_are_free() {
        let counters = Counters::new(1000);
        let through = std::sync::atomic::AtomicUsize::new(0);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    let mine = (0..250).filter(|_| count(&counters, 7).is_ok()).count();
                    through.fetch_add(mine, std::sync::atomic::Ordering::SeqCst);
                });
            }
        });
        assert_eq!(through.into_inner(), 10);
    }

    #[test]
    fn at_the_limit_those_that_matter_stay() {
        let counters = Counters::new(1600);
        for _ in 0..20 {
            let _ = count(&counters, 16);
        }
        // Each in the part of the first.
        for other in 2..20_000 {
            let _ = count(&counters, other * 16);
        }
        assert!(counters.len() <= 1600 + 16);
        assert_eq!(count(&counters, 16), Err(1));
    }

    #[test]
    fn what_matters_is_to_be_written_once() {
        let counters = Counters::new(100);
        for _ in 0..6 {
            count(&counters, 1).unwrap();
        }
        count(&counters, 2).unwrap();
        assert_eq!(counters.take_changed(), [(1, Count { guesses: 6, last: 1000, rest: 0 })]);
        assert!(counters.take_changed().is_empty());
        counters.change(1, |count| Count { guesses: 0, ..count });
        assert_eq!(counters.take_changed(), [(1, Count { guesses: 0, last: 1000, rest: 0 })]);
        counters.forget_before(1001);
        assert!(counters.is_empty());
    }
}
