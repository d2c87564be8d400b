//! How the rest of the program sends mails, and what administrators do with those that wait.
use std::sync::Arc;

use tokio::sync::Notify;

use super::model::{Kind, Letter, NOTICE_SECS, Queued, Written};
use super::sink::Sink;
use super::table::{self, MAILS};
use super::templates::Templates;
use crate::account::{self, User};
use crate::audit::{self, Event};
use crate::base::text::LookupKey;
use crate::base::{Env, Error, Id, Page, PageRequest, Result, Timestamp};
use crate::crypto::{MasterKey, Sealer};
use crate::rbac::service::check_over;
use crate::rbac::{Initiator, SubjectId, Who};
use crate::store::{Store, Tx, WriteTx};

/// Mails.
#[derive(Clone)]
pub struct Mailer(pub(super) Arc<Inner>);

pub(super) struct Inner {
    pub store: Store,
    pub env: Env,
    pub sink: Sink,
    pub wake: Notify,
    templates: Templates,
    sealer: Sealer,
}

/// A mail that is written and sealed, for a change to queue.
pub struct Prepared {
    queued: Queued,
    /// What its turns are counted by.
    address: Vec<u8>,
}

/// A mail that waits, with what only administrators may see.
pub struct Held {
    pub queued: Queued,
    pub written: Written,
}

/// How mails are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct State {
    pub sink: &'static str,
    pub waiting: u64,
    /// Since when the oldest waits.
    pub oldest: Option<Timestamp>,
    /// Why the last attempt has failed, if it has.
    pub trouble: Option<String>,
}

impl Mailer {
    /// # Errors
    /// `Error::Internal` if no key can be derived.
    pub fn new(
        (store, env): (Store, Env),
        master: &MasterKey,
        templates: Templates,
        sink: Sink,
    ) -> Result<Self> {
        let sealer = master.sealer("mail queue")?;
        Ok(Self(Arc::new(Inner { store, env, sink, wake: Notify::new(), templates, sealer })))
    }

    /// Whether mails leave. Otherwise those with a link are held.
    #[must_use]
    pub fn delivers(&self) -> bool {
        self.0.sink.delivers()
    }

    /// Writes a mail and seals it: slow work, for before the change.
    ///
    /// # Errors
    /// `Error::Internal` for a template or a library that refuses.
    pub fn prepare(&self, letter: &Letter) -> Result<Prepared> {
        let rng = self.0.env.entropy.as_ref();
        let written = self.0.templates.write(letter)?;
        let id = Id::new(letter.at, rng);
        let body = bincode::serde::encode_to_vec(&written, bincode::config::standard());
        let body = zeroize::Zeroizing::new(body.map_err(Error::internal)?);
        let expires_at = letter.link.as_ref().map(|link| link.expires_at);
        let queued = Queued {
            id,
            kind: letter.kind.number(),
            user: letter.user,
            created_at: letter.at,
            expires_at: expires_at.unwrap_or_else(|| letter.at.plus_secs(NOTICE_SECS)),
            attempts: 0,
            next_at: letter.at,
            trouble: String::new(),
            sealed: self.0.sealer.seal(rng, id.as_bytes(), &body)?,
        };
        Ok(Prepared { queued, address: LookupKey::of(&letter.to).to_bytes() })
    }

    /// Whether one more mail of its kind may go to its address now: takes a turn. What a mail without a turn is for must
    /// not be done either.
    ///
    /// # Errors
    /// `Error::Unavailable` when the store does not serve, here and below.
    pub fn take_turn(&self, tx: &mut WriteTx, mail: &Prepared) -> Result<bool> {
        table::take_turn(tx, mail.queued.kind, &mail.address, mail.queued.created_at)
    }

