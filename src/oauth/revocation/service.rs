//! What becomes of a token that its client gives back.
use crate::base::{Env, Id, Result};
use crate::oauth::client::{Client, LiveClients};
use crate::oauth::grant::{Grant, LiveGrants, Minter, change, table};
use crate::rbac::Initiator;
use crate::store::{Store, WriteTx};

/// What clients give back.
#[derive(Clone)]
pub struct Revocations {
    pub store: Store,
    pub env: Env,
    pub clients: LiveClients,
    pub grants: LiveGrants,
    pub minter: Minter,
}

impl Revocations {
    /// Makes a token good for nothing: a refresh token with all that came of it, an access token alone. What is no token of
    /// ours, or no longer one, is good for nothing already.
    ///
    /// # Errors
    /// `Error::Unavailable` when the store does not serve.
    ///
    /// # Returns
    /// Whether it was the client's to give back.
    pub async fn revoke(&self, by: Initiator, client: &Client, token: &str) -> Result<bool> {
        match self.minter.parse_refresh_token(token) {
            Ok(presented) => self.revoke_grant(by, client, Id::from_bytes(presented.session())).await,
            Err(_) => self.revoke_access_token(client, token).await,
        }
    }

    /// A refresh token that was given up long ago is as good as the last one for this: whoever holds it wants an end.
    async fn revoke_grant(&self, by: Initiator, client: &Client, id: Id<Grant>) -> Result<bool> {
        let Some(grant) = self.store.get(|tx| table::by_id(tx, id))? else { return Ok(true) };
        if !grant.is_of(client) {
            return Ok(false);
        }
        let (live, now) = (self.grants.clone(), self.env.now());
        self.store.write(move |tx: &mut WriteTx| change::revoke(tx, &live, id, (&by, now))).await?;
        Ok(true)
    }

    async fn revoke_access_token(&self, client: &Client, text: &str) -> Result<bool> {
        let Ok(token) = self.grants.verified(text) else { return Ok(true) };
        if token.client != client.id {
            return Ok(false);
        }
        let live = self.grants.clone();
        let change = move |tx: &mut WriteTx| {
            table::revoke_token(tx, &token.id.0, token.claims.exp)?;
            live.forget_token(tx, &token.id);
            Ok(())
        };
        self.store.write(change).await?;
        Ok(true)
    }
}
