//! What can be done for a user who has lost every way in.
use super::table::RECOVERIES;
use crate::account::change::end_ways_in;
use crate::account::{self, PasswordPolicy, Passwords, User};
use crate::audit::{self, Event, Failures};
use crate::base::{Env, Error, Result, Secret, Timestamp};
use crate::crypto::user_token::{self, Kind, Presented};
use crate::mail::{self, Mailer};
use crate::one_time::Started;
use crate::one_time::table::not_good;
use crate::rbac::Initiator;
use crate::session::change::{end_all, insert};
use crate::session::model::{MULTI_FACTOR, RECOVERY};
use crate::session::{Granted, LiveSessions, SessionTokens};
use crate::store::{Store, Tx, WriteTx};
use crate::throttle::{Devices, Guess, Throttle};

/// How long a recovery may be finished, in seconds: an hour.
const LIFETIME_SECS: i64 = 3600;

/// Recoveries of accounts.
#[derive(Clone)]
pub struct Recoveries {
    pub store: Store,
    pub env: Env,
    pub passwords: Passwords,
    pub policy: PasswordPolicy,
    pub tokens: SessionTokens,
    pub live: LiveSessions,
    pub mail: Mailer,
    pub failures: Failures,
    pub throttle: Throttle,
    pub devices: Devices,
}

impl Recoveries {
    /// Starts the recovery of a user's account; one that was started before is good for nothing from now on. Nothing of the
    /// account changes.
    ///
    /// # Errors
    /// `Error::NotFound`; `Error::AccountDisabled` for one that is switched off.
    ///
    /// # Returns
    /// The text that finishes it, and until when.
    pub async fn start(&self, by: Initiator, user: u64) -> Result<(Secret, Timestamp)> {
        let now = self.env.now();
        let (text, hash) = user_token::generate(Kind::Recovery, user, self.env.entropy.as_ref());
        let expires_at = now.plus_secs(LIFETIME_SECS);
        let change = move |tx: &mut WriteTx| {
            let found = account::table::by_id(tx, user)?.ok_or(Error::NotFound("user"))?;
            if !found.may_go_on() {
                return Err(Error::AccountDisabled);
            }
            RECOVERIES.put(tx, user, &Started { hash, expires_at })?;
            audit::table::append(tx, Event::new(&by, "user.recovery_started", now).about_user(&found))
        };
        self.store.write(change).await?;
        Ok((text, expires_at))
    }

    /// Finishes a recovery: all sessions of the user end, and one begins in which everything of the account may be set in
    /// order. With `new_password` the password changes with it.
    ///
    /// # Errors
    /// `Error::Invalid` naming `token` for a text that is not (or no longer) good, `new_password` for one that the policy
    /// refuses; `Error::TooManyAttempts`; `Error::Busy` when too many hashes wait.
    ///
    /// # Returns
    /// What the session has, and what says later that its browser is known.
    pub async fn finish(
        &self,
        by: Initiator,
        text: &str,
        new_password: Option<Secret>,
    ) -> Result<(Granted, String)> {
        let now = self.env.now();
        let presented = user_token::parse(Kind::Recovery, text).ok_or_else(not_good)?;
        let ticket = self.throttle.admit(&Guess::Text { network: by.network() });
        let ticket = ticket.map_err(|error| self.refuse(&by, &presented, "too_many_attempts", error))?;
        let user = self.store.get(|tx| user_of(tx, &presented, now));
        let user = user.map_err(|error| self.refuse(&by, &presented, "token", error))?;
        ticket.succeeded();
        let hash = match new_password {
            None => None,
            Some(new) => {
                let names = (user.username.as_str(), user.email.as_str());
                self.passwords.check(&self.policy, "new_password", &new, names).await?;
                Some(self.passwords.hash(new).await?)
            }
        };
        // The host vouches for its user as strongly as any second factor could.
        let prepared = self.tokens.prepare(&by, &user, &[RECOVERY, MULTI_FACTOR])?;
        let (granted, live, mail) = (prepared.granted.clone(), self.live.clone(), self.mail.clone());
        let change = move |tx: &mut WriteTx| {
            // Somebody may have been faster.
            let old = user_of(tx, &presented, now)?;
            end_ways_in(tx, old.id)?;
            let new = match hash {
                None => old.clone(),
                Some(hash) => old.clone().with_password(hash, now),
            };
            account::table::update(tx, &old, &new)?;
            let ended = end_all(tx, &live, old.id, None)?;
            live.forget_user(tx, old.id)?;
            let event = Event::new(&by, "user.recovered", now).about_user(&old);
            let event = event
                .with("password", if new.password_hash == old.password_hash { "kept" } else { "changed" });
            audit::table::append(tx, event.with("sessions_ended", ended.to_string()))?;
            if new.password_hash != old.password_hash {
                mail.notify(tx, mail::Kind::PasswordChanged, &old, &by, &[])?;
            }
            insert(tx, &live, prepared, &new)?;
            Ok(new)
        };
        let user = self.store.write(change).await?;
        Ok((granted, self.devices.cookie(&user)))
    }

    /// Keeps account of a recovery that is refused.
    fn refuse(&self, by: &Initiator, presented: &Presented, reason: &str, error: Error) -> Error {
        if !matches!(error, Error::Unavailable(_)) {
            let event = Event::failed(by, "user.recovery_refused", self.env.now()).with("reason", reason);
            let user = self.store.get(|tx| account::table::by_id(tx, presented.user)).ok().flatten();
            self.failures.note(user.map_or(event.clone(), |user| event.about_user(&user)));
        }
        error
    }
}

/// The user whom a text brings back.
fn user_of(tx: &impl Tx, presented: &Presented, now: Timestamp) -> Result<User> {
    RECOVERIES.check(tx, presented, now)?;
    account::table::by_id(tx, presented.user)?.filter(User::may_go_on).ok_or_else(not_good)
}
