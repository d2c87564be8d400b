//! `POST /oauth2/device_authorization` (RFC 8628 section 3.1).
use std::sync::Arc;

use poem::http::HeaderValue;
use poem::http::header::CACHE_CONTROL;
use poem::{IntoResponse, Request, Response};
use poem_openapi::payload::Payload;
use poem_openapi::registry::{MetaResponses, Registry};
use poem_openapi::types::{Example, Type};
use poem_openapi::{ApiResponse, Object, OpenApi};
use serde::Serialize;

use super::page::PATH;
use super::service::{DeviceRequests, Started};
use crate::http::limit::RateLimiter;
use crate::http::{Form, Json, ProtocolFailure};
use crate::oauth::authorize::request::{Refusal, wanted_by_device};
use crate::oauth::client::authentication::ClaimedBody;
use crate::oauth::client::model::GrantType;
use crate::oauth::entrance;
use crate::oauth::error::unauthorized_client;

/// Where devices begin.
pub struct DeviceApi {
    pub devices: DeviceRequests,
    pub limiter: Arc<RateLimiter>,
    /// Whose this server is.
    pub issuer: String,
    /// Seconds between two questions, to begin with.
    pub interval: i64,
}

#[derive(Object)]
#[oai(example)]
struct DeviceAuthorizationBody {
    /// With spaces between.
    scope: Option<String>,
    /// What the tokens are for (RFC 8707).
    resource: Option<Vec<String>>,
    #[oai(flatten)]
    client: ClaimedBody,
}

/// RFC 8628 section 3.2.
#[derive(Object, Serialize)]
#[oai(example)]
struct DeviceAuthorizationView {
    /// What the device asks for tokens with, at `/oauth2/token`.
    device_code: String,
    /// What the device shows, and its user types.
    user_code: String,
    /// Where.
    verification_uri: String,
    /// The same with the code in it, for a picture that a telephone reads.
    verification_uri_complete: String,
    /// Seconds.
    expires_in: i64,
    /// Seconds to wait between two questions.
    interval: i64,
}

/// Codes, not to be kept by anything on their way.
struct Begun(DeviceAuthorizationView);

#[OpenApi]
impl DeviceApi {
    /// Codes for a device that has no browser (RFC 8628)
    ///
    /// The client proves who it is as at `/oauth2/token`. The device shows its user where to go and what to type, and asks at
    /// `/oauth2/token`, with the grant `urn:ietf:params:oauth:grant-type:device_code`, until there is an answer.
    #[oai(
        path = "/oauth2/device_authorization",
        method = "post",
        operation_id = "oauth_device_authorization"
    )]
    async fn authorize(
        &self,
        request: &Request,
        body: Form<DeviceAuthorizationBody>,
    ) -> Result<Begun, ProtocolFailure> {
        let DeviceAuthorizationBody { scope, resource, client } = body.0;
        let (clients, now) = (&self.devices.clients, self.devices.env.now());
        let client = entrance::recognise(clients, &self.limiter, request, client.into(), now).await?;
        let by = entrance::sender(request)?;
        entrance::count_request(&self.limiter, request, &client, now)?;
        if !client.may(GrantType::DeviceCode) {
            return Err(unauthorized_client("the client has not registered the grant of device codes"));
        }
        let wanted = wanted_by_device(&client, scope.as_deref(), resource.unwrap_or_default());
        let wanted =
            wanted.map_err(|Refusal { error, description }| ProtocolFailure::new(error, description))?;
        Ok(Begun(self.view_of(&self.devices.ask(&by, &client, wanted).await?)))
    }
}

impl DeviceApi {
    fn view_of(&self, started: &Started) -> DeviceAuthorizationView {
        let uri = format!("{}{PATH}", self.issuer.trim_end_matches('/'));
        let code = started.user_code.shown();
        DeviceAuthorizationView {
            device_code: started.device_code.expose().to_owned(),
            verification_uri_complete: format!("{uri}?user_code={code}"),
            verification_uri: uri,
            user_code: code,
            expires_in: self.devices.lifetime,
            interval: self.interval,
        }
    }
}

impl IntoResponse for Begun {
    fn into_response(self) -> Response {
        let mut response = Json(self.0).into_response();
        response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        response
    }
}

impl ApiResponse for Begun {
    fn meta() -> MetaResponses {
        <Json<DeviceAuthorizationView> as ApiResponse>::meta()
    }

    fn register(registry: &mut Registry) {
        <Json<DeviceAuthorizationView> as Payload>::register(registry);
        DeviceAuthorizationView::register(registry);
    }
}

impl Example for DeviceAuthorizationBody {
    fn example() -> Self {
        Self {
            scope: Some("openid profile offline_access".into()),
            resource: None,
            client: ClaimedBody::named("client_0197731f8b2d4c6e9a0b1c2d3e4f5061"),
        }
    }
}

impl Example for DeviceAuthorizationView {
    fn example() -> Self {
        Self {
            device_code: "asd_4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM".into(),
            user_code: "WDJB-MJHT".into(),
            verification_uri: "https://id.example.org/device".into(),
            verification_uri_complete: "https://id.example.org/device?user_code=WDJB-MJHT".into(),
            expires_in: 600,
            interval: 5,
        }
    }
}
