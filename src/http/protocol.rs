//! The endpoints of OAuth 2.0, whose errors have the form of RFC 6749 section 5.2. Programs call them, with credentials of
//! their own: no cookie says anything there, and pages of any origin may ask.
use std::borrow::Cow;

use poem::error::ResponseError;
use poem::http::header::{
    CACHE_CONTROL, CONTENT_TYPE, HeaderName, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE,
};
use poem::http::{HeaderMap, StatusCode};
use poem::{IntoResponse, Response};
use poem_openapi::registry::{MetaResponses, Registry};
use poem_openapi::types::{Example, Type};
use poem_openapi::{ApiResponse, Object};
use serde::Serialize;

use super::envelope::status;
use super::json;
use crate::base::{Error, FieldError};

const DPOP_NONCE: HeaderName = HeaderName::from_static("dpop-nonce");
/// What lies below `/oauth2`, but for what people see in a browser.
const ENDPOINTS: &[&str] =
    &["token", "userinfo", "introspect", "revoke", "par", "device_authorization", "register"];

/// Whether a path is one of those endpoints, or lies below one.
#[must_use]
pub fn is_protocol(path: &str) -> bool {
    let first = path.strip_prefix("/oauth2/").and_then(|rest| rest.split('/').next());
    first.is_some_and(|first| ENDPOINTS.contains(&first))
}

/// Whether a path is one where clients say what they are.
#[must_use]
pub fn is_registration(path: &str) -> bool {
    path.strip_prefix("/oauth2/register").is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// Whether pages of any origin may read what a path answers: it depends on nothing that a browser sends by itself. Never the
/// authorization endpoint (RFC 9700 section 2.6).
#[must_use]
pub fn is_for_any_origin(path: &str) -> bool {
    is_protocol(path) || path.starts_with("/.well-known/") || path == "/oauth2/jwks"
}

/// An error in the form of RFC 6749 section 5.2, or of RFC 6750 section 3.1.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProtocolFailure {
    pub status: StatusCode,
    /// A word of a registry.
    pub error: &'static str,
    /// For whoever writes the client: ASCII, without `"` and `\`.
    pub description: Cow<'static, str>,
    /// How to do it right, beside a 401: each way for itself.
    pub challenges: Vec<String>,
    /// For the next proof (RFC 9449 section 8).
    pub dpop_nonce: Option<String>,
    pub retry_after_secs: Option<u64>,
}

/// What every error of these endpoints looks like.
#[derive(Object, Serialize)]
#[oai(example)]
struct ProtocolErrorBody {
    error: String,
    error_description: String,
}

impl ProtocolFailure {
    /// An error of status 400.
    pub fn new(error: &'static str, description: impl Into<Cow<'static, str>>) -> Self {
        Self {
            status: StatusCode::BAD_REQUEST,
            error,
            description: description.into(),
            challenges: Vec::new(),
            dpop_nonce: None,
            retry_after_secs: None,
        }
    }

    /// The same with another status.
    #[must_use]
    pub fn with_status(self, status: StatusCode) -> Self {
        Self { status, ..self }
    }

    /// The same with a challenge, or one more (RFC 9110 section 11.6.1).
    #[must_use]
    pub fn with_challenge(mut self, challenge: impl Into<String>) -> Self {
        self.challenges.push(challenge.into());
        self
    }

    /// The same with a nonce for the next proof.
    #[must_use]
    pub fn with_dpop_nonce(self, nonce: impl Into<Option<String>>) -> Self {
        Self { dpop_nonce: nonce.into(), ..self }
    }

    /// The error for what a client says of itself (RFC 7591 section 3.2.2).
    #[must_use]
    pub fn of_metadata(error: Error) -> Self {
        let word = match &error {
            Error::Invalid(wrong) if wrong.field == "redirect_uris" => "invalid_redirect_uri",
            Error::Invalid(_) | Error::Malformed(_) => "invalid_client_metadata",
            _ => return error.into(),
        };
        Self { error: word, ..error.into() }
    }

    /// The error for what the framework found.
    #[must_use]
    pub fn of_status(status: StatusCode) -> Self {
        let (error, description) = match status {
            StatusCode::METHOD_NOT_ALLOWED => ("invalid_request", "this endpoint does not take this method"),
            StatusCode::PAYLOAD_TOO_LARGE => ("invalid_request", "the body is too large"),
            StatusCode::UNSUPPORTED_MEDIA_TYPE => {
                ("invalid_request", "this endpoint does not take a body of this media type")
            }
            StatusCode::NOT_FOUND => ("invalid_request", "there is no such endpoint"),
            StatusCode::SERVICE_UNAVAILABLE => ("temporarily_unavailable", "the request took too long"),
            status if status.is_server_error() => ("server_error", "something went wrong; the log has it"),
            _ => ("invalid_request", "the request cannot be read"),
        };
        Self::new(error, description).with_status(status)
    }
}

