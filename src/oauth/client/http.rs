//! `/oauth-clients`: the applications that may ask this server for tokens.
use poem_openapi::OpenApi;
use poem_openapi::param::Path;

use super::model::ClientId;
use super::service::Clients;
use super::view::{ClientBody, ClientList, ClientView, MadeClientView, NewClientBody, RotateSecretBody};
use crate::base::{Error, PageRequest, Result};
use crate::http::{Created, Done, Failure, Json, May, Query, Recent, spec};
use crate::rbac::Named;
use crate::rbac::permission::{OauthClientsRead, OauthClientsWrite};

/// Clients.
pub struct ClientsApi(pub Clients);

/// The errors that the form of these operations does not tell.
pub const ERRORS: &[spec::OperationErrors] = &[
    ("create_oauth_client", &["REAUTHENTICATION_REQUIRED"]),
    ("read_oauth_client", &["NOT_FOUND"]),
    ("update_oauth_client", &["NOT_FOUND", "REAUTHENTICATION_REQUIRED"]),
    ("rotate_oauth_client_secret", &["NOT_FOUND", "REAUTHENTICATION_REQUIRED"]),
    ("delete_oauth_client", &["NOT_FOUND", "VALIDATION_ERROR"]),
];

/// Which permission each operation needs.
pub const PERMISSIONS: &[spec::OperationPermission] = &[
    ("list_oauth_clients", OauthClientsRead::NAME),
    ("read_oauth_client", OauthClientsRead::NAME),
    ("create_oauth_client", OauthClientsWrite::NAME),
    ("update_oauth_client", OauthClientsWrite::NAME),
    ("rotate_oauth_client_secret", OauthClientsWrite::NAME),
    ("delete_oauth_client", OauthClientsWrite::NAME),
];

#[OpenApi]
impl ClientsApi {
    /// List the clients of the OAuth 2.0 server, by their ids
    #[oai(path = "/oauth-clients", method = "get", operation_id = "list_oauth_clients")]
    async fn list(
        &self,
        _caller: May<OauthClientsRead>,
        /// 1 to 200
        limit: Query<Option<i64>>,
        /// `next_cursor` of the page before
        cursor: Query<Option<String>>,
    ) -> Result<Json<ClientList>, Failure> {
        let request = PageRequest::parse(limit.0, cursor.0.as_deref())?;
        Ok(Json(ClientList::of(self.0.list(request).await?)))
    }

    /// Register a client: an application that logs its users in here, or asks for tokens of its own
    ///
    /// The fields are those of RFC 7591, and some of ours. The secret is shown once.
    #[oai(path = "/oauth-clients", method = "post", operation_id = "create_oauth_client")]
    async fn create(
        &self,
        caller: Recent<OauthClientsWrite>,
        body: Json<NewClientBody>,
    ) -> Result<Created<MadeClientView>, Failure> {
        let made = self.0.create(caller.initiator(), body.0.try_into()?).await?;
        Ok(Created(MadeClientView::of(&made)))
    }

    /// Read a client
    #[oai(path = "/oauth-clients/:id", method = "get", operation_id = "read_oauth_client")]
    async fn read(
        &self,
        _caller: May<OauthClientsRead>,
        id: Path<String>,
    ) -> Result<Json<ClientView>, Failure> {
        Ok(Json(ClientView::of(&self.0.read(&named(&id.0)?)?)))
    }

    /// Change a client
    ///
    /// What is left out stays. One that needs a secret now, and has none, gets one.
    #[oai(path = "/oauth-clients/:id", method = "patch", operation_id = "update_oauth_client")]
    async fn update(
        &self,
        caller: Recent<OauthClientsWrite>,
        id: Path<String>,
        body: Json<ClientBody>,
    ) -> Result<Json<MadeClientView>, Failure> {
        let change = Box::new(move |old| body.0.over(old));
        let made = self.0.change(caller.initiator(), named(&id.0)?, change).await?;
        Ok(Json(MadeClientView::of(&made)))
    }

    /// Give a client another secret, which is shown once
    #[oai(path = "/oauth-clients/:id/secret", method = "post", operation_id = "rotate_oauth_client_secret")]
    async fn rotate_secret(
        &self,
        caller: Recent<OauthClientsWrite>,
        id: Path<String>,
        body: Json<RotateSecretBody>,
    ) -> Result<Json<MadeClientView>, Failure> {
        let overlap = body.0.overlap_seconds.unwrap_or_default();
        let made = self.0.rotate_secret(caller.initiator(), named(&id.0)?, overlap).await?;
        Ok(Json(MadeClientView::of(&made)))
    }

    /// Delete a client; what it has is good for nothing from then on
    #[oai(path = "/oauth-clients/:id", method = "delete", operation_id = "delete_oauth_client")]
    async fn delete(&self, caller: May<OauthClientsWrite>, id: Path<String>) -> Result<Done, Failure> {
        self.0.delete(caller.initiator(), named(&id.0)?).await?;
        Ok(Done)
    }
}

/// What is no client's name is none that is there.
fn named(id: &str) -> Result<ClientId> {
    ClientId::parse(id).map_err(|_| Error::NotFound("OAuth client"))
}
