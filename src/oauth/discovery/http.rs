//! `/.well-known/openid-configuration` and `/.well-known/oauth-authorization-server`.
use bytes::Bytes;
use poem::http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue};
use poem::{IntoResponse, Response};
use poem_openapi::registry::{MetaMediaType, MetaResponses, MetaSchema, MetaSchemaRef, Registry};
use poem_openapi::{ApiResponse, OpenApi};
use serde_json::{Value, json};

use crate::http::answer::described;
use crate::oauth::claims;
use crate::oauth::client::model::{Authentication, GrantType, SubjectType};
use crate::oauth::custom::CustomScope;
use crate::oauth::scope::STANDARD;

/// What can be signed with a key that others can verify by.
const ALGORITHMS: &[&str] = &["RS256", "ES256", "EdDSA", "PS256"];

/// The document, written once: nothing in it changes while the server runs.
pub struct DiscoveryApi(Bytes);

struct Document(Bytes);

impl DiscoveryApi {
    #[must_use]
    pub fn new(issuer: &str, custom: &[CustomScope]) -> Self {
        Self(document(issuer, custom).to_string().into())
    }
}

#[OpenApi]
impl DiscoveryApi {
    /// What this OpenID Connect provider can do
    #[oai(
        path = "/.well-known/openid-configuration",
        method = "get",
        operation_id = "get_openid_configuration"
    )]
    async fn openid(&self) -> Document {
        Document(self.0.clone())
    }

    /// What this OAuth 2.0 authorization server can do (RFC 8414)
    #[oai(
        path = "/.well-known/oauth-authorization-server",
        method = "get",
        operation_id = "get_oauth_authorization_server"
    )]
    async fn oauth(&self) -> Document {
        Document(self.0.clone())
    }
}

fn document(issuer: &str, custom: &[CustomScope]) -> Value {
    let endpoint = |name: &str| format!("{}/oauth2/{name}", issuer.trim_end_matches('/'));
    let methods = [Authentication::SecretBasic, Authentication::SecretPost, Authentication::None];
    let secret_methods = &methods[..2];
    let own = custom.iter().map(|scope| scope.name.as_str());
    let scopes: Vec<_> = STANDARD.iter().map(|(name, _)| *name).chain(own).collect();
    let mut own: Vec<_> =
        custom.iter().flat_map(|scope| &scope.claims).map(|(name, _)| name.as_str()).collect();
    own.sort_unstable();
    own.dedup();
    let claims: Vec<_> = claims::NAMES
        .iter()
        .copied()
        .chain(["iss", "aud", "exp", "iat", "auth_time", "nonce", "acr", "amr", "sid"])
        .chain(own)
        .collect();
    json!({
        "issuer": issuer,
        "authorization_endpoint": endpoint("authorize"),
        "token_endpoint": endpoint("token"),
        "userinfo_endpoint": endpoint("userinfo"),
        "jwks_uri": endpoint("jwks"),
        "introspection_endpoint": endpoint("introspect"),
        "revocation_endpoint": endpoint("revoke"),
        "device_authorization_endpoint": endpoint("device_authorization"),
        "end_session_endpoint": endpoint("logout"),
        "scopes_supported": scopes,
        "response_types_supported": ["code"],
        "response_modes_supported": ["query", "fragment", "form_post"],
        "grant_types_supported": GrantType::ALL.iter().map(|grant| grant.name()).collect::<Vec<_>>(),
        "acr_values_supported": ["aal1", "aal2"],
        "subject_types_supported": SubjectType::ALL.iter().map(|kind| kind.name()).collect::<Vec<_>>(),
        "id_token_signing_alg_values_supported": ALGORITHMS,
        "userinfo_signing_alg_values_supported": ALGORITHMS,
        "token_endpoint_auth_methods_supported": methods.map(Authentication::name),
        "introspection_endpoint_auth_methods_supported": secret_methods.iter().map(|one| one.name()).collect::<Vec<_>>(),
        "revocation_endpoint_auth_methods_supported": methods.map(Authentication::name),
        "display_values_supported": ["page"],
        "claim_types_supported": ["normal"],
        "claims_supported": claims,
        "claims_parameter_supported": true,
        "request_parameter_supported": false,
        // Its default is true (OpenID Connect Discovery section 3).
        "request_uri_parameter_supported": false,
        "require_request_uri_registration": false,
        "dpop_signing_alg_values_supported": ALGORITHMS,
        "code_challenge_methods_supported": ["S256"],
        "authorization_response_iss_parameter_supported": true,
        "prompt_values_supported": ["none", "login", "consent", "select_account"],
        "ui_locales_supported": ["en"],
        "service_documentation": format!("{}/docs", issuer.trim_end_matches('/')),
    })
}

impl IntoResponse for Document {
    fn into_response(self) -> Response {
        let mut response = Response::from(self.0);
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json; charset=utf-8"));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("public, max-age=3600"));
        response
    }
}

impl ApiResponse for Document {
    fn meta() -> MetaResponses {
        let example = Some(document("https://id.example.org", &[]));
        let schema = MetaSchemaRef::Inline(Box::new(MetaSchema { example, ..MetaSchema::new("object") }));
        let content = vec![MetaMediaType { content_type: "application/json; charset=utf-8", schema }];
        MetaResponses { responses: vec![described(200, "What the server can do", content)] }
    }

    fn register(_: &mut Registry) {}
}
