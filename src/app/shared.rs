//! What several services are made of, and those services.
use std::sync::Arc;

use super::policies;
use crate::account::{Accounts, PasswordPolicy, Passwords};
use crate::api_key::{ApiKeys, LiveKeys};
use crate::audit::{Audit, Failures};
use crate::base::{Env, Result};
use crate::config::{Config, Registration, Verification};
use crate::contact::Contacts;
use crate::crypto::{HashingPool, MasterKey};
use crate::email_login::EmailLogins;
use crate::email_verification::EmailVerifications;
use crate::keys::{self, Keys, master};
use crate::login::Logins;
use crate::mail::Mailer;
use crate::mail::sink::Sink;
use crate::mail::templates::Templates;
use crate::mfa::Mfa;
use crate::oauth::assertion::{Assertions, PublishedKeys};
use crate::oauth::authorize::Authorization;
use crate::oauth::backchannel::{Backchannel, Outbox};
use crate::oauth::client::vault::Vault;
use crate::oauth::client::{Clients, LiveClients};
use crate::oauth::custom::CustomScopes;
use crate::oauth::device::{DeviceRequests, Pace};
use crate::oauth::dpop::Dpop;
use crate::oauth::grant::{LiveGrants, Minter};
use crate::oauth::pushed::PushedRequests;
use crate::oauth::registration::SelfRegistrations;
use crate::oauth::token::TokenEndpoint;
use crate::outbound::Outbound;
use crate::passkey::{Challenges, Passkeys};
use crate::password_reset::PasswordResets;
use crate::rbac::Roles;
use crate::recovery::Recoveries;
use crate::registration::Registrations;
use crate::service_account::ServiceAccounts;
use crate::session::{Arrivals, LiveSessions, SessionTokens, Sessions};
use crate::store::Store;
use crate::throttle::{Devices, Throttle};
use crate::users::Users;

/// What several services are made of.
pub(super) struct Shared {
    pub store: Store,
    pub env: Env,
    pub keys: Keys,
    pub passwords: Passwords,
    pub live: LiveSessions,
    pub failures: Failures,
    pub mail: Mailer,
    pub outbound: Outbound,
    pub master: MasterKey,
    policy: PasswordPolicy,
    live_keys: LiveKeys,
    pub clients: LiveClients,
    vault: Vault,
    pub minter: Minter,
    dpop: Dpop,
    outbox: Outbox,
    tokens: SessionTokens,
    pub roles: Roles,
    pub throttle: Throttle,
    devices: Devices,
}

impl Shared {
    /// Opens the keys; makes them if there are none.
    pub async fn open(config: &Config, env: Env, store: Store) -> Result<Self> {
        let (master, keys) = open_keys(config, &env, &store).await?;
        let pool = HashingPool::start(config.password.threads, config.password.queue)?;
        let live_keys = LiveKeys::new(store.clone());
        let devices = Devices::new(&master, env.clone())?;
        let mail = open_mail(config, (store.clone(), env.clone()), &master)?;
        let arrivals = Arrivals { store: store.clone(), mail: mail.clone(), devices: devices.clone() };
        let tokens = SessionTokens::new(
            (store.clone(), env.clone()),
            (keys.clone(), arrivals),
            config.issuer(),
            policies::lifetimes(config),
            &master,
        )?;
        let vault = Vault::new(&master)?;
        let outbound = policies::outbound(config)?;
        let issuer = config.issuer().issuer;
        let published = PublishedKeys::new(outbound.clone(), env.clone());
        let assertions = Assertions::new(store.clone(), issuer.clone(), vault.clone(), published);
        let clients = LiveClients::new(store.clone(), assertions);
        let outbox = Outbox::new(env.clone());
        let grants = LiveGrants::new(store.clone(), keys.clone(), clients.clone(), outbox.clone());
        let live = LiveSessions::new(store.clone(), keys.clone(), live_keys.clone(), grants);
        let roles = Roles::new(store.clone(), env.clone());
        let custom = CustomScopes::new(store.clone(), roles.clone(), policies::scopes(config)?);
        let lifetimes = policies::oauth(config);
        let minter = Minter::new((env.clone(), keys.clone()), (issuer, custom), lifetimes, &master)?;
        let throttle = Throttle::new((store.clone(), env.clone()), &master, policies::throttle(config))?;
        Ok(Self {
            mail,
            outbound,
            vault,
            throttle,
            devices,
            passwords: Passwords::new(pool, config.password.cost(), env.clone()),
            live,
            clients,
            minter,
            roles,
            dpop: Dpop::new(env.clone(), policies::dpop(config)),
            outbox,
            failures: Failures::new(config.audit.failures_per_hour),
            policy: policies::passwords(config)?,
            store,
            env,
            keys,
            master,
            live_keys,
            tokens,
        })
    }

