//! What can be done with sessions.
use std::sync::Arc;

use aws_lc_rs::hmac;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};

use super::change::{Login, Refreshed, current, end, end_all, exchange_token, insert, name_of};
use super::live::LiveSessions;
use super::model::{Exchange, Origin, Session};
use super::table;
use crate::account::{self, Passwords, User, Verdict};
use crate::audit::{self, Event, Failures};
use crate::base::{Env, Error, Id, Page, PageRequest, Result, Secret, Timestamp, entropy};
use crate::crypto::{AccessClaims, Issuer, MasterKey, RefreshToken};
use crate::keys::Keys;
use crate::rbac::model::roles_of;
use crate::rbac::{Actor, Initiator, SubjectId, ViaId, Who};
use crate::store::{Store, WriteTx};

/// How long things last, in seconds, and how many there may be.
#[derive(Debug, Clone, Copy)]
pub struct Lifetimes {
    pub access: i64,
    pub refresh: i64,
    /// How long a refresh token that was given up gets the same answer again.
    pub replay: i64,
    /// How long a session lasts at most.
    pub session: i64,
    pub per_user: usize,
}

/// Login, refresh, logout, and the list of a user's sessions.
#[derive(Clone)]
pub struct Sessions {
    store: Store,
    env: Env,
    keys: Keys,
    passwords: Passwords,
    live: LiveSessions,
    failures: Failures,
    issuer: Issuer,
    lifetimes: Lifetimes,
    refresh_mac: hmac::Key,
    csrf_mac: hmac::Key,
}

/// What a login or refresh gives its client; lifetimes in seconds.
#[derive(Debug, Clone)]
pub struct Granted {
    pub access_token: Secret,
    pub refresh_token: Secret,
    pub csrf_token: String,
    pub access_lifetime: i64,
    pub refresh_lifetime: i64,
}

/// The part of an answer that is kept, sealed, to be given again.
#[derive(Serialize, Deserialize)]
struct SealedAnswer {
    access_token: String,
    refresh_token: String,
    refresh_lifetime: i64,
}

/// What a service is made of.
pub struct Parts {
    pub store: Store,
    pub env: Env,
    pub keys: Keys,
    pub passwords: Passwords,
    pub live: LiveSessions,
    pub failures: Failures,
    pub issuer: Issuer,
    pub lifetimes: Lifetimes,
}

impl Sessions {
    /// # Errors
    /// `Error::Internal` if no keys can be derived.
    pub fn new(parts: Parts, master: &MasterKey) -> Result<Self> {
        let Parts { store, env, keys, passwords, live, failures, issuer, lifetimes } = parts;
        let (refresh_mac, csrf_mac) = (master.mac("refresh tokens")?, master.mac("csrf tokens")?);
        Ok(Self { store, env, keys, passwords, live, failures, issuer, lifetimes, refresh_mac, csrf_mac })
    }

    /// Logs in with user name or e-mail address and password.
    ///
    /// # Errors
    /// `Error::InvalidCredentials`, in the same time for an unknown user and a wrong password;
    /// `Error::AccountDisabled` once the password is right; `Error::Busy` when too many hashes wait.
    pub async fn log_in(&self, by: Initiator, login: &str, password: Secret) -> Result<Granted> {
        let user = self.store.get(|tx| account::table::by_login(tx, login))?;
        let stored = user.as_ref().map(|user| user.password_hash.clone());
        let verdict = self.passwords.verify(stored, password).await?;
        let Some(user) = user.as_ref().filter(|_| verdict != Verdict::Wrong) else {
            return Err(self.refuse(&by, user.as_ref(), "wrong_credentials", Error::InvalidCredentials));
        };
        if !user.may_go_on() {
            return Err(self.refuse(&by, Some(user), "account_disabled", Error::AccountDisabled));
        }
        let renewed = match verdict {
            Verdict::Renewed(hash) => Some(hash),
            _ => None,
        };
        self.begin(by, user.clone(), renewed).await
    }

    /// Keeps account of a login that is refused. What was typed for a name that nobody has is not written down: it is
    /// often a password.
    fn refuse(&self, by: &Initiator, user: Option<&User>, reason: &str, error: Error) -> Error {
        tracing::info!(user = user.map(|user| user.id), address = by.address, reason, "login refused");
        let event = Event::failed(by, "session.refused", self.env.now()).with("reason", reason);
        self.failures.note(user.map_or(event.clone(), |user| event.about_user(user)));
        error
    }

