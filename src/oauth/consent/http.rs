//! `/auth/consents`: what the caller has let clients have.
use poem_openapi::OpenApi;
use poem_openapi::param::Path;

use super::service::Consents;
use super::view::ConsentList;
use crate::base::{Error, PageRequest};
use crate::http::{Done, Failure, Json, May, Query, spec};
use crate::oauth::client::ClientId;
use crate::rbac::Named;
use crate::rbac::permission::{AccountRead, AccountWrite};

/// Consents.
pub struct ConsentsApi(pub Consents);

/// The errors that the form of these operations does not tell.
pub const ERRORS: &[spec::OperationErrors] = &[("withdraw_consent", &["NOT_FOUND"])];

/// Which permission each operation needs.
pub const PERMISSIONS: &[spec::OperationPermission] =
    &[("list_consents", AccountRead::NAME), ("withdraw_consent", AccountWrite::NAME)];

#[OpenApi]
impl ConsentsApi {
    /// List what I have let clients have, by their ids, and what they have by it now
    #[oai(path = "/auth/consents", method = "get", operation_id = "list_consents")]
    async fn list(
        &self,
        caller: May<AccountRead>,
        /// 1 to 200
        limit: Query<Option<i64>>,
        /// `next_cursor` of the page before
        cursor: Query<Option<String>>,
    ) -> Result<Json<ConsentList>, Failure> {
        let request = PageRequest::parse(limit.0, cursor.0.as_deref())?;
        Ok(Json(ConsentList::of(self.0.list(caller.actor.user()?.id, request).await?)))
    }

    /// Take back what I have let a client have
    ///
    /// All its tokens are good for nothing from then on; it asks anew when I come by it again.
    #[oai(path = "/auth/consents/:client_id", method = "delete", operation_id = "withdraw_consent")]
    async fn withdraw(&self, caller: May<AccountWrite>, client_id: Path<String>) -> Result<Done, Failure> {
        // What is no client's name is none that anybody has let have anything.
        let client = ClientId::parse(&client_id.0).map_err(|_| Error::NotFound("consent"))?;
        self.0.withdraw(caller.initiator(), caller.actor.user()?.id, client).await?;
        Ok(Done)
    }
}
