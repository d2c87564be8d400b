//! `POST /oauth2/token` (RFC 6749 section 3.2).
use std::sync::Arc;

use poem::http::HeaderValue;
use poem::http::header::{CACHE_CONTROL, PRAGMA};
use poem::{IntoResponse, Request, Response};
use poem_openapi::payload::Payload;
use poem_openapi::registry::{MetaResponses, Registry};
use poem_openapi::types::{Example, Type};
use poem_openapi::{ApiResponse, Object, OpenApi};
use serde::Serialize;

use super::device_code::PENDING;
use super::service::{TokenAnswer, TokenEndpoint, TokenRequest};
use super::token_exchange::ExchangeRequest;
use crate::base::Secret;
use crate::http::limit::RateLimiter;
use crate::http::protocol::put_dpop_nonce;
use crate::http::{Form, Json, ProtocolFailure};
use crate::oauth::client::authentication::ClaimedBody;
use crate::oauth::client::model::GrantType;
use crate::oauth::entrance;

/// Tokens for clients.
pub struct TokenApi {
    pub endpoint: TokenEndpoint,
    pub limiter: Arc<RateLimiter>,
}

#[derive(Object)]
#[oai(example)]
struct TokenRequestBody {
    /// `authorization_code`, `refresh_token`, `client_credentials`, `urn:ietf:params:oauth:grant-type:device_code` or
    /// `urn:ietf:params:oauth:grant-type:token-exchange`.
    grant_type: String,
    code: Option<String>,
    /// The one that the code was asked for with.
    redirect_uri: Option<String>,
    /// RFC 7636.
    code_verifier: Option<String>,
    refresh_token: Option<String>,
    /// RFC 8628.
    device_code: Option<String>,
    /// With spaces between.
    scope: Option<String>,
    /// What the token is for (RFC 8707).
    resource: Option<Vec<String>>,
    /// The same, in a token exchange (RFC 8693).
    audience: Option<Vec<String>>,
    /// In whose name.
    subject_token: Option<String>,
    subject_token_type: Option<String>,
    /// Who acts.
    actor_token: Option<String>,
    actor_token_type: Option<String>,
    requested_token_type: Option<String>,
    #[oai(flatten)]
    client: ClaimedBody,
}

/// RFC 6749 section 5.1.
#[derive(Object, Serialize)]
#[oai(example)]
struct GrantedTokensView {
    access_token: String,
    /// `Bearer`, or `DPoP` for one that is bound to a key.
    token_type: String,
    /// Seconds.
    expires_in: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    refresh_token: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    scope: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    id_token: Option<String>,
    /// RFC 8693 section 2.2.1.
    #[serde(skip_serializing_if = "Option::is_none")]
    issued_token_type: Option<String>,
}

/// Tokens, not to be kept by anything on their way.
struct Minted(GrantedTokensView, Option<String>);

