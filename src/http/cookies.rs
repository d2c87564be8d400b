//! The cookies' names and flags, once.
use cookie::time::Duration;
use cookie::{Cookie, SameSite};
use poem::http::HeaderValue;
use poem::http::header::{COOKIE, HeaderMap};

use crate::base::{Error, Result};
use crate::config::PublicUrl;

const REFRESH_PATH: &str = "/auth/token/refresh";

/// How this server's cookies are called and where they are sent, by its public URL.
#[derive(Debug, Clone)]
pub struct Cookies {
    access: String,
    refresh: String,
    csrf: String,
    browser: String,
    form: String,
    begun: String,
    trusted_device: String,
    known_device: String,
    path: String,
    refresh_path: String,
    secure: bool,
}

impl Cookies {
    /// Over https the names carry the `__Host-` prefix where the path is `/`, and `__Secure-` elsewhere
    /// (RFC 6265bis section 4.1.3).
    #[must_use]
    pub fn new(url: &PublicUrl) -> Self {
        let name = |plain: &str, path: &str| match (url.is_https(), path) {
            (false, _) => plain.to_owned(),
            (true, "/") => format!("__Host-{plain}"),
            (true, _) => format!("__Secure-{plain}"),
        };
        let path = if url.path().is_empty() { "/" } else { url.path() };
        let refresh_path = format!("{}{REFRESH_PATH}", url.path());
        Self {
            access: name("access_token_cookie", path),
            refresh: name("refresh_token_cookie", &refresh_path),
            csrf: name("csrf_access_token", path),
            browser: name("session_cookie", path),
            form: name("form_cookie", path),
            begun: name("begun_cookie", path),
            trusted_device: name("trusted_device_cookie", path),
            known_device: name("known_device_cookie", path),
            path: path.to_owned(),
            refresh_path,
            secure: url.is_https(),
        }
    }

