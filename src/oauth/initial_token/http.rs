//! `/oauth-registration-tokens`: what lets programs register clients.
use poem_openapi::OpenApi;
use poem_openapi::param::Path;

use super::service::InitialTokens;
use super::view::{InitialTokenList, MadeInitialTokenView, NewInitialTokenBody};
use crate::base::{Error, PageRequest};
use crate::http::{Created, Done, Failure, Json, May, Query, Recent, spec};
use crate::rbac::Named;
use crate::rbac::permission::{OauthClientsRead, OauthClientsWrite};

/// Initial access tokens.
pub struct InitialTokensApi(pub InitialTokens);

/// The errors that the form of these operations does not tell.
pub const ERRORS: &[spec::OperationErrors] = &[
    ("create_registration_token", &["REAUTHENTICATION_REQUIRED"]),
    ("delete_registration_token", &["NOT_FOUND"]),
];

/// Which permission each operation needs.
pub const PERMISSIONS: &[spec::OperationPermission] = &[
    ("list_registration_tokens", OauthClientsRead::NAME),
    ("create_registration_token", OauthClientsWrite::NAME),
    ("delete_registration_token", OauthClientsWrite::NAME),
];

#[OpenApi]
impl InitialTokensApi {
    /// List the tokens that let programs register clients, the oldest first
    #[oai(path = "/oauth-registration-tokens", method = "get", operation_id = "list_registration_tokens")]
    async fn list(
        &self,
        _caller: May<OauthClientsRead>,
        /// 1 to 200
        limit: Query<Option<i64>>,
        /// `next_cursor` of the page before
        cursor: Query<Option<String>>,
    ) -> Result<Json<InitialTokenList>, Failure> {
        let request = PageRequest::parse(limit.0, cursor.0.as_deref())?;
        Ok(Json(InitialTokenList::of(self.0.list(request).await?)))
    }

    /// Make a token that lets a program register clients (RFC 7591)
    ///
    /// It is shown once.
    #[oai(path = "/oauth-registration-tokens", method = "post", operation_id = "create_registration_token")]
    async fn create(
        &self,
        caller: Recent<OauthClientsWrite>,
        body: Json<NewInitialTokenBody>,
    ) -> Result<Created<MadeInitialTokenView>, Failure> {
        let made = self.0.create(caller.initiator(), body.0.try_into()?).await?;
        Ok(Created(MadeInitialTokenView::of(&made)))
    }

    /// Delete such a token; what was registered with it stays
    #[oai(
        path = "/oauth-registration-tokens/:id",
        method = "delete",
        operation_id = "delete_registration_token"
    )]
    async fn delete(&self, caller: May<OauthClientsWrite>, id: Path<String>) -> Result<Done, Failure> {
        let id = id.0.parse().map_err(|_| Error::NotFound("registration token"))?;
        self.0.delete(caller.initiator(), id).await?;
        Ok(Done)
    }
}
