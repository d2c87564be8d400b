//! `/oauth2/register`.
use std::sync::Arc;

use poem::Request;
use poem::http::StatusCode;
use poem::http::header::AUTHORIZATION;
use poem_openapi::OpenApi;
use poem_openapi::param::Path;

use super::model::Mode;
use super::service::{Registered, SelfRegistrations};
use super::view::{ClientInformation, RegistrationBody, ReplacementBody};
use crate::base::{Error, Result, Secret};
use crate::http::address::client_network;
use crate::http::limit::{Client, RateLimiter};
use crate::http::{Done, Json, ProtocolFailure, RequestInfo};
use crate::oauth::entrance::count_stranger;
use crate::rbac::{Initiator, Who};

/// What is said beside a 401 (RFC 6750 section 3).
const CHALLENGE: &str = "Bearer realm=\"auth-service\"";

/// Registrations of clients by themselves.
pub struct RegistrationApi {
    pub registrations: SelfRegistrations,
    pub limiter: Arc<RateLimiter>,
    /// How many clients a network may register in an hour without a token.
    pub registering: Arc<RateLimiter>,
    /// Where registrations are.
    pub base: String,
}

#[OpenApi]
impl RegistrationApi {
    /// Register a client (RFC 7591, OpenID Connect Registration)
    ///
    /// As `client_registration.state` says: nobody, whoever has an initial access token, or anybody. It says itself what it is,
    /// and its users are always asked.
    #[oai(path = "/oauth2/register", method = "post", operation_id = "oauth_register")]
    async fn register(
        &self,
        request: &Request,
        body: Json<RegistrationBody>,
    ) -> Result<ClientInformation<201>, ProtocolFailure> {
        count_stranger(&self.limiter, request, self.now())?;
        let (by, mode) = (initiator(request)?, self.registrations.policy.mode);
        let vouched = match token_of(request)? {
            _ if mode == Mode::Off => {
                let failure =
                    ProtocolFailure::new("access_denied", "clients do not register themselves here");
                return Err(failure.with_status(StatusCode::FORBIDDEN));
            }
            Some(text) => match self.registrations.check_initial(text.expose()) {
                Ok(shown) => Some(shown),
                Err(error) => return Err(refused(request, error)),
            },
            None if mode == Mode::Token => return Err(unproven()),
            None => {
                let network = client_network(RequestInfo::of(request)?.address);
                self.registering.count(Client::Address(network), None, self.now())?;
                None
            }
        };
        let registered = self.registrations.register(by, body.0.ask(), vouched).await;
        let registered = registered.map_err(|error| refused(request, error))?;
        Ok(ClientInformation::of(&registered, &self.base)?)
    }

    /// Read what a client has registered (RFC 7592)
    ///
    /// Its secret is shown when it is made, and not again.
    #[oai(path = "/oauth2/register/:id", method = "get", operation_id = "oauth_read_registration")]
    async fn read(
        &self,
        request: &Request,
        id: Path<String>,
    ) -> Result<ClientInformation<200>, ProtocolFailure> {
        let (client, token) = self.own(request, &id.0).await?;
        Ok(ClientInformation::of(&Registered { client, secret: None, token }, &self.base)?)
    }

    /// Register a client anew under its name (RFC 7592)
    ///
    /// What is left out is so as if it had never been said. There is another registration access token afterwards; the one before
    /// is good until that is used.
    #[oai(path = "/oauth2/register/:id", method = "put", operation_id = "oauth_replace_registration")]
    async fn replace(
        &self,
        request: &Request,
        id: Path<String>,
        body: Json<ReplacementBody>,
    ) -> Result<ClientInformation<200>, ProtocolFailure> {
        let (client, token) = self.own(request, &id.0).await?;
        let ask = body.0.ask(&client, self.now()).map_err(ProtocolFailure::of_metadata)?;
        let replaced = self.registrations.replace(initiator(request)?, client, token, ask).await;
        let replaced = replaced.map_err(|error| refused(request, error))?;
        Ok(ClientInformation::of(&replaced, &self.base)?)
    }

    /// Delete a client by its own word (RFC 7592)
    #[oai(path = "/oauth2/register/:id", method = "delete", operation_id = "oauth_delete_registration")]
    async fn delete(&self, request: &Request, id: Path<String>) -> Result<Done, ProtocolFailure> {
        let (_, token) = self.own(request, &id.0).await?;
        let deleted = self.registrations.delete(initiator(request)?, &id.0, token).await;
        deleted.map(|()| Done).map_err(|error| refused(request, error))
    }
}

impl RegistrationApi {
    fn now(&self) -> crate::base::Timestamp {
        self.registrations.env.now()
    }

    /// The client that a request is about, if it comes from it.
    async fn own(
        &self,
        request: &Request,
        id: &str,
    ) -> Result<(crate::oauth::client::Client, Secret), ProtocolFailure> {
        count_stranger(&self.limiter, request, self.now())?;
        let Some(token) = token_of(request)? else { return Err(unproven()) };
        match self.registrations.read(id, &token).await {
            Ok(client) => Ok((client, token)),
            Err(error) => Err(refused(request, error)),
        }
    }
}

/// The answer to an error. A token that is none is told of: somebody may be looking for one.
fn refused(request: &Request, error: Error) -> ProtocolFailure {
    if error != Error::InvalidToken {
        return ProtocolFailure::of_metadata(error);
    }
    if let Ok(info) = RequestInfo::of(request) {
        let (method, path) = (request.method().as_str(), request.uri().path());
        info.authenticator.refused(info.initiator(Who::Nobody), method, path, &Error::InvalidToken);
    }
    ProtocolFailure::from(error).with_challenge(format!("{CHALLENGE}, error=\"invalid_token\""))
}

/// The answer to whoever shows no token where one is needed.
fn unproven() -> ProtocolFailure {
    let failure = ProtocolFailure::new("invalid_token", "a token is required, in the header Authorization");
    failure.with_status(StatusCode::UNAUTHORIZED).with_challenge(CHALLENGE)
}

fn initiator(request: &Request) -> Result<Initiator> {
    Ok(RequestInfo::of(request)?.initiator(Who::Nobody))
}

/// The token of a request (RFC 6750 section 2.1).
fn token_of(request: &Request) -> Result<Option<Secret>, ProtocolFailure> {
    let mut all = request.headers().get_all(AUTHORIZATION).iter();
    let (first, second) = (all.next(), all.next());
    if second.is_some() {
        return Err(ProtocolFailure::new("invalid_request", "the header Authorization came twice"));
    }
    let Some(text) = first.map(|value| value.to_str().unwrap_or_default()) else { return Ok(None) };
    let (scheme, token) = text.split_once(' ').unwrap_or((text, ""));
    // What is no token of this kind is one that is good for nothing.
    let token = if scheme.eq_ignore_ascii_case("bearer") { token.trim() } else { "" };
    Ok(Some(Secret::new(token)))
}
