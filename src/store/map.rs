//! A typed table: key bytes in, versioned bincode records out.
use std::marker::PhantomData;

use serde::{Serialize, de::DeserializeOwned};

use super::{Tx, WriteTx};
use crate::base::{Error, Page, PageRequest, Result};

/// Most bytes of a record, so that bytes that are none cannot ask for more memory than there is.
const MAX_RECORD: usize = 1 << 20;
/// What bincode counts while it decodes is up to 16 times what is there.
const DECODING: bincode::config::Configuration<
    bincode::config::LittleEndian,
    bincode::config::Varint,
    bincode::config::Limit<{ 16 * MAX_RECORD }>,
> = bincode::config::standard().with_limit();

/// What can be stored. Bump `VERSION` with every change of shape and teach `upgrade` the old one.
pub trait Record: Serialize + DeserializeOwned {
    /// The first byte of every stored value.
    const VERSION: u8;

    /// Reads the body of an older version.
    ///
    /// # Errors
    /// `Error::Internal` for a version that is not known, or bytes that are not one.
    fn upgrade(version: u8, _body: &[u8]) -> Result<Self> {
        Err(Error::internal(format!("no upgrade from record version {version}")))
    }
}

/// For indexes whose key says everything.
impl Record for () {
    const VERSION: u8 = 0;
}

impl Record for u64 {
    const VERSION: u8 = 0;
}

/// A table of `V` records.
pub struct Map<V> {
    name: &'static str,
    record: PhantomData<fn() -> V>,
}

impl<V: Record> Map<V> {
    #[must_use]
    pub const fn new(name: &'static str) -> Self {
        Self { name, record: PhantomData }
    }

    #[must_use]
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// The record at `key`.
    ///
    /// # Errors
    /// `Error::Unavailable` when the disk does not serve, `Error::Internal` for bytes that are no record.
    pub fn get(&self, tx: &impl Tx, key: &[u8]) -> Result<Option<V>> {
        tx.row(self.name, key)?.map(|bytes| self.decode(&bytes)).transpose()
    }

    /// The first `limit` records whose key starts with `prefix`, with their keys, in key order.
    ///
    /// # Errors
    /// As [`Map::get`].
    pub fn first(&self, tx: &impl Tx, prefix: &[u8], limit: usize) -> Result<Vec<(Vec<u8>, V)>> {
        self.after(tx, prefix, None, limit)
    }

    /// One page of the records whose key starts with `prefix`.
    ///
    /// # Errors
    /// As [`Map::get`].
    pub fn page(&self, tx: &impl Tx, prefix: &[u8], request: &PageRequest) -> Result<Page<V>> {
        let rows = self.after(tx, prefix, request.after.as_deref(), request.limit.saturating_add(1))?;
        Ok(request.cut(rows))
    }

    /// Writes a record, over an older one if there is one.
    ///
    /// # Errors
    /// `Error::Internal` for a record that cannot be written as bytes.
    pub fn put(&self, tx: &mut WriteTx, key: &[u8], record: &V) -> Result<()> {
        tx.edit(self.name, key, Some(encode(record)?));
        Ok(())
    }

    /// Removes the record, if it is there.
    pub fn remove(&self, tx: &mut WriteTx, key: &[u8]) {
        tx.edit(self.name, key, None);
    }

    /// Reads a stored value. Bytes left over are an error: bincode alone would not notice a changed shape.
    ///
    /// # Errors
    /// `Error::Internal` for bytes that are no record.
    pub fn decode(&self, bytes: &[u8]) -> Result<V> {
        let broken = |why: &str| Error::internal(format!("table {}: {why}", self.name));
        let (version, body) = bytes.split_first().ok_or_else(|| broken("empty record"))?;
        if *version != V::VERSION {
            return V::upgrade(*version, body);
        }
        decode_body(body).map_err(|why| broken(&format!("{why:?}")))
    }

    fn after(
        &self,
        tx: &impl Tx,
        prefix: &[u8],
        after: Option<&[u8]>,
        limit: usize,
    ) -> Result<Vec<(Vec<u8>, V)>> {
        let rows = tx.rows(self.name, prefix, after, limit)?;
        rows.into_iter().map(|(key, bytes)| Ok((key, self.decode(&bytes)?))).collect()
    }
}

/// Reads the body of a record, without its version: what [`Record::upgrade`] does with those of older ones.
///
/// # Errors
/// `Error::Internal` for bytes that are no such record.
pub fn decode_body<T: DeserializeOwned>(body: &[u8]) -> Result<T> {
    let (record, used) = bincode::serde::decode_from_slice(body, DECODING).map_err(Error::internal)?;
    if used == body.len() { Ok(record) } else { Err(Error::internal("bytes left over")) }
}

/// A record's bytes: its version, then its bincode form.
///
/// # Errors
/// `Error::Internal` for a record that cannot be written as bytes, or has more than a mebibyte of them.
pub fn encode<V: Record>(record: &V) -> Result<Vec<u8>> {
    let mut bytes = vec![V::VERSION];
    bincode::serde::encode_into_std_write(record, &mut bytes, bincode::config::standard())
        .map_err(Error::internal)?;
    if bytes.len() > MAX_RECORD { Err(Error::internal("the record is too large")) } else { Ok(bytes) }
}