impl From<Error> for ProtocolFailure {
    fn from(error: Error) -> Self {
        let retry_after_secs = match &error {
            Error::RateLimited { retry_after_secs, .. }
            | Error::TooManyAttempts { retry_after_secs }
            | Error::Busy { retry_after_secs } => Some(*retry_after_secs),
            Error::Unavailable(_) => Some(1),
            _ => None,
        };
        let status = status(&error);
        let failure = match &error {
            Error::Invalid(FieldError { field, reason, .. }) => {
                Self::new("invalid_request", clean(&format!("{field} {reason}")))
            }
            Error::Malformed(text) => Self::new("invalid_request", clean(text)),
            Error::RateLimited { .. }
            | Error::TooManyAttempts { .. }
            | Error::Busy { .. }
            | Error::Unavailable(_) => Self::new("temporarily_unavailable", clean(&error.to_string())),
            Error::InvalidToken | Error::TokenExpired | Error::TokenRevoked => {
                Self::new("invalid_token", clean(&error.to_string()))
            }
            Error::Internal(_) => Self::new("server_error", "something went wrong; the log has it"),
            other => Self::new("access_denied", clean(&other.to_string())),
        };
        Self { retry_after_secs, ..failure.with_status(status) }
    }
}

/// What may stand in `error_description` (RFC 6749 section 5.2).
fn clean(text: &str) -> Cow<'static, str> {
    let allowed = |c: char| if matches!(c, ' '..='~') && !matches!(c, '"' | '\\') { c } else { '\'' };
    text.chars().map(allowed).collect::<String>().into()
}

impl std::fmt::Display for ProtocolFailure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.error, self.description)
    }
}

impl std::error::Error for ProtocolFailure {}

impl ResponseError for ProtocolFailure {
    fn status(&self) -> StatusCode {
        self.status
    }
}

impl IntoResponse for ProtocolFailure {
    fn into_response(self) -> Response {
        let body = ProtocolErrorBody {
            error: self.error.to_owned(),
            error_description: self.description.into_owned(),
        };
        let mut response = json::Json(body).into_response();
        response.set_status(self.status);
        let headers = response.headers_mut();
        for challenge in self.challenges.into_iter().filter_map(|text| HeaderValue::try_from(text).ok()) {
            headers.append(WWW_AUTHENTICATE, challenge);
        }
        if let Some(nonce) = self.dpop_nonce {
            put_dpop_nonce(headers, nonce);
        }
        if let Some(seconds) = self.retry_after_secs {
            headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}

/// Which errors there are is written by `http::spec`.
impl ApiResponse for ProtocolFailure {
    fn meta() -> MetaResponses {
        MetaResponses { responses: Vec::new() }
    }

    fn register(registry: &mut Registry) {
        ProtocolErrorBody::register(registry);
    }
}

impl Example for ProtocolErrorBody {
    fn example() -> Self {
        Self {
            error: "invalid_grant".into(),
            error_description: "the code was redeemed already, or is over".into(),
        }
    }
}

/// Writes the nonce for the next proof (RFC 9449 section 8.2).
pub fn put_dpop_nonce(headers: &mut HeaderMap, nonce: String) {
    if let Ok(nonce) = HeaderValue::try_from(nonce) {
        headers.insert(DPOP_NONCE, nonce);
    }
}

/// The answer of an endpoint that must not be kept anywhere (RFC 6749 section 5.1).
pub fn keep_nowhere(headers: &mut HeaderMap) {
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.entry(CONTENT_TYPE).or_insert(HeaderValue::from_static("application/json; charset=utf-8"));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_programs_call_is_told_from_what_people_see() {
        for path in ["/oauth2/token", "/oauth2/userinfo", "/oauth2/token/x"] {
            assert!(is_protocol(path), "{path}");
        }
        for path in ["/oauth2/authorize", "/oauth2/logout", "/oauth2/tokens", "/oauth2", "/auth/token", "/"] {
            assert!(!is_protocol(path) && !is_for_any_origin(path), "{path}");
        }
        for path in ["/.well-known/openid-configuration", "/oauth2/token", "/oauth2/jwks"] {
            assert!(is_for_any_origin(path), "{path}");
        }
        assert!(!is_protocol("/oauth2/jwks"), "no RFC says what its errors look like");
    }

    #[test]
    fn a_description_has_only_what_it_may_have() {
        let failure = ProtocolFailure::from(Error::invalid("sc\"ope", "ä\\\n"));
        assert_eq!(failure.description, "sc'ope '''");
    }
}
