//! Logging in with a passkey.
use super::challenge::Purpose;
use super::change::{note_used, spend};
use super::model::METHODS;
use super::rules::known;
use super::service::{Passkeys, Reply};
use crate::account::{self, User};
use crate::base::{Error, Result};
use crate::crypto::webauthn::Assertion;
use crate::login::LoggedIn;
use crate::mfa::change::trust;
use crate::rbac::Initiator;
use crate::session::change::insert;
use crate::store::WriteTx;
use crate::throttle::{Guess, Ticket};

impl Passkeys {
    /// Logs in whoever has a passkey. `trust_days`: for how long its device is to be trusted after a password, too.
    ///
    /// # Errors
    /// `Error::PasskeyRefused` for one that is not known, or whose proof is not good; `Error::AccountDisabled` once it is;
    /// `Error::Invalid` naming `challenge_id`, `credential` or `trust_device_days`; `Error::TooManyAttempts`.
    pub async fn log_in(&self, by: Initiator, reply: Reply, trust_days: Option<u32>) -> Result<LoggedIn> {
        let now = self.env.now();
        let (ticket, is_known) = self.admit(&by, &reply)?;
        let proof = self.judge(&by, Purpose::Login, reply, None).await?;
        let user = self.store.get(|tx| account::table::by_id(tx, proof.passkey.user))?;
        let user = user.ok_or(Error::PasskeyRefused)?;
        if !user.may_go_on() {
            let by = (&by, Purpose::Login);
            return Err(self.refuse(by, Some(&user), "account_disabled", Error::AccountDisabled));
        }
        let prepared = self.tokens.prepare(&by, &user, &METHODS)?;
        let granted = prepared.granted.clone();
        let (device, cookie) = match self.mfa.new_device(user.id, trust_days)? {
            Some((device, token)) => (Some(device), Some((token, device.lifetime))),
            None => (None, None),
        };
        let (live, who) = (self.live.clone(), by.clone());
        let change = move |tx: &mut WriteTx| {
            let user = account::table::by_id(tx, proof.passkey.user)?.filter(User::may_go_on);
            let user = user.ok_or(Error::PasskeyRefused)?;
            spend(tx, &proof, now)?;
            insert(tx, &live, prepared, &user)?;
            if let Some(device) = device {
                trust(tx, &who, &user, &device, now)?;
            }
            note_used(tx, &who, &user, &proof, now)
        };
        match self.store.write(change).await {
            Ok(()) => {}
            Err(error @ (Error::Invalid(_) | Error::PasskeyRefused)) => {
                let by = (&by, Purpose::Login);
                return Err(self.refuse(by, Some(&user), "passkey_challenge_used", error));
            }
            Err(error) => return Err(error),
        }
        ticket.succeeded();
        tracing::info!(user = user.id, "logged in with a passkey");
        let known_device = (!is_known).then(|| self.devices.cookie(&user));
        Ok(LoggedIn { granted, device: cookie, recovery_codes_left: None, known_device })
    }

    /// Counts an answer before it is looked at; says whether it comes from a browser that is known.
    fn admit(&self, by: &Initiator, reply: &Reply) -> Result<(Ticket, bool)> {
        let (party, answer) = (self.party()?, Assertion::parse(reply.credential.clone())?);
        let user = self.store.get(|tx| known(tx, &answer, None, party.id()))?.map(|(_, user)| user);
        let device = user.as_ref().and_then(|user| self.devices.of(by, user));
        let whose = user.as_ref().map(|user| user.id);
        let ticket = self.throttle.admit(&Guess::Passkey { user: whose, network: by.network(), device });
        let by = (by, Purpose::Login);
        let ticket = ticket.map_err(|error| self.refuse(by, user.as_ref(), "too_many_attempts", error))?;
        Ok((ticket, device.is_some()))
    }
}
