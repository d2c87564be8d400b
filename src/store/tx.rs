//! Snapshots and changes. A change keeps its edits to itself until it succeeds.
use std::cell::Cell;
use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use redb::{ReadTransaction, ReadableTable, TableDefinition, TableError, WriteTransaction};

use crate::base::{Error, Result};

/// A row as the engine has it: key and value.
pub type Row = (Vec<u8>, Vec<u8>);
type Raw = TableDefinition<'static, &'static [u8], &'static [u8]>;
type Edits = BTreeMap<(&'static str, Vec<u8>), Option<Vec<u8>>>;
/// What a change leaves to be done once it is settled; takes the number of its commit.
pub type Effect = Box<dyn FnOnce(u64) + Send>;

/// Either kind of transaction, for reading.
pub trait Tx {
    /// The value at `key`.
    ///
    /// # Errors
    /// `Error::Unavailable` when the disk does not serve.
    fn row(&self, table: &'static str, key: &[u8]) -> Result<Option<Vec<u8>>>;

    /// Up to `limit` rows whose key starts with `prefix` and comes after `after`, in key order.
    ///
    /// # Errors
    /// As [`Tx::row`].
    fn rows(
        &self,
        table: &'static str,
        prefix: &[u8],
        after: Option<&[u8]>,
        limit: usize,
    ) -> Result<Vec<Row>>;
}

/// A consistent snapshot of what is durable.
pub struct ReadTx {
    txn: ReadTransaction,
    commit: u64,
    suspect: Arc<AtomicBool>,
}

impl ReadTx {
    pub(super) fn new(txn: ReadTransaction, commit: u64, suspect: Arc<AtomicBool>) -> Self {
        Self { txn, commit, suspect }
    }

    /// Every change up to this commit is in the snapshot.
    #[must_use]
    pub fn commit(&self) -> u64 {
        self.commit
    }

    /// The names of all tables.
    pub(super) fn tables(&self) -> Result<Vec<String>> {
        use redb::TableHandle;
        let tables = self.txn.list_tables().map_err(|e| self.failed(e))?;
        Ok(tables.map(|table| table.name().to_owned()).collect())
    }

    /// Walks all rows of a table by name.
    pub(super) fn walk(&self, table: &str, mut visit: impl FnMut(&[u8], &[u8])) -> Result<()> {
        let raw: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new(table);
        let table = self.txn.open_table(raw).map_err(|e| self.failed(e))?;
        for row in table.iter().map_err(|e| self.failed(e))? {
            let (key, value) = row.map_err(|e| self.failed(e))?;
            visit(key.value(), value.value());
        }
        Ok(())
    }

    /// redb refuses everything after one failed read; the writer has to open the store again.
    fn failed(&self, cause: impl std::fmt::Display) -> Error {
        self.suspect.store(true, Ordering::SeqCst);
        Error::unavailable(cause)
    }
}

impl Tx for ReadTx {
    fn row(&self, table: &'static str, key: &[u8]) -> Result<Option<Vec<u8>>> {
        match self.txn.open_table(Raw::new(table)) {
            Err(TableError::TableDoesNotExist(_)) => Ok(None),
            opened => {
                let table = opened.map_err(|e| self.failed(e))?;
                find(&table, key).map_err(|e| self.failed(e))
            }
        }
    }

    fn rows(
        &self,
        table: &'static str,
        prefix: &[u8],
        after: Option<&[u8]>,
        limit: usize,
    ) -> Result<Vec<Row>> {
        match self.txn.open_table(Raw::new(table)) {
            Err(TableError::TableDoesNotExist(_)) => Ok(Vec::new()),
            opened => {
                let table = opened.map_err(|e| self.failed(e))?;
                walk(&table, prefix, after, limit).map_err(|e| self.failed(e))
            }
        }
    }
}

/// A change in progress: the batch's state so far, with this change's edits on top.
pub struct WriteTx<'batch> {
    batch: &'batch WriteTransaction,
    broken: &'batch Cell<bool>,
    edits: Edits,
    effects: Vec<Effect>,
}

impl<'batch> WriteTx<'batch> {
    pub(super) fn new(batch: &'batch WriteTransaction, broken: &'batch Cell<bool>) -> Self {
        Self { batch, broken, edits: Edits::new(), effects: Vec::new() }
    }

    pub(super) fn edit(&mut self, table: &'static str, key: &[u8], value: Option<Vec<u8>>) {
        self.edits.insert((table, key.to_vec()), value);
    }

    /// Runs once the change is settled, before its caller hears of it: with the commit's number when it is
    /// durable, and also when the disk failed and nobody knows. So it may only make others look again.
    pub fn when_settled(&mut self, effect: impl FnOnce(u64) + Send + 'static) {
        self.effects.push(Box::new(effect));
    }

    /// Lays the edits into the batch.
    ///
    /// # Returns
    /// The effects, and whether there was any edit.
    pub(super) fn apply(self) -> Result<(Vec<Effect>, bool)> {
        let edited = !self.edits.is_empty();
        let broken = self.broken;
        let failed = |cause: String| {
            broken.set(true);
            Error::Unavailable(cause)
        };
        let mut open = None;
        for ((name, key), value) in self.edits {
            if open.as_ref().is_none_or(|(opened, _)| *opened != name) {
                let table = self.batch.open_table(Raw::new(name)).map_err(|e| failed(e.to_string()))?;
                open = Some((name, table));
            }
            let Some((_, table)) = &mut open else { continue };
            let laid = match value {
                Some(value) => table.insert(key.as_slice(), value.as_slice()).map(drop),
                None => table.remove(key.as_slice()).map(drop),
            };
            laid.map_err(|e| failed(e.to_string()))?;
        }
        Ok((self.effects, edited))
    }

    fn failed(&self, cause: impl std::fmt::Display) -> Error {
        self.broken.set(true);
        Error::unavailable(cause)
    }
}

impl Tx for WriteTx<'_> {
    fn row(&self, table: &'static str, key: &[u8]) -> Result<Option<Vec<u8>>> {
        if let Some(edited) = self.edits.get(&(table, key.to_vec())) {
            return Ok(edited.clone());
        }
        let table = self.batch.open_table(Raw::new(table)).map_err(|e| self.failed(e))?;
        find(&table, key).map_err(|e| self.failed(e))
    }

    fn rows(
        &self,
        table: &'static str,
        prefix: &[u8],
        after: Option<&[u8]>,
        limit: usize,
    ) -> Result<Vec<Row>> {
        let start = start_of(prefix, after);
        let mine: Vec<_> = self
            .edits
            .range((start.map(|key| (table, key.to_vec())), Bound::Unbounded))
            .take_while(|((name, key), _)| *name == table && key.starts_with(prefix))
            .collect();
        let below = {
            let opened = self.batch.open_table(Raw::new(table)).map_err(|e| self.failed(e))?;
            let enough = limit.saturating_add(mine.len());
            walk(&opened, prefix, after, enough).map_err(|e| self.failed(e))?
        };
        let mut rows: BTreeMap<Vec<u8>, Vec<u8>> = below.into_iter().collect();
        for ((_, key), value) in mine {
            match value {
                Some(value) => rows.insert(key.clone(), value.clone()),
                None => rows.remove(key),
            };
        }
        Ok(rows.into_iter().take(limit).collect())
    }
}