#[OpenApi]
impl TokenApi {
    /// Tokens for a client (RFC 6749)
    ///
    /// The client proves who it is in the way that it has registered: `Authorization: Basic`, `client_secret` or
    /// `client_assertion` in the body, or, if it cannot keep a secret, by `client_id` alone. With the header `DPoP` (RFC 9449)
    /// the access token is bound to the key of the proof.
    #[oai(path = "/oauth2/token", method = "post", operation_id = "oauth_token")]
    async fn token(
        &self,
        request: &Request,
        body: Form<TokenRequestBody>,
    ) -> Result<Minted, ProtocolFailure> {
        let body = body.0;
        let clients = &self.endpoint.clients;
        let dpop = &self.endpoint.dpop;
        let now = self.endpoint.env.now();
        let client = entrance::recognise(clients, &self.limiter, request, body.client.into(), now).await?;
        let by = entrance::sender(request)?;
        let is_of_device = body.grant_type == GrantType::DeviceCode.name();
        if !is_of_device {
            entrance::count_request(&self.limiter, request, &client, now)?;
        }
        let key = dpop.key_of(request, &client.id, None);
        if is_of_device && key.is_err() {
            entrance::count_stranger(&self.limiter, request, now)?;
        }
        let wanted = TokenRequest {
            key: key?,
            grant_type: body.grant_type,
            scope: body.scope,
            resources: body.resource.unwrap_or_default(),
            code: body.code.map(Secret::new),
            redirect_uri: body.redirect_uri,
            code_verifier: body.code_verifier.map(Secret::new),
            refresh_token: body.refresh_token.map(Secret::new),
            device_code: body.device_code.map(Secret::new),
            exchange: ExchangeRequest {
                subject_token: body.subject_token.map(Secret::new),
                subject_token_type: body.subject_token_type,
                actor_token: body.actor_token.map(Secret::new),
                actor_token_type: body.actor_token_type,
                requested_token_type: body.requested_token_type,
                audiences: body.audience.unwrap_or_default(),
            },
        };
        let nonce = dpop.nonce_for(request);
        let outcome = self.endpoint.grant(by, client, wanted).await;
        if is_of_device && outcome.as_ref().is_err_and(|failure| failure.error != PENDING) {
            // A device that asks as often as it may costs its client nothing: there may be many of them. Whoever asks too
            // often, or for what there is not, is counted by its network.
            entrance::count_stranger(&self.limiter, request, now)?;
        }
        match outcome {
            Ok(answer) => Ok(Minted(answer.into(), nonce)),
            Err(failure) => Err(failure.with_dpop_nonce(nonce)),
        }
    }
}

impl IntoResponse for Minted {
    fn into_response(self) -> Response {
        let mut response = Json(self.0).into_response();
        response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        response.headers_mut().insert(PRAGMA, HeaderValue::from_static("no-cache"));
        if let Some(nonce) = self.1 {
            put_dpop_nonce(response.headers_mut(), nonce);
        }
        response
    }
}

impl ApiResponse for Minted {
    fn meta() -> MetaResponses {
        <Json<GrantedTokensView> as ApiResponse>::meta()
    }

    fn register(registry: &mut Registry) {
        <Json<GrantedTokensView> as Payload>::register(registry);
        GrantedTokensView::register(registry);
    }
}

impl From<TokenAnswer> for GrantedTokensView {
    fn from(answer: TokenAnswer) -> Self {
        let TokenAnswer {
            access_token,
            token_type,
            expires_in,
            refresh_token,
            scope,
            id_token,
            issued_token_type,
        } = answer;
        Self { access_token, token_type, expires_in, refresh_token, scope, id_token, issued_token_type }
    }
}

impl Example for TokenRequestBody {
    fn example() -> Self {
        Self {
            grant_type: "authorization_code".into(),
            code: Some("asz_4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM".into()),
            redirect_uri: Some("https://photos.example.org/callback".into()),
            code_verifier: Some("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk".into()),
            refresh_token: None,
            device_code: None,
            scope: None,
            resource: None,
            audience: None,
            subject_token: None,
            subject_token_type: None,
            actor_token: None,
            actor_token_type: None,
            requested_token_type: None,
            client: ClaimedBody::named("client_0197731f8b2d4c6e9a0b1c2d3e4f5061"),
        }
    }
}

impl Example for GrantedTokensView {
    fn example() -> Self {
        Self {
            access_token: "eyJ0eXAiOiJhdCtqd3QiLCJhbGciOiJFUzI1NiIsImtpZCI6IjBhMWIyYzNkNGU1ZjYwNzEifQ.…"
                .into(),
            token_type: "Bearer".into(),
            expires_in: 900,
            refresh_token: Some("asg_AZdzH4stTG6aCxwtPk9QYQ…".into()),
            scope: Some("openid profile email".into()),
            id_token: Some("eyJ0eXAiOiJKV1QiLCJhbGciOiJSUzI1NiIsImtpZCI6IjcxNjA1ZjRlM2QyYzFiMGEifQ.…".into()),
            issued_token_type: None,
        }
    }
}
