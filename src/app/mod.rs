//! The composition root: the only place that knows every part.
mod api;
mod authenticator;
mod forward;
mod policies;
mod shared;
mod tables;

use std::sync::Arc;

use shared::Shared;

use crate::account::{Accounts, Passwords};
use crate::admin::Admin;
use crate::api_key::ApiKeys;
use crate::audit::{Audit, Failures};
use crate::base::{Env, Result};
use crate::config::Config;
use crate::contact::Contacts;
use crate::email_login::EmailLogins;
use crate::email_verification::EmailVerifications;
use crate::forward::rule::declaration as forward_rules;
use crate::forward::{Forward, Rules};
use crate::health::Health;
use crate::http::limit::RateLimiter;
use crate::keys::Keys;
use crate::login::Logins;
use crate::mail::Mailer;
use crate::mfa::Mfa;
use crate::oauth::authorize::Authorization;
use crate::oauth::backchannel::Backchannel;
use crate::oauth::client::{Clients, declaration};
use crate::oauth::device::DeviceRequests;
use crate::oauth::initial_token::InitialTokens;
use crate::oauth::page::Pages;
use crate::oauth::registration::SelfRegistrations;
use crate::oauth::token::TokenEndpoint;
use crate::outbound::Outbound;
use crate::passkey::Passkeys;
use crate::password_reset::PasswordResets;
use crate::rbac::Roles;
use crate::recovery::Recoveries;
use crate::registration::Registrations;
use crate::service_account::ServiceAccounts;
use crate::session::{LiveSessions, Sessions};
use crate::store::Store;
use crate::throttle::Throttle;
use crate::transfer::Transfer;
use crate::users::Users;

pub use tables::{CHECKS, SCHEMA, SWEEPS};

/// Whether what a configuration declares can be, as far as that can be said without the store.
///
/// # Errors
/// `Error::Invalid` naming what is wrong with it.
pub fn check(config: &Config) -> Result<()> {
    policies::scopes(config)?;
    policies::forward_headers(config)?;
    forward_rules::read(&config.forward.rules.0)?;
    declaration::read(&config.declared.clients.0).map(drop)
}

/// The whole service, without a listener.
#[derive(Clone)]
pub struct App {
    pub config: Arc<Config>,
    pub env: Env,
    pub store: Store,
    pub keys: Keys,
    pub passwords: Passwords,
    pub accounts: Accounts,
    pub sessions: Sessions,
    pub logins: Logins,
    pub mfa: Mfa,
    pub passkeys: Passkeys,
    pub recoveries: Recoveries,
    pub live: LiveSessions,
    pub api_keys: ApiKeys,
    pub service_accounts: ServiceAccounts,
    pub limiter: Arc<RateLimiter>,
    pub failures: Failures,
    pub throttle: Throttle,
    pub audit: Audit,
    pub roles: Roles,
    pub users: Users,
    pub resets: PasswordResets,
    pub transfer: Transfer,
    pub health: Health,
    pub mail: Mailer,
    pub outbound: Outbound,
    pub addresses: Arc<EmailVerifications>,
    pub registrations: Arc<Registrations>,
    pub email_logins: Arc<EmailLogins>,
    pub oauth_clients: Arc<Clients>,
    pub client_registrations: Arc<SelfRegistrations>,
    pub registering: Arc<RateLimiter>,
    pub fetching: Arc<RateLimiter>,
    pub oauth: Arc<TokenEndpoint>,
    pub authorization: Arc<Authorization>,
    pub device_requests: Arc<DeviceRequests>,
    pub contacts: Arc<Contacts>,
    pub pages: Arc<Pages>,
    pub backchannel: Arc<Backchannel>,
    pub forward_rules: Rules,
    pub forward: Arc<Forward>,
}

