//! The contract's error, checked whole at each use.
use reqwest::Response;
use reqwest::header::HeaderMap;
use serde_json::Value;

const MEMBERS: [&str; 5] = ["code", "message", "details", "timestamp", "request_id"];
/// Failures of a credential say how to send a better one (RFC 6750 section 3).
const CHALLENGED: [&str; 4] = ["UNAUTHORIZED", "INVALID_TOKEN", "TOKEN_EXPIRED", "TOKEN_REVOKED"];

/// Checks the contract's envelope: every member, its type, and that the request id is the header's.
///
/// Gives `details` and `message`.
pub async fn envelope(answer: Response, code: &str) -> (Value, String) {
    let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
    check_envelope(status, &headers, &answer.text().await.unwrap(), code)
}

/// [`envelope`] for an answer in parts.
pub fn check_envelope(status: u16, headers: &HeaderMap, text: &str, code: &str) -> (Value, String) {
    let header = |name: &str| headers.get(name).map(|value| value.to_str().unwrap().to_owned());
    let body: Value = serde_json::from_str(text).unwrap_or_else(|_| panic!("{status} is no JSON: {text}"));
    let error = &body["error"];
    assert_eq!(error["code"], code, "{status} {text}");
    let members: Vec<_> = error.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(members, MEMBERS, "{text}");
    assert_eq!(body.as_object().unwrap().len(), 1, "{text}");
    assert_eq!(error["request_id"], header("x-request-id").unwrap().as_str());
    assert!(error["details"].is_object(), "{text}");
    check_contract_time(error["timestamp"].as_str().unwrap());

    check_headers(status, headers, code);
    (error["details"].clone(), error["message"].as_str().unwrap().to_owned())
}

/// The headers that say what kind of error it is.
fn check_headers(status: u16, headers: &HeaderMap, code: &str) {
    let header = |name: &str| headers.get(name).map(|value| value.to_str().unwrap().to_owned());
    assert_eq!(header("content-type").unwrap(), "application/json; charset=utf-8");
    assert_eq!(header("cache-control").as_deref(), Some("no-store"));
    assert_eq!(header("x-content-type-options").as_deref(), Some("nosniff"));
    let retry = header("retry-after").map(|text| text.parse::<u64>().unwrap());
    assert_eq!(retry.is_some(), matches!(status, 429 | 503), "Retry-After {retry:?}");
    let challenge = header("www-authenticate");
    assert_eq!(challenge.is_some(), CHALLENGED.contains(&code), "WWW-Authenticate {challenge:?}");
    if let Some(challenge) = challenge {
        assert!(challenge.starts_with("Bearer realm="), "{challenge}");
        assert_eq!(challenge.contains("error=\"invalid_token\""), code != "UNAUTHORIZED", "{challenge}");
    }
    assert_eq!(header("allow").is_some(), status == 405, "Allow");
}

/// `2025-06-15T11:09:03.405528`
pub fn check_contract_time(text: &str) {
    let shape: String = text.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect();
    assert_eq!(shape, "0000-00-00T00:00:00.000000", "{text}");
}
