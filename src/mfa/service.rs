//! What can be done with second factors.
use std::sync::Arc;

use super::change::NewDevice;
use super::model::{Factors, Listed, RECOVERY_CODES, Setup, Totp, TrustedDevice};
use super::policy::Policy;
use super::qr::Picture;
use super::table;
use crate::account::{self, User};
use crate::audit::{self, Event, Failures};
use crate::base::{Env, Error, Id, Result, Secret};
use crate::crypto::totp::TotpSecret;
use crate::crypto::{MasterKey, Sealer, recovery_code};
use crate::mail::{self, Mailer};
use crate::passkey;
use crate::rbac::Initiator;
use crate::rbac::service::check_over;
use crate::session::{self, AccessToken, Granted, LiveSessions, Session, SessionTokens};
use crate::store::{Store, Tx, WriteTx};

/// How long an app may take to be set up, in seconds: 10 minutes.
const SETUP_SECS: i64 = 600;

/// Opens the secrets of authenticator apps.
#[derive(Clone)]
pub struct Vault(Arc<Sealer>);

/// Second factors of users.
#[derive(Clone)]
pub struct Mfa {
    store: Store,
    env: Env,
    live: LiveSessions,
    tokens: SessionTokens,
    failures: Failures,
    mail: Mailer,
    pub vault: Vault,
    pub policy: Arc<Policy>,
}

/// An app that is to be set up; shown once.
pub struct NewApp {
    pub secret: Secret,
    pub uri: Secret,
    pub picture: Picture,
}

/// What turning second factors on has given.
pub struct Enabled {
    /// In place of those that the session had.
    pub granted: Granted,
    /// Shown once.
    pub recovery_codes: Vec<Secret>,
}

/// How a user stands.
pub struct Status {
    pub factors: Factors,
    pub methods: Vec<&'static str>,
    pub is_required: bool,
}

impl Vault {
    /// # Errors
    /// `Error::Internal` if no key can be derived.
    pub fn new(master: &MasterKey) -> Result<Self> {
        Ok(Self(Arc::new(master.sealer("totp secrets")?)))
    }

    /// Seals a secret for its user alone.
    fn seal(&self, env: &Env, user: u64, secret: &TotpSecret) -> Result<Vec<u8>> {
        self.0.seal(env.entropy.as_ref(), &user.to_be_bytes(), secret.as_bytes())
    }

    /// The secret of a user.
    ///
    /// # Errors
    /// `Error::Internal` for one that was sealed under another key or for another user.
    pub fn open(&self, user: u64, sealed: &[u8]) -> Result<TotpSecret> {
        let broken = || Error::internal("the secret of an authenticator app does not open");
        TotpSecret::from_bytes(&self.0.open(&user.to_be_bytes(), sealed).ok_or_else(broken)?)
    }
}

impl Mfa {
    /// # Errors
    /// As [`Vault::new`].
    pub fn new(
        (store, env): (Store, Env),
        (live, tokens): (LiveSessions, SessionTokens),
        (failures, mail): (Failures, Mailer),
        master: &MasterKey,
        policy: Policy,
    ) -> Result<Self> {
        let (vault, policy) = (Vault::new(master)?, Arc::new(policy));
        Ok(Self { store, env, live, tokens, failures, mail, vault, policy })
    }

    /// The factors of a user, and whether it has a passkey that counts.
    ///
    /// # Errors
    /// `Error::Unavailable` when the store does not serve, here and below.
    pub fn looked_up(&self, tx: &impl Tx, user: u64) -> Result<(Factors, bool)> {
        let passkeys = match &self.policy.rp_id {
            Some(rp_id) => passkey::change::count(tx, user, rp_id)?,
            None => 0,
        };
        Ok((table::factors(tx, user)?, passkeys > 0))
    }

    /// Whether a user has anything to show beside a password.
    ///
    /// # Errors
    /// As [`Mfa::looked_up`].
    pub fn can_show(&self, user: u64) -> Result<bool> {
        let (factors, has_passkey) = self.store.get(|tx| self.looked_up(tx, user))?;
        Ok(factors.is_on() || has_passkey)
    }

