//! `POST /oauth2/introspect`.
use crate::account::User;
use crate::oauth::scope::Scopes;
use std::sync::Arc;

use poem::Request;
use poem_openapi::types::Example;
use poem_openapi::{Object, OpenApi};
use serde::Serialize;

use crate::base::{Env, Error, Id, Result};
use crate::http::limit::RateLimiter;
use crate::http::{Form, Json, ProtocolFailure};
use crate::oauth::client::authentication::ClaimedBody;
use crate::oauth::client::{Client, ClientId, LiveClients};
use crate::oauth::entrance;
use crate::oauth::error::unauthorized_client;
use crate::oauth::grant::live::Resolved;
use crate::oauth::grant::tokens::{AccessClaims, Acting};
use crate::oauth::grant::{LiveGrants, Minter};

/// What tokens are worth.
pub struct IntrospectionApi {
    pub env: Env,
    pub clients: LiveClients,
    pub grants: LiveGrants,
    pub minter: Minter,
    pub limiter: Arc<RateLimiter>,
}

#[derive(Object)]
#[oai(example)]
struct IntrospectionBody {
    token: String,
    /// `access_token` or `refresh_token`; it is found out without.
    token_type_hint: Option<String>,
    #[oai(flatten)]
    client: ClaimedBody,
}

/// RFC 7662 section 2.2. Of a token that is good for nothing, `active` alone.
#[derive(Object, Serialize, Default)]
#[oai(example)]
struct IntrospectionView {
    active: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    scope: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    client_id: Option<String>,
    /// The user name, where a user stands behind it: with the scope `profile`, or for a client that may know of all tokens.
    #[serde(skip_serializing_if = "Option::is_none")]
    username: Option<String>,
    /// `Bearer`, or `DPoP` for one that is bound to a key.
    #[serde(skip_serializing_if = "Option::is_none")]
    token_type: Option<String>,
    /// Seconds since the epoch, as is `iat`.
    #[serde(skip_serializing_if = "Option::is_none")]
    exp: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    iat: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sub: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    aud: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    iss: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    jti: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    auth_time: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    acr: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    amr: Option<Vec<String>>,
    /// What the client may do by itself, or in its user's name.
    #[serde(skip_serializing_if = "Option::is_none")]
    permissions: Option<Vec<String>>,
    /// The key that it is bound to (RFC 9449 section 6.2).
    #[serde(skip_serializing_if = "Option::is_none")]
    cnf: Option<ConfirmationView>,
    /// Who acts in the user's name, if somebody else does (RFC 8693 section 4.1).
    #[serde(skip_serializing_if = "Option::is_none")]
    act: Option<ActingView>,
}

/// Who acts, and for whom that one has acted.
#[derive(Object, Serialize)]
struct ActingView {
    sub: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    act: Option<Box<Self>>,
}

/// RFC 7800.
#[derive(Object, Serialize)]
struct ConfirmationView {
    /// The thumbprint of a key (RFC 7638).
    jkt: String,
}

#[OpenApi]
impl IntrospectionApi {
    /// What is this token worth now? (RFC 7662)
    ///
    /// A client learns of its own tokens; of those of others, one that an administrator has let (`introspect`).
    #[oai(path = "/oauth2/introspect", method = "post", operation_id = "oauth_introspect")]
    async fn introspect(
        &self,
        request: &Request,
        body: Form<IntrospectionBody>,
    ) -> Result<Json<IntrospectionView>, ProtocolFailure> {
        let IntrospectionBody { token, client, .. } = body.0;
        let now = self.env.now();
        let client = entrance::admit(&self.clients, &self.limiter, request, client.into(), now).await?;
        if !client.is_confidential() {
            return Err(unauthorized_client("only a client that has a secret or a key learns of tokens"));
        }
        Ok(Json(self.view_of(&client, &token)?))
    }
}

