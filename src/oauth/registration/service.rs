//! What clients do with themselves: each change is the client's own word, bounded by what there is for such clients.
use super::model::{Mode, Policy, Registration, Shown, admitted, generate_token};
use super::table;
use crate::base::{Env, Error, Result, Secret, Timestamp};
use crate::oauth::client::model::{Metadata, Registrar, Rules};
use crate::oauth::client::service::{self, Made, NewClient};
use crate::oauth::client::{self, Client, ClientId, Clients};
use crate::oauth::initial_token::{self, model};
use crate::rbac::Initiator;
use crate::store::{Store, Tx, WriteTx};
use std::sync::Arc;

/// Clients that register themselves.
#[derive(Clone)]
pub struct SelfRegistrations {
    pub store: Store,
    pub env: Env,
    pub clients: Clients,
    pub policy: Arc<Policy>,
}

/// A client as it was registered, with what it manages itself by.
pub struct Registered {
    pub client: Client,
    /// Shown for the only time, if there is a new one.
    pub secret: Option<Secret>,
    pub token: Secret,
}

/// What makes metadata of a body, over what is so where nothing is said.
pub type Ask = Box<dyn FnOnce(Metadata) -> Result<Metadata> + Send>;

impl SelfRegistrations {
    /// Whether a text lets register somebody now.
    ///
    /// # Errors
    /// `Error::InvalidToken` if not; `Error::Unavailable` when the store does not serve, here and below.
    pub fn check_initial(&self, text: &str) -> Result<model::Presented> {
        let shown = model::Presented::parse(text).ok_or(Error::InvalidToken)?;
        let now = self.env.now();
        self.store.get(|tx| initial_token::table::admitting(tx, &shown, now))?;
        Ok(shown)
    }

    /// Registers a client: with an initial access token, or without if anybody may.
    ///
    /// # Errors
    /// `Error::Invalid` naming the field that is wrong; `Error::InvalidToken` for a token that is used up meanwhile, or none
    /// where one is needed; `Error::Busy` when there are as many as there may be.
    pub async fn register(
        &self,
        by: Initiator,
        ask: Ask,
        vouched: Option<model::Presented>,
    ) -> Result<Registered> {
        if vouched.is_none() && self.policy.mode != Mode::Open {
            return Err(Error::InvalidToken);
        }
        let now = self.env.now();
        let id = ClientId::generate(self.env.entropy.as_ref());
        let metadata = admitted(ask(Metadata::named(id.as_str()))?, &self.policy)?;
        let rules = Rules { resources: self.policy.resources.clone(), ..Rules::default() };
        let new = NewClient { id: Some(id), registrar: Registrar::Client, metadata, rules };
        let Made { client, secret } = self.clients.prepare(new).await?;
        let (token, hash) = generate_token(self.env.entropy.as_ref());
        let keep_secs = vouched.is_none().then_some(self.policy.keep_secs);
        let (live, max) = (self.clients.live.clone(), self.policy.max_clients);
        let change = move |tx: &mut WriteTx| {
            if let Some(shown) = &vouched {
                initial_token::table::spend(tx, shown, now)?;
            }
            service::insert(tx, &live, (&by, "oauth_client.registered"), &client)?;
            table::insert(tx, &client.id, &Registration::new(hash, keep_secs, now), max)?;
            Ok(client)
        };
        Ok(Registered { client: self.store.write(change).await?, secret, token })
    }

    /// The client of a name, if `token` is its registration access token.
    ///
    /// # Errors
    /// `Error::InvalidToken` whatever is wrong.
    pub async fn read(&self, id: &str, token: &Secret) -> Result<Client> {
        let id = ClientId::parse(id).map_err(|_| Error::InvalidToken)?;
        let (client, _, shown) = self.store.get(|tx| own(tx, &id, token))?;
        if shown == Shown::Settles {
            let token = token.clone();
            let change = move |tx: &mut WriteTx| {
                let (_, registration, _) = own(tx, &id, &token)?;
                table::update(tx, &id, &registration.settled())
            };
            self.store.write(change).await?;
        }
        Ok(client)
    }

    /// Registers a client anew under its name: all that it does not say is so as if it had never said anything (RFC 7592
    /// section 2.2). What administrators have decided of it stays. Its token is another one from then on.
    ///
    /// # Errors
    /// As [`SelfRegistrations::register`] and [`SelfRegistrations::read`]; `Error::Busy` if it has changed meanwhile.
    pub async fn replace(&self, by: Initiator, old: Client, token: Secret, ask: Ask) -> Result<Registered> {
        let metadata = admitted(ask(Metadata::named(old.id.as_str()))?, &self.policy)?;
        let new = Client { metadata, ..old.clone() };
        let Made { client, secret } = self.clients.prepare_change(&old, new).await?;
        let (next, hash) = generate_token(self.env.entropy.as_ref());
        let live = self.clients.live.clone();
        let change = move |tx: &mut WriteTx| {
            let (_, registration, _) = own(tx, &old.id, &token)?;
            service::update(tx, &live, &by, (&old, &client))?;
            table::update(tx, &old.id, &registration.rotated(hash, token.expose()))?;
            Ok(client)
        };
        Ok(Registered { client: self.store.write(change).await?, secret, token: next })
    }

    /// Removes a client by its own word. What it has is good for nothing from then on.
    ///
    /// # Errors
    /// As [`SelfRegistrations::read`].
    pub async fn delete(&self, by: Initiator, id: &str, token: Secret) -> Result<()> {
        let id = ClientId::parse(id).map_err(|_| Error::InvalidToken)?;
        let (live, now) = (self.clients.live.clone(), self.env.now());
        let change = move |tx: &mut WriteTx| {
            let (client, ..) = own(tx, &id, &token)?;
            service::remove(tx, &live, (&by, "oauth_client.deleted"), &client, now)
        };
        self.store.write(change).await
    }

    /// Removes those that nobody vouches for and nobody uses.
    ///
    /// # Errors
    /// `Error::Unavailable` when the store does not serve.
    pub async fn end_unused(&self) -> Result<()> {
        const AT_ONCE: usize = 100;
        let now = self.env.now();
        loop {
            let due = self.store.scan(move |tx| table::due(tx, now, AT_ONCE)).await?;
            if due.is_empty() {
                return Ok(());
            }
            let live = self.clients.live.clone();
            let change =
                move |tx: &mut WriteTx| due.iter().try_for_each(|id| end_if_unused(tx, &live, id, now));
            self.store.write(change).await?;
        }
    }
}

/// A client that manages itself, and which of its tokens it has shown. One that administrators have switched off does nothing.
fn own(tx: &impl Tx, id: &ClientId, token: &Secret) -> Result<(Client, Registration, Shown)> {
    let registration = table::of_client(tx, id)?.ok_or(Error::InvalidToken)?;
    let shown = registration.shown(token.expose()).ok_or(Error::InvalidToken)?;
    let client =
        client::table::by_id(tx, id)?.filter(|client| client.is_active).ok_or(Error::InvalidToken)?;
    Ok((client, registration, shown))
}

fn end_if_unused(tx: &mut WriteTx, live: &client::LiveClients, id: &ClientId, now: Timestamp) -> Result<()> {
    let Some(registration) = table::of_client(tx, id)? else { return Ok(()) };
    if registration.ends_at().is_none_or(|end| now < end) {
        return table::file_anew(tx, id, registration);
    }
    match client::table::by_id(tx, id)? {
        Some(client) => {
            service::remove(tx, live, (&Initiator::system(), "oauth_client.unused"), &client, now)
        }
        None => table::remove(tx, id),
    }
}
