//! What changes do with passkeys: those of logins, and those of other features.
use super::challenge::{Mark, not_good};
use super::model::Passkey;
use super::table;
use crate::base::{Error, Result, Timestamp};
use crate::crypto::webauthn::Seen;
use crate::store::{Tx, WriteTx};

/// The answer of an authenticator that was found good, to be used up in a change.
#[derive(Clone, PartialEq, Eq)]
pub struct Proof {
    pub passkey: Passkey,
    /// What is to be stored from now on, and what the authenticator said.
    pub(super) stored: String,
    pub(super) seen: Seen,
    pub(super) mark: Mark,
}

/// Uses up the answer of an authenticator.
///
/// # Errors
/// `Error::Invalid` naming `challenge_id` when its challenge was answered before; `Error::PasskeyRefused` when the passkey
/// was removed meanwhile, or another answer of it came first.
pub fn spend(tx: &mut WriteTx, proof: &Proof, address: &str, now: Timestamp) -> Result<()> {
    if !table::spend(tx, &proof.mark)? {
        return Err(not_good());
    }
    let known = table::by_id(tx, proof.passkey.user, proof.passkey.id)?;
    let known = known.filter(|known| known.takes(proof.seen.counter)).ok_or(Error::PasskeyRefused)?;
    table::put(tx, &known.used(proof.stored.clone(), proof.seen, address, now))
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
