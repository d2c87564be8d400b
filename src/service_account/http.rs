//! `/service-accounts`, and their keys.
use poem::Request;
use poem_openapi::param::Path;
use poem_openapi::types::Example;
use poem_openapi::{Object, OpenApi};
use serde::Serialize;

use super::model::{ServiceAccount, ServiceAccountChange};
use super::service::ServiceAccounts;
use crate::api_key::ApiKeys;
use crate::api_key::view::{KeyBody, KeyList, KeyView, NewKeyBody, NewKeyView, RotateBody};
use crate::base::text::Slug;
use crate::base::{Error, PageRequest, Result};
use crate::http::{Created, Done, Failure, Json, May, Query, Recent, permit, spec};
use crate::rbac::model::parse_description;
use crate::rbac::permission::{ServiceAccountsRead, ServiceAccountsRoles, ServiceAccountsWrite};
use crate::rbac::{Named, SubjectId};

const MAX_ROLES: usize = 100;

/// Service accounts and their keys.
pub struct ServiceAccountsApi {
    pub accounts: ServiceAccounts,
    pub keys: ApiKeys,
}

/// The errors that the form of these operations does not tell.
pub const ERRORS: &[spec::OperationErrors] = &[
    ("read_service_account", &["NOT_FOUND", "VALIDATION_ERROR"]),
    ("update_service_account", &["NOT_FOUND"]),
    ("delete_service_account", &["NOT_FOUND", "VALIDATION_ERROR"]),
    ("set_service_account_roles", &["NOT_FOUND", "REAUTHENTICATION_REQUIRED"]),
    ("list_service_account_keys", &["NOT_FOUND"]),
    ("create_service_account_key", &["NOT_FOUND", "REAUTHENTICATION_REQUIRED"]),
    ("update_service_account_key", &["NOT_FOUND", "REAUTHENTICATION_REQUIRED"]),
    ("rotate_service_account_key", &["NOT_FOUND", "REAUTHENTICATION_REQUIRED"]),
    ("revoke_service_account_key", &["NOT_FOUND", "VALIDATION_ERROR"]),
    ("delete_service_account_key", &["NOT_FOUND", "VALIDATION_ERROR"]),
];

/// Which permission each operation needs.
pub const PERMISSIONS: &[spec::OperationPermission] = &[
    ("list_service_accounts", ServiceAccountsRead::NAME),
    ("read_service_account", ServiceAccountsRead::NAME),
    ("list_service_account_keys", ServiceAccountsRead::NAME),
    ("create_service_account", ServiceAccountsWrite::NAME),
    ("update_service_account", ServiceAccountsWrite::NAME),
    ("delete_service_account", ServiceAccountsWrite::NAME),
    ("create_service_account_key", ServiceAccountsWrite::NAME),
    ("update_service_account_key", ServiceAccountsWrite::NAME),
    ("rotate_service_account_key", ServiceAccountsWrite::NAME),
    ("revoke_service_account_key", ServiceAccountsWrite::NAME),
    ("delete_service_account_key", ServiceAccountsWrite::NAME),
    ("set_service_account_roles", ServiceAccountsRoles::NAME),
];

#[derive(Object)]
#[oai(example)]
struct NewServiceAccountBody {
    /// 1 to 64 of `a`-`z`, `0`-`9`, `.`, `_` and `-`; unique.
    name: String,
    description: Option<String>,
    /// Needs `service-accounts:roles`, too.
    roles: Option<Vec<String>>,
}

#[derive(Object)]
#[oai(example)]
struct ServiceAccountBody {
    name: Option<String>,
    description: Option<String>,
    /// False: its keys are good for nothing.
    is_active: Option<bool>,
}

#[derive(Object)]
#[oai(example)]
struct ServiceAccountRolesBody {
    /// All that it shall have, at most 100.
    roles: Vec<String>,
}

/// A service account as administrators see it.
#[derive(Object, Serialize)]
#[oai(example)]
pub struct ServiceAccountView {
    id: String,
    name: String,
    description: String,
    roles: Vec<String>,
    is_active: bool,
    created_at: String,
    updated_at: String,
}

#[derive(Object, Serialize)]
#[oai(example)]
struct ServiceAccountList {
    items: Vec<ServiceAccountView>,
    next_cursor: Option<String>,
}

