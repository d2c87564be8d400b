//! `/.well-known/openid-configuration`, `/.well-known/oauth-authorization-server` and `/.well-known/oauth-protected-resource`.
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

/// The documents, written once: nothing in them changes while the server runs.
pub struct DiscoveryApi {
    server: Bytes,
    resource: Bytes,
}

struct Document(Bytes);

/// What the server does as its settings say.
#[derive(Default)]
pub struct Offers {
    /// Clients can register themselves.
    pub registration: bool,
    /// Clients can have the URL of a document as their name.
    pub client_documents: bool,
    /// Every client has to push its requests.
    pub all_push: bool,
    /// Those that pages can have.
    pub languages: Vec<String>,
}

impl DiscoveryApi {
    #[must_use]
    pub fn new(issuer: &str, custom: &[CustomScope], offers: &Offers) -> Self {
        let server = document(issuer, custom, offers).to_string().into();
        Self { server, resource: resource(issuer).to_string().into() }
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
        Document(self.server.clone())
    }

    /// What this OAuth 2.0 authorization server can do (RFC 8414)
    #[oai(
        path = "/.well-known/oauth-authorization-server",
        method = "get",
        operation_id = "get_oauth_authorization_server"
    )]
    async fn oauth(&self) -> Document {
        Document(self.server.clone())
    }

    /// What this server takes tokens for as a resource of its own, and whose (RFC 9728)
    #[oai(
        path = "/.well-known/oauth-protected-resource",
        method = "get",
        operation_id = "get_oauth_protected_resource"
    )]
    async fn resource(&self) -> Document {
        Document(self.resource.clone())
    }
}

/// The resource is this server, whose userinfo endpoint takes access tokens of clients (RFC 9728 section 2).
fn resource(issuer: &str) -> Value {
    json!({
        "resource": issuer,
        "authorization_servers": [issuer],
        "jwks_uri": format!("{}/oauth2/jwks", issuer.trim_end_matches('/')),
        "scopes_supported": STANDARD.iter().map(|(name, _)| *name).collect::<Vec<_>>(),
        "bearer_methods_supported": ["header", "body"],
        "dpop_signing_alg_values_supported": ALGORITHMS,
        "dpop_bound_access_tokens_required": false,
        "resource_documentation": format!("{}/docs", issuer.trim_end_matches('/')),
    })
}

fn document(issuer: &str, custom: &[CustomScope], offers: &Offers) -> Value {
    let endpoint = |name: &str| format!("{}/oauth2/{name}", issuer.trim_end_matches('/'));
    let own = custom.iter().map(|scope| scope.name.as_str());
    let scopes: Vec<_> = STANDARD.iter().map(|(name, _)| *name).chain(own).collect();
    let mut document = json!({
        "issuer": issuer,
        "authorization_endpoint": endpoint("authorize"),
        "token_endpoint": endpoint("token"),
        "userinfo_endpoint": endpoint("userinfo"),
        "jwks_uri": endpoint("jwks"),
        "introspection_endpoint": endpoint("introspect"),
        "revocation_endpoint": endpoint("revoke"),
        "device_authorization_endpoint": endpoint("device_authorization"),
        "pushed_authorization_request_endpoint": endpoint("par"),
        "require_pushed_authorization_requests": offers.all_push,
        "end_session_endpoint": endpoint("logout"),
        "backchannel_logout_supported": true,
        "backchannel_logout_session_supported": true,
        "frontchannel_logout_supported": true,
        "frontchannel_logout_session_supported": true,
        "scopes_supported": scopes,
        "response_types_supported": ["code"],
        "response_modes_supported": ["query", "fragment", "form_post"],
        "grant_types_supported": GrantType::ALL.iter().map(|grant| grant.name()).collect::<Vec<_>>(),
        "acr_values_supported": ["aal1", "aal2"],
        "subject_types_supported": SubjectType::ALL.iter().map(|kind| kind.name()).collect::<Vec<_>>(),
        "id_token_signing_alg_values_supported": ALGORITHMS,
        "userinfo_signing_alg_values_supported": ALGORITHMS,
        "display_values_supported": ["page"],
        "claim_types_supported": ["normal"],
        "claims_supported": claims_of(custom),
        "claims_parameter_supported": true,
        "request_parameter_supported": true,
        "request_object_signing_alg_values_supported": ALGORITHMS,
        // Its default is true (OpenID Connect Discovery section 3).
        "request_uri_parameter_supported": false,
        "require_request_uri_registration": false,
        "dpop_signing_alg_values_supported": ALGORITHMS,
        "code_challenge_methods_supported": ["S256"],
        "authorization_response_iss_parameter_supported": true,
        "prompt_values_supported": ["none", "login", "consent", "select_account"],
        "ui_locales_supported": offers.languages,
        "service_documentation": format!("{}/docs", issuer.trim_end_matches('/')),
    });
    if let (Some(all), Value::Object(more)) = (document.as_object_mut(), how_clients_prove()) {
        all.extend(more);
    }
    if offers.registration {
        document["registration_endpoint"] = json!(endpoint("register"));
    }
    if offers.client_documents {
        document["client_id_metadata_document_supported"] = json!(true);
    }
    document
}

/// What tokens and the userinfo endpoint can say of a user.
fn claims_of(custom: &[CustomScope]) -> Vec<&str> {
    let mut own: Vec<_> =
        custom.iter().flat_map(|scope| &scope.claims).map(|(name, _)| name.as_str()).collect();
    own.sort_unstable();
    own.dedup();
    claims::NAMES
        .iter()
        .copied()
        .chain(["iss", "aud", "exp", "iat", "auth_time", "nonce", "acr", "amr", "sid"])
        .chain(own)
        .collect()
}

/// How clients prove who they are, endpoint by endpoint (RFC 8414 section 2).
fn how_clients_prove() -> Value {
    let methods = Authentication::ALL.iter().copied().map(Authentication::name);
    // Who cannot prove who it is learns of no token.
    let proven = Authentication::ALL.iter().copied().filter(|one| *one != Authentication::None);
    let signing: Vec<_> = ALGORITHMS.iter().copied().chain(["HS256"]).collect();
    json!({
        "token_endpoint_auth_methods_supported": methods.clone().collect::<Vec<_>>(),
        "token_endpoint_auth_signing_alg_values_supported": signing,
        "introspection_endpoint_auth_methods_supported": proven.map(Authentication::name).collect::<Vec<_>>(),
        "introspection_endpoint_auth_signing_alg_values_supported": signing,
        "revocation_endpoint_auth_methods_supported": methods.collect::<Vec<_>>(),
        "revocation_endpoint_auth_signing_alg_values_supported": signing,
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
        let offers = Offers { languages: vec!["en".to_owned(), "de".to_owned()], ..Offers::default() };
        let example = Some(document("https://id.example.org", &[], &offers));
        let schema = MetaSchemaRef::Inline(Box::new(MetaSchema { example, ..MetaSchema::new("object") }));
        let content = vec![MetaMediaType { content_type: "application/json; charset=utf-8", schema }];
        MetaResponses { responses: vec![described(200, "What the server can do", content)] }
    }

    fn register(_: &mut Registry) {}
}
