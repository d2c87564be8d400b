//! Whom credentials stand for, and what they allow: what the gate asks of the features.
use std::net::IpAddr;

use super::App;
use crate::audit::Event;
use crate::base::{Error, Id, Result};
use crate::http::Authenticator;
use crate::login;
use crate::rbac::permission::{AccountFactors, AccountPassword, AccountRead};
use crate::rbac::{Actor, Initiator, Named, Subject};
use crate::session::Session;

impl Authenticator for App {
    fn access_token(&self, token: &str) -> Result<Actor> {
        self.live.resolve(token, self.env.now())
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
        if !BEFORE_ENROLMENT.contains(&permission) && self.must_enrol(actor) {
            return Err(Error::MfaEnrolmentRequired);
        }
        self.roles.allows(actor, permission)
    }

    fn is_limited(&self, actor: &Actor) -> bool {
        actor.must_change_password() || self.must_enrol(actor)
    }

    fn check_recent(&self, actor: &Actor) -> Result<()> {
        let Some(token) = actor.token() else { return Ok(()) };
        let (factors, has_passkey) = self.store.get(|tx| self.mfa.looked_up(tx, token.user))?;
        let age = self.env.now().secs() - token.auth_time;
        if age <= self.config.sessions.recent_login_secs && (!factors.is_on() || token.is_multi_factor()) {
            return Ok(());
        }
        Err(Error::ReauthenticationRequired(login::model::ways_to_prove(&factors, has_passkey)))
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
    /// Whether somebody has to show a second factor, and has not: its session is good for setting one up.
    fn must_enrol(&self, actor: &Actor) -> bool {
        match (&actor.subject, actor.token()) {
            (Subject::User(user), Some(token)) => !token.satisfies_policy() && self.mfa.policy.requires(user),
            _ => false,
        }
    }
}
