//! An authorization request that was checked, one rule after the other. Pure.
use serde_json::Value;

use super::parameters::Parameters;
use crate::crypto::Thumbprint;
use crate::oauth::client::Client;
use crate::oauth::client::model::GrantType;
use crate::oauth::grant::model::Consented;
use crate::oauth::pushed::model::is_ours;
use crate::oauth::scope::{OFFLINE_ACCESS, OPENID, Scopes, scope_of};

const MAX_TEXT: usize = 2048;
/// SHA-256 in base64url.
const CHALLENGE_BYTES: usize = 43;

/// How an answer travels (OAuth 2.0 Multiple Response Types, OAuth 2.0 Form Post Response Mode).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ResponseMode {
    #[default]
    Query,
    Fragment,
    FormPost,
}

/// Where an answer goes, be it good or bad: known before anything else is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Destination {
    pub redirect_uri: String,
    pub mode: ResponseMode,
    pub state: Option<String>,
}

/// What a client wants its user to be asked (OpenID Connect Core section 3.1.2.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a word of the protocol, and they stand beside each other"
)]
pub struct Prompt {
    /// Nothing at all.
    pub none: bool,
    /// To sign in, though somebody may be signed in: `login`.
    pub sign_in: bool,
    /// Whether it is the account that is signed in.
    pub select_account: bool,
    pub consent: bool,
}

/// A request that can be granted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuthorizationRequest {
    pub destination: Destination,
    pub wanted: Consented,
    pub nonce: Option<String>,
    pub challenge: Option<String>,
    /// The key that whoever redeems the code has to hold (RFC 9449 section 10).
    pub key: Option<Thumbprint>,
    pub prompt: Prompt,
    /// Seconds that the login may be old.
    pub max_age: Option<i64>,
    pub login_hint: Option<String>,
    pub id_token_hint: Option<String>,
    /// Whom alone the client wants to hear of, and how it has to have signed in.
    pub essential: Essential,
    /// The reference that the request is kept under: it is good for one answer.
    pub kept_as: Option<String>,
}

/// What a client cannot do without (OpenID Connect Core sections 5.5 and 5.5.1.1).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Essential {
    /// The `sub` of the user.
    pub subject: Option<String>,
    /// One of these `acr`; empty for any.
    pub acr: Vec<String>,
}

/// An error for the client (RFC 6749 section 4.1.2.1, OpenID Connect Core section 3.1.2.6).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Refusal {
    pub error: &'static str,
    pub description: &'static str,
}

/// Why a request cannot even be answered: shown to the user, and sent nowhere (RFC 9700 section 4.11.2).
pub type Unanswerable = &'static str;

fn refuse<T>(error: &'static str, description: &'static str) -> Result<T, Refusal> {
    Err(Refusal { error, description })
}

/// Where the answer goes.
///
/// # Errors
/// What the user is told when that is nowhere.
pub fn destination(client: &Client, parameters: &Parameters) -> Result<Destination, Unanswerable> {
    if parameters.get("request_uri").is_some_and(is_ours) {
        return Err("What the application asked for is over, or was answered already (request_uri).");
    }
    let Some(redirect_uri) = parameters.get("redirect_uri") else {
        return Err("The application has not said where to go back to (redirect_uri).");
    };
    if parameters.repeated.as_deref() == Some("redirect_uri") || !client.admits_redirect(redirect_uri) {
        return Err(
            "The application wants to go back to an address that it has not registered (redirect_uri).",
        );
    }
    let mode = match parameters.get("response_mode") {
        Some("fragment") => ResponseMode::Fragment,
        Some("form_post") => ResponseMode::FormPost,
        _ => ResponseMode::Query,
    };
    let state = parameters.get("state").map(str::to_owned);
    Ok(Destination { redirect_uri: redirect_uri.to_owned(), mode, state })
}

/// Every rule, in the order in which they are looked at.
///
/// # Errors
/// The first that is broken, for the client.
pub fn check(
    client: &Client,
    parameters: &Parameters,
    destination: Destination,
) -> Result<AuthorizationRequest, Refusal> {
    check_repeated(parameters)?;
    check_object(parameters)?;
    check_lengths(parameters)?;
    check_unsupported(parameters)?;
    check_response(parameters)?;
    check_grant(client)?;
    let scopes = check_scope(client, parameters.get("scope"))?;
    let challenge = check_pkce(client, parameters)?;
    let key = check_key(parameters)?;
    let prompt = check_prompt(parameters)?;
    let max_age = check_max_age(client, parameters)?;
    let (id_token_claims, userinfo_claims) = check_claims(client, parameters)?;
    let resources = check_resources(client, parameters.resources.clone())?;
    let text = |name| parameters.get(name).map(str::to_owned);
    Ok(AuthorizationRequest {
        destination,
        wanted: Consented { scopes, resources, id_token_claims, userinfo_claims },
        nonce: text("nonce"),
        challenge,
        key,
        prompt,
        max_age,
        login_hint: text("login_hint"),
        id_token_hint: text("id_token_hint"),
        essential: check_essential(parameters)?,
        kept_as: parameters.origin.kept_as.clone(),
    })
}

