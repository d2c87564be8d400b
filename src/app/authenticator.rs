//! Whom credentials stand for, and what they allow: what the gate asks of the features.
use std::net::IpAddr;

use super::App;
use crate::audit::Event;
use crate::base::{Error, Id, Result};
use crate::http::Authenticator;
use crate::rbac::permission::{AccountPassword, AccountRead};
use crate::rbac::{Actor, Initiator, Named};
use crate::session::Session;

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
            self.api_keys.usage.turned_away(key);
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
