//! Whose passkey an answer is of, and which passkeys stay.
use super::change::count;
use super::model::{MAX_PASSKEYS, Passkey};
use super::table;
use crate::account::{self, User};
use crate::base::{Error, Result, constant_time_eq};
use crate::crypto::webauthn::{Assertion, Descriptor};
use crate::mfa;
use crate::store::Tx;

/// The passkey that an answer claims to be of, and its user. An answer that nobody's name came with says itself whose it is.
pub(super) fn known(
    tx: &impl Tx,
    answer: &Assertion,
    owner: Option<u64>,
    rp_id: &str,
) -> Result<Option<(Passkey, User)>> {
    let Some(passkey) = table::by_credential(tx, answer.credential_id())? else { return Ok(None) };
    let handle = table::handle(tx, passkey.user)?.unwrap_or_default();
    let is_its_users = match answer.user_handle() {
        Some(said) => constant_time_eq(said, &handle),
        None => owner.is_some(),
    };
    let is_it = is_its_users && passkey.rp_id == rp_id && owner.is_none_or(|owner| owner == passkey.user);
    let user = account::table::by_id(tx, passkey.user)?.filter(|_| is_it);
    Ok(user.map(|user| (passkey, user)))
}

/// Those that are good for a relying party, as browsers name them.
pub(super) fn of_party(passkeys: &[Passkey], rp_id: &str) -> Vec<Descriptor> {
    passkeys.iter().filter(|passkey| passkey.rp_id == rp_id).map(Passkey::descriptor).collect()
}

/// Refuses one more than an account may have.
pub(super) fn check_room(known: usize) -> Result<()> {
    if known < MAX_PASSKEYS {
        return Ok(());
    }
    Err(Error::invalid("passkeys", format!("are at most {MAX_PASSKEYS} for one account; remove one first")))
}

/// Whether a user has one that is good for a relying party; for any, where there is none just now.
pub(super) fn any_left(tx: &impl Tx, user: u64, rp_id: Option<&str>) -> Result<bool> {
    let is_good = |passkey: &Passkey| rp_id.is_none_or(|rp_id| passkey.rp_id == rp_id);
    Ok(table::of_user(tx, user)?.iter().any(is_good))
}

/// Refuses to remove what alone lets a user in.
pub(super) fn check_not_last(
    tx: &impl Tx,
    user: &User,
    passkey: &Passkey,
    rp_id: Option<&str>,
) -> Result<()> {
    let Some(rp_id) = rp_id.filter(|rp_id| passkey.rp_id == *rp_id) else { return Ok(()) };
    if count(tx, user.id, rp_id)? > 1 {
        return Ok(());
    }
    if user.password_hash.is_empty() {
        return Err(Error::invalid("id", "is the last way into this account; choose a password first"));
    }
    let factors = mfa::table::factors(tx, user.id)?;
    if factors.passkeys && factors.totp.is_none() {
        let reason = "is the second factor of this account; turn second factors off first";
        return Err(Error::invalid("id", reason));
    }
    Ok(())
}
