//! What can be done with sessions.
use std::sync::Arc;

use super::change::{Refreshed, current, end, end_all, exchange_token, name_of};
use super::live::LiveSessions;
use super::model::Session;
use super::table;
use super::tokens::{Granted, SessionTokens};
use crate::audit::{self, Event};
use crate::base::{Env, Error, Id, Page, PageRequest, Result};
use crate::crypto::RefreshToken;
use crate::mail::Mailer;
use crate::rbac::{Actor, Initiator, SubjectId};
use crate::store::{Store, WriteTx};

/// Refresh, logout, and the list of a user's sessions.
#[derive(Clone)]
pub struct Sessions {
    pub store: Store,
    pub env: Env,
    pub live: LiveSessions,
    pub tokens: SessionTokens,
    pub mail: Mailer,
}

impl Sessions {
    /// Exchanges a refresh token for new tokens. The same token within the replay window gets the same answer; so does one
    /// whose session was proven again meanwhile, without what was proven.
    ///
    /// # Errors
    /// `Error::InvalidToken` for a token that is not ours; `Error::TokenExpired`; `Error::TokenRevoked` for a
    /// session that ended, and for a token that was given up long ago: then its session ends, too; `Error::Busy` when
    /// the session was proven again in the same moment.
    pub async fn refresh(&self, by: Initiator, presented: &RefreshToken) -> Result<Granted> {
        let now = self.env.now();
        let id = Id::from_bytes(presented.session());
        let (generation, hash) = (presented.generation(), presented.hash());
        let (found, earlier) = self.store.get(|tx| {
            let found = current(tx, id)?;
            let is_old = found.as_ref().is_some_and(|(session, _)| generation < session.generation);
            Ok((found, if is_old { table::exchange(tx, id, generation)? } else { None }))
        })?;
        let (session, user) = found.ok_or(Error::TokenRevoked)?;
        if session.is_over(now) {
            return Err(Error::TokenExpired);
        }
        let (live, window) = (self.live.clone(), self.tokens.lifetimes.replay);
        let judged = session.judge((generation, &hash), earlier, now, window);
        let next = self.tokens.exchange(presented, (session, judged), &user, now)?;
        let (mail, granted) = (self.mail.clone(), next.granted.clone());
        let change = move |tx: &mut WriteTx| {
            exchange_token(tx, (&live, &mail), (generation, hash), &next, &by, (now, window))
        };
        match self.store.write(change).await? {
            Refreshed::Done => Ok(granted),
            Refreshed::Again { sealed } => self.tokens.answer_again(presented, id, &sealed),
            Refreshed::Worthless => Err(Error::InvalidToken),
            Refreshed::Raced => Err(Error::Busy { retry_after_secs: 1 }),
            Refreshed::Gone => Err(Error::TokenRevoked),
            Refreshed::Stolen { user } => {
                tracing::warn!(user, session = %id, "an old refresh token was presented; its session was ended");
                Err(Error::TokenRevoked)
            }
        }
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
}
