//! What such a name is, what stands in such a document, and how long that is believed. Pure.
use serde_json::Value;
use url::{Host, Url};

use crate::base::{Error, Result, Timestamp};
use crate::oauth::client::ClientId;
use crate::oauth::client::model::{Authentication, Metadata};

/// However short or long the document says that it is good.
const MIN_SECS: i64 = 300;
const MAX_SECS: i64 = 24 * 3600;
/// Where it says nothing.
const USUAL_SECS: i64 = 3600;

/// Where the document of a client is, if its name is the URL of one: https, a host by name, a path, and spelled as every
/// browser would spell it; with hosts named, on one of them.
#[must_use]
pub fn url_of(id: &ClientId, hosts: &[String]) -> Option<Url> {
    let url = Url::parse(id.as_str()).ok()?;
    let Some(Host::Domain(host)) = url.host() else { return None };
    let is_one = url.scheme() == "https" && url.as_str() == id.as_str() && url.path().len() > 1;
    let is_allowed = hosts.is_empty() || hosts.iter().any(|one| one == host);
    (is_one && is_allowed && url.username().is_empty() && url.password().is_none()).then_some(url)
}

/// The document, as far as it is one of this very client and has no secret in it.
///
/// # Errors
/// `Error::Invalid` naming the member that is wrong.
pub fn read(id: &ClientId, bytes: &[u8]) -> Result<Value> {
    let refuse = |field: &'static str, reason: &'static str| Err(Error::invalid(field, reason));
    let Ok(document @ Value::Object(_)) = serde_json::from_slice(bytes) else {
        return refuse("document", "is no JSON object");
    };
    if document["client_id"].as_str() != Some(id.as_str()) {
        return refuse("client_id", "is not the URL of the document");
    }
    for secret in ["client_secret", "client_secret_expires_at"] {
        if document.get(secret).is_some() {
            return refuse(secret, "must not stand in what everybody reads");
        }
    }
    Ok(document)
}

/// What a client is whose document says nothing of it.
#[must_use]
pub fn unsaid(id: &ClientId) -> Metadata {
    Metadata { authentication: Authentication::None, ..Metadata::named(id.as_str()) }
}

/// Metadata of a client that shares no secret with us: everybody reads its document.
///
/// # Errors
/// `Error::Invalid` naming `token_endpoint_auth_method`.
pub fn without_secret(metadata: Metadata) -> Result<Metadata> {
    if metadata.authentication.has_secret() {
        return Err(Error::invalid("token_endpoint_auth_method", "must be one without a shared secret"));
    }
    Ok(metadata)
}

/// Until when a document is believed that came `now`, by its `Cache-Control` (RFC 9111 section 5.2.2) within our bounds.
#[must_use]
pub fn fresh_until(cache_control: &str, now: Timestamp) -> Timestamp {
    let mut secs = USUAL_SECS;
    for directive in cache_control.split(',').map(|part| part.trim().to_ascii_lowercase()) {
        if matches!(directive.as_str(), "no-store" | "no-cache") {
            secs = MIN_SECS;
            break;
        }
        if let Some(age) = directive.strip_prefix("max-age=") {
            secs = age.trim_matches('"').parse().unwrap_or(MIN_SECS);
        }
    }
    now.plus_secs(secs.clamp(MIN_SECS, MAX_SECS))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_url_with_https_a_host_by_name_and_a_path_names_a_document() {
        let names = |text: &str, hosts: &[&str]| {
            let hosts: Vec<_> = hosts.iter().map(|host| (*host).to_owned()).collect();
            ClientId::parse(text).ok().and_then(|id| url_of(&id, &hosts)).is_some()
        };
        assert!(names("https://app.example/client.json", &[]));
        assert!(names("https://app.example:8443/a/b", &["other.example", "app.example"]));
        for bad in [
            "http://app.example/client",
            "HTTPS://app.example/client",
            "https://App.example/client",
            "https://app.example",
            "https://app.example/",
            "https://app.example:443/client",
            "https://app.example/a/../client",
            "https://app.example/./client",
            "https://127.0.0.1/client",
            "https://2130706433/client",
            "https:app.example/client",
            "app.example/client",
            "client_1",
        ] {
            assert!(!names(bad, &[]), "{bad}");
        }
        assert!(!names("https://app.example/client", &["example"]));
        assert!(!names("https://app.example.evil.example/client", &["app.example"]));
    }

    #[test]
    fn a_document_is_of_the_client_that_it_names_and_has_no_secret() {
        let id = ClientId::parse("https://app.example/client").unwrap();
        let field = |text: &str| match read(&id, text.as_bytes()) {
            Ok(_) => String::new(),
            Err(Error::Invalid(wrong)) => wrong.field.to_string(),
            Err(other) => panic!("{other:?}"),
        };
        assert_eq!(field(r#"{"client_id": "https://app.example/client"}"#), "");
        assert_eq!(field(r#"{"client_id": "https://app.example/client/"}"#), "client_id");
        assert_eq!(field("{}"), "client_id");
        assert_eq!(field("[]"), "document");
        assert_eq!(field(&"[".repeat(1_000_000)), "document");
        let secret = r#"{"client_id": "https://app.example/client", "client_secret": "x"}"#;
        assert_eq!(field(secret), "client_secret");
    }

    #[test]
    fn it_is_believed_as_long_as_it_says_within_bounds() {
        let secs = |text: &str| fresh_until(text, Timestamp::from_secs(0)).secs();
        assert_eq!(secs(""), USUAL_SECS);
        assert_eq!(secs("public, max-age=600"), 600);
        assert_eq!((secs("max-age=0"), secs("max-age=x")), (MIN_SECS, MIN_SECS));
        assert_eq!((secs("max-age=999999999"), secs("max-age=-5")), (MAX_SECS, MIN_SECS));
        assert_eq!(secs("no-store, max-age=600"), MIN_SECS);
    }
}
