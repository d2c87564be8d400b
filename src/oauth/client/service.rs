//! What can be done with clients. Nobody gives a client what they do not hold.
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use zeroize::Zeroizing;

use super::live::LiveClients;
use super::model::{Client, ClientId, ClientSecret, Metadata, Registrar, Rules};
use super::table;
use crate::audit::{self, Event};
use crate::base::{Env, Error, Page, PageRequest, Result, Secret, Timestamp, entropy};
use crate::crypto::sha256;
use crate::keys::Keys;
use crate::rbac::book::Grants;
use crate::rbac::service::{book_of, check_defined};
use crate::rbac::{Initiator, Pattern, RoleName};
use crate::store::{Store, Tx, WriteTx};

/// Secret scanners find leaked ones by it.
const SECRET_PREFIX: &str = "aso_";
const MAX_OVERLAP_SECS: i64 = 30 * 24 * 3600;

/// Clients.
#[derive(Clone)]
pub struct Clients {
    pub store: Store,
    pub env: Env,
    pub keys: Keys,
    pub live: LiveClients,
}

/// A client that is asked for.
pub struct NewClient {
    /// None: one is made.
    pub id: Option<ClientId>,
    pub registrar: Registrar,
    pub metadata: Metadata,
    pub rules: Rules,
}

/// A client whose secret is shown for the only time.
pub struct Made {
    pub client: Client,
    pub secret: Option<Secret>,
}

/// What a client shall be instead of what it is.
pub type Change = dyn FnOnce(Client) -> Result<Client> + Send;

impl Clients {
    /// Registers a client, with a secret if it is one that has a secret.
    ///
    /// # Errors
    /// `Error::Invalid` naming `client_id` when it is taken, `roles` or `permissions` for one that is not there;
    /// `Error::Forbidden` for permissions that whoever registers it does not hold.
    pub async fn create(&self, by: Initiator, new: NewClient) -> Result<Made> {
        self.ensure_keys(&new.metadata).await?;
        let now = self.env.now();
        let id = new.id.unwrap_or_else(|| ClientId::generate(self.env.entropy.as_ref()));
        let client = Client {
            id,
            registrar: new.registrar,
            is_active: true,
            secrets: Vec::new(),
            metadata: new.metadata,
            rules: new.rules,
            created_at: now,
            updated_at: now,
        };
        let (client, secret) = self.with_secret_if_needed(client, now);
        let live = self.live.clone();
        let change = move |tx: &mut WriteTx| {
            check_rules(tx, &by, &client, &Rules::default())?;
            table::insert(tx, &client)?;
            live.forget(tx, &client.id);
            let event = described(&by, "oauth_client.created", &client, now);
            audit::table::append(tx, with_rules(event, &client, None))?;
            Ok(client)
        };
        let client = self.store.write(change).await?;
        Ok(Made { client, secret })
    }

    /// One page of all, by name.
    ///
    /// # Errors
    /// `Error::Unavailable` when the store does not serve, here and below.
    pub async fn list(&self, request: PageRequest) -> Result<Page<Client>> {
        self.store.scan(move |tx| table::page(tx, &request)).await
    }

    /// The client of a name.
    ///
    /// # Errors
    /// `Error::NotFound`.
    pub fn read(&self, id: &ClientId) -> Result<Client> {
        self.store.get(|tx| by_id(tx, id))
    }

    /// Changes a client. Switched off, nobody gets a token through it, and what it has is good for nothing. One that needs a
    /// secret now and has none gets one.
    ///
    /// # Errors
    /// As [`Clients::create`], and `Error::NotFound`; `Error::Invalid` naming `client_id` for one that stands in the
    /// configuration file, here and below.
    pub async fn change(&self, by: Initiator, id: ClientId, make: Box<Change>) -> Result<Made> {
        let now = self.env.now();
        // What it becomes is found out before the change, where a secret can be made; in it, it still has to be what it was.
        let old = self.read(&id)?;
        check_not_declared(&old)?;
        let new = Client { updated_at: now, ..make(old.clone())? };
        self.ensure_keys(&new.metadata).await?;
        let (new, secret) = self.with_secret_if_needed(new, now);
        let live = self.live.clone();
        let change = move |tx: &mut WriteTx| {
            let found = by_id(tx, &id)?;
            if found != old {
                return Err(Error::Busy { retry_after_secs: 1 });
            }
            check_rules(tx, &by, &new, &found.rules)?;
            table::update(tx, &found, &new)?;
            live.forget(tx, &id);
            let action = match (found.is_active, new.is_active) {
                (true, false) => "oauth_client.disabled",
                (false, true) => "oauth_client.enabled",
                _ => "oauth_client.changed",
            };
            let event = described(&by, action, &new, now);
            audit::table::append(tx, with_rules(event, &new, Some(&found)))?;
            Ok(new)
        };
        let client = self.store.write(change).await?;
        Ok(Made { client, secret })
    }

    /// Gives a client another secret; the one before is good for `overlap_secs` yet.
    ///
    /// # Errors
    /// `Error::NotFound`; `Error::Invalid` naming `overlap_seconds` for more than 30 days, or `client_id` for a client that
    /// has no secret.
    pub async fn rotate_secret(&self, by: Initiator, id: ClientId, overlap_secs: i64) -> Result<Made> {
        if !(0..=MAX_OVERLAP_SECS).contains(&overlap_secs) {
            return Err(Error::invalid("overlap_seconds", "must be 0 to 2592000"));
        }
        let now = self.env.now();
        let old = self.read(&id)?;
        check_not_declared(&old)?;
        let method = old.metadata.authentication;
        if !method.has_secret() {
            return Err(Error::invalid("client_id", "is of a client that has no secret"));
        }
        let (secret, stored) = self.new_secret(now);
        let live = self.live.clone();
        let change = move |tx: &mut WriteTx| {
            let old = by_id(tx, &id)?;
            if old.metadata.authentication != method {
                return Err(Error::Busy { retry_after_secs: 1 });
            }
            check_rules(tx, &by, &old, &old.rules)?;
            let new = old.clone().with_secret(stored, overlap_secs);
            table::update(tx, &old, &new)?;
            live.forget(tx, &id);
            let event = described(&by, "oauth_client.secret_rotated", &new, now);
            audit::table::append(tx, event.with("overlap_seconds", overlap_secs.to_string()))?;
            Ok(new)
        };
        let client = self.store.write(change).await?;
        Ok(Made { client, secret: Some(secret) })
    }

