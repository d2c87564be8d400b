//! `/auth/passkeys`: the passkeys of whoever asks, and logging in with them; `/users/{id}/passkeys`: those of others.
use std::sync::Arc;

use poem::Request;
use poem_openapi::param::Path;
use poem_openapi::types::Example;
use poem_openapi::{Object, OpenApi};
use serde::Serialize;

use super::model::parse_name;
use super::service::{Passkeys, Reply};
use super::view::{
    FinishLoginBody, FinishRegistrationBody, PasskeyList, PasskeyView, QuestionView, RenameBody,
    StartLoginBody, StartRegistrationBody,
};
use crate::base::{Error, Id, PageRequest, Result};
use crate::http::{
    Caller, Cookies, Created, Done, Failure, Json, May, Query, Recent, WithCookies, newcomer, spec,
};
use crate::rbac::Named;
use crate::rbac::permission::{AccountFactors, UsersFactors};
use crate::session::Session;
use crate::session::http::{TokenView, cookies_of};
use crate::users::Users;

/// Passkeys.
pub struct PasskeyApi {
    pub passkeys: Passkeys,
    pub users: Users,
    pub cookies: Arc<Cookies>,
}

/// The errors that the form of these operations does not tell.
pub const ERRORS: &[spec::OperationErrors] = &[
    ("start_passkey_registration", &["REAUTHENTICATION_REQUIRED"]),
    ("finish_passkey_registration", &["NOT_FOUND"]),
    ("start_passkey_login", &["VALIDATION_ERROR"]),
    (
        "finish_passkey_login",
        &["INVALID_CREDENTIALS", "ACCOUNT_DISABLED", "TOO_MANY_ATTEMPTS", "SERVICE_UNAVAILABLE"],
    ),
    ("rename_passkey", &["NOT_FOUND"]),
    ("remove_passkey", &["REAUTHENTICATION_REQUIRED", "NOT_FOUND", "VALIDATION_ERROR"]),
    ("list_user_passkeys", &["NOT_FOUND"]),
    ("remove_user_passkey", &["REAUTHENTICATION_REQUIRED", "NOT_FOUND", "VALIDATION_ERROR"]),
    ("get_related_origins", &["NOT_FOUND"]),
];

/// Which permission each operation needs.
pub const PERMISSIONS: &[spec::OperationPermission] = &[
    ("start_passkey_registration", AccountFactors::NAME),
    ("finish_passkey_registration", AccountFactors::NAME),
    ("list_passkeys", AccountFactors::NAME),
    ("rename_passkey", AccountFactors::NAME),
    ("remove_passkey", AccountFactors::NAME),
    ("list_user_passkeys", UsersFactors::NAME),
    ("remove_user_passkey", UsersFactors::NAME),
];

#[derive(Object, Serialize)]
#[oai(example)]
struct RelatedOrigins {
    origins: Vec<String>,
}

