//! `/auth/token`, `/auth/mfa/verify` and `/auth/reauthenticate`: what gives a session, and what renews its proof.
use std::sync::Arc;

use poem::Request;
use poem::http::HeaderValue;
use poem_openapi::types::Example;
use poem_openapi::{ApiRequest, Object, OpenApi};
use serde::Serialize;

use super::service::{Credentials, LoggedIn, Logins, Offered};
use crate::base::{Error, Result, Secret};
use crate::http::{Caller, Cookies, Failure, Form, Json, WithCookies, newcomer, spec};
use crate::mfa::view::warning;
use crate::passkey::view::{PasskeyAnswer, QuestionView};
use crate::session::http::{TokenView, cookies_of};

/// Logins.
pub struct LoginApi {
    pub logins: Logins,
    pub cookies: Arc<Cookies>,
}

const LOGIN_ERRORS: &[&str] = &[
    "INVALID_CREDENTIALS",
    "MFA_REQUIRED",
    "INVALID_MFA_CODE",
    "ACCOUNT_DISABLED",
    "TOO_MANY_ATTEMPTS",
    "EMAIL_NOT_VERIFIED",
    "SERVICE_UNAVAILABLE",
];

/// The errors that the form of these operations does not tell.
pub const ERRORS: &[spec::OperationErrors] = &[
    ("log_in", LOGIN_ERRORS),
    ("log_in_alias", LOGIN_ERRORS),
    (
        "verify_mfa",
        &["INVALID_TOKEN", "TOKEN_EXPIRED", "INVALID_MFA_CODE", "TOO_MANY_ATTEMPTS", "SERVICE_UNAVAILABLE"],
    ),
    ("start_mfa_passkey", &["INVALID_TOKEN", "TOKEN_EXPIRED", "NOT_FOUND", "SERVICE_UNAVAILABLE"]),
    ("reauthenticate_session", &["INVALID_CREDENTIALS", "INVALID_MFA_CODE", "TOO_MANY_ATTEMPTS"]),
    ("start_passkey_reauthentication", &["NOT_FOUND", "VALIDATION_ERROR"]),
];

#[derive(Object)]
#[oai(example)]
struct LoginBody {
    /// The user name, or the e-mail address.
    username: String,
    password: String,
    /// The code of an authenticator app, or a recovery code, for those who need one: saves the second request.
    mfa_code: Option<String>,
}

#[derive(ApiRequest)]
enum LoginRequest {
    Json(Json<LoginBody>),
    Form(Form<LoginBody>),
}

#[derive(Object)]
#[oai(example)]
struct SecondFactorBody {
    /// From `details` of the answer MFA_REQUIRED; good for 10 minutes and ten wrong answers.
    mfa_token: String,
    /// The code of an authenticator app, or a recovery code.
    code: Option<String>,
    /// Or the answer to POST /auth/mfa/passkey/start.
    passkey: Option<PasskeyAnswer>,
    /// For how many days this device is to be trusted: then a password is enough on it.
    trust_device_days: Option<u32>,
}

#[derive(Object)]
#[oai(example)]
struct AskPasskeyBody {
    /// From `details` of the answer MFA_REQUIRED.
    mfa_token: String,
}

#[derive(Object)]
#[oai(example)]
struct ReauthenticateBody {
    /// Where second factors are off.
    password: Option<String>,
    /// The code of an authenticator app, or a recovery code: where second factors are on.
    code: Option<String>,
    /// Or the answer to POST /auth/reauthenticate/passkey/start.
    passkey: Option<PasskeyAnswer>,
}

#[derive(Object, Serialize)]
#[oai(example)]
struct VerifiedView {
    access_token: String,
    token_type: String,
    /// Always null: the refresh token is in an HttpOnly cookie.
    refresh_token: Option<String>,
    /// How many there are, when one was used.
    recovery_codes_left: Option<usize>,
    /// What to do soon.
    warning: Option<String>,
}

#[OpenApi]
impl LoginApi {
    /// Log in and receive tokens
    ///
    /// Sets the cookies `access_token_cookie`, `refresh_token_cookie` and `csrf_access_token`. MFA_REQUIRED says how to go
    /// on: with POST /auth/mfa/verify.
    #[oai(path = "/auth/token", method = "post", operation_id = "log_in")]
    async fn log_in(
        &self,
        request: &Request,
        body: LoginRequest,
    ) -> Result<WithCookies<Json<TokenView>>, Failure> {
        let (LoginRequest::Json(Json(body)) | LoginRequest::Form(Form(body))) = body;
        let LoginBody { username, password, mfa_code } = body;
        let device = self.cookies.trusted_device(request.headers()).map(Secret::new);
        let (password, code) = (Secret::new(password), mfa_code.map(Secret::new));
        let by = newcomer(request, &self.cookies)?;
        let credentials = Credentials { login: username, password, code, device };
        let logged_in = self.logins.with_password(by, credentials).await?;
        let cookies = self.cookies_of(&logged_in)?;
        Ok(WithCookies(Json(TokenView::of(&logged_in.granted)), cookies))
    }

    /// Log in and receive tokens (the same as POST /auth/token)
    #[oai(path = "/auth/login", method = "post", operation_id = "log_in_alias")]
    async fn log_in_alias(
        &self,
        request: &Request,
        body: LoginRequest,
    ) -> Result<WithCookies<Json<TokenView>>, Failure> {
        self.log_in(request, body).await
    }

