//! What can be asked of the audit trail, and what keeps it whole and small.
use super::failures::Failures;
use super::model::{Entry, Event, Filter};
use super::table::{self, Chain};
use crate::base::{Env, Error, Page, PageRequest, Result, Timestamp};
use crate::rbac::Initiator;
use crate::store::{Store, WriteTx};

/// How many entries one step of a long walk takes.
const AT_ONCE: usize = 1000;

/// How long events are kept.
#[derive(Debug, Clone, Copy)]
pub struct Retention {
    /// Days; 0 for ever.
    pub days: i64,
    /// Bytes of all events; 0 for any number.
    pub bytes: u64,
}

/// The audit trail.
#[derive(Clone)]
pub struct Audit {
    store: Store,
    env: Env,
    failures: Failures,
    retention: Retention,
}

/// An entry, and the hash that its own rests on.
pub struct Linked {
    pub before: [u8; 32],
    pub entry: Entry,
}

/// What a check of the whole trail came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    pub first: u64,
    pub last: u64,
    /// The hash of the last entry: noted elsewhere, it proves later that nothing before it was changed.
    pub head: [u8; 32],
    /// The first thing that is wrong.
    pub problem: Option<String>,
}

impl Audit {
    #[must_use]
    pub fn new(store: Store, env: Env, failures: Failures, retention: Retention) -> Self {
        Self { store, env, failures, retention }
    }

    /// One page of events, the newest first.
    ///
    /// # Errors
    /// `Error::Unavailable` when the store does not serve, here and below; `Error::Invalid` naming `cursor` for one that
    /// is not of this list.
    pub async fn search(&self, filter: Filter, request: PageRequest) -> Result<Page<Entry>> {
        if request.after.as_ref().is_some_and(|after| after.len() != 8) {
            return Err(Error::invalid("cursor", "is not a cursor of this list"));
        }
        self.include_failures().await;
        self.store.scan(move |tx| table::search(tx, &filter, &request)).await
    }

    /// The entry from which an export begins.
    ///
    /// # Errors
    /// As [`Audit::search`].
    pub async fn first_of(&self, filter: &Filter) -> Result<u64> {
        self.include_failures().await;
        let from = filter.from.unwrap_or_default();
        self.store.scan(move |tx| table::first_since(tx, from)).await
    }

    /// Some entries that a filter has, from a number on, the oldest first, each with the hash before it; and the number to
    /// go on with.
    ///
    /// # Errors
    /// As [`Audit::search`].
    pub async fn export(&self, filter: Filter, seq: u64) -> Result<(Vec<Linked>, Option<u64>)> {
        self.store
            .scan(move |tx| {
                let entries = table::from(tx, seq, AT_ONCE)?;
                let is_over =
                    |entry: &Entry| filter.until.is_some_and(|until| entry.event.at >= table::later(until));
                let next = entries.last().filter(|last| entries.len() == AT_ONCE && !is_over(last));
                let next = next.map(|last| last.seq + 1);
                let mut before = match entries.first() {
                    Some(first) => table::hash_before(tx, first.seq)?,
                    None => return Ok((Vec::new(), None)),
                };
                let link =
                    |entry: Entry| Linked { before: std::mem::replace(&mut before, entry.hash), entry };
                let linked = entries.into_iter().map(link);
                Ok((linked.filter(|linked| filter.fits(&linked.entry.event)).collect(), next))
            })
            .await
    }

    /// Writes the failures that were gathered.
    ///
    /// # Errors
    /// As [`Audit::search`]; then it is for the next time.
    pub async fn write_failures(&self) -> Result<()> {
        self.write_events(self.failures.take(self.env.now())).await
    }

    /// [`Audit::write_failures`] at the end, when nothing comes after it.
    ///
    /// # Errors
    /// As [`Audit::search`].
    pub async fn close(&self) -> Result<()> {
        self.write_events(self.failures.take_all(self.env.now())).await
    }

    async fn write_events(&self, events: Vec<Event>) -> Result<()> {
        if events.is_empty() {
            return Ok(());
        }
        let kept = events.clone();
        let change =
            move |tx: &mut WriteTx| events.into_iter().try_for_each(|event| table::append(tx, event));
        let written = self.store.write(change).await;
        if written.is_err() {
            self.failures.put_back(kept);
        }
        written
    }

