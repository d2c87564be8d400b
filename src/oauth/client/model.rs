//! What a client is: an application that logs its users in with us, or asks for tokens of its own. Pure.
use crate::account::User;
use crate::oauth::scope::STANDARD;
use crate::rbac::model::roles_of;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::keys::ClientKeys;
use super::redirect::RedirectUri;
pub use super::secret::ClientSecret;
pub use super::words::{ApplicationType, Authentication, GrantType, SubjectType};
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

/// Who has said that there is such a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Registrar {
    Administrator,
    /// It stands in the configuration file.
    Configuration,
    /// The client itself (RFC 7591).
    Client,
    /// A document of its own, at its name.
    Document,
}

/// What a client says of itself (RFC 7591 section 2).
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a member of the registry, and goes with any other"
)]
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Metadata {
    pub name: String,
    pub redirect_uris: Vec<RedirectUri>,
    pub post_logout_redirect_uris: Vec<RedirectUri>,
    pub grants: Vec<GrantType>,
    pub authentication: Authentication,
    /// If it signs who it is by no other.
    pub authentication_algorithm: Option<Algorithm>,
    pub keys: ClientKeys,
    /// If it signs what it asks for by no other.
    pub request_object_algorithm: Option<Algorithm>,
    /// It asks for nothing that it has not signed (RFC 9101 section 10.5).
    pub requires_signed_requests: bool,
    /// It asks for nothing that it has not pushed (RFC 9126 section 6).
    pub requires_pushed_requests: bool,
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
    /// Where it is told of the ends of sessions (OpenID Connect Back-Channel Logout section 2.2).
    pub backchannel_logout_uri: Option<String>,
    pub backchannel_logout_session_required: bool,
    /// What a browser opens that signs out (OpenID Connect Front-Channel Logout section 2).
    pub frontchannel_logout_uri: Option<String>,
    pub frontchannel_logout_session_required: bool,
    /// None: nothing is said, and its redirect URIs tell.
    pub application_type: Option<ApplicationType>,
    /// Whose redirect URIs share the names of its users, where those are pairwise.
    pub sector_identifier_uri: Option<String>,
    /// Where a login can be begun by others.
    pub initiate_login_uri: Option<String>,
    /// What all copies of the same program say (RFC 7591 section 2).
    pub software_id: Option<String>,
    pub software_version: Option<String>,
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
    /// Of which other clients it may exchange tokens, if its permissions let it (RFC 8693).
    pub exchanges_tokens_of: Vec<ClientId>,
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

    /// The name in a key of a table.
    #[must_use]
    pub fn parse_bytes(bytes: &[u8]) -> Option<Self> {
        Self::parse(str::from_utf8(bytes).ok()?).ok()
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
            authentication_algorithm: None,
            keys: ClientKeys::None,
            request_object_algorithm: None,
            requires_signed_requests: false,
            requires_pushed_requests: false,
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
            backchannel_logout_uri: None,
            backchannel_logout_session_required: false,
            frontchannel_logout_uri: None,
            frontchannel_logout_session_required: false,
            application_type: None,
            sector_identifier_uri: None,
            initiate_login_uri: None,
            software_id: None,
            software_version: None,
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
            exchanges_tokens_of: Vec::new(),
            requests_per_hour: None,
        }
    }
}

impl Client {
    /// Whether nobody but itself says what it is.
    #[must_use]
    pub fn is_on_its_word(&self) -> bool {
        matches!(self.registrar, Registrar::Client | Registrar::Document)
    }

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

    /// What it may ask for; one that has said nothing of it, what every server of OpenID Connect knows.
    #[must_use]
    pub fn registered_scopes(&self) -> Scopes {
        let standard = || STANDARD.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(" ");
        match &self.metadata.scopes {
            none if none.is_empty() => Scopes::parse("scope", &standard()).unwrap_or_default(),
            registered => registered.clone(),
        }
    }

    /// Whether a user has one of the roles that it is for.
    #[must_use]
    pub fn is_for(&self, user: &User) -> bool {
        let roles = &self.rules.roles;
        let has = |role: &String| roles.iter().map(RoleName::as_str).any(|one| one == role);
        roles.is_empty() || roles_of(user).iter().any(has)
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
        let fits = |one: &ClientSecret| one.is_good(now) & constant_time_eq(&one.hash, &hash);
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

#[cfg(test)]
mod tests {
    use super::*;

    fn secret(text: &str, at: i64) -> ClientSecret {
        let created_at = Timestamp::from_secs(at);
        ClientSecret { hash: sha256(&[text.as_bytes()]), sealed: Vec::new(), created_at, expires_at: None }
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
