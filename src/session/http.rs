//! The session endpoints: wire types in, a service call, wire types out.
use std::sync::Arc;

use poem::Request;
use poem::http::HeaderValue;
use poem_openapi::param::Path;
use poem_openapi::types::Example;
use poem_openapi::{Object, OpenApi};
use serde::Serialize;

use super::model::Session;
use super::service::Sessions;
use super::tokens::Granted;
use crate::base::{Error, Id, Page, PageRequest, Result};
use crate::http::{Caller, Cookies, Done, Failure, Json, May, Query, RequestInfo, WithCookies, csrf, spec};
use crate::rbac::permission::{AccountRead, AccountWrite};
use crate::rbac::{Named, Who};

/// Refresh, logout and sessions.
pub struct SessionApi {
    pub sessions: Sessions,
    pub cookies: Arc<Cookies>,
}

/// The errors that the form of these operations does not tell.
pub const ERRORS: &[spec::OperationErrors] = &[
    (
        "refresh_token",
        &["UNAUTHORIZED", "INVALID_TOKEN", "TOKEN_EXPIRED", "TOKEN_REVOKED", "SERVICE_UNAVAILABLE"],
    ),
    ("revoke_session", &["NOT_FOUND"]),
];

/// Which permission each operation needs.
pub const PERMISSIONS: &[spec::OperationPermission] = &[
    ("list_sessions", AccountRead::NAME),
    ("revoke_session", AccountWrite::NAME),
    ("revoke_other_sessions", AccountWrite::NAME),
];

#[derive(Object, Serialize)]
#[oai(example)]
pub struct TokenView {
    access_token: String,
    token_type: String,
    /// Always null: the refresh token is in an HttpOnly cookie.
    refresh_token: Option<String>,
}

#[derive(Object, Serialize)]
#[oai(example)]
struct MessageView {
    message: String,
}

/// A session as its user sees it.
#[derive(Object, Serialize)]
#[oai(example)]
pub struct SessionView {
    id: String,
    /// Whether this request belongs to it.
    current: bool,
    created_at: String,
    /// When it was last refreshed.
    refreshed_at: String,
    expires_at: String,
    /// Where its login came from.
    address: String,
    user_agent: String,
}

#[derive(Object, Serialize)]
#[oai(example)]
pub struct SessionList {
    items: Vec<SessionView>,
    next_cursor: Option<String>,
}

#[derive(Object, Serialize)]
#[oai(example)]
struct EndedView {
    /// How many sessions were ended.
    ended: usize,
}

#[OpenApi]
impl SessionApi {
    /// Exchange the refresh token in the cookie for new tokens
    ///
    /// Needs the header `X-CSRF-Token`. The same token presented again within 30 seconds gets the same answer;
    /// later it ends the session.
    #[oai(path = "/auth/token/refresh", method = "post", operation_id = "refresh_token")]
    async fn refresh(&self, request: &Request) -> Result<WithCookies<Json<TokenView>>, Failure> {
        let text = self.cookies.refresh(request.headers())?.ok_or(Error::Unauthenticated)?;
        let presented = self.sessions.tokens.parse_refresh_token(text)?;
        let expected = self.sessions.tokens.csrf_token(Id::from_bytes(presented.session()));
        csrf::check_token(request.headers(), &expected)?;
        check_same_session(request, Id::from_bytes(presented.session()))?;
        let by = RequestInfo::of(request)?.initiator(Who::Nobody);
        let granted = self.sessions.refresh(by, &presented).await?;
        Ok(WithCookies(Json(TokenView::of(&granted)), cookies_of(&self.cookies, &granted)?))
    }

    /// Log out: the session and all its tokens end
    #[oai(path = "/auth/logout", method = "post", operation_id = "log_out")]
    async fn log_out(&self, caller: Caller) -> Result<WithCookies<Json<MessageView>>, Failure> {
        self.sessions.log_out(caller.initiator(), &caller.actor).await?;
        let message = MessageView { message: "Logout successful".to_owned() };
        Ok(WithCookies(Json(message), self.cookies.cleared()?))
    }

    /// List my sessions, the oldest first
    #[oai(path = "/auth/sessions", method = "get", operation_id = "list_sessions")]
    async fn list(
        &self,
        caller: May<AccountRead>,
        /// 1 to 200
        limit: Query<Option<i64>>,
        /// `next_cursor` of the page before
        cursor: Query<Option<String>>,
    ) -> Result<Json<SessionList>, Failure> {
        let request = PageRequest::parse(limit.0, cursor.0.as_deref())?;
        let page = self.sessions.list(caller.actor.user()?.id, request).await?;
        Ok(Json(SessionList::of(page, caller.actor.session())))
    }

