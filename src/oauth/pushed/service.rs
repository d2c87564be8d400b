//! What is written and looked up of requests that are kept.
use super::model::{self, Pushed, key_of};
use super::table;
use crate::base::{Env, Result};
use crate::oauth::authorize::parameters::{Origin, Parameters};
use crate::oauth::client::Client;
use crate::store::{Store, WriteTx};

/// Requests that are kept.
#[derive(Clone)]
pub struct PushedRequests {
    pub store: Store,
    pub env: Env,
    /// Seconds in which a browser has to come with one.
    pub lifetime: i64,
    /// Whether every client has to push.
    pub required: bool,
}

impl PushedRequests {
    /// Keeps a request that was checked.
    ///
    /// # Errors
    /// `Error::Unavailable` when the store does not serve, here and below.
    ///
    /// # Returns
    /// The reference.
    pub async fn keep(&self, client: &Client, parameters: &Parameters) -> Result<String> {
        let uri = model::generate(self.env.entropy.as_ref());
        let key = key_of(&uri);
        let pushed = Pushed {
            client: client.id.clone(),
            query: parameters.to_query(&[]),
            is_pushed: parameters.origin.is_pushed,
            is_signed: parameters.origin.is_signed,
            is_open: false,
            expires_at: self.env.now().plus_secs(self.lifetime),
        };
        // Any other has come with a browser.
        let pushed = if pushed.is_pushed { pushed } else { pushed.opened(self.env.now()) };
        self.store.write(move |tx: &mut WriteTx| table::insert(tx, &key, &pushed)).await?;
        Ok(uri)
    }

    /// The request that a browser has come with; it has time from now on.
    ///
    /// # Errors
    /// As [`PushedRequests::keep`].
    pub async fn open(&self, outer: &Parameters) -> Result<Option<Parameters>> {
        let Some((uri, pushed)) = self.find(outer)? else { return Ok(None) };
        if !pushed.is_open {
            let (key, now) = (key_of(&uri), self.env.now());
            let change = move |tx: &mut WriteTx| match table::find(tx, &key)? {
                Some(found) if found.is_good(now) && !found.is_open => {
                    table::update(tx, &key, &found.opened(now))
                }
                _ => Ok(()),
            };
            self.store.write(change).await?;
        }
        Ok(Some(restored(uri, &pushed)))
    }

    /// The request of a page, with which a browser has come before.
    ///
    /// # Errors
    /// As [`PushedRequests::keep`].
    pub fn opened(&self, outer: &Parameters) -> Result<Option<Parameters>> {
        let found = self.find(outer)?.filter(|(_, pushed)| pushed.is_open);
        Ok(found.map(|(uri, pushed)| restored(uri, &pushed)))
    }

    /// Gives a request up: it was answered.
    ///
    /// # Errors
    /// As [`PushedRequests::keep`].
    pub async fn spend(&self, uri: &str) -> Result<()> {
        let key = key_of(uri);
        self.store.write(move |tx: &mut WriteTx| table::spend(tx, &key).map(drop)).await
    }

    /// Of the client that is named beside it, and of no other (RFC 9126 section 2.2).
    fn find(&self, outer: &Parameters) -> Result<Option<(String, Pushed)>> {
        let uri = outer.get("request_uri").filter(|uri| model::is_ours(uri) && outer.repeated.is_none());
        let Some(uri) = uri else { return Ok(None) };
        let found = self.store.get(|tx| table::find(tx, &key_of(uri)))?;
        let is_its_own = |pushed: &Pushed| outer.get("client_id") == Some(pushed.client.as_str());
        let found = found.filter(|pushed| pushed.is_good(self.env.now()) && is_its_own(pushed));
        Ok(found.map(|pushed| (uri.to_owned(), pushed)))
    }
}

fn restored(uri: String, pushed: &Pushed) -> Parameters {
    let mut parameters = Parameters::parse(pushed.query.as_bytes());
    let (is_pushed, is_signed) = (pushed.is_pushed, pushed.is_signed);
    parameters.origin = Origin { kept_as: Some(uri), is_pushed, is_signed, broken: None };
    parameters
}
