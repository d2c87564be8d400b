//! Scopes: what a client asks for in a user's name (RFC 6749 section 3.3). Pure.
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::base::{Error, Result};

/// Asks for an ID token (OpenID Connect Core section 3.1.2.1).
pub const OPENID: &str = "openid";
/// Asks for access while the user is away (OpenID Connect Core section 11).
pub const OFFLINE_ACCESS: &str = "offline_access";
/// What every server of OpenID Connect knows, with the claims that each stands for (section 5.4).
pub const STANDARD: &[(&str, &[&str])] = &[
    (OPENID, &[]),
    ("profile", &["name", "family_name", "given_name", "preferred_username", "updated_at"]),
    ("email", &["email", "email_verified"]),
    ("phone", &["phone_number", "phone_number_verified"]),
    ("address", &["address"]),
    (OFFLINE_ACCESS, &[]),
];
const MAX_SCOPES: usize = 100;
const MAX_BYTES: usize = 128;

/// Several scopes, each once, in the order in which they were said.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Scopes(Vec<String>);

impl Scopes {
    /// Reads a list with spaces between.
    ///
    /// # Errors
    /// `Error::Invalid` naming `field` for a character that no scope may have (RFC 6749 appendix A.4), and for very many.
    pub fn parse(field: &'static str, text: &str) -> Result<Self> {
        let mut scopes = Self::default();
        for name in text.split(' ').filter(|name| !name.is_empty()) {
            let allowed = |b: u8| matches!(b, 0x21 | 0x23..=0x5b | 0x5d..=0x7e);
            if !name.bytes().all(allowed) || name.len() > MAX_BYTES {
                return Err(Error::invalid(
                    field,
                    "has a character that no scope may have, or a very long scope",
                ));
            }
            if !scopes.has(name) {
                scopes.0.push(name.to_owned());
            }
            if scopes.0.len() > MAX_SCOPES {
                return Err(Error::invalid(field, format!("must have at most {MAX_SCOPES} scopes")));
            }
        }
        Ok(scopes)
    }

    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.0.iter().any(|known| known == name)
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }

    /// Those of these that another list has, too.
    #[must_use]
    pub fn within(&self, other: &Self) -> Self {
        Self(self.0.iter().filter(|name| other.has(name)).cloned().collect())
    }

    /// Whether another list has all of these.
    #[must_use]
    pub fn is_within(&self, other: &Self) -> bool {
        self.0.iter().all(|name| other.has(name))
    }

    /// These, but for one.
    #[must_use]
    pub fn without(mut self, name: &str) -> Self {
        self.0.retain(|known| known != name);
        self
    }

    /// These and those of another list.
    #[must_use]
    pub fn and(&self, other: &Self) -> Self {
        let mut both = self.clone();
        both.0.extend(other.0.iter().filter(|name| !self.has(name)).cloned());
        both
    }
}

/// The claims that a scope stands for.
pub fn claims_of(scope: &str) -> impl Iterator<Item = &'static str> {
    let standard = STANDARD.iter().find(|(name, _)| *name == scope);
    standard.map_or(&[][..], |(_, claims)| claims).iter().copied()
}

/// The scope that a claim belongs to.
#[must_use]
pub fn scope_of(claim: &str) -> Option<&'static str> {
    STANDARD.iter().find(|(_, claims)| claims.contains(&claim)).map(|(name, _)| *name)
}

/// With spaces between.
impl fmt::Display for Scopes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join(" "))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn each_is_there_once_in_the_order_in_which_it_was_said() {
        let scopes = Scopes::parse("scope", "openid email  openid profile").unwrap();
        assert_eq!(scopes.to_string(), "openid email profile");
        assert_eq!(scopes.iter().flat_map(claims_of).next(), Some("email"));
    }

    proptest! {
        #[test]
        fn what_parses_is_written_so_that_it_parses_to_itself(text in "[ -~]{0,60}") {
            if let Ok(scopes) = Scopes::parse("scope", &text) {
                prop_assert_eq!(Scopes::parse("scope", &scopes.to_string()).unwrap(), scopes);
            } else {
                prop_assert!(text.contains(['"', '\\']));
            }
        }

        #[test]
        fn what_is_within_both_is_in_both(one in "([a-d] ){0,4}", other in "([a-d] ){0,4}") {
            let (one, other) = (Scopes::parse("scope", &one).unwrap(), Scopes::parse("scope", &other).unwrap());
            let both = one.within(&other);
            prop_assert!(both.is_within(&one) && both.is_within(&other));
            prop_assert!(one.is_within(&one.and(&other)) && other.is_within(&one.and(&other)));
        }
    }
}
