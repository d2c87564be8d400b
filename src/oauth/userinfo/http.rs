//! `/oauth2/userinfo`, by GET and by POST.
use std::sync::Arc;

use poem::http::header::{CONTENT_TYPE, HeaderValue};
use poem::{IntoResponse, Request, Response};
use poem_openapi::registry::{MetaMediaType, MetaResponses, MetaSchema, MetaSchemaRef, Registry};
use poem_openapi::types::Example;
use poem_openapi::{ApiResponse, Object, OpenApi};
use serde_json::Value;

use crate::base::{Env, Error, Result};
use crate::http::answer::described;
use crate::http::limit::RateLimiter;
use crate::http::protocol::put_dpop_nonce;
use crate::http::{MaybeForm, ProtocolFailure};
use crate::oauth::claims::{self, UserClaims};
use crate::oauth::custom::Place;
use crate::oauth::dpop::Dpop;
use crate::oauth::dpop::presented::{Presented, presented};
use crate::oauth::entrance::{count_stranger, counted_as};
use crate::oauth::grant::live::Resolved;
use crate::oauth::grant::{LiveGrants, Minter};
use crate::oauth::scope::OPENID;

/// Claims about users.
pub struct UserinfoApi {
    pub env: Env,
    pub grants: LiveGrants,
    pub minter: Minter,
    pub dpop: Dpop,
    pub limiter: Arc<RateLimiter>,
}

#[derive(Object)]
#[oai(example)]
struct UserinfoBody {
    /// Where it does not stand in the header Authorization.
    access_token: Option<String>,
}

/// Claims, and perhaps a nonce for the next proof.
struct Claims {
    said: Said,
    nonce: Option<String>,
}

/// As JSON or signed.
enum Said {
    Plain(UserClaims),
    Signed(String),
}

#[OpenApi]
impl UserinfoApi {
    /// Who has logged in, as far as the access token's scopes tell (OpenID Connect)
    ///
    /// A token that is bound to a key comes as `Authorization: DPoP`, with a proof in the header `DPoP` (RFC 9449).
    #[oai(path = "/oauth2/userinfo", method = "get", operation_id = "oauth_userinfo")]
    async fn get(&self, request: &Request) -> Result<Claims, ProtocolFailure> {
        self.claims(request, None)
    }

    /// The same as GET /oauth2/userinfo
    #[oai(path = "/oauth2/userinfo", method = "post", operation_id = "oauth_userinfo_by_post")]
    async fn post(
        &self,
        request: &Request,
        body: MaybeForm<UserinfoBody>,
    ) -> Result<Claims, ProtocolFailure> {
        self.claims(request, body.0.and_then(|body| body.access_token))
    }
}

impl UserinfoApi {
    fn claims(&self, request: &Request, in_body: Option<String>) -> Result<Claims, ProtocolFailure> {
        let now = self.env.now();
        let shown = match presented(request.headers(), in_body) {
            Ok(shown) => shown,
            Err(failure) => {
                count_stranger(&self.limiter, request, now)?;
                return Err(failure);
            }
        };
        let resolved = match self.grants.resolve(&shown.text, now) {
            Ok(resolved) => resolved,
            Err(error) => {
                count_stranger(&self.limiter, request, now)?;
                return Err(shown.bad(error));
            }
        };
        self.limiter.count(counted_as(&resolved.client.id), resolved.client.rules.requests_per_hour, now)?;
        let nonce = self.dpop.nonce_for(request);
        let checked = shown.check(&self.dpop, request, &resolved);
        match checked.and_then(|()| self.claims_of(&shown, resolved)) {
            Ok(said) => Ok(Claims { said, nonce }),
            Err(failure) => Err(failure.with_dpop_nonce(nonce)),
        }
    }

    fn claims_of(&self, shown: &Presented, resolved: Resolved) -> Result<Said, ProtocolFailure> {
        let Resolved { token, client, grant } = resolved;
        let has_openid = token.claims.scope.split(' ').any(|scope| scope == OPENID);
        let Some(grant) = grant.filter(|_| has_openid) else { return Err(shown.insufficient(OPENID)) };
        if !token.claims.aud.has(self.minter.issuer()) {
            return Err(shown.bad(Error::InvalidToken));
        }
        let scope = token.claims.scope.as_str();
        let mut claims = self.minter.custom.claims(grant.user.id, scope.split(' '), Place::Userinfo)?;
        let mut consented = grant.grant.consented.clone();
        if grant.grant.client != client.id {
            // What one client has asked for by name, no other one learns for having its token.
            consented.userinfo_claims.clear();
        }
        claims.extend(claims::for_userinfo(grant.about(), &consented, scope));
        claims.insert("sub".to_owned(), Value::String(token.claims.sub.clone()));
        let Some(algorithm) = client.metadata.userinfo_algorithm else { return Ok(Said::Plain(claims)) };
        claims.insert("iss".to_owned(), Value::String(self.minter.issuer().to_owned()));
        claims.insert("aud".to_owned(), Value::String(client.id.to_string()));
        let signed = self.minter.sign(algorithm, "JWT", &Value::Object(claims))?;
        Ok(Said::Signed(signed.expose().to_owned()))
    }
}

impl IntoResponse for Claims {
    fn into_response(self) -> Response {
        let (body, content_type) = match self.said {
            Said::Plain(claims) => {
                (serde_json::to_vec(&claims).unwrap_or_default(), "application/json; charset=utf-8")
            }
            Said::Signed(token) => (token.into_bytes(), "application/jwt"),
        };
        let mut response = Response::from(body);
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
        if let Some(nonce) = self.nonce {
            put_dpop_nonce(response.headers_mut(), nonce);
        }
        response
    }
}

impl ApiResponse for Claims {
    fn meta() -> MetaResponses {
        let schema = |ty, example| {
            let schema = MetaSchema { example: Some(example), ..MetaSchema::new(ty) };
            MetaSchemaRef::Inline(Box::new(schema))
        };
        let claims = serde_json::json!({
            "sub": "2", "name": "Test User", "preferred_username": "testuser",
            "email": "test@example.com", "email_verified": true,
        });
        let content = vec![
            MetaMediaType {
                content_type: "application/json; charset=utf-8",
                schema: schema("object", claims),
            },
            MetaMediaType {
                content_type: "application/jwt",
                schema: schema("string", Value::String("eyJ0eXAiOiJKV1QiLCJhbGciOiJSUzI1NiJ9.…".to_owned())),
            },
        ];
        MetaResponses { responses: vec![described(200, "Who has logged in", content)] }
    }

    fn register(_: &mut Registry) {}
}

impl Example for UserinfoBody {
    fn example() -> Self {
        Self { access_token: None }
    }
}
