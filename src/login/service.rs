//! What can be done to get a session, and to show again who one is.
use std::sync::Arc;

use super::change::{Outcome, Parts, RACED, amr_of, ask, begin, finish, note_spent, waiting};
use super::model::{First, LIFETIME_SECS, Shown, Way, ways_to_prove};
use crate::account::{self, Passwords, User, Verdict};
use crate::audit::{Event, Failures};
use crate::base::{Env, Error, Result, SecondFactor, Secret};
use crate::crypto::user_token::{self, Kind, Presented};
use crate::email_verification;
use crate::mail::Mailer;
use crate::mfa::change::{spend, trusts};
use crate::mfa::{Answer, Factors, Mfa, Spent};
use crate::passkey::{Passkeys, Purpose, Question, Reply};
use crate::rbac::Initiator;
use crate::session::change::reauthenticate;
use crate::session::{AccessToken, Granted, LiveSessions, MULTI_FACTOR, SessionTokens};
use crate::store::{Store, WriteTx};
use crate::throttle::{Devices, Guess, Throttle, Ticket};

/// Times that a change that somebody else came before is tried.
const TRIES: usize = 3;

/// Logins.
#[derive(Clone)]
pub struct Logins {
    pub store: Store,
    pub env: Env,
    pub passwords: Passwords,
    pub tokens: SessionTokens,
    pub live: LiveSessions,
    pub mfa: Mfa,
    pub passkeys: Passkeys,
    pub failures: Failures,
    pub throttle: Throttle,
    pub devices: Devices,
    pub mail: Mailer,
}

/// What somebody typed into a login form, and what came along with it.
pub struct Credentials {
    /// A user name or an e-mail address.
    pub login: String,
    pub password: Secret,
    /// The code of an app, or a recovery code.
    pub code: Option<Secret>,
    /// The token of a trusted device.
    pub device: Option<Secret>,
    /// What says that this browser has logged in before.
    pub known_device: Option<String>,
}

/// What somebody offers for a second factor.
pub enum Offered {
    /// Of an app, or a recovery code.
    Code(Secret),
    Passkey(Reply),
}

/// What a login gives its client.
pub struct LoggedIn {
    pub granted: Granted,
    /// The token of a device that is trusted from now on, and for how many seconds.
    pub device: Option<(Secret, i64)>,
    /// How many there are, if one was used.
    pub recovery_codes_left: Option<usize>,
    /// What says later that this browser has logged in, if it had nothing that does.
    pub known_device: Option<String>,
}

impl Logins {
    /// Logs in with user name or e-mail address and password, and what may have come along.
    ///
    /// # Errors
    /// `Error::InvalidCredentials`, in the same time for an unknown user and a wrong password;
    /// `Error::AccountDisabled` once the password is right; `Error::MfaRequired` when it is not enough;
    /// `Error::InvalidMfaCode`; `Error::Busy` when too many hashes wait.
    pub async fn with_password(&self, by: Initiator, credentials: Credentials) -> Result<LoggedIn> {
        let Credentials { login, password, code, device, known_device } = credentials;
        let user = self.store.get(|tx| account::table::by_login(tx, &login))?;
        let known =
            user.as_ref().zip(known_device).and_then(|(user, cookie)| self.devices.known(user, &cookie));
        let guess = Guess::Login { typed: &login, network: by.network(), device: known };
        let ticket = self.throttle.admit(&guess);
        let ticket = ticket.map_err(|error| self.refuse(&by, user.as_ref(), "too_many_attempts", error))?;
        let stored = user.as_ref().map(|user| user.password_hash.clone());
        let verdict = match self.passwords.verify(stored, password).await {
            Ok(verdict) => verdict,
            Err(error) => {
                ticket.give_back();
                return Err(error);
            }
        };
        let Some(user) = user.as_ref().filter(|_| verdict != Verdict::Wrong) else {
            return Err(self.refuse(&by, user.as_ref(), "wrong_credentials", Error::InvalidCredentials));
        };
        ticket.succeeded();
        if !user.may_go_on() {
            return Err(self.refuse(&by, Some(user), "account_disabled", Error::AccountDisabled));
        }
        let renewed = match verdict {
            Verdict::Renewed(hash) => Some(hash),
            _ => None,
        };
        let answer = code.map(|code| Answer::parse(code.expose()).unwrap_or(Answer::Nothing));
        let first = First { user: user.clone(), renewed, method: "pwd" };
        let logged_in = self.after_first_factor(by, first, Shown { answer, device }).await?;
        // One that is known keeps what it has.
        Ok(LoggedIn { known_device: logged_in.known_device.filter(|_| known.is_none()), ..logged_in })
    }

