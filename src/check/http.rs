//! `/auth/check` and `/auth/me/permissions`.
use std::collections::BTreeMap;

use poem::Request;
use poem_openapi::types::Example;
use poem_openapi::{Object, OpenApi};
use serde::Serialize;

use crate::account::User;
use crate::base::{Error, Result};
use crate::http::{Caller, Failure, Json, RequestInfo, permit, spec};
use crate::rbac::permission::AuthCheck;
use crate::rbac::{Named, Permission, Roles, model::roles_of};

const MAX_QUESTIONS: usize = 100;

/// Who may do what.
pub struct CheckApi(pub Roles);

/// The errors that the form of these operations does not tell.
pub const ERRORS: &[spec::OperationErrors] = &[("check_permissions", &["FORBIDDEN"])];

#[derive(Object)]
#[oai(example)]
struct CheckBody {
    /// The id of a user, as in `sub` of its tokens; the caller by default. Needs `auth:check`.
    subject: Option<String>,
    /// An access token that somebody has shown; instead of `subject`. Needs `auth:check`.
    token: Option<String>,
    /// 1 to 100 names.
    permissions: Vec<String>,
}

#[derive(Object, Serialize)]
#[oai(example)]
struct CheckView {
    /// Whether all of them are allowed.
    allowed: bool,
    results: BTreeMap<String, bool>,
    /// Whom the answer is about; null for a token that is not good, and for nobody.
    subject: Option<String>,
}

#[derive(Object, Serialize)]
#[oai(example)]
struct OwnPermissions {
    roles: Vec<String>,
    /// What the roles come to; `*` stands for any one segment, and alone for everything.
    permissions: Vec<String>,
}

#[OpenApi]
impl CheckApi {
    /// May somebody do this?
    ///
    /// About the caller itself by default. A token that is not good, and a user who is not there or switched off, may
    /// do nothing.
    #[oai(path = "/auth/check", method = "post", operation_id = "check_permissions")]
    async fn check(
        &self,
        caller: Caller,
        request: &Request,
        body: Json<CheckBody>,
    ) -> Result<Json<CheckView>, Failure> {
        let CheckBody { subject, token, permissions } = body.0;
        check_questions(&permissions)?;
        let about = match (subject, token) {
            (None, None) => Some(caller.0.user.as_ref().clone()),
            (Some(_), Some(_)) => return Err(Error::invalid("token", "cannot stand beside `subject`").into()),
            (subject, token) => {
                permit::permitted(request, AuthCheck::NAME)?;
                self.somebody(request, subject.as_deref(), token.as_deref())?
            }
        };
        Ok(Json(self.answer(about.as_ref(), permissions)?))
    }

    /// What I may do
    #[oai(path = "/auth/me/permissions", method = "get", operation_id = "list_my_permissions")]
    async fn mine(&self, caller: Caller) -> Result<Json<OwnPermissions>, Failure> {
        let user = &caller.0.user;
        let permissions = self.0.grants_of(user)?.list();
        Ok(Json(OwnPermissions { roles: roles_of(user), permissions }))
    }
}

impl CheckApi {
    fn somebody(
        &self,
        request: &Request,
        subject: Option<&str>,
        token: Option<&str>,
    ) -> Result<Option<User>> {
        if let Some(token) = token {
            return match RequestInfo::of(request)?.authenticator.access_token(token) {
                Ok(actor) => Ok(Some(actor.user.as_ref().clone())),
                Err(Error::Unavailable(cause)) => Err(Error::Unavailable(cause)),
                Err(_) => Ok(None),
            };
        }
        let id = subject.unwrap_or_default().parse();
        self.0.subject(id.map_err(|_| Error::invalid("subject", "must be the id of a user"))?)
    }

    fn answer(&self, about: Option<&User>, permissions: Vec<String>) -> Result<CheckView> {
        let mut results = BTreeMap::new();
        for permission in permissions {
            let allowed = about.map_or(Ok(false), |user| self.0.allows(user, &permission))?;
            results.insert(permission, allowed);
        }
        let allowed = results.values().all(|allowed| *allowed);
        Ok(CheckView { allowed, results, subject: about.map(|user| user.id.to_string()) })
    }
}

fn check_questions(permissions: &[String]) -> Result<()> {
    if !(1..=MAX_QUESTIONS).contains(&permissions.len()) {
        return Err(Error::invalid("permissions", format!("must be 1 to {MAX_QUESTIONS} names")));
    }
    permissions.iter().try_for_each(|name| Permission::parse("permissions", name).map(drop))
}

impl Example for CheckBody {
    fn example() -> Self {
        Self { subject: Some("2".into()), token: None, permissions: vec!["billing:invoices:read".into()] }
    }
}

impl Example for CheckView {
    fn example() -> Self {
        let results = BTreeMap::from([("billing:invoices:read".into(), true)]);
        Self { allowed: true, results, subject: Some("2".into()) }
    }
}

impl Example for OwnPermissions {
    fn example() -> Self {
        Self {
            roles: vec!["bookkeeper".into(), "user".into()],
            permissions: vec!["billing:invoices:*".into()],
        }
    }
}
