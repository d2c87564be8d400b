//! The composition root: the only place that knows every part.
use std::net::IpAddr;
use std::sync::Arc;

use poem::endpoint::make_sync;
use poem::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use poem::{Endpoint, Response, Route, get};
use poem_openapi::OpenApiService;

use crate::account::http::AccountApi;
use crate::account::{Accounts, PasswordPolicy, Passwords};
use crate::admin::Admin;
use crate::api_key::http::ApiKeysApi;
use crate::api_key::verify::VerifyApi;
use crate::api_key::{ApiKeys, LiveKeys, Usage};
use crate::audit::http::AuditApi;
use crate::audit::service::Retention;
use crate::audit::{Audit, Event, Failures};
use crate::base::{Env, Error, Id, Result};
use crate::check::http::CheckApi;
use crate::config::Config;
use crate::crypto::HashingPool;
use crate::health::Health;
use crate::health::http::HealthApi;
use crate::http::limit::RateLimiter;
use crate::http::spec::{self, AllowTable};
use crate::http::{Authenticator, Cookies, Gate, Routes, docs};
use crate::keys::http::KeysApi;
use crate::keys::{KeyPolicy, Keys, master};
use crate::rbac::http::RolesApi;
use crate::rbac::permission::{AccountPassword, AccountRead};
use crate::rbac::{Actor, Initiator, Named, Roles};
use crate::service_account::ServiceAccounts;
use crate::service_account::http::ServiceAccountsApi;
use crate::session::http::SessionApi;
use crate::session::service::{Lifetimes, Parts};
use crate::session::{LiveSessions, Session, Sessions};
use crate::store::{Check, Schema, Store, Sweep};
use crate::transfer::Transfer;
use crate::transfer::http::TransferApi;
use crate::users::Users;
use crate::users::http::UsersApi;
use crate::{account, api_key, audit, check, health, keys, rbac, service_account, session, transfer, users};

/// How rows of every table end.
pub const SWEEPS: &[Sweep] = &[
    session::table::SWEEPS[0],
    session::table::SWEEPS[1],
    users::service::SWEEPS[0],
    api_key::table::SWEEPS[0],
];

/// What version the store has, and how older ones become it.
pub const SCHEMA: Schema = Schema { steps: &[account::table::index_roles] };

/// Every table and what its rows have to be.
pub const CHECKS: &[&[(&str, Check)]] = &[
    account::table::CHECKS,
    session::table::CHECKS,
    keys::table::CHECKS,
    rbac::table::CHECKS,
    service_account::table::CHECKS,
    api_key::table::CHECKS,
    audit::table::CHECKS,
];

type Apis = (
    HealthApi,
    AccountApi,
    SessionApi,
    (ApiKeysApi, VerifyApi),
    (UsersApi, TransferApi),
    ServiceAccountsApi,
    RolesApi,
    CheckApi,
    AuditApi,
    KeysApi,
);

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
    pub transfer: Transfer,
    pub health: Health,
}

