//! Finding accounts, changing them, and the recycle bin. Nobody acts on an account that holds more than they do.
use crate::account::change::end_ways_in;
use crate::account::model::{By, Filter};
use crate::account::service::{changed, remove_with_belongings};
use crate::account::table::{self, BIN_SECS};
use crate::account::{NewUser, ProfileChange, User};
use crate::audit::{self, Event};
use crate::base::{Env, Error, Id, Page, PageRequest, Result};
use crate::email_verification;
use crate::mail::{self, Mailer};
use crate::password_reset::table::RESETS;
use crate::rbac::permission::UsersWrite;
use crate::rbac::service::check_over;
use crate::rbac::{Initiator, Named};
use crate::session::change::{end, end_all};
use crate::session::{self, LiveSessions, Session};
use crate::store::{Store, Sweep, WriteTx};

/// Accounts as administrators see them.
#[derive(Clone)]
pub struct Users {
    store: Store,
    env: Env,
    live: LiveSessions,
    mail: Mailer,
}

/// What an administrator changes of an account; `None` leaves it as it is.
#[derive(Debug, Clone, Default)]
pub struct AccountChange {
    pub profile: ProfileChange,
    pub is_active: Option<bool>,
    pub password_change_required: Option<bool>,
}

/// How users end: for good, once they have lain in the recycle bin for their time.
pub const SWEEPS: [Sweep; 1] = [Sweep {
    table: table::NAME,
    end: |tx, key, now| {
        // Restored meanwhile, or restored and deleted again: that has a row of its own.
        let due = table::thrown_away(tx, key)?.filter(|(_, end)| *end <= now);
        if let Some((user, _)) = due {
            remove_with_belongings(tx, &user)?;
            audit::table::append(tx, Event::new(&Initiator::system(), "user.erased", now).about_user(&user))?;
        }
        Ok(None)
    },
}];

impl Users {
    #[must_use]
    pub fn new(store: Store, env: Env, live: LiveSessions, mail: Mailer) -> Self {
        Self { store, env, live, mail }
    }

    /// One page of the users that a filter has.
    ///
    /// # Errors
    /// `Error::Unavailable` when the store does not serve, here and below.
    pub async fn search(&self, filter: Filter, request: PageRequest) -> Result<Page<User>> {
        self.store.scan(move |tx| table::search(tx, &filter, &request)).await
    }

    /// Makes an account without a password: nobody can log in before its user has chosen one.
    ///
    /// # Errors
    /// `Error::Invalid` naming `username` or `email` when it is taken.
    pub async fn create(&self, by: Initiator, new: NewUser) -> Result<User> {
        let now = self.env.now();
        let change = move |tx: &mut WriteTx| {
            by.check_permission(tx, UsersWrite::NAME)?;
            let user = table::insert(tx, |id| new.into_user(id, String::new(), now))?;
            audit::table::append(tx, Event::new(&by, "user.created", now).about_user(&user))?;
            Ok(user)
        };
        self.store.write(change).await
    }

    /// A user, in the recycle bin or not.
    ///
    /// # Errors
    /// `Error::NotFound`.
    pub fn read(&self, id: u64) -> Result<User> {
        self.store.get(|tx| table::by_id(tx, id))?.ok_or(Error::NotFound("user"))
    }

    /// Of each user, whether the address is one that was verified.
    ///
    /// # Errors
    /// As [`Users::search`].
    pub fn has_verified(&self, users: &[User]) -> Result<Vec<bool>> {
        let verified = |tx: &crate::store::ReadTx, user: &User| {
            email_verification::table::standing(tx, user.id).map(|standing| standing.is_verified(&user.email))
        };
        self.store.get(|tx| users.iter().map(|user| verified(tx, user)).collect())
    }

    /// Changes an account. Switched off, all its sessions end; of a new address the old one hears.
    ///
    /// # Errors
    /// `Error::NotFound`; `Error::Forbidden` for a user who holds more than the giver; `Error::Invalid` naming `email`
    /// when it is taken, and `is_active` for the last superuser.
    pub async fn change(&self, by: Initiator, id: u64, change: AccountChange) -> Result<User> {
        let (now, mailer) = (self.env.now(), self.mail.clone());
        let AccountChange { profile, is_active, password_change_required } = change;
        self.write(by, id, move |tx, live, by, old| {
            let is_active = is_active.unwrap_or(old.is_active);
            let password_change_required = password_change_required.unwrap_or(old.password_change_required);
            let new = User { is_active, password_change_required, ..old.clone().with(profile, now) };
            if !is_active {
                table::check_not_last_superuser(tx, old, "is_active")?;
                end_ways_in(tx, id)?;
                end_all(tx, live, id, None)?;
            }
            if old.email != new.email {
                RESETS.remove(tx, id);
                email_verification::table::remove_links(tx, id);
                mailer.notify(tx, mail::Kind::EmailChanged, old, by, &[])?;
            }
            let event = changed(by, old, &new);
            Ok((new, event))
        })
        .await
    }

