//! The open database, and what happens when its disk fails.
//!
//! redb gives a database up for good after one failed operation. The engine answers by opening the same disk
//! again: at once for reading alone (what redb would write then stays in memory), and for writing as soon as
//! the disk takes a whole commit again. Callers see refused writes, never a restart.
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::Duration;

use redb::{ReadableDatabase, WriteTransaction};

use super::disk::Disk;
use super::opened::{
    Opened, beat, commit_alone, forget_half_made, give_up, open_proven, open_read_only, open_writable, shut,
};
use super::schema::{self, Plan};
use super::{Options, ReadTx, Vitals, WriteTx};
use crate::base::{Error, Result, Tick};

/// How long readers may finish on a database that another one has taken the place of.
const GRACE: Duration = Duration::from_millis(500);

/// A database on a disk, or the lack of one.
pub struct Engine {
    disk: Mutex<Option<Arc<dyn Disk>>>,
    cache_bytes: usize,
    current: RwLock<Option<Opened>>,
    /// Counts durable commits, and databases that were replaced: what a failed commit left, nobody knows.
    commits: AtomicU64,
    /// The count at which the current database took the place of another.
    replaced: AtomicU64,
    pulse: Mutex<Pulse>,
}

struct Pulse {
    last_commit: Tick,
    failure: Option<String>,
}

impl Engine {
    /// Opens the disk, makes the schema what the program wants, and proves with a commit that it takes writes.
    pub fn open(disk: Arc<dyn Disk>, options: &Options) -> Result<Self> {
        disk.distrust_caches();
        forget_half_made(disk.as_ref()).map_err(Error::unavailable)?;
        let opened = open_writable(&disk, options.cache_bytes)?;
        let engine = Self {
            disk: Mutex::new(Some(disk)),
            cache_bytes: options.cache_bytes,
            current: RwLock::new(Some(opened)),
            commits: AtomicU64::new(0),
            replaced: AtomicU64::new(0),
            pulse: Mutex::new(Pulse { last_commit: Tick::now(), failure: None }),
        };
        engine.prepare(options)?;
        Ok(engine)
    }

    fn prepare(&self, options: &Options) -> Result<()> {
        let found = schema::version(&self.snapshot()?)?;
        let schema = options.schema;
        match schema.plan(found)? {
            Plan::Nothing => self.change(beat),
            Plan::Create => self.change(|tx| schema.stamp(tx)),
            Plan::Migrate { from } => {
                self.back_up(options, from)?;
                self.change(|tx| schema.migrate(tx, from))?;
                tracing::info!(from, to = schema.version(), "the store was migrated");
                Ok(())
            }
        }
    }

    /// The database is closed while its file is copied.
    fn back_up(&self, options: &Options, version: u64) -> Result<()> {
        let mut current = self.current.write().unwrap_or_else(PoisonError::into_inner);
        shut(current.take());
        let disk = self.disk()?;
        let path = schema::back_up(disk.as_ref(), &options.backup_dir, version)?;
        tracing::info!(path = %path.display(), "the store was copied before its migration");
        *current = Some(open_writable(&disk, self.cache_bytes)?);
        Ok(())
    }

    /// What is durable now.
    pub fn snapshot(&self) -> Result<ReadTx> {
        let current = self.current.read().unwrap_or_else(PoisonError::into_inner);
        let opened = current.as_ref().ok_or_else(closed)?;
        // Before the snapshot: it may show more than this commit, never less.
        let commit = self.commits.load(Ordering::SeqCst);
        let txn = opened.database.begin_read().map_err(|cause| {
            opened.distrust();
            Error::unavailable(cause)
        })?;
        Ok(ReadTx::new(txn, commit, Arc::clone(&opened.suspect)))
    }

    /// Reads a row of what is durable now. Cheap enough for every call of a load balancer: the table stays open for a
    /// second, or until the next commit.
    pub fn probe(&self) -> Result<()> {
        let current = self.current.read().unwrap_or_else(PoisonError::into_inner);
        let opened = current.as_ref().ok_or_else(closed)?;
        opened.probe(self.last_commit()).map_err(|cause| {
            opened.distrust();
            Error::Unavailable(cause)
        })
    }

    /// A transaction for the next batch.
    ///
    /// Quick repair saves the allocator's state with every commit and commits in two phases. So the start after
    /// a crash does not walk the whole file, and no value that a client chose can pass for a committed page.
    #[expect(clippy::disallowed_methods, reason = "the one place that opens write transactions")]
    pub fn begin(&self) -> Result<WriteTransaction> {
        let current = self.current.read().unwrap_or_else(PoisonError::into_inner);
        let opened = current.as_ref().filter(|opened| opened.writable);
        let opened = opened.ok_or_else(|| Error::unavailable("the store takes no writes"))?;
        let mut txn = opened.database.begin_write().map_err(Error::unavailable)?;
        txn.set_quick_repair(true);
        Ok(txn)
    }

    /// A commit is durable.
    ///
    /// # Returns
    /// Its number.
    pub fn committed(&self) -> u64 {
        let mut pulse = self.pulse();
        pulse.last_commit = Tick::now();
        pulse.failure = None;
        drop(pulse);
        let number = self.commits.fetch_add(1, Ordering::SeqCst) + 1;
        let current = self.current.read().unwrap_or_else(PoisonError::into_inner);
        current.as_ref().inspect(|opened| opened.forget_probed());
        number
    }

    /// The number of the last commit.
    pub fn last_commit(&self) -> u64 {
        self.commits.load(Ordering::SeqCst)
    }

