//! The composition root: the only place that knows every part.
use std::sync::Arc;

use poem::endpoint::make_sync;
use poem::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use poem::{Endpoint, Response, Route, get};
use poem_openapi::OpenApiService;

use crate::account::http::AccountApi;
use crate::account::{Accounts, PasswordPolicy, Passwords};
use crate::admin::Admin;
use crate::base::{Env, Id, Result};
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
use crate::rbac::{Actor, Roles};
use crate::session::http::SessionApi;
use crate::session::service::{Lifetimes, Parts};
use crate::session::{LiveSessions, Session, Sessions};
use crate::store::{Check, Schema, Store, Sweep};
use crate::users::Users;
use crate::users::http::UsersApi;
use crate::{account, check, health, keys, rbac, session, users};

/// How rows of every table end.
pub const SWEEPS: &[Sweep] =
    &[session::table::SWEEPS[0], session::table::SWEEPS[1], account::table::SWEEPS[0]];

/// What version the store has, and how older ones become it.
pub const SCHEMA: Schema = Schema { steps: &[account::table::index_roles] };

/// Every table and what its rows have to be.
pub const CHECKS: &[&[(&str, Check)]] =
    &[account::table::CHECKS, session::table::CHECKS, keys::table::CHECKS, rbac::table::CHECKS];

type Apis = (HealthApi, AccountApi, SessionApi, UsersApi, RolesApi, CheckApi, KeysApi);

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
    pub roles: Roles,
    pub users: Users,
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
        let live = LiveSessions::new(store.clone(), keys.clone());
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
            issuer: config.issuer(),
            lifetimes: lifetimes(&config),
        };
        let sessions = Sessions::new(parts, &master)?;
        let roles = Roles::new(store.clone(), env.clone());
        let users = Users::new(store.clone(), env.clone(), live.clone());
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
            roles,
            users,
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
        let limits = &self.config.rate_limit;
        let limiter = Arc::new(RateLimiter::new(limits.requests_per_hour, limits.max_clients)?);
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
            ],
            permissions: &[rbac::http::PERMISSIONS, users::http::PERMISSIONS],
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
        (
            HealthApi { health: self.health.clone(), parts },
            AccountApi { accounts: self.accounts.clone(), registration, cookies: Arc::clone(&cookies) },
            SessionApi { sessions: self.sessions.clone(), cookies },
            UsersApi { users: self.users.clone(), accounts: self.accounts.clone() },
            RolesApi(self.roles.clone()),
            CheckApi(self.roles.clone()),
            KeysApi(self.keys.clone()),
        )
    }
}

impl Authenticator for App {
    fn access_token(&self, token: &str) -> Result<Actor> {
        self.live.resolve(token, self.env.now())
    }

    fn allows(&self, actor: &Actor, permission: &str) -> Result<bool> {
        self.roles.allows(&actor.user, permission)
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

fn lifetimes(config: &Config) -> Lifetimes {
    Lifetimes {
        access: config.tokens.access_lifetime_secs,
        refresh: config.tokens.refresh_lifetime_secs,
        replay: config.tokens.refresh_replay_secs,
        session: config.sessions.max_lifetime_secs,
        per_user: config.sessions.max_per_user,
    }
}
