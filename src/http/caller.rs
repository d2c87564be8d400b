//! Who is calling: the only place that reads credentials.
use std::net::IpAddr;
use std::sync::Arc;

use poem::http::header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue};
use poem::{Request, RequestBody};
use poem_openapi::registry::{MetaSecurityScheme, Registry};
use poem_openapi::{ApiExtractor, ApiExtractorType, ExtractParamOptions};

use super::cookies::Cookies;
use super::csrf;
use super::envelope::Failure;
use super::info::RequestInfo;
use crate::base::{Error, Id, Result};
use crate::rbac::{Actor, Initiator, SubjectId, Who};
use crate::session::Session;

const API_KEY: HeaderName = HeaderName::from_static("x-api-key");

/// Turns a credential into the one it stands for. The application implements it; this folder knows no feature.
pub trait Authenticator: Send + Sync {
    /// Who holds an API key, used from an address. `by` says, for one that is refused, who has tried.
    ///
    /// # Errors
    /// `Error::InvalidToken`, `Error::TokenExpired`, `Error::TokenRevoked` or `Error::WrongNetwork`;
    /// `Error::Unavailable` when the store does not serve.
    fn api_key(&self, key: &str, address: IpAddr, by: &dyn Fn() -> Initiator) -> Result<Actor>;

    /// Who holds an API key that somebody has shown, wherever it is used.
    ///
    /// # Errors
    /// As [`Authenticator::api_key`].
    fn shown_key(&self, key: &str) -> Result<Actor>;

    /// Who holds an access token.
    ///
    /// # Errors
    /// `Error::InvalidToken`, `Error::TokenExpired` or `Error::TokenRevoked`; `Error::Unavailable` when the
    /// store does not serve.
    fn access_token(&self, token: &str) -> Result<Actor>;

    /// Whether somebody may do what needs a permission.
    ///
    /// # Errors
    /// `Error::PasswordChangeRequired` for whoever has to change its password first, `Error::MfaEnrolmentRequired` for
    /// whoever has to set up a second factor; `Error::Unavailable` when the store does not serve.
    fn allows(&self, actor: &Actor, permission: &str) -> Result<bool>;

    /// Whether somebody can do nothing yet but set its own account in order.
    ///
    /// # Errors
    /// `Error::Unavailable` when the store does not serve.
    fn is_limited(&self, actor: &Actor) -> Result<bool>;

    /// Whether somebody has proven not long ago, and strongly enough, who it is.
    ///
    /// # Errors
    /// `Error::ReauthenticationRequired`; `Error::Unavailable` when the store does not serve.
    fn check_recent(&self, actor: &Actor) -> Result<()>;

    /// The token that proves that a page can read the cookies of a session.
    fn csrf_token(&self, session: Id<Session>) -> String;

    /// Hears of a request that was refused, for whoever keeps account of it.
    fn refused(&self, by: Initiator, method: &str, path: &str, error: &Error);
}

/// How a credential came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Credential {
    /// `Authorization: Bearer`, which no browser sends by itself.
    Bearer,
    /// A cookie, which browsers send with every request.
    Cookie,
    /// `X-API-Key`.
    Key,
}

/// Somebody, and how they proved it.
#[derive(Debug, Clone)]
pub struct Presented {
    pub actor: Actor,
    pub credential: Credential,
}

/// The caller of an operation that needs one. Take it as the first argument: arguments are read in order, and
/// a caller without credentials must not learn what is wrong with its body.
pub struct Caller {
    pub actor: Actor,
    info: Arc<RequestInfo>,
}

impl Caller {
    /// Who begins what this request begins.
    #[must_use]
    pub fn initiator(&self) -> Initiator {
        self.info.initiator(self.actor.who())
    }

    /// Refuses a program that acts with a key of a user on this very user: no key changes how its owner gets in.
    ///
    /// # Errors
    /// `Error::Forbidden` naming `permission`.
    pub fn check_not_own_by_key(&self, user: u64, permission: &'static str) -> Result<()> {
        if self.actor.token().is_none() && self.actor.subject.id() == SubjectId::User(user) {
            return Err(Error::Forbidden(permission.into()));
        }
        Ok(())
    }

    /// Refuses a caller whose login is too old, or too weak: where it depends on the body whether one is needed.
    ///
    /// # Errors
    /// Those of [`Authenticator::check_recent`].
    pub fn check_recent(&self) -> Result<()> {
        self.info.authenticator.check_recent(&self.actor)
    }
}

/// Whoever presented an access token; `None` when nobody did.
///
/// # Errors
/// Those of [`Authenticator::access_token`]; `Error::Malformed` for two credentials that disagree.
pub fn identify(
    authenticator: &dyn Authenticator,
    cookies: &Cookies,
    headers: &HeaderMap,
    address: IpAddr,
    by: &dyn Fn() -> Initiator,
) -> Result<Option<Presented>> {
    let key = single(headers, &API_KEY, "The header X-API-Key came twice")?;
    let (bearer, cookie) = (bearer(headers)?, cookies.access(headers)?);
    if let Some(key) = key {
        if bearer.is_some() || cookie.is_some_and(|cookie| authenticator.access_token(cookie).is_ok()) {
            return Err(Error::Malformed(
                "The request has an API key and a token: which shall count?".into(),
            ));
        }
        let actor = authenticator.api_key(key.to_str().map_err(|_| Error::InvalidToken)?, address, by)?;
        return Ok(Some(Presented { actor, credential: Credential::Key }));
    }
    let Some(token) = bearer.or(cookie) else { return Ok(None) };
    let actor = authenticator.access_token(token)?;
    let credential = if bearer.is_some() { Credential::Bearer } else { Credential::Cookie };
    // Only sessions have cookies, and with them what keeps other pages from using these.
    if credential == Credential::Cookie && actor.session().is_none() {
        return Err(Error::InvalidToken);
    }
    if let (Some(_), Some(other)) = (bearer, cookie)
        && other != token
        && authenticator.access_token(other).is_ok_and(|other| other.session() != actor.session())
    {
        return Err(Error::Malformed("The bearer token and the cookie belong to different sessions".into()));
    }
    Ok(Some(Presented { actor, credential }))
}

