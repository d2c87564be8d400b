//! Who a token stands for, from memory: what every request asks.
//!
//! The signature of a token is checked once; what it said is kept under the token's hash. Whether its session
//! still lives, and what its user is by now, is kept under the session, forgotten in every change of either, and
//! never older than the last commit that a client has heard of.
use std::sync::Arc;

use moka::sync;

use super::model::{AccessToken, Session};
use super::table;
use crate::account::{self, User};
use crate::api_key::LiveKeys;
use crate::base::{Error, Id, Result, Timestamp};
use crate::crypto::{jwt, sha256};
use crate::email_verification;
use crate::keys::Keys;
use crate::oauth::grant::LiveGrants;
use crate::rbac::{Actor, Subject, SubjectId, Via};
use crate::store::{Cache, Store, WriteTx};

const TOKENS_KEPT: u64 = 20_000;
const SESSIONS_KEPT: u64 = 20_000;

/// A session that goes on, with its user.
struct Live {
    user: Arc<User>,
    /// What was proven in it, as an access token of just now would say.
    proven: Arc<AccessToken>,
    expires_at: Timestamp,
    revoked_tokens: Vec<String>,
}

/// The live sessions, and the tokens that were verified.
#[derive(Clone)]
pub struct LiveSessions {
    store: Store,
    keys: Keys,
    tokens: sync::Cache<[u8; 32], Arc<AccessToken>>,
    sessions: Cache<Id<Session>, Option<Arc<Live>>>,
    /// Whether the address of a user is the one that was verified.
    verified: Cache<u64, bool>,
    api_keys: LiveKeys,
    /// What clients were granted ends with sessions, and changes with users.
    pub grants: LiveGrants,
}

impl LiveSessions {
    #[must_use]
    pub fn new(store: Store, keys: Keys, api_keys: LiveKeys, grants: LiveGrants) -> Self {
        let (tokens, sessions) = (sync::Cache::new(TOKENS_KEPT), Cache::new(SESSIONS_KEPT));
        let verified = Cache::new(SESSIONS_KEPT);
        Self { store, keys, tokens, sessions, verified, api_keys, grants }
    }

    /// Who an access token stands for `now`.
    ///
    /// # Errors
    /// `Error::InvalidToken`, `Error::TokenExpired`, `Error::TokenRevoked`; `Error::Unavailable` when the store
    /// does not serve.
    pub fn resolve(&self, token: &str, now: Timestamp) -> Result<Actor> {
        let token = self.verified(token)?;
        jwt::check_times(token.expires_at, now)?;
        let live = self.find(token.session, now, |live| !live.revoked_tokens.contains(&token.id))?;
        Ok(Actor { subject: Subject::User(Arc::clone(&live.user)), via: Via::Session(token) })
    }

    /// Whose a session is `now`, for what proves one and is no access token.
    ///
    /// # Errors
    /// `Error::TokenRevoked`, `Error::TokenExpired`; `Error::Unavailable` when the store does not serve.
    pub fn of_session(&self, session: Id<Session>, now: Timestamp) -> Result<Actor> {
        let live = self.find(session, now, |_| true)?;
        let (user, proven) = (Arc::clone(&live.user), Arc::clone(&live.proven));
        Ok(Actor { subject: Subject::User(user), via: Via::Session(proven) })
    }

    /// Whether the address of a user was verified.
    ///
    /// # Errors
    /// `Error::Unavailable` when the store does not serve.
    pub fn is_email_verified(&self, user: &User) -> Result<bool> {
        self.verified.get(&self.store, user.id, |tx| {
            let user = account::table::by_id(tx, user.id)?;
            let standing = |user: &User| email_verification::table::standing(tx, user.id);
            user.map_or(Ok(false), |user| Ok(standing(&user)?.is_verified(&user.email)))
        })
    }

    fn find(&self, id: Id<Session>, now: Timestamp, good: impl Fn(&Live) -> bool) -> Result<Arc<Live>> {
        let live = self.sessions.get(&self.store, id, |tx| load(tx, id))?;
        let live = match live {
            // A refresh may have moved the end since this was loaded.
            Some(live) if now >= live.expires_at => self.store.get(|tx| load(tx, id))?,
            live => live,
        };
        let live = live.filter(|live| good(live)).ok_or(Error::TokenRevoked)?;
        if now >= live.expires_at { Err(Error::TokenExpired) } else { Ok(live) }
    }

    /// Call in every change of a session, or of its user, but for one that only prolongs the session.
    pub fn forget(&self, tx: &mut WriteTx, session: Id<Session>) {
        self.sessions.forget(tx, session);
    }

    /// Call in every change of a user: its sessions, its API keys and what it granted are looked up again.
    ///
    /// # Errors
    /// `Error::Unavailable` when the store does not serve.
    pub fn forget_user(&self, tx: &mut WriteTx, user: u64) -> Result<()> {
        for session in table::ids_of_user(tx, user)? {
            self.forget(tx, session);
        }
        self.verified.forget(tx, user);
        self.grants.forget_user(tx, user)?;
        self.api_keys.forget_owner(tx, SubjectId::User(user))
    }

    /// About how many sessions and tokens are in memory.
    #[must_use]
    pub fn held(&self) -> (u64, u64) {
        // The count is behind until the cache has tidied itself up.
        self.tokens.run_pending_tasks();
        (self.sessions.entries(), self.tokens.entry_count())
    }

    fn verified(&self, text: &str) -> Result<Arc<AccessToken>> {
        let hash = sha256(&[text.as_bytes()]);
        if let Some(known) = self.tokens.get(&hash) {
            return Ok(known);
        }
        let claims = self.keys.verify(text)?;
        let session = claims.sid.parse().map_err(|_| Error::InvalidToken)?;
        let (id, user, expires_at) = (claims.jti, claims.user_id, claims.exp);
        let (auth_time, amr) = (claims.auth_time, claims.amr);
        let token = Arc::new(AccessToken { id, session, user, expires_at, auth_time, amr });
        self.tokens.insert(hash, Arc::clone(&token));
        Ok(token)
    }
}

/// A session and its user from one snapshot; `None` when either is gone or may not go on.
fn load(tx: &crate::store::ReadTx, id: Id<Session>) -> Result<Option<Arc<Live>>> {
    let Some(session) = table::by_id(tx, id)? else { return Ok(None) };
    let user = account::table::by_id(tx, session.user)?.filter(User::may_go_on);
    let Some(user) = user else { return Ok(None) };
    let revoked_tokens = table::revoked_tokens(tx, id)?;
    let (expires_at, proven) = (session.expires_at, Arc::new(AccessToken::of_session(session)));
    Ok(Some(Arc::new(Live { user: Arc::new(user), proven, expires_at, revoked_tokens })))
}
