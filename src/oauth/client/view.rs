//! Clients on the wire: as they are asked for, and as they are shown.
use poem_openapi::Object;
use poem_openapi::types::{Any, Example, ParseFromJSON};
use serde::Serialize;
use serde_json::{Map, Value};

use super::metadata::MetadataBody;
use super::model::{Client, ClientId, GrantType, Metadata, Registrar, Rules};
use super::redirect::RedirectUri;
pub use super::rules::{RulesBody, parse_resource};
use super::service::{Made, NewClient};
use crate::base::{Error, Page, Result, Timestamp};
use crate::crypto::Algorithm;

/// A client that is asked for.
#[derive(Object)]
#[oai(example)]
pub struct NewClientBody {
    /// Empty: one is made. Letters, digits, `.`, `_`, `~`, `:`, `/` and `-`.
    pub client_id: Option<String>,
    #[oai(flatten)]
    pub metadata: MetadataBody,
    #[oai(flatten)]
    pub rules: RulesBody,
}

/// What is changed of a client.
#[derive(Object)]
#[oai(example)]
pub struct ClientBody {
    /// False: it gets no tokens, and those that it has are good for nothing.
    pub is_active: Option<bool>,
    #[oai(flatten)]
    pub metadata: MetadataBody,
    #[oai(flatten)]
    pub rules: RulesBody,
}

#[derive(Object)]
#[oai(example)]
pub struct RotateSecretBody {
    /// How long the secret before stays good; 0 by default, at most 30 days.
    pub overlap_seconds: Option<i64>,
}

/// A client, without its secrets.
#[expect(clippy::struct_excessive_bools, reason = "the wire form of what is said of a client")]
#[derive(Object, Serialize)]
#[oai(example)]
pub struct ClientView {
    pub client_id: String,
    pub client_name: String,
    /// `administrator`, `configuration`, `client` or `document`: who has registered it.
    pub registered_by: String,
    pub is_active: bool,
    pub redirect_uris: Vec<String>,
    pub post_logout_redirect_uris: Vec<String>,
    pub grant_types: Vec<String>,
    pub response_types: Vec<String>,
    pub token_endpoint_auth_method: String,
    pub token_endpoint_auth_signing_alg: Option<String>,
    pub jwks: Option<Any<Value>>,
    pub jwks_uri: Option<String>,
    pub request_object_signing_alg: Option<String>,
    pub require_signed_request_object: bool,
    pub require_pushed_authorization_requests: bool,
    pub scope: String,
    pub id_token_signed_response_alg: String,
    pub userinfo_signed_response_alg: Option<String>,
    pub subject_type: String,
    pub default_max_age: Option<i64>,
    pub require_auth_time: bool,
    pub client_uri: Option<String>,
    pub logo_uri: Option<String>,
    pub policy_uri: Option<String>,
    pub tos_uri: Option<String>,
    pub contacts: Vec<String>,
    pub dpop_bound_access_tokens: bool,
    pub backchannel_logout_uri: Option<String>,
    pub backchannel_logout_session_required: bool,
    pub frontchannel_logout_uri: Option<String>,
    pub frontchannel_logout_session_required: bool,
    pub application_type: String,
    pub sector_identifier_uri: Option<String>,
    pub initiate_login_uri: Option<String>,
    pub software_id: Option<String>,
    pub software_version: Option<String>,
    pub first_party: bool,
    pub require_pkce: bool,
    pub roles: Vec<String>,
    pub resources: Vec<String>,
    pub permissions: Vec<String>,
    pub introspect: bool,
    pub exchange_clients: Vec<String>,
    pub requests_per_hour: Option<u32>,
    /// The last one comes first: when each was made, and when it ends or has ended.
    pub secrets: Vec<SecretView>,
    pub created_at: String,
    pub updated_at: String,
}

/// A secret, of which nobody but its client knows more.
#[derive(Object, Serialize)]
pub struct SecretView {
    pub created_at: String,
    pub expires_at: Option<String>,
}

