//! Whether somebody may guess once more.
use std::net::IpAddr;
use std::sync::Arc;

use aws_lc_rs::hmac;

use super::counters::Counters;
use super::model::{Count, Limits};
use super::table;
use crate::base::text::{LookupKey, MAX_TYPED_BYTES};
use crate::base::{Env, Error, Result};
use crate::crypto::MasterKey;
use crate::store::{Store, WriteTx};

/// Counts in memory: room for a million attacked accounts from one network and from all.
const MOST: usize = 2_200_000;
const DAY_SECS: u32 = 24 * 3600;

/// How fast guesses may come, and whether they are counted at all.
#[derive(Debug, Clone, Copy)]
pub struct Policy {
    pub is_on: bool,
    /// For one account from one network, and for one device that is known.
    pub pair: Limits,
    /// For one account from everywhere.
    pub account: Limits,
    /// For one network, whatever account.
    pub network: Limits,
    /// For a /48 of IPv6, whatever account.
    pub site: Limits,
}

/// What is guessed at, and from where; `device`: the known one that it comes from.
pub enum Guess<'a> {
    /// The password of what was typed into a login form.
    Login { typed: &'a str, network: IpAddr, device: Option<u64> },
    /// The code that was mailed to an address.
    Mailed { email: &'a str, network: IpAddr, device: Option<u64> },
    /// A passkey; `user`: whose it says it is, if anybody's.
    Passkey { user: Option<u64>, network: IpAddr, device: Option<u64> },
    /// A text of 256 random bits that lets in.
    Text { network: IpAddr },
    /// The password of a user who has a session.
    Password { user: u64, network: IpAddr },
    /// The code that somebody's device shows, guessed by a user who has a session.
    UserCode { user: u64, network: IpAddr },
    /// The code of a second factor of a user whose first was right.
    Code { user: u64, network: IpAddr, device: Option<u64> },
}

/// Under what names guesses of one kind are counted.
struct Kind {
    device: &'static [u8],
    pair: &'static [u8],
    account: Option<&'static [u8]>,
    /// Whether its network is counted, too: not where somebody has shown already who it is.
    of_network: bool,
}

/// What is counted of a guess.
struct Counting {
    kind: Kind,
    /// At whose account, if one is named.
    whose: Option<Vec<u8>>,
    network: IpAddr,
    device: Option<u64>,
}

/// Guesses, counted.
#[derive(Clone)]
pub struct Throttle {
    store: Store,
    env: Env,
    mac: Arc<hmac::Key>,
    counters: Arc<Counters>,
    policy: Policy,
}

/// A guess that may be made. Dropped, it stays counted.
#[must_use]
pub struct Ticket {
    counters: Arc<Counters>,
    /// Cleared by a right guess.
    cleared: Vec<Counted>,
    /// Relieved by a right guess of those that were cleared.
    relieved: Vec<Counted>,
}

/// What was counted: what there was before, and with it.
struct Counted {
    key: u64,
    before: Count,
    after: Count,
}

impl Throttle {
    /// # Errors
    /// `Error::Internal` if no key can be derived.
    pub fn new((store, env): (Store, Env), master: &MasterKey, policy: Policy) -> Result<Self> {
        let (mac, counters) = (Arc::new(master.mac("throttle")?), Arc::new(Counters::new(MOST)));
        Ok(Self { store, env, mac, counters, policy })
    }

    /// Counts a guess before it is made.
    ///
    /// # Errors
    /// `Error::TooManyAttempts` saying how long to wait; then it is not counted.
    pub fn admit(&self, guess: &Guess) -> Result<Ticket> {
        let mut ticket =
            Ticket { counters: Arc::clone(&self.counters), cleared: Vec::new(), relieved: Vec::new() };
        if !self.policy.is_on {
            return Ok(ticket);
        }
        let Policy { pair, account, network, site, .. } = self.policy;
        let Counting { kind, whose, network: address, device } = guess.counting();
        let from = network_bytes(address);
        match (&whose, device) {
            // With it a guess is counted for this device alone.
            (Some(whose), Some(device)) => {
                let key = self.key(kind.device, &[whose, &device.to_be_bytes()]);
                self.count(key, &pair, &mut ticket, true)?;
                return Ok(ticket);
            }
            (Some(whose), None) => {
                self.count(self.key(kind.pair, &[whose, &from]), &pair, &mut ticket, true)?;
                if let Some(name) = kind.account {
                    self.count(self.key(name, &[whose]), &account, &mut ticket, false)?;
                }
            }
            (None, _) => {}
        }
        if kind.of_network {
            self.count(self.key(b"network", &[&from]), &network, &mut ticket, false)?;
            if let Some(around) = site_bytes(address) {
                self.count(self.key(b"site", &[&around]), &site, &mut ticket, false)?;
            }
        }
        Ok(ticket)
    }

    fn count(&self, key: u64, limits: &Limits, ticket: &mut Ticket, clears: bool) -> Result<()> {
        let now = u32::try_from(self.env.now().secs()).unwrap_or(u32::MAX);
        // A store that does not serve forgets what was before a restart, and no more.
        let stored = || self.store.get(|tx| table::count(tx, key)).unwrap_or_else(|_| Count::default());
        match self.counters.count(key, limits, now, stored) {
            Ok((before, after)) => {
                let keys = if clears { &mut ticket.cleared } else { &mut ticket.relieved };
                keys.push(Counted { key, before, after });
                Ok(())
            }
            Err(wait) => {
                ticket.take_back();
                Err(Error::TooManyAttempts { retry_after_secs: u64::from(wait) })
            }
        }
    }

    /// A number for what somebody typed: the same however it is spelled, and one that nobody outside can foresee.
    #[must_use]
    pub fn number_of(&self, typed: &str) -> u64 {
        self.key(b"number", &[&account_bytes(typed)])
    }

    /// Writes what was counted since the last time.
    ///
    /// # Errors
    /// `Error::Unavailable` when the store takes no writes; then it is for the next time.
    pub async fn write(&self) -> Result<()> {
        let changed = self.counters.take_changed();
        if changed.is_empty() {
            return Ok(());
        }
        let keys: Vec<u64> = changed.iter().map(|(key, _)| *key).collect();
        let written = self.store.write(move |tx: &mut WriteTx| table::put(tx, &changed)).await;
        if written.is_err() {
            self.counters.put_back(keys.into_iter());
        }
        written
    }

    /// Forgets what is a day old.
    pub fn tidy(&self) {
        let now = u32::try_from(self.env.now().secs()).unwrap_or(u32::MAX);
        self.counters.forget_before(now.saturating_sub(DAY_SECS));
    }

    /// How many counts are in memory.
    #[must_use]
    pub fn held(&self) -> usize {
        self.counters.len()
    }

    /// 64 bits of a keyed hash: nobody chooses names that fall together.
    fn key(&self, kind: &[u8], parts: &[&[u8]]) -> u64 {
        let mut context = hmac::Context::with_key(&self.mac);
        context.update(kind);
        for part in parts {
            context.update(&(part.len() as u64).to_be_bytes());
            context.update(part);
        }
        let tag = context.sign();
        tag.as_ref().first_chunk().copied().map(u64::from_be_bytes).unwrap_or_default()
    }
}

impl Guess<'_> {
    fn counting(&self) -> Counting {
        const LOGIN: Kind =
            Kind { device: b"device", pair: b"pair", account: Some(b"account"), of_network: true };
        const MAILED: Kind = Kind {
            device: b"mailed device",
            pair: b"mailed pair",
            account: Some(b"mailed account"),
            of_network: true,
        };
        const PASSKEY: Kind =
            Kind { device: b"passkey device", pair: b"passkey pair", account: None, of_network: true };
        const PASSWORD: Kind = Kind {
            device: b"password device",
            pair: b"password",
            account: Some(b"password"),
            of_network: false,
        };
        const CODE: Kind =
            Kind { device: b"code device", pair: b"code", account: Some(b"code"), of_network: false };
        const USER_CODE: Kind = Kind {
            device: b"user code device",
            pair: b"user code",
            account: Some(b"user code"),
            of_network: true,
        };
        let user = |user: &u64| Some(user.to_be_bytes().to_vec());
        let (kind, whose, network, device) = match self {
            Self::Login { typed, network, device } => (LOGIN, Some(account_bytes(typed)), network, *device),
            Self::Mailed { email, network, device } => (MAILED, Some(account_bytes(email)), network, *device),
            Self::Passkey { user: whose, network, device } => {
                (PASSKEY, whose.as_ref().and_then(user), network, *device)
            }
            Self::Text { network } => (PASSKEY, None, network, None),
            Self::Password { user: whose, network } => (PASSWORD, user(whose), network, None),
            Self::UserCode { user: whose, network } => (USER_CODE, user(whose), network, None),
            Self::Code { user: whose, network, device } => (CODE, user(whose), network, *device),
        };
        Counting { kind, whose, network: *network, device }
    }
}

