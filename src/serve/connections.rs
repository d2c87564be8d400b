//! The open connections: how many there may be, and which one goes when there are too many.
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use crate::base::Tick;

/// How many of the oldest connections are looked at to find one that can go.
const CANDIDATES: usize = 64;

/// What is known of one connection.
pub struct Connection {
    id: u64,
    opened: Tick,
    running: AtomicUsize,
    served: AtomicU64,
    /// Milliseconds after `opened` at which it was last without a request.
    idle_since: AtomicU64,
    /// Rings when it has to go.
    pub evicted: Notify,
    all: Arc<Connections>,
}

/// All of them.
pub struct Connections {
    open: Mutex<BTreeMap<u64, Arc<Connection>>>,
    limit: usize,
    next_id: AtomicU64,
    /// Rings when the last one has closed.
    emptied: Notify,
}

impl Connections {
    pub fn new(limit: usize) -> Arc<Self> {
        let (open, next_id, emptied) = (Mutex::default(), AtomicU64::new(0), Notify::new());
        Arc::new(Self { open, limit, next_id, emptied })
    }

    /// Takes a new connection in; at the limit an idle one goes for it. `None`: all of them are busy.
    pub fn admit(self: &Arc<Self>) -> Option<Guard> {
        let mut open = self.open();
        if open.len() >= self.limit && !evict(&mut open) {
            return None;
        }
        let connection = Arc::new(Connection {
            id: self.next_id.fetch_add(1, Ordering::Relaxed),
            opened: Tick::now(),
            running: AtomicUsize::new(0),
            served: AtomicU64::new(0),
            idle_since: AtomicU64::new(0),
            evicted: Notify::new(),
            all: Arc::clone(self),
        });
        open.insert(connection.id, Arc::clone(&connection));
        Some(Guard(connection))
    }

    /// Has an idle connection closed, because the system has no more file descriptors.
    pub fn make_room(&self) {
        evict(&mut self.open());
    }

    /// Returns once none is open.
    pub async fn all_closed(&self) {
        loop {
            let emptied = self.emptied.notified();
            if self.open().is_empty() {
                return;
            }
            emptied.await;
        }
    }

    fn open(&self) -> MutexGuard<'_, BTreeMap<u64, Arc<Connection>>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Closes one of the oldest idle connections, one that has never sent a request before others.
fn evict(open: &mut BTreeMap<u64, Arc<Connection>>) -> bool {
    let idle = || open.values().take(CANDIDATES).filter(|connection| !connection.is_busy());
    let silent = idle().find(|connection| connection.served.load(Ordering::Relaxed) == 0);
    let Some(id) = silent.or_else(|| idle().next()).map(|connection| connection.id) else { return false };
    if let Some(connection) = open.remove(&id) {
        connection.evicted.notify_one();
    }
    true
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

    /// For how many milliseconds it has been without a request.
    pub fn idle_millis(&self) -> u64 {
        let age = u64::try_from(self.opened.elapsed().as_millis()).unwrap_or(u64::MAX);
        age.saturating_sub(self.idle_since.load(Ordering::Relaxed))
    }
}

/// A connection that is open; dropping it gives its place free.
pub struct Guard(pub Arc<Connection>);

impl Drop for Guard {
    fn drop(&mut self) {
        let all = &self.0.all;
        let mut open = all.open();
        open.remove(&self.0.id);
        if open.is_empty() {
            all.emptied.notify_waiters();
        }
    }
}

/// A request that runs.
pub struct Running(Arc<Connection>);

impl Drop for Running {
    fn drop(&mut self) {
        let age = u64::try_from(self.0.opened.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.0.idle_since.store(age, Ordering::Relaxed);
        self.0.running.fetch_sub(1, Ordering::SeqCst);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn at_the_limit_a_silent_connection_goes_first_and_a_busy_one_never() {
        let all = Connections::new(3);
        let (busy, polite, silent) = (all.admit().unwrap(), all.admit().unwrap(), all.admit().unwrap());
        let _running = busy.0.begin();
        drop(polite.0.begin());
        let _fourth = all.admit().unwrap();
        assert!(!all.open().contains_key(&silent.0.id));
        let fifth = all.admit().unwrap();
        let _runs = (fifth.0.begin(), polite.0.begin());
        assert!(all.open().contains_key(&busy.0.id) && all.open().contains_key(&polite.0.id));
        assert!(all.admit().is_none(), "all are busy");
    }
}
