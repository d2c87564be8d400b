//! What the forms have in common: decimal numbers, base64, `name=value` lists, and why a hash is refused.
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};

use crate::base::{Error, Result};

/// What the errors call the value.
const FIELD: &str = "password_hash";

/// Less is guessed too easily, more is no hash that anybody makes.
const OUTPUT_BYTES: std::ops::RangeInclusive<usize> = 16..=64;

pub(super) fn unknown() -> Error {
    Error::invalid(FIELD, "is not a known form of password hash")
}

pub(super) fn damaged() -> Error {
    Error::invalid(FIELD, "is a damaged password hash")
}

pub(super) fn too_costly() -> Error {
    Error::invalid(FIELD, "has too high a cost")
}

/// A number as every system writes it: digits, no sign, no zero before others.
///
/// # Errors
/// `Error::Invalid` for other text. A number too large for any cost is one that costs too much.
pub(super) fn number(text: &str) -> Result<u32> {
    let digits = !text.is_empty() && text.bytes().all(|c| c.is_ascii_digit());
    if !digits || (text.len() > 1 && text.starts_with('0')) {
        return Err(damaged());
    }
    text.parse().map_err(|_| too_costly())
}

/// The values of `names` in a list `name=value,…` that has just these, in this order (PHC string format).
///
/// # Errors
/// `Error::Invalid` for another list.
pub(super) fn values<'a, const N: usize>(list: &'a str, names: [&str; N]) -> Result<[&'a str; N]> {
    let mut values = [""; N];
    let mut pairs = list.split(',');
    for (value, name) in values.iter_mut().zip(names) {
        let (found, text) = pairs.next().and_then(|pair| pair.split_once('=')).ok_or_else(damaged)?;
        if found != name {
            return Err(damaged());
        }
        *value = text;
    }
    if pairs.next().is_some() { Err(damaged()) } else { Ok(values) }
}

/// Bytes in base64 with padding, as Django writes them.
///
/// # Errors
/// `Error::Invalid` for other text.
pub(super) fn padded(text: &str) -> Result<Vec<u8>> {
    STANDARD.decode(text).map_err(|_| damaged())
}

/// Bytes in base64 without padding ("B64" of the PHC string format).
///
/// # Errors
/// `Error::Invalid` for other text.
pub(super) fn unpadded(text: &str) -> Result<Vec<u8>> {
    STANDARD_NO_PAD.decode(text).map_err(|_| damaged())
}

/// A hash as long as one is.
///
/// # Errors
/// `Error::Invalid` for one of another length.
pub(super) fn output(bytes: Vec<u8>) -> Result<Vec<u8>> {
    if OUTPUT_BYTES.contains(&bytes.len()) { Ok(bytes) } else { Err(damaged()) }
}
