//! Names and addresses that people type: parsed once, typed from then on.
//!
//! Two spellings that a reader takes for one another may not be two accounts. Every name therefore has a
//! [`LookupKey`]: the Unicode TR 39 skeleton (what it looks like), then the case-folded NFKC form (what it is).
use std::fmt;

use email_address::EmailAddress;
use serde::{Deserialize, Serialize};
use unicode_normalization::UnicodeNormalization;
use unicode_security::{GeneralSecurityProfile, MixedScript, skeleton};

use super::{Error, Result};

/// Bytes of a name or address as someone typed it: more than any needs in whatever Unicode form, and so few that
/// normalising them, which can make them eleven times as many, is quickly done. Checked before anything else.
pub const MAX_TYPED_BYTES: usize = 2048;
const USERNAME_MAX: usize = 64;
const EMAIL_MAX: usize = 254;
const DISPLAY_NAME_MAX: usize = 100;
const SLUG_MAX: usize = 64;

/// A user name, NFKC-normalised, in the case its owner chose.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Username(String);

/// An e-mail address: local part as written, domain in lower-case ASCII (IDNA).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Email(String);

/// A first or last name: trimmed, without control characters.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DisplayName(String);

/// The name of a role or a service account: 1 to 64 of `a`-`z`, `0`-`9`, `.`, `_` and `-`, not all of them signs.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Slug(String);

/// Where a name stands in its index, and what tells two names that look the same apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LookupKey {
    skeleton: String,
    folded: String,
}

impl Username {
    /// # Errors
    /// `Error::Invalid` naming `username`: 1 to 64 letters, digits, `.`, `_` or `-`, of one script, at least
    /// one of them a letter or digit. An `@` is refused so that a name is never taken for an address.
    pub fn parse(text: &str) -> Result<Self> {
        let refuse = |reason: &'static str| Err(Error::invalid("username", reason));
        let length = "must have 1 to 64 characters";
        if text.len() > MAX_TYPED_BYTES {
            return refuse(length);
        }
        let name: String = text.nfkc().collect();
        if !(1..=USERNAME_MAX).contains(&name.chars().count()) {
            return refuse(length);
        }
        if !name.chars().all(is_name_char) {
            return refuse("may have letters, digits, '.', '_' and '-' only");
        }
        if !name.chars().any(char::is_alphanumeric) {
            return refuse("must have a letter or a digit");
        }
        if !name.as_str().is_single_script() {
            return refuse("mixes letters of different scripts");
        }
        Ok(Self(name))
    }

    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    #[must_use]
    pub fn lookup_key(&self) -> LookupKey {
        LookupKey::of(&self.0)
    }
}

fn is_name_char(c: char) -> bool {
    matches!(c, '.' | '_' | '-') || (c.is_alphanumeric() && GeneralSecurityProfile::identifier_allowed(c))
}

impl Email {
    /// # Errors
    /// `Error::Invalid` naming `email` for what RFC 5321 does not take as an address, a display name or an
    /// address literal included, and for a domain that IDNA refuses.
    pub fn parse(text: &str) -> Result<Self> {
        let refuse = || Error::invalid("email", "is not an e-mail address");
        if text.len() > MAX_TYPED_BYTES {
            return Err(refuse());
        }
        let plain: String = text.trim().nfc().collect();
        if plain.len() > EMAIL_MAX || plain.chars().any(|c| c.is_control() || c.is_whitespace()) {
            return Err(refuse());
        }
        let options = email_address::Options::default()
            .without_display_text()
            .without_domain_literal()
            .with_required_tld();
        let parsed = EmailAddress::parse_with_options(&plain, options).map_err(|_| refuse())?;
        let domain = idna::domain_to_ascii_strict(parsed.domain()).map_err(|_| refuse())?;
        Ok(Self(format!("{}@{domain}", parsed.local_part())))
    }

    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What stands before the last `@`.
    #[must_use]
    pub fn local_part(&self) -> &str {
        self.0.rsplit_once('@').map_or(&*self.0, |(local, _)| local)
    }

