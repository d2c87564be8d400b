//! Where somebody may be led back to who has signed in for a page behind a proxy. Pure.
use url::Url;

use super::rule::host::split;

const MAX_BYTES: usize = 8192;

/// What addresses there are that a sign-in may lead back to.
#[derive(Debug, Clone)]
pub struct Returns {
    /// As this server: over anything else the cookie would not be sent.
    pub is_https: bool,
    /// The host of this server.
    pub host: String,
    /// Below which the cookie is sent. Empty: to this server's host alone.
    pub domain: String,
    /// Beside the usual one of the scheme.
    pub ports: Vec<u16>,
}

impl Returns {
    /// The address as it is led to: put together from what was understood of it, so that a browser cannot understand another
    /// one. `knows`: whether any rule is for a host.
    #[must_use]
    pub fn allowed(&self, text: &str, knows: impl Fn(&str) -> bool) -> Option<String> {
        let (scheme, usual) = if self.is_https { ("https", 443) } else { ("http", 80) };
        let rest = text.strip_prefix(scheme)?.strip_prefix("://")?;
        let is_plain = |b: u8| b.is_ascii_graphic() && !matches!(b, b'\\' | b'#' | b'<' | b'>' | b'"' | b'`');
        if text.len() > MAX_BYTES || !text.bytes().all(is_plain) {
            return None;
        }
        let (authority, path) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
        let (host, port) = split(authority)?;
        let port = port.filter(|port| *port != usual);
        let is_within = match self.domain.as_str() {
            "" => *host == *self.host,
            domain => *host == *domain || host.strip_suffix(domain).is_some_and(|rest| rest.ends_with('.')),
        };
        if !is_within || !knows(&host) || port.is_some_and(|port| !self.ports.contains(&port)) {
            return None;
        }
        let slash = if path.starts_with('/') { "" } else { "/" };
        let port = port.map(|port| format!(":{port}")).unwrap_or_default();
        let address = format!("{scheme}://{host}{port}{slash}{path}");
        // What browsers go by agrees (WHATWG URL standard).
        let understood = Url::parse(&address).ok()?;
        let agrees = understood.host_str() == Some(&*host) && understood.username().is_empty();
        agrees.then_some(address)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn returns() -> Returns {
        Returns {
            is_https: true,
            host: "id.example.org".to_owned(),
            domain: "example.org".to_owned(),
            ports: vec![8443],
        }
    }

    fn allowed(text: &str) -> Option<String> {
        returns().allowed(text, |host| host != "unknown.example.org")
    }

    #[test]
    fn hosts_below_the_domain_that_a_rule_knows_are_led_back_to() {
        for (text, address) in [
            ("https://wiki.example.org/a?b=c&d=https://evil.example", None),
            ("https://wiki.example.org", Some("https://wiki.example.org/")),
            ("https://WIKI.example.org./a", Some("https://wiki.example.org/a")),
            ("https://wiki.example.org:443/a", Some("https://wiki.example.org/a")),
            ("https://wiki.example.org:8443?x", Some("https://wiki.example.org:8443/?x")),
            ("https://example.org/", None),
        ] {
            assert_eq!(allowed(text).as_deref(), Some(address.unwrap_or(text)), "{text}");
        }
    }

    #[test]
    fn nothing_else_is() {
        for bad in [
            "",
            "/",
            "//evil.example",
            "//wiki.example.org/",
            "\\\\evil.example",
            "/\\evil.example",
            "https:evil.example",
            "https:/evil.example",
            "https:wiki.example.org",
            "https:/wiki.example.org/",
            "https:///wiki.example.org/",
            "http://wiki.example.org/",
            "HTTPS://wiki.example.org/",
            "javascript://wiki.example.org/%0aalert(1)",
            "data:text/html,x",
            "https://evil.example/",
            "https://evilexample.org/",
            "https://example.org.evil.example/",
            "https://wiki.example.org@evil.example/",
            "https://user@wiki.example.org/",
            "https://user:x@wiki.example.org/",
            "https://evil.example#wiki.example.org",
            "https://evil.example?wiki.example.org",
            "https://evil.example\\wiki.example.org/",
            "https://evil.example/wiki.example.org",
            "https://wiki.example.org\\@evil.example/",
            "https://wiki.example.org/\\evil",
            "https://wiki.example.org/#x",
            "https://wiki.example.org:8080/",
            "https://wiki.example.org:99999/",
            "https://wiki.example.org:a/",
            "https://wiki.example.org:8443:1/",
            "https://[::1]/",
            "https://127.0.0.1/",
            "https://unknown.example.org/",
            "https://wiki.example.org/a b",
            "https://wiki.example.org/a\tb",
            "https://wiki.example.org/\r\nX: y",
            " https://wiki.example.org/",
            "https://wiki%2eexample.org/",
            "https://wiki.example.org%2f.evil.example/",
            "https://wiki.example.org,evil.example/",
            "https://ｗiki.example.org/",
            "https://.example.org/",
        ] {
            assert_eq!(allowed(bad), None, "{bad}");
        }
        assert_eq!(allowed(&format!("https://wiki.example.org/{}", "a".repeat(8192))), None);
    }

    #[test]
    fn without_a_domain_it_is_this_very_host() {
        let own = Returns { domain: String::new(), ..returns() };
        assert!(own.allowed("https://id.example.org/app", |_| true).is_some());
        for bad in ["https://wiki.example.org/", "https://a.id.example.org/"] {
            assert_eq!(own.allowed(bad, |_| true), None, "{bad}");
        }
    }

    proptest! {
        #[test]
        fn whatever_is_allowed_a_browser_takes_for_a_host_below_the_domain(
            text in "(https?:/{0,3})?[a-z.@\\\\:/?#%0-9 -]{0,12}(evil\\.example|example\\.org)?[/\\\\?#@:.]?[a-z.@/\\\\]{0,10}"
        ) {
            if let Some(address) = allowed(&text) {
                let understood = Url::parse(&address).unwrap();
                let host = understood.host_str().unwrap();
                prop_assert!(host == "example.org" || host.ends_with(".example.org"), "{}", address);
                prop_assert_eq!(understood.scheme(), "https");
            }
        }
    }
}