    /// A device that is to be trusted for so many days, and the token that it is known by.
    ///
    /// # Errors
    /// `Error::Invalid` naming `trust_device_days` for more than are allowed.
    pub fn new_device(&self, user: u64, days: Option<u32>) -> Result<Option<(NewDevice, Secret)>> {
        let most = self.policy.trusted_device_days;
        match days {
            None | Some(0) => Ok(None),
            Some(days) if days <= most => {
                Ok(Some(NewDevice::generate(user, days, self.env.entropy.as_ref())))
            }
            Some(_) => {
                Err(Error::invalid("trust_device_days", format!("must be at most {most} on this server")))
            }
        }
    }

    /// How a user stands.
    ///
    /// # Errors
    /// As [`Mfa::looked_up`].
    pub fn status(&self, user: &User) -> Result<Status> {
        let (factors, has_passkey) = self.store.get(|tx| self.looked_up(tx, user.id))?;
        let methods = if factors.is_on() { factors.methods(has_passkey) } else { Vec::new() };
        Ok(Status { factors, methods, is_required: self.policy.requires(user) })
    }

    /// Begins to set an app up: good for nothing before [`Mfa::enable`] has seen its first code. One that was begun
    /// before is forgotten.
    ///
    /// # Errors
    /// `Error::Internal` if the picture cannot be drawn.
    pub async fn set_up(&self, by: Initiator, user: &User) -> Result<NewApp> {
        let now = self.env.now();
        let shared = TotpSecret::generate(self.env.entropy.as_ref());
        let uri = shared.uri(&self.policy.issuer, user.username.as_str())?;
        let (picture, secret) = (Picture::of(uri.expose())?, shared.base32()?);
        let sealed = self.vault.seal(&self.env, user.id, &shared)?;
        let setup = Setup { sealed, expires_at: now.plus_secs(SETUP_SECS) };
        let event = Event::new(&by, "mfa.setup_started", now).about_user(user);
        let id = user.id;
        let change = move |tx: &mut WriteTx| {
            // An account that was deleted meanwhile leaves nothing, and no session.
            account::table::by_id(tx, id)?.filter(User::may_go_on).ok_or(Error::TokenRevoked)?;
            table::put_setup(tx, id, &setup)?;
            audit::table::append(tx, event)
        };
        self.store.write(change).await?;
        Ok(NewApp { secret, uri, picture })
    }

    /// Turns the app on that was set up, with its first code. The session that asks has shown a second factor with it and
    /// gets new tokens; trusted devices are trusted no longer.
    ///
    /// # Errors
    /// `Error::Invalid` naming `code` when no app is being set up; `Error::InvalidMfaCode`.
    pub async fn enable(
        &self,
        by: Initiator,
        user: &User,
        token: Arc<AccessToken>,
        code: &str,
    ) -> Result<Enabled> {
        let now = self.env.now();
        let setup = self.store.get(|tx| table::setup(tx, user.id))?.filter(|setup| now < setup.expires_at);
        let none = || Error::invalid("code", "is of no app that is being set up; POST /auth/mfa/setup first");
        let setup = setup.ok_or_else(none)?;
        let step = self.vault.open(user.id, &setup.sealed)?.matched_step(code, now)?;
        let Some(last_step) = step else {
            self.failures.note(Event::failed(&by, "mfa.setup_refused", now).about_user(user));
            return Err(Error::InvalidMfaCode);
        };
        let totp = Totp { sealed: setup.sealed.clone(), enabled_at: now, last_step };
        let id = user.id;
        let turned_on = self.turn_on(by, user, token, ("otp", "totp"), move |tx, factors| {
            // Another one may have been begun meanwhile, or this one been turned on.
            let same = table::setup(tx, id)?.is_some_and(|current| current == setup);
            same.then_some(()).ok_or_else(none)?;
            table::remove_setup(tx, id);
            factors.totp = Some(totp);
            Ok(())
        });
        turned_on.await
    }

