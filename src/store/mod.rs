//! An ordered key-value store behind three verbs: `get` (point reads, inline), `scan` (many rows, off the
//! async threads) and `write` (all or nothing, durable when it returns).
//!
//! Knows no feature; features bring their own tables ([`Map`]). Nothing outside this folder knows redb: what
//! the rest of the code sees is byte keys in order, snapshots, and changes that are all or nothing.
mod attach;
mod cache;
pub mod disk;
mod engine;
mod expiry;
mod map;
mod opened;
pub mod schema;
mod sequence;
mod tx;
mod verify;
mod writer;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use crate::base::{Error, Result, Timestamp};

pub use cache::{Cache, Single};
pub use disk::{Disk, FileDisk};
pub use expiry::{Sweep, expire_at};
pub use map::{Map, Record, decode_body, encode};
pub use schema::{Migration, Schema};
pub use sequence::{coming_id, next_id};
pub use tx::{ReadTx, Tx, WriteTx};
pub use verify::{Check, Findings, points_at};

use engine::Engine;

/// The store's file inside the data directory.
pub const FILE_NAME: &str = "auth.redb";

/// How a store is opened.
pub struct Options {
    /// Most bytes of file pages kept in memory.
    pub cache_bytes: usize,
    /// What version the program wants, and how older files become it.
    pub schema: Schema,
    /// Where the copy that is made before a migration goes.
    pub backup_dir: PathBuf,
}

impl Options {
    /// Backups beside the store.
    #[must_use]
    pub fn in_directory(data_dir: &Path, schema: Schema) -> Self {
        Self { cache_bytes: 16 * 1024 * 1024, schema, backup_dir: data_dir.join("backups") }
    }
}

/// A handle to the open store; clones share it.
#[derive(Clone)]
pub struct Store {
    engine: Arc<Engine>,
    writer: writer::Handle,
}

/// What a health probe may say of the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Vitals {
    /// Since when the last change is durable.
    pub last_commit_age: Duration,
    /// Why writes are refused, while they are.
    pub failure: Option<String>,
}

impl Store {
    /// Opens or creates `auth.redb` in a directory.
    ///
    /// # Errors
    /// `Error::Unavailable` when another process has it open, when it is newer than the program, or when the
    /// disk does not serve.
    pub fn open(data_dir: &Path, options: Options) -> Result<Self> {
        let disk = FileDisk::open(&data_dir.join(FILE_NAME))?;
        Self::open_disk(Arc::new(disk), options)
    }

    /// Opens or creates a store on any disk.
    ///
    /// # Errors
    /// As [`Store::open`].
    pub fn open_disk(disk: Arc<dyn Disk>, options: Options) -> Result<Self> {
        let engine = Arc::new(Engine::open(disk, &options)?);
        let writer = writer::spawn(Arc::clone(&engine))?;
        Ok(Self { engine, writer })
    }

    /// Point reads of one snapshot, on the calling thread: a few microseconds.
    ///
    /// # Errors
    /// Whatever `read` returns; `Error::Unavailable` when the disk does not serve.
    pub fn get<T>(&self, read: impl FnOnce(&ReadTx) -> Result<T>) -> Result<T> {
        self.looked_after(self.engine.snapshot().and_then(|tx| read(&tx)))
    }

    /// Has the writer open the store again after a read that its disk failed.
    fn looked_after<T>(&self, read: Result<T>) -> Result<T> {
        read.inspect_err(|error| {
            if matches!(error, Error::Unavailable(_)) && self.engine.is_suspect() {
                self.writer.nudge();
            }
        })
    }

    /// Reads one row, to see whether the disk serves.
    ///
    /// # Errors
    /// `Error::Unavailable` when it does not.
    pub fn probe(&self) -> Result<()> {
        self.looked_after(self.engine.probe())
    }

    /// Reads that walk many rows of one snapshot, on the blocking pool.
    ///
    /// # Errors
    /// As [`Store::get`].
    pub async fn scan<T: Send + 'static>(
        &self,
        read: impl FnOnce(&ReadTx) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let store = self.clone();
        tokio::task::spawn_blocking(move || store.get(read)).await.map_err(Error::internal)?
    }

    /// Runs `change`; its edits are all there or none, and durable once this returns. `change` must not wait
    /// on anything, and may be run by another thread than the caller's.
    ///
    /// # Errors
    /// Whatever `change` returns, and then none of its edits is kept. `Error::Unavailable` when the disk did
    /// not take them: whether they are kept is then open, but never in part.
    pub async fn write<T: Send + 'static>(
        &self,
        change: impl FnOnce(&mut WriteTx) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        self.writer.run(change).await
    }

    /// [`Store::write`] for threads that may block.
    ///
    /// # Errors
    /// As [`Store::write`].
    pub fn write_blocking<T: Send + 'static>(
        &self,
        change: impl FnOnce(&mut WriteTx) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        self.writer.run_blocking(change)
    }

    /// Removes up to `limit` rows whose time is up, of the tables that `sweeps` know.
    ///
    /// # Errors
    /// As [`Store::write`].
    ///
    /// # Returns
    /// How many rows were looked at; `limit` means that there may be more.
    pub async fn sweep(&self, sweeps: &'static [Sweep], now: Timestamp, limit: usize) -> Result<usize> {
        let due = self.scan(move |tx| expiry::due(tx, now, limit)).await?;
        let count = due.len();
        if count > 0 {
            self.write(move |tx| expiry::sweep(tx, sweeps, &due, now)).await?;
        }
        Ok(count)
    }

    /// How the store is, without asking the disk. Writes are tried again by themselves while they fail.
    #[must_use]
    pub fn vitals(&self) -> Vitals {
        self.engine.vitals()
    }

    /// Bytes of the store's file, if the disk says.
    #[must_use]
    pub fn size(&self) -> Option<u64> {
        self.engine.size()
    }

    /// Reads every row of every table and decodes what is `known`; counts rows and lists what is wrong.
    ///
    /// # Errors
    /// As [`Store::get`].
    pub fn verify(&self, known: &[(&'static str, Check)]) -> Result<Findings> {
        self.get(|tx| verify::run(tx, known))
    }

    /// Checks the file's own structure, page by page. For a store that nobody else uses: readers wait.
    ///
    /// # Errors
    /// `Error::Unavailable` when the file is damaged beyond repair.
    ///
    /// # Returns
    /// `false` when something was wrong and has been mended.
    pub fn verify_file(&self) -> Result<bool> {
        self.engine.verify_file()
    }

    /// Finishes queued changes and closes the file. Whatever comes after it is refused.
    pub fn close(&self) {
        self.writer.stop();
        self.engine.close();
    }
}
