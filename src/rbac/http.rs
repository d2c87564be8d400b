//! `/roles` and `/permissions`.
use poem_openapi::param::Path;
use poem_openapi::types::Example;
use poem_openapi::{Object, OpenApi};
use serde::Serialize;

use super::model::{Role, RoleChange, RoleName, parse_description};
use super::permission::{Named, Pattern, Permission, PermissionsWrite, RolesRead, RolesWrite};
use super::service::Roles;
use crate::base::{Error, PageRequest, Result};
use crate::http::{Created, Done, Failure, Json, May, Query, Recent, spec};

/// Roles and permissions.
pub struct RolesApi(pub Roles);

/// The errors that the form of these operations does not tell.
pub const ERRORS: &[spec::OperationErrors] = &[
    ("read_role", &["NOT_FOUND"]),
    ("create_role", &["FORBIDDEN", "REAUTHENTICATION_REQUIRED"]),
    ("update_role", &["NOT_FOUND", "REAUTHENTICATION_REQUIRED"]),
    ("delete_role", &["NOT_FOUND", "VALIDATION_ERROR"]),
    ("delete_permission", &["NOT_FOUND", "VALIDATION_ERROR"]),
];

/// Which permission each operation needs.
pub const PERMISSIONS: &[spec::OperationPermission] = &[
    ("list_roles", RolesRead::NAME),
    ("read_role", RolesRead::NAME),
    ("create_role", RolesWrite::NAME),
    ("update_role", RolesWrite::NAME),
    ("delete_role", RolesWrite::NAME),
    ("list_permissions", RolesRead::NAME),
    ("create_permission", PermissionsWrite::NAME),
    ("delete_permission", PermissionsWrite::NAME),
];

#[derive(Object)]
#[oai(example)]
struct NewRoleBody {
    /// 1 to 64 of `a`-`z`, `0`-`9`, `.`, `_` and `-`.
    name: String,
    description: Option<String>,
    /// Permissions; `*` stands for any one segment. One without `*` has to be defined.
    permissions: Option<Vec<String>>,
    /// Roles whose permissions this one has, too.
    includes: Option<Vec<String>>,
}

#[derive(Object)]
#[oai(example)]
struct RoleBody {
    description: Option<String>,
    permissions: Option<Vec<String>>,
    includes: Option<Vec<String>>,
}

#[derive(Object, Serialize)]
#[oai(example)]
struct RoleView {
    name: String,
    description: String,
    permissions: Vec<String>,
    includes: Vec<String>,
    /// Whether it cannot be deleted.
    built_in: bool,
    /// Null for a built-in role that was never changed.
    updated_at: Option<String>,
}

#[derive(Object, Serialize)]
#[oai(example)]
struct RoleList {
    items: Vec<RoleView>,
    next_cursor: Option<String>,
}

#[derive(Object)]
#[oai(example)]
struct PermissionBody {
    /// 2 to 6 segments of `a`-`z`, `0`-`9`, `_` and `-`, with `:` between.
    name: String,
    description: Option<String>,
}

#[derive(Object, Serialize)]
#[oai(example)]
struct PermissionView {
    name: String,
    description: String,
    /// Whether it is one of this service.
    built_in: bool,
    created_at: Option<String>,
}

#[derive(Object, Serialize)]
#[oai(example)]
struct PermissionList {
    items: Vec<PermissionView>,
    next_cursor: Option<String>,
}

#[OpenApi]
impl RolesApi {
    /// List roles, by name
    #[oai(path = "/roles", method = "get", operation_id = "list_roles")]
    async fn list(
        &self,
        _caller: May<RolesRead>,
        /// 1 to 200
        limit: Query<Option<i64>>,
        /// `next_cursor` of the page before
        cursor: Query<Option<String>>,
    ) -> Result<Json<RoleList>, Failure> {
        let request = PageRequest::parse(limit.0, cursor.0.as_deref())?;
        let book = self.0.book()?;
        let page = request.of_sorted(book.roles().map(|role| (role.name.as_str(), role)));
        let items = page.items.into_iter().map(RoleView::of).collect();
        Ok(Json(RoleList { items, next_cursor: page.next_cursor }))
    }

    /// Make a role
    ///
    /// Nobody gives a role what they do not hold.
    #[oai(path = "/roles", method = "post", operation_id = "create_role")]
    async fn create(
        &self,
        caller: Recent<RolesWrite>,
        body: Json<NewRoleBody>,
    ) -> Result<Created<RoleView>, Failure> {
        let NewRoleBody { name, description, permissions, includes } = body.0;
        let name = RoleName::parse("name", &name)?;
        let change = change_of(description, permissions, includes)?;
        let role = self.0.create(caller.initiator(), name, change).await?;
        Ok(Created(RoleView::of(&role)))
    }

    /// Read a role
    #[oai(path = "/roles/:name", method = "get", operation_id = "read_role")]
    async fn read(&self, _caller: May<RolesRead>, name: Path<String>) -> Result<Json<RoleView>, Failure> {
        let book = self.0.book()?;
        Ok(Json(RoleView::of(book.role(&name.0).ok_or(Error::NotFound("role"))?)))
    }