/// A client with its secret, which is shown once.
#[derive(Object, Serialize)]
#[oai(example)]
pub struct MadeClientView {
    /// Null for a client that has none, and where the one that it has stays.
    pub client_secret: Option<String>,
    #[oai(flatten)]
    #[serde(flatten)]
    pub client: ClientView,
}

#[derive(Object, Serialize)]
#[oai(example)]
pub struct ClientList {
    pub items: Vec<ClientView>,
    pub next_cursor: Option<String>,
}

impl TryFrom<NewClientBody> for NewClient {
    type Error = Error;

    fn try_from(body: NewClientBody) -> Result<Self> {
        let id = body.client_id.filter(|id| !id.is_empty());
        Ok(Self {
            id: id.as_deref().map(ClientId::parse).transpose()?,
            registrar: Registrar::Administrator,
            metadata: body.metadata.over(Metadata::named(""))?,
            rules: body.rules.over(Rules::default())?,
        })
    }
}

impl NewClient {
    /// Of the fields of the API, as the command line says them.
    ///
    /// # Errors
    /// `Error::Invalid` naming the field that is wrong.
    pub fn from_fields(fields: Map<String, Value>) -> Result<Self> {
        read::<NewClientBody>(fields)?.try_into()
    }
}

impl ClientBody {
    /// Of the fields of the API, as the command line says them.
    ///
    /// # Errors
    /// `Error::Invalid` for what is no field's value.
    pub fn from_fields(fields: Map<String, Value>) -> Result<Self> {
        read(fields)
    }

    /// The client after what is said here.
    ///
    /// # Errors
    /// `Error::Invalid` naming the field that is wrong.
    pub fn over(self, old: Client) -> Result<Client> {
        Ok(Client {
            is_active: self.is_active.unwrap_or(old.is_active),
            metadata: self.metadata.over(old.metadata)?,
            rules: self.rules.over(old.rules)?,
            ..old
        })
    }
}

fn read<T: ParseFromJSON>(fields: Map<String, Value>) -> Result<T> {
    T::parse_from_json(Some(Value::Object(fields)))
        .map_err(|wrong| Error::invalid("fields", wrong.into_message()))
}

impl MadeClientView {
    #[must_use]
    pub fn of(made: &Made) -> Self {
        let client_secret = made.secret.as_ref().map(|secret| secret.expose().to_owned());
        Self { client_secret, client: ClientView::of(&made.client) }
    }
}

impl ClientList {
    #[must_use]
    pub fn of(page: Page<Client>) -> Self {
        Self { items: page.items.iter().map(ClientView::of).collect(), next_cursor: page.next_cursor }
    }
}

