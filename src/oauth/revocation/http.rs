//! `POST /oauth2/revoke`.
use std::sync::Arc;

use poem::{IntoResponse, Request, Response};
use poem_openapi::registry::{MetaResponses, Registry};
use poem_openapi::types::Example;
use poem_openapi::{ApiResponse, Object, OpenApi};

use super::service::Revocations;
use crate::http::answer::described;
use crate::http::limit::RateLimiter;
use crate::http::{Form, ProtocolFailure};
use crate::oauth::client::authentication::ClaimedBody;
use crate::oauth::entrance;
use crate::oauth::error::unauthorized_client;

/// What clients give back.
pub struct RevocationApi {
    pub revocations: Revocations,
    pub limiter: Arc<RateLimiter>,
}

#[derive(Object)]
#[oai(example)]
struct RevocationBody {
    token: String,
    /// `access_token` or `refresh_token`; it is found out without.
    token_type_hint: Option<String>,
    #[oai(flatten)]
    client: ClaimedBody,
}

/// 200 without a body (RFC 7009 section 2.2), whatever the token was worth.
struct Revoked;

#[OpenApi]
impl RevocationApi {
    /// Make a token good for nothing (RFC 7009)
    ///
    /// A refresh token with all that came of it, an access token alone. It holds from the moment of the answer.
    #[oai(path = "/oauth2/revoke", method = "post", operation_id = "oauth_revoke")]
    async fn revoke(
        &self,
        request: &Request,
        body: Form<RevocationBody>,
    ) -> Result<Revoked, ProtocolFailure> {
        let RevocationBody { token, client, .. } = body.0;
        let Revocations { clients, env, .. } = &self.revocations;
        let client = entrance::admit(clients, &self.limiter, request, client.into(), env.now()).await?;
        let by = entrance::sender(request)?;
        if self.revocations.revoke(by, &client, &token).await? {
            Ok(Revoked)
        } else {
            Err(unauthorized_client("the token was given to another client"))
        }
    }
}

impl IntoResponse for Revoked {
    fn into_response(self) -> Response {
        Response::default()
    }
}

impl ApiResponse for Revoked {
    fn meta() -> MetaResponses {
        MetaResponses { responses: vec![described(200, "It is good for nothing", Vec::new())] }
    }

    fn register(_: &mut Registry) {}
}

impl Example for RevocationBody {
    fn example() -> Self {
        let token = "asg_AZdzH4stTG6aCxwtPk9QYQ…".into();
        Self { token, token_type_hint: Some("refresh_token".into()), client: ClaimedBody::default() }
    }
}