impl Ticket {
    /// The guess was right: it is taken back, and what its guesser got wrong before is forgotten.
    pub fn succeeded(self) {
        let clear =
            |counted: &Counted| self.counters.change(counted.key, |count| Count { guesses: 0, ..count });
        let own: u32 = self.cleared.iter().map(clear).sum();
        // Itself at least, where no account is named.
        let own = own.max(1);
        for Counted { key, .. } in &self.relieved {
            self.counters.change(*key, |count| Count { guesses: count.guesses.saturating_sub(own), ..count });
        }
    }

    /// The guess was not made after all.
    pub fn give_back(self) {
        self.take_back();
    }

    fn take_back(&self) {
        for Counted { key, before, after } in self.cleared.iter().chain(&self.relieved) {
            self.counters.change(*key, |count| {
                // Unless somebody guessed meanwhile, it is as if nobody had.
                if count == *after {
                    *before
                } else {
                    Count { guesses: count.guesses.saturating_sub(1), ..count }
                }
            });
        }
    }
}

/// What was typed, without regard to case: the same whether there is such an account or not.
fn account_bytes(typed: &str) -> Vec<u8> {
    let end = typed.char_indices().map(|(at, _)| at).find(|at| *at > MAX_TYPED_BYTES);
    LookupKey::of_login(&typed[..end.unwrap_or(typed.len())]).to_bytes()
}

/// An IPv4 address, or the /64 network of an IPv6 one, which is one customer.
fn network_bytes(address: IpAddr) -> Vec<u8> {
    match address.to_canonical() {
        IpAddr::V4(v4) => v4.octets().to_vec(),
        IpAddr::V6(v6) => v6.octets()[..8].to_vec(),
    }
}

/// The /48 of an IPv6 address, which many customers have the whole of (RFC 6177).
fn site_bytes(address: IpAddr) -> Option<Vec<u8>> {
    match address.to_canonical() {
        IpAddr::V4(_) => None,
        IpAddr::V6(v6) => Some(v6.octets()[..6].to_vec()),
    }
}

/// Somebody's surroundings: an IPv4 address, or the /48 of an IPv6 one.
#[must_use]
pub fn surroundings(address: IpAddr) -> Vec<u8> {
    site_bytes(address).unwrap_or_else(|| network_bytes(address))
}