    /// End one of my sessions
    #[oai(path = "/auth/sessions/:id", method = "delete", operation_id = "revoke_session")]
    async fn revoke(&self, caller: May<AccountWrite>, id: Path<String>) -> Result<Done, Failure> {
        self.sessions.revoke(caller.initiator(), caller.actor.user()?.id, id.0.parse()?).await?;
        Ok(Done)
    }

    /// End all my sessions but this one
    #[oai(path = "/auth/sessions", method = "delete", operation_id = "revoke_other_sessions")]
    async fn revoke_others(&self, caller: May<AccountWrite>) -> Result<Json<EndedView>, Failure> {
        let ended = self
            .sessions
            .revoke_all(caller.initiator(), caller.actor.user()?.id, caller.actor.session())
            .await?;
        Ok(Json(EndedView { ended }))
    }
}

/// The cookies of what a login or refresh gives.
///
/// # Errors
/// `Error::Internal` for a value that no header can hold.
pub fn cookies_of(cookies: &Cookies, granted: &Granted) -> Result<Vec<HeaderValue>> {
    let access = (granted.access_token.expose(), granted.access_lifetime);
    let refresh = (granted.refresh_token.expose(), granted.refresh_lifetime);
    let mut all = cookies.of_session(access, refresh, granted.csrf_token.expose())?;
    if let Some((value, lifetime)) = &granted.browser {
        all.push(cookies.of_browser(value.expose(), *lifetime)?);
    }
    Ok(all)
}

/// An access token that came along and is good must belong to the session that is refreshed.
fn check_same_session(request: &Request, session: Id<Session>) -> Result<()> {
    match &RequestInfo::of(request)?.presented {
        Ok(Some(other)) if other.actor.session() != Some(session) => Err(Error::Malformed(
            "The refresh token and the access token belong to different sessions".into(),
        )),
        _ => Ok(()),
    }
}

impl TokenView {
    /// What a login or refresh gives.
    #[must_use]
    pub fn of(granted: &Granted) -> Self {
        let access_token = granted.access_token.expose().to_owned();
        Self { access_token, token_type: "bearer".to_owned(), refresh_token: None }
    }
}

impl SessionView {
    /// A session; `current`: the one that asks.
    #[must_use]
    pub fn of(session: Session, current: Option<Id<Session>>) -> Self {
        Self {
            id: session.id.to_string(),
            current: Some(session.id) == current,
            created_at: session.created_at.rfc3339(),
            refreshed_at: session.refreshed_at.rfc3339(),
            expires_at: session.expires_at.rfc3339(),
            address: session.origin.address,
            user_agent: session.origin.user_agent,
        }
    }
}

impl SessionList {
    /// A page of sessions; `current`: the one that asks.
    #[must_use]
    pub fn of(page: Page<Session>, current: Option<Id<Session>>) -> Self {
        let items = page.items.into_iter().map(|session| SessionView::of(session, current)).collect();
        Self { items, next_cursor: page.next_cursor }
    }
}

impl Example for TokenView {
    fn example() -> Self {
        let access_token = "eyJ0eXAiOiJhdCtqd3QiLCJhbGciOiJFUzI1NiJ9...".into();
        Self { access_token, token_type: "bearer".into(), refresh_token: None }
    }
}

impl Example for MessageView {
    fn example() -> Self {
        Self { message: "Logout successful".into() }
    }
}

impl Example for SessionView {
    fn example() -> Self {
        Self {
            id: "0197731f8b2d4c6e9a0b1c2d3e4f5061".into(),
            current: true,
            created_at: "2025-06-15T11:09:03Z".into(),
            refreshed_at: "2025-06-15T11:20:00Z".into(),
            expires_at: "2025-07-15T11:20:00Z".into(),
            address: "203.0.113.7".into(),
            user_agent: "Mozilla/5.0".into(),
        }
    }
}

impl Example for SessionList {
    fn example() -> Self {
        Self { items: vec![SessionView::example()], next_cursor: None }
    }
}

impl Example for EndedView {
    fn example() -> Self {
        Self { ended: 2 }
    }
}