impl App {
    /// Builds every service on an open store; makes the master key and the signing keys if there are none.
    ///
    /// # Errors
    /// `Error::Unavailable` saying what of the store or the keys cannot be used.
    pub async fn open(config: Config, env: Env, store: Store) -> Result<Self> {
        let shared = Shared::open(&config, env, store).await?;
        let mfa = shared.mfa(&config)?;
        let passkeys = shared.passkeys(&config, mfa.clone())?;
        let logins = shared.logins(mfa.clone(), passkeys.clone());
        let limiter = Arc::new(policies::limiter(&config)?);
        let pages = Arc::new(Pages::open(&config, policies::service_name(&config))?);
        let forward_rules = shared.forward_rules(&config)?;
        Ok(Self {
            accounts: shared.accounts(&config),
            addresses: Arc::new(shared.addresses()),
            sessions: shared.sessions(),
            email_logins: Arc::new(shared.email_logins(&config, logins.clone())?),
            registrations: Arc::new(shared.registrations()),
            oauth_clients: Arc::new(shared.oauth_clients()),
            client_registrations: Arc::new(shared.client_registrations(&config)?),
            registering: Arc::new(policies::registering(&config)?),
            fetching: Arc::new(policies::fetching(&config)?),
            oauth: Arc::new(shared.oauth(&config)),
            contacts: Arc::new(shared.contacts()),
            device_requests: Arc::new(shared.device_requests(&config)?),
            authorization: Arc::new(shared.authorization(&config)?),
            forward: Arc::new(shared.forward(&config, &forward_rules, (&pages, &limiter))?),
            forward_rules,
            pages,
            backchannel: Arc::new(shared.backchannel(&config)),
            logins,
            mfa,
            passkeys,
            recoveries: shared.recoveries(),
            resets: shared.resets(),
            api_keys: shared.api_keys(&config),
            service_accounts: shared.service_accounts(),
            audit: shared.audit(&config),
            roles: shared.roles.clone(),
            users: shared.users(),
            transfer: Transfer::new(shared.store.clone(), shared.env.clone()),
            health: Health::new(shared.store.clone(), shared.env.clone()),
            config: Arc::new(config),
            env: shared.env,
            store: shared.store,
            keys: shared.keys,
            passwords: shared.passwords,
            live: shared.live,
            mail: shared.mail,
            outbound: shared.outbound,
            limiter,
            throttle: shared.throttle,
            failures: shared.failures,
        })
    }

    /// Makes what the configuration declares what there is.
    ///
    /// # Errors
    /// `Error::Invalid` naming what is wrong with it; `Error::Unavailable` when the store takes no writes.
    pub async fn declare(&self) -> Result<()> {
        let clients = declaration::read(&self.config.declared.clients.0)?;
        self.oauth_clients.declare(clients).await
    }

    fn initial_tokens(&self) -> InitialTokens {
        InitialTokens { store: self.store.clone(), env: self.env.clone() }
    }

    /// What the command line does, on this application.
    #[must_use]
    pub fn admin(&self) -> Admin {
        Admin {
            accounts: self.accounts.clone(),
            sessions: self.sessions.clone(),
            users: self.users.clone(),
            resets: self.resets.clone(),
            recoveries: self.recoveries.clone(),
            mfa: self.mfa.clone(),
            passkeys: self.passkeys.clone(),
            roles: self.roles.clone(),
            api_keys: self.api_keys.clone(),
            service_accounts: self.service_accounts.clone(),
            clients: self.oauth_clients.as_ref().clone(),
            forward_rules: self.forward_rules.clone(),
            backchannel: self.backchannel.as_ref().clone(),
            initial_tokens: self.initial_tokens(),
            audit: self.audit.clone(),
            transfer: self.transfer.clone(),
            keys: self.keys.clone(),
            mail: self.mail.clone(),
            health: self.health.clone(),
            store: self.store.clone(),
            checks: CHECKS.concat(),
        }
    }

    /// What has to be done now and then: ends what is over, and rotates keys that have served their time.
    pub async fn tend(&self) {
        self.sweep().await;
        if let Err(error) = self.keys.rotate_if_due().await {
            tracing::warn!(?error, "the signing keys were not rotated");
        }
        if let Err(error) = self.client_registrations.end_unused().await {
            tracing::warn!(?error, "clients that nobody uses were not removed");
        }
        self.throttle.tidy();
        self.write_gathered().await;
        if let Err(error) = self.audit.prune().await {
            tracing::warn!(?error, "the audit trail was not shortened");
        }
        if let Err(error) = self.backchannel.prune().await {
            tracing::warn!(?error, "the list of what clients were told was not shortened");
        }
    }

    /// Removes what is over, in parts, so that others come in between.
    async fn sweep(&self) {
        const AT_ONCE: usize = 1000;
        loop {
            match self.store.sweep(SWEEPS, self.env.now(), AT_ONCE).await {
                Ok(AT_ONCE) => {}
                Ok(_) => break,
                Err(error) => {
                    tracing::warn!(?error, "the sweep of what is over failed");
                    break;
                }
            }
        }
    }

    /// Writes what was gathered in memory.
    pub async fn write_gathered(&self) {
        if let Err(error) = self.audit.write_failures().await {
            tracing::warn!(?error, "failures are not in the audit trail");
        }
        if let Err(error) = self.throttle.write().await {
            tracing::warn!(?error, "wrong guesses are not written");
        }
        if let Err(error) = self.api_keys.usage.write(&self.store, self.env.now()).await {
            tracing::warn!(?error, "uses of API keys are not counted");
        }
    }

    /// Writes what was gathered in memory, at the end.
    pub async fn finish(&self) {
        self.write_gathered().await;
        if let Err(error) = self.audit.close().await {
            tracing::warn!(?error, "failures are not in the audit trail");
        }
    }
}
