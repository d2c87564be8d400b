//! `/oauth2/userinfo`, by GET and by POST.
use std::sync::Arc;

use poem::http::StatusCode;
use poem::http::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue};
use poem::{IntoResponse, Request, Response};
use poem_openapi::registry::{MetaMediaType, MetaResponses, MetaSchema, MetaSchemaRef, Registry};
use poem_openapi::types::Example;
use poem_openapi::{ApiResponse, Object, OpenApi};
use serde_json::Value;

use crate::base::{Env, Error, Result};
use crate::http::answer::described;
use crate::http::limit::RateLimiter;
use crate::http::{MaybeForm, ProtocolFailure};
use crate::oauth::claims::{self, UserClaims};
use crate::oauth::entrance::{count_stranger, counted_as};
use crate::oauth::grant::live::{LiveGrant, Resolved};
use crate::oauth::grant::{LiveGrants, Minter};
use crate::oauth::scope::OPENID;

/// What is said beside a 401 (RFC 6750 section 3).
const CHALLENGE: &str = "Bearer realm=\"auth-service\"";

/// Claims about users.
pub struct UserinfoApi {
    pub env: Env,
    pub grants: LiveGrants,
    pub minter: Minter,
    pub limiter: Arc<RateLimiter>,
}

#[derive(Object)]
#[oai(example)]
struct UserinfoBody {
    /// Where it does not stand in the header Authorization.
    access_token: Option<String>,
}

/// Claims, as JSON or signed.
enum Claims {
    Plain(UserClaims),
    Signed(String),
}

#[OpenApi]
impl UserinfoApi {
    /// Who has logged in, as far as the access token's scopes tell (OpenID Connect)
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
        let Some(token) = token_of(request.headers(), in_body)? else {
            count_stranger(&self.limiter, request, now)?;
            let failure = ProtocolFailure::new("invalid_request", "an access token is required");
            return Err(failure.with_status(StatusCode::UNAUTHORIZED).with_challenge(CHALLENGE));
        };
        let resolved = match self.grants.resolve(&token, now) {
            Ok(resolved) => resolved,
            Err(error) => {
                count_stranger(&self.limiter, request, now)?;
                return Err(bad_token(error));
            }
        };
        let Resolved { token, client, grant } = resolved;
        self.limiter.count(counted_as(&client.id), client.rules.requests_per_hour, now)?;
        let has_openid = token.claims.scope.split(' ').any(|scope| scope == OPENID);
        let Some(grant) = grant.filter(|_| has_openid) else { return Err(insufficient_scope()) };
        if !token.claims.aud.has(self.minter.issuer()) {
            return Err(bad_token(Error::InvalidToken));
        }
        let LiveGrant { grant, user, email_verified } = grant.as_ref();
        let mut claims = claims::for_userinfo(user, *email_verified, &grant.consented, &token.claims.scope);
        claims.insert("sub".to_owned(), Value::String(token.claims.sub.clone()));
        let Some(algorithm) = client.metadata.userinfo_algorithm else { return Ok(Claims::Plain(claims)) };
        claims.insert("iss".to_owned(), Value::String(self.minter.issuer().to_owned()));
        claims.insert("aud".to_owned(), Value::String(client.id.to_string()));
        let signed = self.minter.sign(algorithm, "JWT", &Value::Object(claims))?;
        Ok(Claims::Signed(signed.expose().to_owned()))
    }
}

/// The access token of a request; where it comes twice, nobody knows which counts (RFC 6750 section 2).
fn token_of(headers: &HeaderMap, in_body: Option<String>) -> Result<Option<String>, ProtocolFailure> {
    let mut all = headers.get_all(AUTHORIZATION).iter();
    let (first, second) = (all.next(), all.next());
    let text = first.and_then(|value| value.to_str().ok()).unwrap_or_default();
    let (scheme, token) = text.split_once(' ').unwrap_or((text, ""));
    let in_header = scheme.eq_ignore_ascii_case("bearer").then(|| token.trim().to_owned());
    match (in_header, in_body, second) {
        (_, _, Some(_)) | (Some(_), Some(_), _) => {
            Err(ProtocolFailure::new("invalid_request", "the access token came in two ways"))
        }
        (in_header, in_body, None) => Ok(in_header.or(in_body)),
    }
}

fn bad_token(error: Error) -> ProtocolFailure {
    let challenge = format!("{CHALLENGE}, error=\"invalid_token\"");
    let failure = ProtocolFailure::from(error);
    if failure.status == StatusCode::UNAUTHORIZED { failure.with_challenge(challenge) } else { failure }
}

fn insufficient_scope() -> ProtocolFailure {
    let challenge = format!("{CHALLENGE}, error=\"insufficient_scope\", scope=\"openid\"");
    let failure =
        ProtocolFailure::new("insufficient_scope", "the access token was not given for the scope openid");
    failure.with_status(StatusCode::FORBIDDEN).with_challenge(challenge)
}

impl IntoResponse for Claims {
    fn into_response(self) -> Response {
        let (body, content_type) = match self {
            Self::Plain(claims) => {
                (serde_json::to_vec(&claims).unwrap_or_default(), "application/json; charset=utf-8")
            }
            Self::Signed(token) => (token.into_bytes(), "application/jwt"),
        };
        let mut response = Response::from(body);
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
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
