//! What owners do: register, and change their names and address.
use super::model::{NewUser, ProfileChange, User};
use super::service::{Accounts, changed, check_same_password};
use super::table;
use crate::audit::{self, Event};
use crate::base::{Error, Result, Secret};
use crate::email_verification::service::{change_link, link, post, post_change};
use crate::email_verification::table as addresses;
use crate::password_reset::table::RESETS;
use crate::rbac::Initiator;
use crate::store::WriteTx;

impl Accounts {
    /// Makes an account for whoever asks; where mails leave, with a mail that verifies the address.
    ///
    /// # Errors
    /// As [`Accounts::create`].
    pub async fn register(&self, by: Initiator, new: NewUser) -> Result<User> {
        let names = (new.username.as_str(), new.email.as_str());
        self.passwords.check(&self.policy, "password", &new.password, names).await?;
        self.check_free(&new)?;
        let hash = self.passwords.hash(new.password.clone()).await?;
        let (now, env, mailer, is_required) =
            (self.env.now(), self.env.clone(), self.mail.clone(), self.verifies);
        let change = move |tx: &mut WriteTx| {
            let user = table::insert(tx, |id| new.into_user(id, hash, now))?;
            if mailer.delivers() {
                // Its number is known only here; next to the hash before, writing a mail is nothing.
                post(tx, &mailer, user.id, link(&mailer, &env, &by, &user)?)?;
            }
            if is_required {
                addresses::require(tx, user.id)?;
            }
            let event = Event::new(&by, "user.created", now).about_user(&user);
            audit::table::append(tx, event.with("superuser", user.is_superuser.to_string()))?;
            Ok(user)
        };
        let user = self.store.write(change).await?;
        tracing::info!(user = user.id, "account created");
        Ok(user)
    }

    /// Changes an owner's profile; a new e-mail address needs the current password, and where mails leave takes effect when
    /// it was confirmed from there.
    ///
    /// # Errors
    /// `Error::Invalid` naming `email` when it is taken or `current_password` when it is missing or wrong;
    /// `Error::RateLimited` when too many mails went to that address.
    pub async fn change_profile(
        &self,
        by: Initiator,
        user: &User,
        mut change: ProfileChange,
        current_password: Option<Secret>,
    ) -> Result<User> {
        let wanted = change.email.clone().filter(|email| *email != user.email);
        let proven = wanted.is_some().then(|| user.password_hash.clone());
        if wanted.is_some() {
            let required = || Error::invalid("current_password", "is required to change the e-mail address");
            self.prove(&by, user, "current_password", current_password.ok_or_else(required)?).await?;
        }
        let asked = match wanted.filter(|_| self.mail.delivers()) {
            None => None,
            Some(email) => {
                change.email = None;
                let ready = change_link(&self.mail, &self.env, &by, user, &email)?;
                Some((email, ready))
            }
        };
        let (id, live, mailer, now) = (user.id, self.live.clone(), self.mail.clone(), self.env.now());
        let hides = self.hides_addresses;
        let change = move |tx: &mut WriteTx| {
            let old = table::by_id(tx, id)?.ok_or(Error::NotFound("user"))?;
            check_same_password(&old, proven.as_deref(), "current_password")?;
            let new = old.clone().with(change, now);
            table::update(tx, &old, &new)?;
            live.forget_user(tx, id)?;
            if old.email != new.email {
                RESETS.remove(tx, id);
                addresses::remove_links(tx, id);
            }
            if let Some((email, ready)) = asked {
                post_change(tx, &mailer, (&by, &old), (email, hides), ready)?;
                let event = Event::new(&by, "user.email_change_asked", now).about_user(&old);
                audit::table::append(tx, event)?;
            }
            audit::table::append(tx, changed(&by, &old, &new))?;
            Ok(new)
        };
        self.store.write(change).await
    }
}