impl IntrospectionApi {
    /// What is wrong with a token is said to nobody.
    fn view_of(&self, asks: &Client, text: &str) -> Result<IntrospectionView> {
        let now = self.env.now();
        let may_know = |owner: &ClientId| *owner == asks.id || asks.rules.introspects;
        match self.grants.resolve(text, now) {
            Ok(Resolved { token, client, grant }) if may_know(&client.id) => {
                let mut view = IntrospectionView::of(&token.claims, None);
                if let Some(live) = grant {
                    // What the user may do now, and not when the token was made.
                    let scopes = token.claims.scope.split(' ');
                    let permissions = self.minter.custom.permissions(live.user.id, scopes)?;
                    view.permissions = Some(permissions).filter(|list| !list.is_empty());
                    let scopes = Scopes::parse("scope", &token.claims.scope).unwrap_or_default();
                    view.username = shown_name(asks, &scopes, &live.user);
                }
                Ok(view)
            }
            Ok(_) | Err(Error::TokenExpired | Error::TokenRevoked) => Ok(IntrospectionView::default()),
            Err(Error::InvalidToken) => self.view_of_refresh_token(asks, text),
            Err(error) => Err(error),
        }
    }

    /// A refresh token is its client's alone to know of.
    fn view_of_refresh_token(&self, asks: &Client, text: &str) -> Result<IntrospectionView> {
        let Ok(presented) = self.minter.parse_refresh_token(text) else {
            return Ok(IntrospectionView::default());
        };
        let id = Id::from_bytes(presented.session());
        let live = self.grants.find(id, asks, self.env.now())?;
        let shown = (presented.generation(), presented.hash());
        let Some(live) = live.filter(|live| live.grant.refresh == Some(shown)) else {
            return Ok(IntrospectionView::default());
        };
        Ok(IntrospectionView {
            active: true,
            scope: Some(live.grant.consented.scopes.to_string()),
            client_id: Some(asks.id.to_string()),
            username: shown_name(asks, &live.grant.consented.scopes, &live.user),
            exp: Some(live.grant.expires_at.secs()),
            iat: Some(live.grant.refreshed_at.secs()),
            sub: Some(self.minter.subject(asks, live.grant.user)),
            iss: Some(self.minter.issuer().to_owned()),
            cnf: live.grant.bound_to.map(|key| ConfirmationView { jkt: key.to_string() }),
            ..IntrospectionView::default()
        })
    }
}

/// The name of a user, for those who may know it: pairwise subjects would be in vain otherwise.
fn shown_name(asks: &Client, scopes: &Scopes, user: &User) -> Option<String> {
    (asks.rules.introspects || scopes.has("profile")).then(|| user.username.to_string())
}

impl IntrospectionView {
    fn of(claims: &AccessClaims, username: Option<String>) -> Self {
        let some = |list: &Vec<String>| (!list.is_empty()).then(|| list.clone());
        Self {
            active: true,
            scope: (!claims.scope.is_empty()).then(|| claims.scope.clone()),
            client_id: Some(claims.client_id.clone()),
            username,
            token_type: Some(if claims.cnf.is_some() { "DPoP" } else { "Bearer" }.to_owned()),
            exp: Some(claims.exp),
            iat: Some(claims.iat),
            sub: Some(claims.sub.clone()),
            aud: Some(claims.aud.names().to_vec()),
            iss: Some(claims.iss.clone()),
            jti: Some(claims.jti.clone()),
            auth_time: claims.auth_time,
            acr: claims.acr.clone(),
            amr: some(&claims.amr),
            permissions: some(&claims.permissions),
            cnf: claims.cnf.as_ref().map(|bound| ConfirmationView { jkt: bound.jkt.clone() }),
            act: claims.act.as_ref().map(ActingView::of),
        }
    }
}

impl ActingView {
    fn of(acting: &Acting) -> Self {
        Self { sub: acting.sub.clone(), act: acting.act.as_deref().map(|before| Box::new(Self::of(before))) }
    }
}

impl Example for IntrospectionBody {
    fn example() -> Self {
        Self {
            token: "eyJ0eXAiOiJhdCtqd3QiLCJhbGciOiJFUzI1NiJ9.…".into(),
            token_type_hint: None,
            client: ClaimedBody::default(),
        }
    }
}

impl Example for IntrospectionView {
    fn example() -> Self {
        Self {
            active: true,
            scope: Some("openid profile".into()),
            client_id: Some("client_0197731f8b2d4c6e9a0b1c2d3e4f5061".into()),
            username: Some("testuser".into()),
            token_type: Some("Bearer".into()),
            exp: Some(1_749_986_643),
            iat: Some(1_749_985_743),
            sub: Some("2".into()),
            aud: Some(vec!["https://id.example.org".into()]),
            iss: Some("https://id.example.org".into()),
            ..Self::default()
        }
    }
}
