//! What can be done with resets of passwords.
use super::table::{self, MailedReset, RESETS};
use crate::account::change::end_ways_in;
use crate::account::{self, PasswordPolicy, Passwords, User};
use crate::audit::{self, Event, Failures};
use crate::base::text::Email;
use crate::base::{Env, Error, Result, Secret, Timestamp};
use crate::crypto::user_token::{self, Kind, Presented};
use crate::email_verification;
use crate::mail::model::Link;
use crate::mail::{self, Letter, Mailer, NOBODY};
use crate::one_time::Started;
use crate::one_time::table::not_good;
use crate::rbac::service::check_over;
use crate::rbac::{Initiator, SubjectId};
use crate::session::LiveSessions;
use crate::session::change::end_all;
use crate::store::{Store, Tx, WriteTx};

/// How long a reset may be finished, in seconds: 30 minutes.
const LIFETIME_SECS: i64 = 30 * 60;

/// Resets of passwords.
#[derive(Clone)]
pub struct PasswordResets {
    store: Store,
    env: Env,
    passwords: Passwords,
    policy: PasswordPolicy,
    live: LiveSessions,
    mail: Mailer,
    failures: Failures,
}

impl PasswordResets {
    #[must_use]
    pub fn new(
        (store, env): (Store, Env),
        (passwords, policy): (Passwords, PasswordPolicy),
        (live, failures): (LiveSessions, Failures),
        mail: Mailer,
    ) -> Self {
        Self { store, env, passwords, policy, live, mail, failures }
    }

    /// Starts the reset of a user's password; one that was started before is good for nothing from now on.
    ///
    /// # Errors
    /// `Error::NotFound`; `Error::Forbidden` for a user who holds more than whoever starts it.
    ///
    /// # Returns
    /// The text that finishes it, and until when.
    pub async fn start(&self, by: Initiator, user: u64) -> Result<(Secret, Timestamp)> {
        let now = self.env.now();
        let (text, hash) = user_token::generate(Kind::PasswordReset, user, self.env.entropy.as_ref());
        let expires_at = now.plus_secs(LIFETIME_SECS);
        let change = move |tx: &mut WriteTx| {
            let found = account::table::by_id(tx, user)?.filter(|user| user.deleted_at.is_none());
            let found = found.ok_or(Error::NotFound("user"))?;
            check_over(tx, &by, &found)?;
            RESETS.put(tx, user, &Started { hash, expires_at })?;
            audit::table::append(tx, Event::new(&by, "user.password_reset_started", now).about_user(&found))
        };
        self.store.write(change).await?;
        Ok((text, expires_at))
    }

    /// Mails a reset to whoever has an address. What is done, and for how long, is the same for an address that nobody has.
    ///
    /// # Errors
    /// `Error::Unavailable` when the store takes no writes.
    pub async fn mail(&self, by: Initiator, email: &Email) -> Result<()> {
        let now = self.env.now();
        let found = self.store.get(|tx| account::table::by_login(tx, email.as_str()))?;
        let found = found.filter(User::may_go_on);
        let nobody = || (NOBODY, email.local_part().to_owned());
        let (id, username) = found.map_or_else(nobody, |user| (user.id, user.username.to_string()));
        let (token, hash) = user_token::generate(Kind::PasswordReset, id, self.env.entropy.as_ref());
        let expires_at = now.plus_secs(LIFETIME_SECS);
        let letter = Letter {
            kind: mail::Kind::ResetPassword,
            user: id,
            username,
            to: email.to_string(),
            by: by.clone(),
            at: now,
            link: Some(Link { page: "reset-password", token, code: None, expires_at }),
            facts: Vec::new(),
        };
        let (prepared, mail, email) = (self.mail.prepare(&letter)?, self.mail.clone(), email.clone());
        let failures = self.failures.clone();
        let change = move |tx: &mut WriteTx| {
            if !mail.take_turn(tx, &prepared)? {
                return Ok(());
            }
            let user = account::table::by_id(tx, id)?.filter(User::may_go_on);
            let user = user.filter(|user| user.email.lookup_key() == email.lookup_key());
            let whose = user.as_ref().map_or(NOBODY, |user| user.id);
            let email = user.as_ref().map_or(email, |user| user.email.clone());
            RESETS.put(tx, whose, &Started { hash, expires_at })?;
            if mail.delivers() {
                table::put_mailed(tx, whose, &MailedReset { email, hash, expires_at })?;
            }
            let event = Event::new(&by, "user.password_reset_started", now);
            let Some(user) = user else {
                mail.enqueue_decoy(tx, &prepared)?;
                let event = event.about(SubjectId::User(NOBODY), "-");
                let event = event.with("reason", "unknown_address");
                return audit::table::append_failure(tx, &failures, event);
            };
            mail.enqueue(tx, prepared)?;
            audit::table::append(tx, event.about_user(&user))
        };
        self.store.write(change).await
    }

    /// Finishes a reset: the user has another password, and no session goes on. Whoever has read a mail has shown, too, whose
    /// its address is.
    ///
    /// # Errors
    /// `Error::Invalid` naming `token` for a text that is not (or no longer) good, `new_password` for one that the policy
    /// refuses; `Error::Busy` when too many hashes wait.
    pub async fn finish(&self, by: Initiator, text: &str, new: Secret) -> Result<()> {
        let now = self.env.now();
        let presented = user_token::parse(Kind::PasswordReset, text).ok_or_else(not_good)?;
        let user = self.store.get(|tx| user_of(tx, &presented, now));
        let user = user.map_err(|error| self.refuse(&by, &presented, error))?;
        let names = (user.username.as_str(), user.email.as_str());
        self.passwords.check(&self.policy, "new_password", &new, names).await?;
        let hash = self.passwords.hash(new).await?;
        let (live, mail) = (self.live.clone(), self.mail.clone());
        let change = move |tx: &mut WriteTx| {
            // Somebody may have been faster.
            let old = user_of(tx, &presented, now)?;
            if table::was_mailed_to(tx, &presented, &old.email)? {
                email_verification::table::verified(tx, old.id, old.email.clone(), now)?;
            }
            end_ways_in(tx, old.id)?;
            account::table::update(tx, &old, &old.clone().with_password(hash, now))?;
            let ended = end_all(tx, &live, old.id, None)?;
            live.forget_user(tx, old.id)?;
            mail.notify(tx, mail::Kind::PasswordChanged, &old, &by, &[])?;
            let event = Event::new(&by, "user.password_reset", now).about_user(&old);
            audit::table::append(tx, event.with("sessions_ended", ended.to_string()))
        };
        self.store.write(change).await
    }

    /// Keeps account of a reset that is refused.
    fn refuse(&self, by: &Initiator, presented: &Presented, error: Error) -> Error {
        if !matches!(error, Error::Unavailable(_)) {
            let event = Event::failed(by, "user.password_reset_refused", self.env.now());
            let user = self.store.get(|tx| account::table::by_id(tx, presented.user)).ok().flatten();
            self.failures.note(user.map_or(event.clone(), |user| event.about_user(&user)));
        }
        error
    }
}

/// The user whose password a text resets.
fn user_of(tx: &impl Tx, presented: &Presented, now: Timestamp) -> Result<User> {
    RESETS.check(tx, presented, now)?;
    account::table::by_id(tx, presented.user)?.filter(|user| user.deleted_at.is_none()).ok_or_else(not_good)
}