fn check_repeated(parameters: &Parameters) -> Result<(), Refusal> {
    match &parameters.repeated {
        Some(_) => refuse("invalid_request", "a parameter came twice"),
        None => Ok(()),
    }
}

/// What its client has signed is good, if it has signed anything (RFC 9101 section 6).
fn check_object(parameters: &Parameters) -> Result<(), Refusal> {
    parameters.origin.broken.map_or(Ok(()), Err)
}

/// Whether a request has come in the way that its client has registered, or that all have to take: pushed (RFC 9126 section 5),
/// signed (RFC 9101 section 10.5). What is broken is told by [`check`].
///
/// # Errors
/// For the client.
pub fn check_way(client: &Client, parameters: &Parameters, all_push: bool) -> Result<(), Refusal> {
    let (origin, metadata) = (&parameters.origin, &client.metadata);
    if origin.broken.is_some() {
        return Ok(());
    }
    if (all_push || metadata.requires_pushed_requests) && !origin.is_pushed {
        return refuse("invalid_request", "the request has to be pushed first (RFC 9126)");
    }
    if metadata.requires_signed_requests && !origin.is_signed {
        return refuse("invalid_request", "the request has to be signed (RFC 9101)");
    }
    Ok(())
}

fn check_lengths(parameters: &Parameters) -> Result<(), Refusal> {
    let long = ["state", "nonce", "login_hint"].into_iter().filter_map(|name| parameters.get(name));
    if long.into_iter().any(|text| text.len() > MAX_TEXT) {
        return refuse("invalid_request", "state, nonce and login_hint must have at most 2048 bytes");
    }
    Ok(())
}

fn check_unsupported(parameters: &Parameters) -> Result<(), Refusal> {
    if parameters.get("request").is_some() {
        return refuse("invalid_request", "request goes with no request_uri");
    }
    if parameters.get("request_uri").is_some() {
        return refuse("request_uri_not_supported", "references to requests are not taken");
    }
    if parameters.get("registration").is_some() {
        return refuse("registration_not_supported", "clients do not register in a request");
    }
    Ok(())
}

fn check_response(parameters: &Parameters) -> Result<(), Refusal> {
    match parameters.get("response_type") {
        Some("code") => {}
        Some(_) => return refuse("unsupported_response_type", "response_type must be code"),
        None => return refuse("invalid_request", "response_type is required"),
    }
    match parameters.get("response_mode") {
        None | Some("query" | "fragment" | "form_post") => Ok(()),
        Some(_) => refuse("invalid_request", "response_mode must be query, fragment or form_post"),
    }
}

fn check_grant(client: &Client) -> Result<(), Refusal> {
    if client.may(GrantType::AuthorizationCode) {
        Ok(())
    } else {
        refuse("unauthorized_client", "the client has not registered the grant authorization_code")
    }
}

/// What a device asks for, by the same rules.
///
/// # Errors
/// The first that is broken, for the client.
pub fn wanted_by_device(
    client: &Client,
    scope: Option<&str>,
    resources: Vec<String>,
) -> Result<Consented, Refusal> {
    let scopes = check_scope(client, scope)?;
    let resources = check_resources(client, resources)?;
    Ok(Consented { scopes, resources, id_token_claims: Vec::new(), userinfo_claims: Vec::new() })
}

/// Scopes that the client has not registered are passed over (OpenID Connect Core section 3.1.2.1).
fn check_scope(client: &Client, scope: Option<&str>) -> Result<Scopes, Refusal> {
    let Ok(asked) = Scopes::parse("scope", scope.unwrap_or_default()) else {
        return refuse("invalid_scope", "scope has a character that no scope may have");
    };
    let registered = client.registered_scopes();
    // Without a refresh token nothing can be done while the user is away.
    let is_possible = |name: &&str| *name != OFFLINE_ACCESS || client.may(GrantType::RefreshToken);
    let granted: Vec<_> = asked.iter().filter(|name| registered.has(name)).filter(is_possible).collect();
    match Scopes::parse("scope", &granted.join(" ")) {
        Ok(granted) if granted.is_empty() && !asked.is_empty() => {
            refuse("invalid_scope", "scope has nothing that the client has registered")
        }
        Ok(granted) => Ok(granted),
        Err(_) => refuse("invalid_scope", "scope cannot be read"),
    }
}

/// RFC 7636 section 4.3; `plain` protects from nothing (RFC 9700 section 2.1.1).
fn check_pkce(client: &Client, parameters: &Parameters) -> Result<Option<String>, Refusal> {
    let (challenge, method) = (parameters.get("code_challenge"), parameters.get("code_challenge_method"));
    let Some(challenge) = challenge else {
        if method.is_some() || client.requires_pkce() {
            return refuse("invalid_request", "code_challenge is required (RFC 7636)");
        }
        return Ok(None);
    };
    if method != Some("S256") {
        return refuse("invalid_request", "code_challenge_method must be S256");
    }
    let allowed = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_');
    if challenge.len() != CHALLENGE_BYTES || !challenge.bytes().all(allowed) {
        return refuse("invalid_request", "code_challenge must be a SHA-256 in base64url");
    }
    Ok(Some(challenge.to_owned()))
}

