//! What a client says of itself, on the wire (RFC 7591 section 2, OpenID Connect Registration section 2), and whether it
//! can be so.
use poem_openapi::Object;
use poem_openapi::types::{Any, Example, MaybeUndefined, ParseFromJSON};
use serde_json::Value;
use url::Url;

use super::checks::checked;
use super::keys::ClientKeys;
use super::model::{ApplicationType, GrantType, Metadata};
use super::redirect::{Kind, RedirectUri};
use crate::base::{Error, Result};
use crate::crypto::Algorithm;
use crate::oauth::scope::Scopes;

const MAX_NAME: usize = 100;
const MAX_URIS: usize = 50;
const MAX_URI_BYTES: usize = 2048;
const MAX_CONTACTS: usize = 10;
const MAX_SOFTWARE: usize = 255;
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
    /// `client_secret_basic` by default; `client_secret_post`, `client_secret_jwt`, `private_key_jwt`, and `none` for what cannot
    /// keep a secret.
    pub token_endpoint_auth_method: Option<String>,
    /// What it signs by with private_key_jwt (`RS256`, `ES256`, `EdDSA`, `PS256`) or client_secret_jwt (`HS256`); any by default.
    pub token_endpoint_auth_signing_alg: MaybeUndefined<String>,
    /// Its public keys: RSA of 2048 bits or more, P-256, or Ed25519.
    pub jwks: MaybeUndefined<Any<Value>>,
    /// Where it publishes them, instead of `jwks`.
    pub jwks_uri: MaybeUndefined<String>,
    /// What it signs requests by (RFC 9101): `RS256`, `ES256`, `EdDSA`, `PS256`; any by default.
    pub request_object_signing_alg: MaybeUndefined<String>,
    /// True: requests that it has not signed are refused.
    pub require_signed_request_object: Option<bool>,
    /// True: requests that it has not pushed are refused (RFC 9126).
    pub require_pushed_authorization_requests: Option<bool>,
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
    /// Where it is told, by a logout token, that a session has ended.
    pub backchannel_logout_uri: MaybeUndefined<String>,
    /// Whether it needs `sid` in logout tokens; it is always there.
    pub backchannel_logout_session_required: Option<bool>,
    /// What the browser opens when its user signs out: of the origin of one of `redirect_uris`.
    pub frontchannel_logout_uri: MaybeUndefined<String>,
    /// Whether it needs `iss` and `sid` there; they are always there.
    pub frontchannel_logout_session_required: Option<bool>,
    /// `web`: its redirect_uris are https; `native`: those of a program, too. By default what they tell.
    pub application_type: MaybeUndefined<String>,
    /// Where a list of redirect URIs is found, whose users share their pairwise names (OpenID Connect Core section 8.1).
    pub sector_identifier_uri: MaybeUndefined<String>,
    /// Where others may begin a login (OpenID Connect Core section 4).
    pub initiate_login_uri: MaybeUndefined<String>,
    /// What all copies of the same program say.
    pub software_id: MaybeUndefined<String>,
    pub software_version: MaybeUndefined<String>,
}

impl MetadataBody {
    /// Of a document that a client publishes; what nobody knows is passed over.
    ///
    /// # Errors
    /// `Error::Invalid` naming `document` for a member that is no value of its kind.
    pub fn of_document(document: Value) -> Result<Self> {
        Self::parse_from_json(Some(document))
            .map_err(|wrong| Error::invalid("document", wrong.into_message()))
    }

