//! Names of permissions, patterns over them, and the permissions of this service.
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::base::{Error, Result};

const MAX_BYTES: usize = 128;
const SEGMENTS: std::ops::RangeInclusive<usize> = 2..=6;
const ANY: &str = "*";

/// What one has to be allowed to do something: `billing:invoices:write`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Permission(String);

/// What a role holds: a permission, with `*` for any one segment. `*` alone is everything.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Pattern(String);

impl Permission {
    /// # Errors
    /// `Error::Invalid` naming `field` unless it is 2 to 6 segments of `a`-`z`, `0`-`9`, `_` and `-` with `:` between.
    pub fn parse(field: &'static str, text: &str) -> Result<Self> {
        Self::check(field, text)?;
        Ok(Self(text.to_owned()))
    }

    /// # Errors
    /// As [`Permission::parse`].
    pub fn check(field: &'static str, text: &str) -> Result<()> {
        if is_name(text, |_| false) {
            Ok(())
        } else {
            Err(Error::invalid(field, "must be a name like `billing:invoices:write`"))
        }
    }

    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Pattern {
    /// Everything there is: what a superuser holds, and nobody can give away in part.
    #[must_use]
    pub fn everything() -> Self {
        Self(ANY.to_owned())
    }

    /// # Errors
    /// `Error::Invalid` naming `field` unless it is a permission's name, with `*` for some of its segments.
    pub fn parse(field: &'static str, text: &str) -> Result<Self> {
        if is_name(text, |segment| segment == ANY.as_bytes()) {
            Ok(Self(text.to_owned()))
        } else {
            Err(Error::invalid(field, "must hold names like `billing:invoices:write` or `billing:*`"))
        }
    }

    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Several, each once.
    ///
    /// # Errors
    /// As [`Pattern::parse`].
    pub fn parse_all(field: &'static str, texts: &[String]) -> Result<Vec<Self>> {
        let mut all = texts.iter().map(|text| Self::parse(field, text)).collect::<Result<Vec<_>>>()?;
        all.sort();
        all.dedup();
        Ok(all)
    }

    /// A name that is one already.
    pub(super) fn of_exact(name: &str) -> Self {
        Self(name.to_owned())
    }

    /// Whether it is one permission and no more.
    #[must_use]
    pub fn is_exact(&self) -> bool {
        !self.0.contains(ANY)
    }

    /// Whether it has this permission in it.
    #[must_use]
    pub fn matches(&self, permission: &str) -> bool {
        self.0 == ANY || covers(&self.0, permission)
    }

    /// What both have in them.
    #[must_use]
    pub fn intersection(&self, other: &Self) -> Option<Self> {
        if self.0 == ANY || other.0 == ANY {
            return Some(if self.0 == ANY { other.clone() } else { self.clone() });
        }
        if self.0.split(':').count() != other.0.split(':').count() {
            return None;
        }
        let both = |(mine, theirs)| match (mine, theirs) {
            (ANY, segment) | (segment, ANY) => Some(segment),
            (mine, theirs) => (mine == theirs).then_some(mine),
        };
        let segments: Option<Vec<_>> = self.0.split(':').zip(other.0.split(':')).map(both).collect();
        segments.map(|segments| Self(segments.join(":")))
    }

    /// Whether everything that the other has in it is in this one, too.
    #[must_use]
    pub fn includes(&self, other: &Self) -> bool {
        self.0 == ANY || other.0 != ANY && covers(&self.0, &other.0)
    }

    /// Every pattern that has all of this one in it, itself included: at most 65, so that looking each up is cheaper than
    /// holding this one against many.
    pub(super) fn wider(&self) -> impl Iterator<Item = Self> + '_ {
        let segments: Vec<_> = self.0.split(':').collect();
        let narrow: Vec<_> = (0..segments.len()).filter(|at| segments[*at] != ANY).collect();
        let most = if self.0 == ANY { 0 } else { 1_u32 << narrow.len() };
        let widened = move |chosen: u32| {
            let mut segments = segments.clone();
            narrow.iter().enumerate().filter(|(bit, _)| chosen >> bit & 1 == 1).for_each(|(_, at)| {
                segments[*at] = ANY;
            });
            Self(segments.join(":"))
        };
        (0..most).map(widened).chain([Self::everything()])
    }
}