impl ClientView {
    #[must_use]
    pub fn of(client: &Client) -> Self {
        let (metadata, rules) = (&client.metadata, &client.rules);
        let texts = |uris: &[RedirectUri]| uris.iter().map(ToString::to_string).collect();
        Self {
            client_id: client.id.to_string(),
            client_name: metadata.name.clone(),
            registered_by: name_of(client.registrar).to_owned(),
            is_active: client.is_active,
            redirect_uris: texts(&metadata.redirect_uris),
            post_logout_redirect_uris: texts(&metadata.post_logout_redirect_uris),
            grant_types: metadata.grants.iter().map(|grant| grant.name().to_owned()).collect(),
            response_types: client
                .may(GrantType::AuthorizationCode)
                .then(|| "code".to_owned())
                .into_iter()
                .collect(),
            token_endpoint_auth_method: metadata.authentication.name().to_owned(),
            token_endpoint_auth_signing_alg: metadata
                .authentication_algorithm
                .as_ref()
                .map(Algorithm::to_string),
            jwks: metadata.keys.value().map(Any),
            jwks_uri: metadata.keys.uri().map(str::to_owned),
            request_object_signing_alg: metadata.request_object_algorithm.as_ref().map(Algorithm::to_string),
            require_signed_request_object: metadata.requires_signed_requests,
            require_pushed_authorization_requests: metadata.requires_pushed_requests,
            scope: metadata.scopes.to_string(),
            id_token_signed_response_alg: metadata.id_token_algorithm.to_string(),
            userinfo_signed_response_alg: metadata.userinfo_algorithm.as_ref().map(Algorithm::to_string),
            subject_type: metadata.subject_type.name().to_owned(),
            default_max_age: metadata.default_max_age,
            require_auth_time: metadata.requires_auth_time,
            client_uri: metadata.client_uri.clone(),
            logo_uri: metadata.logo_uri.clone(),
            policy_uri: metadata.policy_uri.clone(),
            tos_uri: metadata.tos_uri.clone(),
            contacts: metadata.contacts.clone(),
            dpop_bound_access_tokens: metadata.binds_access_tokens,
            backchannel_logout_uri: metadata.backchannel_logout_uri.clone(),
            backchannel_logout_session_required: metadata.backchannel_logout_session_required,
            frontchannel_logout_uri: metadata.frontchannel_logout_uri.clone(),
            frontchannel_logout_session_required: metadata.frontchannel_logout_session_required,
            application_type: metadata.application_type().name().to_owned(),
            sector_identifier_uri: metadata.sector_identifier_uri.clone(),
            initiate_login_uri: metadata.initiate_login_uri.clone(),
            software_id: metadata.software_id.clone(),
            software_version: metadata.software_version.clone(),
            first_party: rules.is_first_party,
            require_pkce: client.requires_pkce(),
            roles: rules.roles.iter().map(ToString::to_string).collect(),
            resources: rules.resources.clone(),
            permissions: rules.permissions.iter().map(|one| one.as_str().to_owned()).collect(),
            introspect: rules.introspects,
            exchange_clients: rules.exchanges_tokens_of.iter().map(ToString::to_string).collect(),
            requests_per_hour: rules.requests_per_hour,
            secrets: client.secrets.iter().map(SecretView::of).collect(),
            created_at: client.created_at.rfc3339(),
            updated_at: client.updated_at.rfc3339(),
        }
    }
}

/// Who has registered a client.
const fn name_of(registrar: Registrar) -> &'static str {
    match registrar {
        Registrar::Administrator => "administrator",
        Registrar::Configuration => "configuration",
        Registrar::Client => "client",
        Registrar::Document => "document",
    }
}

impl SecretView {
    fn of(secret: &super::model::ClientSecret) -> Self {
        let expires_at = secret.expires_at.map(Timestamp::rfc3339);
        Self { created_at: secret.created_at.rfc3339(), expires_at }
    }
}

impl Example for NewClientBody {
    fn example() -> Self {
        Self { client_id: None, metadata: MetadataBody::example(), rules: RulesBody::default() }
    }
}

impl Example for ClientBody {
    fn example() -> Self {
        Self { is_active: Some(false), metadata: MetadataBody::default(), rules: RulesBody::default() }
    }
}

impl Example for RotateSecretBody {
    fn example() -> Self {
        Self { overlap_seconds: Some(3600) }
    }
}

impl Example for ClientView {
    fn example() -> Self {
        let metadata = MetadataBody::example().over(Metadata::named(""));
        let at = Timestamp::from_secs(1_749_985_743);
        Self::of(&Client {
            id: ClientId::generate(&crate::base::SeededEntropy::new(1)),
            registrar: Registrar::Administrator,
            is_active: true,
            secrets: Vec::new(),
            metadata: metadata.unwrap_or_else(|_| Metadata::named("Photo album")),
            rules: Rules::default(),
            created_at: at,
            updated_at: at,
        })
    }
}

impl Example for MadeClientView {
    fn example() -> Self {
        Self {
            client_secret: Some("aso_4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM".into()),
            client: ClientView::example(),
        }
    }
}

impl Example for ClientList {
    fn example() -> Self {
        Self { items: vec![ClientView::example()], next_cursor: None }
    }
}
