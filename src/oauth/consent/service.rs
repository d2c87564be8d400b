//! How users see what they have let clients have, and take it back.
use super::model::Consent;
use super::table;
use crate::audit::{self, Event};
use crate::base::{Env, Error, Page, PageRequest, Result};
use crate::oauth::client::{self, ClientId};
use crate::oauth::grant::{self, LiveGrants};
use crate::rbac::{Initiator, SubjectId};
use crate::session::change::name_of;
use crate::store::{ReadTx, Store, Tx, WriteTx};

/// Consents.
#[derive(Clone)]
pub struct Consents {
    pub store: Store,
    pub env: Env,
    pub grants: LiveGrants,
}

/// A consent, and what people know its client by.
pub struct Given {
    pub consent: Consent,
    pub client_name: String,
}

impl Consents {
    /// One page of a user's, by the names of clients. What was given to a client that is gone is worth nothing, and left out.
    ///
    /// # Errors
    /// `Error::Unavailable` when the store does not serve, here and below.
    pub async fn list(&self, user: u64, request: PageRequest) -> Result<Page<Given>> {
        let list = move |tx: &ReadTx| {
            let Page { items, next_cursor } = table::of_user(tx, user, &request)?;
            let items = items.into_iter().filter_map(|consent| given(tx, consent).transpose());
            Ok(Page { items: items.collect::<Result<_>>()?, next_cursor })
        };
        self.store.scan(list).await
    }

    /// Takes back what a user has let a client have: it has nothing of the user's from the moment this returns, and has to ask
    /// again.
    ///
    /// # Errors
    /// `Error::NotFound` when the client has nothing of the user's.
    pub async fn withdraw(&self, by: Initiator, user: u64, client: ClientId) -> Result<()> {
        let (live, now) = (self.grants.clone(), self.env.now());
        let change = move |tx: &mut WriteTx| {
            let consent = table::find(tx, user, &client)?;
            let ended = end_grants(tx, &live, user, &client)?;
            if consent.is_none() && ended == 0 {
                return Err(Error::NotFound("consent"));
            }
            table::remove(tx, user, &client);
            let event = Event::new(&by, "oauth.consent_withdrawn", now);
            let event = event.about(SubjectId::User(user), &name_of(tx, user)?);
            let event = event.with("client", client.as_str()).with("grants_ended", ended.to_string());
            audit::table::append(tx, event)
        };
        self.store.write(change).await
    }
}

/// A consent with the name of its client, if that is still there.
fn given(tx: &impl Tx, consent: Consent) -> Result<Option<Given>> {
    let client = client::table::by_id(tx, &consent.client)?.filter(|client| consent.is_of(client));
    Ok(client.map(|client| Given { consent, client_name: client.metadata.name }))
}

/// Ends all grants of a user for a client.
fn end_grants(tx: &mut WriteTx, live: &LiveGrants, user: u64, client: &ClientId) -> Result<usize> {
    let mut ended = 0;
    for id in grant::table::ids_of_user(tx, user)? {
        if grant::table::by_id(tx, id)?.is_some_and(|grant| grant.client == *client) {
            live.end(tx, id)?;
            ended += 1;
        }
    }
    Ok(ended)
}
