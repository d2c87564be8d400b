//! Cursor pagination: lists come in pages, and a cursor stays good while rows come and go.
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::{Error, Result};

/// The most rows one page may have.
pub const MAX_LIMIT: usize = 200;
/// How many rows a page has when nothing is said.
pub const DEFAULT_LIMIT: usize = 50;

/// Which page is asked for: the rows after a key, and how many.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PageRequest {
    pub after: Option<Vec<u8>>,
    pub limit: usize,
}

/// Some rows in key order, and where the next ones begin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page<T> {
    pub items: Vec<T>,
    pub next_cursor: Option<String>,
}

/// The cursor of the page after a key.
#[must_use]
pub fn cursor(key: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(key)
}

impl PageRequest {
    /// From `?limit=` and `?cursor=`.
    ///
    /// # Errors
    /// `Error::Invalid` naming `limit` unless it is 1 to 200, or `cursor` unless it is one of ours in form.
    pub fn parse(limit: Option<i64>, cursor: Option<&str>) -> Result<Self> {
        let limit = match limit {
            None => DEFAULT_LIMIT,
            Some(n) => usize::try_from(n)
                .ok()
                .filter(|n| (1..=MAX_LIMIT).contains(n))
                .ok_or_else(|| Error::invalid("limit", "must be 1 to 200"))?,
        };
        let after = cursor
            .filter(|text| !text.is_empty())
            .map(|text| URL_SAFE_NO_PAD.decode(text))
            .transpose()
            .map_err(|_| Error::invalid("cursor", "is not a cursor of this list"))?;
        Ok(Self { after, limit })
    }

    /// Refuses a cursor that is of another list: its key has to begin so, and to have so many bytes where all of them do.
    ///
    /// # Errors
    /// `Error::Invalid` naming `cursor`.
    pub fn check(&self, prefix: &[u8], bytes: Option<usize>) -> Result<()> {
        let fits = |key: &Vec<u8>| key.starts_with(prefix) && bytes.is_none_or(|bytes| key.len() == bytes);
        if self.after.as_ref().is_none_or(fits) {
            Ok(())
        } else {
            Err(Error::invalid("cursor", "is not a cursor of this list"))
        }
    }

    /// Everything, for callers inside the program.
    #[must_use]
    pub fn all() -> Self {
        Self { after: None, limit: usize::MAX - 1 }
    }

    /// One page of what is in memory, in the order of its keys.
    pub fn of_sorted<'a, T>(&self, rows: impl Iterator<Item = (&'a str, T)>) -> Page<T> {
        let comes_after = |key: &str| self.after.as_ref().is_none_or(|after| key.as_bytes() > &after[..]);
        let rows = rows.filter(|(key, _)| comes_after(key)).take(self.limit.saturating_add(1));
        self.cut(rows.map(|(key, row)| (key.as_bytes().to_vec(), row)).collect())
    }

    /// Cuts `rows` (read with one row more than `limit`) to a page.
    #[must_use]
    pub fn cut<T>(&self, mut rows: Vec<(Vec<u8>, T)>) -> Page<T> {
        let more = rows.len() > self.limit;
        rows.truncate(self.limit);
        let last = rows.last().map(|(key, _)| cursor(key)).filter(|_| more);
        Page { items: rows.into_iter().map(|(_, row)| row).collect(), next_cursor: last }
    }
}
