//! The open database, and what happens when its disk fails.
//!
//! redb gives a database up for good after one failed operation. The engine answers by opening the same disk
//! again: at once for reading alone (what redb would write then stays in memory), and for writing as soon as
//! the disk takes a whole commit again. Callers see refused writes, never a restart.
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use redb::{Builder, Database, ReadableDatabase, WriteTransaction};

use super::attach::Attachment;
use super::disk::Disk;
use super::schema::{self, Plan};
use super::{Map, Options, ReadTx, Vitals, WriteTx};
use crate::base::{Error, Result, Tick};

const HEARTBEAT: Map<u64> = schema::META;
const HEARTBEAT_KEY: &[u8] = b"heartbeat";

/// A database on a disk, or the lack of one.
pub struct Engine {
    disk: Mutex<Option<Arc<dyn Disk>>>,
    cache_bytes: usize,
    current: RwLock<Option<Opened>>,
    /// How many commits are durable (or may be, after a failure).
    commits: AtomicU64,
    /// A read has failed: redb refuses everything from now on.
    suspect: AtomicBool,
    pulse: Mutex<Pulse>,
}

struct Opened {
    /// Always there but for the moment of closing.
    database: Database,
    attachment: Attachment,
    writable: bool,
}

struct Pulse {
    last_commit: Tick,
    failure: Option<String>,
}

