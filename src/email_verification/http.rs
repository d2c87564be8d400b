//! `/auth/email`: whose an address is.
use std::sync::Arc;

use poem::Request;
use poem_openapi::types::Example;
use poem_openapi::{Object, OpenApi};

use super::service::EmailVerifications;
use crate::base::Result;
use crate::http::{Accepted, Done, Failure, Json, May, RequestInfo, spec};
use crate::rbac::permission::AccountWrite;
use crate::rbac::{Named, Who};
use crate::registration::Registrations;

/// Verifications of addresses.
pub struct EmailApi(pub Arc<EmailVerifications>, pub Arc<Registrations>);

/// The errors that the form of these operations does not tell.
pub const ERRORS: &[spec::OperationErrors] = &[
    ("verify_email", &["SERVICE_UNAVAILABLE"]),
    ("confirm_email", &["SERVICE_UNAVAILABLE"]),
    ("resend_email", &["VALIDATION_ERROR"]),
];

/// Which permission each operation needs.
pub const PERMISSIONS: &[spec::OperationPermission] = &[("resend_email", AccountWrite::NAME)];

#[derive(Object)]
#[oai(example)]
struct VerifyEmailBody {
    /// From the mail.
    token: String,
}

#[derive(Object)]
#[oai(example)]
struct ConfirmEmailBody {
    /// From the mail to the new address.
    token: String,
}

#[OpenApi]
impl EmailApi {
    /// Show that an e-mail address is mine
    ///
    /// With the token that was mailed to it, good once, for a day. Where `registration` is `hidden`, this makes the account.
    #[oai(path = "/auth/email/verify", method = "post", operation_id = "verify_email")]
    async fn verify(&self, request: &Request, body: Json<VerifyEmailBody>) -> Result<Done, Failure> {
        let by = RequestInfo::of(request)?.initiator(Who::Nobody);
        // What a hidden registration mails does the same for an account that is not there yet.
        if self.1.finish(by.clone(), &body.0.token).await?.is_none() {
            self.0.verify(by, &body.0.token).await?;
        }
        Ok(Done)
    }

    /// Have the mail with that token sent again
    ///
    /// What was mailed before is good for nothing. At most 5 an hour.
    #[oai(path = "/auth/email/resend", method = "post", operation_id = "resend_email")]
    async fn resend(&self, caller: May<AccountWrite>) -> Result<Accepted, Failure> {
        self.0.resend(caller.initiator(), caller.actor.user()?).await?;
        Ok(Accepted("A mail is on its way"))
    }

    /// Give my account the e-mail address that I asked for
    ///
    /// With the token that was mailed to the new address, good once, for a day. The old address hears of it.
    #[oai(path = "/auth/email/confirm", method = "post", operation_id = "confirm_email")]
    async fn confirm(&self, request: &Request, body: Json<ConfirmEmailBody>) -> Result<Done, Failure> {
        let by = RequestInfo::of(request)?.initiator(Who::Nobody);
        self.0.confirm(by, &body.0.token).await?;
        Ok(Done)
    }
}

impl Example for VerifyEmailBody {
    fn example() -> Self {
        Self { token: "asv_AAAAAAAAAAI…".into() }
    }
}

impl Example for ConfirmEmailBody {
    fn example() -> Self {
        Self { token: "ase_AAAAAAAAAAI…".into() }
    }
}
