//! `POST /oauth2/par` (RFC 9126).
use std::sync::Arc;

use poem::Request;
use poem_openapi::types::Example;
use poem_openapi::{Object, OpenApi};
use serde::Serialize;

use crate::base::Secret;
use crate::http::limit::RateLimiter;
use crate::http::{Created, FormText, ProtocolFailure};
use crate::oauth::authorize::Authorization;
use crate::oauth::authorize::parameters::Parameters;
use crate::oauth::client::authentication::{Claimed, ClaimedBody};
use crate::oauth::entrance;
use crate::oauth::error::invalid_request;

/// Requests that clients push.
pub struct PushApi {
    pub authorization: Authorization,
    pub limiter: Arc<RateLimiter>,
}

/// The parameters of an authorization request, and what says who the client is. Others than these may be there, too.
#[derive(Object)]
#[oai(example)]
struct PushBody {
    /// All parameters at once, signed (RFC 9101); then none of them counts beside it.
    request: Option<String>,
    response_type: Option<String>,
    redirect_uri: Option<String>,
    scope: Option<String>,
    state: Option<String>,
    nonce: Option<String>,
    code_challenge: Option<String>,
    /// `S256`.
    code_challenge_method: Option<String>,
    #[oai(flatten)]
    client: ClaimedBody,
}

/// RFC 9126 section 2.2.
#[derive(Object, Serialize)]
#[oai(example)]
struct PushedView {
    /// To be sent to the authorization endpoint, with `client_id` beside it; good for one answer.
    request_uri: String,
    /// Seconds in which a browser has to come with it.
    expires_in: i64,
}

#[OpenApi]
impl PushApi {
    /// Push an authorization request, and get a reference to it (RFC 9126)
    ///
    /// The client proves who it is as at the token endpoint. What is wrong with the request is said here, and not in a browser.
    #[oai(path = "/oauth2/par", method = "post", operation_id = "oauth_push_request")]
    async fn push(
        &self,
        request: &Request,
        body: FormText<PushBody>,
    ) -> Result<Created<PushedView>, ProtocolFailure> {
        let parameters = Parameters::parse(&body.text);
        if parameters.repeated.is_some() {
            return Err(invalid_request("a parameter came twice"));
        }
        let Authorization { clients, env, pushed, .. } = &self.authorization;
        let claimed = claimed(&parameters);
        let client = entrance::admit(clients, &self.limiter, request, claimed, env.now()).await?;
        match self.authorization.push(&client, parameters).await? {
            Ok(request_uri) => Ok(Created(PushedView { request_uri, expires_in: pushed.lifetime })),
            Err(refusal) => Err(ProtocolFailure::new(refusal.error, refusal.description)),
        }
    }
}

fn claimed(parameters: &Parameters) -> Claimed {
    let text = |name| parameters.get(name).map(str::to_owned);
    Claimed {
        client_id: text("client_id"),
        client_secret: text("client_secret").map(Secret::new),
        assertion_type: text("client_assertion_type"),
        assertion: text("client_assertion").map(Secret::new),
    }
}

impl Example for PushBody {
    fn example() -> Self {
        Self {
            request: None,
            response_type: Some("code".into()),
            redirect_uri: Some("https://photos.example.org/callback".into()),
            scope: Some("openid profile email".into()),
            state: Some("af0ifjsldkj".into()),
            nonce: Some("n-0S6_WzA2Mj".into()),
            code_challenge: Some("E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM".into()),
            code_challenge_method: Some("S256".into()),
            client: ClaimedBody::named("client_0197731f8b2d4c6e9a0b1c2d3e4f5061"),
        }
    }
}

impl Example for PushedView {
    fn example() -> Self {
        let request_uri = "urn:ietf:params:oauth:request_uri:6a9f…";
        Self { request_uri: request_uri.into(), expires_in: 60 }
    }
}