    pub fn oauth_clients(&self) -> Clients {
        Clients {
            store: self.store.clone(),
            env: self.env.clone(),
            keys: self.keys.clone(),
            live: self.clients.clone(),
            vault: self.vault.clone(),
            outbound: self.outbound.clone(),
        }
    }

    pub fn client_registrations(&self, config: &Config) -> Result<SelfRegistrations> {
        Ok(SelfRegistrations {
            store: self.store.clone(),
            env: self.env.clone(),
            clients: self.oauth_clients(),
            policy: Arc::new(policies::client_registration(config)?),
        })
    }

    pub fn oauth(&self, config: &Config) -> TokenEndpoint {
        TokenEndpoint {
            store: self.store.clone(),
            env: self.env.clone(),
            clients: self.clients.clone(),
            grants: self.live.grants.clone(),
            minter: self.minter.clone(),
            dpop: self.dpop.clone(),
            pace: Pace::new(config.oauth.device_code_interval_secs),
        }
    }

    pub fn contacts(&self) -> Contacts {
        Contacts { store: self.store.clone(), env: self.env.clone(), live: self.live.clone() }
    }

    pub fn device_requests(&self, config: &Config) -> Result<DeviceRequests> {
        Ok(DeviceRequests {
            store: self.store.clone(),
            env: self.env.clone(),
            clients: self.clients.clone(),
            throttle: self.throttle.clone(),
            codes: Arc::new(self.master.mac("user codes of devices")?),
            lifetime: config.oauth.device_code_lifetime_secs,
        })
    }

    pub fn authorization(&self, config: &Config) -> Result<Authorization> {
        Ok(Authorization {
            store: self.store.clone(),
            env: self.env.clone(),
            clients: self.clients.clone(),
            minter: self.minter.clone(),
            policy: policies::mfa(config),
            marks: Arc::new(self.master.mac("authorization requests")?),
            pushed: PushedRequests {
                store: self.store.clone(),
                env: self.env.clone(),
                lifetime: config.oauth.pushed_request_lifetime_secs,
                required: config.oauth.require_pushed_requests,
            },
        })
    }

    pub fn backchannel(&self, config: &Config) -> Backchannel {
        Backchannel {
            store: self.store.clone(),
            env: self.env.clone(),
            minter: self.minter.clone(),
            outbound: self.outbound.clone(),
            outbox: self.outbox.clone(),
            days: config.oauth.logout_log_days,
        }
    }

    pub fn accounts(&self, config: &Config) -> Accounts {
        Accounts {
            store: self.store.clone(),
            env: self.env.clone(),
            passwords: self.passwords.clone(),
            policy: self.policy.clone(),
            live: self.live.clone(),
            failures: self.failures.clone(),
            throttle: self.throttle.clone(),
            devices: self.devices.clone(),
            mail: self.mail.clone(),
            verifies: config.registration_verify == Verification::Required,
            hides_addresses: config.registration == Registration::Hidden,
        }
    }

    pub fn users(&self) -> Users {
        Users::new(self.store.clone(), self.env.clone(), self.live.clone(), self.mail.clone())
    }

    pub fn addresses(&self) -> EmailVerifications {
        EmailVerifications {
            store: self.store.clone(),
            env: self.env.clone(),
            live: self.live.clone(),
            mail: self.mail.clone(),
        }
    }

    pub fn registrations(&self) -> Registrations {
        Registrations {
            store: self.store.clone(),
            env: self.env.clone(),
            passwords: self.passwords.clone(),
            policy: self.policy.clone(),
            mail: self.mail.clone(),
        }
    }

