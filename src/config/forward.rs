//! The settings of forward authentication.
use super::declared::Rules;
use super::section::section;
use super::source::Values;
use super::value::Value;
use super::{Config, Setting};
use crate::base::{Error, Result};

section! {
    /// Forward authentication: whether requests may pass reverse proxies, which ask GET /auth/forward and have to be among
    /// trusted_proxies.
    Forward in "forward." {
        /// The domain below which browsers send one cookie to all hosts behind the proxies: the host of public_url, or a domain
        /// above it. Whatever runs below it can read that cookie, unless the proxy takes it away. Empty: the host of public_url
        /// alone.
        cookie_domain: String = "\"\"", "the host of public_url, or a domain above it";
        /// Ports that a page may have to which a sign-in leads back, beside 443, or 80 if public_url is http.
        ports: Ports = "[]", "a list of ports, as in [8443]";
        /// The header that tells applications who passes: the user name. What is not ASCII, and %, is percent-encoded in all of
        /// them. They are always written, so that none of a client's is left; empty here: never.
        header_user: String = "\"Remote-User\"", "the name of a header; empty for none";
        /// The e-mail address.
        header_email: String = "\"Remote-Email\"", "the name of a header; empty for none";
        /// First and last name, else the user name.
        header_name: String = "\"Remote-Name\"", "the name of a header; empty for none";
        /// Roles, with commas between.
        header_groups: String = "\"Remote-Groups\"", "the name of a header; empty for none";
        /// The id, which never changes.
        header_id: String = "\"Remote-Id\"", "the name of a header; empty for none";
        /// Whether addresses are told that nobody has verified. An application that knows its people by their addresses would let
        /// in whoever has registered with somebody else's.
        unverified_email: bool = "false", "true or false";
        /// Who may pass where: the first rule counts that is for a request's host, path, method and network, and without one
        /// nobody passes. Those of POST /forward-rules come after them. host is one, or *. and a domain for all below it; in
        /// paths * stands for any part of a segment, and ** at the end for all below. access is "public", "user" (if nothing is
        /// said) or "nobody"; of a user one of roles is needed, all of permissions, and with second_factor that one was shown.
        rules: Rules = "[]", "a list of tables; in the environment as JSON";
    }
}

/// Numbers of ports.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Ports(pub Vec<u16>);

impl Value for Ports {
    fn from_text(text: &str) -> Option<Self> {
        let items = text.split(',').map(str::trim).filter(|item| !item.is_empty());
        items.map(|item| item.parse().ok()).collect::<Option<_>>().map(Self)
    }

    fn from_toml(value: &toml::Value) -> Option<Self> {
        let port = |item: &toml::Value| item.as_integer().and_then(|number| number.try_into().ok());
        value.as_array()?.iter().map(port).collect::<Option<_>>().map(Self)
    }
}

impl Config {
    pub(super) fn check_forward(&self) -> Result<()> {
        let (url, domain) = (self.public_url(), self.forward.cookie_domain.as_str());
        let is_above = domain.contains('.') && url.host().ends_with(&format!(".{domain}"));
        if domain.is_empty() || url.host() == domain || is_above {
            return Ok(());
        }
        let reason = "must be the host of public_url, or a domain above it, in lower case";
        Err(Error::invalid("forward.cookie_domain", reason))
    }
}
