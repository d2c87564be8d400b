//! What can be done with passkeys.
use std::sync::Arc;

use serde_json::Value;

use super::challenge::{Challenges, Opened, Purpose, not_good};
use super::change::described;
use super::model::{Passkey, Proof, default_name};
use super::rules::{any_left, check_not_last, check_room, known, of_party};
use super::table;
use crate::account::{self, User};
use crate::audit::{self, Event, Failures};
use crate::base::text::DisplayName;
use crate::base::{Env, Error, Id, Page, PageRequest, Result, entropy};
use crate::crypto::webauthn::{Account, Asked, Assertion, Attestation, Flaw, RelyingParty};
use crate::mail::{self, Mailer};
use crate::mfa::Mfa;
use crate::mfa::change::without_passkeys;
use crate::rbac::Initiator;
use crate::rbac::service::check_over;
use crate::session::change::end_all;
use crate::session::{LiveSessions, Session, SessionTokens};
use crate::store::{Store, WriteTx};
use crate::throttle::{Devices, Throttle};

/// For whom this server's passkeys are.
pub struct Reach {
    /// Or why there can be none.
    pub party: Result<RelyingParty, &'static str>,
    /// The origins of others that may use them, too.
    pub related: Vec<String>,
}

impl Reach {
    /// The domain that passkeys are made for, if there can be any.
    #[must_use]
    pub fn rp_id(&self) -> Option<String> {
        self.party.as_ref().ok().map(|party| party.id().to_owned())
    }
}

/// Passkeys of users.
#[derive(Clone)]
pub struct Passkeys {
    pub store: Store,
    pub env: Env,
    pub live: LiveSessions,
    pub tokens: SessionTokens,
    pub failures: Failures,
    pub mfa: Mfa,
    pub mail: Mailer,
    pub throttle: Throttle,
    /// Browsers that have logged in: with a passkey, too.
    pub devices: Devices,
    pub challenges: Challenges,
    pub reach: Arc<Reach>,
}

/// What a browser is asked.
pub struct Question {
    /// To be handed back with the answer.
    pub challenge_id: String,
    pub options: Value,
}

/// What a browser has answered.
pub struct Reply {
    pub challenge_id: String,
    pub credential: Value,
}

impl Passkeys {
    /// # Errors
    /// `Error::Invalid` naming `public_url` where passkeys cannot work.
    pub(super) fn party(&self) -> Result<&RelyingParty> {
        self.reach.party.as_ref().map_err(|reason| Error::invalid("public_url", *reason))
    }

    /// Asks for a new passkey of a user. `name`: what it is to be called.
    ///
    /// # Errors
    /// `Error::Invalid` naming `public_url` where passkeys cannot work, here and below, and `passkeys` when the user has as
    /// many as it may have.
    pub async fn start_registration(
        &self,
        user: &User,
        session: Id<Session>,
        name: Option<String>,
    ) -> Result<Question> {
        let party = self.party()?;
        let (known, handle) =
            self.store.get(|tx| Ok((table::of_user(tx, user.id)?, table::handle(tx, user.id)?)))?;
        check_room(known.len())?;
        let handle = match handle {
            Some(handle) => handle,
            None => self.make_handle(user.id).await?,
        };
        let full: Vec<_> =
            [&user.first_name, &user.last_name].into_iter().flatten().map(DisplayName::as_str).collect();
        let full = if full.is_empty() { user.username.to_string() } else { full.join(" ") };
        let account = Account { handle, name: user.username.as_str(), display_name: &full };
        let asked = party.ask_for_new(&account, &of_party(&known, party.id()))?;
        self.question(Purpose::Register(session), asked, name)
    }

    /// By what authenticators will know a user, from its first passkey on.
    async fn make_handle(&self, user: u64) -> Result<[u8; 16]> {
        let new = entropy::bytes(self.env.entropy.as_ref());
        let change = move |tx: &mut WriteTx| {
            if let Some(handle) = table::handle(tx, user)? {
                return Ok(handle);
            }
            account::table::by_id(tx, user)?.ok_or(Error::NotFound("user"))?;
            table::put_handle(tx, user, new)?;
            Ok(new)
        };
        self.store.write(change).await
    }