    pub fn email_logins(&self, config: &Config, logins: Logins) -> Result<EmailLogins> {
        Ok(EmailLogins {
            store: self.store.clone(),
            env: self.env.clone(),
            mail: self.mail.clone(),
            logins,
            failures: self.failures.clone(),
            codes: Arc::new(self.master.mac("email login codes")?),
            is_on: config.mail.sign_in,
        })
    }

    pub fn sessions(&self) -> Sessions {
        Sessions {
            store: self.store.clone(),
            env: self.env.clone(),
            live: self.live.clone(),
            tokens: self.tokens.clone(),
            mail: self.mail.clone(),
        }
    }

    pub fn mfa(&self, config: &Config) -> Result<Mfa> {
        Mfa::new(
            (self.store.clone(), self.env.clone()),
            (self.live.clone(), self.tokens.clone()),
            (self.failures.clone(), self.mail.clone()),
            &self.master,
            policies::mfa(config),
        )
    }

    pub fn logins(&self, mfa: Mfa, passkeys: Passkeys) -> Logins {
        Logins {
            store: self.store.clone(),
            env: self.env.clone(),
            passwords: self.passwords.clone(),
            tokens: self.tokens.clone(),
            live: self.live.clone(),
            mfa,
            passkeys,
            failures: self.failures.clone(),
            throttle: self.throttle.clone(),
            devices: self.devices.clone(),
            mail: self.mail.clone(),
        }
    }

    pub fn passkeys(&self, config: &Config, mfa: Mfa) -> Result<Passkeys> {
        Ok(Passkeys {
            store: self.store.clone(),
            env: self.env.clone(),
            live: self.live.clone(),
            tokens: self.tokens.clone(),
            failures: self.failures.clone(),
            mfa,
            mail: self.mail.clone(),
            throttle: self.throttle.clone(),
            devices: self.devices.clone(),
            challenges: Challenges::new(self.env.clone(), &self.master)?,
            reach: Arc::new(policies::reach(config)?),
        })
    }

    pub fn recoveries(&self) -> Recoveries {
        Recoveries {
            store: self.store.clone(),
            env: self.env.clone(),
            passwords: self.passwords.clone(),
            policy: self.policy.clone(),
            tokens: self.tokens.clone(),
            live: self.live.clone(),
            mail: self.mail.clone(),
            failures: self.failures.clone(),
            throttle: self.throttle.clone(),
            devices: self.devices.clone(),
        }
    }

    pub fn resets(&self) -> PasswordResets {
        PasswordResets::new(
            (self.store.clone(), self.env.clone()),
            (self.passwords.clone(), self.policy.clone()),
            (self.live.clone(), self.failures.clone()),
            self.mail.clone(),
        )
    }

    pub fn api_keys(&self, config: &Config) -> ApiKeys {
        let everyones = config.rate_limit.requests_per_hour;
        let (store, env) = (self.store.clone(), self.env.clone());
        ApiKeys::new(store, env, self.live_keys.clone(), self.failures.clone(), everyones)
    }

    pub fn service_accounts(&self) -> ServiceAccounts {
        let live = self.live_keys.clone();
        ServiceAccounts { store: self.store.clone(), env: self.env.clone(), live }
    }

    pub fn audit(&self, config: &Config) -> Audit {
        let (store, env) = (self.store.clone(), self.env.clone());
        Audit::new(store, env, self.failures.clone(), policies::retention(config))
    }
}

/// The way of mails. No mail server is asked: one that is down stops nothing.
fn open_mail(config: &Config, (store, env): (Store, Env), master: &MasterKey) -> Result<Mailer> {
    let names = (policies::service_name(config), config.public_url().to_string());
    let templates = Templates::open(config.mail.template_dir.0.as_deref(), config.mail.language, names)?;
    Mailer::new((store, env), master, templates, Sink::open(config)?)
}

/// The master key and the signing keys; made if there are none.
async fn open_keys(config: &Config, env: &Env, store: &Store) -> Result<(MasterKey, Keys)> {
    let has_keys = !store.get(keys::table::all)?.is_empty();
    let master = master::load_or_create(&config.master_key_file(), env.entropy.as_ref(), !has_keys)?;
    let keys = Keys::open(store.clone(), env.clone(), &master, policies::keys(config)).await?;
    Ok((master, keys))
}
