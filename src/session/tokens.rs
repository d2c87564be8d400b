//! What sessions give their clients: made before a change, signed and sealed, and never written here. Whoever begins a
//! session writes it in the change in which it finds out that it may.
use std::sync::Arc;

use aws_lc_rs::hmac;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};

use super::arrival::{Arrivals, Notice};
use super::change::current;
use super::model::{AccessToken, Exchange, Judgement, Origin, Session};
use crate::account::User;
use crate::audit::Event;
use crate::base::{Env, Error, Id, Result, Secret, Timestamp, constant_time_eq, entropy};
use crate::crypto::jwt::acr_of;
use crate::crypto::refresh_token::Holder;
use crate::crypto::{AccessClaims, Issuer, MasterKey, RefreshToken};
use crate::keys::Keys;
use crate::rbac::model::roles_of;
use crate::rbac::{Initiator, SubjectId, ViaId, Who};
use crate::store::Store;

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

/// Makes the tokens of sessions.
#[derive(Clone)]
pub struct SessionTokens {
    store: Store,
    env: Env,
    keys: Keys,
    arrivals: Arrivals,
    issuer: Issuer,
    pub(super) lifetimes: Lifetimes,
    // Large, and copied into every service that begins sessions.
    refresh_mac: Arc<hmac::Key>,
    csrf_mac: Arc<hmac::Key>,
    browser_mac: Arc<hmac::Key>,
}

/// Session, time and HMAC-SHA-256.
const BROWSER_BYTES: usize = 16 + 8 + 32;

/// What a login or refresh gives its client; lifetimes in seconds.
#[derive(Debug, Clone)]
pub struct Granted {
    pub access_token: Secret,
    pub refresh_token: Secret,
    pub csrf_token: Secret,
    pub access_lifetime: i64,
    pub refresh_lifetime: i64,
    /// For pages, which of their browser: where it changes, and how long it may last.
    pub browser: Option<(Secret, i64)>,
}

/// The part of an answer that is kept, sealed, to be given again.
#[derive(Serialize, Deserialize)]
struct SealedAnswer {
    access_token: String,
    refresh_token: String,
    refresh_lifetime: i64,
}

/// A new session that is ready to be written.
pub struct Prepared {
    pub(super) session: Session,
    /// Sessions of one user at a time.
    pub(super) limit: usize,
    /// The session that it takes the place of.
    pub(super) replaces: Option<Id<Session>>,
    pub(super) event: Event,
    pub(super) notice: Option<Notice>,
    /// For its client, once it is written.
    pub granted: Granted,
}

/// A session whose user has proven again who it is, ready to be written over the old one.
pub struct Again {
    pub(super) old: Session,
    pub(super) session: Session,
    pub(super) event: Event,
    /// For its client, once it is written.
    pub granted: Granted,
}

/// A refresh that is ready to be written.
pub(super) struct Next {
    pub session: Session,
    pub exchange: Exchange,
    /// The token of the answer that nobody heard.
    pub unheard: Option<Exchange>,
    pub granted: Granted,
}

impl SessionTokens {
    /// # Errors
    /// `Error::Internal` if no keys can be derived.
    pub fn new(
        (store, env): (Store, Env),
        (keys, arrivals): (Keys, Arrivals),
        issuer: Issuer,
        lifetimes: Lifetimes,
        master: &MasterKey,
    ) -> Result<Self> {
        let mac = |purpose: &str| master.mac(purpose).map(Arc::new);
        let (refresh_mac, csrf_mac) = (mac("refresh tokens")?, mac("csrf tokens")?);
        let browser_mac = mac("browser sessions")?;
        Ok(Self { store, env, keys, arrivals, issuer, lifetimes, refresh_mac, csrf_mac, browser_mac })
    }

