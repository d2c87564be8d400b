//! The account endpoints: wire types in, a service call, wire types out.
use std::sync::Arc;

use poem::Request;
use poem::http::HeaderValue;
use poem_openapi::types::{Example, MaybeUndefined};
use poem_openapi::{Object, OpenApi};
use serde::Serialize;

use super::model::{NewUser, ProfileChange, User};
use super::service::Accounts;
use crate::base::text::{DisplayName, Email};
use crate::base::{Error, Result, Secret};
use crate::config::Registration;
use crate::http::{
    Accepted, Cookies, Created, Done, Failure, Json, May, OneOf, Recent, RequestInfo, WithCookies, spec,
};
use crate::rbac::permission::{AccountPassword, AccountRead, AccountWrite};
use crate::rbac::{Named, Who};
use crate::registration::Registrations;

/// Registration and the own account.
pub struct AccountApi {
    pub accounts: Accounts,
    pub registrations: Arc<Registrations>,
    pub registration: Registration,
    pub cookies: Arc<Cookies>,
}

/// The errors that the form of these operations does not tell.
pub const ERRORS: &[spec::OperationErrors] = &[
    ("register", &["FORBIDDEN", "SERVICE_UNAVAILABLE"]),
    ("delete_me", &["NOT_FOUND", "REAUTHENTICATION_REQUIRED", "TOO_MANY_ATTEMPTS"]),
    ("update_me", &["NOT_FOUND", "REAUTHENTICATION_REQUIRED", "TOO_MANY_ATTEMPTS"]),
    ("change_password", &["NOT_FOUND", "REAUTHENTICATION_REQUIRED", "TOO_MANY_ATTEMPTS"]),
];

/// Which permission each operation needs.
pub const PERMISSIONS: &[spec::OperationPermission] = &[
    ("get_me", AccountRead::NAME),
    ("update_me", AccountWrite::NAME),
    ("delete_me", AccountWrite::NAME),
    ("change_password", AccountPassword::NAME),
];

#[derive(Object)]
#[oai(example)]
struct RegisterBody {
    /// 1 to 64 letters, digits, `.`, `_` and `-`; unique without regard to case and look-alikes.
    username: String,
    /// Unique without regard to case.
    email: String,
    /// 8 to 256 characters of any kind; not a common one, not easy to guess, and without the user name or e-mail address.
    password: String,
    first_name: Option<String>,
    last_name: Option<String>,
}

/// An account as its owner sees it.
#[derive(Object, Serialize)]
#[oai(example)]
pub struct UserView {
    id: u64,
    username: String,
    email: String,
    first_name: Option<String>,
    last_name: Option<String>,
    is_active: bool,
    is_superuser: bool,
}

#[derive(Object)]
#[oai(example)]
struct ProfileBody {
    /// Null empties it.
    first_name: MaybeUndefined<String>,
    /// Null empties it.
    last_name: MaybeUndefined<String>,
    /// Needs `current_password`.
    email: Option<String>,
    current_password: Option<String>,
}

#[derive(Object)]
#[oai(example)]
struct PasswordBody {
    /// Needed but in a session that was begun by a recovery, and for an account without a password.
    current_password: Option<String>,
    new_password: String,
}

#[derive(Object)]
#[oai(example)]
struct DeleteBody {
    password: String,
}

#[OpenApi]
impl AccountApi {
    /// Register a new user account
    ///
    /// Where `registration` is `hidden`, the answer is 202, whether the address has an account or not: the account is made
    /// when the link in a mail is opened.
    #[oai(path = "/auth/register", method = "post", operation_id = "register")]
    async fn register(
        &self,
        request: &Request,
        body: Json<RegisterBody>,
    ) -> Result<OneOf<Created<UserView>, Accepted>, Failure> {
        let by = RequestInfo::of(request)?.initiator(Who::Nobody);
        match self.registration {
            Registration::Closed => Err(Error::Forbidden("users:write".into()).into()),
            Registration::Open => {
                let user = self.accounts.register(by, body.0.try_into()?).await?;
                Ok(OneOf::One(Created((&user).into())))
            }
            Registration::Hidden => {
                self.registrations.ask(by, body.0.try_into()?).await?;
                Ok(OneOf::Other(Accepted("A mail is on its way; the link in it makes the account")))
            }
        }
    }

    /// Get my profile
    #[oai(path = "/auth/me", method = "get", operation_id = "get_me")]
    async fn me(&self, caller: May<AccountRead>) -> Result<Json<UserView>, Failure> {
        Ok(Json(caller.actor.user()?.as_ref().into()))
    }

