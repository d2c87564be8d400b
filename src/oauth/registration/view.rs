//! Registrations on the wire (RFC 7591 sections 2 and 3.2.1, RFC 7592 sections 2 and 3).
use poem::http::StatusCode;
use poem::{IntoResponse, Response};
use poem_openapi::registry::{MetaMediaType, MetaResponses, MetaSchema, MetaSchemaRef, Registry};
use poem_openapi::types::Example;
use poem_openapi::{ApiResponse, Object};
use serde_json::{Value, json};

use super::service::{Ask, Registered};
use crate::base::{Error, Result, Secret};
use crate::http::answer::described;
use crate::oauth::client::Client;
use crate::oauth::client::metadata::MetadataBody;
use crate::oauth::client::view::ClientView;

/// What of a client administrators alone say and see.
const INNER: &[&str] = &[
    "registered_by",
    "is_active",
    "first_party",
    "require_pkce",
    "roles",
    "resources",
    "permissions",
    "introspect",
    "exchange_clients",
    "requests_per_hour",
    "secrets",
    "created_at",
    "updated_at",
];

/// A client that registers itself.
#[derive(Object)]
#[oai(example)]
pub struct RegistrationBody {
    #[oai(flatten)]
    pub metadata: MetadataBody,
}

/// A client that registers itself anew.
#[derive(Object)]
#[oai(example)]
pub struct ReplacementBody {
    /// Its own, which does not change.
    pub client_id: Option<String>,
    /// If it says it, the one that it has.
    pub client_secret: Option<String>,
    /// Must not be said, as the three after it.
    pub registration_access_token: Option<Value>,
    pub registration_client_uri: Option<Value>,
    pub client_secret_expires_at: Option<Value>,
    pub client_id_issued_at: Option<Value>,
    #[oai(flatten)]
    pub metadata: MetadataBody,
}

/// A client as it is registered, and how it manages itself.
pub struct ClientInformation<const STATUS: u16>(Value);

impl<const STATUS: u16> ClientInformation<STATUS> {
    /// `base`: where registrations are.
    ///
    /// # Errors
    /// `Error::Internal` if it cannot be written.
    pub fn of(registered: &Registered, base: &str) -> Result<Self> {
        let Registered { client, secret, token } = registered;
        let mut shown = information(client)?;
        if let Some(secret) = secret {
            shown["client_secret"] = json!(secret.expose());
        }
        shown["registration_access_token"] = json!(token.expose());
        shown["registration_client_uri"] = json!(format!("{base}/{}", client.id));
        Ok(Self(shown))
    }
}

/// All that is registered; what is not said is left out.
fn information(client: &Client) -> Result<Value> {
    let mut shown = serde_json::to_value(ClientView::of(client)).map_err(Error::internal)?;
    if let Some(members) = shown.as_object_mut() {
        members.retain(|name, value| !INNER.contains(&name.as_str()) && !value.is_null());
    }
    shown["client_id_issued_at"] = json!(client.created_at.secs());
    if client.metadata.authentication.has_secret() {
        // It does not end (RFC 7591 section 3.2.1).
        shown["client_secret_expires_at"] = json!(0);
    }
    Ok(shown)
}

impl RegistrationBody {
    #[must_use]
    pub fn ask(self) -> Ask {
        Box::new(|default| self.metadata.over(default))
    }
}

impl ReplacementBody {
    /// What is asked of the client that this is about.
    ///
    /// # Errors
    /// `Error::Invalid` naming what must not be said, or is another client's.
    pub fn ask(self, client: &Client, now: crate::base::Timestamp) -> Result<Ask> {
        let refuse = |field: &'static str, reason: &'static str| Err(Error::invalid(field, reason));
        for (field, said) in [
            ("registration_access_token", &self.registration_access_token),
            ("registration_client_uri", &self.registration_client_uri),
            ("client_secret_expires_at", &self.client_secret_expires_at),
            ("client_id_issued_at", &self.client_id_issued_at),
        ] {
            if said.is_some() {
                return refuse(field, "must not be said");
            }
        }
        if self.client_id.as_deref() != Some(client.id.as_str()) {
            return refuse("client_id", "must be that of the client");
        }
        let secret = self.client_secret.map(Secret::new);
        if secret.is_some_and(|secret| !client.has_secret(secret.expose(), now)) {
            return refuse("client_secret", "must be the one that the client has");
        }
        Ok(Box::new(|default| self.metadata.over(default)))
    }
}

impl<const STATUS: u16> IntoResponse for ClientInformation<STATUS> {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(STATUS).unwrap_or_default();
        Response::builder()
            .status(status)
            .content_type("application/json; charset=utf-8")
            .body(self.0.to_string())
    }
}

impl<const STATUS: u16> ApiResponse for ClientInformation<STATUS> {
    fn meta() -> MetaResponses {
        let example = json!({
            "client_id": "client_0197731f8b2d4c6e9a0b1c2d3e4f5061",
            "client_name": "Photo album",
            "redirect_uris": ["https://photos.example.org/callback"],
            "grant_types": ["authorization_code", "refresh_token"],
            "response_types": ["code"],
            "token_endpoint_auth_method": "client_secret_basic",
            "scope": "openid profile email",
            "client_id_issued_at": 1_749_985_743,
            "client_secret": "aso_4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM",
            "client_secret_expires_at": 0,
            "registration_access_token": "asa_iBvFYT06sk7kHbq2vN5xwVhyQd3mRzKcOe1TGfL9uXo",
            "registration_client_uri":
                "https://id.example.org/oauth2/register/client_0197731f8b2d4c6e9a0b1c2d3e4f5061",
        });
        let schema = MetaSchema { example: Some(example), ..MetaSchema::new("object") };
        let content = vec![MetaMediaType {
            content_type: "application/json; charset=utf-8",
            schema: MetaSchemaRef::Inline(Box::new(schema)),
        }];
        MetaResponses { responses: vec![described(STATUS, "The client as it is registered", content)] }
    }

    fn register(_: &mut Registry) {}
}

impl Example for RegistrationBody {
    fn example() -> Self {
        Self { metadata: MetadataBody::example() }
    }
}

impl Example for ReplacementBody {
    fn example() -> Self {
        Self {
            client_id: Some("client_0197731f8b2d4c6e9a0b1c2d3e4f5061".into()),
            client_secret: None,
            registration_access_token: None,
            registration_client_uri: None,
            client_secret_expires_at: None,
            client_id_issued_at: None,
            metadata: MetadataBody::example(),
        }
    }
}