fn start_of<'a>(prefix: &'a [u8], after: Option<&'a [u8]>) -> Bound<&'a [u8]> {
    match after {
        Some(after) if after >= prefix => Bound::Excluded(after),
        _ => Bound::Included(prefix),
    }
}

type Table<'a> = &'a dyn ReadRows;

/// The two kinds of open tables as one type, so that both are compiled once.
trait ReadRows {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, redb::StorageError>;
    fn range(
        &self,
        start: Bound<&[u8]>,
    ) -> Result<redb::Range<'_, &'static [u8], &'static [u8]>, redb::StorageError>;
}

impl<T: ReadableTable<&'static [u8], &'static [u8]>> ReadRows for T {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, redb::StorageError> {
        Ok(ReadableTable::get(self, key)?.map(|row| row.value().to_vec()))
    }

    fn range(
        &self,
        start: Bound<&[u8]>,
    ) -> Result<redb::Range<'_, &'static [u8], &'static [u8]>, redb::StorageError> {
        ReadableTable::range::<&[u8]>(self, (start, Bound::Unbounded))
    }
}

fn find(table: Table<'_>, key: &[u8]) -> Result<Option<Vec<u8>>, redb::StorageError> {
    table.get(key)
}

fn walk(
    table: Table<'_>,
    prefix: &[u8],
    after: Option<&[u8]>,
    limit: usize,
) -> Result<Vec<Row>, redb::StorageError> {
    let mut rows = Vec::new();
    if limit == 0 {
        return Ok(rows);
    }
    for row in table.range(start_of(prefix, after))? {
        let (key, value) = row?;
        if !key.value().starts_with(prefix) {
            break;
        }
        rows.push((key.value().to_vec(), value.value().to_vec()));
        if rows.len() == limit {
            break;
        }
    }
    Ok(rows)
}
