//! A client that acts for itself (RFC 6749 section 4.4).
use super::service::{TokenAnswer, TokenEndpoint, TokenRequest, aimed, narrowed};
use crate::http::ProtocolFailure;
use crate::oauth::client::Client;
use crate::oauth::grant::tokens::Terms;
use crate::oauth::scope::{STANDARD, Scopes};

impl TokenEndpoint {
    /// A token for the client itself. No user stands behind it: scopes that are about one are left out.
    pub(super) fn client_credentials(
        &self,
        client: &Client,
        request: &TokenRequest,
    ) -> Result<TokenAnswer, ProtocolFailure> {
        let own: Vec<_> = client.metadata.scopes.iter().filter(|name| !is_about_users(name)).collect();
        let scopes = narrowed(request.scope.as_deref(), &Scopes::parse("scope", &own.join(" "))?)?;
        let resources = match request.resources.as_slice() {
            [] => Vec::new(),
            asked => aimed(asked.to_vec(), &client.rules.resources)?,
        };
        let terms = Terms { scopes: &scopes, resources: &resources, key: request.key };
        let access_token = self.minter.client_token(client, terms)?;
        Ok(TokenAnswer {
            access_token: access_token.expose().to_owned(),
            token_type: terms.token_type().to_owned(),
            expires_in: self.minter.lifetimes.access,
            // Without one to refresh it by: the client can ask again (section 4.4.3).
            refresh_token: None,
            scope: (!scopes.is_empty()).then(|| scopes.to_string()),
            id_token: None,
            issued_token_type: None,
        })
    }
}

fn is_about_users(scope: &str) -> bool {
    STANDARD.iter().any(|(name, _)| *name == scope)
}
