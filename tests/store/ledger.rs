//! Changes of which a half would show: money moves between accounts, and each move is entered in a book. What
//! the store holds can then be computed from the book alone.
use std::collections::{BTreeMap, BTreeSet};

use auth_service::base::{Error, Result};
use auth_service::store::{Map, Record, Store, Tx, WriteTx, next_id};
use serde::{Deserialize, Serialize};

use crate::support::Rng;

pub const ACCOUNTS: u64 = 8;
const OPENING: u64 = 1000;
const SEQUENCE: &str = "test.entry";

/// account -> money
pub const BALANCES: Map<u64> = Map::new("test.balance");
/// order -> what was moved
const ENTRIES: Map<Entry> = Map::new("test.entry");
/// order -> bytes that make the file grow and shrink
const BALLAST: Map<Ballast> = Map::new("test.ballast");

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Entry {
    client: u64,
    from: u64,
    to: u64,
    amount: u64,
    ballast: usize,
    /// Whose ballast was thrown out.
    dropped: Vec<u64>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Ballast(String);

impl Record for Entry {
    const VERSION: u8 = 1;
}
impl Record for Ballast {
    const VERSION: u8 = 1;
}

/// How a change ends, once it has made its edits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Well,
    Refused,
    Panics,
}

/// One change.
#[derive(Debug, Clone)]
pub struct Transfer {
    /// Tells the changes of a history apart.
    pub client: u64,
    pub from: u64,
    pub to: u64,
    amount: u64,
    ballast: usize,
    drops: usize,
    end: End,
}

impl Transfer {
    pub fn random(rng: &mut Rng, client: u64) -> Self {
        let from = rng.below(ACCOUNTS);
        let ballast = match rng.below(20) {
            0 => rng.below(200_000),
            1..5 => rng.below(9_000),
            _ => rng.below(100),
        };
        Self {
            client,
            from,
            to: (from + 1 + rng.below(ACCOUNTS - 1)) % ACCOUNTS,
            amount: rng.below(60),
            ballast: ballast as usize,
            drops: rng.pick(&[0, 0, 1, 1, 1, 2, 50]),
            end: rng.pick(&[
                End::Well,
                End::Well,
                End::Well,
                End::Well,
                End::Well,
                End::Refused,
                End::Panics,
            ]),
        }
    }

    /// The change itself.
    pub fn run(self, tx: &mut WriteTx) -> Result<u64> {
        let order = next_id(tx, SEQUENCE)?;
        let dropped: Vec<u64> =
            BALLAST.first(tx, &[], self.drops)?.iter().map(|(key, _)| number(key)).collect();
        dropped.iter().for_each(|gone| BALLAST.remove(tx, &gone.to_be_bytes()));
        BALLAST.put(tx, &order.to_be_bytes(), &ballast(order, self.ballast))?;
        let to = balance(tx, self.to)? + self.amount;
        BALANCES.put(tx, &self.to.to_be_bytes(), &to)?;
        let Self { client, from, to, amount, ballast, .. } = self;
        let entry = Entry { client, from, to, amount, ballast, dropped };
        ENTRIES.put(tx, &order.to_be_bytes(), &entry)?;
        // Last, so that a change that fails has made edits.
        let left = balance(tx, from)?.checked_sub(amount).ok_or(Error::Forbidden("overdraw".into()))?;
        BALANCES.put(tx, &from.to_be_bytes(), &left)?;
        match self.end {
            End::Well => Ok(order),
            End::Refused => Err(Error::Forbidden("move money".into())),
            End::Panics => panic!("a change of the test that panics"),
        }
    }
}

/// Opens the accounts, unless they are open.
pub fn found(tx: &mut WriteTx) -> Result<()> {
    if BALANCES.get(tx, &0_u64.to_be_bytes())?.is_none() {
        (0..ACCOUNTS).try_for_each(|account| BALANCES.put(tx, &account.to_be_bytes(), &OPENING))?;
    }
    Ok(())
}

fn balance(tx: &impl Tx, account: u64) -> Result<u64> {
    BALANCES.get(tx, &account.to_be_bytes())?.ok_or(Error::NotFound("account"))
}

fn ballast(order: u64, len: usize) -> Ballast {
    Ballast(format!("{order:08} ").repeat(len / 9))
}

fn number(key: &[u8]) -> u64 {
    u64::from_be_bytes(key.try_into().unwrap())
}

/// Reads all there is, checks that it is what the book says, and gives the clients in the book.
///
/// # Errors
/// `Error::Unavailable` when the disk does not serve.
pub fn audit(store: &Store) -> Result<BTreeSet<u64>> {
    let (entries, balances, ballasts) = store.get(|tx| {
        let entries = ENTRIES.first(tx, &[], usize::MAX)?;
        Ok((entries, BALANCES.first(tx, &[], usize::MAX)?, BALLAST.first(tx, &[], usize::MAX)?))
    })?;
    let mut expected: BTreeMap<u64, u64> = (0..ACCOUNTS).map(|account| (account, OPENING)).collect();
    let (mut clients, mut aboard) = (BTreeSet::new(), BTreeMap::new());
    for (place, (key, entry)) in entries.iter().enumerate() {
        let order = number(key);
        assert_eq!(order, place as u64 + 1, "the numbers of the entries have a gap");
        assert!(clients.insert(entry.client), "{entry:?} is there twice");
        *expected.get_mut(&entry.from).unwrap() -= entry.amount;
        *expected.get_mut(&entry.to).unwrap() += entry.amount;
        for gone in &entry.dropped {
            assert!(aboard.remove(gone).is_some(), "{entry:?} has thrown out what was not there");
        }
        aboard.insert(order, ballast(order, entry.ballast));
    }
    let found: BTreeMap<u64, u64> = balances.iter().map(|(key, money)| (number(key), *money)).collect();
    assert!(found == expected || (found.is_empty() && clients.is_empty()), "{found:?} is not {expected:?}");
    let found: BTreeMap<u64, Ballast> =
        ballasts.into_iter().map(|(key, bytes)| (number(&key), bytes)).collect();
    assert!(
        found == aboard,
        "the ballast is not what the book says: {:?}, {:?}",
        found.keys(),
        aboard.keys()
    );
    Ok(clients)
}

/// What the callers of a history have heard.
#[derive(Debug, Default)]
pub struct Heard {
    /// Changes that must be there.
    pub acknowledged: BTreeSet<u64>,
    /// Changes that must not be there.
    pub refused: BTreeSet<u64>,
    /// Changes that may be there, wholly.
    pub unknown: BTreeSet<u64>,
}

impl Heard {
    pub fn learn(&mut self, client: u64, answer: &Result<u64>) {
        match answer {
            Ok(_) => self.acknowledged.insert(client),
            Err(Error::Forbidden(_) | Error::Internal(_)) => self.refused.insert(client),
            Err(Error::Unavailable(_)) => self.unknown.insert(client),
            Err(other) => panic!("a change must not be answered with {other:?}"),
        };
    }

    /// The clients in the book against what was heard.
    pub fn check(&self, found: &BTreeSet<u64>) {
        let lost: Vec<_> = self.acknowledged.difference(found).collect();
        assert!(lost.is_empty(), "acknowledged and not there: {lost:?}");
        let kept: Vec<_> = self.refused.intersection(found).collect();
        assert!(kept.is_empty(), "refused and there: {kept:?}");
        let strange: Vec<_> =
            found.iter().filter(|c| !self.acknowledged.contains(c) && !self.unknown.contains(c)).collect();
        assert!(strange.is_empty(), "there and never asked for: {strange:?}");
    }
}
