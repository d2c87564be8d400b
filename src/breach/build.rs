//! Makes a filter of a downloaded list, in little memory however long the list is.
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use super::format::{Gaps, HEADER_BYTES, Header, place};
use super::list;
use crate::base::{Error, Result};

/// Hashes of a list without order that are sorted at once: a gigabyte of them. A longer list is read several times.
const AT_ONCE: u64 = 1 << 27;

/// A filter that was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Built {
    /// Hashes that are in it.
    pub entries: u64,
    /// Hashes that were seen too rarely.
    pub left_out: u64,
    /// Of the file.
    pub bytes: u64,
}

/// Makes a filter of the hashes that were seen at least `min_count` times. `out` is there as a whole or not at all.
///
/// # Errors
/// `Error::Invalid` naming what is wrong with the list; `Error::Unavailable` when a file cannot be read or written.
pub fn build(list: &Path, out: &Path, min_count: u64) -> Result<Built> {
    build_with(list, out, min_count, AT_ONCE)
}

fn build_with(list: &Path, out: &Path, min_count: u64, at_once: u64) -> Result<Built> {
    if out.canonicalize().is_ok_and(|out| list.canonicalize().is_ok_and(|list| list == out)) {
        return Err(Error::invalid("out", "is the list itself"));
    }
    let (mut entries, mut last, mut is_sorted) = (0, 0, true);
    let left_out = list::read(list, min_count, |hash| {
        is_sorted &= hash >= last;
        (entries, last) = (entries + 1, hash);
        Ok(())
    })?;
    if entries == 0 {
        return Err(Error::invalid("file", "has no hash that was seen so often"));
    }
    let partial = partial_of(out);
    let cannot =
        |cause: io::Error| Error::unavailable(format!("{} cannot be written: {cause}", out.display()));
    let mut encoder = Encoder::create(&partial, Header::for_entries(entries)).map_err(cannot)?;
    if is_sorted {
        list::read(list, min_count, |hash| encoder.push(hash).map_err(cannot))?;
    } else {
        let parts = entries.div_ceil(at_once);
        for part in 0..parts {
            let mut hashes = Vec::new();
            list::read(list, min_count, |hash| {
                if ((u128::from(hash) * u128::from(parts)) >> 64) as u64 == part {
                    hashes.push(hash);
                }
                Ok(())
            })?;
            hashes.sort_unstable();
            hashes.into_iter().try_for_each(|hash| encoder.push(hash)).map_err(cannot)?;
        }
    }
    let bytes = encoder.finish().map_err(cannot)?;
    settle(&partial, out).map_err(cannot)?;
    Ok(Built { entries, left_out, bytes })
}

fn partial_of(out: &Path) -> PathBuf {
    let mut partial = out.as_os_str().to_owned();
    partial.push(".partial");
    partial.into()
}

/// Puts the file where it belongs, durably.
fn settle(partial: &Path, out: &Path) -> io::Result<()> {
    fs::rename(partial, out)?;
    let directory = out.parent().filter(|parent| !parent.as_os_str().is_empty());
    File::open(directory.unwrap_or_else(|| Path::new(".")))?.sync_all()
}

/// Writes hashes that come in order.
struct Encoder {
    out: BufWriter<File>,
    header: Header,
    checksum: crc32fast::Hasher,
    bucket: u64,
    gaps: Gaps,
    /// Where the buckets begin that are written.
    index: Vec<u64>,
}