impl Engine {
    /// Opens the disk, makes the schema what the program wants, and proves with a commit that it takes writes.
    pub fn open(disk: Arc<dyn Disk>, options: &Options) -> Result<Self> {
        forget_half_made(disk.as_ref()).map_err(Error::unavailable)?;
        let opened = open_writable(&disk, options.cache_bytes)?;
        let engine = Self {
            disk: Mutex::new(Some(disk)),
            cache_bytes: options.cache_bytes,
            current: RwLock::new(Some(opened)),
            commits: AtomicU64::new(0),
            suspect: AtomicBool::new(false),
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
    pub fn snapshot(&self) -> Result<ReadTx<'_>> {
        let current = self.current.read().unwrap_or_else(PoisonError::into_inner);
        let opened = current.as_ref().ok_or_else(|| Error::unavailable("the store is closed"))?;
        // Before the snapshot: it may show more than this commit, never less.
        let commit = self.commits.load(Ordering::SeqCst);
        let txn = opened.database.begin_read().map_err(|cause| {
            self.suspect.store(true, Ordering::SeqCst);
            Error::unavailable(cause)
        })?;
        Ok(ReadTx::new(txn, commit, &self.suspect))
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
        self.commits.fetch_add(1, Ordering::SeqCst) + 1
    }

    /// The number of the last commit.
    pub fn last_commit(&self) -> u64 {
        self.commits.load(Ordering::SeqCst)
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
        *current = self
            .disk()
            .and_then(|disk| {
                disk.distrust_caches();
                open_read_only(&disk, self.cache_bytes)
            })
            .inspect_err(|error| tracing::error!(?error, "the store cannot even be read"))
            .ok();
        self.suspect.store(false, Ordering::SeqCst);
        self.commits.fetch_add(1, Ordering::SeqCst) + 1
    }

    /// Whether redb has given the current database up, or it cannot be written.
    pub fn needs_recovery(&self) -> bool {
        let current = self.current.read().unwrap_or_else(PoisonError::into_inner);
        self.is_suspect() || current.as_ref().is_none_or(|opened| !opened.writable)
    }

    /// Whether a read has failed.
    pub fn is_suspect(&self) -> bool {
        self.suspect.load(Ordering::SeqCst)
    }

    /// Opens the disk for writing again and commits, beside the view that serves readers meanwhile.
    pub fn recover(&self) -> Result<()> {
        if self.is_suspect() {
            self.fail("a read from the store failed");
        }
        let disk = self.disk()?;
        let opened = open_writable(&disk, self.cache_bytes)?;
        let proven = commit_alone(&opened, beat);
        if let Err(error) = proven {
            give_up(Some(opened));
            return Err(error);
        }
        let mut current = self.current.write().unwrap_or_else(PoisonError::into_inner);
        give_up(current.replace(opened));
        drop(current);
        self.committed();
        tracing::info!("the store takes writes again");
        Ok(())
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
        self.committed();
        Ok(())
    }

    /// How the store is.
    pub fn vitals(&self) -> Vitals {
        let pulse = self.pulse();
        let suspect = self.is_suspect().then(|| "a read from the store failed".to_owned());
        Vitals { last_commit_age: pulse.last_commit.elapsed(), failure: pulse.failure.clone().or(suspect) }
    }

    /// redb's own check of the file.
    pub fn verify_file(&self) -> Result<bool> {
        let mut current = self.current.write().unwrap_or_else(PoisonError::into_inner);
        let opened = current.as_mut().ok_or_else(|| Error::unavailable("the store is closed"))?;
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

/// Empties a disk on which the making of the store was cut short.
///
/// redb makes a file long, writes a header without its mark, and the mark only once all that is durable. What a
/// power cut leaves before that has nothing but zeros after its first page, and redb would refuse it for ever.
fn forget_half_made(disk: &dyn Disk) -> std::io::Result<()> {
    const MARK: usize = 9;
    let mut page = vec![0; 4096];
    let (len, mut offset) = (disk.len()?, 0);
    while offset < len {
        let take = (len - offset).min(page.len() as u64) as usize;
        disk.read(offset, &mut page[..take])?;
        let blank = if offset == 0 { take.min(MARK) } else { take };
        if page[..blank].iter().any(|byte| *byte != 0) {
            return Ok(());
        }
        offset += take as u64;
    }
    if len > 0 {
        tracing::warn!("the making of the store had been cut short; it is made anew");
        disk.set_len(0)?;
        disk.sync()?;
    }
    Ok(())
}

fn open_writable(disk: &Arc<dyn Disk>, cache_bytes: usize) -> Result<Opened> {
    open_attached(Attachment::writable(Arc::clone(disk)), cache_bytes, true)
}

fn open_read_only(disk: &Arc<dyn Disk>, cache_bytes: usize) -> Result<Opened> {
    let attachment = Attachment::read_only(Arc::clone(disk)).map_err(Error::unavailable)?;
    open_attached(attachment, cache_bytes, false)
}

fn open_attached(attachment: Attachment, cache_bytes: usize, writable: bool) -> Result<Opened> {
    let mut builder = Builder::new();
    builder.set_cache_size(cache_bytes);
    let database = builder.create_with_backend(attachment.clone()).map_err(|cause| {
        attachment.retire();
        Error::unavailable(format!("cannot open the store: {cause}"))
    })?;
    Ok(Opened { database, attachment, writable })
}

/// Drops a database that must not touch its disk any more.
fn give_up(opened: Option<Opened>) {
    if let Some(opened) = opened {
        opened.attachment.retire();
        drop(opened.database);
    }
}

/// Closes a database in good health.
fn shut(opened: Option<Opened>) {
    if let Some(opened) = opened {
        if let Err(cause) = opened.database.close() {
            tracing::warn!(%cause, "the store did not close cleanly");
        }
        opened.attachment.retire();
    }
}

#[expect(clippy::disallowed_methods, reason = "for the changes that the store makes for itself")]
fn commit_alone(opened: &Opened, change: impl FnOnce(&mut WriteTx) -> Result<()>) -> Result<()> {
    let mut txn = opened.database.begin_write().map_err(Error::unavailable)?;
    txn.set_quick_repair(true);
    let broken = std::cell::Cell::new(false);
    let mut tx = WriteTx::new(&txn, &broken);
    change(&mut tx)?;
    tx.apply()?;
    txn.commit().map_err(Error::unavailable)
}

fn beat(tx: &mut WriteTx) -> Result<()> {
    let beats = HEARTBEAT.get(tx, HEARTBEAT_KEY)?.unwrap_or(0);
    HEARTBEAT.put(tx, HEARTBEAT_KEY, &beats.wrapping_add(1))
}
