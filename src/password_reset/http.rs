//! `/users/{id}/password-reset` and `/auth/password/reset`.
use poem::Request;
use poem_openapi::param::Path;
use poem_openapi::types::Example;
use poem_openapi::{Object, OpenApi};
use serde::Serialize;

use super::service::PasswordResets;
use crate::base::text::Email;
use crate::base::{Result, Secret};
use crate::http::{Accepted, Created, Done, Failure, Json, Recent, RequestInfo, spec};
use crate::rbac::permission::UsersPassword;
use crate::rbac::{Named, Who};

/// Resets of passwords.
pub struct PasswordResetApi(pub PasswordResets);

/// The errors that the form of these operations does not tell.
pub const ERRORS: &[spec::OperationErrors] = &[
    ("start_password_reset", &["NOT_FOUND", "REAUTHENTICATION_REQUIRED"]),
    ("reset_password", &["SERVICE_UNAVAILABLE"]),
    ("forget_password", &["SERVICE_UNAVAILABLE"]),
];

/// Which permission each operation needs.
pub const PERMISSIONS: &[spec::OperationPermission] = &[("start_password_reset", UsersPassword::NAME)];

#[derive(Object, Serialize)]
#[oai(example)]
struct StartedReset {
    /// For POST /auth/password/reset, once. Hand it to the user; it is not stored and cannot be shown again.
    token: String,
    expires_at: String,
}

#[derive(Object)]
#[oai(example)]
struct ResetBody {
    token: String,
    new_password: String,
}

#[derive(Object)]
#[oai(example)]
struct ForgotBody {
    email: String,
}

#[OpenApi]
impl PasswordResetApi {
    /// Start the reset of an account's password
    ///
    /// The password stays as it is until the user chooses another one, within 30 minutes. A reset that was started before
    /// is good for nothing from now on.
    #[oai(path = "/users/:id/password-reset", method = "post", operation_id = "start_password_reset")]
    async fn start(
        &self,
        caller: Recent<UsersPassword>,
        id: Path<u64>,
    ) -> Result<Created<StartedReset>, Failure> {
        caller.check_not_own_by_key(id.0, UsersPassword::NAME)?;
        let (token, expires_at) = self.0.start(caller.initiator(), id.0).await?;
        let token = token.expose().to_owned();
        Ok(Created(StartedReset { token, expires_at: expires_at.rfc3339() }))
    }

    /// Have a reset mailed
    ///
    /// The answer is the same whether anybody has the address or not. The link in the mail is good for 30 minutes, once; one
    /// that was mailed before is good for nothing. Where no mail leaves, it waits for an administrator at GET /mail.
    #[oai(path = "/auth/password/forgot", method = "post", operation_id = "forget_password")]
    async fn forgot(&self, request: &Request, body: Json<ForgotBody>) -> Result<Accepted, Failure> {
        let by = RequestInfo::of(request)?.initiator(Who::Nobody);
        self.0.mail(by, &Email::parse(&body.0.email)?).await?;
        Ok(Accepted("If an account has this address, a mail is on its way"))
    }

    /// Choose another password with the token of a reset
    ///
    /// All sessions end. The token is good once.
    #[oai(path = "/auth/password/reset", method = "post", operation_id = "reset_password")]
    async fn reset(&self, request: &Request, body: Json<ResetBody>) -> Result<Done, Failure> {
        let by = RequestInfo::of(request)?.initiator(Who::Nobody);
        self.0.finish(by, &body.0.token, Secret::new(body.0.new_password)).await?;
        Ok(Done)
    }
}

impl Example for StartedReset {
    fn example() -> Self {
        Self { token: "asp_AAAAAAAAAAI…".into(), expires_at: "2025-06-15T11:39:03Z".into() }
    }
}

impl Example for ForgotBody {
    fn example() -> Self {
        Self { email: "test@example.com".into() }
    }
}

impl Example for ResetBody {
    fn example() -> Self {
        Self { token: "asp_AAAAAAAAAAI…".into(), new_password: "correct horse battery".into() }
    }
}
