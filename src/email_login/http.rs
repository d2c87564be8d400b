//! `/auth/email-login`: a mailed link or code in place of the password.
use std::sync::Arc;

use poem::Request;
use poem_openapi::types::Example;
use poem_openapi::{Object, OpenApi};

use super::service::{EmailLogins, Shared};
use crate::base::text::Email;
use crate::base::{Error, Result, Secret};
use crate::http::{Accepted, Cookies, Failure, Json, RequestInfo, WithCookies, newcomer, spec};
use crate::rbac::Who;
use crate::session::http::{TokenView, cookies_of};

/// Logins by mail.
pub struct EmailLoginApi {
    pub logins: Arc<EmailLogins>,
    pub cookies: Arc<Cookies>,
}

/// The errors that the form of these operations does not tell.
pub const ERRORS: &[spec::OperationErrors] = &[
    ("start_email_login", &["NOT_FOUND", "SERVICE_UNAVAILABLE"]),
    (
        "finish_email_login",
        &[
            "NOT_FOUND",
            "MFA_REQUIRED",
            "INVALID_CREDENTIALS",
            "TOO_MANY_ATTEMPTS",
            "EMAIL_NOT_VERIFIED",
            "SERVICE_UNAVAILABLE",
        ],
    ),
];

#[derive(Object)]
#[oai(example)]
struct StartEmailLoginBody {
    email: String,
}

#[derive(Object)]
#[oai(example)]
struct FinishEmailLoginBody {
    /// From the link in the mail.
    token: Option<String>,
    /// The address that the code was mailed to, beside `code`.
    email: Option<String>,
    /// From the mail; ten wrong ones, and it is good for nothing.
    code: Option<String>,
}

#[OpenApi]
impl EmailLoginApi {
    /// Have a link and a code mailed to sign in with
    ///
    /// Where `mail.sign_in` is on. The answer is the same whether anybody has the address or not. Both are good for 10
    /// minutes, once; what was mailed before is good for nothing.
    #[oai(path = "/auth/email-login/start", method = "post", operation_id = "start_email_login")]
    async fn start(&self, request: &Request, body: Json<StartEmailLoginBody>) -> Result<Accepted, Failure> {
        let by = RequestInfo::of(request)?.initiator(Who::Nobody);
        self.logins.start(by, &Email::parse(&body.0.email)?).await?;
        Ok(Accepted("If an account has this address, a mail is on its way"))
    }

    /// Sign in with what was mailed
    ///
    /// With `token`, or with `email` and `code`. It takes the place of the password, not that of a second factor:
    /// MFA_REQUIRED says how to go on.
    #[oai(path = "/auth/email-login/finish", method = "post", operation_id = "finish_email_login")]
    async fn finish(
        &self,
        request: &Request,
        body: Json<FinishEmailLoginBody>,
    ) -> Result<WithCookies<Json<TokenView>>, Failure> {
        let shared = match body.0 {
            FinishEmailLoginBody { token: Some(token), email: None, code: None } => {
                Shared::Link(Secret::new(token))
            }
            FinishEmailLoginBody { token: None, email: Some(email), code: Some(code) } => {
                Shared::Code { email: Email::parse(&email)?, code: Secret::new(code) }
            }
            _ => {
                return Err(Error::invalid("token", "is required, or else `email` and `code`").into());
            }
        };
        let by = newcomer(request, &self.cookies)?;
        let device = self.cookies.trusted_device(request.headers()).map(Secret::new);
        let logged_in = self.logins.finish(by, shared, device).await?;
        let mut cookies = cookies_of(&self.cookies, &logged_in.granted)?;
        if let Some(value) = &logged_in.known_device {
            cookies.push(self.cookies.of_known_device(value)?);
        }
        Ok(WithCookies(Json(TokenView::of(&logged_in.granted)), cookies))
    }
}

impl Example for StartEmailLoginBody {
    fn example() -> Self {
        Self { email: "test@example.com".into() }
    }
}

impl Example for FinishEmailLoginBody {
    fn example() -> Self {
        Self { token: Some("asm_AAAAAAAAAAI…".into()), email: None, code: None }
    }
}