    /// A session of a user who has proven who it is, for [`insert`](super::change::insert) to write.
    ///
    /// # Errors
    /// `Error::Internal` if its token cannot be signed; `Error::Unavailable` when the store does not serve.
    pub fn prepare(&self, by: &Initiator, user: &User, amr: &[&str]) -> Result<Prepared> {
        let now = self.env.now();
        let id = Id::new(now, self.env.entropy.as_ref());
        let refresh = RefreshToken::generate(&self.refresh_mac, self.env.entropy.as_ref(), id.as_bytes(), 0);
        let session = Session {
            id,
            user: user.id,
            created_at: now,
            auth_time: now,
            amr: amr.iter().map(|method| (*method).to_owned()).collect(),
            refreshed_at: now,
            expires_at: now.plus_secs(self.lifetimes.refresh.min(self.lifetimes.session)),
            origin: Origin { address: by.address.clone(), user_agent: by.user_agent.clone() },
            generation: 0,
            refresh_hash: refresh.hash(),
        };
        let access = self.sign(user, &session, now)?;
        let granted =
            self.grant(access, refresh.reveal(Holder::Session), id, session.expires_at.secs_since(now));
        let who = Who::Subject {
            id: SubjectId::User(user.id),
            name: user.username.to_string(),
            via: ViaId::Session(id),
        };
        let event = Event::new(&Initiator { who, ..by.clone() }, "session.created", now).about_user(user);
        let event = event.with("amr", session.amr.join(" "));
        let granted = Granted { browser: Some(self.browser_token(&session)), ..granted };
        let notice = self.arrivals.notice(by, user, &session.origin, now)?;
        let (limit, replaces) = (self.lifetimes.per_user, by.replaces);
        Ok(Prepared { session, limit, replaces, event, notice, granted })
    }

    /// The session of a caller as it will be once its user has proven again who it is, with new tokens: for
    /// [`reauthenticate`](super::change::reauthenticate) to write.
    ///
    /// # Errors
    /// `Error::TokenRevoked` for one that has ended meanwhile.
    pub fn prepare_again(&self, by: Initiator, token: &AccessToken, amr: &[&str]) -> Result<Again> {
        let now = self.env.now();
        self.prepare_over(by, token, |old| old.reauthenticated(amr, now))
    }

    /// The session of a caller as it will be once its user has shown one more method: what it showed before is as old as it
    /// was.
    ///
    /// # Errors
    /// As [`SessionTokens::prepare_again`].
    pub fn prepare_stronger(&self, by: Initiator, token: &AccessToken, amr: &[&str]) -> Result<Again> {
        self.prepare_over(by, token, |old| old.with_methods(amr))
    }

    fn prepare_over(
        &self,
        by: Initiator,
        token: &AccessToken,
        change: impl FnOnce(Session) -> Session,
    ) -> Result<Again> {
        let now = self.env.now();
        let (old, user) = self.store.get(|tx| current(tx, token.session))?.ok_or(Error::TokenRevoked)?;
        let proven = change(old.clone());
        let (session, granted) = self.renewed(proven, old.generation, &user, now)?;
        let granted = Granted { browser: Some(self.browser_token(&session)), ..granted };
        let event = Event::new(&by, "session.reauthenticated", now).about_user(&user);
        let event = event.with("amr", session.amr.join(" "));
        Ok(Again { old, session, event, granted })
    }

