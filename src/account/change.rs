//! What changes do with accounts: those of other features, too.
use crate::base::Result;
use crate::recovery::table::RECOVERIES;
use crate::store::WriteTx;
use crate::{email_login, email_verification, login, mfa, password_reset};

/// Ends what was begun to get into an account, or to take it over, and what makes a login shorter: whoever did may not be
/// its user. Call wherever that comes out: when an account is switched off or thrown away, so that nothing of it is good when
/// it is back; and when it has another password.
///
/// # Errors
/// `Error::Unavailable` when the store does not serve.
pub fn end_ways_in(tx: &mut WriteTx, user: u64) -> Result<()> {
    password_reset::table::remove_all(tx, user);
    RECOVERIES.remove(tx, user);
    email_verification::table::remove_change(tx, user);
    email_login::table::remove(tx, user);
    login::table::remove_all(tx, user)?;
    mfa::table::remove_devices(tx, user).map(drop)
}
