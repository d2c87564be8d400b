//! A disk in memory that fails when a test says so.
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use auth_service::store::Disk;

#[derive(Debug, Default)]
pub struct FaultyDisk {
    bytes: Mutex<Vec<u8>>,
    pub fails_reads: AtomicBool,
    pub fails_writes: AtomicBool,
    pub fails_syncs: AtomicBool,
}

impl FaultyDisk {
    pub fn new() -> Arc<Self> {
        Arc::default()
    }

    pub fn heal(&self) {
        for fault in [&self.fails_reads, &self.fails_writes, &self.fails_syncs] {
            fault.store(false, Ordering::SeqCst);
        }
    }
}

fn check(fault: &AtomicBool, kind: io::ErrorKind) -> io::Result<()> {
    if fault.load(Ordering::SeqCst) { Err(kind.into()) } else { Ok(()) }
}

impl Disk for FaultyDisk {
    fn len(&self) -> io::Result<u64> {
        Ok(self.bytes.lock().unwrap().len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        check(&self.fails_reads, io::ErrorKind::Other)?;
        let bytes = self.bytes.lock().unwrap();
        let from = usize::try_from(offset).unwrap();
        let part = bytes.get(from..from + out.len()).ok_or(io::ErrorKind::UnexpectedEof)?;
        out.copy_from_slice(part);
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        check(&self.fails_writes, io::ErrorKind::StorageFull)?;
        let mut bytes = self.bytes.lock().unwrap();
        let from = usize::try_from(offset).unwrap();
        let longer = bytes.len().max(from + data.len());
        bytes.resize(longer, 0);
        bytes[from..from + data.len()].copy_from_slice(data);
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        check(&self.fails_writes, io::ErrorKind::StorageFull)?;
        self.bytes.lock().unwrap().resize(usize::try_from(len).unwrap(), 0);
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        check(&self.fails_syncs, io::ErrorKind::Other)
    }
}