    /// The metadata after what is said here.
    ///
    /// # Errors
    /// `Error::Invalid` naming the field that is wrong, or does not go with another one.
    pub fn over(self, mut old: Metadata) -> Result<Metadata> {
        set(&mut old.name, self.client_name, |name| parse_name(&name))?;
        if let Some(uris) = self.redirect_uris {
            old.redirect_uris = parse_uris("redirect_uris", &uris)?;
        }
        if let Some(uris) = self.post_logout_redirect_uris {
            old.post_logout_redirect_uris = parse_uris("post_logout_redirect_uris", &uris)?;
        }
        set(&mut old.grants, self.grant_types, |grants| parse_grants(&grants))?;
        if self.response_types.is_some_and(|types| types.iter().any(|response| response != "code")) {
            return Err(Error::invalid("response_types", "must be code alone"));
        }
        if let Some(method) = self.token_endpoint_auth_method {
            old.authentication = method.parse()?;
        }
        put(&mut old.authentication_algorithm, self.token_endpoint_auth_signing_alg, parse_signing)?;
        old.keys = parse_keys(old.keys, self.jwks, self.jwks_uri)?;
        let parse = |name: String| parse_algorithm("request_object_signing_alg", &name);
        put(&mut old.request_object_algorithm, self.request_object_signing_alg, parse)?;
        let (signed, pushed) =
            (self.require_signed_request_object, self.require_pushed_authorization_requests);
        old.requires_signed_requests = signed.unwrap_or(old.requires_signed_requests);
        old.requires_pushed_requests = pushed.unwrap_or(old.requires_pushed_requests);
        set(&mut old.scopes, self.scope, |scope| Scopes::parse("scope", &scope))?;
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
            ("backchannel_logout_uri", &mut old.backchannel_logout_uri, self.backchannel_logout_uri),
            ("frontchannel_logout_uri", &mut old.frontchannel_logout_uri, self.frontchannel_logout_uri),
            ("sector_identifier_uri", &mut old.sector_identifier_uri, self.sector_identifier_uri),
            ("initiate_login_uri", &mut old.initiate_login_uri, self.initiate_login_uri),
        ];
        for (field, uri, said) in uris {
            put(uri, said, |text| parse_uri(field, text))?;
        }
        set(&mut old.contacts, self.contacts, parse_contacts)?;
        old.binds_access_tokens = self.dpop_bound_access_tokens.unwrap_or(old.binds_access_tokens);
        let (back, front) =
            (self.backchannel_logout_session_required, self.frontchannel_logout_session_required);
        old.backchannel_logout_session_required = back.unwrap_or(old.backchannel_logout_session_required);
        old.frontchannel_logout_session_required = front.unwrap_or(old.frontchannel_logout_session_required);
        put(&mut old.application_type, self.application_type, |name| name.parse())?;
        put(&mut old.software_id, self.software_id, |text| parse_software("software_id", text))?;
        put(&mut old.software_version, self.software_version, |text| {
            parse_software("software_version", text)
        })?;
        checked(old)
    }
}

impl Metadata {
    /// Where it runs, as it says; else as its redirect URIs tell: a program's own lead to no other machine.
    #[must_use]
    pub fn application_type(&self) -> ApplicationType {
        let is_own = |uri: &RedirectUri| uri.kind() != Kind::Web;
        let is_native = self.redirect_uris.iter().any(is_own);
        let told = if is_native { ApplicationType::Native } else { ApplicationType::Web };
        self.application_type.unwrap_or(told)
    }
}

fn set<W, T>(field: &mut T, said: Option<W>, parse: impl Fn(W) -> Result<T>) -> Result<()> {
    if let Some(value) = said {
        *field = parse(value)?;
    }
    Ok(())
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
        let is_safe = url.scheme() == "https" && !host.is_empty() || url.scheme() == "http" && is_here;
        is_safe && url.username().is_empty() && url.password().is_none()
    });
    // What a parser passes over is not passed on.
    let url = url.filter(|_| text.bytes().all(|byte| byte.is_ascii_graphic()));
    match url {
        Some(_) if text.len() <= MAX_URI_BYTES && !text.contains('#') => Ok(text),
        _ => Err(Error::invalid(field, "must be an https URL without fragment")),
    }
}

fn parse_algorithm(field: &'static str, name: &str) -> Result<Algorithm> {
    let found = Algorithm::public_key(name);
    found.ok_or_else(|| Error::invalid(field, "must be RS256, ES256, EdDSA or PS256"))
}

/// What a client signs who it is by.
fn parse_signing(name: String) -> Result<Algorithm> {
    let found = Algorithm::public_key(&name).or_else(|| (name == "HS256").then_some(Algorithm::Hs256));
    found.ok_or_else(|| {
        let reason = "must be RS256, ES256, EdDSA, PS256, or HS256 for client_secret_jwt";
        Error::invalid("token_endpoint_auth_signing_alg", reason)
    })
}

/// Keys are here or elsewhere, and not both (RFC 7591 section 2).
fn parse_keys(
    old: ClientKeys,
    jwks: MaybeUndefined<Any<Value>>,
    jwks_uri: MaybeUndefined<String>,
) -> Result<ClientKeys> {
    match (jwks, jwks_uri) {
        (MaybeUndefined::Value(_), MaybeUndefined::Value(_)) => {
            Err(Error::invalid("jwks_uri", "goes with no jwks: one of them says what holds"))
        }
        (MaybeUndefined::Value(Any(set)), _) => ClientKeys::parse(&set),
        (_, MaybeUndefined::Value(uri)) => Ok(ClientKeys::Uri(parse_uri("jwks_uri", uri)?)),
        (MaybeUndefined::Null, _) if old.uri().is_none() => Ok(ClientKeys::None),
        (_, MaybeUndefined::Null) if old.uri().is_some() => Ok(ClientKeys::None),
        _ => Ok(old),
    }
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

fn parse_software(field: &'static str, text: String) -> Result<String> {
    let is_good = |c: char| !c.is_control() && !crate::base::text::rearranges(c);
    if text.chars().all(is_good) && (1..=MAX_SOFTWARE).contains(&text.chars().count()) {
        Ok(text)
    } else {
        Err(Error::invalid(field, "must have 1 to 255 characters, none of them a control character"))
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
