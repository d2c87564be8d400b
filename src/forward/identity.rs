//! What is said of somebody in headers, and how. Of every identity header one is written each time, if need be an empty one: it
//! takes the place of any that the client has sent.
use std::fmt::Write;

use poem::http::{HeaderMap, HeaderName, HeaderValue};

use super::service::{Passers, roles_of};
use crate::base::{Error, Result};
use crate::config;
use crate::rbac::{Actor, Subject};

/// The names of the headers; those that are not to be written are none.
pub struct IdentityHeaders {
    user: Option<HeaderName>,
    email: Option<HeaderName>,
    name: Option<HeaderName>,
    groups: Option<HeaderName>,
    id: Option<HeaderName>,
}

impl IdentityHeaders {
    /// # Errors
    /// `Error::Invalid` naming the setting that is no header of its own.
    pub fn new(settings: &config::Forward) -> Result<Self> {
        let mut taken = Vec::new();
        let mut named = |setting: &'static str, text: &str| {
            let wrong = |why: &'static str| Err(Error::invalid(setting, why));
            if text.is_empty() {
                return Ok(None);
            }
            let is_plain = |b: u8| b.is_ascii_alphanumeric() || b == b'-';
            let Ok(name) = HeaderName::try_from(text.to_ascii_lowercase()) else {
                return wrong("must be the name of a header");
            };
            // Behind many servers `Remote_User` is `Remote-User`.
            if !text.bytes().all(is_plain) || RESERVED.contains(&name.as_str()) {
                return wrong("must be letters, digits and `-`, and no header that means something else");
            }
            if taken.contains(&name) {
                return wrong("is the name of another one");
            }
            taken.push(name.clone());
            Ok(Some(name))
        };
        Ok(Self {
            user: named("forward.header_user", &settings.header_user)?,
            email: named("forward.header_email", &settings.header_email)?,
            name: named("forward.header_name", &settings.header_name)?,
            groups: named("forward.header_groups", &settings.header_groups)?,
            id: named("forward.header_id", &settings.header_id)?,
        })
    }

    /// Says who it is; of nobody, that it is nobody.
    ///
    /// # Errors
    /// `Error::Unavailable` when the store does not serve.
    pub fn tell(&self, headers: &mut HeaderMap, somebody: Option<&Actor>, passers: &Passers) -> Result<()> {
        let mut put = |name: &Option<HeaderName>, value: HeaderValue| {
            if let Some(name) = name {
                headers.insert(name.clone(), value);
            }
        };
        let Some(actor) = somebody else {
            for name in [&self.user, &self.email, &self.name, &self.groups, &self.id] {
                put(name, HeaderValue::from_static(""));
            }
            return Ok(());
        };
        put(&self.user, encoded(actor.subject.name()));
        put(&self.groups, encoded(&groups(actor)));
        put(&self.id, encoded(&actor.subject.id().to_string()));
        let (email, name) = match &actor.subject {
            Subject::User(user) => {
                let names = [user.first_name.as_ref(), user.last_name.as_ref()];
                let names: Vec<_> =
                    names.into_iter().flatten().map(crate::base::text::DisplayName::as_str).collect();
                (passers.email_of(user)?, names.join(" "))
            }
            Subject::Service(_) => (None, String::new()),
        };
        put(&self.email, encoded(email.unwrap_or_default()));
        put(&self.name, encoded(if name.is_empty() { actor.subject.name() } else { &name }));
        Ok(())
    }
}

/// Headers that proxies and browsers go by.
const RESERVED: &[&str] = &[
    "authorization",
    "connection",
    "content-encoding",
    "content-length",
    "content-security-policy",
    "content-type",
    "cookie",
    "date",
    "host",
    "keep-alive",
    "location",
    "proxy-authenticate",
    "proxy-authorization",
    "set-cookie",
    "strict-transport-security",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "vary",
    "www-authenticate",
    "x-api-key",
    "x-auth-location",
    "x-forwarded-for",
    "x-forwarded-host",
    "x-forwarded-method",
    "x-forwarded-proto",
    "x-forwarded-uri",
    "x-original-method",
    "x-original-url",
    "x-request-id",
];

/// Names of roles have no commas.
fn groups(actor: &Actor) -> String {
    let mut all = String::new();
    for role in roles_of(actor) {
        if !all.is_empty() {
            all.push(',');
        }
        all.push_str(role);
    }
    all
}

/// A text as a header may hold it: what is no printable character of ASCII, and `%`, is UTF-8 in percent-encoding (RFC 3986
/// section 2.1). So nothing can end a line, and nothing is lost.
#[must_use]
pub fn encoded(text: &str) -> HeaderValue {
    let is_plain = |b: u8| matches!(b, b' '..=b'~') && b != b'%';
    if text.bytes().all(is_plain) {
        return HeaderValue::try_from(text).unwrap_or_else(|_| HeaderValue::from_static(""));
    }
    let mut out = String::with_capacity(text.len() * 3);
    for byte in text.bytes() {
        if is_plain(byte) {
            out.push(char::from(byte));
        } else {
            // A string takes everything.
            let _ = write!(out, "%{byte:02X}");
        }
    }
    HeaderValue::try_from(out).unwrap_or_else(|_| HeaderValue::from_static(""))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_is_not_ascii_is_percent_encoded() {
        for (text, value) in [
            ("ann", "ann"),
            ("Jürgen Groß", "J%C3%BCrgen Gro%C3%9F"),
            ("100%", "100%25"),
            ("a\r\nRemote-Groups: superuser", "a%0D%0ARemote-Groups: superuser"),
            ("\u{0}\u{7f}", "%00%7F"),
            ("", ""),
        ] {
            assert_eq!(encoded(text), value, "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_one_line_and_can_be_read_again(text in "\\PC{0,20}|[\\x00-\\x7f]{0,20}") {
            let value = encoded(&text);
            let bytes = value.as_bytes();
            prop_assert!(bytes.iter().all(|b| matches!(b, b' '..=b'~')));
            let mut read = Vec::new();
            let mut at = 0;
            while at < bytes.len() {
                if bytes[at] == b'%' {
                    read.push(u8::from_str_radix(std::str::from_utf8(&bytes[at + 1..at + 3]).unwrap(), 16).unwrap());
                    at += 3;
                } else {
                    read.push(bytes[at]);
                    at += 1;
                }
            }
            prop_assert_eq!(String::from_utf8(read).unwrap(), text);
        }
    }
}
