//! What can be done with accounts that are asked for.
use super::model::Wanted;
use super::table;
use crate::account::{self, NewUser, PasswordPolicy, Passwords, User};
use crate::audit::{self, Event};
use crate::base::{Env, Result, constant_time_eq, entropy};
use crate::crypto::user_token::{self, Kind};
use crate::email_verification::table as addresses;
use crate::mail::model::Link;
use crate::mail::{self, Letter, Mailer};
use crate::one_time::table::not_good;
use crate::rbac::Initiator;
use crate::store::{Store, WriteTx};

/// How long a link is good, in seconds: a day.
const LIFETIME_SECS: i64 = 24 * 3600;

/// Registrations by mail.
#[derive(Clone)]
pub struct Registrations {
    pub store: Store,
    pub env: Env,
    pub passwords: Passwords,
    pub policy: PasswordPolicy,
    pub mail: Mailer,
}

impl Registrations {
    /// Asks for an account. For an address that has one the same is done, in the same time, and its owner hears of it.
    ///
    /// # Errors
    /// `Error::Invalid` naming `password` for one that the policy refuses, `username` for one that is taken;
    /// `Error::Busy` when too many hashes wait.
    pub async fn ask(&self, by: Initiator, new: NewUser) -> Result<()> {
        let names = (new.username.as_str(), new.email.as_str());
        self.passwords.check(&self.policy, "password", &new.password, names).await?;
        let (name, address) = (new.username.lookup_key(), new.email.clone());
        let owner = self.store.get(|tx| {
            account::table::check_username(tx, &name)?;
            account::table::by_login(tx, address.as_str())
        })?;
        let hash = self.passwords.hash(new.password.clone()).await?;
        let (now, number) = (self.env.now(), u64::from_be_bytes(entropy::bytes(self.env.entropy.as_ref())));
        let expires_at = now.plus_secs(LIFETIME_SECS);
        let (token, token_hash) = user_token::generate(Kind::Registration, number, self.env.entropy.as_ref());
        let link = Link { page: "verify-email", token, code: None, expires_at };
        let letter = Letter {
            kind: if owner.is_some() { mail::Kind::AlreadyRegistered } else { mail::Kind::VerifyEmail },
            user: owner.as_ref().map_or(0, |owner| owner.id),
            username: owner.as_ref().map_or(&new.username, |owner| &owner.username).to_string(),
            to: owner.as_ref().map_or(&address, |owner| &owner.email).to_string(),
            by: by.clone(),
            at: now,
            link: owner.is_none().then_some(link),
            facts: Vec::new(),
        };
        let (prepared, mailer) = (self.mail.prepare(&letter)?, self.mail.clone());
        let wanted = Wanted::of(new, hash, token_hash, expires_at);
        let owner = owner.map(|owner| owner.id);
        let change = move |tx: &mut WriteTx| {
            account::table::check_username(tx, &name)?;
            let has_turn = mailer.take_turn(tx, &prepared)?;
            if has_turn {
                table::insert(tx, number, &wanted)?;
            }
            // Who has the address may have changed since the mail was written.
            let same = account::table::by_login(tx, address.as_str())?.map(|owner| owner.id) == owner;
            if has_turn && same {
                mailer.enqueue(tx, prepared)?;
            }
            audit::table::append(tx, Event::new(&by, "user.registration_asked", now))
        };
        self.store.write(change).await
    }

    /// Makes the account that was asked for, with what was mailed to its address; `None` for a text that is none of these.
    ///
    /// # Errors
    /// `Error::Invalid` naming `token` for a text that is not (or no longer) good, `username` or `email` for what somebody
    /// else has by now.
    pub async fn finish(&self, by: Initiator, text: &str) -> Result<Option<User>> {
        let Some(presented) = user_token::parse(Kind::Registration, text) else { return Ok(None) };
        let now = self.env.now();
        let change = move |tx: &mut WriteTx| {
            let wanted = table::by_number(tx, presented.user)?.filter(|wanted| now < wanted.expires_at);
            let wanted = wanted.filter(|wanted| constant_time_eq(&wanted.hash, &presented.hash));
            let wanted = wanted.ok_or_else(not_good)?;
            table::remove(tx, presented.user, &wanted);
            let user = account::table::insert(tx, |id| wanted.into_user(id, now))?;
            addresses::verified(tx, user.id, user.email.clone(), now)?;
            let event = Event::new(&by, "user.created", now).about_user(&user);
            audit::table::append(tx, event.with("superuser", user.is_superuser.to_string()))?;
            Ok(Some(user))
        };
        self.store.write(change).await
    }
}