    /// Keeps the passkey that was asked for.
    ///
    /// # Errors
    /// `Error::Invalid` naming `challenge_id` for one that is not good, or no more, `credential` for an answer that is not,
    /// or whose passkey somebody has already.
    pub async fn finish_registration(
        &self,
        by: Initiator,
        user: &User,
        session: Id<Session>,
        (reply, name): (Reply, Option<String>),
    ) -> Result<Passkey> {
        let (party, now) = (self.party()?, self.env.now());
        let attestation = Attestation::parse(reply.credential)?;
        let Opened { state, name: asked, mark } =
            self.challenges.open(Purpose::Register(session), &reply.challenge_id)?;
        let registered = party
            .register(&state, &attestation)
            .map_err(|flaw| self.refuse_new(&by, user, flaw, &attestation))?;
        let name = name.or(asked).unwrap_or_else(|| default_name(now));
        let id = Id::new(now, self.env.entropy.as_ref());
        let passkey = Passkey::new(id, (user.id, party.id()), name, registered, now);
        let mailer = self.mail.clone();
        let change = move |tx: &mut WriteTx| {
            if !table::spend(tx, &mark)? {
                return Err(not_good());
            }
            let user = account::table::by_id(tx, passkey.user)?.filter(User::may_go_on);
            let user = user.ok_or(Error::NotFound("user"))?;
            check_room(table::of_user(tx, user.id)?.len())?;
            if table::by_credential(tx, &passkey.credential)?.is_some() {
                return Err(Error::invalid("credential", "is registered already"));
            }
            table::put(tx, &passkey)?;
            mailer.notify(tx, mail::Kind::FactorAdded, &user, &by, &[("method", "passkey")])?;
            let event = described(Event::new(&by, "passkey.registered", now).about_user(&user), &passkey);
            audit::table::append(tx, event.with("backup_eligible", passkey.backup_eligible.to_string()))?;
            Ok(passkey)
        };
        let passkey = self.store.write(change).await?;
        tracing::info!(user = passkey.user, passkey = %passkey.id, "passkey registered");
        Ok(passkey)
    }

    /// Asks for the passkey of whoever wants to log in. It depends on nobody's name, so it says nothing about anybody.
    ///
    /// # Errors
    /// `Error::Internal` if the library refuses.
    pub fn start_login(&self) -> Result<Question> {
        self.question(Purpose::Login, self.party()?.ask_for_proof(&[])?, None)
    }

    /// Asks a user that is known for one of its passkeys.
    ///
    /// # Errors
    /// `Error::NotFound` when it has none.
    pub fn ask(&self, user: u64, purpose: Purpose) -> Result<Question> {
        let party = self.party()?;
        let known = of_party(&self.store.get(|tx| table::of_user(tx, user))?, party.id());
        if known.is_empty() {
            return Err(Error::NotFound("passkey"));
        }
        self.question(purpose, party.ask_for_proof(&known)?, None)
    }

    /// Judges an answer; `owner`: the user whose it has to be, if that is known. It is used up by
    /// [`spend`](super::change::spend), in the change that it is for.
    ///
    /// # Errors
    /// As [`Passkeys::log_in`].
    pub async fn judge(
        &self,
        by: &Initiator,
        purpose: Purpose,
        reply: Reply,
        owner: Option<u64>,
    ) -> Result<Proof> {
        let party = self.party()?;
        let assertion = Assertion::parse(reply.credential)?;
        let opened = self.challenges.open(purpose, &reply.challenge_id);
        let by = (by, purpose);
        let opened = opened.map_err(|error| self.refuse(by, None, "passkey_challenge", error))?;
        // An answer that comes again says nothing about copies of its passkey, whatever its counter.
        let (is_spent, known) = self
            .store
            .get(|tx| Ok((table::is_spent(tx, &opened.mark)?, known(tx, &assertion, owner, party.id())?)))?;
        if is_spent {
            return Err(self.refuse(
                by,
                known.as_ref().map(|(_, user)| user),
                "passkey_challenge_used",
                not_good(),
            ));
        }
        let Some((passkey, user)) = known else {
            return Err(self.refuse(by, None, "passkey_unknown", Error::PasskeyRefused));
        };
        match party.prove(&opened.state, &assertion, &passkey.stored) {
            Ok((stored, seen)) => {
                let address = by.0.address.clone();
                Ok(Proof { passkey, stored, seen, mark: opened.mark, address })
            }
            Err(Flaw::CounterWentBack) => {
                self.flag(by.0, passkey, user, assertion.counter().unwrap_or_default()).await?;
                Err(Error::PasskeyRefused)
            }
            Err(flaw) => {
                let reason = format!("passkey_{}", flaw.name());
                if flaw == Flaw::OtherOrigin {
                    let (seen, taken) = (assertion.origin(), party.origins());
                    tracing::warn!(seen, taken, "a passkey was used for another origin than public_url");
                }
                Err(self.refuse(by, Some(&user), &reason, Error::PasskeyRefused))
            }
        }
    }

    /// Notes that there may be a copy of a passkey. Whoever got here has its key: no one else can write this.
    async fn flag(&self, by: &Initiator, passkey: Passkey, user: User, counter: u32) -> Result<()> {
        let now = self.env.now();
        let event =
            described(Event::failed(by, "passkey.counter_went_back", now).about_user(&user), &passkey);
        let event = event.with("counter", counter.to_string()).with("last", passkey.counter.to_string());
        tracing::warn!(user = user.id, passkey = %passkey.id, counter, "the counter of a passkey went back");
        let change = move |tx: &mut WriteTx| {
            if let Some(known) = table::by_id(tx, passkey.user, passkey.id)? {
                table::put(tx, &Passkey { counter_went_back_at: Some(now), ..known })?;
            }
            audit::table::append(tx, event)
        };
        self.store.write(change).await
    }

    /// One page of the passkeys of a user, the oldest first.
    ///
    /// # Errors
    /// `Error::Unavailable` when the store does not serve, here and below.
    pub async fn list(&self, user: u64, request: PageRequest) -> Result<Page<Passkey>> {
        self.store.scan(move |tx| table::page(tx, user, &request)).await
    }

