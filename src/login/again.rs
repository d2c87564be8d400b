//! What can be done to show again, in a session, who one is.
use std::sync::Arc;

use super::change::{RACED, note_spent};
use super::model::ways_to_prove;
use super::service::{LoggedIn, Logins, Offered};
use crate::account::{self, User, Verdict};
use crate::audit::Event;
use crate::base::{Error, Result, Secret};
use crate::mfa::change::spend;
use crate::mfa::{Answer, Spent};
use crate::passkey::{Purpose, Question};
use crate::rbac::Initiator;
use crate::session::change::reauthenticate;
use crate::session::{AccessToken, Granted, MULTI_FACTOR};
use crate::store::WriteTx;
use crate::throttle::{Guess, Ticket};

/// Times that a change that somebody else came before is tried.
const TRIES: usize = 3;

impl Logins {
    /// Asks whoever has to show again who it is for one of its passkeys.
    ///
    /// # Errors
    /// `Error::NotFound` when it has none.
    pub fn ask_for_passkey_again(&self, token: &AccessToken) -> Result<Question> {
        self.passkeys.ask(token.user, Purpose::Again(token.session))
    }

    /// Has a caller show again who it is: with a second factor where they are on, else with the password; with a passkey
    /// anywhere. Its session gets new tokens.
    ///
    /// # Errors
    /// `Error::Invalid` naming `code` or `password` for what is missing; `Error::InvalidMfaCode`,
    /// `Error::InvalidCredentials`, `Error::PasskeyRefused` for what is wrong.
    pub async fn reauthenticate(
        &self,
        by: Initiator,
        token: Arc<AccessToken>,
        user: &User,
        (password, offered): (Option<Secret>, Option<Offered>),
    ) -> Result<LoggedIn> {
        let (factors, has_passkey) = self.store.get(|tx| self.mfa.looked_up(tx, user.id))?;
        let answer = match offered {
            Some(Offered::Passkey(reply)) => {
                let purpose = Purpose::Again(token.session);
                let proof = self.passkeys.judge(&by, purpose, reply, Some(user.id)).await?;
                Some(Answer::Passkey(Box::new(proof)))
            }
            Some(Offered::Code(code)) if factors.is_on() => {
                let answer = Answer::parse(code.expose());
                Some(answer.map_err(|error| self.refuse_again(&by, user, "wrong_code", error))?)
            }
            _ if factors.is_on() => {
                let ways = ways_to_prove(&factors, user, has_passkey).join(", ");
                return Err(Error::invalid("code", format!("is required; what counts here is {ways}")));
            }
            _ => {
                self.check_password(&by, user, password).await?;
                None
            }
        };
        let known = self.devices.of(&by, user);
        let ticket = answer.as_ref().map_or(Ok(None), |answer| self.count(&by, user, answer, known));
        let ticket = ticket.map_err(|error| self.refuse_again(&by, user, "too_many_attempts", error))?;
        for _ in 0..TRIES {
            match self.write_again(&by, &token, user, answer.clone()).await {
                Err(error) if error == RACED => {}
                done => {
                    ticket.into_iter().filter(|_| done.is_ok()).for_each(Ticket::succeeded);
                    let (granted, spent) = done?;
                    return Ok(self.logged_in(granted, user, spent, known));
                }
            }
        }
        Err(RACED)
    }

    async fn check_password(&self, by: &Initiator, user: &User, password: Option<Secret>) -> Result<()> {
        let password = password.ok_or_else(|| Error::invalid("password", "is required"))?;
        let ticket = self.throttle.admit(&Guess::Password { user: user.id, network: by.network() });
        let ticket = ticket.map_err(|error| self.refuse_again(by, user, "too_many_attempts", error))?;
        match self.passwords.verify(Some(user.password_hash.clone()), password).await {
            Ok(Verdict::Wrong) => {
                Err(self.refuse_again(by, user, "wrong_credentials", Error::InvalidCredentials))
            }
            Ok(Verdict::Right | Verdict::Renewed(_)) => {
                ticket.succeeded();
                Ok(())
            }
            Err(error) => {
                ticket.give_back();
                Err(error)
            }
        }
    }

    async fn write_again(
        &self,
        by: &Initiator,
        token: &Arc<AccessToken>,
        user: &User,
        answer: Option<Answer>,
    ) -> Result<(Granted, Option<Spent>)> {
        let amr = answer.as_ref().map_or(vec!["pwd"], |answer| vec![answer.method(), MULTI_FACTOR]);
        let again = self.tokens.prepare_again(by.clone(), token, &amr)?;
        let granted = again.granted.clone();
        let (parts, token, checked) = (self.parts(by.clone()), Arc::clone(token), user.clone());
        let change = move |tx: &mut WriteTx| {
            let spent = match &answer {
                None => {
                    // The password that was compared may be the user's no more.
                    let now = account::table::by_id(tx, checked.id)?.ok_or(Error::TokenRevoked)?;
                    if now.password_hash != checked.password_hash {
                        return Err(Error::InvalidCredentials);
                    }
                    None
                }
                Some(answer) => match spend(tx, &parts.vault, checked.id, answer, parts.now)? {
                    None => return Ok(None),
                    spent => spent,
                },
            };
            if let (Some(answer), Some(spent)) = (&answer, spent) {
                note_spent(tx, &parts, &checked, answer, spent)?;
            }
            if !reauthenticate(tx, &parts.live, again, &token)? {
                return Err(RACED);
            }
            Ok(Some(spent))
        };
        match self.store.write(change).await? {
            None => Err(self.refuse_again(by, user, "wrong_code", Error::InvalidMfaCode)),
            Some(spent) => Ok((granted, spent)),
        }
    }

    /// [`Logins::refuse`] for somebody who has a session.
    fn refuse_again(&self, by: &Initiator, user: &User, reason: &str, error: Error) -> Error {
        let event = Event::failed(by, "session.reauthentication_refused", self.env.now());
        self.failures.note(event.about_user(user).with("reason", reason));
        error
    }
}