#[OpenApi]
impl ServiceAccountsApi {
    /// List service accounts, the oldest first
    #[oai(path = "/service-accounts", method = "get", operation_id = "list_service_accounts")]
    async fn list(
        &self,
        _caller: May<ServiceAccountsRead>,
        /// 1 to 200
        limit: Query<Option<i64>>,
        /// `next_cursor` of the page before
        cursor: Query<Option<String>>,
    ) -> Result<Json<ServiceAccountList>, Failure> {
        let page = self.accounts.list(PageRequest::parse(limit.0, cursor.0.as_deref())?).await?;
        let items = page.items.iter().map(Into::into).collect();
        Ok(Json(ServiceAccountList { items, next_cursor: page.next_cursor }))
    }

    /// Make a service account: a program that holds rights
    ///
    /// It has keys and no password. Nobody gives it what they do not hold.
    #[oai(path = "/service-accounts", method = "post", operation_id = "create_service_account")]
    async fn create(
        &self,
        caller: May<ServiceAccountsWrite>,
        request: &Request,
        body: Json<NewServiceAccountBody>,
    ) -> Result<Created<ServiceAccountView>, Failure> {
        let name = Slug::parse("name", &body.0.name)?;
        let description = parse_description(body.0.description.as_deref().unwrap_or_default())?;
        let roles = checked(body.0.roles.unwrap_or_default())?;
        if !roles.is_empty() {
            permit::permitted(request, ServiceAccountsRoles::NAME)?;
        }
        Ok(Created((&self.accounts.create(caller.initiator(), name, description, &roles).await?).into()))
    }

    /// Read a service account
    #[oai(path = "/service-accounts/:id", method = "get", operation_id = "read_service_account")]
    async fn read(
        &self,
        _caller: May<ServiceAccountsRead>,
        id: Path<String>,
    ) -> Result<Json<ServiceAccountView>, Failure> {
        Ok(Json((&self.accounts.read(id.0.parse()?)?).into()))
    }

    /// Change a service account
    #[oai(path = "/service-accounts/:id", method = "patch", operation_id = "update_service_account")]
    async fn update(
        &self,
        caller: May<ServiceAccountsWrite>,
        id: Path<String>,
        body: Json<ServiceAccountBody>,
    ) -> Result<Json<ServiceAccountView>, Failure> {
        let ServiceAccountBody { name, description, is_active } = body.0;
        let change = ServiceAccountChange {
            name: name.map(|name| Slug::parse("name", &name)).transpose()?,
            description: description.as_deref().map(parse_description).transpose()?,
            is_active,
        };
        Ok(Json((&self.accounts.change(caller.initiator(), id.0.parse()?, change).await?).into()))
    }

    /// Delete a service account with all its keys
    #[oai(path = "/service-accounts/:id", method = "delete", operation_id = "delete_service_account")]
    async fn delete(&self, caller: May<ServiceAccountsWrite>, id: Path<String>) -> Result<Done, Failure> {
        self.accounts.delete(caller.initiator(), id.0.parse()?).await?;
        Ok(Done)
    }

    /// Give a service account these roles instead of those that it has
    #[oai(path = "/service-accounts/:id/roles", method = "put", operation_id = "set_service_account_roles")]
    async fn set_roles(
        &self,
        caller: Recent<ServiceAccountsRoles>,
        id: Path<String>,
        body: Json<ServiceAccountRolesBody>,
    ) -> Result<Json<ServiceAccountView>, Failure> {
        let roles = checked(body.0.roles)?;
        Ok(Json((&self.accounts.set_roles(caller.initiator(), id.0.parse()?, &roles).await?).into()))
    }