    /// Gives a passkey of a user another name.
    ///
    /// # Errors
    /// `Error::NotFound`.
    pub async fn rename(&self, by: Initiator, user: u64, id: Id<Passkey>, name: String) -> Result<Passkey> {
        let now = self.env.now();
        let change = move |tx: &mut WriteTx| {
            let old = table::by_id(tx, user, id)?.ok_or(Error::NotFound("passkey"))?;
            let owner = account::table::by_id(tx, user)?.ok_or(Error::NotFound("user"))?;
            let passkey = Passkey { name, ..old.clone() };
            table::put(tx, &passkey)?;
            let event = described(Event::new(&by, "passkey.renamed", now).about_user(&owner), &passkey);
            audit::table::append(tx, event.with("from", &old.name))?;
            Ok(passkey)
        };
        self.store.write(change).await
    }

    /// Removes a passkey of its own user, and ends all sessions but the one that asks.
    ///
    /// # Errors
    /// `Error::NotFound`; `Error::Invalid` naming `id` for the last way into an account, and for its second factor.
    pub async fn remove(&self, by: Initiator, user: u64, id: Id<Passkey>, keep: Id<Session>) -> Result<()> {
        let rp_id = self.reach.rp_id();
        self.take_away(by, (user, id), Some(keep), move |tx, _, user, passkey| {
            check_not_last(tx, user, passkey, rp_id.as_deref())
        })
        .await
    }

    /// Removes a passkey of somebody else: one that was lost, or is somebody's who should not have it. All sessions of its
    /// user end; and where a password asked for it, and it was the last, it asks no more.
    ///
    /// # Errors
    /// `Error::NotFound`; `Error::Forbidden` for a user who holds more than whoever asks.
    pub async fn remove_of(&self, by: Initiator, user: u64, id: Id<Passkey>) -> Result<()> {
        self.take_away(by, (user, id), None, |tx, by, user, _| check_over(tx, by, user)).await
    }

    async fn take_away(
        &self,
        by: Initiator,
        (user, id): (u64, Id<Passkey>),
        keep: Option<Id<Session>>,
        check: impl FnOnce(&WriteTx, &Initiator, &User, &Passkey) -> Result<()> + Send + 'static,
    ) -> Result<()> {
        let (live, mailer, now) = (self.live.clone(), self.mail.clone(), self.env.now());
        let rp_id = self.reach.rp_id();
        let change = move |tx: &mut WriteTx| {
            let owner = account::table::by_id(tx, user)?.ok_or(Error::NotFound("user"))?;
            let passkey = table::by_id(tx, user, id)?;
            let passkey = passkey.ok_or(Error::NotFound("passkey"))?;
            check(tx, &by, &owner, &passkey)?;
            table::remove(tx, &passkey);
            mailer.notify(tx, mail::Kind::FactorRemoved, &owner, &by, &[("method", "passkey")])?;
            if !any_left(tx, user, rp_id.as_deref())? {
                without_passkeys(tx, &by, &owner, now)?;
            }
            // Whoever holds it may have begun one (OWASP ASVS 7.4.3).
            let ended = end_all(tx, &live, user, keep)?;
            let event = Event::new(&by, "passkey.removed", now).about_user(&owner);
            audit::table::append(tx, described(event, &passkey).with("sessions_ended", ended.to_string()))
        };
        self.store.write(change).await?;
        tracing::info!(user, passkey = %id, "passkey removed");
        Ok(())
    }

    fn question(&self, purpose: Purpose, asked: Asked, name: Option<String>) -> Result<Question> {
        let Asked { options, state } = asked;
        Ok(Question { challenge_id: self.challenges.seal(purpose, state, name)?, options })
    }

    /// Keeps account of a login that is refused, or of a proof in a session.
    pub(super) fn refuse(
        &self,
        (by, purpose): (&Initiator, Purpose),
        user: Option<&User>,
        reason: &str,
        error: Error,
    ) -> Error {
        let action = match purpose {
            Purpose::Again(_) => "session.reauthentication_refused",
            _ => "session.refused",
        };
        tracing::info!(user = user.map(|user| user.id), address = by.address, action, reason, "refused");
        let event = Event::failed(by, action, self.env.now()).with("reason", reason);
        self.failures.note(user.map_or(event.clone(), |user| event.about_user(user)));
        error
    }

    /// Keeps account of a new passkey that is refused.
    fn refuse_new(&self, by: &Initiator, user: &User, flaw: Flaw, answer: &Attestation) -> Error {
        let event = Event::failed(by, "passkey.registration_refused", self.env.now()).about_user(user);
        self.failures.note(event.with("reason", flaw.name()));
        match (flaw, answer.origin(), &self.reach.party) {
            (Flaw::OtherOrigin, Some(seen), Ok(party)) => {
                let reason = format!("{}: {seen} instead of {}", flaw.reason(), party.origins());
                Error::invalid("credential", reason)
            }
            _ => Error::invalid("credential", flaw.reason()),
        }
    }
}
