//! The only writer. Changes queued behind each other share one transaction and one fsync (group commit); each
//! still succeeds or leaves no trace on its own.
use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use redb::WriteTransaction;
use tokio::sync::oneshot;

use super::engine::Engine;
use super::tx::{Effect, WriteTx};
use crate::base::{Error, Result, Tick};

/// Larger batches gain little and make the first of a batch wait.
const MAX_BATCH: usize = 256;
/// An idle store commits this often, to notice a dead disk.
pub const HEARTBEAT_EVERY: Duration = Duration::from_secs(30);
/// A failed store is tried again this often.
const RETRY_EVERY: Duration = Duration::from_millis(500);

enum Message {
    Change(Box<dyn Job>),
    /// A read has failed: look after the store now.
    Nudge,
    Stop,
}

/// One queued change: runs, then hears what became of its batch.
trait Job: Send {
    fn run(&mut self, batch: &Batch);
    fn settle(self: Box<Self>, outcome: &Outcome);
}

/// One transaction for many changes.
struct Batch {
    txn: WriteTransaction,
    /// The disk failed below a change: nothing of the batch may be committed.
    broken: Cell<bool>,
    edited: Cell<bool>,
}

/// What became of a batch.
enum Outcome {
    Durable { commit: u64 },
    Failed { commit: u64, error: Error },
}

/// The way to the writer thread.
#[derive(Clone)]
pub struct Handle {
    queue: Sender<Message>,
    thread: Arc<Mutex<Option<JoinHandle<()>>>>,
}

impl Handle {
    /// Queues a change and waits for its batch to be durable.
    pub async fn run<T: Send + 'static>(
        &self,
        change: impl FnOnce(&mut WriteTx) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        self.submit(change)?.await.map_err(|_| gone())?
    }

    /// [`Handle::run`] for threads that may block.
    pub fn run_blocking<T: Send + 'static>(
        &self,
        change: impl FnOnce(&mut WriteTx) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        self.submit(change)?.blocking_recv().map_err(|_| gone())?
    }

    fn submit<T: Send + 'static>(
        &self,
        change: impl FnOnce(&mut WriteTx) -> Result<T> + Send + 'static,
    ) -> Result<oneshot::Receiver<Result<T>>> {
        let (reply, outcome) = oneshot::channel();
        let job = Pending { change: Some(change), ran: None, reply };
        self.queue.send(Message::Change(Box::new(job))).map_err(|_| gone())?;
        Ok(outcome)
    }

    /// Has the writer look after the store at once.
    pub fn nudge(&self) {
        // A writer that is gone has nothing to look after.
        drop(self.queue.send(Message::Nudge));
    }

    /// Finishes what is queued and ends the thread.
    pub fn stop(&self) {
        drop(self.queue.send(Message::Stop));
        // Held until the thread has ended, for whoever else wants it ended.
        let mut thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner);
        if thread.take().map(JoinHandle::join).is_some_and(|joined| joined.is_err()) {
            tracing::error!("the store's writer ended by a panic");
        }
    }
}

fn gone() -> Error {
    Error::unavailable("the store is closed")
}

struct Pending<T, F> {
    change: Option<F>,
    ran: Option<Result<(T, Vec<Effect>)>>,
    reply: oneshot::Sender<Result<T>>,
}

impl<T: Send, F: FnOnce(&mut WriteTx) -> Result<T> + Send> Job for Pending<T, F> {
    fn run(&mut self, batch: &Batch) {
        self.ran = self.change.take().map(|change| attempt(batch, change));
    }

    fn settle(self: Box<Self>, outcome: &Outcome) {
        let Self { ran, reply, .. } = *self;
        let answer = match (ran, outcome) {
            (Some(Ok((value, effects))), Outcome::Durable { commit }) => {
                run_effects(effects, *commit);
                Ok(value)
            }
            (Some(Err(error)), Outcome::Durable { .. }) => Err(error),
            (None, Outcome::Durable { .. }) => Err(Error::internal("a change was never run")),
            (Some(Ok((_, effects))), Outcome::Failed { commit, error }) => {
                run_effects(effects, *commit);
                Err(error.clone())
            }
            // Why it refused may rest on an edit of the same batch, and that is not durable.
            (Some(Err(_)) | None, Outcome::Failed { error, .. }) => Err(error.clone()),
        };
        // A caller that went away does not undo its change.
        drop(reply.send(answer));
    }
}

/// Runs one change on top of the batch. `Err` and panics leave the batch as it was.
fn attempt<T>(batch: &Batch, change: impl FnOnce(&mut WriteTx) -> Result<T>) -> Result<(T, Vec<Effect>)> {
    let mut tx = WriteTx::new(&batch.txn, &batch.broken);
    let ran = catch_unwind(AssertUnwindSafe(|| change(&mut tx)));
    let value = ran.unwrap_or_else(|_| Err(Error::internal("a change panicked")))?;
    let (effects, edited) = tx.apply()?;
    batch.edited.set(batch.edited.get() || edited);
    Ok((value, effects))
}

