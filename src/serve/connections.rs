//! The open connections: how many there may be, and which one goes when there are too many.
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use crate::base::Tick;

/// How many connections one search for an idle one looks at; the next search goes on where it ended.
const LOOKED_AT: usize = 1024;
/// How many are closed when the system has no more file descriptors.
const ROOM: usize = 16;

/// What is known of one connection.
pub struct Connection {
    id: u64,
    opened: Tick,
    running: AtomicUsize,
    served: AtomicU64,
    /// What `served` was when a search came by; nothing that it can be before the first one.
    served_before: AtomicU64,
    /// Microseconds after `opened` at which it was last without a request.
    idle_since: AtomicU64,
    /// Rings when it has to go.
    pub evicted: Notify,
    all: Arc<Connections>,
}

/// All of them.
pub struct Connections {
    open: Mutex<Open>,
    limit: usize,
    next_id: AtomicU64,
    /// Rings when the last one has closed.
    emptied: Notify,
}

#[derive(Default)]
struct Open {
    by_id: BTreeMap<u64, Arc<Connection>>,
    /// Where the next search for an idle one begins.
    hand: u64,
}

impl Connections {
    pub fn new(limit: usize) -> Arc<Self> {
        let (open, next_id, emptied) = (Mutex::default(), AtomicU64::new(0), Notify::new());
        Arc::new(Self { open, limit, next_id, emptied })
    }

    /// Takes a new connection in; at the limit an idle one goes for it. `None`: all of them are busy.
    pub fn admit(self: &Arc<Self>) -> Option<Guard> {
        let mut open = self.open();
        if open.by_id.len() >= self.limit && !open.evict() {
            return None;
        }
        let connection = Arc::new(Connection {
            id: self.next_id.fetch_add(1, Ordering::Relaxed),
            opened: Tick::now(),
            running: AtomicUsize::new(0),
            served: AtomicU64::new(0),
            served_before: AtomicU64::new(u64::MAX),
            idle_since: AtomicU64::new(0),
            evicted: Notify::new(),
            all: Arc::clone(self),
        });
        open.by_id.insert(connection.id, Arc::clone(&connection));
        Some(Guard(connection))
    }

    /// Has some idle connections closed, because the system has no more file descriptors.
    pub fn make_room(&self) {
        let mut open = self.open();
        for _ in 0..ROOM {
            open.evict();
        }
    }

    /// Returns once none is open.
    pub async fn all_closed(&self) {
        loop {
            let emptied = self.emptied.notified();
            if self.open().by_id.is_empty() {
                return;
            }
            emptied.await;
        }
    }

    fn open(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Open {
    /// Closes an idle connection: the next that has sent nothing since the last search came by, or the longest idle
    /// one when all have. (The second-chance rule: whoever asks now and then stays, at no cost per request.)
    fn evict(&mut self) -> bool {
        let onward = self.by_id.range(self.hand..).chain(self.by_id.range(..self.hand));
        let mut idle = onward.take(LOOKED_AT).inspect(|(id, _)| self.hand = *id + 1);
        let mut longest = None;
        let silent = idle.find(|(id, connection)| {
            let is_idle = !connection.is_busy();
            if is_idle {
                longest = longest.max(Some((connection.idle_micros(), **id)));
            }
            is_idle && !connection.has_asked_again()
        });
        let Some(id) = silent.map(|(id, _)| *id).or(longest.map(|(_, id)| id)) else { return false };
        if let Some(connection) = self.by_id.remove(&id) {
            connection.evicted.notify_one();
        }
        true
    }
}

impl Connection {
    /// A request has begun; it runs until the guard is dropped.
    pub fn begin(self: &Arc<Self>) -> Running {
        self.running.fetch_add(1, Ordering::SeqCst);
        self.served.fetch_add(1, Ordering::Relaxed);
        Running(Arc::clone(self))
    }

    pub fn is_busy(&self) -> bool {
        self.running.load(Ordering::SeqCst) > 0
    }

    /// Whether it has ever sent a whole request head.
    pub fn has_served(&self) -> bool {
        self.served.load(Ordering::Relaxed) > 0
    }

    /// Whether it was opened or has sent a request since this was last asked.
    fn has_asked_again(&self) -> bool {
        let served = self.served.load(Ordering::Relaxed);
        self.served_before.swap(served, Ordering::Relaxed) != served
    }

    /// For how many microseconds it has been without a request.
    pub fn idle_micros(&self) -> u64 {
        self.age_micros().saturating_sub(self.idle_since.load(Ordering::Relaxed))
    }

    fn age_micros(&self) -> u64 {
        u64::try_from(self.opened.elapsed().as_micros()).unwrap_or(u64::MAX)
    }
}

/// A connection that is open; dropping it gives its place free.
pub struct Guard(pub Arc<Connection>);

impl Drop for Guard {
    fn drop(&mut self) {
        let all = &self.0.all;
        let mut open = all.open();
        open.by_id.remove(&self.0.id);
        if open.by_id.is_empty() {
            all.emptied.notify_waiters();
        }
    }
}

/// A request that runs.
pub struct Running(Arc<Connection>);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.idle_since.store(self.0.age_micros(), Ordering::Relaxed);
        self.0.running.fetch_sub(1, Ordering::SeqCst);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open(all: &Arc<Connections>, guard: &Guard) -> bool {
        all.open().by_id.contains_key(&guard.0.id)
    }

    #[test]
    fn at_the_limit_whoever_asks_now_and_then_stays_and_a_busy_one_always_does() {
        let all = Connections::new(10);
        let (busy, polite) = (all.admit().unwrap(), all.admit().unwrap());
        let running = busy.0.begin();
        let mut others: Vec<_> = (0..8).map(|_| all.admit().unwrap()).collect();
        for _ in 0..100 {
            drop(polite.0.begin());
            others.push(all.admit().unwrap());
            assert!(open(&all, &busy) && open(&all, &polite) && all.open().by_id.len() == 10);
        }
        let idle = others.iter().filter(|other| open(&all, other));
        let more: Vec<_> = idle.map(|other| other.0.begin()).chain([polite.0.begin()]).collect();
        assert!(all.admit().is_none(), "all are busy");
        drop((more, running));
    }

    #[test]
    fn any_number_of_busy_ones_before_it_do_not_hide_an_idle_one() {
        let all = Connections::new(2 * LOOKED_AT);
        let guards: Vec<_> = (0..2 * LOOKED_AT).map(|_| all.admit().unwrap()).collect();
        let (idle, busy) = guards.split_last().unwrap();
        let _running: Vec<_> = busy.iter().map(|guard| guard.0.begin()).collect();
        assert!(all.admit().is_none(), "not found yet");
        assert!(all.admit().is_some() && !open(&all, idle));
    }
}
