//! Where clients come in: who it is, and whether it has not asked too often.
use std::sync::Arc;

use poem::Request;

use super::client::authentication::{Claimed, authenticate};
use super::client::{Client, ClientId, LiveClients};
use crate::base::{Error, Timestamp};
use crate::crypto::sha256;
use crate::http::address::client_network;
use crate::http::limit::{self, RateLimiter};
use crate::http::{ProtocolFailure, RequestInfo};
use crate::rbac::{Initiator, Who};

/// The client of a request, proven, and counted. Whoever is not who it says is counted by its network.
///
/// # Errors
/// Those of [`authenticate`]; `temporarily_unavailable` for one that asks too often.
pub async fn admit(
    clients: &LiveClients,
    limiter: &RateLimiter,
    request: &Request,
    claimed: Claimed,
    now: Timestamp,
) -> Result<Arc<Client>, ProtocolFailure> {
    let client = recognise(clients, limiter, request, claimed, now).await?;
    count_request(limiter, request, &client, now)?;
    Ok(client)
}

/// Whoever sends a request in a client's name, for what is written down of it.
///
/// # Errors
/// `Error::Internal` for a request that did not come through the gate.
pub fn sender(request: &Request) -> Result<Initiator, Error> {
    Ok(RequestInfo::of(request)?.initiator(Who::Nobody))
}

/// The client of a request, proven, and not counted yet: for who counts otherwise.
///
/// # Errors
/// Those of [`authenticate`].
pub async fn recognise(
    clients: &LiveClients,
    limiter: &RateLimiter,
    request: &Request,
    claimed: Claimed,
    now: Timestamp,
) -> Result<Arc<Client>, ProtocolFailure> {
    let info = RequestInfo::of(request)?;
    match authenticate(clients, request.headers(), claimed, now).await {
        Ok(client) => Ok(client),
        Err(refused) => {
            count_stranger(limiter, request, now)?;
            let by = info.initiator(Who::Nobody);
            info.authenticator.refused(
                by,
                request.method().as_str(),
                request.uri().path(),
                &Error::InvalidCredentials,
            );
            Err(refused)
        }
    }
}

/// Counts a request in a client's name. Anybody can say the name of one that proves nothing: then it is the network's, so that
/// nobody uses up what is another one's.
///
/// # Errors
/// `Error::RateLimited`.
pub fn count_request(
    limiter: &RateLimiter,
    request: &Request,
    client: &Client,
    now: Timestamp,
) -> Result<(), Error> {
    if client.is_confidential() { count(limiter, client, now) } else { count_stranger(limiter, request, now) }
}

/// Counts a request of a client.
///
/// # Errors
/// `Error::RateLimited`.
pub fn count(limiter: &RateLimiter, client: &Client, now: Timestamp) -> Result<(), Error> {
    limiter.count(counted_as(&client.id), client.rules.requests_per_hour, now).map(drop)
}

/// Counts a request that nobody stands behind, by its network.
///
/// # Errors
/// `Error::RateLimited`.
pub fn count_stranger(limiter: &RateLimiter, request: &Request, now: Timestamp) -> Result<(), Error> {
    let address = RequestInfo::of(request)?.address;
    limiter.count(limit::Client::Address(client_network(address)), None, now).map(drop)
}

/// As what a client is counted.
#[must_use]
pub fn counted_as(id: &ClientId) -> limit::Client {
    counted_by(id.as_str())
}

/// As what something is counted that has a name.
#[must_use]
pub fn counted_by(name: &str) -> limit::Client {
    let mut key = [0; 16];
    key.copy_from_slice(&sha256(&[name.as_bytes()])[..16]);
    limit::Client::Application(key)
}
