//! What users say of where they can be reached.
use super::model::Contact;
use super::table;
use crate::account::{self, User};
use crate::audit::{self, Event};
use crate::base::{Env, Error, Result};
use crate::rbac::Initiator;
use crate::session::LiveSessions;
use crate::store::{Store, WriteTx};

/// Contacts.
#[derive(Clone)]
pub struct Contacts {
    pub store: Store,
    pub env: Env,
    pub live: LiveSessions,
}

impl Contacts {
    /// Where a user can be reached.
    ///
    /// # Errors
    /// `Error::Unavailable` when the store does not serve, here and below.
    pub fn read(&self, user: u64) -> Result<Contact> {
        let found = self.store.get(|tx| table::of_user(tx, user))?;
        Ok(found.unwrap_or_else(|| Contact::empty(self.env.now())))
    }

    /// Writes where a user can be reached: the trail has which of it changed, and not what it is.
    ///
    /// # Errors
    /// `Error::NotFound` for a user who is gone.
    pub async fn put(&self, by: Initiator, user: u64, contact: Contact) -> Result<Contact> {
        let (live, now) = (self.live.clone(), self.env.now());
        let change = move |tx: &mut WriteTx| {
            let user = account::table::by_id(tx, user)?.filter(User::may_go_on);
            let user = user.ok_or(Error::NotFound("user"))?;
            let old = table::of_user(tx, user.id)?.unwrap_or_else(|| Contact::empty(now));
            if old.is_like(&contact) {
                return Ok(old);
            }
            let new = Contact { updated_at: now, ..contact };
            let changed = [
                ("phone_number", old.phone_number != new.phone_number),
                ("address", old.address != new.address),
            ];
            let fields: Vec<_> = changed.iter().filter(|(_, is)| *is).map(|(name, _)| *name).collect();
            table::put(tx, user.id, &new)?;
            live.forget_user(tx, user.id)?;
            let event = Event::new(&by, "user.contact_changed", now).about_user(&user);
            audit::table::append(tx, event.with("fields", fields.join(" ")))?;
            Ok(new)
        };
        self.store.write(change).await
    }
}
