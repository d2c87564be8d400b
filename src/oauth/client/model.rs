//! What a client is: an application that logs its users in with us, or asks for tokens of its own. Pure.
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::redirect::RedirectUri;
use crate::base::{Entropy, Error, Result, Timestamp, constant_time_eq, entropy};
use crate::crypto::{Algorithm, sha256};
use crate::oauth::scope::Scopes;
use crate::rbac::{Pattern, RoleName};

const MAX_ID: usize = 255;
/// How many secrets are good at the same time: that which is next, and that which was.
pub const MAX_SECRETS: usize = 2;

/// The name of a client in requests. Never only digits: no token's `sub` can be taken for a user's (RFC 9700 section 4.15).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ClientId(String);

/// How a client proves who it is (RFC 7591 section 2, `token_endpoint_auth_method`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Authentication {
    /// It cannot keep a secret: a program on its user's machine, or in a browser.
    None,
    SecretBasic,
    SecretPost,
}

/// How a client may come by tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum GrantType {
    AuthorizationCode,
    RefreshToken,
    ClientCredentials,
    /// RFC 8628.
    DeviceCode,
}

/// Who has said that there is such a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Registrar {
    Administrator,
    /// It stands in the configuration file.
    Configuration,
    /// The client itself (RFC 7591).
    Client,
}

/// What a user is called towards a client (OpenID Connect Core section 8).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum SubjectType {
    Public,
    /// By another name for each sector.
    Pairwise,
}

/// A secret of a client, as it is stored.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClientSecret {
    pub hash: [u8; 32],
    pub created_at: Timestamp,
    pub expires_at: Option<Timestamp>,
}

/// What a client says of itself (RFC 7591 section 2).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Metadata {
    pub name: String,
    pub redirect_uris: Vec<RedirectUri>,
    pub post_logout_redirect_uris: Vec<RedirectUri>,
    pub grants: Vec<GrantType>,
    pub authentication: Authentication,
    pub scopes: Scopes,
    pub id_token_algorithm: Algorithm,
    /// Signed, if one is named.
    pub userinfo_algorithm: Option<Algorithm>,
    pub subject_type: SubjectType,
    /// The host that its users' names are made for, where they are pairwise.
    pub sector: String,
    pub default_max_age: Option<i64>,
    pub requires_auth_time: bool,
    pub client_uri: Option<String>,
    pub logo_uri: Option<String>,
    pub policy_uri: Option<String>,
    pub tos_uri: Option<String>,
    pub contacts: Vec<String>,
    /// Whether all its access tokens are bound to a key of its (RFC 9449 section 5.2).
    pub binds_access_tokens: bool,
}

/// What administrators decide of a client.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rules {
    /// Its users are not asked whether they agree.
    pub is_first_party: bool,
    /// Whether it has to show that whoever redeems a code has asked for it (RFC 7636). Clients without a secret always do.
    pub requires_pkce: bool,
    /// Users without any of these may not use it; everyone may if there is none.
    pub roles: Vec<RoleName>,
    /// What it may ask tokens for (RFC 8707), beside ourselves.
    pub resources: Vec<String>,
    /// What it may do by itself, with client credentials.
    pub permissions: Vec<Pattern>,
    /// Whether it may find out about tokens of other clients (RFC 7662).
    pub introspects: bool,
    /// If not as many as everyone.
    pub requests_per_hour: Option<u32>,
}

/// An application that logs its users in with us, or asks for tokens of its own.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Client {
    pub id: ClientId,
    pub registrar: Registrar,
    pub is_active: bool,
    /// The last one made comes first.
    pub secrets: Vec<ClientSecret>,
    pub metadata: Metadata,
    pub rules: Rules,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

impl ClientId {
    /// A name that nobody has.
    #[must_use]
    pub fn generate(rng: &dyn Entropy) -> Self {
        Self(format!("client_{:032x}", u128::from_be_bytes(entropy::bytes(rng))))
    }

    /// # Errors
    /// `Error::Invalid` naming `client_id` for other characters than letters, digits, `.`, `_`, `~`, `:`, `/` and `-`, for
    /// more than 255 of them, for one of digits alone, and for `.` and `..`.
    pub fn parse(text: &str) -> Result<Self> {
        let allowed =
            |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'~' | b'-' | b':' | b'/');
        // No path can end with a segment of dots: it would stand for another path.
        let is_name =
            (1..=MAX_ID).contains(&text.len()) && text.bytes().all(allowed) && !matches!(text, "." | "..");
        if is_name && text.bytes().any(|b| !b.is_ascii_digit()) {
            Ok(Self(text.to_owned()))
        } else {
            Err(Error::invalid(
                "client_id",
                "must be letters, digits, '.', '_', '~', ':', '/' and '-', at most 255, and not digits alone",
            ))
        }
    }

    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ClientId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Enums with the words of a registry.
macro_rules! registered {
    ($name:ident, $field:literal { $( $variant:ident = $word:literal, )+ }) => {
        impl $name {
            /// All there are.
            pub const ALL: &[Self] = &[ $( Self::$variant, )+ ];

            /// The word of the registry.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $( Self::$variant => $word, )+ }
            }
        }

        impl FromStr for $name {
            type Err = Error;

            /// # Errors
            #[doc = concat!("`Error::Invalid` naming `", $field, "` for another word.")]
            fn from_str(text: &str) -> Result<Self> {
                let words = || [ $( $word, )+ ].join(", ");
                let found = Self::ALL.iter().copied().find(|known| known.name() == text);
                found.ok_or_else(|| Error::invalid($field, format!("must be one of {}", words())))
            }
        }
    };
}

