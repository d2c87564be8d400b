//! `/users`: accounts as administrators see them.
use poem_openapi::param::Path;
use poem_openapi::types::{Example, MaybeUndefined};
use poem_openapi::{Object, OpenApi};
use serde::Serialize;

use super::service::{self, AccountChange, Users};
use crate::account::http::profile_change;
use crate::account::model::Filter;
use crate::account::{Accounts, NewUser, User};
use crate::base::text::DisplayName;
use crate::base::{Error, PageRequest, Result, Secret, Timestamp};
use crate::http::{Created, Done, Failure, Json, May, Query, Recent, spec};
use crate::rbac::Named;
use crate::rbac::model::roles_of;
use crate::rbac::permission::{UsersDelete, UsersRead, UsersRoles, UsersWrite};

const MAX_ROLES: usize = 100;

/// Administration of accounts.
pub struct UsersApi {
    pub users: Users,
    pub accounts: Accounts,
}

/// The errors that the form of these operations does not tell.
pub const ERRORS: &[spec::OperationErrors] = &[
    ("read_user", &["NOT_FOUND"]),
    ("update_user", &["NOT_FOUND"]),
    ("delete_user", &["NOT_FOUND"]),
    ("restore_user", &["NOT_FOUND"]),
    ("set_user_roles", &["NOT_FOUND", "REAUTHENTICATION_REQUIRED"]),
];

/// Which permission each operation needs.
pub const PERMISSIONS: &[spec::OperationPermission] = &[
    ("list_users", UsersRead::NAME),
    ("create_user", UsersWrite::NAME),
    ("read_user", UsersRead::NAME),
    ("update_user", UsersWrite::NAME),
    ("delete_user", UsersDelete::NAME),
    ("restore_user", UsersDelete::NAME),
    ("set_user_roles", UsersRoles::NAME),
];

/// An account as administrators see it.
#[derive(Object, Serialize)]
#[oai(example)]
#[expect(clippy::struct_excessive_bools, reason = "each is a member of the answer")]
struct AccountView {
    id: u64,
    username: String,
    email: String,
    /// Whether its user has shown that the address is theirs.
    email_verified: bool,
    first_name: Option<String>,
    last_name: Option<String>,
    is_active: bool,
    is_superuser: bool,
    /// Those that were given, and that of everyone.
    roles: Vec<String>,
    created_at: String,
    updated_at: String,
    password_changed_at: String,
    /// Whether its sessions can do nothing but choose another password.
    password_change_required: bool,
    /// Since when it lies in the recycle bin.
    deleted_at: Option<String>,
}

#[derive(Object, Serialize)]
#[oai(example)]
struct AccountList {
    items: Vec<AccountView>,
    /// May be there though the page has fewer items than asked for.
    next_cursor: Option<String>,
}

#[derive(Object)]
#[oai(example)]
struct NewAccountBody {
    /// 1 to 64 letters, digits, `.`, `_` and `-`; unique without regard to case and look-alikes.
    username: String,
    /// Unique without regard to case.
    email: String,
    first_name: Option<String>,
    last_name: Option<String>,
}

#[derive(Object)]
#[oai(example)]
struct AccountBody {
    /// Null empties it.
    first_name: MaybeUndefined<String>,
    /// Null empties it.
    last_name: MaybeUndefined<String>,
    email: Option<String>,
    /// False ends all sessions.
    is_active: Option<bool>,
    /// True: until it has another password, its sessions can do nothing but choose one.
    password_change_required: Option<bool>,
}

#[derive(Object)]
#[oai(example)]
struct RolesBody {
    /// All that the user shall have, at most 100.
    roles: Vec<String>,
}

#[OpenApi]
impl UsersApi {
    /// List accounts, by id, or those whose user name or e-mail address begins so
    #[oai(path = "/users", method = "get", operation_id = "list_users")]
    #[expect(clippy::too_many_arguments, reason = "each is a parameter of the query")]
    async fn list(
        &self,
        _caller: May<UsersRead>,
        /// What the user name begins with, without regard to case
        username: Query<Option<String>>,
        /// What the e-mail address begins with, without regard to case
        email: Query<Option<String>>,
        /// A role that was given
        role: Query<Option<String>>,
        is_active: Query<Option<bool>>,
        /// Those in the recycle bin
        deleted: Query<Option<bool>>,
        /// Made at this time or later, RFC 3339
        created_from: Query<Option<String>>,
        /// Made before this time, RFC 3339
        created_until: Query<Option<String>>,
        /// 1 to 200
        limit: Query<Option<i64>>,
        /// `next_cursor` of the page before
        cursor: Query<Option<String>>,
    ) -> Result<Json<AccountList>, Failure> {
        let by = service::by(username.0.as_deref(), email.0.as_deref(), role.0)?;
        let filter = Filter {
            by,
            is_active: is_active.0,
            deleted: deleted.0.unwrap_or(false),
            created_from: time("created_from", created_from.0)?,
            created_until: time("created_until", created_until.0)?,
        };
        let page = self.users.search(filter, PageRequest::parse(limit.0, cursor.0.as_deref())?).await?;
        let items = self.views(page.items)?;
        Ok(Json(AccountList { items, next_cursor: page.next_cursor }))
    }

    /// Make an account without a password
    ///
    /// Its user chooses one with the token of POST /users/{id}/password-reset.
    #[oai(path = "/users", method = "post", operation_id = "create_user")]
    async fn create(
        &self,
        caller: May<UsersWrite>,
        body: Json<NewAccountBody>,
    ) -> Result<Created<AccountView>, Failure> {
        let NewAccountBody { username, email, first_name, last_name } = body.0;
        let names = (first_name.as_deref(), last_name.as_deref());
        let new = NewUser::parse((&username, &email), names, Secret::new(""))?;
        Ok(Created(self.view(self.users.create(caller.initiator(), new).await?)?))
    }