    /// Makes a session for a user whose password was right.
    async fn begin(&self, by: Initiator, user: User, renewed: Option<String>) -> Result<Granted> {
        let now = self.env.now();
        let id = Id::new(now, self.env.entropy.as_ref());
        let refresh = RefreshToken::generate(&self.refresh_mac, self.env.entropy.as_ref(), id.as_bytes(), 0);
        let session = Session {
            id,
            user: user.id,
            created_at: now,
            auth_time: now,
            amr: vec!["pwd".to_owned()],
            refreshed_at: now,
            expires_at: now.plus_secs(self.lifetimes.refresh.min(self.lifetimes.session)),
            origin: Origin { address: by.address.clone(), user_agent: by.user_agent.clone() },
            generation: 0,
            refresh_hash: refresh.hash(),
        };
        let access = self.sign(&user, &session, now)?;
        let refresh_lifetime = session.expires_at.secs_since(now);
        let (live, limit) = (self.live.clone(), self.lifetimes.per_user);
        let user_id = user.id;
        let name = user.username.to_string();
        let by = Initiator {
            who: Who::Subject { id: SubjectId::User(user_id), name, via: ViaId::Session(id) },
            ..by
        };
        let event =
            Event::new(&by, "session.created", now).about_user(&user).with("amr", session.amr.join(" "));
        let login = Login { checked: user, renewed, session, limit, event };
        self.store.write(move |tx| insert(tx, &live, login)).await?;
        tracing::info!(user = user_id, session = %id, "logged in");
        Ok(self.grant(access, refresh.reveal(), id, refresh_lifetime))
    }

    /// Exchanges a refresh token for new tokens. The same token within the replay window gets the same answer.
    ///
    /// # Errors
    /// `Error::InvalidToken` for a token that is not ours; `Error::TokenExpired`; `Error::TokenRevoked` for a
    /// session that ended, and for a token that was given up long ago: then its session ends, too.
    pub async fn refresh(&self, by: Initiator, presented: &RefreshToken) -> Result<Granted> {
        let now = self.env.now();
        let id = Id::from_bytes(presented.session());
        let (session, user) = self.store.get(|tx| current(tx, id))?.ok_or(Error::TokenRevoked)?;
        if session.is_over(now) {
            return Err(Error::TokenExpired);
        }
        let next = self.prepare(presented, session, &user, now)?;
        let (live, window) = (self.live.clone(), self.lifetimes.replay);
        let token = (presented.generation(), presented.hash());
        let Next { session, exchange, granted } = next;
        let change =
            move |tx: &mut WriteTx| exchange_token(tx, &live, token, (session, exchange), &by, (now, window));
        match self.store.write(change).await? {
            Refreshed::Done => Ok(granted),
            Refreshed::Again { sealed } => self.answer_again(presented, id, &sealed),
            Refreshed::Worthless => Err(Error::InvalidToken),
            Refreshed::Gone => Err(Error::TokenRevoked),
            Refreshed::Stolen { user } => {
                tracing::warn!(user, session = %id, "an old refresh token was presented; its session was ended");
                Err(Error::TokenRevoked)
            }
        }
    }

    /// Everything slow, before the change: new tokens, signed and sealed.
    fn prepare(
        &self,
        presented: &RefreshToken,
        session: Session,
        user: &User,
        now: Timestamp,
    ) -> Result<Next> {
        let rng = self.env.entropy.as_ref();
        let id = session.id;
        let generation = presented.generation().saturating_add(1);
        let refresh = RefreshToken::generate(&self.refresh_mac, rng, id.as_bytes(), generation);
        let latest = session.created_at.plus_secs(self.lifetimes.session);
        let expires_at = now.plus_secs(self.lifetimes.refresh).min(latest);
        let access = self.sign(user, &session, now)?;
        let granted = self.grant(access, refresh.reveal(), id, expires_at.secs_since(now));
        let answer = SealedAnswer {
            access_token: granted.access_token.expose().to_owned(),
            refresh_token: granted.refresh_token.expose().to_owned(),
            refresh_lifetime: granted.refresh_lifetime,
        };
        let answer =
            bincode::serde::encode_to_vec(answer, bincode::config::standard()).map_err(Error::internal)?;
        let exchange = Exchange {
            generation: presented.generation(),
            hash: presented.hash(),
            at: now,
            sealed: presented.sealer()?.seal(rng, id.as_bytes(), &answer)?,
        };
        Ok(Next { session: session.refreshed(refresh.hash(), now, expires_at), exchange, granted })
    }

    fn answer_again(&self, presented: &RefreshToken, id: Id<Session>, sealed: &[u8]) -> Result<Granted> {
        let opened = presented.sealer()?.open(id.as_bytes(), sealed);
        let opened = opened.ok_or_else(|| Error::internal("a sealed answer does not open"))?;
        let (answer, _): (SealedAnswer, _) =
            bincode::serde::decode_from_slice(&opened, bincode::config::standard())
                .map_err(Error::internal)?;
        let SealedAnswer { access_token, refresh_token, refresh_lifetime } = answer;
        Ok(self.grant(Secret::new(access_token), Secret::new(refresh_token), id, refresh_lifetime))
    }