impl App {
    /// Builds every service on an open store; makes the master key and the signing keys if there are none.
    ///
    /// # Errors
    /// `Error::Unavailable` saying what of the store or the keys cannot be used.
    pub async fn open(config: Config, env: Env, store: Store) -> Result<Self> {
        let has_keys = !store.get(keys::table::all)?.is_empty();
        let master = master::load_or_create(&config.master_key_file(), env.entropy.as_ref(), !has_keys)?;
        let keys = Keys::open(store.clone(), env.clone(), &master, key_policy(&config)).await?;
        let pool = HashingPool::start(config.password.threads, config.password.queue)?;
        let passwords = Passwords::new(pool, config.password.cost(), env.clone());
        let live_keys = LiveKeys::new(store.clone());
        let live = LiveSessions::new(store.clone(), keys.clone(), live_keys.clone());
        let failures = Failures::new(config.audit.failures_per_hour);
        let audit = Audit::new(store.clone(), env.clone(), failures.clone(), retention(&config));
        let accounts = Accounts {
            store: store.clone(),
            env: env.clone(),
            passwords: passwords.clone(),
            policy: PasswordPolicy { blocked_words: config.password.blocked_words.0.clone() },
            live: live.clone(),
        };
        let parts = Parts {
            store: store.clone(),
            env: env.clone(),
            keys: keys.clone(),
            passwords: passwords.clone(),
            live: live.clone(),
            failures: failures.clone(),
            issuer: config.issuer(),
            lifetimes: lifetimes(&config),
        };
        let sessions = Sessions::new(parts, &master)?;
        let roles = Roles::new(store.clone(), env.clone());
        let users = Users::new(store.clone(), env.clone(), live.clone());
        let api_keys = ApiKeys {
            store: store.clone(),
            env: env.clone(),
            live: live_keys.clone(),
            usage: Usage::default(),
        };
        let service_accounts = ServiceAccounts { store: store.clone(), env: env.clone(), live: live_keys };
        let limits = &config.rate_limit;
        let limiter = Arc::new(RateLimiter::new(limits.requests_per_hour, limits.max_clients)?);
        let transfer = Transfer::new(store.clone(), env.clone());
        let health = Health::new(store.clone(), env.clone());
        Ok(Self {
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
            roles,
            users,
            transfer,
            health,
        })
    }

    /// Everything that listens behind the gate. `extra`: a test's own routes; the server passes them unchanged.
    ///
    /// # Errors
    /// `Error::Internal` for a spec that cannot be completed.
    pub fn endpoint(&self, extra: fn(Route) -> Route) -> Result<impl Endpoint<Output = Response> + use<>> {
        let document = self.spec()?;
        let allow = AllowTable::new(&document);
        let text = document.to_string();
        let spec = make_sync(move |_| {
            Response::builder()
                .header(CONTENT_TYPE, "application/json; charset=utf-8")
                .header(CACHE_CONTROL, "no-cache")
                .body(text.clone())
        });
        let viewer = self.clone();
        let docs = docs::routes(move || viewer.api().swagger_ui_html());
        let beside = extra(Route::new().at("/openapi.json", get(spec)).nest("/docs", docs));
        let routes = Routes::new(self.api(), self.apis(), beside, &document);
        let limiter = Arc::clone(&self.limiter);
        let authenticator = Arc::new(self.clone());
        Ok(Gate::new(routes, &self.config, &self.env, authenticator, limiter, allow))
    }

    /// The OpenAPI document.
    ///
    /// # Errors
    /// `Error::Internal` if an operation names an error that is not known.
    pub fn spec(&self) -> Result<serde_json::Value> {
        let facts = spec::Facts {
            errors: &[
                account::http::ERRORS,
                session::http::ERRORS,
                health::http::ERRORS,
                rbac::http::ERRORS,
                check::http::ERRORS,
                users::http::ERRORS,
                api_key::http::ERRORS,
                service_account::http::ERRORS,
            ],
            permissions: &[
                account::http::PERMISSIONS,
                session::http::PERMISSIONS,
                rbac::http::PERMISSIONS,
                users::http::PERMISSIONS,
                transfer::http::PERMISSIONS,
                api_key::http::PERMISSIONS,
                api_key::verify::PERMISSIONS,
                service_account::http::PERMISSIONS,
                audit::http::PERMISSIONS,
            ],
            for_anyone: health::http::FOR_ANYONE,
        };
        spec::complete(&self.api().spec(), &facts)
    }

