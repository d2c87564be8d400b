//! What can be done with addresses.
use super::model::Change;
use super::table::{self, LINKS};
use crate::account::service::changed;
use crate::account::{self, ProfileChange, User};
use crate::audit::{self, Event};
use crate::base::text::Email;
use crate::base::{Env, Error, Result, Timestamp, constant_time_eq};
use crate::crypto::user_token::{self, Kind, Presented};
use crate::mail::model::Link;
use crate::mail::{self, Letter, Mailer, Prepared};
use crate::one_time::Started;
use crate::one_time::table::not_good;
use crate::password_reset::table::RESETS;
use crate::rbac::Initiator;
use crate::session::LiveSessions;
use crate::store::{Store, Tx, WriteTx};

/// How long a link is good, in seconds: a day.
const LIFETIME_SECS: i64 = 24 * 3600;

/// Verifications of addresses.
#[derive(Clone)]
pub struct EmailVerifications {
    pub store: Store,
    pub env: Env,
    pub live: LiveSessions,
    pub mail: Mailer,
}

/// A link that is ready to be mailed: slow work is done.
pub struct Ready {
    mail: Prepared,
    hash: [u8; 32],
    expires_at: Timestamp,
}

impl EmailVerifications {
    /// Mails a user a link that verifies the address; one that was mailed before is good for nothing.
    ///
    /// # Errors
    /// `Error::Invalid` naming `email` for one that is verified already; `Error::RateLimited` when too many were mailed.
    pub async fn resend(&self, by: Initiator, user: &User) -> Result<()> {
        if self.store.get(|tx| table::standing(tx, user.id))?.is_verified(&user.email) {
            return Err(Error::invalid("email", "is verified already"));
        }
        let ready = link(&self.mail, &self.env, &by, user)?;
        let (mailer, user, now) = (self.mail.clone(), user.clone(), self.env.now());
        let change = move |tx: &mut WriteTx| {
            let same = account::table::by_id(tx, user.id)?.is_some_and(|current| current.email == user.email);
            if !(same && post(tx, &mailer, user.id, ready)?) {
                return Err(too_many());
            }
            audit::table::append(tx, Event::new(&by, "user.email_verification_sent", now).about_user(&user))
        };
        self.store.write(change).await
    }

    /// Verifies an address with what was mailed to it.
    ///
    /// # Errors
    /// `Error::Invalid` naming `token` for a text that is not (or no longer) good.
    pub async fn verify(&self, by: Initiator, text: &str) -> Result<()> {
        let now = self.env.now();
        let presented = user_token::parse(Kind::EmailVerification, text).ok_or_else(not_good)?;
        let live = self.live.clone();
        let change = move |tx: &mut WriteTx| {
            LINKS.check(tx, &presented, now)?;
            let user = account::table::by_id(tx, presented.user)?.filter(|user| user.deleted_at.is_none());
            let user = user.ok_or_else(not_good)?;
            table::verified(tx, user.id, user.email.clone(), now)?;
            live.forget_user(tx, user.id)?;
            audit::table::append(tx, Event::new(&by, "user.email_verified", now).about_user(&user))
        };
        self.store.write(change).await
    }

    /// Gives an account the address that was asked for, with what was mailed to it.
    ///
    /// # Errors
    /// `Error::Invalid` naming `token` for a text that is not (or no longer) good, `email` for an address that somebody else
    /// has by now.
    pub async fn confirm(&self, by: Initiator, text: &str) -> Result<()> {
        let (now, live, mailer) = (self.env.now(), self.live.clone(), self.mail.clone());
        let presented = user_token::parse(Kind::EmailChange, text).ok_or_else(not_good)?;
        let change = move |tx: &mut WriteTx| {
            let (old, email) = asked(tx, &presented, now)?;
            let change = ProfileChange { email: Some(email.clone()), ..ProfileChange::default() };
            let new = old.clone().with(change, now);
            account::table::update(tx, &old, &new)?;
            live.forget_user(tx, old.id)?;
            RESETS.remove(tx, old.id);
            table::remove_links(tx, old.id);
            table::verified(tx, old.id, email, now)?;
            mailer.notify(tx, mail::Kind::EmailChanged, &old, &by, &[])?;
            audit::table::append(tx, changed(&by, &old, &new))
        };
        self.store.write(change).await
    }
}

