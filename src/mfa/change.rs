//! What changes do with second factors: those of logins, and those of other features.
use super::model::{Answer, Factors, Spent, TrustedDevice};
use super::service::Vault;
use super::table;
use crate::account::User;
use crate::audit::{self, Event};
use crate::base::{Error, Result, Secret, Timestamp};
use crate::crypto::user_token::{self, Kind};
use crate::passkey;
use crate::rbac::Initiator;
use crate::store::{Tx, WriteTx};

/// Trusted devices of one user; one more, and the oldest is trusted no longer.
const MAX_DEVICES: usize = 20;

/// Uses up what somebody has shown for a second factor, if it is good.
///
/// # Errors
/// `Error::Unavailable` when the store does not serve; `Error::Internal` for a secret that does not open.
///
/// # Returns
/// `None` when it is wrong, or was used already.
pub fn spend(
    tx: &mut WriteTx,
    vault: &Vault,
    user: u64,
    answer: &Answer,
    now: Timestamp,
) -> Result<Option<Spent>> {
    let mut factors = table::factors(tx, user)?;
    let spent = match answer {
        Answer::Totp(code) => {
            let Some(totp) = &factors.totp else { return Ok(None) };
            let step = vault.open(user, &totp.sealed)?.matched_step(code, now)?;
            step.is_some_and(|step| factors.spend_step(step)).then_some(Spent::Totp)
        }
        Answer::RecoveryCode(hash) => factors
            .spend_recovery_code(hash)
            .then_some(Spent::RecoveryCode { left: factors.recovery_codes.len() }),
        Answer::Passkey(proof) if proof.passkey.user == user => {
            match passkey::change::spend(tx, proof, now) {
                Ok(()) => Some(Spent::Passkey),
                Err(Error::Invalid(_) | Error::PasskeyRefused) => None,
                Err(error) => return Err(error),
            }
        }
        Answer::Passkey(_) | Answer::Nothing => None,
    };
    if spent.is_some() {
        table::put_factors(tx, user, &factors)?;
    }
    Ok(spent)
}

/// Has passwords ask a user for a passkey no more: the last one was removed, and nobody could show it. Without an app
/// second factors are off then.
///
/// # Errors
/// `Error::Unavailable` when the store does not serve.
pub fn without_passkeys(tx: &mut WriteTx, by: &Initiator, user: &User, now: Timestamp) -> Result<()> {
    let factors = table::factors(tx, user.id)?;
    if !factors.passkeys {
        return Ok(());
    }
    let factors = Factors { passkeys: false, changed_at: now, ..factors };
    if factors.is_on() {
        return table::put_factors(tx, user.id, &factors);
    }
    table::remove_all(tx, user.id)?;
    let event = Event::new(by, "mfa.disabled", now).about_user(user);
    audit::table::append(tx, event.with("reason", "last_passkey_removed"))
}

/// A device that is to be trusted from now on.
#[derive(Clone, Copy)]
pub struct NewDevice {
    /// Of its token, and how long it is trusted, in seconds.
    pub hash: [u8; 32],
    pub lifetime: i64,
}

impl NewDevice {
    /// # Returns
    /// The device, and the token that it is known by: handed on once.
    #[must_use]
    pub fn generate(user: u64, days: u32, rng: &dyn crate::base::Entropy) -> (Self, Secret) {
        const DAY_SECS: i64 = 24 * 3600;
        let (token, hash) = user_token::generate(Kind::TrustedDevice, user, rng);
        (Self { hash, lifetime: i64::from(days) * DAY_SECS }, token)
    }
}

/// Trusts a device.
///
/// # Errors
/// `Error::Unavailable` when the store does not serve.
pub fn trust(tx: &mut WriteTx, by: &Initiator, user: &User, new: &NewDevice, now: Timestamp) -> Result<()> {
    let known = table::devices(tx, user.id)?;
    for surplus in known.iter().take((known.len() + 1).saturating_sub(MAX_DEVICES)) {
        table::remove_device(tx, user.id, surplus.id)?;
        let event = Event::new(&Initiator::system(), "mfa.trusted_device_removed", now).about_user(user);
        let event = event.with("device", surplus.id.to_string());
        audit::table::append(tx, event.with("reason", "too_many_devices"))?;
    }
    let device = TrustedDevice {
        user_agent: by.user_agent.clone(),
        address: by.address.clone(),
        created_at: now,
        last_used_at: now,
        expires_at: now.plus_secs(new.lifetime),
    };
    table::put_device(tx, user.id, &new.hash, &device)?;
    audit::table::append(tx, Event::new(by, "mfa.device_trusted", now).about_user(user))
}

/// Whether a token is that of a device that a user trusts.
///
/// # Errors
/// As [`trust`].
pub fn trusts(tx: &impl Tx, user: u64, token: &str, now: Timestamp) -> Result<Option<[u8; 32]>> {
    let presented = user_token::parse(Kind::TrustedDevice, token).filter(|device| device.user == user);
    let Some(presented) = presented else { return Ok(None) };
    Ok(trusts_hash(tx, user, &presented.hash, now)?.then_some(presented.hash))
}

/// [`trusts`] for the hash of a token.
///
/// # Errors
/// As [`trust`].
pub fn trusts_hash(tx: &impl Tx, user: u64, hash: &[u8; 32], now: Timestamp) -> Result<bool> {
    Ok(table::device(tx, user, hash)?.is_some_and(|device| now < device.expires_at))
}

/// Notes that a trusted device was used.
///
/// # Errors
/// As [`trust`].
pub fn use_device(tx: &mut WriteTx, user: u64, hash: &[u8; 32], now: Timestamp) -> Result<()> {
    let Some(device) = table::device(tx, user, hash)? else { return Ok(()) };
    table::put_device(tx, user, hash, &TrustedDevice { last_used_at: now, ..device })
}