fn check_key(parameters: &Parameters) -> Result<Option<Thumbprint>, Refusal> {
    match parameters.get("dpop_jkt").map(Thumbprint::parse) {
        None => Ok(None),
        Some(Some(key)) => Ok(Some(key)),
        Some(None) => refuse("invalid_request", "dpop_jkt must be a SHA-256 thumbprint in base64url"),
    }
}

fn check_prompt(parameters: &Parameters) -> Result<Prompt, Refusal> {
    let mut prompt = Prompt::default();
    for word in parameters.get("prompt").unwrap_or_default().split(' ').filter(|word| !word.is_empty()) {
        match word {
            "none" => prompt.none = true,
            "login" => prompt.sign_in = true,
            "select_account" => prompt.select_account = true,
            "consent" => prompt.consent = true,
            _ => return refuse("invalid_request", "prompt must be none, login, consent or select_account"),
        }
    }
    if prompt.none && (prompt.sign_in || prompt.select_account || prompt.consent) {
        return refuse("invalid_request", "prompt none goes with no other");
    }
    Ok(prompt)
}

fn check_max_age(client: &Client, parameters: &Parameters) -> Result<Option<i64>, Refusal> {
    match parameters.get("max_age").map(str::parse::<u32>) {
        None => Ok(client.metadata.default_max_age),
        Some(Ok(seconds)) => Ok(Some(i64::from(seconds))),
        Some(Err(_)) => refuse("invalid_request", "max_age must be a whole number of seconds"),
    }
}

/// The names of claims that are asked for one by one: in the ID token, and at `/oauth2/userinfo` (OpenID Connect Core
/// section 5.5).
fn check_claims(client: &Client, parameters: &Parameters) -> Result<(Vec<String>, Vec<String>), Refusal> {
    let Some(text) = parameters.get("claims") else { return Ok((Vec::new(), Vec::new())) };
    let Ok(Value::Object(asked)) = serde_json::from_str::<Value>(text) else {
        return refuse("invalid_request", "claims must be a JSON object");
    };
    let registered = client.registered_scopes();
    let names = |member: &str| {
        let known = crate::oauth::claims::NAMES;
        let may_ask = |name: &str| scope_of(name).is_none_or(|scope| registered.has(scope));
        let asked = asked.get(member).and_then(Value::as_object);
        let names = asked.into_iter().flat_map(|claims| claims.keys());
        names.filter(|name| known.contains(&name.as_str()) && may_ask(name)).cloned().collect()
    };
    Ok((names("id_token"), names("userinfo")))
}

/// The claims that have to have a value, or one of some: of `sub` always, of `acr` where it is essential.
fn check_essential(parameters: &Parameters) -> Result<Essential, Refusal> {
    let asked = parameters.get("claims").and_then(|text| serde_json::from_str::<Value>(text).ok());
    let Some(asked) = asked else { return Ok(Essential::default()) };
    let mut subjects =
        ["id_token", "userinfo"].iter().filter_map(|member| asked[member]["sub"]["value"].as_str());
    let subject = subjects.next();
    if subjects.any(|other| Some(other) != subject) {
        return refuse("invalid_request", "claims asks for two users at once (sub)");
    }
    let acr = &asked["id_token"]["acr"];
    let values = acr["values"].as_array().map(Vec::as_slice).unwrap_or_default();
    let values = values.iter().chain([&acr["value"]]).filter_map(Value::as_str).map(str::to_owned);
    let is_essential = acr["essential"].as_bool().unwrap_or_default();
    let acr = if is_essential { values.collect() } else { Vec::new() };
    Ok(Essential { subject: subject.map(str::to_owned), acr })
}

/// RFC 8707 section 2. Who asks about a login, too, can ask this server about the user with the same token.
fn check_resources(client: &Client, resources: Vec<String>) -> Result<Vec<String>, Refusal> {
    if resources.iter().all(|uri| client.rules.resources.contains(uri)) {
        Ok(each_once(resources))
    } else {
        refuse("invalid_target", "resource has one that the client may not ask tokens for")
    }
}

/// Resources, each of them once.
#[must_use]
pub fn each_once(resources: Vec<String>) -> Vec<String> {
    let mut all: Vec<String> = Vec::new();
    for uri in resources {
        if !all.contains(&uri) {
            all.push(uri);
        }
    }
    all
}

impl AuthorizationRequest {
    /// Whether it is about a login, and not only about access.
    #[must_use]
    pub fn is_openid(&self) -> bool {
        self.wanted.scopes.has(OPENID)
    }
}