    /// Ends the session of a caller; none of its tokens is taken from the moment this returns.
    ///
    /// # Errors
    /// `Error::Malformed` for an API key; `Error::Unavailable` when the store takes no writes: then the session goes on.
    pub async fn log_out(&self, by: Initiator, actor: &Actor) -> Result<()> {
        let no_session = || Error::Malformed("An API key has no session that could end".into());
        let token = Arc::clone(actor.token().ok_or_else(no_session)?);
        let (live, subject, now) = (self.live.clone(), actor.subject.clone(), self.env.now());
        let change = move |tx: &mut WriteTx| {
            table::revoke_token(tx, token.session, &token.id, token.expires_at)?;
            end(tx, &live, token.session)?;
            audit::table::append(tx, Event::new(&by, "session.ended", now).about_subject(&subject))
        };
        self.store.write(change).await
    }

    /// One page of a user's sessions that go on, the oldest first.
    ///
    /// # Errors
    /// `Error::Unavailable` when the store does not serve.
    pub async fn list(&self, user: u64, request: PageRequest) -> Result<Page<Session>> {
        let now = self.env.now();
        let mut page = self.store.scan(move |tx| table::of_user(tx, user, &request)).await?;
        page.items.retain(|session| !session.is_over(now));
        Ok(page)
    }

    /// Ends one session of a user.
    ///
    /// # Errors
    /// `Error::NotFound` when the user has no such session.
    pub async fn revoke(&self, by: Initiator, user: u64, id: Id<Session>) -> Result<()> {
        let (live, now) = (self.live.clone(), self.env.now());
        let change = move |tx: &mut WriteTx| {
            let session = table::by_id(tx, id)?.filter(|session| session.user == user);
            session.ok_or(Error::NotFound("session"))?;
            end(tx, &live, id)?;
            let event =
                Event::new(&by, "session.revoked", now).about(SubjectId::User(user), &name_of(tx, user)?);
            audit::table::append(tx, event.with("session", id.to_string()))
        };
        self.store.write(change).await
    }

    /// Ends all sessions of a user, but perhaps one.
    ///
    /// # Errors
    /// `Error::Unavailable` when the store takes no writes.
    ///
    /// # Returns
    /// How many were ended.
    pub async fn revoke_all(&self, by: Initiator, user: u64, keep: Option<Id<Session>>) -> Result<usize> {
        let (live, now) = (self.live.clone(), self.env.now());
        let change = move |tx: &mut WriteTx| {
            let ended = end_all(tx, &live, user, keep)?;
            let event =
                Event::new(&by, "session.all_revoked", now).about(SubjectId::User(user), &name_of(tx, user)?);
            audit::table::append(tx, event.with("sessions_ended", ended.to_string()))?;
            Ok(ended)
        };
        self.store.write(change).await
    }

    /// Reads a refresh token that someone presents.
    ///
    /// # Errors
    /// `Error::InvalidToken` for one that this server did not make.
    pub fn parse_refresh_token(&self, text: &str) -> Result<RefreshToken> {
        RefreshToken::parse(&self.refresh_mac, text)
    }

    /// What the page of a session has to send back with unsafe requests.
    #[must_use]
    pub fn csrf_token(&self, session: Id<Session>) -> String {
        URL_SAFE_NO_PAD.encode(hmac::sign(&self.csrf_mac, session.as_bytes()))
    }

    fn grant(&self, access: Secret, refresh: Secret, session: Id<Session>, refresh_lifetime: i64) -> Granted {
        Granted {
            access_token: access,
            refresh_token: refresh,
            csrf_token: self.csrf_token(session),
            access_lifetime: self.lifetimes.access,
            refresh_lifetime,
        }
    }

    fn sign(&self, user: &User, session: &Session, now: Timestamp) -> Result<Secret> {
        let token_id: [u8; 16] = entropy::bytes(self.env.entropy.as_ref());
        let claims = AccessClaims {
            iss: self.issuer.issuer.clone(),
            sub: user.id.to_string(),
            aud: self.issuer.audience.clone(),
            exp: now.secs().saturating_add(self.lifetimes.access),
            iat: now.secs(),
            jti: URL_SAFE_NO_PAD.encode(token_id),
            sid: session.id.to_string(),
            user_id: user.id,
            username: user.username.to_string(),
            roles: roles_of(user),
            kind: "access".to_owned(),
            auth_time: session.auth_time.secs(),
            amr: session.amr.clone(),
        };
        self.keys.sign(&claims)
    }
}

/// A refresh that is ready to be written.
struct Next {
    session: Session,
    exchange: Exchange,
    granted: Granted,
}