#[OpenApi]
impl PasskeyApi {
    /// Begin to register a passkey
    ///
    /// `options` goes to `navigator.credentials.create()`. The passkey can be found by the authenticator itself, and verifies
    /// its user.
    #[oai(
        path = "/auth/passkeys/register/start",
        method = "post",
        operation_id = "start_passkey_registration"
    )]
    async fn start_registration(
        &self,
        caller: Recent<AccountFactors>,
        body: Json<StartRegistrationBody>,
    ) -> Result<Json<QuestionView>, Failure> {
        let (user, session) = (caller.actor.user()?, session_of(&caller)?);
        let name = body.0.name.as_deref().map(parse_name).transpose()?;
        Ok(Json(QuestionView::of(self.passkeys.start_registration(user, session, name).await?)))
    }

    /// Register the passkey that was asked for
    #[oai(
        path = "/auth/passkeys/register/finish",
        method = "post",
        operation_id = "finish_passkey_registration"
    )]
    async fn finish_registration(
        &self,
        caller: May<AccountFactors>,
        body: Json<FinishRegistrationBody>,
    ) -> Result<Created<PasskeyView>, Failure> {
        let (user, session) = (caller.actor.user()?, session_of(&caller)?);
        let made =
            self.passkeys.finish_registration(caller.initiator(), user, session, body.0.read()?).await?;
        Ok(Created(PasskeyView::of(made)))
    }

    /// Begin a login with a passkey
    ///
    /// `options` goes to `navigator.credentials.get()`, with `mediation: "conditional"` where the browser is to offer passkeys
    /// in a form. It is the same for everybody.
    #[oai(path = "/auth/passkeys/login/start", method = "post", operation_id = "start_passkey_login")]
    async fn start_login(&self, body: Json<StartLoginBody>) -> Result<Json<QuestionView>, Failure> {
        let StartLoginBody { username: _ } = body.0;
        Ok(Json(QuestionView::of(self.passkeys.start_login()?)))
    }

    /// Log in with a passkey and receive tokens
    ///
    /// The answer is that of POST /auth/token. No second factor is asked for: a passkey whose user was verified is two.
    #[oai(path = "/auth/passkeys/login/finish", method = "post", operation_id = "finish_passkey_login")]
    async fn finish_login(
        &self,
        request: &Request,
        body: Json<FinishLoginBody>,
    ) -> Result<WithCookies<Json<TokenView>>, Failure> {
        let by = newcomer(request, &self.cookies)?;
        let FinishLoginBody { challenge_id, credential, trust_device_days } = body.0;
        let reply = Reply { challenge_id, credential: credential.0 };
        let logged_in = self.passkeys.log_in(by, reply, trust_device_days).await?;
        let mut cookies = cookies_of(&self.cookies, &logged_in.granted)?;
        if let Some(value) = &logged_in.known_device {
            cookies.push(self.cookies.of_known_device(value)?);
        }
        if let Some((token, lifetime)) = &logged_in.device {
            cookies.push(self.cookies.of_trusted_device(token.expose(), *lifetime)?);
        }
        Ok(WithCookies(Json(TokenView::of(&logged_in.granted)), cookies))
    }

    /// List my passkeys, the oldest first
    #[oai(path = "/auth/passkeys", method = "get", operation_id = "list_passkeys")]
    async fn list(
        &self,
        caller: May<AccountFactors>,
        /// 1 to 200
        limit: Query<Option<i64>>,
        /// `next_cursor` of the page before
        cursor: Query<Option<String>>,
    ) -> Result<Json<PasskeyList>, Failure> {
        let request = PageRequest::parse(limit.0, cursor.0.as_deref())?;
        Ok(Json(PasskeyList::of(self.passkeys.list(caller.actor.user()?.id, request).await?)))
    }

    /// Give one of my passkeys another name
    #[oai(path = "/auth/passkeys/:id", method = "patch", operation_id = "rename_passkey")]
    async fn rename(
        &self,
        caller: May<AccountFactors>,
        id: Path<String>,
        body: Json<RenameBody>,
    ) -> Result<Json<PasskeyView>, Failure> {
        session_of(&caller)?;
        let (user, name) = (caller.actor.user()?.id, parse_name(&body.0.name)?);
        let renamed = self.passkeys.rename(caller.initiator(), user, id.0.parse()?, name).await?;
        Ok(Json(PasskeyView::of(renamed)))
    }

    /// Remove one of my passkeys
    ///
    /// Never the last way into an account: one without a password keeps its last passkey. All my other sessions end.
    #[oai(path = "/auth/passkeys/:id", method = "delete", operation_id = "remove_passkey")]
    async fn remove(&self, caller: Recent<AccountFactors>, id: Path<String>) -> Result<Done, Failure> {
        let (user, session) = (caller.actor.user()?.id, session_of(&caller)?);
        self.passkeys.remove(caller.initiator(), user, id.0.parse()?, session).await?;
        Ok(Done)
    }

    /// List the passkeys of an account, the oldest first
    #[oai(path = "/users/:id/passkeys", method = "get", operation_id = "list_user_passkeys")]
    async fn list_of(
        &self,
        _caller: May<UsersFactors>,
        id: Path<u64>,
        /// 1 to 200
        limit: Query<Option<i64>>,
        /// `next_cursor` of the page before
        cursor: Query<Option<String>>,
    ) -> Result<Json<PasskeyList>, Failure> {
        let request = PageRequest::parse(limit.0, cursor.0.as_deref())?;
        let user = self.users.read(id.0)?.id;
        Ok(Json(PasskeyList::of(self.passkeys.list(user, request).await?)))
    }

    /// Remove a passkey of an account
    ///
    /// All its sessions end. Where a password asked for a passkey, too, and this was the last, it asks no more.
    #[oai(path = "/users/:id/passkeys/:passkey", method = "delete", operation_id = "remove_user_passkey")]
    async fn remove_of(
        &self,
        caller: Recent<UsersFactors>,
        id: Path<u64>,
        passkey: Path<String>,
    ) -> Result<Done, Failure> {
        caller.check_not_own_by_key(id.0, UsersFactors::NAME)?;
        self.passkeys.remove_of(caller.initiator(), id.0, passkey.0.parse()?).await?;
        Ok(Done)
    }

    /// Origins whose pages may use the passkeys of this server, too
    ///
    /// Browsers ask it of the domain that passkeys are made for. There is no such path while no origins are set.
    #[oai(path = "/.well-known/webauthn", method = "get", operation_id = "get_related_origins")]
    async fn related_origins(&self) -> Result<Json<RelatedOrigins>, Failure> {
        let origins = self.passkeys.reach.related.clone();
        if origins.is_empty() {
            return Err(Error::NotFound("list of related origins").into());
        }
        Ok(Json(RelatedOrigins { origins }))
    }
}

/// The session that asks. A key was given its rights to act, not to change how its owner gets in.
fn session_of(caller: &Caller) -> Result<Id<Session>> {
    caller.actor.session().ok_or(Error::Forbidden(AccountFactors::NAME.into()))
}

impl Example for RelatedOrigins {
    fn example() -> Self {
        Self { origins: vec!["https://shop.example.com".into()] }
    }
}
