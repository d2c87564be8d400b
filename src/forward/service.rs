//! Whom the credentials stand for that come with a request to something behind a proxy, and what may be told of them.
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use super::rule::model::{Factors, Person};
use super::token::ForwardTokens;
use crate::account::User;
use crate::api_key::ApiKeys;
use crate::audit::{Event, Failures};
use crate::base::{Env, Error, Id, Result};
use crate::oauth::custom::CustomScopes;
use crate::oauth::grant::live::Resolved;
use crate::rbac::{Actor, Delegated, Initiator, RoleName, Roles, Subject, Via};
use crate::session::LiveSessions;

/// Who passes.
#[derive(Clone)]
pub struct Passers {
    pub env: Env,
    pub live: LiveSessions,
    pub keys: ApiKeys,
    pub roles: Roles,
    pub custom: CustomScopes,
    pub tokens: ForwardTokens,
    pub failures: Failures,
    /// Whether addresses are told that nobody has verified.
    pub tells_unverified: bool,
}

impl Passers {
    /// Whose the cookie is.
    ///
    /// # Errors
    /// `Error::InvalidToken`, `Error::TokenExpired`, `Error::TokenRevoked`; `Error::Unavailable` when the store does not serve.
    pub fn by_cookie(&self, text: &str) -> Result<Actor> {
        let session = ForwardTokens::session(text).ok_or(Error::InvalidToken)?;
        let actor = self.live.of_session(session, self.env.now())?;
        let is_ours = actor.token().is_some_and(|proven| self.tokens.is_of(proven, text));
        if is_ours { Ok(actor) } else { Err(Error::InvalidToken) }
    }

    /// Whose an API key is; counts the use. `address`: where the request comes from, if that is known.
    ///
    /// # Errors
    /// As [`Passers::by_cookie`]; `Error::WrongNetwork`.
    pub fn by_key(&self, text: &str, address: Option<IpAddr>, by: &dyn Fn() -> Initiator) -> Result<Actor> {
        // From nowhere: a key that is tied to networks is good for nothing there.
        self.keys.authenticate(text, address.unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED)), by)
    }

    /// Whose an API key is that came as the password of somebody: of its owner, who may be named otherwise in capitals alone.
    ///
    /// # Errors
    /// As [`Passers::by_key`].
    pub fn by_name_and_key(
        &self,
        (name, key): (&str, &str),
        address: Option<IpAddr>,
        by: &dyn Fn() -> Initiator,
    ) -> Result<Actor> {
        let actor = self.by_key(key, address, by)?;
        let is_its_owner = actor.subject.name().eq_ignore_ascii_case(name);
        if is_its_owner { Ok(actor) } else { Err(Error::InvalidToken) }
    }

    /// Whose a bearer token is: that of a session, or one that a client was granted for one of these audiences, in its
    /// user's name (RFC 8707).
    ///
    /// # Errors
    /// As [`Passers::by_cookie`].
    pub fn by_token(&self, text: &str, audiences: &[String; 2]) -> Result<Actor> {
        match self.live.resolve(text, self.env.now()) {
            Err(Error::InvalidToken) => self.by_grant(text, audiences),
            resolved => resolved,
        }
    }

    fn by_grant(&self, text: &str, audiences: &[String; 2]) -> Result<Actor> {
        let grants = &self.live.grants;
        let token = grants.verified(text)?;
        let is_meant = audiences.iter().any(|audience| token.claims.aud.has(audience));
        // One that is bound to a key is good with a proof of it alone, and that is made for one URL: the application's.
        if !is_meant || token.claims.cnf.is_some() {
            return Err(Error::InvalidToken);
        }
        let permissions = self.custom.patterns(token.claims.scope.split(' '));
        let Resolved { grant, client, .. } = grants.resolve(text, self.env.now())?;
        let live = grant.ok_or(Error::InvalidToken)?;
        let grant = Id::from_bytes(*live.grant.id.as_bytes());
        let delegated = Delegated { grant, client: client.id.to_string(), permissions };
        Ok(Actor { subject: Subject::User(Arc::clone(&live.user)), via: Via::Grant(Arc::new(delegated)) })
    }

    /// Keeps account of somebody who may not pass.
    pub fn refused(
        &self,
        by: &Initiator,
        (method, host, path): (&str, &str, &str),
        (reason, rule): (&str, &str),
    ) {
        let event = Event::failed(by, "forward.refused", self.env.now()).with("reason", reason);
        let event = event.with("method", method).with("host", host).with("path", path);
        self.failures.note(if rule.is_empty() { event } else { event.with("rule", rule) });
    }

    /// The address of a user that may be told.
    ///
    /// # Errors
    /// `Error::Unavailable` when the store does not serve.
    pub fn email_of<'u>(&self, user: &'u User) -> Result<Option<&'u str>> {
        let is_told = self.tells_unverified || self.live.is_email_verified(user)?;
        Ok(is_told.then(|| user.email.as_str()))
    }
}

/// The roles that somebody has here: of a key those that it has of its owner's, of a client none.
pub fn roles_of(actor: &Actor) -> impl Iterator<Item = &str> {
    actor.subject.roles().filter(|role| match &actor.via {
        Via::Session(_) => true,
        Via::Key(key) => {
            key.rights.unrestricted || key.rights.roles.iter().map(RoleName::as_str).any(|one| one == *role)
        }
        Via::Grant(_) => false,
    })
}

/// Somebody as rules look at it.
pub struct Passer<'a> {
    pub actor: &'a Actor,
    pub roles: &'a Roles,
    pub is_limited: bool,
}

impl Person for Passer<'_> {
    fn factors(&self) -> Factors {
        match self.actor.token() {
            Some(proven) if proven.satisfies_policy() => Factors::Two,
            Some(_) => Factors::One,
            None => Factors::Program,
        }
    }

    fn has_role(&self, role: &str) -> bool {
        roles_of(self.actor).any(|one| one == role)
    }

    /// What cannot be looked up is not allowed.
    fn may(&self, permission: &str) -> bool {
        self.roles.allows(self.actor, permission).unwrap_or(false)
    }

    fn is_limited(&self) -> bool {
        self.is_limited
    }
}
