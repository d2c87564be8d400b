//! `/auth/check` and `/auth/me/permissions`.
use std::collections::BTreeMap;

use poem::Request;
use poem_openapi::types::Example;
use poem_openapi::{Object, OpenApi};
use serde::Serialize;

use crate::base::{Error, Result};
use crate::http::{Caller, Failure, Json, RequestInfo, permit, spec};
use crate::rbac::permission::AuthCheck;
use crate::rbac::view::{SubjectView, check_questions};
use crate::rbac::{Actor, Named, Roles, Subject, Via};

/// Who may do what.
pub struct CheckApi(pub Roles);

/// The errors that the form of these operations does not tell.
pub const ERRORS: &[spec::OperationErrors] = &[("check_permissions", &["FORBIDDEN"])];

#[derive(Object)]
#[oai(example)]
struct CheckBody {
    /// The id of a user or a service account, as in `sub` of a token; the caller by default. Needs `auth:check`.
    subject: Option<String>,
    /// An access token that somebody has shown; instead of `subject`. Needs `auth:check`.
    token: Option<String>,
    /// An API key that somebody has shown; instead of `subject`. Needs `auth:check`. From which network it came is not
    /// looked at: POST /auth/api-keys/verify does.
    key: Option<String>,
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
    /// Whose they are.
    subject: SubjectView,
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
        let CheckBody { subject, token, key, permissions } = body.0;
        check_questions(&permissions, 1)?;
        let about = match (subject, token, key) {
            (None, None, None) => Some(Somebody::Acting(caller.actor)),
            (Some(subject), None, None) if subject == caller.actor.subject.id().to_string() => {
                Some(Somebody::Acting(caller.actor))
            }
            (subject, token, key) => {
                permit::permitted(request, AuthCheck::NAME)?;
                self.somebody(request, subject, token, key)?
            }
        };
        // Whoever has to set its own account in order first may do nothing else yet.
        let authenticator = &RequestInfo::of(request)?.authenticator;
        let is_limited = match &about {
            Some(Somebody::Acting(actor)) => authenticator.is_limited(actor)?,
            Some(Somebody::Named(_)) | None => false,
        };
        Ok(Json(self.answer(about.as_ref(), is_limited, permissions)?))
    }

    /// What I may do
    #[oai(path = "/auth/me/permissions", method = "get", operation_id = "list_my_permissions")]
    async fn mine(&self, caller: Caller) -> Result<Json<OwnPermissions>, Failure> {
        let permissions = self.0.book()?.held_by(&caller.actor).list();
        let roles = match &caller.actor.via {
            Via::Session(_) => caller.actor.subject.roles().map(str::to_owned).collect(),
            Via::Grant(_) => Vec::new(),
            Via::Key(key) => key.rights.roles.iter().map(ToString::to_string).collect(),
        };
        Ok(Json(OwnPermissions { subject: SubjectView::of(&caller.actor.subject), roles, permissions }))
    }
}

/// Whom a question is about.
enum Somebody {
    /// With what it has shown, which may allow less.
    Acting(Actor),
    Named(Subject),
}

impl Somebody {
    fn id(&self) -> String {
        match self {
            Self::Acting(actor) => actor.subject.id().to_string(),
            Self::Named(subject) => subject.id().to_string(),
        }
    }
}

impl CheckApi {
    fn somebody(
        &self,
        request: &Request,
        subject: Option<String>,
        token: Option<String>,
        key: Option<String>,
    ) -> Result<Option<Somebody>> {
        let info = RequestInfo::of(request)?;
        let shown = match (subject, token, key) {
            (Some(subject), None, None) => {
                return Ok(self.0.subject(subject.parse()?)?.map(Somebody::Named));
            }
            (None, Some(token), None) => info.authenticator.access_token(&token),
            (None, None, Some(key)) => info.authenticator.shown_key(&key),
            (Some(_), Some(_), _) => return Err(Error::invalid("token", "cannot stand beside `subject`")),
            _ => return Err(Error::invalid("key", "cannot stand beside `subject` or `token`")),
        };
        match shown {
            Ok(actor) => Ok(Some(Somebody::Acting(actor))),
            Err(Error::Unavailable(cause)) => Err(Error::Unavailable(cause)),
            Err(_) => Ok(None),
        }
    }

    fn answer(
        &self,
        about: Option<&Somebody>,
        is_limited: bool,
        permissions: Vec<String>,
    ) -> Result<CheckView> {
        let about = about.map(|somebody| Ok((somebody, self.0.book()?))).transpose()?;
        let held = match &about {
            None => None,
            Some(_) if is_limited => None,
            Some((Somebody::Acting(actor), book)) => Some(book.held_by(actor)),
            Some((Somebody::Named(subject), book)) => Some(book.held_by_subject(subject)),
        };
        let allowed = |permission: &str| held.as_ref().is_some_and(|held| held.allows(permission));
        let results = permissions.into_iter().map(|name| (allowed(&name), name));
        let results: BTreeMap<_, _> = results.map(|(allowed, name)| (name, allowed)).collect();
        let allowed = results.values().all(|allowed| *allowed);
        Ok(CheckView { allowed, results, subject: about.as_ref().map(|(somebody, _)| somebody.id()) })
    }
}

impl Example for CheckBody {
    fn example() -> Self {
        Self {
            subject: Some("2".into()),
            token: None,
            key: None,
            permissions: vec!["billing:invoices:read".into()],
        }
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
            subject: SubjectView::testuser(),
            roles: vec!["bookkeeper".into(), "user".into()],
            permissions: vec!["billing:invoices:*".into()],
        }
    }
}
