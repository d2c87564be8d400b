//! A refresh token for the next tokens (RFC 6749 section 6). It rotates at every use; the same old one presented again a
//! moment later gets the identical answer, and later ends the grant (RFC 9700 section 4.14.2).
//!
//! One that is good for nobody but whoever holds a key, or can prove otherwise who it is, does not rotate when it comes with
//! a proof (FAPI 2.0 section 5.3.2.1): a copy is worth nothing, and a lost answer costs nobody the grant.
use std::sync::Arc;

use super::authorization_code::check_key;
use super::service::{TokenAnswer, TokenEndpoint, TokenRequest, aimed, narrowed, required};
use crate::base::{Error, Id, Result, Secret, Timestamp};
use crate::crypto::refresh_token::Holder;
use crate::crypto::{RefreshToken, Thumbprint};
use crate::http::ProtocolFailure;
use crate::oauth::client::Client;
use crate::oauth::error::{invalid_grant, invalid_target};
use crate::oauth::grant::change::{self, Refreshed, Renewal};
use crate::oauth::grant::live::LiveGrant;
use crate::oauth::grant::model::{Consented, Grant};
use crate::oauth::grant::tokens::Terms;
use crate::oauth::scope::Scopes;
use crate::rbac::Initiator;
use crate::session::model::Exchange;
use crate::store::WriteTx;

impl TokenEndpoint {
    pub(super) async fn refresh(
        &self,
        by: Initiator,
        client: Arc<Client>,
        request: TokenRequest,
    ) -> Result<TokenAnswer, ProtocolFailure> {
        let (text, key) = (required(request.refresh_token.as_ref(), "refresh_token")?, request.key);
        let presented = self.minter.parse_refresh_token(text).map_err(|_| worthless())?;
        let (id, now) = (Id::from_bytes(presented.session()), self.env.now());
        let live = self.grants.find(id, &client, now)?.ok_or_else(worthless)?;
        let grant = &live.grant;
        let wanted = wanted(&client, grant, (request.scope.as_deref(), request.resources), key);
        let (scopes, resources) = match wanted {
            Ok(wanted) => wanted,
            // One that was given up long ago ends the grant, whatever else is wrong with the request.
            Err(refused) => {
                return Err(self.end_if_stolen((by, &client), grant, &presented, refused).await?);
            }
        };

        let rotates = key.is_none() || grant.bound_to.is_none() && !client.is_confidential();
        let next = rotates.then(|| self.minter.refresh_token(id, presented.generation().saturating_add(1)));
        let shown = next.as_ref().unwrap_or(&presented).reveal(Holder::Client);
        let terms = Terms { scopes: &scopes, resources: &resources, key };
        let answer = self.refreshed(&client, &live, terms, shown)?;
        let renewal = self.renewal(&client, grant, (&presented, next.as_ref()), (&answer, key), now)?;
        let (live, window) = (self.grants.clone(), self.minter.lifetimes.replay);
        let shown = (presented.generation(), presented.hash());
        let change =
            move |tx: &mut WriteTx| change::refresh(tx, &live, shown, renewal, (&client, &by), (now, window));
        match self.store.write(change).await? {
            Refreshed::Done => Ok(answer),
            Refreshed::Again { sealed } => answer_again(&presented, (id, key), &sealed),
            Refreshed::Stolen | Refreshed::Worthless => Err(worthless()),
        }
    }

    /// What a request is refused with: that its token is worthless if it was an old one, which has ended its grant.
    async fn end_if_stolen(
        &self,
        (by, client): (Initiator, &Arc<Client>),
        grant: &Grant,
        presented: &RefreshToken,
        refused: ProtocolFailure,
    ) -> Result<ProtocolFailure> {
        let (id, shown) = (grant.id, (presented.generation(), presented.hash()));
        if grant.refresh.is_none_or(|(current, _)| shown.0 >= current) {
            return Ok(refused);
        }
        let (live, client) = (self.grants.clone(), Arc::clone(client));
        let (now, window) = (self.env.now(), self.minter.lifetimes.replay);
        let change = move |tx: &mut WriteTx| {
            change::end_if_stolen(tx, &live, (id, shown), (&client, &by), (now, window))
        };
        Ok(if self.store.write(change).await? { worthless() } else { refused })
    }