    /// What the command line does, on this application.
    #[must_use]
    pub fn admin(&self) -> Admin {
        Admin {
            accounts: self.accounts.clone(),
            sessions: self.sessions.clone(),
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

    fn api(&self) -> OpenApiService<Apis, ()> {
        let base = self.config.public_url().path().to_owned() + "/";
        OpenApiService::new(self.apis(), "Auth Service", env!("CARGO_PKG_VERSION"))
            .description("Accounts, sessions and tokens.")
            .server(base)
    }

    fn apis(&self) -> Apis {
        let cookies = Arc::new(Cookies::new(&self.config.public_url()));
        let registration = self.config.registration;
        let parts = health::report::Parts {
            keys: self.keys.clone(),
            live: self.live.clone(),
            passwords: self.passwords.clone(),
            data_dir: self.config.data_dir.clone(),
        };
        let transfer = TransferApi(self.transfer.clone());
        let verify = VerifyApi {
            keys: self.api_keys.clone(),
            roles: self.roles.clone(),
            limiter: Arc::clone(&self.limiter),
        };
        (
            HealthApi { health: self.health.clone(), parts },
            AccountApi { accounts: self.accounts.clone(), registration, cookies: Arc::clone(&cookies) },
            SessionApi { sessions: self.sessions.clone(), cookies },
            (ApiKeysApi(self.api_keys.clone()), verify),
            (UsersApi { users: self.users.clone(), accounts: self.accounts.clone() }, transfer),
            ServiceAccountsApi { accounts: self.service_accounts.clone(), keys: self.api_keys.clone() },
            RolesApi(self.roles.clone()),
            CheckApi(self.roles.clone()),
            AuditApi(self.audit.clone()),
            KeysApi(self.keys.clone()),
        )
    }
}

impl Authenticator for App {
    fn access_token(&self, token: &str) -> Result<Actor> {
        self.live.resolve(token, self.env.now())
    }

    fn api_key(&self, key: &str, address: IpAddr) -> Result<Actor> {
        self.api_keys.authenticate(key, address)
    }

    fn shown_key(&self, key: &str) -> Result<Actor> {
        self.api_keys.live.resolve(key, self.env.now(), None)
    }

    fn allows(&self, actor: &Actor, permission: &str) -> Result<bool> {
        const WHILE_PASSWORD_IS_OLD: [&str; 2] = [AccountRead::NAME, AccountPassword::NAME];
        if actor.must_change_password() && !WHILE_PASSWORD_IS_OLD.contains(&permission) {
            return Err(Error::PasswordChangeRequired);
        }
        self.roles.allows(actor, permission)
    }

    fn refused(&self, by: Initiator, method: &str, path: &str, error: &Error) {
        let event = Event::failed(&by, "request.refused", self.env.now());
        if let (Error::RateLimited { .. }, Some(key)) = (error, by.key()) {
            self.api_keys.usage.refused(key);
        }
        let event = event.with("code", error.code()).with("method", method).with("path", path);
        self.failures.note(match error {
            Error::Forbidden(permission) => event.with("permission", permission),
            _ => event,
        });
    }

    fn csrf_token(&self, session: Id<Session>) -> String {
        self.sessions.csrf_token(session)
    }
}

fn key_policy(config: &Config) -> KeyPolicy {
    KeyPolicy {
        algorithm: config.tokens.algorithm,
        issuer: config.issuer(),
        shared_secret_file: config.tokens.shared_secret_file.0.clone(),
        rotation_days: config.keys.rotation_days,
        access_lifetime_secs: config.tokens.access_lifetime_secs,
    }
}

fn retention(config: &Config) -> Retention {
    const BYTES_PER_MIB: u64 = 1024 * 1024;
    Retention { days: config.audit.retention_days, bytes: config.audit.max_mib.saturating_mul(BYTES_PER_MIB) }
}

fn lifetimes(config: &Config) -> Lifetimes {
    Lifetimes {
        access: config.tokens.access_lifetime_secs,
        refresh: config.tokens.refresh_lifetime_secs,
        replay: config.tokens.refresh_replay_secs,
        session: config.sessions.max_lifetime_secs,
        per_user: config.sessions.max_per_user,
    }
}
