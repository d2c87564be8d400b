//! Takes accounts in, many with one change of the store, and gives them out.
use std::collections::HashMap;

use super::model::{Arrival, Format, Outcome, ROWS_AT_ONCE, Refused, Report, Row, Totals};
use super::rows::{Found, Rows};
use super::seen::Seen;
use crate::account::{User, table};
use crate::audit::{self, Event};
use crate::base::{Env, Error, Page, PageRequest, Result, Timestamp};
use crate::rbac::Initiator;
use crate::rbac::model::roles_of;
use crate::rbac::service::check_roles;
use crate::store::{ReadTx, Store, Tx, WriteTx};

/// The most rows that are taken at once; the command line takes any number.
const MOST_ROWS: usize = 10_000;

/// Import and export of accounts.
#[derive(Clone)]
pub struct Transfer {
    store: Store,
    env: Env,
}

impl Transfer {
    #[must_use]
    pub fn new(store: Store, env: Env) -> Self {
        Self { store, env }
    }

    /// Takes in the rows of a whole file that is in memory.
    ///
    /// # Errors
    /// `Error::Invalid` naming `body` for a file that has no rows, or more than 10,000, or that is no text, or lacks
    /// columns; and what [`Transfer::import`] gives, when the rows before are in.
    pub async fn import_file(
        &self,
        by: Initiator,
        format: Format,
        file: Vec<u8>,
        dry_run: bool,
    ) -> Result<Report> {
        let mut found = read(format, file).await?.into_iter().peekable();
        let mut report = Report { totals: Totals { dry_run, ..Totals::default() }, refused: Vec::new() };
        let mut seen = Seen::default();
        while found.peek().is_some() {
            let some: Vec<Found> = found.by_ref().take(ROWS_AT_ONCE).collect();
            for outcome in self.import(by.clone(), some, dry_run, &mut seen).await? {
                report.totals.count(&outcome);
                if let Outcome::Refused(refused) = outcome {
                    report.refused.push(refused);
                }
            }
        }
        Ok(report)
    }

    /// Takes in some rows with one change: each is all there or leaves no trace, and keeps no other from going in.
    ///
    /// `seen`: what the dry run has met so far. Nothing is written in one, so the store alone does not know.
    ///
    /// # Errors
    /// `Error::Unavailable` when the store takes no writes; `Error::TokenRevoked` for somebody who may do nothing
    /// any more. None of these rows is in then.
    ///
    /// # Returns
    /// What became of each row, in their order.
    pub async fn import(
        &self,
        by: Initiator,
        rows: Vec<Found>,
        dry_run: bool,
        seen: &mut Seen,
    ) -> Result<Vec<Outcome>> {
        let parsing = move || rows.into_iter().map(|found| found.and_then(Row::parse)).collect();
        let parsed: Vec<_> = tokio::task::spawn_blocking(parsing).await.map_err(Error::internal)?;
        let outcomes = if dry_run {
            self.try_out(by, parsed, seen).await?
        } else {
            let now = self.env.now();
            self.store.write(move |tx| take_all(tx, by, parsed, now)).await?
        };
        let refused = outcomes.iter().filter(|outcome| matches!(outcome, Outcome::Refused(_))).count();
        tracing::info!(rows = outcomes.len(), refused, dry_run, "accounts imported");
        Ok(outcomes)
    }

    /// What an import would make of these rows.
    async fn try_out(&self, by: Initiator, rows: Vec<Parsed>, seen: &mut Seen) -> Result<Vec<Outcome>> {
        let trial = move |tx: &ReadTx| {
            let mut rights = Rights::new(by);
            rows.into_iter().map(|parsed| check(tx, &mut rights, parsed)).collect::<Result<Vec<_>>>()
        };
        let checked = self.store.scan(trial).await?;
        let settle = |parsed: Parsed| {
            let arrival = match parsed {
                Ok(arrival) => arrival,
                Err(refused) => return Ok(Outcome::Refused(refused)),
            };
            let (row, username) = (arrival.row, arrival.username().to_owned());
            match seen.check(&arrival) {
                Ok(()) => {
                    seen.add(&arrival);
                    Ok(Outcome::Imported { row, username, id: None })
                }
                Err(error) => refuse(error, row, &username).map(Outcome::Refused),
            }
        };
        checked.into_iter().map(settle).collect()
    }

