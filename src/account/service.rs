//! What can be done with accounts.
use super::change::end_ways_in;
use super::model::{NewUser, User};
use super::{PasswordPolicy, Passwords, Verdict, table};
use crate::audit::{self, Event, Failures};
use crate::base::{Env, Error, Id, Page, PageRequest, Result, Secret};
use crate::mail::{self, Mailer};
use crate::rbac::model::{SUPERUSER, USER, roles_of};
use crate::rbac::service::check_roles;
use crate::rbac::{Initiator, RoleName, SubjectId, ViaId, Who};
use crate::session::change::end_all;
use crate::session::{self, LiveSessions, Session};
use crate::store::{Store, WriteTx};
use crate::throttle::{Devices, Guess, Throttle};
use crate::{api_key, contact, email_verification, mfa, oauth, passkey};

/// Registration, profile, password, and what an administrator does with accounts.
#[derive(Clone)]
pub struct Accounts {
    pub store: Store,
    pub env: Env,
    pub passwords: Passwords,
    pub policy: PasswordPolicy,
    pub live: LiveSessions,
    pub failures: Failures,
    pub throttle: Throttle,
    pub devices: Devices,
    pub mail: Mailer,
    /// Whether whoever registers has to verify the address before it can log in.
    pub verifies: bool,
    /// Whether nobody is to learn which addresses have an account.
    pub hides_addresses: bool,
}

impl Accounts {
    /// Makes an account.
    ///
    /// # Errors
    /// `Error::Invalid` naming `password` for one that the policy refuses, `username` or `email` for one that is
    /// taken; `Error::Busy` when too many hashes wait.
    pub async fn create(&self, by: Initiator, new: NewUser) -> Result<User> {
        let names = (new.username.as_str(), new.email.as_str());
        self.passwords.check(&self.policy, "password", &new.password, names).await?;
        self.check_free(&new)?;
        let hash = self.passwords.hash(new.password.clone()).await?;
        let now = self.env.now();
        let change = move |tx: &mut WriteTx| {
            let user = table::insert(tx, |id| new.into_user(id, hash, now))?;
            let event = Event::new(&by, "user.created", now).about_user(&user);
            audit::table::append(tx, event.with("superuser", user.is_superuser.to_string()))?;
            Ok(user)
        };
        let user = self.store.write(change).await?;
        tracing::info!(user = user.id, "account created");
        Ok(user)
    }

    /// Saves the hash for names that are taken already; the change itself decides.
    pub(super) fn check_free(&self, new: &NewUser) -> Result<()> {
        let taken = |login: &str| self.store.get(|tx| table::by_login(tx, login)).map(|user| user.is_some());
        if taken(new.username.as_str())? {
            return Err(Error::invalid("username", "is taken"));
        }
        if taken(new.email.as_str())? {
            return Err(Error::invalid("email", "is taken"));
        }
        Ok(())
    }

    /// Changes an owner's password and ends all its other sessions. Without a current one somebody else has to have vouched
    /// for the owner.
    ///
    /// # Errors
    /// `Error::Invalid` naming `current_password` when it is wrong, or `new_password` when the policy refuses it.
    ///
    /// # Returns
    /// What says from now on that the owner's browser is known: the old password's knows none any more.
    pub async fn change_password(
        &self,
        by: Initiator,
        user: &User,
        (current, new): (Option<Secret>, Secret),
        keep: Option<Id<Session>>,
    ) -> Result<String> {
        let names = (user.username.as_str(), user.email.as_str());
        self.passwords.check(&self.policy, "new_password", &new, names).await?;
        let is_same = current.as_ref() == Some(&new);
        if let Some(current) = current {
            self.prove(&by, user, "current_password", current).await?;
        }
        if is_same && user.password_change_required {
            return Err(Error::invalid("new_password", "must be another one"));
        }
        let changed = self.write_password(by, user.id, new, keep, Some(user.password_hash.clone())).await?;
        tracing::info!(user = user.id, "password changed");
        Ok(self.devices.cookie(&changed))
    }

    /// Deletes an owner's account, with all its sessions.
    ///
    /// # Errors
    /// `Error::Invalid` naming `password` when it is wrong.
    pub async fn delete_own(&self, by: Initiator, user: &User, password: Secret) -> Result<()> {
        self.prove(&by, user, "password", password).await?;
        self.remove(by, user.id, "password", Some(user.password_hash.clone())).await.map(drop)
    }

    /// The user of a user name, an e-mail address or an id.
    ///
    /// # Errors
    /// `Error::NotFound`; `Error::Invalid` naming `user` for a number that is the id of one and the name of another:
    /// anyone may choose a number for a name.
    pub fn find(&self, who: &str) -> Result<User> {
        let id = who.parse::<u64>().ok().filter(|id| id.to_string() == who);
        let (by_id, by_name) = self
            .store
            .get(|tx| Ok((id.map_or(Ok(None), |id| table::by_id(tx, id))?, table::by_login(tx, who)?)))?;
        match (by_id, by_name) {
            (Some(one), Some(other)) if one.id != other.id => {
                let reason =
                    "is the id of one account and the name of another; say which by its e-mail address";
                Err(Error::invalid("user", reason))
            }
            (found, other) => found.or(other).ok_or(Error::NotFound("user")),
        }
    }

