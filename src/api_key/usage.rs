//! How often keys are used, counted in memory and written now and then: no request costs a write.
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use foldhash::fast::RandomState;

use super::model::ApiKey;
use super::table::{self, LastUse, Uses};
use crate::base::{Id, Result, Timestamp};
use crate::store::{Store, WriteTx};

/// Uses that are not written yet.
#[derive(Clone, Default)]
pub struct Usage(Arc<Mutex<HashMap<Id<ApiKey>, Pending, RandomState>>>);

#[derive(Clone, Default)]
struct Pending {
    uses: Uses,
    last: Option<(Timestamp, Option<IpAddr>)>,
}

impl Usage {
    /// Counts a use of a good key.
    pub fn accepted(&self, key: Id<ApiKey>, now: Timestamp, address: Option<IpAddr>) {
        self.count(key, |pending| {
            pending.uses.accepted += 1;
            pending.last = Some((now, address));
        });
    }

    /// Counts a use that was refused though the text was right.
    pub fn refused(&self, key: Id<ApiKey>) {
        self.count(key, |pending| pending.uses.refused += 1);
    }

    /// Counts a use as refused that was counted as one of a good key before: nothing was left of the key's limit.
    pub fn turned_away(&self, key: Id<ApiKey>) {
        self.count(key, |pending| {
            pending.uses.accepted = pending.uses.accepted.saturating_sub(1);
            pending.uses.refused += 1;
        });
    }

    /// Writes what was counted.
    ///
    /// # Errors
    /// `Error::Unavailable` when the store takes no writes; then it is for the next time.
    pub async fn write(&self, store: &Store, now: Timestamp) -> Result<()> {
        let pending = std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        if pending.is_empty() {
            return Ok(());
        }
        let kept = pending.clone();
        let change = move |tx: &mut WriteTx| {
            for (key, Pending { uses, last }) in pending {
                let last = last.map(|(at, address)| LastUse {
                    at,
                    address: address.map(|address| address.to_string()).unwrap_or_default(),
                });
                table::add_uses(tx, key, uses, last.as_ref(), now)?;
            }
            Ok(())
        };
        let written = store.write(change).await;
        if written.is_err() {
            self.put_back(kept);
        }
        written
    }

    fn put_back(&self, kept: HashMap<Id<ApiKey>, Pending, RandomState>) {
        for (key, Pending { uses, last }) in kept {
            self.count(key, |pending| {
                pending.uses.accepted += uses.accepted;
                pending.uses.refused += uses.refused;
                pending.last = pending.last.max(last);
            });
        }
    }

    fn count(&self, key: Id<ApiKey>, count: impl FnOnce(&mut Pending)) {
        let mut pending = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        count(pending.entry(key).or_default());
    }
}