    /// The access token that came in a cookie.
    ///
    /// # Errors
    /// `Error::Malformed` when it came twice with different values.
    pub fn access<'h>(&self, headers: &'h HeaderMap) -> Result<Option<&'h str>> {
        find(headers, &self.access)
    }

    /// The refresh token that came in a cookie.
    ///
    /// # Errors
    /// As [`Cookies::access`].
    pub fn refresh<'h>(&self, headers: &'h HeaderMap) -> Result<Option<&'h str>> {
        find(headers, &self.refresh)
    }

    /// What says which session a browser has, for pages alone.
    #[must_use]
    pub fn browser<'h>(&self, headers: &'h HeaderMap) -> Option<&'h str> {
        // A neighbour below the same domain may have set another one: then nobody is signed in.
        find(headers, &self.browser).ok().flatten()
    }

    /// The cookie of a session of a browser; good as long as the session is.
    ///
    /// # Errors
    /// As [`Cookies::of_session`].
    pub fn of_browser(&self, value: &str, lifetime: i64) -> Result<HeaderValue> {
        self.make(&self.browser, value, &self.path, lifetime, true)
    }

    /// What a form has to hold that this server has given to this browser.
    #[must_use]
    pub fn form<'h>(&self, headers: &'h HeaderMap) -> Option<&'h str> {
        find(headers, &self.form).ok().flatten()
    }

    /// The cookie that goes with forms.
    ///
    /// # Errors
    /// As [`Cookies::of_session`].
    pub fn of_form(&self, value: &str) -> Result<HeaderValue> {
        const DAY_SECS: i64 = 24 * 3600;
        self.make(&self.form, value, &self.path, DAY_SECS, true)
    }

    /// The request that somebody has begun and goes on with after a mail, for pages alone.
    #[must_use]
    pub fn begun<'h>(&self, headers: &'h HeaderMap) -> Option<&'h str> {
        find(headers, &self.begun).ok().flatten()
    }

    /// The cookie of a request that was begun.
    ///
    /// # Errors
    /// As [`Cookies::of_session`].
    pub fn of_begun(&self, query: &str) -> Result<HeaderValue> {
        const HOUR_SECS: i64 = 3600;
        self.make(&self.begun, query, &self.path, HOUR_SECS, true)
    }

    /// Has the browser drop the request that was begun.
    ///
    /// # Errors
    /// As [`Cookies::of_session`].
    pub fn without_begun(&self) -> Result<HeaderValue> {
        self.make(&self.begun, "", &self.path, 0, true)
    }

    /// The token of a trusted device that came in a cookie.
    #[must_use]
    pub fn trusted_device<'h>(&self, headers: &'h HeaderMap) -> Option<&'h str> {
        // A neighbour below the same domain may have set another one: then it says nothing, and shuts nobody out.
        find(headers, &self.trusted_device).ok().flatten()
    }

    /// What says that its browser has logged in before.
    #[must_use]
    pub fn known_device<'h>(&self, headers: &'h HeaderMap) -> Option<&'h str> {
        // A neighbour below the same domain may have set another one: then it says nothing, and shuts nobody out.
        find(headers, &self.known_device).ok().flatten()
    }

    /// The cookie of a browser that has logged in.
    ///
    /// # Errors
    /// As [`Cookies::of_session`].
    pub fn of_known_device(&self, value: &str) -> Result<HeaderValue> {
        const YEAR_SECS: i64 = 365 * 24 * 3600;
        self.make(&self.known_device, value, &self.path, YEAR_SECS, true)
    }

    /// The cookie of a device that is trusted for so many seconds.
    ///
    /// # Errors
    /// As [`Cookies::of_session`].
    pub fn of_trusted_device(&self, token: &str, lifetime: i64) -> Result<HeaderValue> {
        self.make(&self.trusted_device, token, &self.path, lifetime, true)
    }

    /// The three cookies of a session; lifetimes in seconds.
    ///
    /// # Errors
    /// `Error::Internal` for a value that no header can hold.
    pub fn of_session(
        &self,
        access: (&str, i64),
        refresh: (&str, i64),
        csrf: &str,
    ) -> Result<Vec<HeaderValue>> {
        [
            self.make(&self.access, access.0, &self.path, access.1, true),
            self.make(&self.refresh, refresh.0, &self.refresh_path, refresh.1, true),
            // Read by the page's script, which sends it back as a header.
            self.make(&self.csrf, csrf, &self.path, refresh.1, false),
        ]
        .into_iter()
        .collect()
    }

    /// Has the browser drop all of a session.
    ///
    /// # Errors
    /// As [`Cookies::of_session`].
    pub fn cleared(&self) -> Result<Vec<HeaderValue>> {
        let mut cookies = self.of_session(("", 0), ("", 0), "")?;
        cookies.push(self.of_browser("", 0)?);
        Ok(cookies)
    }

    fn make(
        &self,
        name: &str,
        value: &str,
        path: &str,
        max_age: i64,
        http_only: bool,
    ) -> Result<HeaderValue> {
        let cookie = Cookie::build((name, value))
            .path(path)
            .max_age(Duration::seconds(max_age))
            .http_only(http_only)
            .secure(self.secure)
            .same_site(SameSite::Lax);
        HeaderValue::try_from(cookie.build().to_string()).map_err(Error::internal)
    }
}

/// The cookie of a browser that passes reverse proxies: one for all hosts below a domain, so that it is good for nothing else.
#[derive(Debug, Clone)]
pub struct ForwardCookie {
    name: &'static str,
    domain: String,
    secure: bool,
}

impl ForwardCookie {
    /// `domain`: empty for the host of the public URL alone.
    #[must_use]
    pub fn new(url: &PublicUrl, domain: &str) -> Self {
        let name = if url.is_https() { "__Secure-forward_cookie" } else { "forward_cookie" };
        Self { name, domain: domain.to_owned(), secure: url.is_https() }
    }

    /// What came in it.
    ///
    /// # Errors
    /// `Error::Malformed` when it came twice with different values: somebody below the domain may have set another one.
    pub fn value<'h>(&self, headers: &'h HeaderMap) -> Result<Option<&'h str>> {
        find(headers, self.name)
    }

    /// # Errors
    /// `Error::Internal` for a value that no header can hold.
    pub fn holding(&self, value: &str, lifetime: i64) -> Result<HeaderValue> {
        let cookie = Cookie::build((self.name, value))
            .path("/")
            .max_age(Duration::seconds(lifetime))
            .http_only(true)
            .secure(self.secure)
            .same_site(SameSite::Lax);
        let cookie = if self.domain.is_empty() { cookie } else { cookie.domain(self.domain.as_str()) };
        HeaderValue::try_from(cookie.build().to_string()).map_err(Error::internal)
    }
}

