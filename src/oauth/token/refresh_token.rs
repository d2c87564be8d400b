//! A refresh token for the next tokens (RFC 6749 section 6). It rotates at every use; the same old one presented again a
//! moment later gets the identical answer, and later ends the grant (RFC 9700 section 4.14.2).
use std::sync::Arc;

use super::service::{TokenAnswer, TokenEndpoint, TokenRequest, aimed, narrowed, required};
use crate::base::{Error, Id, Result, Timestamp};
use crate::crypto::RefreshToken;
use crate::crypto::refresh_token::Holder;
use crate::http::ProtocolFailure;
use crate::oauth::client::Client;
use crate::oauth::error::invalid_grant;
use crate::oauth::grant::change::{self, Refreshed};
use crate::oauth::grant::model::{Consented, Grant};
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
        let text = required(request.refresh_token.as_ref(), "refresh_token")?;
        let presented = self.minter.parse_refresh_token(text).map_err(|_| worthless())?;
        let (id, now) = (Id::from_bytes(presented.session()), self.env.now());
        let grant = self.store.get(|tx| change::current(tx, id, &client, now))?.ok_or_else(worthless)?;
        let scopes = narrowed(request.scope.as_deref(), &grant.consented.scopes)?;
        let resources = aimed(request.resources, &grant.consented.resources)?;

        let next = self.minter.refresh_token(id, presented.generation().saturating_add(1));
        let renewed = self.renewed(&grant, &next, now);
        let access_token = self.minter.access_token(&client, &grant, &scopes, &resources)?;
        // What was said at the login is not said again (OpenID Connect Core section 12.2).
        let consented = Consented { scopes: scopes.clone(), ..grant.consented.clone() };
        let about = Grant { nonce: None, consented, ..grant };
        let live = self.grants.find(id, &client, now)?.ok_or_else(worthless)?;
        let answer = TokenAnswer {
            id_token: self.id_token(&client, &about, &live, &access_token)?,
            access_token: access_token.expose().to_owned(),
            token_type: "Bearer".to_owned(),
            expires_in: self.minter.lifetimes.access,
            refresh_token: Some(next.reveal(Holder::Client).expose().to_owned()),
            scope: Some(scopes.to_string()),
        };
        let exchange = self.exchange(&presented, id, &answer, now)?;
        let (live, window) = (self.grants.clone(), self.minter.lifetimes.replay);
        let shown = (presented.generation(), presented.hash());
        let change = move |tx: &mut WriteTx| {
            change::refresh(tx, &live, shown, (renewed, Some(exchange)), (&client, &by), (now, window))
        };
        match self.store.write(change).await? {
            Refreshed::Done => Ok(answer),
            Refreshed::Again { sealed } => Ok(answer_again(&presented, id, &sealed)?),
            Refreshed::Stolen | Refreshed::Worthless => Err(worthless()),
        }
    }

    fn renewed(&self, grant: &Grant, next: &RefreshToken, now: Timestamp) -> Grant {
        let lifetimes = &self.minter.lifetimes;
        let latest = grant.created_at.plus_secs(lifetimes.grant);
        Grant {
            refreshed_at: now,
            expires_at: now.plus_secs(lifetimes.refresh).min(latest),
            refresh: Some((next.generation(), next.hash())),
            ..grant.clone()
        }
    }

    fn exchange(
        &self,
        presented: &RefreshToken,
        id: Id<Grant>,
        answer: &TokenAnswer,
        now: Timestamp,
    ) -> Result<Exchange> {
        let plain = zeroize::Zeroizing::new(serde_json::to_vec(answer).map_err(Error::internal)?);
        let sealed = presented.sealer()?.seal(self.env.entropy.as_ref(), id.as_bytes(), &plain)?;
        Ok(Exchange {
            generation: presented.generation(),
            hash: presented.hash(),
            at: now,
            sealed,
            before: None,
        })
    }
}

fn answer_again(presented: &RefreshToken, id: Id<Grant>, sealed: &[u8]) -> Result<TokenAnswer> {
    let opened = presented.sealer()?.open(id.as_bytes(), sealed);
    let opened = opened.ok_or_else(|| Error::internal("a sealed answer does not open"))?;
    serde_json::from_slice(&opened).map_err(Error::internal)
}

/// One answer for whatever is wrong with a refresh token: it tells nobody whose it was.
fn worthless() -> ProtocolFailure {
    invalid_grant("the refresh token is not one of this client's, was used already, or is over")
}