    /// Queues a mail that has its turn: durable with the change. A notice is dropped where mails do not leave.
    ///
    /// # Errors
    /// As [`Mailer::take_turn`].
    pub fn enqueue(&self, tx: &mut WriteTx, mail: Prepared) -> Result<()> {
        let has_link = Kind::of_number(mail.queued.kind).is_some_and(Kind::has_link);
        if !self.delivers() && !has_link {
            return Ok(());
        }
        if table::enqueue(tx, &mail.queued)? {
            let mailer = self.clone();
            tx.when_settled(move |_| mailer.0.wake.notify_one());
        } else {
            tracing::error!("too many mails wait; one more is dropped");
        }
        Ok(())
    }

    /// Does with a mail to an address that nobody has what [`Mailer::enqueue`] does with one with a link, and in the same time:
    /// but it is a decoy, which the worker drops.
    ///
    /// # Errors
    /// As [`Mailer::take_turn`].
    pub fn enqueue_decoy(&self, tx: &mut WriteTx, mail: &Prepared) -> Result<()> {
        if table::enqueue_decoy(tx, &mail.queued)? {
            let mailer = self.clone();
            tx.when_settled(move |_| mailer.0.wake.notify_one());
        }
        Ok(())
    }

    /// Queues a mail if it has a turn left.
    ///
    /// # Errors
    /// As [`Mailer::take_turn`].
    ///
    /// # Returns
    /// Whether it had.
    pub fn post(&self, tx: &mut WriteTx, mail: Prepared) -> Result<bool> {
        let may = self.take_turn(tx, &mail)?;
        if may {
            self.enqueue(tx, mail)?;
        }
        Ok(may)
    }