/// Segment by segment; both have as many. By bytes: every permission that a request asks for is held against patterns.
fn covers(pattern: &str, name: &str) -> bool {
    let (mut pattern, mut name) = (pattern.as_bytes(), name.as_bytes());
    loop {
        let (segment, more) = first_segment(pattern);
        let rest = if segment == ANY.as_bytes() {
            Some(&name[first_segment(name).0.len()..])
        } else {
            name.strip_prefix(segment)
        };
        match (more, rest) {
            (None, Some([])) => return true,
            (Some(more), Some([b':', rest @ ..])) => (pattern, name) = (more, rest),
            _ => return false,
        }
    }
}

/// What comes before the first colon, and what comes after it.
fn first_segment(text: &[u8]) -> (&[u8], Option<&[u8]>) {
    match text.iter().position(|byte| *byte == b':') {
        Some(at) => (&text[..at], Some(&text[at + 1..])),
        None => (text, None),
    }
}

fn is_name(text: &str, also: impl Fn(&[u8]) -> bool) -> bool {
    let is_plain = |b: &u8| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-');
    let plain = |segment: &[u8]| !segment.is_empty() && segment.iter().all(is_plain);
    let segments = || text.as_bytes().split(|byte| *byte == b':');
    text.len() <= MAX_BYTES
        && SEGMENTS.contains(&segments().count())
        && segments().all(|segment| plain(segment) || also(segment))
}

impl fmt::Display for Permission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<Permission> for Pattern {
    fn from(permission: Permission) -> Self {
        Self(permission.0)
    }
}

/// A permission of this service as a type, so that an operation names it where it takes its caller.
pub trait Named: Send + Sync {
    const NAME: &'static str;
}