    fn refreshed(
        &self,
        client: &Client,
        live: &LiveGrant,
        terms: Terms<'_>,
        refresh_token: Secret,
    ) -> Result<TokenAnswer, ProtocolFailure> {
        let grant = &live.grant;
        let access_token = self.minter.access_token(client, grant, terms)?;
        // What was said at the login is not said again (OpenID Connect Core section 12.2).
        let consented = Consented { scopes: terms.scopes.clone(), ..grant.consented.clone() };
        let about = Grant { nonce: None, consented, ..grant.clone() };
        Ok(TokenAnswer {
            id_token: self.id_token(client, &about, live, &access_token)?,
            access_token: access_token.expose().to_owned(),
            token_type: terms.token_type().to_owned(),
            expires_in: self.minter.lifetimes.access,
            refresh_token: Some(refresh_token.expose().to_owned()),
            scope: Some(terms.scopes.to_string()),
            issued_token_type: None,
        })
    }

    /// What becomes of a grant: whoever cannot prove otherwise who it is, and proves to hold a key, has to hold it from then
    /// on.
    fn renewal(
        &self,
        client: &Client,
        grant: &Grant,
        (presented, next): (&RefreshToken, Option<&RefreshToken>),
        (answer, key): (&TokenAnswer, Option<Thumbprint>),
        now: Timestamp,
    ) -> Result<Renewal> {
        let lifetimes = &self.minter.lifetimes;
        let latest = grant.created_at.plus_secs(lifetimes.grant);
        let sealed = next.map(|_| self.exchange(presented, (grant.id, key), answer, now)).transpose()?;
        let token = next.unwrap_or(presented);
        Ok(Renewal {
            grant: grant.id,
            expires_at: now.plus_secs(lifetimes.refresh).min(latest),
            bound_to: grant.bound_to.or(key.filter(|_| !client.is_confidential())),
            refresh: (token.generation(), token.hash()),
            exchange: sealed,
        })
    }

    fn exchange(
        &self,
        presented: &RefreshToken,
        bound: (Id<Grant>, Option<Thumbprint>),
        answer: &TokenAnswer,
        now: Timestamp,
    ) -> Result<Exchange> {
        let plain = zeroize::Zeroizing::new(serde_json::to_vec(answer).map_err(Error::internal)?);
        let sealed = presented.sealer()?.seal(self.env.entropy.as_ref(), &context(bound), &plain)?;
        Ok(Exchange {
            generation: presented.generation(),
            hash: presented.hash(),
            at: now,
            sealed,
            before: None,
        })
    }
}

/// What is asked for, of what was granted and the client may still have (RFC 6749 section 6).
fn wanted(
    client: &Client,
    grant: &Grant,
    (scope, resources): (Option<&str>, Vec<String>),
    key: Option<Thumbprint>,
) -> Result<(Scopes, Vec<String>), ProtocolFailure> {
    check_key(grant.bound_to, key)?;
    let granted = grant.consented.scopes.within(&client.registered_scopes());
    if granted.is_empty() && !grant.consented.scopes.is_empty() {
        return Err(invalid_grant("the client may have nothing any more of what was granted"));
    }
    let is_held = |uri: &&String| client.rules.resources.contains(uri);
    let held: Vec<_> = grant.consented.resources.iter().filter(is_held).cloned().collect();
    if held.is_empty() && !grant.consented.resources.is_empty() {
        return Err(invalid_target("the client may ask no tokens for what was granted any more"));
    }
    Ok((narrowed(scope, &granted)?, aimed(resources, &held)?))
}

/// What an answer is for: its grant, and the key that its tokens are bound to.
fn context((id, key): (Id<Grant>, Option<Thumbprint>)) -> Vec<u8> {
    [&id.as_bytes()[..], key.as_ref().map_or(&[][..], |key| &key.0)].concat()
}

/// The same answer once more, for whoever proves to hold the same key.
fn answer_again(
    presented: &RefreshToken,
    bound: (Id<Grant>, Option<Thumbprint>),
    sealed: &[u8],
) -> Result<TokenAnswer, ProtocolFailure> {
    let opened = presented.sealer()?.open(&context(bound), sealed).ok_or_else(worthless)?;
    Ok(serde_json::from_slice(&opened).map_err(Error::internal)?)
}

/// One answer for whatever is wrong with a refresh token: it tells nobody whose it was.
fn worthless() -> ProtocolFailure {
    invalid_grant("the refresh token is not one of this client's, was used already, or is over")
}
