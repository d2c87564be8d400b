//! Whom a key stands for, from memory: what every request with one asks.
//!
//! A key and its owner are read together and forgotten in every change of either, so that what is kept is never older
//! than the last commit that a client has heard of.
use std::net::IpAddr;
use std::sync::{Arc, PoisonError, RwLock, Weak};

use super::model::{ApiKey, Flaw};
use super::table;
use crate::base::{Id, Result, Timestamp};
use crate::crypto::key_token;
use crate::rbac::book::RoleBook;
use crate::rbac::service::subject_by_id;
use crate::rbac::{Actor, Subject, SubjectId, Via};
use crate::store::{Cache, ReadTx, Store, WriteTx};

const KEYS_KEPT: u64 = 20_000;

/// A key with its owner.
struct Live {
    key: Arc<ApiKey>,
    owner: Option<Subject>,
    listed: Arc<Listed>,
}

/// All that a key may do, as it was last written down: with its owner as it is, by the roles of one book.
#[derive(Default)]
pub struct Listed(RwLock<Option<(Weak<RoleBook>, List)>>);
type List = Arc<[String]>;

impl Listed {
    /// The list by a book, made only if it was not by this book the last time.
    pub fn by(&self, book: &Arc<RoleBook>, list: impl FnOnce() -> Vec<String>) -> List {
        // As long as it is known here, no other book has its place in memory.
        let is_by = |known: &Weak<RoleBook>| std::ptr::eq(known.as_ptr(), Arc::as_ptr(book));
        if let Some((_, list)) =
            self.0.read().unwrap_or_else(PoisonError::into_inner).as_ref().filter(|(known, _)| is_by(known))
        {
            return Arc::clone(list);
        }
        let list: List = list().into();
        let known = (Arc::downgrade(book), Arc::clone(&list));
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Some(known);
        list
    }
}

/// The keys that are in use.
#[derive(Clone)]
pub struct LiveKeys {
    store: Store,
    keys: Cache<Id<ApiKey>, Option<Arc<Live>>>,
}

/// What became of a text that was presented as a key.
pub enum Judged {
    Good(Actor, Arc<Listed>),
    /// The key that it is a text of, if any.
    Bad(Flaw, Option<Arc<ApiKey>>),
}

impl LiveKeys {
    #[must_use]
    pub fn new(store: Store) -> Self {
        Self { store, keys: Cache::new(KEYS_KEPT) }
    }

    /// Whom a key stands for `now`, presented from an address (`None`: it does not matter from where).
    ///
    /// # Errors
    /// `Error::Unavailable` when the store does not serve.
    pub fn judge(&self, text: &str, now: Timestamp, address: Option<IpAddr>) -> Result<Judged> {
        let Some(presented) = key_token::parse(text) else { return Ok(Judged::Bad(Flaw::Malformed, None)) };
        let id = Id::from_bytes(presented.id);
        let Some(live) = self.keys.get(&self.store, id, |tx| load(tx, id))? else {
            return Ok(Judged::Bad(Flaw::Unknown, None));
        };
        let key = Arc::clone(&live.key);
        if let Err(flaw) = key.judge(&presented.hash, now, address) {
            return Ok(Judged::Bad(flaw, (flaw != Flaw::Unknown).then_some(key)));
        }
        match live.owner.clone().filter(Subject::may_go_on) {
            Some(subject) => {
                Ok(Judged::Good(Actor { subject, via: Via::Key(key) }, Arc::clone(&live.listed)))
            }
            None => Ok(Judged::Bad(Flaw::OwnerDisabled, Some(key))),
        }
    }

    /// [`LiveKeys::judge`] for a request that is to be answered.
    ///
    /// # Errors
    /// `Error::InvalidToken`, `Error::TokenExpired`, `Error::TokenRevoked`, `Error::WrongNetwork`;
    /// `Error::Unavailable` when the store does not serve.
    pub fn resolve(&self, text: &str, now: Timestamp, address: Option<IpAddr>) -> Result<Actor> {
        match self.judge(text, now, address)? {
            Judged::Good(actor, _) => Ok(actor),
            Judged::Bad(flaw, _) => Err(flaw.error()),
        }
    }

    /// Call in every change of a key.
    pub fn forget(&self, tx: &mut WriteTx, key: Id<ApiKey>) {
        self.keys.forget(tx, key);
    }

    /// Call in every change of an owner.
    ///
    /// # Errors
    /// `Error::Unavailable` when the store does not serve.
    pub fn forget_owner(&self, tx: &mut WriteTx, owner: SubjectId) -> Result<()> {
        for key in table::ids_of_owner(tx, owner)? {
            self.forget(tx, key);
        }
        Ok(())
    }
}

/// A key and its owner from one snapshot.
fn load(tx: &ReadTx, id: Id<ApiKey>) -> Result<Option<Arc<Live>>> {
    let Some(key) = table::by_id(tx, id)? else { return Ok(None) };
    let owner = subject_by_id(tx, key.owner)?;
    Ok(Some(Arc::new(Live { key: Arc::new(key), owner, listed: Arc::default() })))
}