    /// Puts an account into the recycle bin for 30 days; its sessions end, its names stay taken.
    ///
    /// # Errors
    /// As [`Users::change`]; `Error::Invalid` naming `id` for the last superuser.
    pub async fn delete(&self, by: Initiator, id: u64) -> Result<()> {
        let now = self.env.now();
        let deleted = self.write(by, id, move |tx, live, by, old| {
            if old.deleted_at.is_some() {
                return Err(Error::NotFound("user"));
            }
            table::check_not_last_superuser(tx, old, "id")?;
            end_ways_in(tx, id)?;
            end_all(tx, live, id, None)?;
            table::throw_away_at(tx, id, now.plus_secs(BIN_SECS))?;
            let event = Event::new(by, "user.deleted", now).about_user(old);
            Ok((User { deleted_at: Some(now), updated_at: now, ..old.clone() }, event))
        });
        deleted.await?;
        tracing::info!(user = id, "account put into the recycle bin");
        Ok(())
    }

    /// Takes an account out of the recycle bin.
    ///
    /// # Errors
    /// As [`Users::change`]; `Error::Invalid` naming `id` for one that is not in it.
    pub async fn restore(&self, by: Initiator, id: u64) -> Result<User> {
        let now = self.env.now();
        let restored = self.write(by, id, move |_, _, by, old| {
            if old.deleted_at.is_none() {
                return Err(Error::invalid("id", "is not in the recycle bin"));
            }
            let event = Event::new(by, "user.restored", now).about_user(old);
            Ok((User { deleted_at: None, updated_at: now, ..old.clone() }, event))
        });
        let user = restored.await?;
        tracing::info!(user = id, "account restored");
        Ok(user)
    }

    /// Ends one session of a user.
    ///
    /// # Errors
    /// As [`Users::change`]; `Error::NotFound` when the user has no such session, too.
    pub async fn end_session(&self, by: Initiator, id: u64, session: Id<Session>) -> Result<()> {
        let (live, now) = (self.live.clone(), self.env.now());
        let change = move |tx: &mut WriteTx| {
            let user = table::by_id(tx, id)?.ok_or(Error::NotFound("user"))?;
            check_over(tx, &by, &user)?;
            let found = session::table::by_id(tx, session)?.filter(|session| session.user == id);
            found.ok_or(Error::NotFound("session"))?;
            end(tx, &live, session)?;
            let event = Event::new(&by, "session.revoked", now).about_user(&user);
            audit::table::append(tx, event.with("session", session.to_string()))
        };
        self.store.write(change).await
    }

    /// Ends all sessions of a user.
    ///
    /// # Errors
    /// As [`Users::change`].
    ///
    /// # Returns
    /// How many were ended.
    pub async fn end_sessions(&self, by: Initiator, id: u64) -> Result<usize> {
        let (live, now) = (self.live.clone(), self.env.now());
        let change = move |tx: &mut WriteTx| {
            let user = table::by_id(tx, id)?.ok_or(Error::NotFound("user"))?;
            check_over(tx, &by, &user)?;
            let ended = end_all(tx, &live, id, None)?;
            let event = Event::new(&by, "session.all_revoked", now).about_user(&user);
            audit::table::append(tx, event.with("sessions_ended", ended.to_string()))?;
            Ok(ended)
        };
        self.store.write(change).await
    }

    async fn write(
        &self,
        by: Initiator,
        id: u64,
        make: impl FnOnce(&mut WriteTx, &LiveSessions, &Initiator, &User) -> Result<(User, Event)>
        + Send
        + 'static,
    ) -> Result<User> {
        let live = self.live.clone();
        let change = move |tx: &mut WriteTx| {
            let old = table::by_id(tx, id)?.ok_or(Error::NotFound("user"))?;
            check_over(tx, &by, &old)?;
            let (new, event) = make(tx, &live, &by, &old)?;
            table::update(tx, &old, &new)?;
            live.forget_user(tx, id)?;
            audit::table::append(tx, event)?;
            Ok(new)
        };
        self.store.write(change).await
    }
}

/// The filter of what somebody typed.
///
/// # Errors
/// `Error::Invalid` naming the second of two that exclude each other.
pub fn by(username: Option<&str>, email: Option<&str>, role: Option<String>) -> Result<By> {
    use crate::base::text::{LookupKey, MAX_TYPED_BYTES};
    let key = |field: &'static str, text: &str| match text.len() {
        0..=MAX_TYPED_BYTES => Ok(LookupKey::of(text)),
        _ => Err(Error::invalid(field, "is too long")),
    };
    match (username, email, role) {
        (None, None, None) => Ok(By::Id),
        (Some(text), None, None) => key("username", text).map(By::Username),
        (None, Some(text), None) => key("email", text).map(By::Email),
        (None, None, Some(role)) => Ok(By::Role(role)),
        (Some(_), Some(_), _) => Err(Error::invalid("email", "cannot stand beside `username`")),
        _ => Err(Error::invalid("role", "cannot stand beside `username` or `email`")),
    }
}