    /// One page of all users, by id.
    ///
    /// # Errors
    /// `Error::Unavailable` when the store does not serve.
    pub async fn list(&self, request: PageRequest) -> Result<Page<User>> {
        self.store.scan(move |tx| table::page(tx, &request)).await
    }

    /// Switches an account on or off. Off, all its sessions end.
    ///
    /// # Errors
    /// `Error::NotFound`.
    pub async fn set_active(&self, by: Initiator, id: u64, is_active: bool) -> Result<User> {
        let (live, now) = (self.live.clone(), self.env.now());
        let change = move |tx: &mut WriteTx| {
            let old = table::by_id(tx, id)?.ok_or(Error::NotFound("user"))?;
            if !is_active {
                table::check_not_last_superuser(tx, &old, "user")?;
            }
            let new = User { is_active, updated_at: now, ..old.clone() };
            table::update(tx, &old, &new)?;
            if !is_active {
                end_ways_in(tx, id)?;
                end_all(tx, &live, id, None)?;
            }
            live.forget_user(tx, id)?;
            audit::table::append(tx, changed(&by, &old, &new))?;
            Ok(new)
        };
        let user = self.store.write(change).await?;
        tracing::info!(user = id, is_active, "account switched");
        Ok(user)
    }

    /// Gives a user these roles instead of those that it has. They hold for its next request.
    ///
    /// # Errors
    /// `Error::NotFound`; `Error::Invalid` naming `roles` for one that is not there, and when the last superuser would
    /// be one no more; `Error::Forbidden` for what the giver does not hold.
    pub async fn set_roles(&self, by: Initiator, id: u64, roles: &[String]) -> Result<User> {
        let is_superuser = roles.iter().any(|role| role == SUPERUSER);
        let others: Vec<_> =
            roles.iter().filter(|role| ![SUPERUSER, USER].contains(&role.as_str())).cloned().collect();
        let others = RoleName::parse_all("roles", &others)?;
        let (live, now) = (self.live.clone(), self.env.now());
        let change = move |tx: &mut WriteTx| {
            let old = table::by_id(tx, id)?.ok_or(Error::NotFound("user"))?;
            let new = User { is_superuser, roles: others, updated_at: now, ..old.clone() };
            check_roles(tx, &by, &roles_of(&old), &roles_of(&new))?;
            if !is_superuser {
                table::check_not_last_superuser(tx, &old, "roles")?;
            }
            table::update(tx, &old, &new)?;
            live.forget_user(tx, id)?;
            let event = Event::new(&by, "user.roles_changed", now).about_user(&new);
            let event = event.with("from", roles_of(&old).join(" ")).with("to", roles_of(&new).join(" "));
            audit::table::append(tx, event)?;
            Ok(new)
        };
        let user = self.store.write(change).await?;
        tracing::info!(user = id, roles = ?roles_of(&user), "roles given");
        Ok(user)
    }

    /// Sets a password from the host, and ends all sessions.
    ///
    /// # Errors
    /// `Error::NotFound`; `Error::Invalid` naming `password` when the policy refuses it.
    pub async fn set_password(&self, by: Initiator, id: u64, password: Secret) -> Result<()> {
        let user = self.store.get(|tx| table::by_id(tx, id))?.ok_or(Error::NotFound("user"))?;
        let names = (user.username.as_str(), user.email.as_str());
        self.passwords.check(&self.policy, "password", &password, names).await?;
        self.write_password(by, id, password, None, None).await?;
        tracing::info!(user = id, "password set from the host");
        Ok(())
    }

    /// Deletes an account, with all its sessions.
    ///
    /// # Errors
    /// `Error::NotFound`.
    pub async fn delete(&self, by: Initiator, id: u64) -> Result<User> {
        self.remove(by, id, "user", None).await
    }

    /// `field`: what is named when it is the last superuser's; `proven`: as for [`check_same_password`].
    async fn remove(
        &self,
        by: Initiator,
        id: u64,
        field: &'static str,
        proven: Option<String>,
    ) -> Result<User> {
        let (live, now) = (self.live.clone(), self.env.now());
        let change = move |tx: &mut WriteTx| {
            let user = table::by_id(tx, id)?.ok_or(Error::NotFound("user"))?;
            check_same_password(&user, proven.as_deref(), field)?;
            table::check_not_last_superuser(tx, &user, field)?;
            erase(tx, &live, &user)?;
            audit::table::append(tx, Event::new(&by, "user.erased", now).about_user(&user))?;
            Ok(user)
        };
        let user = self.store.write(change).await?;
        tracing::info!(user = id, "account deleted");
        Ok(user)
    }

