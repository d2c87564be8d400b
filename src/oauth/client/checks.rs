//! Whether what a client says of itself goes together. Pure.
use url::Url;

use super::keys::ClientKeys;
use super::model::{ApplicationType, Authentication, GrantType, Metadata, SubjectType};
use super::redirect::{Kind, RedirectUri};
use crate::base::{Error, Result};
use crate::crypto::Algorithm;

/// What goes together.
pub(super) fn checked(mut metadata: Metadata) -> Result<Metadata> {
    let may = |grant| metadata.grants.contains(&grant);
    let (code, is_public) =
        (may(GrantType::AuthorizationCode), metadata.authentication == Authentication::None);
    if metadata.name.is_empty() {
        return Err(Error::invalid("client_name", "is required"));
    }
    check_signing(&metadata)?;
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
    if is_public && may(GrantType::TokenExchange) {
        let reason = "token exchange is for clients that have a secret or a key";
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
    check_frontchannel(&metadata)?;
    check_application(&metadata)?;
    metadata.sector = sector_of(&metadata)?;
    Ok(metadata)
}

/// What a page of this server shows in a frame is of an origin that the client has shown to be its own (OpenID Connect
/// Front-Channel Logout section 2).
fn check_frontchannel(metadata: &Metadata) -> Result<()> {
    let Some(uri) = &metadata.frontchannel_logout_uri else { return Ok(()) };
    let origin = |text: &str| Url::parse(text).ok().map(|url| url.origin());
    if metadata.redirect_uris.iter().any(|one| origin(one.as_str()) == origin(uri)) {
        return Ok(());
    }
    let reason = "must have the scheme, host and port of one of redirect_uris";
    Err(Error::invalid("frontchannel_logout_uri", reason))
}

/// What says that it runs on a server is answered on no other machine than its own (OpenID Connect Registration section 2).
/// What runs on its user's machine may have https URIs, too, that its system hands to it (RFC 8252 section 7.2).
fn check_application(metadata: &Metadata) -> Result<()> {
    let leads_here = |uri: &RedirectUri| uri.kind() != Kind::Web || uri.is_on_this_machine();
    let is_web = metadata.application_type == Some(ApplicationType::Web);
    if is_web && metadata.redirect_uris.iter().any(leads_here) {
        let reason = "must be https and on another machine than the user's for application_type web";
        return Err(Error::invalid("redirect_uris", reason));
    }
    Ok(())
}

/// The host of all redirect URIs, or of the list that has them, for clients whose users have names of their own (OpenID Connect
/// Core section 8.1).
fn sector_of(metadata: &Metadata) -> Result<String> {
    if metadata.subject_type == SubjectType::Public {
        return Ok(String::new());
    }
    if let Some(uri) = &metadata.sector_identifier_uri {
        let host = Url::parse(uri).ok().and_then(|url| url.host_str().map(str::to_owned));
        return host.ok_or_else(|| Error::invalid("sector_identifier_uri", "must have a host"));
    }
    let mut hosts: Vec<_> = metadata.redirect_uris.iter().filter_map(RedirectUri::host).collect();
    hosts.sort();
    hosts.dedup();
    match hosts.as_slice() {
        [host] => Ok(host.clone()),
        _ => Err(Error::invalid("subject_type", "pairwise needs redirect_uris that all have the same host")),
    }
}

/// Who signs has something to sign with, and by an algorithm that it can.
fn check_signing(metadata: &Metadata) -> Result<()> {
    let signs_by = metadata.authentication_algorithm;
    let (field, is_shared) = ("token_endpoint_auth_signing_alg", signs_by == Some(Algorithm::Hs256));
    match metadata.authentication {
        Authentication::PrivateKeyJwt if metadata.keys == ClientKeys::None => {
            Err(Error::invalid("jwks", "or jwks_uri is required for private_key_jwt"))
        }
        _ if metadata.requires_signed_requests && metadata.keys == ClientKeys::None => {
            Err(Error::invalid("jwks", "or jwks_uri is required for require_signed_request_object"))
        }
        Authentication::PrivateKeyJwt if is_shared => {
            Err(Error::invalid(field, "must be RS256, ES256, EdDSA or PS256 for private_key_jwt"))
        }
        Authentication::SecretJwt if signs_by.is_some() && !is_shared => {
            Err(Error::invalid(field, "must be HS256 for client_secret_jwt"))
        }
        _ => Ok(()),
    }
}