    /// Goes on after a first factor: to a session where nothing more is asked for, or a second factor came along.
    ///
    /// # Errors
    /// `Error::MfaRequired`; `Error::InvalidMfaCode`; `Error::InvalidCredentials` when the account has changed meanwhile.
    pub async fn after_first_factor(&self, by: Initiator, first: First, shown: Shown) -> Result<LoggedIn> {
        self.check_verified(&by, &first.user).await?;
        let now = self.env.now();
        let user = first.user.id;
        let (factors, has_passkey, device) = self.store.get(|tx| {
            let (factors, has_passkey) = self.mfa.looked_up(tx, user)?;
            let device = shown.device.as_ref().map(|token| trusts(tx, user, token.expose(), now));
            Ok((factors, has_passkey, device.transpose()?.flatten()))
        })?;
        let way = match (factors.is_on(), device, shown.answer) {
            (false, ..) => Way::Plain,
            (true, _, Some(answer)) => Way::Shown(answer),
            (true, Some(hash), None) => Way::Trusted(hash),
            (true, None, None) => {
                return Err(self.ask(by, first, &factors, has_passkey).await?);
            }
        };
        let ticket = match &way {
            Way::Shown(answer) => self.admit(&by, &first.user, answer)?,
            Way::Plain | Way::Trusted(_) => None,
        };
        let prepared = self.tokens.prepare(&by, &first.user, &way.amr(first.method))?;
        let (granted, checked) = (prepared.granted.clone(), first.user.clone());
        let parts = self.parts(by.clone());
        let change = move |tx: &mut WriteTx| begin(tx, &parts, &first, &way, prepared);
        match self.store.write(change).await? {
            Outcome::Wrong => Err(self.refuse(&by, Some(&checked), "wrong_code", Error::InvalidMfaCode)),
            Outcome::Begun { spent } => {
                ticket.into_iter().for_each(Ticket::succeeded);
                tracing::info!(user, "logged in");
                Ok(self.logged_in(granted, &checked, spent))
            }
        }
    }

    /// Refuses a user who has to verify the address first, and mails once more how.
    async fn check_verified(&self, by: &Initiator, user: &User) -> Result<()> {
        if self.store.get(|tx| email_verification::table::standing(tx, user.id))?.may_log_in() {
            return Ok(());
        }
        let (mailer, id) = (self.mail.clone(), user.id);
        let ready = email_verification::service::link(&mailer, &self.env, by, user)?;
        let change = move |tx: &mut WriteTx| email_verification::service::post(tx, &mailer, id, ready);
        self.store.write(change).await?;
        Err(self.refuse(by, Some(user), "email_not_verified", Error::EmailNotVerified))
    }

    /// Has a login wait for its second factor.
    async fn ask(&self, by: Initiator, first: First, factors: &Factors, has_passkey: bool) -> Result<Error> {
        let user = first.user.id;
        let (mfa_token, hash) = user_token::generate(Kind::Login, user, self.env.entropy.as_ref());
        let (token, parts) = (Presented { user, hash }, self.parts(by));
        let expires_at = parts.now.plus_secs(LIFETIME_SECS);
        self.store.write(move |tx| ask(tx, &parts, &first, &token, expires_at)).await?;
        Ok(Error::MfaRequired(SecondFactor { mfa_token, methods: factors.methods(has_passkey) }))
    }

    /// Finishes a login that waits for a second factor. `trust_days`: for how long its device is to be trusted.
    ///
    /// # Errors
    /// `Error::InvalidToken` for a token that is none, was used already, or got ten wrong answers; `Error::TokenExpired`;
    /// `Error::InvalidMfaCode`; `Error::Invalid` naming `trust_device_days` for more than are allowed.
    pub async fn verify(
        &self,
        by: Initiator,
        mfa_token: &str,
        offered: Offered,
        trust_days: Option<u32>,
    ) -> Result<LoggedIn> {
        let parts = self.parts(by.clone());
        let token = user_token::parse(Kind::Login, mfa_token).ok_or(Error::InvalidToken)?;
        let device = self.mfa.new_device(token.user, trust_days)?;
        let (pending, user) = self.store.get(|tx| waiting(tx, &token, parts.now))?;
        let answer = self.read(&by, &token, offered).await?;
        let ticket = self.admit(&by, &user, &answer)?;
        let prepared = self.tokens.prepare(&by, &user, &amr_of(&pending, &answer))?;
        let granted = prepared.granted.clone();
        let (new, cookie) = device.map_or((None, None), |(new, token)| {
            let lifetime = new.lifetime;
            (Some(new), Some((token, lifetime)))
        });
        let change = move |tx: &mut WriteTx| finish(tx, &parts, &token, &answer, (prepared, new.as_ref()));
        match self.store.write(change).await? {
            Outcome::Wrong => Err(self.refuse(&by, Some(&user), "wrong_code", Error::InvalidMfaCode)),
            Outcome::Begun { spent } => {
                ticket.into_iter().for_each(Ticket::succeeded);
                tracing::info!(user = user.id, "logged in with a second factor");
                Ok(LoggedIn { device: cookie, ..self.logged_in(granted, &user, spent) })
            }
        }
    }