    #[must_use]
    pub fn lookup_key(&self) -> LookupKey {
        LookupKey::of(&self.0)
    }
}

impl Slug {
    /// # Errors
    /// `Error::Invalid` naming `field`.
    pub fn parse(field: &'static str, text: &str) -> Result<Self> {
        let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'.' | b'_' | b'-');
        if !(1..=SLUG_MAX).contains(&text.len()) || !text.bytes().all(plain) {
            return Err(Error::invalid(field, "must have 1 to 64 of a-z, 0-9, '.', '_' and '-'"));
        }
        // `/roles/..` is another path to many clients.
        if !text.bytes().any(|b| b.is_ascii_alphanumeric()) {
            return Err(Error::invalid(field, "must have a letter or a digit"));
        }
        Ok(Self(text.to_owned()))
    }

    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl DisplayName {
    /// An empty text is no name.
    ///
    /// # Errors
    /// `Error::Invalid` naming `field` for more than 100 characters or a control character.
    pub fn parse(field: &'static str, text: &str) -> Result<Option<Self>> {
        let too_long = || Err(Error::invalid(field, "must have at most 100 characters"));
        if text.len() > MAX_TYPED_BYTES {
            return too_long();
        }
        let name: String = text.trim().nfc().collect();
        if name.chars().count() > DISPLAY_NAME_MAX {
            return too_long();
        }
        if name.chars().any(|c| c.is_control() || rearranges(c)) {
            return Err(Error::invalid(field, "must not have control characters"));
        }
        if !name.is_empty() && !is_visible(&name) {
            return Err(Error::invalid(field, "has nothing that can be seen"));
        }
        Ok((!name.is_empty()).then_some(Self(name)))
    }

    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Whether a character changes the order or the lines of the text around it (Unicode Standard Annex 9): a name must not
/// reach beyond itself.
#[must_use]
pub fn rearranges(c: char) -> bool {
    matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{2028}' | '\u{2029}')
}

/// Whether anything of a text can be seen (Unicode Standard, section 23.2: some characters take no room).
#[must_use]
pub fn is_visible(text: &str) -> bool {
    let takes_room = |c: char| {
        !c.is_whitespace()
            && !rearranges(c)
            && !matches!(c, '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}'
                | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{2060}'..='\u{2065}' | '\u{2800}'
                | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}' | '\u{e0000}'..='\u{e0fff}')
    };
    text.chars().any(takes_room)
}

impl fmt::Display for Username {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for Slug {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
impl fmt::Display for Email {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl LookupKey {
    /// The key of any text, a valid name or not: what someone typed into a login form. Its work grows with the
    /// text; nothing longer than [`MAX_TYPED_BYTES`] can be a name.
    #[must_use]
    pub fn of(text: &str) -> Self {
        // By way of the capitals: two small letters can share one (σ and ς), and ß has two.
        let capitals = text.nfkc().flat_map(char::to_uppercase);
        let folded: String = capitals.flat_map(char::to_lowercase).nfkc().collect();
        Self { skeleton: skeleton(&folded).collect(), folded }
    }

    /// The key of what somebody typed into a login form: that of the e-mail address or user name which it means. Whatever
    /// finds an account, and whatever counts guesses at one, asks here.
    #[must_use]
    pub fn of_login(typed: &str) -> Self {
        match Email::parse(typed) {
            Ok(email) if typed.contains('@') => email.lookup_key(),
            _ => Self::of(typed),
        }
    }

    /// `skeleton 0 folded`: all names that look alike stand next to each other.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = self.look_alike_prefix();
        bytes.extend_from_slice(self.folded.as_bytes());
        bytes
    }

    /// What the keys of all names begin with that begin like this one.
    #[must_use]
    pub fn prefix(&self) -> Vec<u8> {
        self.skeleton.as_bytes().to_vec()
    }

    /// Whether a name begins with what was typed, and not only with what looks like it.
    #[must_use]
    pub fn begins_with(&self, prefix: &Self) -> bool {
        self.folded.starts_with(&prefix.folded)
    }

    /// What the keys of all names that look like this one begin with.
    #[must_use]
    pub fn look_alike_prefix(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.skeleton.len() + self.folded.len() + 1);
        bytes.extend_from_slice(self.skeleton.as_bytes());
        bytes.push(0);
        bytes
    }

    /// Whether a name with `other` as its key (same prefix) leaves no room for this one. Names in plain ASCII
    /// stand beside each other (`anna1`, `annal`); a name in another alphabet may not look like any other.
    #[must_use]
    pub fn clashes_with(&self, other: &[u8]) -> bool {
        let folded = other.strip_prefix(&*self.look_alike_prefix()).unwrap_or(other);
        folded == self.folded.as_bytes() || !(folded.is_ascii() && self.folded.is_ascii())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn key(name: &str) -> Vec<u8> {
        Username::parse(name).unwrap().lookup_key().to_bytes()
    }

    fn clash(a: &str, b: &str) -> bool {
        let (a, b) = (Username::parse(a).unwrap().lookup_key(), Username::parse(b).unwrap().lookup_key());
        a.look_alike_prefix() == b.look_alike_prefix() && a.clashes_with(&b.to_bytes())
    }

    #[test]
    fn case_and_compatibility_forms_are_one_name() {
        assert_eq!(key("Anna"), key("aNNA"));
        assert_eq!(key("Anna"), key("Ａｎｎａ"));
        assert_eq!(key("\u{e9}ric"), key("E\u{301}RIC"));
        assert_eq!(key("νίκος"), key("ΝΊΚΟΣ"));
        assert_eq!(key("straße"), key("STRASSE"));
    }

    #[test]
    fn look_alikes_across_scripts_clash_and_plain_ascii_ones_do_not() {
        assert!(clash("аее", "aee"), "Cyrillic against Latin");
        assert!(!clash("user1", "userl"));
        assert!(!clash("anna", "bob"));
        assert!(Username::parse("pаypal").is_err(), "one Cyrillic letter among Latin ones");
    }

    #[test]
    fn a_username_is_never_taken_for_an_address_or_a_path() {
        for bad in ["", "a b", "a@b", "a/b", "...", "a\u{0}", "\u{202e}abc", &"x".repeat(65)] {
            assert!(Username::parse(bad).is_err(), "{bad:?}");
        }
        for good in ["a", "testuser", "Anna.Maria-2_x", "Ünal", "山田", &"x".repeat(64)] {
            assert!(Username::parse(good).is_ok(), "{good:?}");
        }
    }

    #[test]
    fn addresses() {
        assert_eq!(Email::parse(" A.b+c@Example.COM ").unwrap().as_str(), "A.b+c@example.com");
        assert_eq!(Email::parse("x@bücher.example").unwrap().as_str(), "x@xn--bcher-kva.example");
        for bad in
            ["", "a", "a@", "@b.c", "a@b", "a b@c.de", "A <a@b.cd>", "a@[127.0.0.1]", "a@b..c", "a@b.c\n"]
        {
            assert!(Email::parse(bad).is_err() || bad.ends_with('\n'), "{bad:?}");
        }
    }

    proptest! {
        #[test]
        fn a_name_that_parses_parses_to_itself(text in "\\PC{0,70}") {
            if let Ok(name) = Username::parse(&text) {
                prop_assert_eq!(Username::parse(name.as_str()).unwrap(), name.clone());
                prop_assert_eq!(LookupKey::of(&text).to_bytes(), name.lookup_key().to_bytes());
            }
            if let Ok(email) = Email::parse(&text) {
                prop_assert_eq!(Email::parse(email.as_str()).unwrap(), email);
            }
            if let Ok(Some(name)) = DisplayName::parse("first_name", &text) {
                prop_assert_eq!(name.as_str().trim(), name.as_str());
            }
        }
    }
}