/// The value of a cookie, by hand: most requests have none, and the rest want one of many.
fn find<'h>(headers: &'h HeaderMap, name: &str) -> Result<Option<&'h str>> {
    let mut found = None;
    for header in headers.get_all(COOKIE) {
        // Cookies of others may hold any bytes; they must not hide ours. Nor may one whose name begins with a space
        // of some other alphabet pass for ours: browsers take that for another name, without our prefix's promises.
        let pairs =
            header.as_bytes().split(|byte| *byte == b';').filter_map(|pair| str::from_utf8(pair).ok());
        for (_, value) in
            pairs.filter_map(|pair| pair.trim_ascii().split_once('=')).filter(|(n, _)| *n == name)
        {
            if found.is_some_and(|before| before != value) {
                return Err(Error::Malformed("A cookie came twice with different values".into()));
            }
            found = Some(value).filter(|value| !value.is_empty());
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::config::Flags;

    fn cookies(url: &str) -> Cookies {
        let flags = Flags { public_url: Some(url.to_owned()), ..Flags::default() };
        let (config, _) = crate::config::load(&flags, std::iter::empty()).unwrap();
        Cookies::new(&config.public_url())
    }

    fn made(url: &str) -> Vec<String> {
        let made = cookies(url).of_session(("a", 900), ("r", 60), "c").unwrap();
        made.iter().map(|value| value.to_str().unwrap().to_owned()).collect()
    }

    #[test]
    fn flags_and_prefixes_follow_the_public_url() {
        assert_eq!(
            made("http://localhost:8000"),
            [
                "access_token_cookie=a; HttpOnly; SameSite=Lax; Path=/; Max-Age=900",
                "refresh_token_cookie=r; HttpOnly; SameSite=Lax; Path=/auth/token/refresh; Max-Age=60",
                "csrf_access_token=c; SameSite=Lax; Path=/; Max-Age=60",
            ]
        );
        assert_eq!(
            made("https://a.example"),
            [
                "__Host-access_token_cookie=a; HttpOnly; SameSite=Lax; Secure; Path=/; Max-Age=900",
                "__Secure-refresh_token_cookie=r; HttpOnly; SameSite=Lax; Secure; Path=/auth/token/refresh; Max-Age=60",
                "__Host-csrf_access_token=c; SameSite=Lax; Secure; Path=/; Max-Age=60",
            ]
        );
        assert!(made("https://a.example/id")[0].starts_with("__Secure-access_token_cookie=a"));
        assert!(made("https://a.example/id")[1].contains("Path=/id/auth/token/refresh"));
    }

    #[test]
    fn the_same_cookie_twice_is_no_guess() {
        let cookies = cookies("http://localhost:8000");
        let mut headers = HeaderMap::new();
        headers.append(COOKIE, "access_token_cookie=a; x=y".parse().unwrap());
        headers.append(COOKIE, "access_token_cookie=a".parse().unwrap());
        assert_eq!(cookies.access(&headers).unwrap(), Some("a"));
        headers.append(COOKIE, "access_token_cookie=b".parse().unwrap());
        assert!(cookies.access(&headers).is_err());
    }

    proptest! {
        #[test]
        fn any_cookie_header_is_read_without_panic(bytes in prop::collection::vec(32..255_u8, 0..80)) {
            let mut headers = HeaderMap::new();
            let all = [&bytes[..], b";access_token_cookie=good;", &bytes].concat();
            let value = HeaderValue::from_bytes(&all).unwrap_or_else(|_| "access_token_cookie=good".parse().unwrap());
            headers.append(COOKIE, value);
            prop_assert!(cookies("http://localhost:8000").access(&headers).is_ok_and(|found| found == Some("good")));
        }
    }
}