registered! { Authentication, "token_endpoint_auth_method" {
    None = "none",
    SecretBasic = "client_secret_basic",
    SecretPost = "client_secret_post",
} }
registered! { GrantType, "grant_types" {
    AuthorizationCode = "authorization_code",
    RefreshToken = "refresh_token",
    ClientCredentials = "client_credentials",
    DeviceCode = "urn:ietf:params:oauth:grant-type:device_code",
} }
registered! { SubjectType, "subject_type" { Public = "public", Pairwise = "pairwise", } }

impl Authentication {
    /// Whether a client that proves itself so has a secret of ours.
    #[must_use]
    pub const fn has_secret(self) -> bool {
        matches!(self, Self::SecretBasic | Self::SecretPost)
    }
}

impl Metadata {
    /// What is so where nothing is said (RFC 7591 section 2, OpenID Connect Registration section 2).
    #[must_use]
    pub fn named(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            redirect_uris: Vec::new(),
            post_logout_redirect_uris: Vec::new(),
            grants: vec![GrantType::AuthorizationCode],
            authentication: Authentication::SecretBasic,
            scopes: Scopes::default(),
            id_token_algorithm: Algorithm::Rs256,
            userinfo_algorithm: None,
            subject_type: SubjectType::Public,
            sector: String::new(),
            default_max_age: None,
            requires_auth_time: false,
            client_uri: None,
            logo_uri: None,
            policy_uri: None,
            tos_uri: None,
            contacts: Vec::new(),
            binds_access_tokens: false,
        }
    }
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            is_first_party: false,
            requires_pkce: true,
            roles: Vec::new(),
            resources: Vec::new(),
            permissions: Vec::new(),
            introspects: false,
            requests_per_hour: None,
        }
    }
}

impl Client {
    /// Whether it can prove who it is (RFC 6749 section 2.1).
    #[must_use]
    pub fn is_confidential(&self) -> bool {
        self.metadata.authentication != Authentication::None
    }

    /// Whether each of its codes is bound to whoever asked for it.
    #[must_use]
    pub fn requires_pkce(&self) -> bool {
        self.rules.requires_pkce || !self.is_confidential()
    }

    #[must_use]
    pub fn may(&self, grant: GrantType) -> bool {
        self.metadata.grants.contains(&grant)
    }

    /// Whether an answer may go to a URI.
    #[must_use]
    pub fn admits_redirect(&self, uri: &str) -> bool {
        self.metadata.redirect_uris.iter().any(|own| own.admits(uri))
    }

    /// Whether a text is a secret of it `now`. All are compared, whichever fits.
    #[must_use]
    pub fn has_secret(&self, secret: &str, now: Timestamp) -> bool {
        let hash = sha256(&[secret.as_bytes()]);
        let good = |one: &ClientSecret| one.expires_at.is_none_or(|end| now < end);
        let fits = |one: &ClientSecret| good(one) & constant_time_eq(&one.hash, &hash);
        self.secrets.iter().fold(false, |found, one| found | fits(one))
    }

    /// The client with a secret more; the one before is good for `overlap_secs` yet, and older ones for nothing.
    #[must_use]
    pub fn with_secret(mut self, secret: ClientSecret, overlap_secs: i64) -> Self {
        let end = secret.created_at.plus_secs(overlap_secs);
        for old in &mut self.secrets {
            old.expires_at = Some(old.expires_at.map_or(end, |earlier| earlier.min(end)));
        }
        self.secrets.retain(|old| old.expires_at.is_some_and(|end| secret.created_at < end));
        self.updated_at = secret.created_at;
        self.secrets.insert(0, secret);
        self.secrets.truncate(MAX_SECRETS);
        self
    }
}

/// Everything but the secrets.
impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("id", &self.id)
            .field("is_active", &self.is_active)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for ClientSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientSecret").field("created_at", &self.created_at).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret(text: &str, at: i64) -> ClientSecret {
        let created_at = Timestamp::from_secs(at);
        ClientSecret { hash: sha256(&[text.as_bytes()]), created_at, expires_at: None }
    }

    #[test]
    fn a_client_id_is_never_taken_for_a_users() {
        for good in ["app", "client_1", "https://a.example/client", "a.b-c~d"] {
            assert_eq!(ClientId::parse(good).unwrap().as_str(), good);
        }
        for bad in ["", "1", "42", ".", "..", "a b", "a\"b", "a?b", "ä", &"x".repeat(256)] {
            assert!(ClientId::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_secret_that_was_rotated_is_good_for_the_overlap_and_no_longer() {
        let at = Timestamp::from_secs;
        let client = tests_client();
        let client = client.with_secret(secret("one", 100), 0).with_secret(secret("two", 200), 60);
        assert!(client.has_secret("one", at(259)) && client.has_secret("two", at(259)));
        assert!(!client.has_secret("one", at(260)) && client.has_secret("two", at(10_000)));
        assert!(!client.has_secret("", at(200)) && !client.has_secret("three", at(200)));
        let client = client.with_secret(secret("three", 210), 3600);
        assert!(client.has_secret("two", at(211)) && !client.has_secret("one", at(211)), "two at a time");
        let client = client.with_secret(secret("four", 220), 0);
        assert!(!client.has_secret("three", at(220)) && client.has_secret("four", at(220)));
    }

    fn tests_client() -> Client {
        Client {
            id: ClientId::parse("app").unwrap(),
            registrar: Registrar::Administrator,
            is_active: true,
            secrets: Vec::new(),
            metadata: Metadata::named("App"),
            rules: Rules::default(),
            created_at: Timestamp::from_secs(0),
            updated_at: Timestamp::from_secs(0),
        }
    }
}
