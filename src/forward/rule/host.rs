//! Hosts: what rules say of them, and that of a request. Pure.
use std::borrow::Cow;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::base::{Error, Result};

/// Of a name in the DNS (RFC 1035 section 2.3.4).
const MAX_HOST: usize = 253;

/// What a rule says of hosts: one, or `*.` and a domain for all below it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostPattern(String);

impl HostPattern {
    /// # Errors
    /// `Error::Invalid` naming `host`.
    pub fn parse(text: &str) -> Result<Self> {
        let wrong = || Error::invalid("host", "must be a host without port, or `*.` and a domain");
        let (below, name) = match text.strip_prefix("*.") {
            Some(domain) => ("*.", domain),
            None => ("", text),
        };
        let (host, port) = split(name).ok_or_else(wrong)?;
        if port.is_some() || !below.is_empty() && host.starts_with('[') {
            return Err(wrong());
        }
        Ok(Self(format!("{below}{host}")))
    }

    /// The domain, if it is for all hosts below one.
    #[must_use]
    pub fn domain(&self) -> Option<&str> {
        self.0.strip_prefix("*.")
    }

    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for HostPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The host of a request as rules write it, and its port: in lower case, without the dot that may end a name.
#[must_use]
pub fn split(text: &str) -> Option<(Cow<'_, str>, Option<u16>)> {
    let end = match text.strip_prefix('[') {
        Some(rest) => rest.find(']')? + 2,
        None => text.find(':').unwrap_or(text.len()),
    };
    let (host, port) = text.split_at_checked(end)?;
    let port = match port.strip_prefix(':') {
        // One that is empty says nothing (RFC 3986 section 3.2.3).
        Some("") => None,
        Some(digits) if digits.bytes().all(|b| b.is_ascii_digit()) => Some(digits.parse().ok()?),
        None if port.is_empty() => None,
        _ => return None,
    };
    let host = host.strip_suffix('.').unwrap_or(host);
    let is_name = |label: &str| {
        let is_plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_');
        !label.is_empty() && label.bytes().all(is_plain)
    };
    let is_literal =
        |text: &str| text.strip_suffix(']').is_some_and(|inner| inner.parse::<std::net::Ipv6Addr>().is_ok());
    let is_host = match host.strip_prefix('[') {
        Some(rest) => is_literal(rest),
        None => host.split('.').all(is_name),
    };
    if !is_host || host.len() > MAX_HOST {
        return None;
    }
    let is_lower = !host.bytes().any(|b| b.is_ascii_uppercase());
    Some((if is_lower { Cow::Borrowed(host) } else { Cow::Owned(host.to_ascii_lowercase()) }, port))
}

/// The domains that a host lies below, the nearest first.
pub fn domains_above(host: &str) -> impl Iterator<Item = &str> {
    let mut rest = if host.starts_with('[') { "" } else { host };
    std::iter::from_fn(move || {
        rest = rest.split_once('.')?.1;
        Some(rest)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_is_the_same_however_it_is_written() {
        for (text, host, port) in [
            ("App.Example.ORG.", "app.example.org", None),
            ("app.example.org:8443", "app.example.org", Some(8443)),
            ("app.example.org.:443", "app.example.org", Some(443)),
            ("app.example.org:", "app.example.org", None),
            ("10.0.0.1:80", "10.0.0.1", Some(80)),
            ("[2001:DB8::1]:80", "[2001:db8::1]", Some(80)),
            ("my_app", "my_app", None),
        ] {
            assert_eq!(split(text), Some((Cow::Borrowed(host), port)), "{text}");
        }
    }

    #[test]
    fn what_is_no_host_is_none() {
        for bad in [
            "",
            ".",
            "a..b",
            "..a",
            "a.b..",
            "a b",
            "a,b",
            "a/b",
            "a\\b",
            "a@b",
            "a:b",
            "a:99999",
            "a:1:2",
            "[::1",
            "[x]",
            "[::1]x",
            "ä.example",
            "a%2eb",
            "a;b",
            "*",
            "*.a",
            "a\tb",
        ] {
            assert_eq!(split(bad), None, "{bad}");
        }
        assert_eq!(split(&"a.".repeat(200)), None);
    }

    #[test]
    fn a_rule_is_for_a_host_or_all_below_a_domain() {
        assert_eq!(HostPattern::parse("*.Example.org").unwrap().domain(), Some("example.org"));
        assert_eq!(HostPattern::parse("App.example.org.").unwrap().as_str(), "app.example.org");
        for bad in ["*", "*.", "a.*.b", "a.example:80", "*.[::1]", "https://a.example", "a.example/x", ""] {
            assert!(HostPattern::parse(bad).is_err(), "{bad}");
        }
        let above: Vec<_> = domains_above("a.b.example.org").collect();
        assert_eq!(above, ["b.example.org", "example.org", "org"]);
        assert_eq!(domains_above("[::1.2.3.4]").count(), 0);
    }
}
