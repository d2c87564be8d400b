//! `/oauth-clients/{id}/logout-deliveries`: what a client was told of the ends of sessions.
use poem_openapi::OpenApi;
use poem_openapi::param::Path;

use super::service::Backchannel;
use super::view::DeliveryList;
use crate::base::{Error, PageRequest};
use crate::http::{Failure, Json, May, Query, spec};
use crate::oauth::client::ClientId;
use crate::rbac::Named;
use crate::rbac::permission::OauthClientsRead;

/// Deliveries.
pub struct DeliveriesApi(pub Backchannel);

/// The errors that the form of these operations does not tell.
pub const ERRORS: &[spec::OperationErrors] = &[("list_logout_deliveries", &["NOT_FOUND"])];

/// Which permission each operation needs.
pub const PERMISSIONS: &[spec::OperationPermission] = &[("list_logout_deliveries", OauthClientsRead::NAME)];

#[OpenApi]
impl DeliveriesApi {
    /// List what a client was told of the ends of sessions, the oldest first
    ///
    /// Each is tried for a day, at growing distances, until the client has answered. The last 10,000 of a client are kept, for as
    /// long as `oauth.logout_log_days` says.
    #[oai(
        path = "/oauth-clients/:id/logout-deliveries",
        method = "get",
        operation_id = "list_logout_deliveries"
    )]
    async fn list(
        &self,
        _caller: May<OauthClientsRead>,
        id: Path<String>,
        /// 1 to 200
        limit: Query<Option<i64>>,
        /// `next_cursor` of the page before
        cursor: Query<Option<String>>,
    ) -> Result<Json<DeliveryList>, Failure> {
        let request = PageRequest::parse(limit.0, cursor.0.as_deref())?;
        // What is no client's name is none that is there.
        let client = ClientId::parse(&id.0).map_err(|_| Error::NotFound("OAuth client"))?;
        Ok(Json(DeliveryList::of(self.0.list(client, request).await?)))
    }
}