macro_rules! permissions {
    ($($(#[doc = $about:literal])+ $kind:ident = $name:literal,)+) => {
        $($(#[doc = $about])+ pub struct $kind;
        impl Named for $kind {
            const NAME: &'static str = $name;
        })+

        /// Every permission of this service: its name, and what it allows.
        pub const OWN: &[(&str, &str)] = &[$(($name, concat!($($about),+)),)+];
    };
}

permissions! {
    /// Read the own account, its sessions and activity
    AccountRead = "account:read",
    /// Change the own account, end its sessions, delete it
    AccountWrite = "account:write",
    /// Change the own password
    AccountPassword = "account:password",
    /// Make, change and end API keys of the own account
    AccountKeys = "account:keys",
    /// Manage second factors and passkeys of the own account
    AccountFactors = "account:factors",
    /// Find out whether an API key that somebody has shown is good
    ApiKeysVerify = "api-keys:verify",
    /// Read the audit trail
    AuditRead = "audit:read",
    /// Ask what other subjects may do
    AuthCheck = "auth:check",
    /// Read the rules for reverse proxies
    ForwardRulesRead = "forward-rules:read",
    /// Make, change, move and delete rules for reverse proxies
    ForwardRulesWrite = "forward-rules:write",
    /// Read the state of the server's parts
    HealthRead = "health:read",
    /// Read mails that are held, with the links in them
    MailRead = "mail:read",
    /// Read the clients of the OAuth 2.0 server
    OauthClientsRead = "oauth-clients:read",
    /// Register, change and delete clients of the OAuth 2.0 server
    OauthClientsWrite = "oauth-clients:write",
    /// Define and delete permissions of other services
    PermissionsWrite = "permissions:write",
    /// Read roles and permissions
    RolesRead = "roles:read",
    /// Make, change and delete roles
    RolesWrite = "roles:write",
    /// Read service accounts and their API keys
    ServiceAccountsRead = "service-accounts:read",
    /// Make, change and delete service accounts, and make and end their API keys
    ServiceAccountsWrite = "service-accounts:write",
    /// Give service accounts roles
    ServiceAccountsRoles = "service-accounts:roles",
    /// Of clients: act for users of other clients (RFC 8693), and be named in what they do
    TokensExchange = "tokens:exchange",
    /// Of clients that may exchange tokens: act for users without being named
    TokensImpersonate = "tokens:impersonate",
    /// Remove second factors and passkeys of any account
    UsersFactors = "users:factors",
    /// List and end API keys of any account
    UsersKeys = "users:keys",
    /// Start the reset of a password, and ask for a change of one
    UsersPassword = "users:password",
    /// Read any account
    UsersRead = "users:read",
    /// Make and change accounts, switch them off and on
    UsersWrite = "users:write",
    /// Delete and restore accounts
    UsersDelete = "users:delete",
    /// Give accounts roles
    UsersRoles = "users:roles",
    /// Bring accounts with their password hashes from elsewhere
    UsersImport = "users:import",
    /// List and end sessions of any account
    UsersSessions = "users:sessions",
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn pattern(text: &str) -> Pattern {
        Pattern::parse("permissions", text).unwrap()
    }

    #[test]
    fn names_and_patterns() {
        for good in ["users:read", "billing:invoices:write", "a:b:c:d:e:f", "x-1:y_2"] {
            assert!(Permission::parse("name", good).is_ok(), "{good}");
        }
        let long = format!("a:{}", "b".repeat(127));
        for bad in [
            "",
            "users",
            "users:",
            ":read",
            "a::b",
            "Users:read",
            "a:b c",
            "a:b:c:d:e:f:g",
            "a:ü",
            &long,
            "a:*",
        ] {
            assert!(Permission::parse("name", bad).is_err(), "{bad}");
        }
        for bad in ["*", "a:b*", "**:a", "a", "a:*b"] {
            assert!(Pattern::parse("permissions", bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_star_is_one_segment_and_alone_everything() {
        assert!(pattern("users:*").matches("users:read") && !pattern("users:*").matches("users:read:all"));
        assert!(pattern("*:read").matches("users:read") && !pattern("*:read").matches("users:write"));
        assert!(Pattern::everything().matches("a:b:c"));
        assert!(
            pattern("users:*").includes(&pattern("users:read"))
                && pattern("*:*").includes(&pattern("users:*"))
        );
        assert!(
            !pattern("users:read").includes(&pattern("users:*"))
                && !pattern("*:*").includes(&Pattern::everything())
        );
        assert!(Pattern::everything().includes(&Pattern::everything()));
    }

    #[test]
    fn own_permissions_have_good_names() {
        for (name, about) in OWN {
            assert!(Permission::parse("name", name).is_ok() && !about.is_empty(), "{name}");
        }
    }

    proptest! {
        #[test]
        fn a_pattern_that_includes_another_matches_all_of_it(
            mine in "([ab*]:){1,3}[ab*]", other in "([ab*]:){1,3}[ab*]", name in "([ab]:){1,3}[ab]",
        ) {
            let (mine, other) = (pattern(&mine), pattern(&other));
            if mine.includes(&other) && other.matches(&name) {
                prop_assert!(mine.matches(&name));
            }
        }

        #[test]
        fn the_wider_ones_are_those_that_include_it(
            mine in "([ab*]:){1,3}[ab*]", other in "([ab*]:){1,3}[ab*]",
        ) {
            let (mine, other) = (pattern(&mine), pattern(&other));
            prop_assert_eq!(mine.wider().any(|wider| wider == other), other.includes(&mine));
            prop_assert!(Pattern::everything().wider().eq([Pattern::everything()]));
        }

        #[test]
        fn an_intersection_matches_what_both_match(
            mine in "([ab*]:){1,3}[ab*]", other in "([ab*]:){1,3}[ab*]", name in "([ab]:){1,3}[ab]",
        ) {
            let (mine, other) = (pattern(&mine), pattern(&other));
            let both = mine.intersection(&other);
            prop_assert_eq!(both.is_some_and(|both| both.matches(&name)), mine.matches(&name) && other.matches(&name));
        }

        #[test]
        fn any_text_is_a_name_or_refused(text in "\\PC{0,40}") {
            if let Ok(name) = Permission::parse("name", &text) {
                prop_assert!(pattern(name.as_str()).is_exact());
            }
        }
    }
}