    /// So that what is read has the last failures, too; without them it is still worth reading.
    async fn include_failures(&self) {
        if let Err(error) = self.write_failures().await {
            tracing::warn!(?error, "the last failures are not in the audit trail yet");
        }
    }

    /// Takes away what is too old or too much, and says so in the trail. It waits until some has come together, and takes
    /// a little more than is too much: else every event would take one away, and that be another event.
    ///
    /// # Errors
    /// As [`Audit::search`].
    pub async fn prune(&self) -> Result<()> {
        const DAY_SECS: i64 = 24 * 3600;
        const HOUR_SECS: i64 = 3600;
        let (now, Retention { days, bytes }) = (self.env.now(), self.retention);
        let before = if days == 0 { Timestamp::default() } else { now.plus_secs(-days * DAY_SECS) };
        let bytes = if bytes == 0 { u64::MAX } else { bytes };
        let is_due = self.store.get(|tx| {
            let chain = table::chain(tx)?;
            let oldest = table::from(tx, chain.first, 1)?;
            let is_old = |entry: &Entry| entry.event.at < before.plus_secs(-HOUR_SECS);
            Ok(oldest.first().is_some_and(|entry| is_old(entry) || chain.bytes > bytes))
        })?;
        if !is_due {
            return Ok(());
        }
        let enough = bytes / 100 * 95;
        while self.store.write(move |tx| table::prune(tx, before, enough, AT_ONCE)).await? == AT_ONCE {}
        let change = move |tx: &mut WriteTx| {
            let first = table::chain(tx)?.first;
            let event = Event::new(&Initiator::system(), "audit.pruned", now);
            table::append(tx, event.with("first_kept", first.to_string()))
        };
        self.store.write(change).await
    }

    /// Notes that somebody takes the trail away; where that cannot be written, the trail can still be read.
    pub async fn note_export(&self, by: &Initiator) {
        let event = Event::new(by, "audit.exported", self.env.now());
        if let Err(error) = self.store.write(move |tx| table::append(tx, event)).await {
            tracing::warn!(?error, "an export of the audit trail is not in it");
        }
    }

    /// Walks the whole chain. `noted`: the number and hash of an entry, as they were written down elsewhere.
    ///
    /// # Errors
    /// As [`Audit::search`].
    pub async fn verify(&self, noted: Option<(u64, String)>) -> Result<Verdict> {
        self.include_failures().await;
        self.store.scan(move |tx| verify(tx, noted.as_ref())).await
    }
}

fn verify(tx: &crate::store::ReadTx, noted: Option<&(u64, String)>) -> Result<Verdict> {
    let Chain { first, anchor, last, head, .. } = table::chain(tx)?;
    let verdict = |problem| Verdict { first, last, head, problem };
    let (mut before, mut next) = (anchor, first);
    let mut noted_was_seen = noted.is_none();
    loop {
        let entries = table::from(tx, next, AT_ONCE)?;
        if entries.is_empty() {
            break;
        }
        for entry in entries {
            if entry.seq != next {
                return Ok(verdict(Some(format!("entry {next} is missing"))));
            }
            if entry.expected_hash(&before)? != entry.hash {
                return Ok(verdict(Some(format!("entry {next} was changed, or the one before it"))));
            }
            if let Some((_, hash)) = noted.filter(|(seq, _)| *seq == entry.seq) {
                if !hash.eq_ignore_ascii_case(&super::export::hex(&entry.hash)) {
                    return Ok(verdict(Some(format!("entry {next} is not the one that was noted"))));
                }
                noted_was_seen = true;
            }
            (before, next) = (entry.hash, next + 1);
        }
    }
    if next != last + 1 || before != head {
        return Ok(verdict(Some(format!("the trail ends at entry {} and should end at {last}", next - 1))));
    }
    if !noted_was_seen {
        return Ok(verdict(Some("the entry that was noted is not there (any more)".to_owned())));
    }
    Ok(verdict(None))
}
