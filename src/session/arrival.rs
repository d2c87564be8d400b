//! Logins on devices that were not seen before: their users hear of them.
use super::model::Origin;
use super::table;
use crate::account::User;
use crate::base::{Result, Timestamp};
use crate::mail::{self, Mailer};
use crate::rbac::Initiator;
use crate::store::{Store, Tx, WriteTx};
use crate::throttle::Devices;

/// Knows devices, and tells of others.
#[derive(Clone)]
pub struct Arrivals {
    pub store: Store,
    pub mail: Mailer,
    pub devices: Devices,
}

/// What a user is to hear of a login: written before the change that makes it.
pub(super) struct Notice {
    mailer: Mailer,
    mail: mail::Prepared,
}

impl Arrivals {
    /// The notice of a login, if it is on a new device.
    ///
    /// # Errors
    /// `Error::Unavailable` when the store does not serve.
    pub(super) fn notice(
        &self,
        by: &Initiator,
        user: &User,
        origin: &Origin,
        now: Timestamp,
    ) -> Result<Option<Notice>> {
        let cookie = by.known_device.as_ref();
        if cookie.is_some_and(|cookie| self.devices.known(user, cookie.expose()).is_some()) {
            return Ok(None);
        }
        // Nothing is looked up where nobody would hear of it.
        if !self.mail.delivers() || !self.store.get(|tx| is_new(tx, user.id, origin, now))? {
            return Ok(None);
        }
        let mail = self.mail.notice(mail::Kind::NewLogin, user, by, &[]);
        Ok(mail.map(|mail| Notice { mailer: self.mail.clone(), mail }))
    }
}

/// Notes a login, and tells its user of it unless another one came first. Call it before its session is written.
pub(super) fn note(
    tx: &mut WriteTx,
    user: u64,
    notice: Option<Notice>,
    (origin, now): (&Origin, Timestamp),
) -> Result<()> {
    if let Some(Notice { mailer, mail }) = notice
        && !has_one_like(tx, user, origin, now)?
    {
        mailer.post(tx, mail)?;
    }
    table::note_login(tx, user)
}

/// Whether somebody has to hear of a login from there. The first one of all is no news: whoever has just got an account knows
/// who has logged in. A user from before this was noted has a session still, or is taken for a new one.
fn is_new(tx: &impl Tx, user: u64, origin: &Origin, now: Timestamp) -> Result<bool> {
    let is_first = !table::has_logged_in(tx, user)? && table::ids_of_user(tx, user)?.is_empty();
    Ok(!is_first && !has_one_like(tx, user, origin, now)?)
}

/// Whether one of a user's sessions that go on is from such a device.
fn has_one_like(tx: &impl Tx, user: u64, origin: &Origin, now: Timestamp) -> Result<bool> {
    for id in table::ids_of_user(tx, user)? {
        let session = table::by_id(tx, id)?.filter(|session| !session.is_over(now));
        if session.is_some_and(|session| session.origin.is_like(origin)) {
            return Ok(true);
        }
    }
    Ok(false)
}
