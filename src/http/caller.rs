//! Who is calling: the only place that reads credentials.
use poem::http::header::{AUTHORIZATION, HeaderMap};
use poem::{Request, RequestBody};
use poem_openapi::registry::{MetaSecurityScheme, Registry};
use poem_openapi::{ApiExtractor, ApiExtractorType, ExtractParamOptions};

use super::cookies::Cookies;
use super::csrf;
use super::envelope::Failure;
use super::gate::RequestInfo;
use crate::base::{Error, Id, Result};
use crate::rbac::Actor;
use crate::session::Session;

/// Turns a credential into the one it stands for. The application implements it; this folder knows no feature.
pub trait Authenticator: Send + Sync {
    /// Who holds an access token.
    ///
    /// # Errors
    /// `Error::InvalidToken`, `Error::TokenExpired` or `Error::TokenRevoked`; `Error::Unavailable` when the
    /// store does not serve.
    fn access_token(&self, token: &str) -> Result<Actor>;

    /// Whether somebody's roles allow a permission.
    ///
    /// # Errors
    /// `Error::Unavailable` when the store does not serve.
    fn allows(&self, actor: &Actor, permission: &str) -> Result<bool>;

    /// The token that proves that a page can read the cookies of a session.
    fn csrf_token(&self, session: Id<Session>) -> String;
}

/// How a credential came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Credential {
    /// `Authorization: Bearer`, which no browser sends by itself.
    Bearer,
    /// A cookie, which browsers send with every request.
    Cookie,
}

/// Somebody, and how they proved it.
#[derive(Debug, Clone)]
pub struct Presented {
    pub actor: Actor,
    pub credential: Credential,
}

/// The caller of an operation that needs one. Take it as the first argument: arguments are read in order, and
/// a caller without credentials must not learn what is wrong with its body.
pub struct Caller(pub Actor);

/// Whoever presented an access token; `None` when nobody did.
///
/// # Errors
/// Those of [`Authenticator::access_token`]; `Error::Malformed` for two credentials that disagree.
pub fn identify(
    authenticator: &dyn Authenticator,
    cookies: &Cookies,
    headers: &HeaderMap,
) -> Result<Option<Presented>> {
    let (bearer, cookie) = (bearer(headers)?, cookies.access(headers)?);
    let Some(token) = bearer.or(cookie) else { return Ok(None) };
    let actor = authenticator.access_token(token)?;
    let credential = if bearer.is_some() { Credential::Bearer } else { Credential::Cookie };
    if let (Some(_), Some(other)) = (bearer, cookie)
        && other != token
        && authenticator.access_token(other).is_ok_and(|other| other.token.session != actor.token.session)
    {
        return Err(Error::Malformed("The bearer token and the cookie belong to different sessions".into()));
    }
    Ok(Some(Presented { actor, credential }))
}

/// The token of `Authorization: Bearer …`; other schemes are not ours to read.
fn bearer(headers: &HeaderMap) -> Result<Option<&str>> {
    let mut all = headers.get_all(AUTHORIZATION).iter();
    let Some(first) = all.next() else { return Ok(None) };
    if all.next().is_some() {
        return Err(Error::Malformed("The header Authorization came twice".into()));
    }
    let text = first.to_str().map_err(|_| Error::InvalidToken)?;
    let (scheme, token) = text.split_once(' ').unwrap_or((text, ""));
    if !scheme.eq_ignore_ascii_case("bearer") {
        return Ok(None);
    }
    let token = token.trim();
    if token.is_empty() { Err(Error::InvalidToken) } else { Ok(Some(token)) }
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
    }

    fn security_schemes() -> Vec<&'static str> {
        vec!["bearer", "cookie"]
    }

    async fn from_request(
        request: &'a Request,
        _: &mut RequestBody,
        _: ExtractParamOptions<Self::ParamType>,
    ) -> poem::Result<Self> {
        Ok(resolve(request).map(Self).map_err(Failure)?)
    }
}

/// Who makes a request: the way for operations in which not everyone has to say so.
///
/// # Errors
/// `Error::Unauthenticated` without a credential; what is wrong with one that came.
pub fn resolve(request: &Request) -> Result<Actor> {
    let info = RequestInfo::of(request)?;
    let presented = info.presented.clone()?.ok_or(Error::Unauthenticated)?;
    if presented.credential == Credential::Cookie && !request.method().is_safe() {
        csrf::check_token(request.headers(), &info.authenticator.csrf_token(presented.actor.token.session))?;
    }
    Ok(presented.actor)
}
