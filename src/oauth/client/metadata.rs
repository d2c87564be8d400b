//! What a client says of itself, on the wire (RFC 7591 section 2, OpenID Connect Registration section 2), and whether it
//! can be so.
use poem_openapi::Object;
use poem_openapi::types::{Example, MaybeUndefined};
use url::Url;

use super::model::{Authentication, GrantType, Metadata, SubjectType};
use super::redirect::{Kind, RedirectUri};
use crate::base::{Error, Result};
use crate::crypto::Algorithm;
use crate::oauth::scope::Scopes;

const MAX_NAME: usize = 100;
const MAX_URIS: usize = 50;
const MAX_URI_BYTES: usize = 2048;
const MAX_CONTACTS: usize = 10;
const DAY_SECS: i64 = 24 * 3600;

/// What a client is to be; what is left out stays, or is what the registry says.
#[derive(Object, Default)]
#[oai(example)]
pub struct MetadataBody {
    /// What people know it by.
    pub client_name: Option<String>,
    /// Where answers may be sent, compared byte by byte; on `127.0.0.1` and `[::1]` any port will do.
    pub redirect_uris: Option<Vec<String>>,
    pub post_logout_redirect_uris: Option<Vec<String>>,
    /// `authorization_code` by default; `refresh_token`, `client_credentials`, …
    pub grant_types: Option<Vec<String>>,
    /// `code` alone; none for a client without the grant authorization_code.
    pub response_types: Option<Vec<String>>,
    /// `client_secret_basic` by default; `none` for what cannot keep a secret.
    pub token_endpoint_auth_method: Option<String>,
    /// All that it may ask for, with spaces between.
    pub scope: Option<String>,
    /// `RS256` by default; `ES256`, `EdDSA`, `PS256`.
    pub id_token_signed_response_alg: Option<String>,
    pub userinfo_signed_response_alg: MaybeUndefined<String>,
    /// `public` by default, or `pairwise`: then its users have names that no other client knows.
    pub subject_type: Option<String>,
    /// Seconds after which its users log in anew.
    pub default_max_age: MaybeUndefined<i64>,
    pub require_auth_time: Option<bool>,
    pub client_uri: MaybeUndefined<String>,
    pub logo_uri: MaybeUndefined<String>,
    pub policy_uri: MaybeUndefined<String>,
    pub tos_uri: MaybeUndefined<String>,
    pub contacts: Option<Vec<String>>,
    /// Whether all its access tokens are bound to a key that it proves to hold (RFC 9449).
    pub dpop_bound_access_tokens: Option<bool>,
}

impl MetadataBody {
    /// The metadata after what is said here.
    ///
    /// # Errors
    /// `Error::Invalid` naming the field that is wrong, or does not go with another one.
    pub fn over(self, mut old: Metadata) -> Result<Metadata> {
        if let Some(name) = self.client_name {
            old.name = parse_name(&name)?;
        }
        if let Some(uris) = self.redirect_uris {
            old.redirect_uris = parse_uris("redirect_uris", &uris)?;
        }
        if let Some(uris) = self.post_logout_redirect_uris {
            old.post_logout_redirect_uris = parse_uris("post_logout_redirect_uris", &uris)?;
        }
        if let Some(grants) = self.grant_types {
            old.grants = parse_grants(&grants)?;
        }
        if self.response_types.is_some_and(|types| types.iter().any(|response| response != "code")) {
            return Err(Error::invalid("response_types", "must be code alone"));
        }
        if let Some(method) = self.token_endpoint_auth_method {
            old.authentication = method.parse()?;
        }
        if let Some(scope) = self.scope {
            old.scopes = Scopes::parse("scope", &scope)?;
        }
        if let Some(name) = self.id_token_signed_response_alg {
            old.id_token_algorithm = parse_algorithm("id_token_signed_response_alg", &name)?;
        }
        let parse = |name: String| parse_algorithm("userinfo_signed_response_alg", &name);
        put(&mut old.userinfo_algorithm, self.userinfo_signed_response_alg, parse)?;
        if let Some(subject_type) = self.subject_type {
            old.subject_type = subject_type.parse()?;
        }
        put(&mut old.default_max_age, self.default_max_age, parse_age)?;
        old.requires_auth_time = self.require_auth_time.unwrap_or(old.requires_auth_time);
        let uris = [
            ("client_uri", &mut old.client_uri, self.client_uri),
            ("logo_uri", &mut old.logo_uri, self.logo_uri),
            ("policy_uri", &mut old.policy_uri, self.policy_uri),
            ("tos_uri", &mut old.tos_uri, self.tos_uri),
        ];
        for (field, uri, said) in uris {
            put(uri, said, |text| parse_uri(field, text))?;
        }
        if let Some(contacts) = self.contacts {
            old.contacts = parse_contacts(contacts)?;
        }
        old.binds_access_tokens = self.dpop_bound_access_tokens.unwrap_or(old.binds_access_tokens);
        checked(old)
    }
}

fn put<W, T>(field: &mut Option<T>, said: MaybeUndefined<W>, parse: impl Fn(W) -> Result<T>) -> Result<()>
where
    W: poem_openapi::types::Type,
{
    match said {
        MaybeUndefined::Undefined => {}
        MaybeUndefined::Null => *field = None,
        MaybeUndefined::Value(value) => *field = Some(parse(value)?),
    }
    Ok(())
}

