//! How a filter's file is laid out: a header, the buckets, and where each of them begins. Pure.
use crate::base::Result;

pub(super) const HEADER_BYTES: usize = 64;
/// Bytes of one entry of the index.
pub(super) const OFFSET_BYTES: usize = 8;
const MAGIC: &[u8; 8] = b"asbreach";
const VERSION: u8 = 1;
/// Bits that are kept of a hash beside its bucket.
const REST_BITS: u32 = 20;
/// Low bits of a gap, which are written as they are; what is above them is counted in ones.
const GAP_BITS: u32 = 12;
/// Hashes in a bucket, at most and on average.
const BUCKET: u64 = 256;
/// More buckets than any list will need; what says so is damaged.
const MAX_BUCKET_BITS: u8 = 32;

/// What a file begins with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Header {
    pub bucket_bits: u8,
    pub entries: u64,
    /// Where the buckets end and the index begins.
    pub index_at: u64,
    /// CRC-32 of all that comes after the header.
    pub checksum: u32,
}

impl Header {
    /// So many buckets (a power of two) that none has more than [`BUCKET`] hashes on average.
    pub fn for_entries(entries: u64) -> Self {
        let mut bucket_bits = 0;
        while entries >> bucket_bits > BUCKET {
            bucket_bits += 1;
        }
        Self { bucket_bits, entries, index_at: HEADER_BYTES as u64, checksum: 0 }
    }

    pub fn buckets(&self) -> u64 {
        1 << self.bucket_bits
    }

    /// Of the whole file.
    pub fn length(&self) -> u64 {
        (self.buckets() + 1).saturating_mul(OFFSET_BYTES as u64).saturating_add(self.index_at)
    }

    pub fn to_bytes(self) -> [u8; HEADER_BYTES] {
        let mut bytes = [0; HEADER_BYTES];
        bytes[..8].copy_from_slice(MAGIC);
        bytes[8..10].copy_from_slice(&[VERSION, self.bucket_bits]);
        bytes[16..24].copy_from_slice(&self.entries.to_le_bytes());
        bytes[24..32].copy_from_slice(&self.index_at.to_le_bytes());
        bytes[32..36].copy_from_slice(&self.checksum.to_le_bytes());
        let checksum = crc32fast::hash(&bytes[..HEADER_BYTES - 4]);
        bytes[HEADER_BYTES - 4..].copy_from_slice(&checksum.to_le_bytes());
        bytes
    }

    /// # Errors
    /// Why the bytes are not the beginning of a filter that this program can read.
    pub fn parse(bytes: &[u8; HEADER_BYTES]) -> Result<Self, &'static str> {
        if &bytes[..8] != MAGIC {
            return Err("is no filter that `auth-service passwords build-filter` has made");
        }
        if bytes[8] != VERSION {
            return Err("was made by another version of this program; build it again");
        }
        let header = Self {
            bucket_bits: bytes[9],
            entries: number(&bytes[16..24]),
            index_at: number(&bytes[24..32]),
            checksum: number(&bytes[32..36]) as u32,
        };
        if header.to_bytes() != *bytes || header.bucket_bits > MAX_BUCKET_BITS {
            return Err("is damaged; build it again");
        }
        Ok(header)
    }
}

/// A little-endian number of at most eight bytes.
pub(super) fn number(bytes: &[u8]) -> u64 {
    bytes.iter().rev().fold(0, |number, byte| number << 8 | u64::from(*byte))
}

/// In which bucket a hash is, by its first 64 bits, and what is kept of the rest.
pub(super) fn place(hash: u64, bucket_bits: u8) -> (u64, u32) {
    let bucket = hash.checked_shr(64 - u32::from(bucket_bits)).unwrap_or(0);
    let rest = (hash << bucket_bits) >> (64 - REST_BITS);
    (bucket, rest as u32)
}

/// Writes the gaps of one bucket.
#[derive(Default)]
pub(super) struct Gaps {
    bytes: Vec<u8>,
    /// Bits that are no whole byte yet, and how many.
    open: (u32, u32),
    last: Option<u32>,
}

impl Gaps {
    /// Takes in what is kept of a hash; they come in order.
    pub fn push(&mut self, rest: u32) {
        let gap = match self.last {
            Some(last) if last == rest => return,
            Some(last) => rest - last - 1,
            None => rest,
        };
        self.last = Some(rest);
        (0..gap >> GAP_BITS).for_each(|_| self.bits(1, 1));
        self.bits(0, 1);
        self.bits(gap & ((1 << GAP_BITS) - 1), GAP_BITS);
    }

    fn bits(&mut self, bits: u32, count: u32) {
        let (open, length) = self.open;
        let (mut open, mut length) = (open << count | bits, length + count);
        while length >= 8 {
            length -= 8;
            self.bytes.push((open >> length) as u8);
            open &= (1 << length) - 1;
        }
        self.open = (open, length);
    }

    /// The bytes of the bucket, and room for another one. The last byte is filled with ones, which begin no gap that ends.
    pub fn finish(&mut self) -> Vec<u8> {
        let missing = (8 - self.open.1) % 8;
        self.bits((1 << missing) - 1, missing);
        self.last = None;
        std::mem::take(&mut self.bytes)
    }
}

/// Whether a bucket has what is kept of a hash.
pub(super) fn holds(bucket: &[u8], wanted: u32) -> bool {
    let mut bits = bucket.iter().flat_map(|byte| (0..8).rev().map(move |shift| u32::from(byte >> shift & 1)));
    let mut next = 0_u32;
    loop {
        let mut high = 0_u32;
        loop {
            match bits.next() {
                Some(1) => high += 1,
                Some(_) => break,
                None => return false,
            }
        }
        let mut gap = high;
        for _ in 0..GAP_BITS {
            let Some(bit) = bits.next() else { return false };
            gap = gap << 1 | bit;
        }
        let rest = next.saturating_add(gap);
        if rest >= wanted {
            return rest == wanted;
        }
        next = rest + 1;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_header_is_read_as_it_was_written_and_no_other_is() {
        let header = Header { checksum: 77, index_at: 4711, ..Header::for_entries(1_000_000) };
        assert_eq!(header.bucket_bits, 12);
        let bytes = header.to_bytes();
        assert_eq!(Header::parse(&bytes), Ok(header));
        for at in 0..HEADER_BYTES {
            let mut damaged = bytes;
            damaged[at] ^= 1;
            assert!(Header::parse(&damaged).is_err(), "{at}");
        }
    }

    proptest! {
        #[test]
        fn a_bucket_has_what_was_put_into_it_and_nothing_else(
            rests in prop::collection::btree_set(0_u32..1 << REST_BITS, 0..600), other in 0_u32..1 << REST_BITS,
        ) {
            let mut gaps = Gaps::default();
            rests.iter().for_each(|rest| { gaps.push(*rest); gaps.push(*rest); });
            let bucket = gaps.finish();
            prop_assert!(rests.iter().all(|rest| holds(&bucket, *rest)));
            prop_assert_eq!(holds(&bucket, other), rests.contains(&other));
        }

        #[test]
        fn any_bytes_are_read_to_their_end(bytes in prop::collection::vec(any::<u8>(), 0..200), wanted: u32) {
            let _ = holds(&bytes, wanted);
        }

        #[test]
        fn places_keep_the_order_of_hashes(one: u64, other: u64, bits in 0_u8..=MAX_BUCKET_BITS) {
            let (low, high) = (one.min(other), one.max(other));
            prop_assert!(place(low, bits) <= place(high, bits));
        }
    }
}
