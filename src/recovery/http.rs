//! `/auth/recover`: back in with what `auth-service user recover` has printed.
use std::sync::Arc;

use poem::Request;
use poem_openapi::types::Example;
use poem_openapi::{Object, OpenApi};

use super::service::Recoveries;
use crate::base::{Result, Secret};
use crate::http::{Cookies, Failure, Json, WithCookies, newcomer, spec};
use crate::session::http::{TokenView, cookies_of};

/// Recoveries of accounts.
pub struct RecoveryApi {
    pub recoveries: Recoveries,
    pub cookies: Arc<Cookies>,
}

/// The errors that the form of these operations does not tell.
pub const ERRORS: &[spec::OperationErrors] =
    &[("recover_account", &["TOO_MANY_ATTEMPTS", "SERVICE_UNAVAILABLE"])];

#[derive(Object)]
#[oai(example)]
struct RecoverBody {
    /// From `auth-service user recover`.
    token: String,
    /// Instead of the password that there is.
    new_password: Option<String>,
}

#[OpenApi]
impl RecoveryApi {
    /// Get back into an account whose every way in is lost
    ///
    /// The token is good once. All sessions end, and one begins in which passwords and second factors may be changed.
    #[oai(path = "/auth/recover", method = "post", operation_id = "recover_account")]
    async fn recover(
        &self,
        request: &Request,
        body: Json<RecoverBody>,
    ) -> Result<WithCookies<Json<TokenView>>, Failure> {
        let RecoverBody { token, new_password } = body.0;
        let by = newcomer(request, &self.cookies)?;
        let (granted, known_device) =
            self.recoveries.finish(by, &token, new_password.map(Secret::new)).await?;
        let mut cookies = cookies_of(&self.cookies, &granted)?;
        cookies.push(self.cookies.of_known_device(&known_device)?);
        Ok(WithCookies(Json(TokenView::of(&granted)), cookies))
    }
}

impl Example for RecoverBody {
    fn example() -> Self {
        Self { token: "asc_AAAAAAAAAAI…".into(), new_password: Some("correct horse battery".into()) }
    }
}
