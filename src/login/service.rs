//! What can be done to get a session, and to show again who one is.
use super::change::{Outcome, Parts, amr_of, ask, begin, finish, waiting};
use super::model::{First, Pending, Shown, Way};
use crate::account::{self, Passwords, User, Verdict};
use crate::audit::{Event, Failures};
use crate::base::{Env, Error, Result, SecondFactor, Secret};
use crate::crypto::user_token::{self, Kind, Presented};
use crate::email_verification;
use crate::mail::Mailer;
use crate::mfa::change::trusts;
use crate::mfa::{Answer, Mfa, Spent};
use crate::passkey::{Passkeys, Purpose, Question, Reply};
use crate::rbac::Initiator;
use crate::session::{Granted, LiveSessions, SessionTokens};
use crate::store::{Store, WriteTx};
use crate::throttle::{Devices, Guess, Throttle, Ticket};

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
        let Credentials { login, password, code, device } = credentials;
        // What is done for a name that nobody has is what would be done for one of those that somebody has; which one, its
        // name decides, so that it is always the same. Both are looked up for every name.
        let number = self.throttle.number_of(&login);
        let (user, like) = self.store.get(|tx| {
            Ok((account::table::by_login(tx, &login)?, account::table::hash_of_some(tx, number)?))
        })?;
        let known = user.as_ref().and_then(|user| self.devices.of(&by, user));
        let guess = Guess::Login { typed: &login, network: by.network(), device: known };
        let ticket = self.throttle.admit(&guess);
        let ticket = ticket.map_err(|error| self.refuse(&by, user.as_ref(), "too_many_attempts", error))?;
        let stored = user.as_ref().map(|user| user.password_hash.clone());
        let verdict = match self.passwords.verify_or_like(stored, like, password).await {
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
        self.after_first_factor(by, first, Shown { answer, device, known }).await
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
                let methods = factors.methods(has_passkey);
                return Err(self.ask(by, first, methods, shown.known.is_some()).await?);
            }
        };
        let ticket = match &way {
            Way::Shown(answer) => self.admit(&by, &first.user, answer, shown.known)?,
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
                Ok(self.logged_in(granted, &checked, spent, shown.known))
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
    async fn ask(
        &self,
        by: Initiator,
        first: First,
        methods: Vec<&'static str>,
        is_known: bool,
    ) -> Result<Error> {
        let user = first.user.id;
        let (mfa_token, hash) = user_token::generate(Kind::Login, user, self.env.entropy.as_ref());
        let (token, parts) = (Presented { user, hash }, self.parts(by));
        self.store.write(move |tx| ask(tx, &parts, &first, &token, is_known)).await?;
        Ok(Error::MfaRequired(SecondFactor { mfa_token, methods }))
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
        let (pending, user) = self.waiting(&by, &token)?;
        let answer = self.read(&by, &token, offered).await?;
        let known = self.devices.of(&by, &user);
        let ticket = self.admit(&by, &user, &answer, known)?;
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
                Ok(LoggedIn { device: cookie, ..self.logged_in(granted, &user, spent, known) })
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
    pub fn ask_for_passkey(&self, by: &Initiator, mfa_token: &str) -> Result<Question> {
        let token = user_token::parse(Kind::Login, mfa_token).ok_or(Error::InvalidToken)?;
        let (_, user) = self.waiting(by, &token)?;
        self.passkeys.ask(user.id, Purpose::SecondFactor(token.hash))
    }

    /// The login that a token goes on with, and its user; one that is over is written down.
    fn waiting(&self, by: &Initiator, token: &Presented) -> Result<(Pending, User)> {
        let found = self.store.get(|tx| waiting(tx, token, self.env.now()));
        found.map_err(|error| {
            let reason = match error {
                Error::InvalidToken => "mfa_token",
                Error::TokenExpired => "mfa_token_expired",
                other => return other,
            };
            let user = self.store.get(|tx| account::table::by_id(tx, token.user)).ok().flatten();
            self.refuse(by, user.as_ref(), reason, error)
        })
    }

    /// Counts a guess at a code of an app; what is too long to be guessed is not.
    fn admit(
        &self,
        by: &Initiator,
        user: &User,
        answer: &Answer,
        device: Option<u64>,
    ) -> Result<Option<Ticket>> {
        self.count(by, user, answer, device)
            .map_err(|error| self.refuse(by, Some(user), "too_many_attempts", error))
    }

    pub(super) fn count(
        &self,
        by: &Initiator,
        user: &User,
        answer: &Answer,
        device: Option<u64>,
    ) -> Result<Option<Ticket>> {
        if !matches!(answer, Answer::Totp(_)) {
            return Ok(None);
        }
        self.throttle.admit(&Guess::Code { user: user.id, network: by.network(), device }).map(Some)
    }

    /// What a login gives; a browser that is known keeps what it has.
    pub(super) fn logged_in(
        &self,
        granted: Granted,
        user: &User,
        spent: Option<Spent>,
        known: Option<u64>,
    ) -> LoggedIn {
        let known_device = known.is_none().then(|| self.devices.cookie(user));
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

    pub(super) fn parts(&self, by: Initiator) -> Parts {
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
