//! The errors of RFC 6749 section 5.2 and its relatives, by name.
use std::borrow::Cow;

use poem::http::StatusCode;

use crate::http::ProtocolFailure;

/// How a client is asked to prove who it is (RFC 7617).
const BASIC: &str = "Basic realm=\"auth-service\", charset=\"UTF-8\"";

/// The client is not who it says, or not in the way that it has registered.
#[must_use]
pub fn invalid_client(why: impl Into<Cow<'static, str>>) -> ProtocolFailure {
    let failure = ProtocolFailure::new("invalid_client", why).with_status(StatusCode::UNAUTHORIZED);
    failure.with_challenge(BASIC)
}

/// A code, a refresh token or an assertion that is good for nothing.
#[must_use]
pub fn invalid_grant(why: impl Into<Cow<'static, str>>) -> ProtocolFailure {
    ProtocolFailure::new("invalid_grant", why)
}

#[must_use]
pub fn invalid_request(why: impl Into<Cow<'static, str>>) -> ProtocolFailure {
    ProtocolFailure::new("invalid_request", why)
}

#[must_use]
pub fn invalid_scope(why: impl Into<Cow<'static, str>>) -> ProtocolFailure {
    ProtocolFailure::new("invalid_scope", why)
}

/// RFC 8707 section 2.
#[must_use]
pub fn invalid_target(why: impl Into<Cow<'static, str>>) -> ProtocolFailure {
    ProtocolFailure::new("invalid_target", why)
}

/// The client may not come by tokens in this way.
#[must_use]
pub fn unauthorized_client(why: &'static str) -> ProtocolFailure {
    ProtocolFailure::new("unauthorized_client", why)
}