/// What goes together.
fn checked(mut metadata: Metadata) -> Result<Metadata> {
    let may = |grant| metadata.grants.contains(&grant);
    let (code, is_public) =
        (may(GrantType::AuthorizationCode), metadata.authentication == Authentication::None);
    if metadata.name.is_empty() {
        return Err(Error::invalid("client_name", "is required"));
    }
    if metadata.grants.is_empty() {
        return Err(Error::invalid("grant_types", "must have one at least"));
    }
    if code && metadata.redirect_uris.is_empty() {
        return Err(Error::invalid(
            "redirect_uris",
            "must have one at least, for the grant authorization_code",
        ));
    }
    if is_public && may(GrantType::ClientCredentials) {
        let reason = "client_credentials is for clients that have a secret or a key";
        return Err(Error::invalid("grant_types", reason));
    }
    if metadata.grants == [GrantType::RefreshToken] {
        let reason = "refresh_token goes with another grant, which gives the first one";
        return Err(Error::invalid("grant_types", reason));
    }
    // A private scheme can be claimed by any program on a machine: there a secret is none.
    let is_private = |uri: &RedirectUri| uri.kind() == Kind::PrivateScheme;
    if !is_public && metadata.redirect_uris.iter().any(is_private) {
        let reason = "must be https or loopback for a client that has a secret or a key";
        return Err(Error::invalid("redirect_uris", reason));
    }
    metadata.sector = sector_of(&metadata)?;
    Ok(metadata)
}

/// The host of all redirect URIs, for clients whose users have names of their own (OpenID Connect Core section 8.1).
fn sector_of(metadata: &Metadata) -> Result<String> {
    if metadata.subject_type == SubjectType::Public {
        return Ok(String::new());
    }
    let mut hosts: Vec<_> = metadata.redirect_uris.iter().filter_map(RedirectUri::host).collect();
    hosts.sort();
    hosts.dedup();
    match hosts.as_slice() {
        [host] => Ok(host.clone()),
        _ => Err(Error::invalid("subject_type", "pairwise needs redirect_uris that all have the same host")),
    }
}

fn parse_name(text: &str) -> Result<String> {
    let text = text.trim();
    let is_good = |c: char| !c.is_control() && !crate::base::text::rearranges(c);
    if (1..=MAX_NAME).contains(&text.chars().count()) && text.chars().all(is_good) {
        Ok(text.to_owned())
    } else {
        Err(Error::invalid("client_name", "must have 1 to 100 characters, none of them a control character"))
    }
}

/// Each once.
fn parse_grants(names: &[String]) -> Result<Vec<GrantType>> {
    let mut grants = Vec::new();
    for name in names {
        let grant = name.parse()?;
        if !grants.contains(&grant) {
            grants.push(grant);
        }
    }
    Ok(grants)
}

fn parse_uris(field: &'static str, texts: &[String]) -> Result<Vec<RedirectUri>> {
    if texts.len() > MAX_URIS {
        return Err(Error::invalid(field, format!("must be at most {MAX_URIS}")));
    }
    texts.iter().map(|text| RedirectUri::parse(field, text)).collect()
}

/// Where people, browsers or this server itself look something up: https, or this very machine for whoever develops.
fn parse_uri(field: &'static str, text: String) -> Result<String> {
    let url = Url::parse(&text).ok().filter(|url| {
        let host = url.host_str().unwrap_or_default();
        let is_here = matches!(host, "localhost" | "127.0.0.1" | "[::1]");
        url.scheme() == "https" && !host.is_empty() || url.scheme() == "http" && is_here
    });
    match url {
        Some(_) if text.len() <= MAX_URI_BYTES && !text.contains('#') => Ok(text),
        _ => Err(Error::invalid(field, "must be an https URL without fragment")),
    }
}

fn parse_algorithm(field: &'static str, name: &str) -> Result<Algorithm> {
    let found = Algorithm::public_key(name);
    found.ok_or_else(|| Error::invalid(field, "must be RS256, ES256, EdDSA or PS256"))
}

fn parse_age(seconds: i64) -> Result<i64> {
    if (0..=365 * DAY_SECS).contains(&seconds) {
        Ok(seconds)
    } else {
        Err(Error::invalid("default_max_age", "must be 0 to 31536000 seconds"))
    }
}

fn parse_contacts(contacts: Vec<String>) -> Result<Vec<String>> {
    let is_good = |text: &String| text.len() <= 254 && !text.chars().any(char::is_control);
    if contacts.len() <= MAX_CONTACTS && contacts.iter().all(is_good) {
        Ok(contacts)
    } else {
        Err(Error::invalid("contacts", "must be at most 10, of at most 254 characters"))
    }
}

impl Example for MetadataBody {
    fn example() -> Self {
        Self {
            client_name: Some("Photo album".into()),
            redirect_uris: Some(vec!["https://photos.example.org/callback".into()]),
            grant_types: Some(vec!["authorization_code".into(), "refresh_token".into()]),
            scope: Some("openid profile email".into()),
            ..Self::default()
        }
    }
}
