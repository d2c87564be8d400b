//! Reads every row there is and says what is wrong with it.
use std::collections::BTreeMap;

use super::{ReadTx, Tx, expiry, schema, sequence};
use crate::base::Result;

/// Looks at one row of a table; the text says what is wrong.
pub type Check = fn(&ReadTx, &[u8], &[u8]) -> Result<Option<String>>;

/// Few enough to read; the rest is counted.
const MAX_PROBLEMS: usize = 100;

/// What was found in a store.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Findings {
    /// Rows by table.
    pub tables: BTreeMap<String, u64>,
    /// What is wrong, the first hundred of it.
    pub problems: Vec<String>,
    /// How much is wrong in all.
    pub problem_count: u64,
}

impl Findings {
    fn add(&mut self, table: &str, key: &[u8], why: &str) {
        self.problem_count += 1;
        if self.problems.len() < MAX_PROBLEMS {
            let key: String = key.iter().take(40).map(|byte| format!("{byte:02x}")).collect();
            self.problems.push(format!("{table} {key}: {why}"));
        }
    }
}

/// Walks every table of the snapshot.
pub(super) fn run(tx: &ReadTx, known: &[(&'static str, Check)]) -> Result<Findings> {
    let mut findings = Findings::default();
    for name in tx.tables()? {
        let check = known.iter().chain(&own()).find(|(table, _)| *table == name).map(|(_, check)| *check);
        let Some(check) = check else {
            findings.add(&name, &[], "a table that this program does not know");
            continue;
        };
        let mut rows = 0;
        tx.walk(&name, |key, value| {
            rows += 1;
            match check(tx, key, value) {
                Ok(None) => {}
                Ok(Some(why)) => findings.add(&name, key, &why),
                Err(error) => findings.add(&name, key, &format!("{error:?}")),
            }
        })?;
        findings.tables.insert(name, rows);
    }
    Ok(findings)
}

fn own() -> [(&'static str, Check); 3] {
    [
        (schema::META.name(), |_, _, value| schema::META.decode(value).map(|_| None)),
        (sequence::LAST_IDS.name(), |_, _, value| sequence::LAST_IDS.decode(value).map(|_| None)),
        (expiry::DUE.name(), |_, key, value| {
            expiry::DUE.decode(value)?;
            Ok(expiry::split(key).is_none().then(|| "names no table".to_owned()))
        }),
    ]
}

/// For tables whose rows only have to point at a row that is there.
///
/// # Errors
/// `Error::Unavailable` when the disk does not serve.
pub fn points_at(tx: &impl Tx, table: &'static str, key: &[u8]) -> Result<Option<String>> {
    Ok(tx.row(table, key)?.is_none().then(|| format!("points at a row that {table} does not have")))
}