    /// Read an account
    #[oai(path = "/users/:id", method = "get", operation_id = "read_user")]
    async fn read(&self, _caller: May<UsersRead>, id: Path<u64>) -> Result<Json<AccountView>, Failure> {
        Ok(Json(self.view(self.users.read(id.0)?)?))
    }

    /// Change an account
    ///
    /// One that holds more than the caller is not to be changed, here and below.
    #[oai(path = "/users/:id", method = "patch", operation_id = "update_user")]
    async fn update(
        &self,
        caller: May<UsersWrite>,
        id: Path<u64>,
        body: Json<AccountBody>,
    ) -> Result<Json<AccountView>, Failure> {
        let change = body.0.try_into()?;
        Ok(Json(self.view(self.users.change(caller.initiator(), id.0, change).await?)?))
    }

    /// Put an account into the recycle bin for 30 days
    #[oai(path = "/users/:id", method = "delete", operation_id = "delete_user")]
    async fn delete(&self, caller: May<UsersDelete>, id: Path<u64>) -> Result<Done, Failure> {
        self.users.delete(caller.initiator(), id.0).await?;
        Ok(Done)
    }

    /// Take an account out of the recycle bin
    #[oai(path = "/users/:id/restore", method = "post", operation_id = "restore_user")]
    async fn restore(&self, caller: May<UsersDelete>, id: Path<u64>) -> Result<Json<AccountView>, Failure> {
        Ok(Json(self.view(self.users.restore(caller.initiator(), id.0).await?)?))
    }

    /// Give an account these roles instead of those that it has
    ///
    /// Nobody gives or takes what they do not hold.
    #[oai(path = "/users/:id/roles", method = "put", operation_id = "set_user_roles")]
    async fn set_roles(
        &self,
        caller: Recent<UsersRoles>,
        id: Path<u64>,
        body: Json<RolesBody>,
    ) -> Result<Json<AccountView>, Failure> {
        if body.0.roles.len() > MAX_ROLES {
            return Err(Error::invalid("roles", format!("must be at most {MAX_ROLES}")).into());
        }
        let by = caller.initiator();
        Ok(Json(self.view(self.accounts.set_roles(by, id.0, &body.0.roles).await?)?))
    }
}

impl UsersApi {
    fn view(&self, user: User) -> Result<AccountView> {
        let is_verified = self.users.has_verified(std::slice::from_ref(&user))?.contains(&true);
        Ok(AccountView::of(&user, is_verified))
    }

    fn views(&self, users: Vec<User>) -> Result<Vec<AccountView>> {
        let verified = self.users.has_verified(&users)?;
        Ok(users.iter().zip(verified).map(|(user, is_verified)| AccountView::of(user, is_verified)).collect())
    }
}

fn time(field: &'static str, text: Option<String>) -> Result<Option<Timestamp>> {
    text.map(|text| Timestamp::parse_rfc3339_of(field, &text)).transpose()
}

impl TryFrom<AccountBody> for AccountChange {
    type Error = Error;

    fn try_from(body: AccountBody) -> Result<Self> {
        let profile = profile_change(body.first_name, body.last_name, body.email.as_deref())?;
        Ok(Self {
            profile,
            is_active: body.is_active,
            password_change_required: body.password_change_required,
        })
    }
}

impl AccountView {
    fn of(user: &User, email_verified: bool) -> Self {
        let name = |name: &Option<DisplayName>| name.as_ref().map(|name| name.as_str().to_owned());
        Self {
            id: user.id,
            username: user.username.to_string(),
            email: user.email.to_string(),
            email_verified,
            first_name: name(&user.first_name),
            last_name: name(&user.last_name),
            is_active: user.is_active,
            is_superuser: user.is_superuser,
            roles: roles_of(user),
            created_at: user.created_at.rfc3339(),
            updated_at: user.updated_at.rfc3339(),
            password_changed_at: user.password_changed_at.rfc3339(),
            password_change_required: user.password_change_required,
            deleted_at: user.deleted_at.map(Timestamp::rfc3339),
        }
    }
}

impl Example for AccountView {
    fn example() -> Self {
        Self {
            id: 2,
            username: "testuser".into(),
            email: "test@example.com".into(),
            email_verified: true,
            first_name: Some("Test".into()),
            last_name: Some("User".into()),
            is_active: true,
            is_superuser: false,
            roles: vec!["bookkeeper".into(), "user".into()],
            created_at: "2025-06-15T11:09:03Z".into(),
            updated_at: "2025-06-15T11:09:03Z".into(),
            password_changed_at: "2025-06-15T11:09:03Z".into(),
            password_change_required: false,
            deleted_at: None,
        }
    }
}

impl Example for AccountList {
    fn example() -> Self {
        Self { items: vec![AccountView::example()], next_cursor: None }
    }
}

impl Example for NewAccountBody {
    fn example() -> Self {
        Self {
            username: "testuser".into(),
            email: "test@example.com".into(),
            first_name: Some("Test".into()),
            last_name: None,
        }
    }
}

impl Example for AccountBody {
    fn example() -> Self {
        Self {
            first_name: MaybeUndefined::Value("Tess".into()),
            last_name: MaybeUndefined::Undefined,
            email: None,
            is_active: Some(true),
            password_change_required: None,
        }
    }
}

impl Example for RolesBody {
    fn example() -> Self {
        Self { roles: vec!["bookkeeper".into()] }
    }
}
