//! What a setting may hold, and how it is read from TOML and from text.
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use ipnet::IpNet;

use crate::crypto::Algorithm;

/// A value that a setting can have.
pub trait Value: Sized {
    /// Reads the text of an environment variable or flag.
    fn from_text(text: &str) -> Option<Self>;

    /// Reads a TOML value. Text in quotes and bare numbers read alike.
    fn from_toml(value: &toml::Value) -> Option<Self> {
        match value {
            toml::Value::String(text) => Self::from_text(text),
            toml::Value::Integer(number) => Self::from_text(&number.to_string()),
            _ => None,
        }
    }
}

macro_rules! numbers {
    ($($type:ty)+) => { $(
        impl Value for $type {
            /// Negative numbers are no setting of ours.
            fn from_text(text: &str) -> Option<Self> {
                text.parse::<u32>().ok().and_then(|number| Self::try_from(number).ok())
            }
        }
    )+ };
}
numbers! { u32 u64 usize i64 }

macro_rules! words {
    ($(#[$outer:meta])* $name:ident { $( $(#[$inner:meta])* $variant:ident = $word:literal, )+ }) => {
        $(#[$outer])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum $name { $( $(#[$inner])* $variant, )+ }

        impl Value for $name {
            fn from_text(text: &str) -> Option<Self> {
                match text { $( $word => Some(Self::$variant), )+ _ => None }
            }
        }
    };
}

words! {
    /// Who may make an account.
    Registration {
        /// Anyone.
        Open = "open",
        /// Anyone, and nobody learns which addresses have an account.
        Hidden = "hidden",
        /// Administrators alone.
        Closed = "closed",
    }
}
words! {
    /// Which clients register themselves.
    ClientRegistration {
        /// None.
        Off = "off",
        /// Those with an initial access token.
        Token = "token",
        /// Any.
        Open = "open",
    }
}
words! {
    /// Whether something is done.
    Switch {
        /// It is.
        On = "on",
        /// It is not.
        Off = "off",
    }
}
words! {
    /// Whether an address has to be verified before its account can be used.
    Verification {
        /// It need not.
        Off = "off",
        /// Whoever registers has to.
        Required = "required",
    }
}
words! {
    /// Where mails go.
    MailSink {
        /// Nowhere: those with a link are held for an administrator.
        None = "none",
        /// To a mail server.
        Smtp = "smtp",
        /// Into a directory, a file for each.
        Directory = "directory",
    }
}
words! {
    /// How the connection to a mail server is kept private.
    SmtpSecurity {
        /// TLS from the first byte.
        Tls = "tls",
        /// TLS after a word in the clear, or no mail.
        StartTls = "starttls",
        /// Not at all.
        None = "none",
    }
}
words! {
    /// The language of a mail.
    Language {
        /// English.
        English = "en",
        /// German.
        German = "de",
    }
}
words! {
    /// The form of log lines.
    LogFormat {
        /// Text on a terminal, JSON otherwise.
        Auto = "auto",
        /// For people.
        Text = "text",
        /// For programs.
        Json = "json",
    }
}
words! {
    /// The least important lines that are written.
    LogLevel {
        /// Failures of the server.
        Error = "error",
        /// What someone should look at.
        Warn = "warn",
        /// What the server does.
        Info = "info",
        /// Refused requests too.
        Debug = "debug",
        /// Everything.
        Trace = "trace",
    }
}

impl Value for SocketAddr {
    fn from_text(text: &str) -> Option<Self> {
        text.parse().ok()
    }
}

impl Value for bool {
    fn from_text(text: &str) -> Option<Self> {
        text.parse().ok()
    }

    fn from_toml(value: &toml::Value) -> Option<Self> {
        value.as_bool()
    }
}

impl Value for String {
    fn from_text(text: &str) -> Option<Self> {
        Some(text.to_owned())
    }
}

impl Value for PathBuf {
    fn from_text(text: &str) -> Option<Self> {
        (!text.is_empty()).then(|| text.into())
    }
}

impl Value for Algorithm {
    fn from_text(text: &str) -> Option<Self> {
        text.parse().ok()
    }
}

/// How strong something has to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Score(pub u8);

impl Value for Score {
    fn from_text(text: &str) -> Option<Self> {
        text.parse().ok().filter(|score| *score <= 4).map(Self)
    }
}

/// A path, or none when the text is empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OptionalPath(pub Option<PathBuf>);

impl Value for OptionalPath {
    fn from_text(text: &str) -> Option<Self> {
        Some(Self(PathBuf::from_text(text)))
    }
}

/// An http(s) URL of scheme, host, port and perhaps a path, without a slash at its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicUrl {
    origin: String,
    path: String,
}

impl PublicUrl {
    /// `http://` and where the server listens; loopback and unspecified addresses are called `localhost`.
    #[must_use]
    pub fn of_listener(listen: SocketAddr) -> Self {
        let origin = match listen.ip() {
            ip if ip.is_loopback() || ip.is_unspecified() => format!("http://localhost:{}", listen.port()),
            _ => format!("http://{listen}"),
        };
        Self { origin, path: String::new() }
    }

    /// Scheme, host and port: what a browser sends as `Origin`.
    #[must_use]
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// The path below which everything lies: empty, or `/` and text.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The host, without a port.
    #[must_use]
    pub fn host(&self) -> &str {
        let authority = self.origin.split_once("://").map_or("", |(_, authority)| authority);
        match authority.rsplit_once(':') {
            Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => host,
            _ => authority,
        }
    }

    /// Why browsers make no passkeys for it, if they do not: they want a domain, and a connection that nobody reads.
    #[must_use]
    pub fn refuses_passkeys(&self) -> Option<&'static str> {
        let host = self.host();
        if host.starts_with('[') || host.parse::<IpAddr>().is_ok() {
            return Some("cannot have passkeys: it has an address for a host, and they need a domain");
        }
        let is_local = host == "localhost" || host.ends_with(".localhost");
        let is_safe = self.is_https() || is_local;
        (!is_safe).then_some("cannot have passkeys: they need https, or localhost")
    }

    #[must_use]
    pub fn is_https(&self) -> bool {
        self.origin.starts_with("https://")
    }
}

