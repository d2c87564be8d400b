//! A disk as redb wants it, one attachment per opened database.
//!
//! redb gives a database up for good after one failed operation. The engine then opens another one on the same
//! disk, so each attachment can be retired: an old database that is still referenced can touch nothing more.
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::io;
use std::sync::{Arc, Mutex, PoisonError, RwLock, RwLockReadGuard};

use redb::StorageBackend;

use super::disk::Disk;

const BLOCK: u64 = 4096;

/// The connection of one redb database to a disk.
#[derive(Debug, Clone)]
pub struct Attachment(Arc<Link>);

#[derive(Debug)]
struct Link {
    disk: Arc<dyn Disk>,
    /// Held for reading by whatever changes the disk: once it is less, nothing is under way any more. Readers of
    /// a database write too, when they make room in its cache.
    allowed: RwLock<Allowed>,
    /// Read-only attachments keep what redb writes here; the disk never sees it.
    overlay: Option<Mutex<Overlay>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Allowed {
    Everything,
    Reads,
    Nothing,
}

#[derive(Debug)]
struct Overlay {
    len: u64,
    blocks: BTreeMap<u64, Box<[u8]>>,
}

impl Attachment {
    /// Reads and writes go to the disk.
    pub fn writable(disk: Arc<dyn Disk>) -> Self {
        Self(Arc::new(Link { disk, allowed: RwLock::new(Allowed::Everything), overlay: None }))
    }

    /// Reads come from the disk; what redb writes while it opens stays in memory.
    pub fn read_only(disk: Arc<dyn Disk>) -> io::Result<Self> {
        let overlay = Overlay { len: disk.len()?, blocks: BTreeMap::new() };
        let overlay = Some(Mutex::new(overlay));
        Ok(Self(Arc::new(Link { disk, allowed: RwLock::new(Allowed::Everything), overlay })))
    }

    /// Once this returns every operation fails.
    pub fn retire(&self) {
        self.allow(Allowed::Nothing);
    }

    /// Whatever changes the disk fails until [`Attachment::resume_writes`]. Meanwhile redb only makes room in its
    /// cache, and does without when that fails.
    pub fn hold_writes(&self) {
        self.allow(Allowed::Reads);
    }

    /// After [`Attachment::hold_writes`].
    pub fn resume_writes(&self) {
        self.allow(Allowed::Everything);
    }

    fn allow(&self, allowed: Allowed) {
        let mut current = self.0.allowed.write().unwrap_or_else(PoisonError::into_inner);
        if *current != Allowed::Nothing {
            *current = allowed;
        }
    }

    fn may_read(&self) -> io::Result<()> {
        self.check(|allowed| allowed != Allowed::Nothing).map(drop)
    }

    fn may_write(&self) -> io::Result<RwLockReadGuard<'_, Allowed>> {
        self.check(|allowed| allowed == Allowed::Everything)
    }

    fn check(&self, enough: impl Fn(Allowed) -> bool) -> io::Result<RwLockReadGuard<'_, Allowed>> {
        let allowed = self.0.allowed.read().unwrap_or_else(PoisonError::into_inner);
        if enough(*allowed) {
            Ok(allowed)
        } else {
            Err(io::Error::other("this view of the store was given up"))
        }
    }
}

impl StorageBackend for Attachment {
    fn len(&self) -> io::Result<u64> {
        self.may_read()?;
        match &self.0.overlay {
            Some(overlay) => Ok(lock(overlay).len),
            None => self.0.disk.len(),
        }
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        match &self.0.overlay {
            Some(overlay) => lock(overlay).read(self.0.disk.as_ref(), offset, out)?,
            None => self.0.disk.read(offset, out)?,
        }
        // After the read: what a successor may have overwritten meanwhile must not be believed.
        self.may_read()
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        let _held = self.may_write()?;
        match &self.0.overlay {
            Some(overlay) => {
                lock(overlay).set_len(len);
                Ok(())
            }
            None => self.0.disk.set_len(len),
        }
    }

    fn sync_data(&self) -> io::Result<()> {
        let _held = self.may_write()?;
        match &self.0.overlay {
            Some(_) => Ok(()),
            None => self.0.disk.sync(),
        }
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let _held = self.may_write()?;
        match &self.0.overlay {
            Some(overlay) => lock(overlay).write(self.0.disk.as_ref(), offset, data),
            None => self.0.disk.write(offset, data),
        }
    }
}

fn lock(overlay: &Mutex<Overlay>) -> std::sync::MutexGuard<'_, Overlay> {
    overlay.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Overlay {
    fn set_len(&mut self, len: u64) {
        self.len = len;
        self.blocks.retain(|block, _| *block < len);
    }

    fn write(&mut self, disk: &dyn Disk, offset: u64, data: &[u8]) -> io::Result<()> {
        let mut written = 0;
        while written < data.len() {
            let at = offset + written as u64;
            let (start, within) = (at - at % BLOCK, (at % BLOCK) as usize);
            let take = (BLOCK as usize - within).min(data.len() - written);
            let block = match self.blocks.entry(start) {
                Entry::Occupied(block) => block.into_mut(),
                Entry::Vacant(place) => {
                    let mut block = vec![0; BLOCK as usize].into_boxed_slice();
                    fetch(disk, start, &mut block)?;
                    place.insert(block)
                }
            };
            block[within..within + take].copy_from_slice(&data[written..written + take]);
            written += take;
        }
        self.len = self.len.max(offset + data.len() as u64);
        Ok(())
    }

    fn read(&self, disk: &dyn Disk, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let end = offset + out.len() as u64;
        if end > self.len {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        fetch(disk, offset, out)?;
        for (start, block) in self.blocks.range(offset.saturating_sub(BLOCK - 1)..end) {
            let (from, to) = (offset.max(*start), end.min(start + BLOCK));
            if from < to {
                let source = &block[(from - start) as usize..(to - start) as usize];
                out[(from - offset) as usize..(to - offset) as usize].copy_from_slice(source);
            }
        }
        Ok(())
    }
}

/// What the disk has, with zeros past its end.
fn fetch(disk: &dyn Disk, offset: u64, out: &mut [u8]) -> io::Result<()> {
    let there = disk.len()?.saturating_sub(offset).min(out.len() as u64) as usize;
    out[there..].fill(0);
    if there > 0 { disk.read(offset, &mut out[..there]) } else { Ok(()) }
}
