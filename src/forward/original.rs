//! The request that a proxy asks about. Each kind of proxy has a path of its own here, and of the headers only those count that
//! belong to it: what a proxy does not write itself, its client may have written.
use std::borrow::Cow;

use poem::Request;
use poem::http::header::{ACCEPT, HOST, HeaderMap};

use super::rule::host;
use crate::base::{Error, Result};
use crate::http::forward_path::{ASK_AT, ASK_NGINX};

/// What makes some applications take one method for another.
const OVERRIDES: [&str; 3] = ["x-http-method-override", "x-http-method", "x-method-override"];
const MAX_OVERRIDES: usize = 8;

/// How a proxy asks, and what it understands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    /// `X-Forwarded-…`; what is not 2xx goes to the client as it is.
    Forwarded,
    /// `X-Original-…`; knows 2xx, 401 and 403 alone.
    Nginx,
    /// The request itself.
    Prefix,
}

/// A request of somebody to something behind a proxy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Original<'r> {
    pub dialect: Dialect,
    pub is_https: bool,
    pub host: Cow<'r, str>,
    pub port: Option<u16>,
    /// Path and query as they came.
    pub target: Cow<'r, str>,
    pub method: Cow<'r, str>,
}

impl<'r> Original<'r> {
    /// # Errors
    /// `Error::Malformed` naming the header that is missing, came twice, or is none.
    pub fn read(request: &'r Request) -> Result<Self> {
        let (headers, path) = (request.headers(), request.uri().path());
        if path == ASK_NGINX {
            return Self::of_nginx(headers);
        }
        let scheme = single(headers, "x-forwarded-proto")?;
        if let Some(rest) = path.strip_prefix(ASK_AT) {
            let rest = if rest.is_empty() { "/" } else { rest };
            let target = match request.uri().query() {
                Some(query) => Cow::Owned(format!("{rest}?{query}")),
                None => Cow::Borrowed(rest),
            };
            let authority = request.uri().authority().map(poem::http::uri::Authority::as_str);
            let host = match headers.get(HOST) {
                Some(host) => host.to_str().map_err(|_| wrong("host"))?,
                None => authority.ok_or_else(|| missing("host"))?,
            };
            let method = Cow::Borrowed(request.method().as_str());
            return Self::of(Dialect::Prefix, scheme, (host, "host"), target, method);
        }
        let method = Cow::Borrowed(single(headers, "x-forwarded-method")?);
        let target = Cow::Borrowed(single(headers, "x-forwarded-uri")?);
        let host = (single(headers, "x-forwarded-host")?, "x-forwarded-host");
        Self::of(Dialect::Forwarded, scheme, host, target, method)
    }

    fn of_nginx(headers: &'r HeaderMap) -> Result<Self> {
        const URL: &str = "x-original-url";
        let (scheme, rest) = single(headers, URL)?.split_once("://").ok_or_else(|| wrong(URL))?;
        let (host, target) = rest.split_at(rest.find('/').ok_or_else(|| wrong(URL))?);
        let method = Cow::Borrowed(single(headers, "x-original-method")?);
        Self::of(Dialect::Nginx, scheme, (host, URL), Cow::Borrowed(target), method)
    }

    fn of(
        dialect: Dialect,
        scheme: &str,
        (host, named): (&'r str, &'static str),
        target: Cow<'r, str>,
        method: Cow<'r, str>,
    ) -> Result<Self> {
        // Some proxies say so of a WebSocket.
        let is_https = match scheme {
            "https" | "wss" => true,
            "http" | "ws" => false,
            _ => return Err(wrong("x-forwarded-proto")),
        };
        let (host, port) = host::split(host).ok_or_else(|| wrong(named))?;
        // The usual one says nothing.
        let port = port.filter(|port| *port != if is_https { 443 } else { 80 });
        let is_method = (1..=20).contains(&method.len()) && method.bytes().all(|b| b.is_ascii_graphic());
        if !is_method {
            return Err(wrong("x-forwarded-method"));
        }
        // No application tells them apart that means to guard something.
        let is_upper = !method.bytes().any(|b| b.is_ascii_lowercase());
        let method = if is_upper { method } else { Cow::Owned(method.to_ascii_uppercase()) };
        Ok(Self { dialect, is_https, host, port, target, method })
    }

    /// Where a browser finds it.
    #[must_use]
    pub fn url(&self) -> String {
        let scheme = if self.is_https { "https" } else { "http" };
        let port = self.port.map(|port| format!(":{port}")).unwrap_or_default();
        format!("{scheme}://{}{port}{}", self.host, self.target)
    }

    /// Every method that it may be taken for.
    #[must_use]
    pub fn methods<'s>(&'s self, overriding: &'s [String]) -> Vec<&'s str> {
        std::iter::once(&*self.method).chain(overriding.iter().map(String::as_str)).collect()
    }

    /// Whether somebody waits before a browser who could be led elsewhere: a page is asked for, and not by a script.
    #[must_use]
    pub fn is_navigation(&self, headers: &HeaderMap) -> bool {
        let says =
            |name: &str, value: &str| headers.get(name).is_some_and(|had| had.as_bytes() == value.as_bytes());
        let accepts =
            |value: &poem::http::HeaderValue| value.to_str().is_ok_and(|text| text.contains("text/html"));
        let wants_page = headers.get_all(ACCEPT).iter().any(accepts);
        let by_script = says("x-requested-with", "XMLHttpRequest")
            || headers.get("sec-fetch-mode").is_some_and(|mode| mode != "navigate");
        matches!(&*self.method, "GET" | "HEAD") && wants_page && !by_script
    }
}

