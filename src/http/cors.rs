//! Cross-origin resource sharing, for an explicit list of origins (Fetch standard, «CORS protocol»).
use poem::http::header::{
    ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS,
    ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE,
    ACCESS_CONTROL_REQUEST_METHOD, HeaderMap, HeaderValue, ORIGIN,
};
use poem::http::{Method, StatusCode};
use poem::{IntoResponse, Request, Response};

use super::forward_path::is_forward;
use super::protocol::is_for_any_origin;
use crate::config::Origins;

const HEADERS: &str = "authorization, content-type, dpop, x-api-key, x-csrf-token, x-request-id";
const METHODS: &str = "GET, POST, PUT, PATCH, DELETE";
const EXPOSED: &str = "x-request-id, ratelimit, ratelimit-policy, retry-after";
const EXPOSED_TO_ANY: &str = "x-request-id, retry-after, www-authenticate, dpop-nonce";
const MAX_AGE: &str = "600";

/// The origin of a request, if its pages may call us.
#[must_use]
pub fn allowed_origin(headers: &HeaderMap, allowed: &Origins) -> Option<HeaderValue> {
    let origin = headers.get(ORIGIN)?;
    allowed.0.iter().any(|one| one.as_bytes() == origin.as_bytes()).then(|| origin.clone())
}

/// The answer to a preflight of an allowed origin.
#[must_use]
pub fn preflight(request: &Request, origin: Option<&HeaderValue>) -> Option<Response> {
    let asked = request.headers().contains_key(ACCESS_CONTROL_REQUEST_METHOD);
    let path = request.uri().path();
    let allowed = origin.is_some() || is_for_any_origin(path);
    // What a proxy passes on is meant for what is behind it: an answer of ours would let it through.
    if request.method() != Method::OPTIONS || !asked || !allowed || is_forward(path) {
        return None;
    }
    let mut response = StatusCode::NO_CONTENT.into_response();
    let headers = response.headers_mut();
    headers.insert(ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static(METHODS));
    headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, HeaderValue::from_static(HEADERS));
    headers.insert(ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static(MAX_AGE));
    Some(response)
}

/// Lets the pages of an allowed origin read an answer.
pub fn allow(headers: &mut HeaderMap, origin: HeaderValue) {
    headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
    headers.insert(ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
    headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static(EXPOSED));
}

/// Lets the pages of any origin read an answer; what they ask for comes without cookies.
pub fn allow_any(headers: &mut HeaderMap) {
    headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static(EXPOSED_TO_ANY));
}
