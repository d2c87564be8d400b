//! What changes do with passkeys: those of logins, and those of other features.
use super::challenge::not_good;
use super::model::{Passkey, Proof};
use super::table;
use crate::account::User;
use crate::audit::{self, Event};
use crate::base::{Error, Result, Timestamp};
use crate::rbac::Initiator;
use crate::store::{Tx, WriteTx};

/// Uses up the answer of an authenticator.
///
/// # Errors
/// `Error::Invalid` naming `challenge_id` when its challenge was answered before; `Error::PasskeyRefused` when the passkey
/// was removed meanwhile, or another answer of it came first.
pub fn spend(tx: &mut WriteTx, proof: &Proof, now: Timestamp) -> Result<()> {
    if !table::spend(tx, &proof.mark)? {
        return Err(not_good());
    }
    let known = table::by_id(tx, proof.passkey.user, proof.passkey.id)?;
    let known = known.filter(|known| known.takes(proof.seen.counter)).ok_or(Error::PasskeyRefused)?;
    table::put(tx, &known.used(proof.stored.clone(), proof.seen, &proof.address, now))
}

/// Writes down that a passkey was used.
///
/// # Errors
/// `Error::Unavailable` when the store does not serve.
pub fn note_used(tx: &mut WriteTx, by: &Initiator, user: &User, proof: &Proof, now: Timestamp) -> Result<()> {
    let event = Event::new(by, "passkey.used", now).about_user(user);
    audit::table::append(tx, described(event, &proof.passkey))
}

/// Says which passkey an event is about.
pub(super) fn described(event: Event, passkey: &Passkey) -> Event {
    event.with("passkey", passkey.id.to_string()).with("name", &passkey.name)
}

/// How many passkeys of a user are good for a relying party.
///
/// # Errors
/// `Error::Unavailable` when the store does not serve.
pub fn count(tx: &impl Tx, user: u64, rp_id: &str) -> Result<usize> {
    Ok(table::of_user(tx, user)?.iter().filter(|passkey| passkey.rp_id == rp_id).count())
}

/// Removes all passkeys of a user, and by what authenticators know it.
///
/// # Errors
/// `Error::Unavailable` when the store does not serve.
pub fn remove_all(tx: &mut WriteTx, user: u64) -> Result<()> {
    for passkey in table::of_user(tx, user)? {
        table::remove(tx, &passkey);
    }
    table::remove_handle(tx, user);
    Ok(())
}
