//! The one way from an error to an HTTP answer, and the only place that knows status codes of errors.
use poem::error::{ReadBodyError, ResponseError};
use poem::http::header::{CONTENT_TYPE, HeaderName, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE};
use poem::http::{HeaderMap, StatusCode};
use poem::{IntoResponse, Response};
use poem_openapi::error::{ContentTypeError, ParsePathError};
use poem_openapi::registry::{MetaResponses, Registry};
use poem_openapi::types::Type;
use poem_openapi::{ApiResponse, Object};
use serde::Serialize;
use serde_json::{Value, json};

use super::protocol::{ProtocolFailure, is_registration};
use crate::base::{Error, FieldError, Timestamp};

/// The challenge of RFC 6750 section 3.
const CHALLENGE: &str = "Bearer realm=\"auth-service\"";
const CHALLENGE_BAD_TOKEN: &str = "Bearer realm=\"auth-service\", error=\"invalid_token\"";

/// What endpoints return on error: a domain error, still typed.
#[derive(Debug)]
pub struct Failure(pub Error);

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self(error)
    }
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

impl std::error::Error for Failure {}

impl ResponseError for Failure {
    fn status(&self) -> StatusCode {
        status(&self.0)
    }
}

/// A request that took longer than it may, and whose fault it was.
#[derive(Debug, PartialEq, Eq)]
pub enum TimedOut {
    /// The client's, who did not send the body in time.
    Reading,
    /// Ours.
    Working,
}

impl std::fmt::Display for TimedOut {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("The request took too long")
    }
}

impl std::error::Error for TimedOut {}

impl ResponseError for TimedOut {
    fn status(&self) -> StatusCode {
        StatusCode::SERVICE_UNAVAILABLE
    }
}

/// Which errors an operation can give is written by `http::spec`, which knows them all by name.
impl ApiResponse for Failure {
    fn meta() -> MetaResponses {
        MetaResponses { responses: Vec::new() }
    }

    fn register(registry: &mut Registry) {
        ErrorBody::register(registry);
    }
}

/// Every error but those whose form an RFC prescribes.
#[derive(Object, Serialize)]
pub struct ErrorBody {
    error: ErrorDetail,
}

#[derive(Object, Serialize)]
struct ErrorDetail {
    /// The stable code that programs read.
    code: String,
    /// A sentence for people.
    message: String,
    /// What more there is to know; `field` and `reason` of a bad value, `strength` of a weak password.
    details: Value,
    /// UTC, microseconds, without suffix.
    timestamp: String,
    /// The same as the header X-Request-Id.
    request_id: String,
}