    /// List the API keys of a service account, the oldest first
    #[oai(
        path = "/service-accounts/:id/api-keys",
        method = "get",
        operation_id = "list_service_account_keys"
    )]
    async fn keys(
        &self,
        _caller: May<ServiceAccountsRead>,
        id: Path<String>,
        /// 1 to 200
        limit: Query<Option<i64>>,
        /// `next_cursor` of the page before
        cursor: Query<Option<String>>,
    ) -> Result<Json<KeyList>, Failure> {
        let owner = self.owner(&id.0)?;
        let request = PageRequest::parse(limit.0, cursor.0.as_deref())?;
        Ok(Json(KeyList::of(self.keys.list(owner, request).await?)))
    }

    /// Make an API key of a service account, which is shown once
    #[oai(
        path = "/service-accounts/:id/api-keys",
        method = "post",
        operation_id = "create_service_account_key"
    )]
    async fn create_key(
        &self,
        caller: Recent<ServiceAccountsWrite>,
        id: Path<String>,
        body: Json<NewKeyBody>,
    ) -> Result<Created<NewKeyView>, Failure> {
        let owner = self.owner(&id.0)?;
        let made = self.keys.create(caller.initiator(), owner, body.0.try_into()?).await?;
        Ok(Created(NewKeyView::of(made)))
    }

    /// Change an API key of a service account
    #[oai(
        path = "/service-accounts/:id/api-keys/:key",
        method = "patch",
        operation_id = "update_service_account_key"
    )]
    async fn update_key(
        &self,
        caller: Recent<ServiceAccountsWrite>,
        id: Path<String>,
        key: Path<String>,
        body: Json<KeyBody>,
    ) -> Result<Json<KeyView>, Failure> {
        let (owner, key) = (self.owner(&id.0)?, key.0.parse()?);
        self.keys.change(caller.initiator(), owner, key, body.0.try_into()?).await?;
        Ok(Json(KeyView::of(self.keys.read(owner, key).await?)))
    }

    /// Give an API key of a service account another text, which is shown once
    #[oai(
        path = "/service-accounts/:id/api-keys/:key/rotate",
        method = "post",
        operation_id = "rotate_service_account_key"
    )]
    async fn rotate_key(
        &self,
        caller: Recent<ServiceAccountsWrite>,
        id: Path<String>,
        key: Path<String>,
        body: Json<RotateBody>,
    ) -> Result<Json<NewKeyView>, Failure> {
        let (owner, overlap) = (self.owner(&id.0)?, body.0.overlap_seconds.unwrap_or_default());
        let rotated = self.keys.rotate(caller.initiator(), owner, key.0.parse()?, overlap).await?;
        Ok(Json(NewKeyView::of(rotated)))
    }

    /// Shut an API key of a service account out for good, and keep it in the list
    #[oai(
        path = "/service-accounts/:id/api-keys/:key/revoke",
        method = "post",
        operation_id = "revoke_service_account_key"
    )]
    async fn revoke_key(
        &self,
        caller: May<ServiceAccountsWrite>,
        id: Path<String>,
        key: Path<String>,
    ) -> Result<Json<KeyView>, Failure> {
        let (owner, key) = (self.owner(&id.0)?, key.0.parse()?);
        self.keys.revoke(caller.initiator(), owner, key).await?;
        Ok(Json(KeyView::of(self.keys.read(owner, key).await?)))
    }

    /// Delete an API key of a service account
    #[oai(
        path = "/service-accounts/:id/api-keys/:key",
        method = "delete",
        operation_id = "delete_service_account_key"
    )]
    async fn delete_key(
        &self,
        caller: May<ServiceAccountsWrite>,
        id: Path<String>,
        key: Path<String>,
    ) -> Result<Done, Failure> {
        self.keys.delete(caller.initiator(), self.owner(&id.0)?, key.0.parse()?).await?;
        Ok(Done)
    }
}

impl ServiceAccountsApi {
    fn owner(&self, id: &str) -> Result<SubjectId> {
        Ok(SubjectId::Service(self.accounts.read(id.parse()?)?.id))
    }
}

fn checked(roles: Vec<String>) -> Result<Vec<String>> {
    if roles.len() > MAX_ROLES {
        return Err(Error::invalid("roles", format!("must be at most {MAX_ROLES}")));
    }
    Ok(roles)
}

impl From<&ServiceAccount> for ServiceAccountView {
    fn from(account: &ServiceAccount) -> Self {
        Self {
            id: account.id.to_string(),
            name: account.name.to_string(),
            description: account.description.clone(),
            roles: account.roles.iter().map(ToString::to_string).collect(),
            is_active: account.is_active,
            created_at: account.created_at.rfc3339(),
            updated_at: account.updated_at.rfc3339(),
        }
    }
}

impl Example for NewServiceAccountBody {
    fn example() -> Self {
        let description = Some("Sends invoices at night".into());
        Self { name: "invoicer".into(), description, roles: Some(vec!["bookkeeper".into()]) }
    }
}

impl Example for ServiceAccountBody {
    fn example() -> Self {
        Self { name: None, description: None, is_active: Some(false) }
    }
}

impl Example for ServiceAccountRolesBody {
    fn example() -> Self {
        Self { roles: vec!["bookkeeper".into()] }
    }
}

impl Example for ServiceAccountView {
    fn example() -> Self {
        Self {
            id: "0197731f8b2d4c6e9a0b1c2d3e4f5061".into(),
            name: "invoicer".into(),
            description: "Sends invoices at night".into(),
            roles: vec!["bookkeeper".into()],
            is_active: true,
            created_at: "2025-06-15T11:09:03Z".into(),
            updated_at: "2025-06-15T11:09:03Z".into(),
        }
    }
}

impl Example for ServiceAccountList {
    fn example() -> Self {
        Self { items: vec![ServiceAccountView::example()], next_cursor: None }
    }
}
