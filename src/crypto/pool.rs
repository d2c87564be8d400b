//! Threads that hash and do nothing else, with a bounded queue before them.
//!
//! Hashing a password takes as long as thousands of other requests. On threads of its own, at a lower priority,
//! it slows nobody who does not wait for it; the bound keeps memory and waiting time finite.
use std::num::NonZeroUsize;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::available_parallelism;

use super::password::Hasher;
use crate::base::{Error, Result};

type Job = Box<dyn FnOnce(&mut Hasher) + Send>;

/// How much the kernel prefers the threads that answer requests (nice levels).
const NICENESS: i32 = 19;
/// What a refused client is told to wait.
const RETRY_AFTER_SECS: u64 = 1;

/// A handle to the threads; they end when the last one is dropped.
#[derive(Clone)]
pub struct HashingPool {
    queue: SyncSender<Job>,
    waiting: Arc<AtomicUsize>,
    threads: usize,
    room: usize,
}

/// How busy the threads are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Load {
    pub threads: usize,
    /// Jobs that no thread has begun.
    pub waiting: usize,
    /// How many may wait.
    pub queue: usize,
}

impl HashingPool {
    /// `threads` of them (0: as many as there are cores), and room for `queue` jobs that wait.
    ///
    /// # Errors
    /// `Error::Internal` when the system gives no threads.
    pub fn start(threads: usize, queue: usize) -> Result<Self> {
        let cores = available_parallelism().map_or(1, NonZeroUsize::get);
        let threads = if threads == 0 { cores } else { threads };
        let (sender, receiver) = sync_channel(queue);
        let receiver = Arc::new(Mutex::new(receiver));
        let waiting = Arc::new(AtomicUsize::new(0));
        for n in 0..threads {
            let (jobs, waiting) = (Arc::clone(&receiver), Arc::clone(&waiting));
            let thread = std::thread::Builder::new().name(format!("hashing-{n}"));
            thread.spawn(move || work(&jobs, &waiting)).map_err(Error::internal)?;
        }
        Ok(Self { queue: sender, waiting, threads, room: queue })
    }

    /// Has a thread run `job`, soon.
    ///
    /// # Errors
    /// `Error::Busy` when the queue is full; the job is dropped then.
    pub fn submit(&self, job: impl FnOnce(&mut Hasher) + Send + 'static) -> Result<()> {
        // Before it is queued: a thread may take it at once.
        self.waiting.fetch_add(1, Ordering::Relaxed);
        self.queue.try_send(Box::new(job)).map_err(|refused| {
            self.waiting.fetch_sub(1, Ordering::Relaxed);
            match refused {
                TrySendError::Full(_) => Error::Busy { retry_after_secs: RETRY_AFTER_SECS },
                TrySendError::Disconnected(_) => Error::internal("the hashing threads are gone"),
            }
        })
    }

    /// How busy the threads are.
    #[must_use]
    pub fn load(&self) -> Load {
        let waiting = self.waiting.load(Ordering::Relaxed);
        Load { threads: self.threads, waiting, queue: self.room }
    }
}

fn work(jobs: &Mutex<Receiver<Job>>, waiting: &AtomicUsize) {
    lower_priority();
    let mut hasher = Hasher::default();
    loop {
        // One thread waits for the next job, the others wait for the lock.
        let next = jobs.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(job) = next else { return };
        waiting.fetch_sub(1, Ordering::Relaxed);
        if catch_unwind(AssertUnwindSafe(|| job(&mut hasher))).is_err() {
            tracing::error!("a hashing job panicked");
            hasher = Hasher::default();
        }
    }
}

/// On Linux the priority belongs to the thread.
fn lower_priority() {
    let me = Some(rustix::thread::gettid());
    if let Err(cause) = rustix::process::setpriority_process(me, NICENESS) {
        tracing::debug!(%cause, "hashing threads run at normal priority");
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;

    use super::*;

    #[test]
    fn a_full_queue_refuses_and_a_panic_leaves_the_pool_working() {
        let pool = HashingPool::start(1, 1).unwrap();
        let (release, wait) = channel::<()>();
        let (started, has_started) = channel();
        pool.submit(move |_| {
            started.send(()).unwrap();
            wait.recv().unwrap();
            panic!("on purpose");
        })
        .unwrap();
        has_started.recv().unwrap();
        let (done, is_done) = channel();
        pool.submit(move |_| done.send(()).unwrap()).unwrap();
        assert_eq!(pool.submit(|_| ()), Err(Error::Busy { retry_after_secs: 1 }));
        release.send(()).unwrap();
        is_done.recv().unwrap();
    }
}