    /// Everything slow of a refresh: new tokens, signed, and sealed in case the answer is lost. `judged`: what the token was
    /// worth when it was looked at last.
    ///
    /// # Errors
    /// `Error::Internal` if the library refuses.
    pub(super) fn exchange(
        &self,
        presented: &RefreshToken,
        (session, judged): (Session, Judgement),
        user: &User,
        now: Timestamp,
    ) -> Result<Next> {
        let (rng, id) = (self.env.entropy.as_ref(), session.id);
        let (session, unheard, at) = match judged {
            Judgement::Unheard { before, at } => {
                let session = session.gone_back(before);
                let unheard = session.given_up(now);
                (session, Some(unheard), at)
            }
            _ => (session, None, now),
        };
        let generation = session.generation;
        let (session, granted) = self.renewed(session, generation, user, now)?;
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
            at,
            sealed: presented.sealer()?.seal(rng, id.as_bytes(), &answer)?,
            before: None,
        };
        Ok(Next { session, exchange, unheard, granted })
    }

    /// A session with the refresh token after that of a generation, and what its client gets.
    fn renewed(
        &self,
        session: Session,
        generation: u32,
        user: &User,
        now: Timestamp,
    ) -> Result<(Session, Granted)> {
        let (rng, id) = (self.env.entropy.as_ref(), session.id);
        let next = generation.saturating_add(1);
        let refresh = RefreshToken::generate(&self.refresh_mac, rng, id.as_bytes(), next);
        let latest = session.created_at.plus_secs(self.lifetimes.session);
        let expires_at = now.plus_secs(self.lifetimes.refresh).min(latest);
        let access = self.sign(user, &session, now)?;
        let granted = self.grant(access, refresh.reveal(Holder::Session), id, expires_at.secs_since(now));
        Ok((session.refreshed(refresh.hash(), now, expires_at), granted))
    }

    /// The answer that a refresh token was given once.
    ///
    /// # Errors
    /// `Error::Internal` for one that does not open.
    pub(super) fn answer_again(
        &self,
        presented: &RefreshToken,
        id: Id<Session>,
        sealed: &[u8],
    ) -> Result<Granted> {
        let opened = presented.sealer()?.open(id.as_bytes(), sealed);
        let opened = opened.ok_or_else(|| Error::internal("a sealed answer does not open"))?;
        let (answer, _): (SealedAnswer, _) =
            bincode::serde::decode_from_slice(&opened, bincode::config::standard())
                .map_err(Error::internal)?;
        let SealedAnswer { access_token, refresh_token, refresh_lifetime } = answer;
        Ok(self.grant(Secret::new(access_token), Secret::new(refresh_token), id, refresh_lifetime))
    }

    /// Reads a refresh token that someone presents.
    ///
    /// # Errors
    /// `Error::InvalidToken` for one that this server did not make.
    pub fn parse_refresh_token(&self, text: &str) -> Result<RefreshToken> {
        RefreshToken::parse(Holder::Session, &self.refresh_mac, text)
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
            csrf_token: Secret::new(self.csrf_token(session)),
            access_lifetime: self.lifetimes.access,
            refresh_lifetime,
            browser: None,
        }
    }

    /// What says which session a browser has, for pages alone: another one each time that its user proves who it is.
    fn browser_token(&self, session: &Session) -> (Secret, i64) {
        let raw = [&session.id.as_bytes()[..], &session.auth_time.micros().to_be_bytes()].concat();
        let tag = hmac::sign(&self.browser_mac, &raw);
        let text = Secret::new(URL_SAFE_NO_PAD.encode([&raw[..], tag.as_ref()].concat()));
        (text, self.lifetimes.session)
    }

    /// The session that a browser has, if it goes on, with its user.
    ///
    /// # Errors
    /// `Error::Unavailable` when the store does not serve.
    pub fn of_browser(&self, text: &str) -> Result<Option<(Session, User)>> {
        let raw = URL_SAFE_NO_PAD.decode(text).unwrap_or_default();
        let Some((id, _)) = raw.split_first_chunk::<16>().filter(|_| raw.len() == BROWSER_BYTES) else {
            return Ok(None);
        };
        let (id, now) = (Id::from_bytes(*id), self.env.now());
        let found = self.store.get(|tx| current(tx, id))?.filter(|(session, _)| !session.is_over(now));
        Ok(found.filter(|(session, _)| {
            constant_time_eq(self.browser_token(session).0.expose().as_bytes(), text.as_bytes())
        }))
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
            acr: acr_of(&session.amr).to_owned(),
            amr: session.amr.clone(),
        };
        self.keys.sign(&claims)
    }
}
