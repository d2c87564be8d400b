//! Reads documents of clients, each no oftener than it has to be, and keeps what they say as a client like any other.
use std::sync::Arc;

use moka::sync::Cache;
use tokio::sync::Mutex;
use url::Url;

use super::model::{fresh_until, read, unsaid, url_of, without_secret};
use crate::base::{Error, Result};
use crate::oauth::client::metadata::MetadataBody;
use crate::oauth::client::model::{Metadata, Registrar, Rules};
use crate::oauth::client::service::{self, Made, NewClient};
use crate::oauth::client::{self, Client, ClientId};
use crate::oauth::registration::SelfRegistrations;
use crate::oauth::registration::model::{Registration, admitted};
use crate::oauth::registration::table;
use crate::rbac::Initiator;
use crate::store::WriteTx;

/// Documents say more than the few kilobytes that they should have.
const MAX_BYTES: usize = 32 * 1024;
/// Clients whose documents are read at a time.
const MAX_AT_ONCE: u64 = 1000;

/// Documents of clients.
#[derive(Clone)]
pub struct ClientDocuments {
    registrations: SelfRegistrations,
    /// The hosts whose documents are read, none for any; without, no document is.
    hosts: Option<Arc<[String]>>,
    /// Of many who ask for the same document at once, one reads it.
    reading: Cache<ClientId, Arc<Mutex<()>>>,
}

impl ClientDocuments {
    #[must_use]
    pub fn new(registrations: SelfRegistrations, hosts: Option<Vec<String>>) -> Self {
        Self { registrations, hosts: hosts.map(Into::into), reading: Cache::new(MAX_AT_ONCE) }
    }

    #[must_use]
    pub const fn are_read(&self) -> bool {
        self.hosts.is_some()
    }

    /// Where the document of a client is, if it has one that has to be read now. What others have registered under such a name
    /// stays what they say.
    ///
    /// # Errors
    /// `Error::Unavailable` when the store does not serve, here and below.
    pub fn due(&self, id: &str) -> Result<Option<(ClientId, Url)>> {
        let Some(hosts) = &self.hosts else { return Ok(None) };
        let Ok(id) = ClientId::parse(id) else { return Ok(None) };
        let Some(url) = url_of(&id, hosts) else { return Ok(None) };
        let now = self.registrations.env.now();
        let is_due = self.registrations.store.get(|tx| {
            let Some(client) = client::table::by_id(tx, &id)? else { return Ok(true) };
            let fresh = table::of_client(tx, &id)?.and_then(|registration| registration.fresh_until);
            Ok(client.is_active
                && client.registrar == Registrar::Document
                && fresh.is_none_or(|end| now >= end))
        })?;
        Ok(is_due.then_some((id, url)))
    }

    /// Reads the document of a client. One that is gone takes its client along.
    ///
    /// # Errors
    /// `Error::Invalid` naming what is wrong with the document, fit for whoever is at the browser.
    pub async fn fetch(&self, by: Initiator, id: ClientId) -> Result<()> {
        let lock = self.reading.get_with(id.clone(), Arc::default);
        let _alone = lock.lock().await;
        // Somebody else may have read it meanwhile.
        let Some((id, url)) = self.due(id.as_str())? else { return Ok(()) };
        let answer = self.registrations.clients.outbound.get(url.as_str(), MAX_BYTES).await;
        let answer = answer.map_err(|why| Error::invalid("document", format!("cannot be read: {why}")))?;
        let header = |name: &str| answer.headers().get(name).and_then(|value| value.to_str().ok());
        match answer.status().as_u16() {
            200 => {}
            404 | 410 => {
                self.end(by, id).await?;
                return Err(Error::invalid("document", "is not there any more"));
            }
            _ => return Err(Error::invalid("document", "was answered with another status than 200")),
        }
        let kind = header("content-type").unwrap_or_default().split(';').next().unwrap_or_default();
        let kind = kind.trim().to_ascii_lowercase();
        if kind != "application/json" && !(kind.starts_with("application/") && kind.ends_with("+json")) {
            return Err(Error::invalid("document", "is no JSON by its content type"));
        }
        let metadata = self.metadata_of(&id, answer.body())?;
        let until = fresh_until(header("cache-control").unwrap_or_default(), self.registrations.env.now());
        self.keep(by, id, metadata, until).await
    }

    fn metadata_of(&self, id: &ClientId, bytes: &[u8]) -> Result<Metadata> {
        let document = read(id, bytes)?;
        let body = MetadataBody::of_document(document)?;
        let metadata = without_secret(body.over(unsaid(id))?)?;
        admitted(metadata, &self.registrations.policy)
    }

    /// Writes what a document says.
    async fn keep(
        &self,
        by: Initiator,
        id: ClientId,
        metadata: Metadata,
        until: crate::base::Timestamp,
    ) -> Result<()> {
        let SelfRegistrations { store, env, clients, policy } = &self.registrations;
        let known = store.get(|tx| client::table::by_id(tx, &id))?;
        let (now, live) = (env.now(), clients.live.clone());
        let (keep_secs, max) = (policy.keep_secs, policy.max_clients);
        let Some(old) = known else {
            let rules = Rules { resources: policy.resources.clone(), ..Rules::default() };
            let new = NewClient { id: Some(id), registrar: Registrar::Document, metadata, rules };
            let Made { client, .. } = clients.prepare(new).await?;
            let change = move |tx: &mut WriteTx| {
                service::insert(tx, &live, (&by, "oauth_client.document_read"), &client)?;
                table::insert(tx, &client.id, &Registration::of_document(until, keep_secs, now), max)
            };
            return store.write(change).await;
        };
        let new = Client { metadata, ..old.clone() };
        let Made { client, .. } = clients.prepare_change(&old, new).await?;
        let change = move |tx: &mut WriteTx| {
            if client.metadata != old.metadata {
                service::update(tx, &live, &by, (&old, &client))?;
            }
            match table::of_client(tx, &old.id)? {
                Some(known) => {
                    table::update(tx, &old.id, &Registration { fresh_until: Some(until), ..known })
                }
                None => Err(Error::Busy { retry_after_secs: 1 }),
            }
        };
        store.write(change).await
    }

    /// Removes a client whose document is gone. What it has is good for nothing from then on.
    async fn end(&self, by: Initiator, id: ClientId) -> Result<()> {
        let SelfRegistrations { store, env, clients, .. } = &self.registrations;
        let (now, live) = (env.now(), clients.live.clone());
        let change = move |tx: &mut WriteTx| match client::table::by_id(tx, &id)? {
            Some(client) if client.registrar == Registrar::Document => {
                service::remove(tx, &live, (&by, "oauth_client.document_gone"), &client, now)
            }
            _ => Ok(()),
        };
        store.write(change).await
    }
}