    /// Change my names or e-mail address
    ///
    /// Where mails leave, another address takes effect when the link in a mail to it was opened: until then the answer shows
    /// the old one, which hears of it, too.
    #[oai(path = "/auth/me", method = "patch", operation_id = "update_me")]
    async fn update_me(
        &self,
        caller: May<AccountWrite>,
        body: Json<ProfileBody>,
    ) -> Result<Json<UserView>, Failure> {
        if body.0.email.is_some() {
            caller.check_recent()?;
        }
        let current_password = body.0.current_password.clone().map(Secret::new);
        let change = body.0.try_into()?;
        let user = self
            .accounts
            .change_profile(caller.initiator(), caller.actor.user()?, change, current_password)
            .await?;
        Ok(Json((&user).into()))
    }

    /// Delete my account
    #[oai(path = "/auth/me", method = "delete", operation_id = "delete_me")]
    async fn delete_me(
        &self,
        caller: Recent<AccountWrite>,
        body: Json<DeleteBody>,
    ) -> Result<WithCookies<Done>, Failure> {
        let password = Secret::new(body.0.password);
        self.accounts.delete_own(caller.initiator(), caller.actor.user()?, password).await?;
        let cookies: Vec<HeaderValue> = self.cookies.cleared()?;
        Ok(WithCookies(Done, cookies))
    }

    /// Change my password and end all my other sessions
    #[oai(path = "/auth/password/change", method = "post", operation_id = "change_password")]
    async fn change_password(
        &self,
        caller: Recent<AccountPassword>,
        body: Json<PasswordBody>,
    ) -> Result<WithCookies<Done>, Failure> {
        let PasswordBody { current_password, new_password } = body.0;
        let (user, session) = (caller.actor.user()?, caller.actor.session());
        let is_recovery = caller.actor.token().is_some_and(|token| token.is_recovery());
        let current = match current_password {
            None if is_recovery || session.is_some() && user.password_hash.is_empty() => None,
            current => Some(current.ok_or_else(|| Error::invalid("current_password", "is required"))?),
        };
        let passwords = (current.map(Secret::new), Secret::new(new_password));
        let known = self.accounts.change_password(caller.initiator(), user, passwords, session).await?;
        // A program has no browser that could be known.
        let known = session.map(|_| self.cookies.of_known_device(&known)).transpose()?;
        Ok(WithCookies(Done, known.into_iter().collect()))
    }
}

impl TryFrom<RegisterBody> for NewUser {
    type Error = Error;

    fn try_from(body: RegisterBody) -> Result<Self> {
        Self::parse(
            (&body.username, &body.email),
            (body.first_name.as_deref(), body.last_name.as_deref()),
            Secret::new(body.password),
        )
    }
}

impl TryFrom<ProfileBody> for ProfileChange {
    type Error = Error;

    fn try_from(body: ProfileBody) -> Result<Self> {
        profile_change(body.first_name, body.last_name, body.email.as_deref())
    }
}

/// Reads what is to be changed of a profile, by its owner or an administrator.
///
/// # Errors
/// `Error::Invalid` naming the first wrong field.
pub fn profile_change(
    first_name: MaybeUndefined<String>,
    last_name: MaybeUndefined<String>,
    email: Option<&str>,
) -> Result<ProfileChange> {
    let name = |field, text: MaybeUndefined<String>| match text {
        MaybeUndefined::Undefined => Ok(None),
        MaybeUndefined::Null => Ok(Some(None)),
        MaybeUndefined::Value(text) => DisplayName::parse(field, &text).map(Some),
    };
    Ok(ProfileChange {
        first_name: name("first_name", first_name)?,
        last_name: name("last_name", last_name)?,
        email: email.map(Email::parse).transpose()?,
    })
}

impl From<&User> for UserView {
    fn from(user: &User) -> Self {
        let name = |name: &Option<DisplayName>| name.as_ref().map(|name| name.as_str().to_owned());
        Self {
            id: user.id,
            username: user.username.to_string(),
            email: user.email.to_string(),
            first_name: name(&user.first_name),
            last_name: name(&user.last_name),
            is_active: user.is_active,
            is_superuser: user.is_superuser,
        }
    }
}

impl Example for RegisterBody {
    fn example() -> Self {
        Self {
            username: "testuser".into(),
            email: "test@example.com".into(),
            password: "correct horse battery".into(),
            first_name: Some("Test".into()),
            last_name: Some("User".into()),
        }
    }
}

impl Example for UserView {
    fn example() -> Self {
        Self {
            id: 1,
            username: "testuser".into(),
            email: "test@example.com".into(),
            first_name: Some("Test".into()),
            last_name: Some("User".into()),
            is_active: true,
            is_superuser: false,
        }
    }
}

impl Example for ProfileBody {
    fn example() -> Self {
        Self {
            first_name: MaybeUndefined::Value("Tess".into()),
            last_name: MaybeUndefined::Undefined,
            email: None,
            current_password: None,
        }
    }
}

impl Example for PasswordBody {
    fn example() -> Self {
        Self {
            current_password: Some("correct horse battery".into()),
            new_password: "staple of the correct horse".into(),
        }
    }
}

impl Example for DeleteBody {
    fn example() -> Self {
        Self { password: "correct horse battery".into() }
    }
}
