//! A filter that was built: opened once, asked block by block.
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;

use super::format::{HEADER_BYTES, Header, OFFSET_BYTES, holds, number, place};
use crate::base::{Error, Result, Secret};
use crate::crypto::hash::sha1;

const READ_AT_ONCE: usize = 1 << 20;

/// The filter in a file. Clones share it.
#[derive(Debug, Clone)]
pub struct BreachFilter {
    file: Arc<File>,
    header: Header,
}

impl BreachFilter {
    /// Opens a filter and reads it once, to know that all of it is there and as it was written: a second for a gigabyte that
    /// the system has in memory, and as long as the disk takes otherwise.
    ///
    /// # Errors
    /// `Error::Unavailable` naming the setting and the file: it cannot be read, is no filter, was cut short, or is damaged.
    pub fn open(path: &Path) -> Result<Self> {
        let describe = |why: &dyn std::fmt::Display| {
            Error::unavailable(format!("password.breach_filter: {} {why}", path.display()))
        };
        let cannot = |cause: io::Error| describe(&format_args!("cannot be read: {cause}"));
        let mut file = File::open(path).map_err(cannot)?;
        let length = file.metadata().map_err(cannot)?.len();
        let mut head = [0; HEADER_BYTES];
        if length < HEADER_BYTES as u64 {
            return Err(describe(&"is too short for a filter; build it again"));
        }
        file.read_exact(&mut head).map_err(cannot)?;
        let header = Header::parse(&head).map_err(|why| describe(&why))?;
        if length != header.length() {
            let expected = header.length();
            let why = format_args!("has {length} bytes and should have {expected}; build it again");
            return Err(describe(&why));
        }
        if checksum(&mut file).map_err(cannot)? != header.checksum {
            return Err(describe(&"is damaged; build it again"));
        }
        Ok(Self { file: Arc::new(file), header })
    }

    /// How many hashes it was made of.
    #[must_use]
    pub fn entries(&self) -> u64 {
        self.header.entries
    }

    /// Whether a password is known from a breach. Reads from the file, some hundred bytes: not for async threads.
    ///
    /// # Errors
    /// `Error::Unavailable` when the disk does not serve.
    pub fn holds(&self, password: &Secret) -> Result<bool> {
        self.holds_hash(number_of(&sha1(password.expose().as_bytes())))
    }

    pub(super) fn holds_hash(&self, hash: u64) -> Result<bool> {
        let (bucket, rest) = place(hash, self.header.bucket_bits);
        self.bucket(bucket).map(|bytes| holds(&bytes, rest)).map_err(Error::unavailable)
    }

    fn bucket(&self, bucket: u64) -> io::Result<Vec<u8>> {
        let mut ends = [0; 2 * OFFSET_BYTES];
        self.file.read_exact_at(&mut ends, self.header.index_at + bucket * OFFSET_BYTES as u64)?;
        let (start, end) = (number(&ends[..OFFSET_BYTES]), number(&ends[OFFSET_BYTES..]));
        let length = end.checked_sub(start).filter(|_| end <= self.header.index_at);
        let length = length.and_then(|length| usize::try_from(length).ok());
        let mut bytes = vec![0; length.ok_or_else(|| io::Error::other("the breach filter was changed"))?];
        self.file.read_exact_at(&mut bytes, start)?;
        Ok(bytes)
    }
}

/// The first 64 bits of a hash.
pub(super) fn number_of(hash: &[u8; 20]) -> u64 {
    hash[..8].iter().fold(0, |number, byte| number << 8 | u64::from(*byte))
}

/// Of what comes after the header.
fn checksum(file: &mut File) -> io::Result<u32> {
    let (mut hasher, mut buffer) = (crc32fast::Hasher::new(), vec![0; READ_AT_ONCE]);
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(hasher.finalize()),
            read => hasher.update(&buffer[..read]),
        }
    }
}
