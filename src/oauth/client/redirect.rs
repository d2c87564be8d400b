//! Where answers may be sent. Pure.
use std::fmt;

use serde::{Deserialize, Serialize};
use url::{Host, Url};

use crate::base::{Error, Result};

const MAX_BYTES: usize = 2048;

/// A URI that a client has registered, as it was written: they are compared byte by byte (RFC 9700 section 4.1.3).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RedirectUri(String);

/// What a client that names the URI can be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// https: anybody's.
    Web,
    /// http on this very machine: a program's that listens there (RFC 8252 section 7.3).
    Loopback,
    /// A scheme that belongs to a program (RFC 8252 section 7.1).
    PrivateScheme,
}

impl RedirectUri {
    /// # Errors
    /// `Error::Invalid` naming `field` for what is not absolute, has a fragment (RFC 6749 section 3.1.2) or a user, goes
    /// over http to another machine (RFC 9700 section 2.6), or has a scheme that no program owns.
    pub fn parse(field: &'static str, text: &str) -> Result<Self> {
        let refuse = |reason: &'static str| Err(Error::invalid(field, reason));
        if text.len() > MAX_BYTES || !text.bytes().all(|b| b.is_ascii_graphic()) {
            return refuse("must have at most 2048 characters of ASCII, without spaces");
        }
        let Ok(url) = Url::parse(text) else { return refuse("must hold absolute URIs") };
        if text.contains(['#', '\\']) {
            return refuse("must have no fragment");
        }
        if !url.username().is_empty() || url.password().is_some() {
            return refuse("must name no user");
        }
        match kind_of(&url) {
            Some(_) => Ok(Self(text.to_owned())),
            None => refuse(
                "must be https, http on 127.0.0.1, [::1] or localhost, or a scheme with a dot such as com.example.app",
            ),
        }
    }

    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    #[must_use]
    pub fn kind(&self) -> Kind {
        // Only what has one was parsed.
        Url::parse(&self.0).ok().as_ref().and_then(kind_of).unwrap_or(Kind::Web)
    }

    /// Whether it leads to the very machine of whoever follows it.
    #[must_use]
    pub fn is_on_this_machine(&self) -> bool {
        Url::parse(&self.0).is_ok_and(|url| is_here(&url))
    }

    /// The host, for those that have one.
    #[must_use]
    pub fn host(&self) -> Option<String> {
        Url::parse(&self.0).ok().and_then(|url| url.host_str().map(str::to_owned))
    }

    /// Whether an answer may go to `given`: to the very same URI, and on this machine to any port (RFC 8252 section 7.3).
    #[must_use]
    pub fn admits(&self, given: &str) -> bool {
        self.0 == given
            || self.kind() == Kind::Loopback
                && without_port(&self.0).is_some_and(|own| {
                    // Parsed as well: a port is digits, and nothing that a parser reads differently.
                    Self::parse("redirect_uri", given).is_ok()
                        && without_port(given).is_some_and(|other| own == other)
                })
    }
}

impl fmt::Display for RedirectUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn is_here(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

fn kind_of(url: &Url) -> Option<Kind> {
    match url.scheme() {
        "https" => url.has_host().then_some(Kind::Web),
        "http" => is_here(url).then_some(Kind::Loopback),
        scheme => scheme.contains('.').then_some(Kind::PrivateScheme),
    }
}

/// What stands before and after the port of an http URI.
fn without_port(uri: &str) -> Option<(&str, &str)> {
    let rest = uri.strip_prefix("http://")?;
    let (authority, path) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
    let (host, port) = match authority.rsplit_once(':') {
        // Colons stand in the brackets of an address, too.
        Some((host, port)) if !port.contains(']') => (host, port),
        _ => (authority, ""),
    };
    port.bytes().all(|b| b.is_ascii_digit()).then_some((host, path))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn uri(text: &str) -> RedirectUri {
        RedirectUri::parse("redirect_uris", text).unwrap()
    }

    #[test]
    fn only_uris_that_their_client_owns_are_taken() {
        for good in
            ["https://a.example/cb?x=1", "http://127.0.0.1/cb", "http://[::1]:80/", "com.example.app:/cb"]
        {
            assert!(RedirectUri::parse("redirect_uris", good).is_ok(), "{good}");
        }
        for bad in [
            "http://a.example/cb",
            "https://a.example/cb#x",
            "https://u:p@a.example/cb",
            "https://a.example\\@b.example/",
            "/cb",
            "javascript:alert(1)",
            "data:text/html,x",
            "myapp:/cb",
            "https://",
            "http://127.0.0.1.evil.example/",
            "https://a.example/c b",
        ] {
            assert!(RedirectUri::parse("redirect_uris", bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn redirect_uris_are_compared_byte_by_byte() {
        let own = uri("https://a.example/cb");
        assert!(own.admits("https://a.example/cb"));
        for other in [
            "https://a.example/cb/",
            "https://a.example/cb?x",
            "https://a.example/CB",
            "https://A.example/cb",
            "https://a.example:443/cb",
            "https://a.example/cb/../cb",
        ] {
            assert!(!own.admits(other), "{other}");
        }
    }

    #[test]
    fn a_program_on_this_machine_may_listen_on_any_port() {
        let own = uri("http://127.0.0.1/cb");
        for port in ["http://127.0.0.1:51234/cb", "http://127.0.0.1:1/cb"] {
            assert!(own.admits(port), "{port}");
        }
        assert!(uri("http://[::1]:9/cb").admits("http://[::1]:61023/cb"));
        for other in [
            "http://127.0.0.1:51234/cb/",
            "http://127.0.0.1:51234/cb?x=1",
            "http://127.0.0.2:51234/cb",
            "http://[::1]:51234/cb",
            "http://127.0.0.1:5@evil.example/cb",
            "http://127.0.0.1:x/cb",
            "http://127.0.0.1:99999/cb",
            "https://127.0.0.1:51234/cb",
        ] {
            assert!(!own.admits(other), "{other}");
        }
        assert!(!uri("https://127.0.0.1/cb").admits("https://127.0.0.1:444/cb"));
    }
}
