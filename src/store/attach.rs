//! A disk as redb wants it, one attachment per opened database.
//!
//! redb gives a database up for good after one failed operation. The engine then opens another one on the same
//! disk, so each attachment can be retired: an old database that is still referenced can touch nothing more.
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use redb::StorageBackend;

use super::disk::Disk;

const BLOCK: u64 = 4096;

/// The connection of one redb database to a disk.
#[derive(Debug, Clone)]
pub struct Attachment(Arc<Link>);

#[derive(Debug)]
struct Link {
    disk: Arc<dyn Disk>,
    retired: AtomicBool,
    /// Read-only attachments keep what redb writes here; the disk never sees it.
    overlay: Option<Mutex<Overlay>>,
}

#[derive(Debug)]
struct Overlay {
    len: u64,
    blocks: BTreeMap<u64, Box<[u8]>>,
}

impl Attachment {
    /// Reads and writes go to the disk.
    pub fn writable(disk: Arc<dyn Disk>) -> Self {
        Self(Arc::new(Link { disk, retired: AtomicBool::new(false), overlay: None }))
    }

    /// Reads come from the disk; what redb writes while it opens stays in memory.
    pub fn read_only(disk: Arc<dyn Disk>) -> io::Result<Self> {
        let overlay = Overlay { len: disk.len()?, blocks: BTreeMap::new() };
        let overlay = Some(Mutex::new(overlay));
        Ok(Self(Arc::new(Link { disk, retired: AtomicBool::new(false), overlay })))
    }

    /// From now on every operation fails.
    pub fn retire(&self) {
        self.0.retired.store(true, Ordering::SeqCst);
    }

    fn check(&self) -> io::Result<()> {
        if self.0.retired.load(Ordering::SeqCst) {
            return Err(io::Error::other("this view of the store was given up"));
        }
        Ok(())
    }
}

impl StorageBackend for Attachment {
    fn len(&self) -> io::Result<u64> {
        self.check()?;
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
        self.check()
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.check()?;
        match &self.0.overlay {
            Some(overlay) => {
                lock(overlay).set_len(len);
                Ok(())
            }
            None => self.0.disk.set_len(len),
        }
    }

    fn sync_data(&self) -> io::Result<()> {
        self.check()?;
        match &self.0.overlay {
            Some(_) => Ok(()),
            None => self.0.disk.sync(),
        }
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.check()?;
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
