//! How users see what they have let clients have, and take it back.
use super::model::Consent;
use super::table;
use crate::audit::{self, Event};
use crate::base::{Env, Error, Page, PageRequest, Result, Timestamp};
use crate::oauth::client::{self, ClientId};
use crate::oauth::grant::{self, Grant, LiveGrants};
use crate::rbac::{Initiator, SubjectId};
use crate::session::change::name_of;
use crate::session::{self, Session};
use crate::store::{ReadTx, Store, Tx, WriteTx};

/// Of one client, so many of what it has are shown.
const MOST_SHOWN: usize = 50;

/// Consents.
#[derive(Clone)]
pub struct Consents {
    pub store: Store,
    pub env: Env,
    pub grants: LiveGrants,
}

/// A consent, what people know its client by, and what the client has by it now.
pub struct Given {
    pub consent: Consent,
    pub client_name: String,
    /// The newest, the oldest of them first.
    pub grants: Vec<Held>,
    /// How many there are in all.
    pub grants_total: usize,
}

/// What a client has now, and the session that it came of, while that goes on.
pub struct Held {
    pub grant: Grant,
    pub session: Option<Session>,
}

impl Consents {
    /// One page of a user's, by the names of clients. What was given to a client that is gone is worth nothing, and left out.
    ///
    /// # Errors
    /// `Error::Unavailable` when the store does not serve, here and below.
    pub async fn list(&self, user: u64, request: PageRequest) -> Result<Page<Given>> {
        let now = self.env.now();
        let list = move |tx: &ReadTx| {
            let Page { items, next_cursor } = table::of_user(tx, user, &request)?;
            let held = if items.is_empty() { Vec::new() } else { held(tx, user, now)? };
            let items = items.into_iter().filter_map(|consent| given(tx, consent, &held).transpose());
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

/// A consent with the name of its client and what that has of `held`, if it is still there.
fn given(tx: &impl Tx, consent: Consent, held: &[Grant]) -> Result<Option<Given>> {
    let client = client::table::by_id(tx, &consent.client)?.filter(|client| consent.is_of(client));
    let Some(client) = client else { return Ok(None) };
    let grants: Vec<_> = held.iter().filter(|grant| grant.is_of(&client)).collect();
    let (grants_total, newest) = (grants.len(), grants.len().saturating_sub(MOST_SHOWN));
    let with_session = |grant: &Grant| {
        let session = session::table::by_id(tx, grant.proof.session)?;
        Ok(Held { grant: grant.clone(), session })
    };
    let grants = grants[newest..].iter().map(|grant| with_session(grant)).collect::<Result<_>>()?;
    Ok(Some(Given { consent, client_name: client.metadata.name, grants, grants_total }))
}

/// What clients have of a user's `now`: neither what is over nor what has ended with its session.
fn held(tx: &impl Tx, user: u64, now: Timestamp) -> Result<Vec<Grant>> {
    let mut held = Vec::new();
    for id in grant::table::ids_of_user(tx, user)? {
        if let Some(grant) = grant::table::by_id(tx, id)?.filter(|grant| !grant.is_over(now))
            && (grant.is_offline
                || session::table::by_id(tx, grant.proof.session)?.is_some_and(|one| !one.is_over(now)))
        {
            held.push(grant);
        }
    }
    Ok(held)
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
