//! What administrators do with initial access tokens.
use super::model::{InitialToken, NewInitialToken};
use super::table;
use crate::audit::{self, Event};
use crate::base::{Env, Error, Id, Page, PageRequest, Result, Secret};
use crate::rbac::Initiator;
use crate::store::{Store, WriteTx};

/// Initial access tokens.
#[derive(Clone)]
pub struct InitialTokens {
    pub store: Store,
    pub env: Env,
}

impl InitialTokens {
    /// Makes a token. Its text is shown for the only time.
    ///
    /// # Errors
    /// `Error::Unavailable` when the store does not serve, here and below.
    pub async fn create(&self, by: Initiator, new: NewInitialToken) -> Result<(InitialToken, Secret)> {
        let now = self.env.now();
        let (token, text) = InitialToken::generate(new, now, self.env.entropy.as_ref());
        let change = move |tx: &mut WriteTx| {
            table::insert(tx, &token)?;
            let event = Event::new(&by, "oauth_registration_token.created", now);
            let event = event.with("token", token.id.to_string()).with("name", &token.name);
            let event = event.with("max_uses", token.max_uses.to_string());
            audit::table::append(tx, event.with("expires_at", token.expires_at.rfc3339()))?;
            Ok(token)
        };
        Ok((self.store.write(change).await?, text))
    }

    /// One page of all, the oldest first.
    ///
    /// # Errors
    /// As [`InitialTokens::create`].
    pub async fn list(&self, request: PageRequest) -> Result<Page<InitialToken>> {
        self.store.scan(move |tx| table::page(tx, &request)).await
    }

    /// Removes a token: nobody registers with it from then on. What was registered with it stays.
    ///
    /// # Errors
    /// `Error::NotFound`.
    pub async fn delete(&self, by: Initiator, id: Id<InitialToken>) -> Result<()> {
        let now = self.env.now();
        let change = move |tx: &mut WriteTx| {
            let token = table::by_id(tx, id)?.ok_or(Error::NotFound("registration token"))?;
            table::remove(tx, &token);
            let event = Event::new(&by, "oauth_registration_token.deleted", now);
            audit::table::append(tx, event.with("token", id.to_string()).with("name", &token.name))
        };
        self.store.write(change).await
    }
}