    pub(super) async fn prove(
        &self,
        by: &Initiator,
        user: &User,
        field: &'static str,
        password: Secret,
    ) -> Result<()> {
        // Without a password a recent login has to do, which was asked for before.
        if user.password_hash.is_empty() && matches!(by.who, Who::Subject { via: ViaId::Session(_), .. }) {
            return Ok(());
        }
        let refused = |reason: &str, error: Error| {
            let event = Event::failed(by, "user.password_refused", self.env.now());
            self.failures.note(event.about_user(user).with("reason", reason));
            error
        };
        let ticket = self.throttle.admit(&Guess::Password { user: user.id, network: by.network() });
        let ticket = ticket.map_err(|error| refused("too_many_attempts", error))?;
        match self.passwords.verify(Some(user.password_hash.clone()), password).await {
            Ok(Verdict::Wrong) => Err(refused("wrong_credentials", Error::invalid(field, "is wrong"))),
            Ok(Verdict::Right | Verdict::Renewed(_)) => {
                ticket.succeeded();
                Ok(())
            }
            Err(error) => {
                ticket.give_back();
                Err(error)
            }
        }
    }

    /// `proven`: as for [`check_same_password`].
    async fn write_password(
        &self,
        by: Initiator,
        id: u64,
        password: Secret,
        keep: Option<Id<Session>>,
        proven: Option<String>,
    ) -> Result<User> {
        let hash = self.passwords.hash(password).await?;
        let (live, mail, now) = (self.live.clone(), self.mail.clone(), self.env.now());
        let change = move |tx: &mut WriteTx| {
            let old = table::by_id(tx, id)?.ok_or(Error::NotFound("user"))?;
            check_same_password(&old, proven.as_deref(), "current_password")?;
            let new = old.clone().with_password(hash, now);
            table::update(tx, &old, &new)?;
            end_ways_in(tx, id)?;
            let ended = end_all(tx, &live, id, keep)?;
            live.forget_user(tx, id)?;
            mail.notify(tx, mail::Kind::PasswordChanged, &old, &by, &[])?;
            let event = Event::new(&by, "user.password_changed", now).about_user(&old);
            audit::table::append(tx, event.with("sessions_ended", ended.to_string()))?;
            Ok(new)
        };
        self.store.write(change).await
    }
}

/// Refuses a change for which a password was compared, if it is the user's no more. `proven`: the hash that it was compared
/// with; another one by now means that someone else was faster.
///
/// # Errors
/// `Error::Invalid` naming `field`.
pub(super) fn check_same_password(user: &User, proven: Option<&str>, field: &'static str) -> Result<()> {
    if proven.is_some_and(|proven| proven != user.password_hash) {
        return Err(Error::invalid(field, "is wrong"));
    }
    Ok(())
}

/// Removes a user with all that belongs to it.
///
/// # Errors
/// `Error::Unavailable` when the store does not serve.
pub fn erase(tx: &mut WriteTx, live: &LiveSessions, user: &User) -> Result<()> {
    end_all(tx, live, user.id, None)?;
    live.forget_user(tx, user.id)?;
    remove_with_belongings(tx, user)
}

/// Removes a user, who has no session any more, with all else that belongs to it.
///
/// # Errors
/// As [`erase`].
pub fn remove_with_belongings(tx: &mut WriteTx, user: &User) -> Result<()> {
    end_ways_in(tx, user.id)?;
    email_verification::table::remove_all(tx, user.id);
    session::table::forget_logins(tx, user.id);
    mfa::table::remove_all(tx, user.id)?;
    passkey::change::remove_all(tx, user.id)?;
    api_key::change::remove_all(tx, SubjectId::User(user.id))?;
    oauth::consent::table::remove_all(tx, user.id)?;
    contact::table::remove(tx, user.id);
    table::remove(tx, user);
    Ok(())
}

/// What is said of a changed account: which fields, and of those that are no secret the new value.
#[must_use]
pub fn changed(by: &Initiator, old: &User, new: &User) -> Event {
    let action = match (old.is_active, new.is_active) {
        (true, false) => "user.disabled",
        (false, true) => "user.enabled",
        _ => "user.changed",
    };
    let mut event = Event::new(by, action, new.updated_at).about_user(new);
    if old.email != new.email {
        event = event.with("email", new.email.as_str());
    }
    let names =
        [("first_name", old.first_name != new.first_name), ("last_name", old.last_name != new.last_name)];
    for (field, _) in names.iter().filter(|(_, changed)| *changed) {
        event = event.with(field, "changed");
    }
    if new.password_change_required != old.password_change_required {
        event = event.with("password_change_required", new.password_change_required.to_string());
    }
    event
}