    /// Change a role
    ///
    /// It holds for the next request of everyone who has the role.
    #[oai(path = "/roles/:name", method = "patch", operation_id = "update_role")]
    async fn update(
        &self,
        caller: Recent<RolesWrite>,
        name: Path<String>,
        body: Json<RoleBody>,
    ) -> Result<Json<RoleView>, Failure> {
        let RoleBody { description, permissions, includes } = body.0;
        let change = change_of(description, permissions, includes)?;
        let role = self.0.change(caller.initiator(), name.0, change).await?;
        Ok(Json(RoleView::of(&role)))
    }

    /// Delete a role that nobody has and no other role includes
    #[oai(path = "/roles/:name", method = "delete", operation_id = "delete_role")]
    async fn delete(&self, caller: May<RolesWrite>, name: Path<String>) -> Result<Done, Failure> {
        self.0.delete(caller.initiator(), name.0).await?;
        Ok(Done)
    }

    /// List permissions, by name
    #[oai(path = "/permissions", method = "get", operation_id = "list_permissions")]
    async fn permissions(
        &self,
        _caller: May<RolesRead>,
        /// 1 to 200
        limit: Query<Option<i64>>,
        /// `next_cursor` of the page before
        cursor: Query<Option<String>>,
    ) -> Result<Json<PermissionList>, Failure> {
        let request = PageRequest::parse(limit.0, cursor.0.as_deref())?;
        let all = self.0.permissions()?;
        let page = request.of_sorted(all.iter().map(|one| (one.0.as_str(), one)));
        let view = |(name, description, created): &(String, String, Option<crate::base::Timestamp>)| {
            PermissionView {
                name: name.clone(),
                description: description.clone(),
                built_in: created.is_none(),
                created_at: created.map(crate::base::Timestamp::rfc3339),
            }
        };
        let items = page.items.into_iter().map(view).collect();
        Ok(Json(PermissionList { items, next_cursor: page.next_cursor }))
    }

    /// Define a permission of another service
    #[oai(path = "/permissions", method = "post", operation_id = "create_permission")]
    async fn define(
        &self,
        caller: May<PermissionsWrite>,
        body: Json<PermissionBody>,
    ) -> Result<Created<PermissionView>, Failure> {
        let name = Permission::parse("name", &body.0.name)?;
        let description = parse_description(body.0.description.as_deref().unwrap_or_default())?;
        let made = self.0.define(caller.initiator(), name, description).await?;
        Ok(Created(PermissionView {
            name: made.name.to_string(),
            description: made.description,
            built_in: false,
            created_at: Some(made.created_at.rfc3339()),
        }))
    }

    /// Take back a permission that no role names
    #[oai(path = "/permissions/:name", method = "delete", operation_id = "delete_permission")]
    async fn undefine(&self, caller: May<PermissionsWrite>, name: Path<String>) -> Result<Done, Failure> {
        self.0.undefine(caller.initiator(), Permission::parse("name", &name.0)?).await?;
        Ok(Done)
    }
}

fn change_of(
    description: Option<String>,
    permissions: Option<Vec<String>>,
    includes: Option<Vec<String>>,
) -> Result<RoleChange> {
    Ok(RoleChange {
        description: description.as_deref().map(parse_description).transpose()?,
        permissions: permissions.map(|all| Pattern::parse_all("permissions", &all)).transpose()?,
        includes: includes.map(|names| RoleName::parse_all("includes", &names)).transpose()?,
    })
}

impl RoleView {
    fn of(role: &Role) -> Self {
        let changed = role.updated_at.micros() > 0;
        Self {
            name: role.name.to_string(),
            description: role.description.clone(),
            permissions: role.permissions.iter().map(|pattern| pattern.as_str().to_owned()).collect(),
            includes: role.includes.iter().map(ToString::to_string).collect(),
            built_in: role.name.is_built_in(),
            updated_at: changed.then(|| role.updated_at.rfc3339()),
        }
    }
}

impl Example for NewRoleBody {
    fn example() -> Self {
        Self {
            name: "bookkeeper".into(),
            description: Some("Reads and writes invoices".into()),
            permissions: Some(vec!["billing:invoices:*".into()]),
            includes: Some(vec!["support".into()]),
        }
    }
}

impl Example for RoleBody {
    fn example() -> Self {
        Self { description: None, permissions: Some(vec!["billing:invoices:read".into()]), includes: None }
    }
}

impl Example for RoleView {
    fn example() -> Self {
        Self {
            name: "bookkeeper".into(),
            description: "Reads and writes invoices".into(),
            permissions: vec!["billing:invoices:*".into()],
            includes: vec!["support".into()],
            built_in: false,
            updated_at: Some("2025-06-15T11:09:03Z".into()),
        }
    }
}

impl Example for RoleList {
    fn example() -> Self {
        Self { items: vec![RoleView::example()], next_cursor: None }
    }
}

impl Example for PermissionBody {
    fn example() -> Self {
        Self { name: "billing:invoices:read".into(), description: Some("Read any invoice".into()) }
    }
}

impl Example for PermissionView {
    fn example() -> Self {
        Self {
            name: "billing:invoices:read".into(),
            description: "Read any invoice".into(),
            built_in: false,
            created_at: Some("2025-06-15T11:09:03Z".into()),
        }
    }
}

impl Example for PermissionList {
    fn example() -> Self {
        Self { items: vec![PermissionView::example()], next_cursor: None }
    }
}