    /// What is no answer, or none that is good, counts like a wrong one.
    async fn read(&self, by: &Initiator, token: &Presented, offered: Offered) -> Result<Answer> {
        let reply = match offered {
            Offered::Code(code) => return Ok(Answer::parse(code.expose()).unwrap_or(Answer::Nothing)),
            Offered::Passkey(reply) => reply,
        };
        let purpose = Purpose::SecondFactor(token.hash);
        match self.passkeys.judge(by, purpose, reply, Some(token.user)).await {
            Ok(proof) => Ok(Answer::Passkey(Box::new(proof))),
            Err(Error::PasskeyRefused) => Ok(Answer::Nothing),
            Err(error) => Err(error),
        }
    }

    /// Asks whoever has a login that waits for one of its passkeys.
    ///
    /// # Errors
    /// As [`Logins::verify`]; `Error::NotFound` when it has none.
    pub fn ask_for_passkey(&self, mfa_token: &str) -> Result<Question> {
        let token = user_token::parse(Kind::Login, mfa_token).ok_or(Error::InvalidToken)?;
        let (_, user) = self.store.get(|tx| waiting(tx, &token, self.env.now()))?;
        self.passkeys.ask(user.id, Purpose::SecondFactor(token.hash))
    }

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
        let ticket = answer.as_ref().map_or(Ok(None), |answer| self.admit(&by, user, answer))?;
        for _ in 0..TRIES {
            match self.write_again(&by, &token, user, answer.clone()).await {
                Err(error) if error == RACED => {}
                done => {
                    ticket.into_iter().filter(|_| done.is_ok()).for_each(Ticket::succeeded);
                    return done;
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
    ) -> Result<LoggedIn> {
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
            note_spent(tx, &parts, &checked, spent)?;
            if !reauthenticate(tx, &parts.live, again, &token)? {
                return Err(RACED);
            }
            Ok(Some(spent))
        };
        match self.store.write(change).await? {
            None => Err(self.refuse_again(by, user, "wrong_code", Error::InvalidMfaCode)),
            Some(spent) => Ok(self.logged_in(granted, user, spent)),
        }
    }

    /// Counts a guess at a code of an app; what is too long to be guessed is not.
    fn admit(&self, by: &Initiator, user: &User, answer: &Answer) -> Result<Option<Ticket>> {
        if !matches!(answer, Answer::Totp(_)) {
            return Ok(None);
        }
        let ticket = self.throttle.admit(&Guess::Code { user: user.id, network: by.network() });
        ticket.map(Some).map_err(|error| self.refuse(by, Some(user), "too_many_attempts", error))
    }

    fn logged_in(&self, granted: Granted, user: &User, spent: Option<Spent>) -> LoggedIn {
        let known_device = Some(self.devices.cookie(user));
        LoggedIn { granted, device: None, recovery_codes_left: left(spent), known_device }
    }

    /// Keeps account of a login that is refused. What was typed for a name that nobody has is not written down: it is
    /// often a password.
    fn refuse(&self, by: &Initiator, user: Option<&User>, reason: &str, error: Error) -> Error {
        tracing::info!(user = user.map(|user| user.id), address = by.address, reason, "login refused");
        let event = Event::failed(by, "session.refused", self.env.now()).with("reason", reason);
        self.failures.note(user.map_or(event.clone(), |user| event.about_user(user)));
        error
    }

    /// [`Logins::refuse`] for somebody who has a session.
    fn refuse_again(&self, by: &Initiator, user: &User, reason: &str, error: Error) -> Error {
        let event = Event::failed(by, "session.reauthentication_refused", self.env.now());
        self.failures.note(event.about_user(user).with("reason", reason));
        error
    }

    fn parts(&self, by: Initiator) -> Parts {
        let (live, vault, mail) = (self.live.clone(), self.mfa.vault.clone(), self.mail.clone());
        Parts { live, vault, mail, by, now: self.env.now() }
    }
}

fn left(spent: Option<Spent>) -> Option<usize> {
    match spent {
        Some(Spent::RecoveryCode { left }) => Some(left),
        _ => None,
    }
}