    /// Removes a client. What it has is good for nothing from then on.
    ///
    /// # Errors
    /// `Error::NotFound`.
    pub async fn delete(&self, by: Initiator, id: ClientId) -> Result<()> {
        let (live, now) = (self.live.clone(), self.env.now());
        let change = move |tx: &mut WriteTx| {
            let old = by_id(tx, &id)?;
            // What the file has no more is switched off, and nobody's.
            if old.is_active {
                check_not_declared(&old)?;
            }
            check_rules(tx, &by, &old, &old.rules)?;
            table::remove(tx, &old);
            live.forget(tx, &id);
            audit::table::append(tx, described(&by, "oauth_client.deleted", &old, now))
        };
        self.store.write(change).await
    }

    /// Sees to it that there is a key for whatever is signed for a client.
    pub(super) async fn ensure_keys(&self, metadata: &Metadata) -> Result<()> {
        self.keys.ensure(metadata.id_token_algorithm).await?;
        match metadata.userinfo_algorithm {
            Some(algorithm) => self.keys.ensure(algorithm).await,
            None => Ok(()),
        }
    }

    /// A client that has to have a secret has one that it can be verified by.
    fn with_secret_if_needed(&self, mut client: Client, now: Timestamp) -> (Client, Option<Secret>) {
        let method = client.metadata.authentication;
        if !method.has_secret() {
            client.secrets.clear();
            return (client, None);
        }
        if !client.secrets.is_empty() {
            return (client, None);
        }
        let (secret, stored) = self.new_secret(now);
        (client.with_secret(stored, 0), Some(secret))
    }

    /// 256 random bits: they need no slow hash (OWASP ASVS 5.0, 6.5.2).
    fn new_secret(&self, now: Timestamp) -> (Secret, ClientSecret) {
        let rng = self.env.entropy.as_ref();
        let random = Zeroizing::new(entropy::bytes::<32>(rng));
        let secret = Secret::new(format!("{SECRET_PREFIX}{}", URL_SAFE_NO_PAD.encode(&random[..])));
        let bytes = secret.expose().as_bytes();
        let stored = ClientSecret { hash: sha256(&[bytes]), created_at: now, expires_at: None };
        (secret, stored)
    }
}

/// What stands in the configuration file is changed there: it would be as before at the next start.
fn check_not_declared(client: &Client) -> Result<()> {
    if client.registrar == Registrar::Configuration {
        let reason = "is of a client that stands in the configuration file: it is changed there";
        return Err(Error::invalid("client_id", reason));
    }
    Ok(())
}

fn by_id(tx: &impl Tx, id: &ClientId) -> Result<Client> {
    table::by_id(tx, id)?.ok_or(Error::NotFound("OAuth client"))
}

/// Whoever acts on a client holds what the client holds, and names roles and permissions that are there.
pub(super) fn check_rules(tx: &impl Tx, by: &Initiator, client: &Client, before: &Rules) -> Result<()> {
    let (rules, book) = (&client.rules, book_of(tx)?);
    let gone =
        rules.roles.iter().find(|role| !before.roles.contains(role) && book.role(role.as_str()).is_none());
    if let Some(role) = gone {
        return Err(Error::invalid("roles", format!("has `{role}`, which is not there")));
    }
    let fresh: Vec<Pattern> =
        rules.permissions.iter().filter(|one| !before.permissions.contains(one)).cloned().collect();
    check_defined(tx, &fresh)?;
    rules.permissions.iter().chain(&before.permissions).try_for_each(|one| by.check(tx, &Grants::of(one)))
}

pub(super) fn described(by: &Initiator, action: &str, client: &Client, now: Timestamp) -> Event {
    let event =
        Event::new(by, action, now).with("client", client.id.as_str()).with("name", &client.metadata.name);
    let uris: Vec<_> =
        client.metadata.redirect_uris.iter().map(super::redirect::RedirectUri::as_str).collect();
    event.with("redirect_uris", uris.join(" "))
}

/// What a client may do and how it proves who it is; of what was otherwise before, that too.
pub(super) fn with_rules(mut event: Event, new: &Client, old: Option<&Client>) -> Event {
    fn facts(client: &Client) -> [(&'static str, String); 5] {
        let (metadata, rules) = (&client.metadata, &client.rules);
        let roles: Vec<_> = rules.roles.iter().map(RoleName::as_str).collect();
        let permissions: Vec<_> = rules.permissions.iter().map(Pattern::as_str).collect();
        [
            ("authentication", metadata.authentication.name().to_owned()),
            ("first_party", rules.is_first_party.to_string()),
            ("introspect", rules.introspects.to_string()),
            ("roles", roles.join(" ")),
            ("permissions", permissions.join(" ")),
        ]
    }
    for (name, value) in facts(new) {
        event = event.with(name, value);
    }
    let old = old.map(facts).into_iter().flatten();
    for ((name, before), (_, now)) in old.zip(facts(new)) {
        if before != now {
            event = event.with(&format!("{name}_before"), before);
        }
    }
    event
}