impl fmt::Display for PublicUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.origin, self.path)
    }
}

impl Value for Option<PublicUrl> {
    fn from_text(text: &str) -> Option<Self> {
        if text.is_empty() {
            return Some(None);
        }
        let uri: hyper::Uri = text.parse().ok()?;
        let (scheme, authority) = (uri.scheme_str()?, uri.authority()?.as_str());
        let plain = matches!(scheme, "http" | "https") && uri.query().is_none() && !authority.contains('@');
        let path = uri.path().trim_end_matches('/').to_owned();
        plain.then(|| Some(PublicUrl { origin: format!("{scheme}://{}", authority.to_lowercase()), path }))
    }
}

/// Reads a list: commas between the items of a text, or a TOML array of texts.
macro_rules! list {
    ($(#[$outer:meta])* $name:ident of $item:ty, $parse:expr) => {
        $(#[$outer])*
        #[derive(Debug, Clone, PartialEq, Eq, Default)]
        pub struct $name(pub Vec<$item>);

        impl Value for $name {
            fn from_text(text: &str) -> Option<Self> {
                let items = text.split(',').map(str::trim).filter(|item| !item.is_empty());
                items.map($parse).collect::<Option<_>>().map(Self)
            }

            fn from_toml(value: &toml::Value) -> Option<Self> {
                let items = value.as_array()?.iter();
                items.map(|item| item.as_str().and_then($parse)).collect::<Option<_>>().map(Self)
            }
        }
    };
}

list! {
    /// Networks of addresses.
    IpNets of IpNet, |text: &str| {
        text.parse().ok().or_else(|| text.parse::<IpAddr>().ok().map(IpNet::from))
    }
}
list! {
    /// Origins of pages, as browsers write them.
    Origins of String, |text: &str| {
        let url = Option::<PublicUrl>::from_text(text).flatten()?;
        url.path().is_empty().then(|| url.origin().to_owned())
    }
}
list! {
    /// Names of hosts, in lower case.
    Hosts of String, |text: &str| {
        let is_plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-');
        (!text.is_empty() && text.bytes().all(is_plain)).then(|| text.to_lowercase())
    }
}
list! {
    /// Absolute URIs without fragment.
    Uris of String, |text: &str| {
        let is_uri = url::Url::parse(text).is_ok() && !text.contains('#');
        (is_uri && text.bytes().all(|b| b.is_ascii_graphic())).then(|| text.to_owned())
    }
}
list! {
    /// Names of roles.
    Names of String, |text: &str| {
        let is_plain = |b: u8| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'.' | b'_' | b'-');
        (!text.is_empty() && text.bytes().all(is_plain)).then(|| text.to_owned())
    }
}
list! {
    /// Words of at least three characters, in lower case.
    Words of String, |text: &str| (text.chars().count() >= 3).then(|| text.to_lowercase())
}

impl IpNets {
    /// Whether an address is in one of them; IPv4 in IPv6 form counts as IPv4.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.0.iter().any(|net| net.contains(&address))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn public_urls() {
        let read = |text| Option::<PublicUrl>::from_text(text);
        let url = read("https://Home.example:8443/auth-service/").unwrap().unwrap();
        assert_eq!((url.origin(), url.path()), ("https://home.example:8443", "/auth-service"));
        assert!(url.is_https());
        assert_eq!(url.host(), "home.example");
        assert_eq!(read("http://[::1]:80").unwrap().unwrap().host(), "[::1]");
        assert_eq!(read("http://[::1]").unwrap().unwrap().host(), "[::1]");
        assert_eq!(read(""), Some(None));
        for bad in ["ftp://a", "localhost:8000", "https://a?b=c", "https://u@a", "/path", "https://"] {
            assert_eq!(read(bad), None, "{bad}");
        }
    }

    #[test]
    fn passkeys_need_a_domain_and_a_safe_connection() {
        let refuses = |text| Option::<PublicUrl>::from_text(text).unwrap().unwrap().refuses_passkeys();
        for good in ["https://id.example.org/x", "http://localhost:8000", "http://id.localhost"] {
            assert_eq!(refuses(good), None, "{good}");
        }
        for bad in
            ["https://127.0.0.1", "https://[::1]:8443", "http://id.example.org", "http://10.0.0.1:8000"]
        {
            assert!(refuses(bad).is_some(), "{bad}");
        }
    }

    #[test]
    fn lists_read_from_text_and_toml() {
        let nets = IpNets::from_text("10.0.0.0/8, ::1").unwrap();
        assert!(nets.contains("10.1.2.3".parse().unwrap()));
        assert!(nets.contains("::ffff:10.1.2.3".parse().unwrap()));
        assert!(!nets.contains("11.0.0.1".parse().unwrap()));
        assert_eq!(Origins::from_text("https://a.example/path"), None);
        assert_eq!(Origins::from_text(""), Some(Origins(Vec::new())));
    }
}
