//! The composition root: the only place that knows every part.
mod api;
mod authenticator;
mod policies;
mod tables;

use std::sync::Arc;

use crate::account::{Accounts, PasswordPolicy, Passwords};
use crate::admin::Admin;
use crate::api_key::{ApiKeys, LiveKeys};
use crate::audit::{Audit, Failures};
use crate::base::{Env, Result};
use crate::config::Config;
use crate::crypto::{HashingPool, MasterKey};
use crate::health::Health;
use crate::http::limit::RateLimiter;
use crate::keys::{self, Keys, master};
use crate::password_reset::PasswordResets;
use crate::rbac::Roles;
use crate::service_account::ServiceAccounts;
use crate::session::service::Parts;
use crate::session::{LiveSessions, Sessions};
use crate::store::Store;
use crate::transfer::Transfer;
use crate::users::Users;

pub use tables::{CHECKS, SCHEMA, SWEEPS};

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
    pub live: LiveSessions,
    pub api_keys: ApiKeys,
    pub service_accounts: ServiceAccounts,
    pub limiter: Arc<RateLimiter>,
    pub failures: Failures,
    pub audit: Audit,
    pub roles: Roles,
    pub users: Users,
    pub resets: PasswordResets,
    pub transfer: Transfer,
    pub health: Health,
}

impl App {
    /// Builds every service on an open store; makes the master key and the signing keys if there are none.
    ///
    /// # Errors
    /// `Error::Unavailable` saying what of the store or the keys cannot be used.
    pub async fn open(config: Config, env: Env, store: Store) -> Result<Self> {
        let (master, keys) = open_keys(&config, &env, &store).await?;
        let pool = HashingPool::start(config.password.threads, config.password.queue)?;
        let passwords = Passwords::new(pool, config.password.cost(), env.clone());
        let live_keys = LiveKeys::new(store.clone());
        let live = LiveSessions::new(store.clone(), keys.clone(), live_keys.clone());
        let failures = Failures::new(config.audit.failures_per_hour);
        let audit = Audit::new(store.clone(), env.clone(), failures.clone(), policies::retention(&config));
        let accounts = Accounts {
            store: store.clone(),
            env: env.clone(),
            passwords: passwords.clone(),
            policy: PasswordPolicy { blocked_words: config.password.blocked_words.0.clone() },
            live: live.clone(),
            failures: failures.clone(),
        };
        let parts = Parts {
            store: store.clone(),
            env: env.clone(),
            keys: keys.clone(),
            passwords: passwords.clone(),
            live: live.clone(),
            failures: failures.clone(),
            issuer: config.issuer(),
            lifetimes: policies::lifetimes(&config),
        };
        let sessions = Sessions::new(parts, &master)?;
        let resets = PasswordResets::new(
            (store.clone(), env.clone()),
            (passwords.clone(), accounts.policy.clone()),
            live.clone(),
        );
        let everyones = config.rate_limit.requests_per_hour;
        let api_keys =
            ApiKeys::new(store.clone(), env.clone(), live_keys.clone(), failures.clone(), everyones);
        let service_accounts = ServiceAccounts { store: store.clone(), env: env.clone(), live: live_keys };
        let limiter = Arc::new(policies::limiter(&config)?);
        Ok(Self {
            roles: Roles::new(store.clone(), env.clone()),
            users: Users::new(store.clone(), env.clone(), live.clone()),
            transfer: Transfer::new(store.clone(), env.clone()),
            health: Health::new(store.clone(), env.clone()),
            config: Arc::new(config),
            env,
            store,
            keys,
            passwords,
            accounts,
            sessions,
            live,
            api_keys,
            service_accounts,
            limiter,
            failures,
            audit,
            resets,
        })
    }

    /// What the command line does, on this application.
    #[must_use]
    pub fn admin(&self) -> Admin {
        Admin {
            accounts: self.accounts.clone(),
            sessions: self.sessions.clone(),
            users: self.users.clone(),
            resets: self.resets.clone(),
            roles: self.roles.clone(),
            api_keys: self.api_keys.clone(),
            service_accounts: self.service_accounts.clone(),
            audit: self.audit.clone(),
            transfer: self.transfer.clone(),
            keys: self.keys.clone(),
            health: self.health.clone(),
            store: self.store.clone(),
            checks: CHECKS.concat(),
        }
    }

    /// What has to be done now and then: ends what is over, and rotates keys that have served their time.
    pub async fn tend(&self) {
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
        if let Err(error) = self.keys.rotate_if_due().await {
            tracing::warn!(?error, "the signing keys were not rotated");
        }
        self.write_gathered().await;
        if let Err(error) = self.audit.prune().await {
            tracing::warn!(?error, "the audit trail was not shortened");
        }
    }

    /// Writes what was gathered in memory.
    pub async fn write_gathered(&self) {
        if let Err(error) = self.audit.write_failures().await {
            tracing::warn!(?error, "failures are not in the audit trail");
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

/// The master key and the signing keys; made if there are none.
async fn open_keys(config: &Config, env: &Env, store: &Store) -> Result<(MasterKey, Keys)> {
    let has_keys = !store.get(keys::table::all)?.is_empty();
    let master = master::load_or_create(&config.master_key_file(), env.entropy.as_ref(), !has_keys)?;
    let keys = Keys::open(store.clone(), env.clone(), &master, policies::keys(config)).await?;
    Ok((master, keys))
}
