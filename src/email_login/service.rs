//! What can be done to sign in by mail.
use std::sync::Arc;

use aws_lc_rs::hmac;

use super::model::{CODE_DIGITS, LIFETIME_SECS, MAX_WRONG, Mailed};
use super::table;
use crate::account::{self, User};
use crate::audit::{self, Event, Failures};
use crate::base::text::Email;
use crate::base::{Env, Error, Result, Secret, Timestamp, constant_time_eq, entropy};
use crate::crypto::user_token::{self, Kind};
use crate::email_verification::table as addresses;
use crate::login::model::{First, Shown};
use crate::login::service::{LoggedIn, Logins};
use crate::mail::model::Link;
use crate::mail::{self, Letter, Mailer, NOBODY};
use crate::one_time::table::not_good;
use crate::rbac::{Initiator, SubjectId};
use crate::store::{Store, WriteTx};
use crate::throttle::Guess;

/// Why a login is refused, in the trail.
const WRONG: &str = "wrong_mailed_secret";

/// Logins by mail.
#[derive(Clone)]
pub struct EmailLogins {
    pub store: Store,
    pub env: Env,
    pub mail: Mailer,
    pub logins: Logins,
    pub failures: Failures,
    pub codes: Arc<hmac::Key>,
    /// Whether there is this way at all.
    pub is_on: bool,
}

/// What was mailed.
pub enum Shared {
    Link(Secret),
    Code { email: Email, code: Secret },
}

impl EmailLogins {
    /// Mails a link and a code to whoever has an address. What is done, and for how long, is the same for an address that
    /// nobody has.
    ///
    /// # Errors
    /// `Error::NotFound` where this is switched off; `Error::Unavailable` when the store takes no writes.
    pub async fn start(&self, by: Initiator, email: &Email) -> Result<()> {
        self.check_on()?;
        let now = self.env.now();
        let found =
            self.store.get(|tx| account::table::by_login(tx, email.as_str()))?.filter(User::may_go_on);
        let nobody = || (NOBODY, email.local_part().to_owned());
        let (id, username) = found.map_or_else(nobody, |user| (user.id, user.username.to_string()));
        let (token, hash) = user_token::generate(Kind::EmailLogin, id, self.env.entropy.as_ref());
        let code = self.new_code();
        let expires_at = now.plus_secs(LIFETIME_SECS);
        let login =
            |email: Email| Mailed { email, token: hash, code: self.mark(id, &code), wrong: 0, expires_at };
        let login = login(email.clone());
        let letter = Letter {
            kind: mail::Kind::SignIn,
            user: id,
            username,
            to: email.to_string(),
            by: by.clone(),
            at: now,
            link: Some(Link { page: "sign-in", token, code: Some(code), expires_at }),
            facts: Vec::new(),
        };
        let (prepared, mail) = (self.mail.prepare(&letter)?, self.mail.clone());
        let failures = self.failures.clone();
        let change = move |tx: &mut WriteTx| {
            if !mail.take_turn(tx, &prepared)? {
                return Ok(());
            }
            let user = account::table::by_id(tx, id)?.filter(User::may_go_on);
            let user = user.filter(|user| user.email.lookup_key() == login.email.lookup_key());
            let event = Event::new(&by, "session.mail_asked", now);
            let Some(user) = user else {
                table::put(tx, NOBODY, &login)?;
                mail.enqueue_decoy(tx, &prepared)?;
                let event = event.about(SubjectId::User(NOBODY), "-");
                let event = event.with("reason", "unknown_address");
                return audit::table::append_failure(tx, &failures, event);
            };
            table::put(tx, id, &Mailed { email: user.email.clone(), ..login })?;
            mail.enqueue(tx, prepared)?;
            audit::table::append(tx, event.about_user(&user))
        };
        self.store.write(change).await
    }

    /// Takes what was mailed for a first factor. It is good once, whatever comes of the login then. `device`: the token of a
    /// trusted one.
    ///
    /// # Errors
    /// `Error::Invalid` naming `token` or `code` for what is not (or no longer) good; `Error::TooManyAttempts`; those of a
    /// login.
    pub async fn finish(&self, by: Initiator, shared: Shared, device: Option<Secret>) -> Result<LoggedIn> {
        self.check_on()?;
        let user = match shared {
            Shared::Link(text) => self.redeem_link(&by, &text).await?,
            Shared::Code { email, code } => self.redeem_code(&by, &email, &code).await?,
        };
        let known = self.logins.devices.of(&by, &user);
        let first = First { user, renewed: None, method: "email" };
        self.logins.after_first_factor(by, first, Shown { answer: None, device, known }).await
    }

