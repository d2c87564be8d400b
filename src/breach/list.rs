//! A downloaded list of hashes: one a line, each perhaps with how often it was seen.
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;

use crate::base::{Error, Result};

/// Hexadecimal digits of a SHA-1 and of an NTLM hash.
const SHA1_DIGITS: usize = 40;
const NTLM_DIGITS: usize = 32;
const BUFFER_BYTES: usize = 1 << 20;

/// Gives `take` the first 64 bits of every hash that was seen at least `min_count` times, in the order of the list.
///
/// # Errors
/// `Error::Invalid` naming the first line that is none of such a list; `Error::Unavailable` when the file cannot be read;
/// whatever `take` returns.
///
/// # Returns
/// How many were seen less often.
pub(super) fn read(path: &Path, min_count: u64, mut take: impl FnMut(u64) -> Result<()>) -> Result<u64> {
    let cannot = |cause| Error::unavailable(format!("{} cannot be read: {cause}", path.display()));
    let mut lines = BufReader::with_capacity(BUFFER_BYTES, File::open(path).map_err(cannot)?);
    let (mut line, mut number, mut rarer) = (Vec::new(), 0_u64, 0);
    loop {
        line.clear();
        if lines.read_until(b'\n', &mut line).map_err(cannot)? == 0 {
            return Ok(rarer);
        }
        number += 1;
        let text = line.trim_ascii();
        if text.is_empty() {
            continue;
        }
        let parsed = parse(text);
        let (hash, count) = parsed.map_err(|why| Error::invalid("file", format!("line {number} {why}")))?;
        if count >= min_count { take(hash)? } else { rarer += 1 }
    }
}

/// `HASH:COUNT`, or a hash alone, which counts as seen once.
fn parse(line: &[u8]) -> Result<(u64, u64), &'static str> {
    let end = line.iter().position(|byte| *byte == b':').unwrap_or(line.len());
    let hash = &line[..end];
    if hash.len() == NTLM_DIGITS && hash.iter().all(u8::is_ascii_hexdigit) {
        return Err("looks like an NTLM hash; the list has to be that of SHA-1 hashes");
    }
    if hash.len() != SHA1_DIGITS || !hash.iter().all(u8::is_ascii_hexdigit) {
        return Err("is no SHA-1 hash of 40 hexadecimal digits, with or without a colon and a count");
    }
    let digits = std::str::from_utf8(&hash[..16]).unwrap_or_default();
    let number = u64::from_str_radix(digits, 16).map_err(|_| "is no SHA-1 hash")?;
    let count = match line.get(end + 1..) {
        None => Some(1),
        Some(count) if count.iter().all(u8::is_ascii_digit) => {
            std::str::from_utf8(count).ok().and_then(|count| count.parse().ok())
        }
        Some(_) => None,
    };
    Ok((number, count.ok_or("has a count that is no number")?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_read_with_and_without_a_count_and_others_are_refused() {
        let hash = "7C4A8D09CA3762AF61E59520943DC26494F8941B";
        let read = |line: &str| parse(line.as_bytes());
        assert_eq!(read(&format!("{hash}:37359195")), Ok((0x7c4a_8d09_ca37_62af, 37_359_195)));
        assert_eq!(read(&hash.to_lowercase()), Ok((0x7c4a_8d09_ca37_62af, 1)));
        for bad in [
            "123456",
            &hash[1..],
            &format!("{hash}0"),
            &format!("{hash}:"),
            &format!("{hash}:many"),
            &format!("{hash}:+1"),
            &format!("{hash}:99999999999999999999"),
            &format!("g{}", &hash[1..]),
        ] {
            assert!(read(bad).is_err(), "{bad}");
        }
        assert!(read("32ED87BDB5FDC5E9CBA88547376818D4:3").unwrap_err().contains("NTLM"));
    }
}
