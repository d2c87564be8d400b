//! Whom credentials stand for, and what they allow: what the gate asks of the features.
use std::net::IpAddr;
use std::sync::Arc;

use super::App;
use crate::audit::Event;
use crate::base::{Error, Id, Result};
use crate::http::Authenticator;
use crate::login;
use crate::oauth::grant::live::Resolved;
use crate::rbac::permission::{AccountFactors, AccountPassword, AccountRead};
use crate::rbac::{Actor, Delegated, Initiator, Named, Subject, Via};
use crate::session::Session;

impl Authenticator for App {
    fn access_token(&self, token: &str) -> Result<Actor> {
        match self.live.resolve(token, self.env.now()) {
            Err(Error::InvalidToken) => self.delegated(token),
            resolved => resolved,
        }
    }

    fn api_key(&self, key: &str, address: IpAddr, by: &dyn Fn() -> Initiator) -> Result<Actor> {
        self.api_keys.authenticate(key, address, by)
    }

    fn shown_key(&self, key: &str) -> Result<Actor> {
        self.api_keys.live.resolve(key, self.env.now(), None)
    }

    fn allows(&self, actor: &Actor, permission: &str) -> Result<bool> {
        const WHILE_PASSWORD_IS_OLD: [&str; 2] = [AccountRead::NAME, AccountPassword::NAME];
        const BEFORE_ENROLMENT: [&str; 3] = [AccountRead::NAME, AccountPassword::NAME, AccountFactors::NAME];
        if actor.must_change_password() && !WHILE_PASSWORD_IS_OLD.contains(&permission) {
            return Err(Error::PasswordChangeRequired);
        }
        if !BEFORE_ENROLMENT.contains(&permission) && self.must_enrol(actor)? {
            return Err(Error::MfaEnrolmentRequired);
        }
        self.roles.allows(actor, permission)
    }

    fn is_limited(&self, actor: &Actor) -> Result<bool> {
        Ok(actor.must_change_password() || self.must_enrol(actor)?)
    }

    fn check_recent(&self, actor: &Actor) -> Result<()> {
        let Some(token) = actor.token() else {
            return match &actor.via {
                // What takes a login of just now takes its user, and not a client.
                Via::Grant(_) => Err(Error::ReauthenticationRequired(Vec::new())),
                _ => Ok(()),
            };
        };
        let (factors, has_passkey) = self.store.get(|tx| self.mfa.looked_up(tx, token.user))?;
        let age = self.env.now().secs() - token.auth_time;
        if age <= self.config.sessions.recent_login_secs && (!factors.is_on() || token.is_multi_factor()) {
            return Ok(());
        }
        let ways = login::model::ways_to_prove(&factors, actor.user()?, has_passkey);
        Err(Error::ReauthenticationRequired(ways))
    }

    fn refused(&self, by: Initiator, method: &str, path: &str, error: &Error) {
        let event = Event::failed(&by, "request.refused", self.env.now());
        if let (Error::RateLimited { .. }, Some(key)) = (error, by.key()) {
            self.api_keys.usage.turned_away(key);
        }
        let event = event.with("code", error.code()).with("method", method).with("path", path);
        self.failures.note(match error {
            Error::Forbidden(permission) => event.with("permission", permission),
            _ => event,
        });
    }

    fn csrf_token(&self, session: Id<Session>) -> String {
        self.sessions.tokens.csrf_token(session)
    }
}

impl App {
    /// Whoever a client acts for, with a token of its own that was made for this server and some of its permissions.
    fn delegated(&self, text: &str) -> Result<Actor> {
        let grants = &self.live.grants;
        // Looked at first: whoever has no scope with permissions has nothing to do here, whatever else its token is worth.
        let token = grants.verified(text)?;
        let permissions = self.oauth.minter.custom.patterns(token.claims.scope.split(' '));
        // One that was made for others, too, is in their hands.
        let is_for_us = matches!(token.claims.aud.names(), [only] if only == self.oauth.minter.issuer());
        // One that is bound to a key is good with a proof of it alone, which nothing here asks for.
        if permissions.is_empty() || !is_for_us || token.claims.cnf.is_some() {
            return Err(Error::InvalidToken);
        }
        let Resolved { grant, client, .. } = grants.resolve(text, self.env.now())?;
        let live = grant.ok_or(Error::InvalidToken)?;
        let grant = Id::from_bytes(*live.grant.id.as_bytes());
        let delegated = Delegated { grant, client: client.id.to_string(), permissions };
        Ok(Actor { subject: Subject::User(Arc::clone(&live.user)), via: Via::Grant(Arc::new(delegated)) })
    }

    /// Whether somebody has to have a second factor, and has none now, or has not shown it: what is left is setting one up.
    /// A passkey is one, whether passwords ask for it or not: what a session has shown of it was two factors.
    ///
    /// A key shows none, and one that was made before the policy was, or whose owner has lost its factors since, would be
    /// the way around: with all the rights that the policy is there to guard. So it is worth what its owner is.
    /// Programs that are to depend on nobody's factors have service accounts.
    fn must_enrol(&self, actor: &Actor) -> Result<bool> {
        let Subject::User(user) = &actor.subject else { return Ok(false) };
        if !self.mfa.policy.requires(user) {
            return Ok(false);
        }
        if actor.token().is_some_and(|token| !token.satisfies_policy()) {
            return Ok(true);
        }
        let (factors, has_passkey) = self.store.get(|tx| self.mfa.looked_up(tx, user.id))?;
        Ok(!factors.is_on() && !has_passkey)
    }
}
