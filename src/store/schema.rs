//! The store's version, and the numbered steps from each to the next.
//!
//! A record's shape changes by [`super::Record::VERSION`]; keys, indexes and tables change here.
use std::fs::{self, File};
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use super::disk::Disk;
use super::{Map, Tx, WriteTx};
use crate::base::{Error, Result};

pub(super) const META: Map<u64> = Map::new("store.meta");
const VERSION_KEY: &[u8] = b"schema";
const COPY_CHUNK: usize = 1 << 20;

/// One step from a version to the next.
pub type Migration = fn(&mut WriteTx) -> Result<()>;

/// The version a program wants: one more than it has steps. A new store starts there.
#[derive(Clone, Copy)]
pub struct Schema {
    /// `steps[n]` leads from version `n + 1` to `n + 2`.
    pub steps: &'static [Migration],
}

impl Schema {
    /// The version of a store that all steps have been made on.
    #[must_use]
    pub const fn version(&self) -> u64 {
        self.steps.len() as u64 + 1
    }

    /// What has to be done for a store of version `found` (`None`: a new one).
    ///
    /// # Errors
    /// `Error::Unavailable` for a store that a newer program has written.
    pub(super) fn plan(&self, found: Option<u64>) -> Result<Plan> {
        match found {
            None => Ok(Plan::Create),
            Some(version) if version == self.version() => Ok(Plan::Nothing),
            Some(version) if version < self.version() => Ok(Plan::Migrate { from: version }),
            Some(version) => Err(Error::unavailable(format!(
                "the store has version {version} and this program knows versions up to {}; use the newer program",
                self.version()
            ))),
        }
    }

    /// Makes every step from `from` on, and writes the new version, in the one change `tx`.
    pub(super) fn migrate(&self, tx: &mut WriteTx, from: u64) -> Result<()> {
        let done = usize::try_from(from.saturating_sub(1)).map_err(Error::internal)?;
        self.steps.iter().skip(done).try_for_each(|step| step(tx))?;
        self.stamp(tx)
    }

    /// Writes the version.
    pub(super) fn stamp(&self, tx: &mut WriteTx) -> Result<()> {
        META.put(tx, VERSION_KEY, &self.version())
    }
}

/// What opening a store has to do first.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Plan {
    Nothing,
    Create,
    Migrate { from: u64 },
}

/// The version written in a store.
pub(super) fn version(tx: &impl Tx) -> Result<Option<u64>> {
    META.get(tx, VERSION_KEY)
}

/// Copies the whole disk, durably, to `backup_dir/auth-v<version>.redb`.
pub(super) fn back_up(disk: &dyn Disk, backup_dir: &Path, version: u64) -> Result<PathBuf> {
    let path = backup_dir.join(format!("auth-v{version}.redb"));
    copy(disk, backup_dir, &path).map_err(|cause| {
        Error::unavailable(format!("cannot copy the store to {}: {cause}", path.display()))
    })?;
    Ok(path)
}

fn copy(disk: &dyn Disk, dir: &Path, path: &Path) -> std::io::Result<()> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(dir)?;
    let partial = path.with_extension("partial");
    let mut file = File::options().write(true).create(true).truncate(true).mode(0o600).open(&partial)?;
    let (len, mut offset) = (disk.len()?, 0);
    let mut chunk = vec![0; COPY_CHUNK];
    while offset < len {
        let take = usize::try_from(len - offset).unwrap_or(COPY_CHUNK).min(COPY_CHUNK);
        disk.read(offset, &mut chunk[..take])?;
        file.write_all(&chunk[..take])?;
        offset += take as u64;
    }
    file.sync_all()?;
    fs::rename(&partial, path)?;
    File::open(dir)?.sync_all()
}
