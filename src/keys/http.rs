//! The public keys, for whoever verifies our tokens.
use poem::http::HeaderValue;
use poem::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use poem::{IntoResponse, Response};
use poem_openapi::registry::{MetaMediaType, MetaResponse, MetaResponses, Registry};
use poem_openapi::types::{Any, Example, Type};
use poem_openapi::{ApiResponse, Object, OpenApi};

use super::Keys;

/// The key set.
pub struct KeysApi(pub Keys);

/// A JWK set (RFC 7517 section 5).
#[derive(Object)]
#[oai(example)]
struct JwkSet {
    /// One JWK for each key that has signed tokens which are still good, or will sign soon.
    keys: Vec<Any<serde_json::Value>>,
}

/// The set as it was written when the keys last changed.
struct Published(bytes::Bytes);

#[OpenApi]
impl KeysApi {
    /// The public keys that verify our tokens (RFC 7517)
    #[oai(path = "/oauth2/jwks", method = "get", operation_id = "get_jwks")]
    async fn jwks(&self) -> Published {
        Published(self.0.jwks())
    }
}

impl IntoResponse for Published {
    fn into_response(self) -> Response {
        let mut response = Response::from(self.0);
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json; charset=utf-8"));
        // Shorter than any key is next before it signs.
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("public, max-age=300"));
        response
    }
}

impl ApiResponse for Published {
    fn meta() -> MetaResponses {
        let content_type = "application/json; charset=utf-8";
        let content = vec![MetaMediaType { content_type, schema: JwkSet::schema_ref() }];
        let (status, status_range, headers) = (Some(200), None, Vec::new());
        let response = MetaResponse { description: "The key set", status, status_range, content, headers };
        MetaResponses { responses: vec![response] }
    }

    fn register(registry: &mut Registry) {
        JwkSet::register(registry);
    }
}

impl Example for JwkSet {
    fn example() -> Self {
        // The key of RFC 7517 appendix A.1.
        let key = serde_json::json!({
            "use": "sig",
            "alg": "ES256",
            "kid": "0a1b2c3d4e5f6071",
            "kty": "EC",
            "crv": "P-256",
            "x": "MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4",
            "y": "4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM",
        });
        Self { keys: vec![Any(key)] }
    }
}
