//! Cross-site request forgery: where a request was made, and a proof that its page could read our cookie.
use poem::Request;
use poem::http::header::{HOST, HeaderMap, ORIGIN};
use poem::http::uri::Authority;

use crate::base::{Error, Result, constant_time_eq};
use crate::config::{Origins, PublicUrl};

/// The header that a page sends the readable cookie back in.
pub const HEADER: &str = "x-csrf-token";
const FETCH_SITE: &str = "sec-fetch-site";

const FOREIGN: Error = Error::CsrfFailed("The request comes from a page of another origin");

/// Refuses an unsafe request that a browser made for a page of another origin. Requests without `Origin` are not
/// a browser's: browsers send it with every unsafe request (Fetch standard, «append a request Origin header»). Should
/// one not, `Sec-Fetch-Site` tells (W3C Fetch Metadata section 2.4).
///
/// # Errors
/// `Error::CsrfFailed`.
pub fn check_origin(request: &Request, own: &PublicUrl, allowed: &Origins) -> Result<()> {
    let headers = request.headers();
    let Some(origin) = headers.get(ORIGIN) else {
        let foreign = headers.get(FETCH_SITE).is_some_and(|site| site == "cross-site");
        return if foreign { Err(FOREIGN) } else { Ok(()) };
    };
    let origin = origin.to_str().unwrap_or_default();
    let same_host = || {
        // HTTP/2 says it in the request's target (RFC 9113 section 8.3.1).
        let target = || request.original_uri().authority().map(Authority::as_str);
        let host = headers.get(HOST).and_then(|host| host.to_str().ok()).or_else(target);
        let named = origin.split_once("://").map(|(_, host)| host);
        // Behind a TLS proxy the scheme differs; over plain http another name for this machine does.
        !own.is_https() && host.is_some() && host == named
    };
    if origin == own.origin() || allowed.0.iter().any(|one| one == origin) || same_host() {
        Ok(())
    } else {
        Err(FOREIGN)
    }
}

/// Compares `X-CSRF-Token` with the token that the session's readable cookie holds.
///
/// # Errors
/// `Error::CsrfFailed`.
pub fn check_token(headers: &HeaderMap, expected: &str) -> Result<()> {
    let given = headers.get(HEADER).ok_or(Error::CsrfFailed("The header X-CSRF-Token is missing"))?;
    if constant_time_eq(given.as_bytes(), expected.as_bytes()) {
        Ok(())
    } else {
        Err(Error::CsrfFailed("The CSRF token does not belong to this session"))
    }
}
