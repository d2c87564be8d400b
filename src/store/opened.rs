//! One database of redb on a disk: how it is opened, probed, changed outside the queue, given up and closed.
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use redb::{Builder, Database, ReadOnlyTable, ReadableDatabase, TableDefinition};

use super::attach::Attachment;
use super::disk::Disk;
use super::{Map, WriteTx, schema};
use crate::base::{Error, Result, Tick};

const HEARTBEAT: Map<u64> = schema::META;
const HEARTBEAT_KEY: &[u8] = b"heartbeat";
/// A table that is open has its root at hand, and says nothing of the disk; so it is opened again so often.
const PROBE_AGAIN: Duration = Duration::from_secs(1);

/// A database on its disk.
pub struct Opened {
    pub database: Database,
    pub attachment: Attachment,
    pub writable: bool,
    /// A read has failed: redb refuses everything from now on. Shared with every reader of this database.
    pub suspect: Arc<AtomicBool>,
    /// What the last probe read from, for the next one.
    probed: Mutex<Option<Probed>>,
}

/// An open table of the last commit. It is closed by the next one: what a reader sees, nobody can reuse.
struct Probed {
    commit: u64,
    at: Tick,
    table: ReadOnlyTable<&'static [u8], &'static [u8]>,
}

/// Empties a disk on which the making of the store was cut short.
///
/// redb makes a file long, writes a header without its mark, and the mark only once all that is durable. What a
/// power cut leaves before that has nothing but zeros after its first page, and redb would refuse it for ever.
pub fn forget_half_made(disk: &dyn Disk) -> std::io::Result<()> {
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

impl Opened {
    pub fn probe(&self, commit: u64) -> Result<(), String> {
        let mut probed = self.probed();
        let is_good = |probed: &Probed| probed.commit == commit && probed.at.elapsed() < PROBE_AGAIN;
        if !probed.as_ref().is_some_and(is_good) {
            let txn = self.database.begin_read().map_err(|cause| cause.to_string())?;
            let table =
                txn.open_table(TableDefinition::new(HEARTBEAT.name())).map_err(|cause| cause.to_string())?;
            *probed = Some(Probed { commit, at: Tick::now(), table });
        }
        let read = probed.as_ref().map(|probed| probed.table.get(HEARTBEAT_KEY).map(drop));
        read.unwrap_or(Ok(())).map_err(|cause| cause.to_string())
    }

    pub fn forget_probed(&self) {
        self.probed().take();
    }

    fn probed(&self) -> MutexGuard<'_, Option<Probed>> {
        self.probed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A read has failed.
    pub fn distrust(&self) {
        self.suspect.store(true, Ordering::SeqCst);
    }

    pub fn is_suspect(&self) -> bool {
        self.suspect.load(Ordering::SeqCst)
    }

    pub fn has_readers(&self) -> bool {
        Arc::strong_count(&self.suspect) > 1
    }
}

/// A database that has just committed.
pub fn open_proven(disk: &Arc<dyn Disk>, cache_bytes: usize) -> Result<Opened> {
    let opened = open_writable(disk, cache_bytes)?;
    match commit_alone(&opened, beat) {
        Ok(()) => Ok(opened),
        Err(error) => {
            give_up(Some(opened));
            Err(error)
        }
    }
}

pub fn open_writable(disk: &Arc<dyn Disk>, cache_bytes: usize) -> Result<Opened> {
    open_attached(Attachment::writable(Arc::clone(disk)), cache_bytes, true)
}

pub fn open_read_only(disk: &Arc<dyn Disk>, cache_bytes: usize) -> Result<Opened> {
    let attachment = Attachment::read_only(Arc::clone(disk)).map_err(Error::unavailable)?;
    open_attached(attachment, cache_bytes, false)
}

fn open_attached(attachment: Attachment, cache_bytes: usize, writable: bool) -> Result<Opened> {
    let mut builder = Builder::new();
    builder.set_cache_size(cache_bytes);
    // redb promises no error for a damaged file, and a panic here would end the writer.
    let database = catch_unwind(AssertUnwindSafe(|| builder.create_with_backend(attachment.clone())));
    let database = database.map_err(|_| "redb panicked".to_owned());
    let database =
        database.and_then(|opened| opened.map_err(|cause| cause.to_string())).map_err(|cause| {
            attachment.retire();
            Error::unavailable(format!("cannot open the store: {cause}"))
        })?;
    Ok(Opened { database, attachment, writable, suspect: Arc::default(), probed: Mutex::default() })
}

/// Drops a database that must not touch its disk any more.
pub fn give_up(opened: Option<Opened>) {
    if let Some(opened) = opened {
        opened.forget_probed();
        opened.attachment.retire();
        drop(opened.database);
    }
}

/// Closes a database in good health.
pub fn shut(opened: Option<Opened>) {
    if let Some(opened) = opened {
        opened.forget_probed();
        if let Err(cause) = opened.database.close() {
            tracing::warn!(%cause, "the store did not close cleanly");
        }
        opened.attachment.retire();
    }
}

#[expect(clippy::disallowed_methods, reason = "for the changes that the store makes for itself")]
pub fn commit_alone(opened: &Opened, change: impl FnOnce(&mut WriteTx) -> Result<()>) -> Result<()> {
    let mut txn = opened.database.begin_write().map_err(Error::unavailable)?;
    txn.set_quick_repair(true);
    let broken = std::cell::Cell::new(false);
    let mut tx = WriteTx::new(&txn, &broken);
    change(&mut tx)?;
    tx.apply()?;
    txn.commit().map_err(Error::unavailable)
}

pub fn beat(tx: &mut WriteTx) -> Result<()> {
    let beats = HEARTBEAT.get(tx, HEARTBEAT_KEY)?.unwrap_or(0);
    HEARTBEAT.put(tx, HEARTBEAT_KEY, &beats.wrapping_add(1))
}