    /// What was read at an earlier number came from another database, which may have shown a commit that this
    /// one never saw, or the other way round.
    pub fn replaced_at(&self) -> u64 {
        self.replaced.load(Ordering::SeqCst)
    }

    /// A commit failed, and nobody knows whether it is durable: opens the disk for reading alone.
    ///
    /// # Returns
    /// The number at which whatever is there now is true.
    pub fn fail(&self, cause: &str) -> u64 {
        tracing::error!(cause, "the store failed; writes are refused until its disk takes them again");
        self.pulse().failure = Some(cause.to_owned());
        let mut current = self.current.write().unwrap_or_else(PoisonError::into_inner);
        give_up(current.take());
        let opened = self.open_for_reading();
        *current = opened.inspect_err(|error| tracing::error!(?error, "the store cannot even be read")).ok();
        self.count_replaced()
    }

    fn open_for_reading(&self) -> Result<Opened> {
        let disk = self.disk()?;
        disk.distrust_caches();
        open_read_only(&disk, self.cache_bytes)
    }

    /// With `current` locked for writing, so that no reader takes the number of one database for the other's.
    fn count_replaced(&self) -> u64 {
        let number = self.commits.fetch_add(1, Ordering::SeqCst) + 1;
        self.replaced.store(number, Ordering::SeqCst);
        number
    }

    /// Whether redb has given the current database up, or it cannot be written.
    pub fn needs_recovery(&self) -> bool {
        let current = self.current.read().unwrap_or_else(PoisonError::into_inner);
        current.as_ref().is_none_or(|opened| !opened.writable || opened.is_suspect())
    }

    /// Has the current database given up by [`Engine::recover`].
    pub fn suspect(&self) {
        let current = self.current.read().unwrap_or_else(PoisonError::into_inner);
        current.as_ref().inspect(|opened| opened.distrust());
    }

    /// Whether a read has failed.
    pub fn is_suspect(&self) -> bool {
        let current = self.current.read().unwrap_or_else(PoisonError::into_inner);
        current.as_ref().is_some_and(Opened::is_suspect)
    }

    /// Opens the disk for writing again and commits, beside the view that serves readers meanwhile.
    pub fn recover(&self) -> Result<()> {
        if self.is_suspect() {
            self.fail("a read from the store failed");
        }
        let disk = self.disk()?;
        disk.distrust_caches();
        match open_proven(&disk, self.cache_bytes) {
            Ok(opened) => {
                let attachment = opened.attachment.clone();
                // What is free since its commit is not free for those who still read what was before.
                attachment.hold_writes();
                self.replace(Some(opened));
                attachment.resume_writes();
                self.committed();
                tracing::info!("the store takes writes again");
                Ok(())
            }
            Err(error) => {
                // Its commit may have got through to the disk. The next attempt would then write where the view
                // of before that commit still reads.
                self.replace(self.open_for_reading().ok());
                Err(error)
            }
        }
    }

    /// Those who read the old database may finish.
    fn replace(&self, next: Option<Opened>) {
        let mut current = self.current.write().unwrap_or_else(PoisonError::into_inner);
        let old = std::mem::replace(&mut *current, next);
        self.count_replaced();
        drop(current);
        let start = Tick::now();
        while old.as_ref().is_some_and(Opened::has_readers) && start.elapsed() < GRACE {
            std::thread::sleep(GRACE / 100);
        }
        give_up(old);
    }

    /// A commit of next to nothing, so that an idle server notices a dead disk.
    pub fn heartbeat(&self) -> Result<()> {
        self.change(beat)
    }

    fn change(&self, change: impl FnOnce(&mut WriteTx) -> Result<()>) -> Result<()> {
        let current = self.current.read().unwrap_or_else(PoisonError::into_inner);
        let opened = current.as_ref().filter(|opened| opened.writable);
        let opened = opened.ok_or_else(|| Error::unavailable("the store takes no writes"))?;
        commit_alone(opened, change)?;
        drop(current);
        self.committed();
        Ok(())
    }

    /// How the store is.
    pub fn vitals(&self) -> Vitals {
        let suspect = self.is_suspect().then(|| "a read from the store failed".to_owned());
        let pulse = self.pulse();
        Vitals { last_commit_age: pulse.last_commit.elapsed(), failure: pulse.failure.clone().or(suspect) }
    }

    /// Bytes of the file, if the disk says.
    pub fn size(&self) -> Option<u64> {
        self.disk().ok()?.len().ok()
    }

    /// redb's own check of the file.
    pub fn verify_file(&self) -> Result<bool> {
        let mut current = self.current.write().unwrap_or_else(PoisonError::into_inner);
        let opened = current.as_mut().ok_or_else(|| Error::unavailable("the store is closed"))?;
        opened.forget_probed();
        opened.database.check_integrity().map_err(Error::unavailable)
    }

    /// Closes the file and lets go of the disk.
    pub fn close(&self) {
        let mut current = self.current.write().unwrap_or_else(PoisonError::into_inner);
        shut(current.take());
        self.disk.lock().unwrap_or_else(PoisonError::into_inner).take();
    }

    fn disk(&self) -> Result<Arc<dyn Disk>> {
        let disk = self.disk.lock().unwrap_or_else(PoisonError::into_inner).clone();
        disk.ok_or_else(|| Error::unavailable("the store is closed"))
    }

    fn pulse(&self) -> MutexGuard<'_, Pulse> {
        self.pulse.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn closed() -> Error {
    Error::unavailable("the store is closed, or unreadable")
}