impl Encoder {
    fn create(path: &Path, header: Header) -> io::Result<Self> {
        let file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o644).open(path)?;
        let mut out = BufWriter::new(file);
        out.write_all(&[0; HEADER_BYTES])?;
        let index = vec![header.index_at];
        Ok(Self { out, header, checksum: crc32fast::Hasher::new(), bucket: 0, gaps: Gaps::default(), index })
    }

    fn push(&mut self, hash: u64) -> io::Result<()> {
        let (bucket, rest) = place(hash, self.header.bucket_bits);
        while self.bucket < bucket {
            self.end_bucket()?;
        }
        self.gaps.push(rest);
        Ok(())
    }

    fn end_bucket(&mut self) -> io::Result<()> {
        let bytes = self.gaps.finish();
        self.header.index_at += bytes.len() as u64;
        self.index.push(self.header.index_at);
        self.bucket += 1;
        self.write(&bytes)
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.checksum.update(bytes);
        self.out.write_all(bytes)
    }

    /// Ends the buckets, and writes the index and the header.
    fn finish(mut self) -> io::Result<u64> {
        while self.bucket < self.header.buckets() {
            self.end_bucket()?;
        }
        for at in std::mem::take(&mut self.index) {
            self.write(&at.to_le_bytes())?;
        }
        let header = Header { checksum: self.checksum.finalize(), ..self.header };
        let mut file = self.out.into_inner()?;
        file.seek(SeekFrom::Start(0))?;
        file.write_all(&header.to_bytes())?;
        file.sync_all()?;
        Ok(header.length())
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use super::*;
    use crate::base::{Entropy, Secret, SeededEntropy};
    use crate::breach::BreachFilter;
    use crate::breach::filter::number_of;

    fn hashes(count: usize, seed: u64) -> Vec<[u8; 20]> {
        let rng = SeededEntropy::new(seed);
        let mut hashes = vec![[0; 20]; count];
        hashes.iter_mut().for_each(|hash| rng.fill(hash));
        hashes
    }

    fn text(hashes: &[[u8; 20]]) -> String {
        let mut text = String::new();
        for (count, hash) in hashes.iter().enumerate() {
            hash.iter().for_each(|byte| write!(text, "{byte:02X}").unwrap());
            write!(text, ":{count}\r\n").unwrap();
        }
        text
    }

    fn built(text: &str, min_count: u64, at_once: u64) -> (tempfile::TempDir, Result<Built>) {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("list"), text).unwrap();
        let built = build_with(&dir.path().join("list"), &dir.path().join("out"), min_count, at_once);
        (dir, built)
    }

    #[test]
    fn every_hash_is_found_and_few_others_are() {
        let list = hashes(100_000, 1);
        let (dir, made) = built(&text(&list), 0, AT_ONCE);
        let made = made.unwrap();
        assert_eq!((made.entries, made.left_out), (100_000, 0));
        assert!(made.bytes * 8 < 15 * made.entries, "{} bytes", made.bytes);
        let filter = BreachFilter::open(&dir.path().join("out")).unwrap();
        assert!(list.iter().all(|hash| filter.holds_hash(number_of(hash)).unwrap()));
        let others = hashes(200_000, 2);
        let wrong = others.iter().filter(|hash| filter.holds_hash(number_of(hash)).unwrap()).count();
        // One in 4096 would be 49. None at all would mean that nothing is compared.
        assert!((10..80).contains(&wrong), "{wrong} of 200000 were taken for known ones");
    }

    #[test]
    fn the_same_list_in_any_order_and_in_several_parts_is_the_same_filter() {
        let mut list = hashes(5_000, 3);
        let (one, _) = built(&text(&list), 0, AT_ONCE);
        let (parts, _) = built(&text(&list), 0, 700);
        list.sort_unstable();
        let (sorted, _) = built(&text(&list), 0, AT_ONCE);
        let bytes = |dir: &tempfile::TempDir| fs::read(dir.path().join("out")).unwrap();
        assert!(bytes(&one) == bytes(&sorted) && bytes(&parts) == bytes(&sorted));
    }

    #[test]
    fn what_was_seen_rarely_is_left_out_and_what_is_no_list_is_named() {
        let (_dir, made) = built(&text(&hashes(100, 4)), 90, AT_ONCE);
        assert_eq!(made.map(|made| (made.entries, made.left_out)), Ok((10, 90)));
        let refused = |text: &str, min_count| built(text, min_count, AT_ONCE).1.unwrap_err();
        let Error::Invalid(wrong) = refused(&(text(&hashes(3, 5)) + "hello\n"), 0) else { panic!() };
        assert!(wrong.field == "file" && wrong.reason.starts_with("line 4 is no SHA-1 hash"), "{wrong:?}");
        assert_eq!(refused("", 0), Error::invalid("file", "has no hash that was seen so often"));
        assert_eq!(
            refused(&text(&hashes(3, 5)), 9),
            Error::invalid("file", "has no hash that was seen so often")
        );
    }

    #[test]
    fn a_filter_that_was_cut_short_or_damaged_is_refused_by_name() {
        let (dir, _) = built(&text(&hashes(3_000, 6)), 0, AT_ONCE);
        let path = dir.path().join("out");
        let good = fs::read(&path).unwrap();
        let why = |bytes: &[u8]| {
            fs::write(&path, bytes).unwrap();
            let Err(Error::Unavailable(why)) = BreachFilter::open(&path) else { panic!("opened") };
            assert!(why.contains("password.breach_filter") && why.contains(path.to_str().unwrap()), "{why}");
            why
        };
        for length in [0, HEADER_BYTES - 1, HEADER_BYTES, good.len() / 2, good.len() - 1] {
            why(&good[..length]);
        }
        why(&[&good[..], b"x"].concat());
        for at in [0, 8, 9, 17, 30, HEADER_BYTES, good.len() / 2, good.len() - 1] {
            let mut damaged = good.clone();
            damaged[at] ^= 0x10;
            why(&damaged);
        }
        fs::remove_file(&path).unwrap();
        assert!(BreachFilter::open(&path).is_err());
        fs::write(&path, &good).unwrap();
        assert_eq!(BreachFilter::open(&path).unwrap().entries(), 3_000);
    }

    #[test]
    fn a_password_is_found_by_its_hash() {
        let (dir, _) = built("7C4A8D09CA3762AF61E59520943DC26494F8941B:9\n", 1, AT_ONCE);
        let filter = BreachFilter::open(&dir.path().join("out")).unwrap();
        assert_eq!(filter.holds(&Secret::new("123456")), Ok(true));
        assert_eq!(filter.holds(&Secret::new("1234567")), Ok(false));
    }
}