/// The token of `Authorization: Bearer …`; other schemes are not ours to read. Tokens of sessions are bound to no key: one
/// that comes as if it were (RFC 9449 section 7.1) is none.
fn bearer(headers: &HeaderMap) -> Result<Option<&str>> {
    let first = single(headers, &AUTHORIZATION, "The header Authorization came twice")?;
    let Some(first) = first else { return Ok(None) };
    let text = first.to_str().map_err(|_| Error::InvalidToken)?;
    let (scheme, token) = text.split_once(' ').unwrap_or((text, ""));
    if scheme.eq_ignore_ascii_case("dpop") {
        return Err(Error::InvalidToken);
    }
    if !scheme.eq_ignore_ascii_case("bearer") {
        return Ok(None);
    }
    let token = token.trim();
    if token.is_empty() { Err(Error::InvalidToken) } else { Ok(Some(token)) }
}

fn single<'h>(
    headers: &'h HeaderMap,
    name: &HeaderName,
    twice: &'static str,
) -> Result<Option<&'h HeaderValue>> {
    let mut all = headers.get_all(name).iter();
    let first = all.next();
    if all.next().is_some() { Err(Error::Malformed(twice.into())) } else { Ok(first) }
}

impl<'a> ApiExtractor<'a> for Caller {
    const TYPES: &'static [ApiExtractorType] = &[ApiExtractorType::SecurityScheme];
    type ParamType = ();
    type ParamRawType = ();

    fn register(registry: &mut Registry) {
        let scheme = |ty, description| MetaSecurityScheme {
            ty,
            description: Some(description),
            name: None,
            key_in: None,
            scheme: None,
            bearer_format: None,
            flows: None,
            openid_connect_url: None,
        };
        let bearer = scheme("http", "An access token from POST /auth/token");
        let bearer = MetaSecurityScheme { scheme: Some("bearer"), bearer_format: Some("JWT"), ..bearer };
        registry.create_security_scheme("bearer", bearer);
        let cookie = scheme(
            "apiKey",
            "The cookie that POST /auth/token sets. Unsafe requests need the header X-CSRF-Token, too, \
             with the value of the cookie csrf_access_token.",
        );
        let cookie =
            MetaSecurityScheme { name: Some("access_token_cookie"), key_in: Some("cookie"), ..cookie };
        registry.create_security_scheme("cookie", cookie);
        let key = scheme(
            "apiKey",
            "An API key from POST /auth/api-keys: it may do what the key may do, and no more.",
        );
        let key = MetaSecurityScheme { name: Some("X-API-Key"), key_in: Some("header"), ..key };
        registry.create_security_scheme("api_key", key);
    }

    fn security_schemes() -> Vec<&'static str> {
        vec!["bearer", "cookie", "api_key"]
    }

    async fn from_request(
        request: &'a Request,
        _: &mut RequestBody,
        _: ExtractParamOptions<Self::ParamType>,
    ) -> poem::Result<Self> {
        Ok(resolve(request).map_err(Failure)?)
    }
}

/// Whoever begins a session with a request, in a browser that may have done so before. The one that its browser is in ends with it, whosever it was: nobody who has
/// planted it, or has a copy of it, goes on in it (OWASP ASVS 7.2.4). What stands in a header says nothing about a browser.
///
/// # Errors
/// `Error::Internal` for a request that did not come through the gate.
pub fn newcomer(request: &Request, cookies: &Cookies) -> Result<Initiator> {
    let info = RequestInfo::of(request)?;
    let cookie = cookies.access(request.headers()).ok().flatten();
    let replaces = cookie.and_then(|token| info.authenticator.access_token(token).ok()?.session());
    let by = info.initiator(Who::Nobody).on_device(cookies.known_device(request.headers()));
    Ok(Initiator { replaces, ..by })
}

/// Who makes a request: the way for operations in which not everyone has to say so.
///
/// # Errors
/// `Error::Unauthenticated` without a credential; what is wrong with one that came.
pub fn resolve(request: &Request) -> Result<Caller> {
    let info = RequestInfo::of(request)?;
    let presented = info.presented.clone()?.ok_or(Error::Unauthenticated)?;
    let session = presented.actor.session().filter(|_| presented.credential == Credential::Cookie);
    if let Some(session) = session.filter(|_| !request.method().is_safe()) {
        csrf::check_token(request.headers(), &info.authenticator.csrf_token(session))?;
    }
    Ok(Caller { actor: presented.actor, info: Arc::clone(info) })
}