/// Methods that a request names beside its own.
///
/// # Errors
/// `Error::Malformed` for too many.
pub fn overriding(headers: &HeaderMap) -> Result<Vec<String>> {
    let mut all = Vec::new();
    for name in OVERRIDES {
        for value in headers.get_all(name) {
            let text = value.to_str().map_err(|_| wrong("x-http-method-override"))?;
            all.extend(text.split(',').map(|one| one.trim().to_ascii_uppercase()));
        }
    }
    if all.len() > MAX_OVERRIDES { Err(wrong("x-http-method-override")) } else { Ok(all) }
}

/// The value of a header that comes once. Several values would be read by some as the first one, by others as the last.
fn single<'h>(headers: &'h HeaderMap, name: &'static str) -> Result<&'h str> {
    let mut all = headers.get_all(name).iter();
    let first = all.next().ok_or_else(|| missing(name))?;
    if all.next().is_some() {
        return Err(Error::Malformed(format!("The header {name} came twice").into()));
    }
    first.to_str().ok().filter(|text| !text.is_empty()).ok_or_else(|| wrong(name))
}

fn missing(name: &str) -> Error {
    Error::Malformed(format!("The header {name} is missing, which the proxy has to write").into())
}

fn wrong(name: &str) -> Error {
    Error::Malformed(format!("The header {name} cannot be read").into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(path: &str, headers: &[(&str, &str)]) -> Request {
        let request = Request::builder().uri(path.parse().unwrap());
        headers.iter().fold(request, |request, (name, value)| request.header(*name, *value)).finish()
    }

    fn forwarded<'h>(also: &[(&'h str, &'h str)]) -> Vec<(&'h str, &'h str)> {
        let mut all = vec![
            ("x-forwarded-method", "GET"),
            ("x-forwarded-proto", "https"),
            ("x-forwarded-host", "App.example.org"),
            ("x-forwarded-uri", "/a?b=c"),
        ];
        for (name, value) in also {
            all.retain(|(had, _)| had != name);
            all.push((name, value));
        }
        all
    }

    fn url(path: &str, headers: &[(&str, &str)]) -> Option<String> {
        Original::read(&request(path, headers))
            .ok()
            .map(|original| format!("{} {}", original.method, original.url()))
    }

    #[test]
    fn each_path_reads_the_headers_of_its_own_proxy_alone() {
        let nginx = [("x-original-method", "POST"), ("x-original-url", "http://b.example:81/x")];
        let all: Vec<_> = forwarded(&[]).into_iter().chain(nginx).chain([("host", "c.example")]).collect();
        assert_eq!(url("/auth/forward", &all).unwrap(), "GET https://app.example.org/a?b=c");
        assert_eq!(url("/auth/forward/nginx", &all).unwrap(), "POST http://b.example:81/x");
        assert_eq!(url("/auth/forward/at/y?z", &all).unwrap(), "GET https://c.example/y?z");
        assert_eq!(url("/auth/forward/at", &all).unwrap(), "GET https://c.example/");
        let usual = forwarded(&[("x-forwarded-host", "app.example.org:443")]);
        assert_eq!(url("/auth/forward", &usual).unwrap(), "GET https://app.example.org/a?b=c");
        assert_eq!(url("/auth/forward", &nginx), None);
        assert_eq!(url("/auth/forward/nginx", &forwarded(&[])), None);
    }

    #[test]
    fn what_a_proxy_would_not_write_is_refused() {
        for wrong in [
            ("x-forwarded-host", ""),
            ("x-forwarded-host", "a.example, b.example"),
            ("x-forwarded-host", "a.example/b"),
            ("x-forwarded-host", "user@a.example"),
            ("x-forwarded-proto", "https,http"),
            ("x-forwarded-proto", "ftp"),
            ("x-forwarded-method", "GET,POST"),
            ("x-forwarded-method", "GET POST"),
        ] {
            let asked = url("/auth/forward", &forwarded(&[wrong]));
            // A comma is a character that a method may have: no rule names such a one.
            assert!(asked.is_none() || wrong.1 == "GET,POST", "{wrong:?}: {asked:?}");
        }
        for missing in ["x-forwarded-host", "x-forwarded-proto", "x-forwarded-method", "x-forwarded-uri"] {
            let without: Vec<_> = forwarded(&[]).into_iter().filter(|(name, _)| *name != missing).collect();
            assert_eq!(url("/auth/forward", &without), None, "{missing}");
            let twice: Vec<_> = forwarded(&[]).into_iter().chain([(missing, "GET")]).collect();
            assert_eq!(url("/auth/forward", &twice), None, "{missing} twice");
        }
        for bad in ["a.example/", "https:/a.example/", "https://a.example", "javascript://a/%0a"] {
            let headers = [("x-original-method", "GET"), ("x-original-url", bad)];
            assert_eq!(url("/auth/forward/nginx", &headers), None, "{bad}");
        }
    }

    #[test]
    fn a_browser_is_led_elsewhere_and_a_script_is_not() {
        let navigates = |also: &[(&str, &str)]| {
            let request = request("/auth/forward", &forwarded(also));
            Original::read(&request).unwrap().is_navigation(request.headers())
        };
        let html = ("accept", "text/html,application/xhtml+xml,*/*;q=0.8");
        assert!(navigates(&[html]));
        assert!(navigates(&[html, ("sec-fetch-mode", "navigate")]));
        assert!(!navigates(&[html, ("x-forwarded-method", "POST")]));
        assert!(!navigates(&[html, ("sec-fetch-mode", "cors")]));
        assert!(!navigates(&[html, ("x-requested-with", "XMLHttpRequest")]));
        assert!(!navigates(&[("accept", "*/*")]) && !navigates(&[]));
    }
}
