//! An access token in a request: how it came, and whether by whom it was given to (RFC 6750, RFC 9449 section 7).
use poem::Request;
use poem::http::StatusCode;
use poem::http::header::{AUTHORIZATION, HeaderMap};

use super::service::Dpop;
use crate::base::Error;
use crate::http::ProtocolFailure;
use crate::oauth::grant::live::Resolved;

/// What is said beside a 401 (RFC 6750 section 3, RFC 9449 section 7.1).
const BEARER: &str = "Bearer realm=\"auth-service\"";
const DPOP: &str = "DPoP algs=\"ES256 EdDSA RS256 PS256\"";

/// How an access token was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scheme {
    Bearer,
    Dpop,
}

/// An access token that came with a request.
pub struct Presented {
    pub text: String,
    pub scheme: Scheme,
}

/// The access token of a request; where it comes twice, nobody knows which counts (RFC 6750 section 2).
///
/// # Errors
/// `invalid_request` for one that comes twice, or not at all.
pub fn presented(headers: &HeaderMap, in_body: Option<String>) -> Result<Presented, ProtocolFailure> {
    let mut all = headers.get_all(AUTHORIZATION).iter();
    let (first, second) = (all.next(), all.next());
    let text = first.and_then(|value| value.to_str().ok()).unwrap_or_default();
    let (scheme, token) = text.split_once(' ').unwrap_or((text, ""));
    let scheme = match scheme {
        word if word.eq_ignore_ascii_case("bearer") => Some(Scheme::Bearer),
        word if word.eq_ignore_ascii_case("dpop") => Some(Scheme::Dpop),
        _ => None,
    };
    let in_header = scheme.map(|scheme| Presented { text: token.trim().to_owned(), scheme });
    match (in_header, in_body, second) {
        (_, _, Some(_)) | (Some(_), Some(_), _) => {
            Err(ProtocolFailure::new("invalid_request", "the access token came in two ways"))
        }
        (Some(found), None, None) => Ok(found),
        (None, Some(text), None) => Ok(Presented { text, scheme: Scheme::Bearer }),
        (None, None, None) => {
            let failure = ProtocolFailure::new("invalid_request", "an access token is required");
            let failure = failure.with_status(StatusCode::UNAUTHORIZED);
            Err(failure.with_challenge(BEARER).with_challenge(DPOP))
        }
    }
}

impl Presented {
    /// Whether it was sent by whoever it was given to: one that is bound to a key with a proof of that key, any other one
    /// without.
    ///
    /// # Errors
    /// 401 `invalid_token` for one that came in the way of the other kind, or with a proof of another key;
    /// `invalid_dpop_proof`, `use_dpop_nonce`.
    pub fn check(&self, dpop: &Dpop, request: &Request, resolved: &Resolved) -> Result<(), ProtocolFailure> {
        let bound_to = resolved.token.claims.cnf.as_ref().map(|bound| bound.jkt.as_str());
        match (bound_to, self.scheme) {
            (None, Scheme::Bearer) => Ok(()),
            (None, Scheme::Dpop) => Err(refused(
                BEARER,
                "invalid_token",
                "the access token is bound to no key: it is sent as Bearer",
            )),
            (Some(_), Scheme::Bearer) => Err(by_dpop(
                "invalid_token",
                "the access token is bound to a key: it is sent as DPoP, with a proof",
            )),
            (Some(key), Scheme::Dpop) => {
                let proven = dpop.key_of(request, &resolved.client.id, Some(&self.text));
                let proven = proven.map_err(|failure| self.failed(failure))?;
                match proven {
                    Some(proven) if proven.to_string() == key => Ok(()),
                    Some(_) => Err(by_dpop(
                        "invalid_token",
                        "the proof is of another key than that of the access token",
                    )),
                    None => Err(by_dpop("invalid_dpop_proof", "the header DPoP is required")),
                }
            }
        }
    }

    /// A token that is good for nothing, answered in the way in which it was sent.
    #[must_use]
    pub fn bad(&self, error: Error) -> ProtocolFailure {
        let failure = ProtocolFailure::from(error);
        if failure.status == StatusCode::UNAUTHORIZED {
            self.challenged("invalid_token", failure)
        } else {
            failure
        }
    }

    /// A token that was not given for a scope (RFC 6750 section 3.1).
    #[must_use]
    pub fn insufficient(&self, scope: &'static str) -> ProtocolFailure {
        let why = format!("the access token was not given for the scope {scope}");
        let failure = ProtocolFailure::new("insufficient_scope", why).with_status(StatusCode::FORBIDDEN);
        let challenge = self.challenge();
        failure.with_challenge(format!("{challenge}, error=\"insufficient_scope\", scope=\"{scope}\""))
    }

    /// What is wrong with a proof, at a resource.
    fn failed(&self, failure: ProtocolFailure) -> ProtocolFailure {
        if failure.status == StatusCode::BAD_REQUEST {
            self.challenged(failure.error, failure)
        } else {
            failure
        }
    }

    fn challenged(&self, error: &str, failure: ProtocolFailure) -> ProtocolFailure {
        let challenge = format!("{}, error=\"{error}\"", self.challenge());
        failure.with_status(StatusCode::UNAUTHORIZED).with_challenge(challenge)
    }

    const fn challenge(&self) -> &'static str {
        match self.scheme {
            Scheme::Bearer => BEARER,
            Scheme::Dpop => DPOP,
        }
    }
}

fn by_dpop(error: &'static str, why: &'static str) -> ProtocolFailure {
    refused(DPOP, error, why)
}

fn refused(challenge: &str, error: &'static str, why: &'static str) -> ProtocolFailure {
    let failure = ProtocolFailure::new(error, why).with_status(StatusCode::UNAUTHORIZED);
    failure.with_challenge(format!("{challenge}, error=\"{error}\""))
}