    /// One page of all accounts by id, without those in the recycle bin: it may have fewer than asked for. That somebody
    /// takes them away is written before the first is given.
    ///
    /// # Errors
    /// `Error::Unavailable` when the store does not serve, and when it takes no writes.
    pub async fn export(
        &self,
        by: &Initiator,
        request: PageRequest,
        with_hashes: bool,
    ) -> Result<Page<User>> {
        if request.after.is_none() {
            let event = Event::new(by, "user.exported", self.env.now());
            let event = event.with("password_hashes", with_hashes.to_string());
            self.store.write(move |tx| audit::table::append(tx, event)).await?;
        }
        let mut page = self.store.scan(move |tx| table::page(tx, &request)).await?;
        page.items.retain(|user| user.deleted_at.is_none());
        Ok(page)
    }
}

/// A row that is good in itself, or why it is not.
type Parsed = Result<Arrival, Refused>;

/// All rows of a file, off the threads that answer requests.
async fn read(format: Format, file: Vec<u8>) -> Result<Vec<Found>> {
    let reading = move || {
        std::str::from_utf8(&file).map_err(|_| Error::invalid("body", "must be text in UTF-8"))?;
        let mut rows = Rows::open(&file[..], format, "body")?;
        let mut all = Vec::new();
        while let Some(found) = rows.next_row()? {
            all.push(found);
            if all.len() > MOST_ROWS {
                let reason = format!("must have at most {MOST_ROWS} rows; the command line takes any number");
                return Err(Error::invalid("body", reason));
            }
        }
        Ok(all)
    };
    tokio::task::spawn_blocking(reading).await.map_err(Error::internal)?
}

fn take_all(tx: &mut WriteTx, by: Initiator, rows: Vec<Parsed>, now: Timestamp) -> Result<Vec<Outcome>> {
    let mut rights = Rights::new(by);
    let mut take = |parsed: Parsed| match parsed {
        Ok(arrival) => take(tx, &mut rights, arrival, now),
        Err(refused) => Ok(Outcome::Refused(refused)),
    };
    rows.into_iter().map(&mut take).collect()
}

fn take(tx: &mut WriteTx, rights: &mut Rights, arrival: Arrival, now: Timestamp) -> Result<Outcome> {
    let (row, username) = (arrival.row, arrival.username().to_owned());
    let may = rights.check(tx, arrival.roles());
    match may.and_then(|()| table::insert(tx, |id| arrival.into_user(id, now))) {
        Ok(user) => {
            let event = Event::new(&rights.by, "user.imported", now).about_user(&user);
            audit::table::append(tx, event.with("roles", roles_of(&user).join(" ")))?;
            Ok(Outcome::Imported { row, username, id: Some(user.id) })
        }
        Err(error) => refuse(error, row, &username).map(Outcome::Refused),
    }
}

/// Whether the store has room for an account, and its roles may be given.
fn check(tx: &ReadTx, rights: &mut Rights, parsed: Parsed) -> Result<Parsed> {
    let Ok(arrival) = parsed else { return Ok(parsed) };
    let (username, email) = arrival.keys();
    let may = rights.check(tx, arrival.roles());
    match may.and_then(|()| table::check_free(tx, &username, &email)) {
        Ok(()) => Ok(Ok(arrival)),
        Err(error) => refuse(error, arrival.row, arrival.username()).map(Err),
    }
}

/// The row as refused, if the error is about it and not about everything.
fn refuse(error: Error, row: u64, username: &str) -> Result<Refused> {
    if Refused::is_about_row(&error) { Ok(Refused::by(&error, row, Some(username))) } else { Err(error) }
}

/// Which roles may be given, each combination found out once.
struct Rights {
    by: Initiator,
    known: HashMap<Vec<String>, Result<()>>,
}

impl Rights {
    fn new(by: Initiator) -> Self {
        Self { by, known: HashMap::new() }
    }

    fn check(&mut self, tx: &impl Tx, roles: Vec<String>) -> Result<()> {
        if roles.is_empty() {
            return Ok(());
        }
        if let Some(known) = self.known.get(&roles) {
            return known.clone();
        }
        let verdict = check_roles(tx, &self.by, &[], &roles);
        self.known.insert(roles, verdict.clone());
        verdict
    }
}