    /// Finish a login with a second factor
    ///
    /// A code is good once, a recovery code too. Ten wrong answers end the login.
    #[oai(path = "/auth/mfa/verify", method = "post", operation_id = "verify_mfa")]
    async fn verify(
        &self,
        request: &Request,
        body: Json<SecondFactorBody>,
    ) -> Result<WithCookies<Json<VerifiedView>>, Failure> {
        let SecondFactorBody { mfa_token, code, passkey, trust_device_days } = body.0;
        let offered = offered(code, passkey)?.ok_or_else(|| Error::invalid("code", "is required"))?;
        let by = newcomer(request, &self.cookies)?;
        let logged_in = self.logins.verify(by, &mfa_token, offered, trust_device_days).await?;
        Ok(self.answer(&logged_in)?)
    }

    /// Begin to show a passkey for a second factor
    ///
    /// `options` goes to `navigator.credentials.get()`; its answer to POST /auth/mfa/verify.
    #[oai(path = "/auth/mfa/passkey/start", method = "post", operation_id = "start_mfa_passkey")]
    async fn ask_for_passkey(
        &self,
        request: &Request,
        body: Json<AskPasskeyBody>,
    ) -> Result<Json<QuestionView>, Failure> {
        let by = newcomer(request, &self.cookies)?;
        Ok(Json(QuestionView::of(self.logins.ask_for_passkey(&by, &body.0.mfa_token)?)))
    }

    /// Begin to show a passkey, to prove again who I am
    ///
    /// `options` goes to `navigator.credentials.get()`; its answer to POST /auth/reauthenticate.
    #[oai(
        path = "/auth/reauthenticate/passkey/start",
        method = "post",
        operation_id = "start_passkey_reauthentication"
    )]
    async fn ask_for_passkey_again(&self, caller: Caller) -> Result<Json<QuestionView>, Failure> {
        let token = caller.actor.token().ok_or_else(no_session)?;
        Ok(Json(QuestionView::of(self.logins.ask_for_passkey_again(token)?)))
    }

    /// Show again who I am
    ///
    /// With a second factor where they are on, else with the password; with a passkey anywhere. For some minutes this
    /// session may then do what answers REAUTHENTICATION_REQUIRED otherwise. It gets new tokens; the one that asked is good no more.
    #[oai(path = "/auth/reauthenticate", method = "post", operation_id = "reauthenticate_session")]
    async fn reauthenticate(
        &self,
        caller: Caller,
        request: &Request,
        body: Json<ReauthenticateBody>,
    ) -> Result<WithCookies<Json<VerifiedView>>, Failure> {
        let token = Arc::clone(caller.actor.token().ok_or_else(no_session)?);
        let ReauthenticateBody { password, code, passkey } = body.0;
        let shown = (password.map(Secret::new), offered(code, passkey)?);
        let by = caller.initiator().on_device(self.cookies.known_device(request.headers()));
        let proven = self.logins.reauthenticate(by, token, caller.actor.user()?, shown).await?;
        Ok(self.answer(&proven)?)
    }
}

impl LoginApi {
    fn cookies_of(&self, logged_in: &LoggedIn) -> Result<Vec<HeaderValue>> {
        let mut cookies = cookies_of(&self.cookies, &logged_in.granted)?;
        if let Some((token, lifetime)) = &logged_in.device {
            cookies.push(self.cookies.of_trusted_device(token.expose(), *lifetime)?);
        }
        if let Some(value) = &logged_in.known_device {
            cookies.push(self.cookies.of_known_device(value)?);
        }
        Ok(cookies)
    }

    fn answer(&self, logged_in: &LoggedIn) -> Result<WithCookies<Json<VerifiedView>>> {
        let cookies = self.cookies_of(logged_in)?;
        let view = VerifiedView {
            access_token: logged_in.granted.access_token.expose().to_owned(),
            token_type: "bearer".to_owned(),
            refresh_token: None,
            recovery_codes_left: logged_in.recovery_codes_left,
            warning: logged_in.recovery_codes_left.and_then(warning),
        };
        Ok(WithCookies(Json(view), cookies))
    }
}

fn no_session() -> Error {
    Error::Malformed("An API key has no session that could be renewed".into())
}

/// What somebody offers for a second factor, if anything.
fn offered(code: Option<String>, passkey: Option<PasskeyAnswer>) -> Result<Option<Offered>> {
    match (code, passkey) {
        (Some(_), Some(_)) => Err(Error::invalid("passkey", "cannot stand beside `code`")),
        (Some(code), None) => Ok(Some(Offered::Code(Secret::new(code)))),
        (None, Some(passkey)) => Ok(Some(Offered::Passkey(passkey.reply()))),
        (None, None) => Ok(None),
    }
}

impl Example for LoginBody {
    fn example() -> Self {
        Self { username: "testuser".into(), password: "correct horse battery".into(), mfa_code: None }
    }
}

impl Example for SecondFactorBody {
    fn example() -> Self {
        Self {
            mfa_token: "asl_AAAAAAAAAAI…".into(),
            code: Some("081804".into()),
            passkey: None,
            trust_device_days: Some(30),
        }
    }
}

impl Example for AskPasskeyBody {
    fn example() -> Self {
        Self { mfa_token: "asl_AAAAAAAAAAI…".into() }
    }
}

impl Example for ReauthenticateBody {
    fn example() -> Self {
        Self { password: Some("correct horse battery".into()), code: None, passkey: None }
    }
}

impl Example for VerifiedView {
    fn example() -> Self {
        Self {
            access_token: "eyJ0eXAiOiJhdCtqd3QiLCJhbGciOiJFUzI1NiJ9...".into(),
            token_type: "bearer".into(),
            refresh_token: None,
            recovery_codes_left: None,
            warning: None,
        }
    }
}