    /// Has passwords ask for a passkey, too. The session must have been made with one.
    ///
    /// # Errors
    /// `Error::Invalid` naming `method` for a user who has none; `Error::ReauthenticationRequired` for a session that was
    /// not made with one.
    pub async fn enable_passkeys(
        &self,
        by: Initiator,
        user: &User,
        token: Arc<AccessToken>,
    ) -> Result<Enabled> {
        let none = || Error::invalid("method", "needs a passkey; register one first");
        let (_, has_passkey) = self.store.get(|tx| self.looked_up(tx, user.id))?;
        has_passkey.then_some(()).ok_or_else(none)?;
        if !token.amr.iter().any(|method| method == "pop") {
            return Err(Error::ReauthenticationRequired(vec!["passkey"]));
        }
        let (mfa, id, way) = (self.clone(), user.id, ("mfa", "passkey_after_password"));
        let turned_on = self.turn_on(by, user, token, way, move |tx, factors| {
            // It may have been removed meanwhile; from now on the last one stays.
            let (_, has_passkey) = mfa.looked_up(tx, id)?;
            has_passkey.then_some(()).ok_or_else(none)?;
            if factors.passkeys {
                return Err(Error::invalid("method", "is on already"));
            }
            factors.passkeys = true;
            Ok(())
        });
        turned_on.await
    }

    /// `method`: what the session has shown with it; `name`: what the user hears of.
    async fn turn_on(
        &self,
        by: Initiator,
        user: &User,
        token: Arc<AccessToken>,
        (method, name): (&'static str, &'static str),
        make: impl FnOnce(&mut WriteTx, &mut Factors) -> Result<()> + Send + 'static,
    ) -> Result<Enabled> {
        let now = self.env.now();
        let again =
            self.tokens.prepare_stronger(by.clone(), &token, &[method, session::model::MULTI_FACTOR])?;
        let (recovery_codes, hashes) = self.new_codes();
        let (granted, live) = (again.granted.clone(), self.live.clone());
        let (owner, event) = (user.clone(), Event::new(&by, "mfa.enabled", now).about_user(user));
        let (user, mailer) = (user.id, self.mail.clone());
        let change = move |tx: &mut WriteTx| {
            let mut factors = table::factors(tx, user)?;
            make(tx, &mut factors)?;
            let factors = Factors { recovery_codes: hashes, changed_at: now, ..factors };
            table::put_factors(tx, user, &factors)?;
            table::remove_devices(tx, user)?;
            if !session::change::reauthenticate(tx, &live, again, &token)? {
                return Err(Error::Busy { retry_after_secs: 1 });
            }
            // Whoever has one that was begun without it may be why it is turned on (OWASP ASVS 7.4.3).
            let ended = session::change::end_all(tx, &live, user, Some(token.session))?;
            mailer.notify(tx, mail::Kind::FactorAdded, &owner, &by, &[("method", name)])?;
            audit::table::append(tx, event.with("method", method).with("sessions_ended", ended.to_string()))
        };
        self.store.write(change).await?;
        Ok(Enabled { granted, recovery_codes })
    }

    /// Turns second factors off, whatever there is of them, and ends all sessions but the one that asks. Passkeys stay, as a
    /// way in of their own.
    ///
    /// # Errors
    /// `Error::Invalid` naming `mfa` when they are off already, and for a user who has to have one.
    pub async fn disable(&self, by: Initiator, user: &User, keep: Id<Session>) -> Result<()> {
        if self.policy.requires(user) {
            return Err(Error::invalid("mfa", "is required for this account"));
        }
        self.turn_off(by, (user.id, "mfa"), Some(keep), |_, _, _| Ok(())).await
    }

    /// Takes the second factors of a user away who has lost them, and ends all its sessions: whoever has found them may have
    /// begun one.
    ///
    /// # Errors
    /// `Error::NotFound`; `Error::Forbidden` for a user who holds more than whoever asks; `Error::Invalid` naming `id` when
    /// they are off already.
    pub async fn reset(&self, by: Initiator, user: u64) -> Result<()> {
        self.turn_off(by, (user, "id"), None, check_over_user).await
    }