/// The user of a change, and the address that was asked for.
fn asked(tx: &impl Tx, presented: &Presented, now: Timestamp) -> Result<(User, Email)> {
    let change = table::change(tx, presented.user)?.filter(|change| now < change.expires_at);
    let change = change.filter(|change| constant_time_eq(&change.hash, &presented.hash));
    let user = account::table::by_id(tx, presented.user)?.filter(User::may_go_on);
    let (user, change) = user.zip(change).ok_or_else(not_good)?;
    Ok((user, change.email))
}

/// Makes a link that verifies a user's address.
///
/// # Errors
/// `Error::Internal` for a mail that cannot be written.
pub fn link(mailer: &Mailer, env: &Env, by: &Initiator, user: &User) -> Result<Ready> {
    let page = (mail::Kind::VerifyEmail, "verify-email", Kind::EmailVerification);
    make(mailer, env, by, user, page, user.email.as_str())
}

/// Queues a link that verifies a user's address: call it in the change that it belongs to.
///
/// # Errors
/// `Error::Unavailable` when the store does not serve.
///
/// # Returns
/// Whether it may go.
pub fn post(tx: &mut WriteTx, mailer: &Mailer, user: u64, ready: Ready) -> Result<bool> {
    let Ready { mail, hash, expires_at } = ready;
    if !mailer.post(tx, mail)? {
        return Ok(false);
    }
    LINKS.put(tx, user, &Started { hash, expires_at })?;
    Ok(true)
}

/// Makes a link that gives a user another address.
///
/// # Errors
/// As [`link`].
pub fn change_link(mailer: &Mailer, env: &Env, by: &Initiator, user: &User, email: &Email) -> Result<Ready> {
    let page = (mail::Kind::ConfirmEmail, "confirm-email", Kind::EmailChange);
    make(mailer, env, by, user, page, email.as_str())
}

/// Queues a link that gives a user another address, and tells the old one: call it in the change that it belongs to.
/// `hides`: nobody is to learn that somebody has the address already; then its owner hears of it instead.
///
/// # Errors
/// `Error::Invalid` naming `email` when it is taken; `Error::RateLimited` when too many were mailed to that address.
pub fn post_change(
    tx: &mut WriteTx,
    mailer: &Mailer,
    (by, user): (&Initiator, &User),
    (email, hides): (Email, bool),
    ready: Ready,
) -> Result<()> {
    let Ready { mail, hash, expires_at } = ready;
    if !mailer.take_turn(tx, &mail)? {
        return Err(too_many());
    }
    match account::table::check_address(tx, user.id, &email.lookup_key()) {
        Ok(()) => {
            mailer.enqueue(tx, mail)?;
            table::put_change(tx, user.id, &Change { email, hash, expires_at })?;
        }
        Err(_) if hides => {
            if let Some(owner) = account::table::by_login(tx, email.as_str())? {
                mailer.notify(tx, mail::Kind::AlreadyRegistered, &owner, by, &[])?;
            }
        }
        Err(taken) => return Err(taken),
    }
    mailer.notify(tx, mail::Kind::EmailChangeAsked, user, by, &[])
}

fn too_many() -> Error {
    Error::RateLimited { retry_after_secs: 3600, quota: mail::model::MOST_AN_HOUR as u32 }
}

fn make(
    mailer: &Mailer,
    env: &Env,
    by: &Initiator,
    user: &User,
    (kind, page, token): (mail::Kind, &'static str, Kind),
    to: &str,
) -> Result<Ready> {
    let now = env.now();
    let expires_at = now.plus_secs(LIFETIME_SECS);
    let (token, hash) = user_token::generate(token, user.id, env.entropy.as_ref());
    let letter = Letter {
        kind,
        user: user.id,
        username: user.username.to_string(),
        to: to.to_owned(),
        by: by.clone(),
        at: now,
        link: Some(Link { page, token, code: None, expires_at }),
        facts: vec![("new_email", to.to_owned())],
    };
    Ok(Ready { mail: mailer.prepare(&letter)?, hash, expires_at })
}