    /// Writes what tells a user what has happened to the account; nothing where no mail leaves. One that cannot be written,
    /// after a template of somebody's own, is no reason for what it tells of not to happen.
    #[must_use]
    pub fn notice(
        &self,
        kind: Kind,
        user: &User,
        by: &Initiator,
        facts: &[(&'static str, &str)],
    ) -> Option<Prepared> {
        if !self.delivers() {
            return None;
        }
        let letter = Letter {
            kind,
            user: user.id,
            username: user.username.to_string(),
            to: user.email.to_string(),
            by: shown_to(user, by),
            at: self.0.env.now(),
            link: None,
            facts: facts.iter().map(|(name, value)| (*name, (*value).to_owned())).collect(),
        };
        let written = self.prepare(&letter);
        written
            .inspect_err(|error| tracing::error!(?error, kind = kind.name(), "a notice is not written"))
            .ok()
    }

    /// Tells a user what has happened to the account: call it in the change that it is about. Nothing is written where no
    /// mail leaves.
    ///
    /// # Errors
    /// As [`Mailer::take_turn`].
    pub fn notify(
        &self,
        tx: &mut WriteTx,
        kind: Kind,
        user: &User,
        by: &Initiator,
        facts: &[(&'static str, &str)],
    ) -> Result<()> {
        match self.notice(kind, user, by, facts) {
            Some(mail) => self.post(tx, mail).map(drop),
            None => Ok(()),
        }
    }

    /// Opens a mail of the queue.
    pub(super) fn open(&self, queued: &Queued) -> Result<Written> {
        let broken = || Error::internal("a mail of the queue does not open");
        let body = self.0.sealer.open(queued.id.as_bytes(), &queued.sealed).ok_or_else(broken)?;
        let decoded = bincode::serde::decode_from_slice(&body, bincode::config::standard());
        decoded.map(|(written, _)| written).map_err(Error::internal)
    }

    /// How mails are.
    ///
    /// # Errors
    /// As [`Mailer::take_turn`].
    pub fn state(&self) -> Result<State> {
        let first = PageRequest { after: None, limit: 1 };
        let (waiting, oldest) =
            self.0.store.get(|tx| Ok((MAILS.count(tx)?, MAILS.page(tx, &first)?.items.pop())))?;
        let trouble = oldest.as_ref().map(|oldest| oldest.trouble.clone()).filter(|text| !text.is_empty());
        Ok(State {
            sink: self.0.sink.name(),
            waiting,
            oldest: oldest.map(|oldest| oldest.created_at),
            trouble,
        })
    }

    /// One page of the mails that wait, the oldest first; of accounts alone that hold no more than the reader.
    ///
    /// # Errors
    /// As [`Mailer::take_turn`].
    pub async fn list(&self, by: Initiator, request: PageRequest) -> Result<Page<Held>> {
        let mailer = self.clone();
        let read = move |tx: &crate::store::ReadTx| {
            let page = MAILS.page(tx, &request)?;
            let mut items = Vec::new();
            for queued in page.items {
                if check_reader(tx, &by, &queued).is_ok() {
                    items.push(Held { written: mailer.open(&queued)?, queued });
                }
            }
            Ok(Page { items, next_cursor: page.next_cursor })
        };
        self.0.store.scan(read).await
    }

    /// A mail that waits, links and codes included: the audit trail says who has read it.
    ///
    /// # Errors
    /// `Error::NotFound`; `Error::Forbidden` for one to an account that holds more than the reader.
    pub async fn read(&self, by: Initiator, id: Id<Queued>) -> Result<Held> {
        let now = self.0.env.now();
        let change = move |tx: &mut WriteTx| {
            let queued = MAILS.by_id(tx, id)?.filter(|queued| now < queued.expires_at);
            let queued = queued.ok_or(Error::NotFound("mail"))?;
            check_reader(tx, &by, &queued)?;
            audit::table::append(tx, about(tx, Event::new(&by, "mail.read", now), &queued)?)?;
            Ok(queued)
        };
        let queued = self.0.store.write(change).await?;
        Ok(Held { written: self.open(&queued)?, queued })
    }

    /// Has a mail tried now.
    ///
    /// # Errors
    /// `Error::NotFound`.
    pub async fn retry(&self, id: Id<Queued>) -> Result<()> {
        let (mailer, now) = (self.clone(), self.0.env.now());
        let change = move |tx: &mut WriteTx| {
            let queued = MAILS.by_id(tx, id)?.ok_or(Error::NotFound("mail"))?;
            MAILS.update(tx, &Queued { next_at: now, ..queued })?;
            tx.when_settled(move |_| mailer.0.wake.notify_one());
            Ok(())
        };
        self.0.store.write(change).await
    }

    /// Takes a mail out of the queue.
    ///
    /// # Errors
    /// `Error::NotFound`.
    pub async fn discard(&self, by: Initiator, id: Id<Queued>) -> Result<()> {
        let now = self.0.env.now();
        let change = move |tx: &mut WriteTx| {
            let queued = MAILS.by_id(tx, id)?.ok_or(Error::NotFound("mail"))?;
            MAILS.remove(tx, &queued)?;
            audit::table::append(tx, about(tx, Event::new(&by, "mail.discarded", now), &queued)?)
        };
        self.0.store.write(change).await
    }
}

/// What a user sees of whoever has done something to the account: where an administrator sits, and which languages one reads,
/// is for nobody else.
fn shown_to(user: &User, by: &Initiator) -> Initiator {
    match &by.who {
        Who::Subject { id, .. } if *id != SubjectId::User(user.id) => Initiator::default(),
        _ => by.clone(),
    }
}

fn check_reader(tx: &impl Tx, by: &Initiator, queued: &Queued) -> Result<()> {
    match account::table::by_id(tx, queued.user)? {
        Some(user) => check_over(tx, by, &user),
        None => Ok(()),
    }
}

/// An event about a mail and whom it is for.
pub(super) fn about(tx: &impl Tx, event: Event, queued: &Queued) -> Result<Event> {
    let event = event.with("mail", queued.id.to_string()).with("kind", queued.kind_name());
    let user = account::table::by_id(tx, queued.user)?;
    Ok(user.map_or(event.clone(), |user| event.about_user(&user)))
}