fn run_effects(effects: Vec<Effect>, commit: u64) {
    for effect in effects {
        if catch_unwind(AssertUnwindSafe(|| effect(commit))).is_err() {
            tracing::error!("an effect of a change panicked");
        }
    }
}

/// Starts the writer thread.
pub fn spawn(engine: Arc<Engine>) -> Result<Handle> {
    let (queue, messages) = channel();
    let thread = std::thread::Builder::new().name("store-writer".into());
    let thread = thread.spawn(move || Writer { engine, messages, last_try: Tick::now() }.run());
    Ok(Handle { queue, thread: Arc::new(Mutex::new(Some(thread.map_err(Error::internal)?))) })
}

struct Writer {
    engine: Arc<Engine>,
    messages: Receiver<Message>,
    last_try: Tick,
}

impl Writer {
    fn run(mut self) {
        loop {
            let failed = self.engine.needs_recovery();
            let pause = if failed { RETRY_EVERY } else { HEARTBEAT_EVERY };
            let message = self.messages.recv_timeout(pause);
            self.look_after();
            match message {
                Ok(Message::Change(first)) => {
                    let (batch, last) = self.gather(first);
                    self.surviving(|| commit(&self.engine, batch));
                    if last {
                        return;
                    }
                }
                Ok(Message::Nudge) => {}
                Err(RecvTimeoutError::Timeout) => self.surviving(|| self.heartbeat()),
                Ok(Message::Stop) | Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    /// The change and what is queued behind it, up to a batch; and whether it is the last.
    fn gather(&self, first: Box<dyn Job>) -> (Vec<Box<dyn Job>>, bool) {
        let mut batch = vec![first];
        for message in self.messages.try_iter() {
            match message {
                Message::Change(job) => batch.push(job),
                Message::Nudge => {}
                Message::Stop => return (batch, true),
            }
            if batch.len() == MAX_BATCH {
                break;
            }
        }
        (batch, false)
    }

    /// Tries to bring a failed store back, at most every [`RETRY_EVERY`].
    fn look_after(&mut self) {
        if !self.engine.needs_recovery() || self.last_try.elapsed() < RETRY_EVERY && !self.engine.is_suspect()
        {
            return;
        }
        let recovered = catch_unwind(AssertUnwindSafe(|| self.engine.recover()));
        self.last_try = Tick::now();
        if !matches!(recovered, Ok(Ok(()))) {
            tracing::debug!(?recovered, "the store still takes no writes");
        }
    }

    fn heartbeat(&self) {
        if self.engine.needs_recovery() || self.engine.vitals().last_commit_age < HEARTBEAT_EVERY {
            return;
        }
        if let Err(error) = self.engine.heartbeat() {
            self.engine.fail(&format!("{error:?}"));
        }
    }

    /// A panic of redb (it poisons its locks, so there may be more to come) must not end the only writer.
    fn surviving(&self, work: impl FnOnce()) {
        if catch_unwind(AssertUnwindSafe(work)).is_err() {
            tracing::error!("the store's writer panicked; the store is opened anew");
            self.engine.suspect();
        }
    }
}

fn commit(engine: &Engine, mut jobs: Vec<Box<dyn Job>>) {
    let outcome = match engine.begin() {
        Err(error) if engine.needs_recovery() => Outcome::Failed { commit: engine.last_commit(), error },
        // redb has given the database up, and nobody has noticed yet.
        Err(error) => Outcome::Failed { commit: engine.fail(&format!("{error:?}")), error },
        Ok(txn) => {
            let batch = Batch { txn, broken: Cell::new(false), edited: Cell::new(false) };
            jobs.iter_mut().for_each(|job| job.run(&batch));
            finish(engine, batch)
        }
    };
    jobs.into_iter().for_each(|job| job.settle(&outcome));
}

fn finish(engine: &Engine, batch: Batch) -> Outcome {
    let Batch { txn, broken, edited } = batch;
    // In each case it ends the transaction: an open one would keep a database open that the engine gives up.
    let end = || match (broken.get(), edited.get()) {
        (true, _) => Err(format!("the disk failed below a change ({:?})", txn.abort())),
        (false, true) => txn.commit().map(|()| true).map_err(|cause| cause.to_string()),
        (false, false) => txn.abort().map(|()| false).map_err(|cause| cause.to_string()),
    };
    let done = catch_unwind(AssertUnwindSafe(end)).unwrap_or_else(|_| Err("a commit panicked".to_owned()));
    match done {
        Ok(true) => Outcome::Durable { commit: engine.committed() },
        // There was nothing to make durable: what the changes have read already is.
        Ok(false) => Outcome::Durable { commit: engine.last_commit() },
        Err(cause) => Outcome::Failed { commit: engine.fail(&cause), error: Error::Unavailable(cause) },
    }
}