    async fn redeem_link(&self, by: &Initiator, text: &Secret) -> Result<User> {
        let (now, presented) = (self.env.now(), user_token::parse(Kind::EmailLogin, text.expose()));
        let presented = presented.ok_or_else(not_good)?;
        let ticket = self.logins.throttle.admit(&Guess::Text { network: by.network() });
        let ticket = ticket.map_err(|error| self.refuse(by, presented.user, "too_many_attempts", error))?;
        let change = move |tx: &mut WriteTx| {
            let found = good(tx, presented.user, now)?;
            let found = found.filter(|(login, _)| constant_time_eq(&login.token, &presented.hash));
            let Some((_, user)) = found else { return Ok(None) };
            spend(tx, &user, now)?;
            Ok(Some(user))
        };
        let user = self.store.write(change).await?;
        let user = user.ok_or_else(|| self.refuse(by, presented.user, WRONG, not_good()))?;
        ticket.succeeded();
        Ok(user)
    }

    async fn redeem_code(&self, by: &Initiator, email: &Email, code: &Secret) -> Result<User> {
        let (now, who) = (self.env.now(), by.clone());
        let found = self.store.get(|tx| account::table::by_login(tx, email.as_str()))?;
        let device = found.as_ref().and_then(|user| self.logins.devices.of(by, user));
        let id = found.map_or(0, |user| user.id);
        let guess = Guess::Mailed { email: email.as_str(), network: by.network(), device };
        let ticket = self.logins.throttle.admit(&guess);
        let ticket = ticket.map_err(|error| self.refuse(by, id, "too_many_attempts", error))?;
        let mark = self.mark(id, code);
        let change = move |tx: &mut WriteTx| {
            let Some((login, user)) = good(tx, id, now)? else {
                return table::count_refused(tx).map(|()| None);
            };
            if constant_time_eq(&login.code, &mark) {
                spend(tx, &user, now)?;
                return Ok(Some(user));
            }
            let wrong = login.wrong + 1;
            if wrong >= MAX_WRONG {
                table::remove(tx, id);
                let event = Event::failed(&who, "session.mail_given_up", now).about_user(&user);
                audit::table::append(tx, event.with("wrong_answers", wrong.to_string()))?;
            } else {
                table::put(tx, id, &Mailed { wrong, ..login })?;
            }
            table::count_refused(tx).map(|()| None)
        };
        let wrong = || Error::invalid("code", "is not valid, was used already, or has expired");
        let user = self.store.write(change).await?.ok_or_else(|| self.refuse(by, id, WRONG, wrong()))?;
        ticket.succeeded();
        Ok(user)
    }

    /// Keeps account of a login that is refused; `user`: whose it would have been, if anybody's.
    fn refuse(&self, by: &Initiator, user: u64, reason: &str, error: Error) -> Error {
        let event = Event::failed(by, "session.refused", self.env.now()).with("reason", reason);
        let user = self.store.get(|tx| account::table::by_id(tx, user)).ok().flatten();
        self.failures.note(user.map_or(event.clone(), |user| event.about_user(&user)));
        error
    }

    fn check_on(&self) -> Result<()> {
        if self.is_on { Ok(()) } else { Err(Error::NotFound("way to sign in here")) }
    }

    fn new_code(&self) -> Secret {
        let number = u64::from_be_bytes(entropy::bytes(self.env.entropy.as_ref()));
        Secret::new(format!("{:0CODE_DIGITS$}", number % 10_u64.pow(CODE_DIGITS as u32)))
    }

    /// What is kept of a code.
    fn mark(&self, user: u64, code: &Secret) -> [u8; 32] {
        let mut context = hmac::Context::with_key(&self.codes);
        context.update(&user.to_be_bytes());
        context.update(code.expose().trim().as_bytes());
        let mut mark = [0; 32];
        mark.copy_from_slice(context.sign().as_ref());
        mark
    }
}

/// The login that waits for a user, and the user, if both are still good.
fn good(tx: &WriteTx, user: u64, now: Timestamp) -> Result<Option<(Mailed, User)>> {
    let login = table::of_user(tx, user)?.filter(|login| now < login.expires_at);
    let user = account::table::by_id(tx, user)?.filter(User::may_go_on);
    Ok(login.zip(user).filter(|(login, user)| login.email == user.email))
}

/// What was mailed is used up; and whoever has read it has shown that the address is theirs.
fn spend(tx: &mut WriteTx, user: &User, now: Timestamp) -> Result<()> {
    table::remove(tx, user.id);
    addresses::verified(tx, user.id, user.email.clone(), now)
}