/// The status of each kind of error.
#[must_use]
pub fn status(error: &Error) -> StatusCode {
    match error {
        Error::Invalid(_) | Error::Malformed(_) => StatusCode::BAD_REQUEST,
        Error::Unauthenticated
        | Error::InvalidCredentials
        | Error::PasskeyRefused
        | Error::MfaRequired(_)
        | Error::InvalidMfaCode
        | Error::InvalidToken
        | Error::TokenExpired
        | Error::TokenRevoked => StatusCode::UNAUTHORIZED,
        Error::Forbidden(_)
        | Error::Refused(_)
        | Error::WrongNetwork
        | Error::PasswordChangeRequired
        | Error::MfaEnrolmentRequired
        | Error::ReauthenticationRequired(_)
        | Error::CsrfFailed(_)
        | Error::EmailNotVerified
        | Error::AccountDisabled => StatusCode::FORBIDDEN,
        Error::NotFound(_) => StatusCode::NOT_FOUND,
        Error::RateLimited { .. } | Error::TooManyAttempts { .. } => StatusCode::TOO_MANY_REQUESTS,
        Error::Busy { .. } | Error::Unavailable(_) => StatusCode::SERVICE_UNAVAILABLE,
        Error::Internal(_) => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

/// After how many seconds it makes sense to try again.
#[must_use]
pub fn retry_after(error: &Error) -> Option<u64> {
    match error {
        Error::RateLimited { retry_after_secs, .. }
        | Error::TooManyAttempts { retry_after_secs }
        | Error::Busy { retry_after_secs } => Some(*retry_after_secs),
        Error::Unavailable(_) => Some(5),
        _ => None,
    }
}

/// An error ready to be written down.
struct Rendered {
    status: StatusCode,
    code: &'static str,
    message: String,
    details: Value,
    headers: HeaderMap,
}

/// The answer for any error, ours or the framework's; logs what went wrong inside.
#[must_use]
pub fn render(error: &poem::Error, request_id: &str, now: Timestamp) -> Response {
    let rendered = match domain_error(error) {
        Some(ours) => {
            log(&ours, request_id);
            render_ours(&ours)
        }
        None => render_framework(error, request_id),
    };
    let detail = ErrorDetail {
        code: rendered.code.to_owned(),
        message: rendered.message,
        details: rendered.details,
        timestamp: now.contract_form(),
        request_id: request_id.to_owned(),
    };
    let body = serde_json::to_vec(&ErrorBody { error: detail }).unwrap_or_default();
    let mut response = Response::builder().status(rendered.status).body(body);
    *response.headers_mut() = rendered.headers;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json; charset=utf-8"));
    response
}

/// The answer for any error at an endpoint whose errors have the form of RFC 6749.
#[must_use]
pub fn render_protocol(error: &poem::Error, path: &str, request_id: &str) -> Response {
    let failure = match (error.downcast_ref::<ProtocolFailure>(), domain_error(error)) {
        (Some(failure), _) => failure.clone(),
        (_, Some(ours)) => {
            log(&ours, request_id);
            if is_registration(path) { ProtocolFailure::of_metadata(ours) } else { ours.into() }
        }
        _ => ProtocolFailure::of_status(render_framework(error, request_id).status),
    };
    failure.into_response()
}

/// The errors of the framework that are ours by meaning.
pub(super) fn domain_error(error: &poem::Error) -> Option<Error> {
    if let Some(Failure(ours)) = error.downcast_ref() {
        return Some(ours.clone());
    }
    match error.downcast_ref::<ReadBodyError>() {
        Some(ReadBodyError::Io(_)) => Some(Error::Malformed("The body could not be read".into())),
        _ => None,
    }
}

fn render_ours(error: &Error) -> Rendered {
    let mut headers = HeaderMap::new();
    match error {
        Error::Unauthenticated => set(&mut headers, WWW_AUTHENTICATE, CHALLENGE),
        Error::InvalidToken | Error::TokenExpired | Error::TokenRevoked => {
            set(&mut headers, WWW_AUTHENTICATE, CHALLENGE_BAD_TOKEN);
        }
        _ => {}
    }
    if let Some(seconds) = retry_after(error) {
        headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
    }
    let details = match error {
        Error::Invalid(wrong) => details_of(wrong),
        Error::Forbidden(permission) => json!({"permission": permission}),
        Error::MfaRequired(lacking) => {
            json!({"mfa_token": lacking.mfa_token.expose(), "methods": lacking.methods})
        }
        Error::ReauthenticationRequired(methods) => json!({"methods": methods}),
        _ => json!({}),
    };
    Rendered { status: status(error), code: error.code(), message: error.to_string(), details, headers }
}

/// Which field is wrong and why; of a weak password how weak it is, too.
fn details_of(wrong: &FieldError) -> Value {
    let mut details = json!({"field": wrong.field, "reason": wrong.reason});
    if let Some(strength) = &wrong.strength {
        details["strength"] = json!({
            "score": strength.score,
            "guesses_log10": f64::from(strength.hundredths_of_log10) / 100.0,
            "warning": strength.warning,
            "suggestions": strength.suggestions,
        });
    }
    details
}

fn set(headers: &mut HeaderMap, name: HeaderName, value: &'static str) {
    headers.insert(name, HeaderValue::from_static(value));
}

fn render_framework(error: &poem::Error, request_id: &str) -> Rendered {
    let mut headers = HeaderMap::new();
    let slow = error.downcast_ref::<TimedOut>();
    let (status, code, message) = if let Some(slow) = slow {
        set(&mut headers, RETRY_AFTER, "5");
        (slow.status(), "TIMEOUT", slow.to_string())
    } else if error.is::<ContentTypeError>() {
        (StatusCode::UNSUPPORTED_MEDIA_TYPE, "UNSUPPORTED_MEDIA_TYPE", error.to_string())
    } else if error.is::<ParsePathError>() {
        by_status(StatusCode::NOT_FOUND)
    } else {
        by_status(error.status())
    };
    // Whoever sends slowly shall not fill the log, too.
    if status.is_server_error() && slow != Some(&TimedOut::Reading) {
        tracing::error!(request_id, cause = %error, "request failed");
    } else {
        tracing::debug!(request_id, code, "request refused");
    }
    Rendered { status, code, message, details: json!({}), headers }
}

fn by_status(status: StatusCode) -> (StatusCode, &'static str, String) {
    let (code, message) = match status {
        StatusCode::NOT_FOUND => ("NOT_FOUND", "There is nothing at this path"),
        StatusCode::METHOD_NOT_ALLOWED => ("METHOD_NOT_ALLOWED", "This path does not take this method"),
        StatusCode::UNSUPPORTED_MEDIA_TYPE => ("UNSUPPORTED_MEDIA_TYPE", "This media type is not taken here"),
        StatusCode::PAYLOAD_TOO_LARGE => ("PAYLOAD_TOO_LARGE", "The body is too large"),
        status if status.is_client_error() => {
            return (StatusCode::BAD_REQUEST, "MALFORMED_REQUEST", "The request cannot be read".to_owned());
        }
        _ => {
            return (StatusCode::INTERNAL_SERVER_ERROR, "INTERNAL_ERROR", "Internal server error".to_owned());
        }
    };
    (status, code, message.to_owned())
}

/// A failure is logged once, here: causes inside at error, refusals at debug.
fn log(error: &Error, request_id: &str) {
    match error {
        Error::Internal(cause) | Error::Unavailable(cause) => {
            tracing::error!(request_id, cause, "request failed");
        }
        other => tracing::debug!(request_id, code = other.code(), "request refused"),
    }
}

/// The answer that stands in for a panic.
#[must_use]
pub fn panicked() -> poem::Error {
    Failure(Error::internal("a handler panicked")).into()
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        poem::Error::from(self).into_response()
    }
}
