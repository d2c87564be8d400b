//! What the store writes on. The real one is a file; tests put one there that loses power or runs full.
use std::fmt::Debug;
use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;

use crate::base::{Error, Result};

/// A random-access disk of bytes.
#[expect(clippy::missing_errors_doc, reason = "each gives the error of the system, whatever it is")]
pub trait Disk: Debug + Send + Sync + 'static {
    /// Bytes it has.
    fn len(&self) -> io::Result<u64>;

    /// Whether it has none yet.
    fn is_empty(&self) -> io::Result<bool> {
        Ok(self.len()? == 0)
    }

    /// Fills `out` from `offset`; reading past the end is an error.
    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()>;

    /// Writes all of `data` at `offset`; durable only after [`Disk::sync`].
    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()>;

    /// Makes it longer (with zeros) or shorter.
    fn set_len(&self, len: u64) -> io::Result<()>;

    /// Returns once everything written is durable.
    fn sync(&self) -> io::Result<()>;

    /// A write or sync has failed: what reads return must come from the medium again, not from a cache that
    /// still shows what never reached it.
    fn distrust_caches(&self) {}
}

/// A file that one process at a time has open.
#[derive(Debug)]
pub struct FileDisk(File);

impl FileDisk {
    /// Opens or creates the file, readable by its owner alone, and locks it.
    ///
    /// # Errors
    /// `Error::Unavailable` saying what is the matter: another process holds the lock, or the system refuses.
    pub fn open(path: &Path) -> Result<Self> {
        let describe =
            |cause: io::Error| Error::unavailable(format!("cannot open {}: {cause}", path.display()));
        let mut options = OpenOptions::new();
        let file = options.read(true).write(true).create(true).truncate(false).mode(0o600).open(path);
        let file = file.map_err(describe)?;
        // Without it a power cut could take the whole file that was just made.
        if let Err(cause) = path.parent().map_or(Ok(()), |dir| File::open(dir)?.sync_all()) {
            tracing::warn!(%cause, "could not make the directory of the store durable");
        }
        match file.try_lock() {
            Ok(()) => Ok(Self(file)),
            Err(TryLockError::WouldBlock) => Err(Error::unavailable(format!(
                "{} is in use by another auth-service process; stop it, or give this one a data directory of its own",
                path.display()
            ))),
            Err(TryLockError::Error(cause)) => Err(describe(cause)),
        }
    }
}

impl Disk for FileDisk {
    fn len(&self) -> io::Result<u64> {
        Ok(self.0.metadata()?.len())
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.0.read_exact_at(out, offset)
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.0.write_all_at(data, offset)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.0.set_len(len)
    }

    fn sync(&self) -> io::Result<()> {
        self.0.sync_data()
    }

    /// After a failed fsync Linux marks the pages clean although they never arrived; dropping them from the
    /// page cache makes the next read come from the disk.
    fn distrust_caches(&self) {
        let advice = rustix::fs::Advice::DontNeed;
        if let Err(cause) = rustix::fs::fadvise(&self.0, 0, None, advice) {
            tracing::warn!(%cause, "could not drop the page cache of the store");
        }
    }
}
