//! The way of every request for a token: who the client is, whether it may, and then the grant's own file.
use crate::oauth::authorize::request::each_once;
use std::sync::Arc;

use super::token_exchange::ExchangeRequest;
use crate::base::{Env, Secret};
use crate::crypto::Thumbprint;
use crate::http::ProtocolFailure;
use crate::oauth::client::model::GrantType;
use crate::oauth::client::{Client, LiveClients};
use crate::oauth::device::Pace;
use crate::oauth::dpop::Dpop;
use crate::oauth::error::{invalid_request, invalid_target, unauthorized_client};
use crate::oauth::grant::{LiveGrants, Minter};
use crate::oauth::scope::Scopes;
use crate::rbac::Initiator;
use crate::store::Store;

/// The token endpoint.
#[derive(Clone)]
pub struct TokenEndpoint {
    pub store: Store,
    pub env: Env,
    pub clients: LiveClients,
    pub grants: LiveGrants,
    pub minter: Minter,
    pub dpop: Dpop,
    /// How fast devices ask.
    pub pace: Pace,
}

/// What a client asks for; a grant looks at its own parameters.
#[derive(Default)]
pub struct TokenRequest {
    pub grant_type: String,
    pub scope: Option<String>,
    pub resources: Vec<String>,
    /// The key that whoever asks has proven to hold (RFC 9449).
    pub key: Option<Thumbprint>,
    pub code: Option<Secret>,
    pub redirect_uri: Option<String>,
    pub code_verifier: Option<Secret>,
    pub refresh_token: Option<Secret>,
    pub device_code: Option<Secret>,
    pub exchange: ExchangeRequest,
}

/// What a client gets.
#[derive(Clone, serde::Serialize, serde::Deserialize)]
pub struct TokenAnswer {
    pub access_token: String,
    pub token_type: String,
    /// Seconds.
    pub expires_in: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refresh_token: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scope: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id_token: Option<String>,
    /// RFC 8693 section 2.2.1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub issued_token_type: Option<String>,
}

impl TokenEndpoint {
    /// Gives a client that has proven who it is what it asks for.
    ///
    /// # Errors
    /// Those of RFC 6749 section 5.2 and RFC 8707 section 2.
    pub async fn grant(
        &self,
        by: Initiator,
        client: Arc<Client>,
        request: TokenRequest,
    ) -> Result<TokenAnswer, ProtocolFailure> {
        let grant: GrantType = request.grant_type.parse().map_err(|_| {
            ProtocolFailure::new("unsupported_grant_type", "this grant type is not taken here")
        })?;
        if !client.may(grant) {
            return Err(unauthorized_client("the client has not registered this grant type"));
        }
        if client.metadata.binds_access_tokens && request.key.is_none() {
            return Err(invalid_request(
                "the client has registered that it proves to hold a key: the header DPoP is required",
            ));
        }
        match grant {
            GrantType::AuthorizationCode => self.redeem_code(by, client, request).await,
            GrantType::RefreshToken => self.refresh(by, client, request).await,
            GrantType::ClientCredentials => self.client_credentials(&client, &request),
            GrantType::DeviceCode => self.redeem_device_code(by, client, request).await,
            GrantType::TokenExchange => self.exchange_token(by, client, request).await,
        }
    }
}

/// A parameter that a grant cannot do without.
///
/// # Errors
/// `invalid_request`.
pub fn required<'a>(value: Option<&'a Secret>, name: &'static str) -> Result<&'a str, ProtocolFailure> {
    value.map(Secret::expose).ok_or_else(|| invalid_request(format!("{name} is required")))
}

/// The scopes that are asked for, of those that there are.
///
/// # Errors
/// `invalid_scope` for one that is not among them.
pub fn narrowed(asked: Option<&str>, held: &Scopes) -> Result<Scopes, ProtocolFailure> {
    let Some(asked) = asked else { return Ok(held.clone()) };
    let asked = Scopes::parse("scope", asked)?;
    if asked.is_within(held) {
        Ok(asked)
    } else {
        Err(crate::oauth::error::invalid_scope("scope has one that was not granted"))
    }
}

/// The resources that are asked for, of those that there are (RFC 8707 section 2.2).
///
/// # Errors
/// `invalid_target` for one that is not among them.
pub fn aimed(asked: Vec<String>, held: &[String]) -> Result<Vec<String>, ProtocolFailure> {
    if asked.is_empty() {
        return Ok(held.to_vec());
    }
    if asked.iter().all(|one| held.contains(one)) {
        Ok(each_once(asked))
    } else {
        Err(invalid_target("resource has one that was not granted"))
    }
}