    async fn turn_off(
        &self,
        by: Initiator,
        (id, field): (u64, &'static str),
        keep: Option<Id<Session>>,
        check: impl FnOnce(&WriteTx, &Initiator, &User) -> Result<()> + Send + 'static,
    ) -> Result<()> {
        let (live, now, mailer) = (self.live.clone(), self.env.now(), self.mail.clone());
        let change = move |tx: &mut WriteTx| {
            let user = account::table::by_id(tx, id)?.ok_or(Error::NotFound("user"))?;
            check(tx, &by, &user)?;
            let factors = table::factors(tx, id)?;
            if !factors.is_on() {
                return Err(Error::invalid(field, "has no second factor that is on"));
            }
            table::remove_all(tx, id)?;
            mailer.notify(tx, mail::Kind::FactorRemoved, &user, &by, &[("method", &factors.names())])?;
            // What they have shown of themselves is true no more (OWASP ASVS 7.4.3).
            let ended = session::change::end_all(tx, &live, id, keep)?;
            let event = Event::new(&by, "mfa.disabled", now).about_user(&user);
            audit::table::append(tx, event.with("sessions_ended", ended.to_string()))
        };
        self.store.write(change).await
    }

    /// Other recovery codes instead of those that are left.
    ///
    /// # Errors
    /// `Error::Invalid` naming `mfa` when second factors are off.
    pub async fn regenerate_codes(&self, by: Initiator, user: &User) -> Result<Vec<Secret>> {
        let now = self.env.now();
        let (codes, hashes) = self.new_codes();
        let event = Event::new(&by, "mfa.recovery_codes_regenerated", now).about_user(user);
        let (id, owner, mailer) = (user.id, user.clone(), self.mail.clone());
        let change = move |tx: &mut WriteTx| {
            let factors = table::factors(tx, id)?;
            if !factors.is_on() {
                return Err(Error::invalid("mfa", "is off; recovery codes come with it"));
            }
            let factors = Factors { recovery_codes: hashes, changed_at: now, ..factors };
            table::put_factors(tx, id, &factors)?;
            mailer.notify(tx, mail::Kind::FactorAdded, &owner, &by, &[("method", "recovery_codes")])?;
            audit::table::append(tx, event)
        };
        self.store.write(change).await?;
        Ok(codes)
    }

    /// The devices on which a user need not show a second factor, the oldest first.
    ///
    /// # Errors
    /// As [`Mfa::status`].
    pub fn devices(&self, user: u64) -> Result<Vec<Listed>> {
        let (now, mut all) = (self.env.now(), self.store.get(|tx| table::devices(tx, user))?);
        all.retain(|listed| now < listed.device.expires_at);
        Ok(all)
    }

    /// Trusts a device no longer.
    ///
    /// # Errors
    /// `Error::NotFound`.
    pub async fn forget_device(&self, by: Initiator, user: &User, id: Id<TrustedDevice>) -> Result<()> {
        let event = Event::new(&by, "mfa.trusted_device_removed", self.env.now()).about_user(user);
        let user = user.id;
        let change = move |tx: &mut WriteTx| {
            if !table::remove_device(tx, user, id)? {
                return Err(Error::NotFound("trusted device"));
            }
            audit::table::append(tx, event.with("device", id.to_string()))
        };
        self.store.write(change).await
    }

    /// Trusts no device any longer.
    ///
    /// # Errors
    /// As [`Mfa::status`].
    ///
    /// # Returns
    /// How many there were.
    pub async fn forget_devices(&self, by: Initiator, user: &User) -> Result<usize> {
        let event = Event::new(&by, "mfa.trusted_devices_removed", self.env.now()).about_user(user);
        let user = user.id;
        let change = move |tx: &mut WriteTx| {
            let count = table::remove_devices(tx, user)?;
            audit::table::append(tx, event.with("devices", count.to_string()))?;
            Ok(count)
        };
        self.store.write(change).await
    }

    fn new_codes(&self) -> (Vec<Secret>, Vec<[u8; 32]>) {
        (0..RECOVERY_CODES).map(|_| recovery_code::generate(self.env.entropy.as_ref())).unzip()
    }
}

fn check_over_user(tx: &WriteTx, by: &Initiator, user: &User) -> Result<()> {
    check_over(tx, by, user)
}
