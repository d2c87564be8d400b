//! What can be done with clients. Nobody gives a client what they do not hold.
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use zeroize::Zeroizing;

use super::live::LiveClients;
use super::model::{Authentication, Client, ClientId, ClientSecret, Metadata, Registrar, Rules};
use super::table;
use super::trail::{described, with_rules};
use super::vault::Vault;
use crate::audit;
use crate::base::{Env, Error, Page, PageRequest, Result, Secret, Timestamp, entropy};
use crate::crypto::sha256;
use crate::keys::Keys;
use crate::oauth::{backchannel, consent, registration};
use crate::outbound::Outbound;
use crate::rbac::book::Grants;
use crate::rbac::service::{book_of, check_defined};
use crate::rbac::{Initiator, Pattern};
use crate::store::{Store, Tx, WriteTx};

/// Secret scanners find leaked ones by it.
const SECRET_PREFIX: &str = "aso_";
/// Of the list of a sector.
const MAX_SECTOR_BYTES: usize = 64 * 1024;
const MAX_OVERLAP_SECS: i64 = 30 * 24 * 3600;

/// Clients.
#[derive(Clone)]
pub struct Clients {
    pub store: Store,
    pub env: Env,
    pub keys: Keys,
    pub live: LiveClients,
    pub vault: Vault,
    pub outbound: Outbound,
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
        let Made { client, secret } = self.prepare(new).await?;
        let live = self.live.clone();
        let change = move |tx: &mut WriteTx| {
            insert(tx, &live, (&by, "oauth_client.created"), &client)?;
            Ok(client)
        };
        let client = self.store.write(change).await?;
        Ok(Made { client, secret })
    }

    /// The client that is asked for, with its secret, ready to be written.
    ///
    /// # Errors
    /// `Error::Invalid` naming what of its metadata leads nowhere.
    pub(in crate::oauth) async fn prepare(&self, new: NewClient) -> Result<Made> {
        self.check_sector(&new.metadata).await?;
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
        let (client, secret) = self.with_secret_if_needed(client, now)?;
        Ok(Made { client, secret })
    }

    /// What a client is to be instead of `old`, ready to be written. One that needs a secret now and has none gets one.
    ///
    /// # Errors
    /// As [`Clients::prepare`].
    pub(in crate::oauth) async fn prepare_change(&self, old: &Client, new: Client) -> Result<Made> {
        let now = self.env.now();
        let list =
            |of: &Client| (of.metadata.sector_identifier_uri.clone(), of.metadata.redirect_uris.clone());
        if list(old) != list(&new) {
            self.check_sector(&new.metadata).await?;
        }
        self.ensure_keys(&new.metadata).await?;
        let (client, secret) = self.with_secret_if_needed(Client { updated_at: now, ..new }, now)?;
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
        // What it becomes is found out before the change, where a secret can be made; in it, it still has to be what it was.
        let old = self.read(&id)?;
        check_not_declared(&old)?;
        let Made { client: new, secret } = self.prepare_change(&old, make(old.clone())?).await?;
        let live = self.live.clone();
        let change = move |tx: &mut WriteTx| {
            update(tx, &live, &by, (&old, &new))?;
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
        let (secret, stored) = self.new_secret(&id, method, now)?;
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
            remove(tx, &live, (&by, "oauth_client.deleted"), &old, now)
        };
        self.store.write(change).await
    }

    /// Looks whether the list of a client's sector has all of its redirect URIs (OpenID Connect Registration section 5): who has
    /// the list lets it have the names that its users have there.
    async fn check_sector(&self, metadata: &Metadata) -> Result<()> {
        const FIELD: &str = "sector_identifier_uri";
        let Some(uri) = &metadata.sector_identifier_uri else { return Ok(()) };
        let answer = self.outbound.get(uri, MAX_SECTOR_BYTES).await;
        let answer = answer.map_err(|why| Error::invalid(FIELD, format!("cannot be read: {why}")))?;
        let listed: Option<Vec<String>> =
            serde_json::from_slice(answer.body()).ok().filter(|_| answer.status() == 200);
        let listed = listed.ok_or_else(|| Error::invalid(FIELD, "does not lead to a JSON list of URIs"))?;
        if metadata.redirect_uris.iter().all(|own| listed.iter().any(|one| one == own.as_str())) {
            Ok(())
        } else {
            Err(Error::invalid(FIELD, "does not list all redirect_uris"))
        }
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
    fn with_secret_if_needed(&self, mut client: Client, now: Timestamp) -> Result<(Client, Option<Secret>)> {
        let method = client.metadata.authentication;
        if !method.has_secret() {
            client.secrets.clear();
            return Ok((client, None));
        }
        // What was sent is nothing to sign with, and what signs is not sent.
        client.secrets.retain(|one| one.signs() == (method == Authentication::SecretJwt));
        if !client.secrets.is_empty() {
            return Ok((client, None));
        }
        let (secret, stored) = self.new_secret(&client.id, method, now)?;
        Ok((client.with_secret(stored, 0), Some(secret)))
    }

    /// 256 random bits: they need no slow hash (OWASP ASVS 5.0, 6.5.2).
    fn new_secret(
        &self,
        id: &ClientId,
        method: Authentication,
        now: Timestamp,
    ) -> Result<(Secret, ClientSecret)> {
        let rng = self.env.entropy.as_ref();
        let random = Zeroizing::new(entropy::bytes::<32>(rng));
        let secret = Secret::new(format!("{SECRET_PREFIX}{}", URL_SAFE_NO_PAD.encode(&random[..])));
        let sealed = self.sealed(id, method, &secret)?;
        let hash = sha256(&[secret.expose().as_bytes()]);
        Ok((secret, ClientSecret { hash, sealed, created_at: now, expires_at: None }))
    }

    /// What is kept of a secret beside its hash, for whoever signs with it: nothing for everybody else.
    pub(super) fn sealed(&self, id: &ClientId, method: Authentication, secret: &Secret) -> Result<Vec<u8>> {
        match method {
            Authentication::SecretJwt => self.vault.seal(&self.env, id, secret),
            _ => Ok(Vec::new()),
        }
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

/// Writes a new client, and that it is there.
///
/// # Errors
/// As [`Clients::create`].
pub(in crate::oauth) fn insert(
    tx: &mut WriteTx,
    live: &LiveClients,
    (by, action): (&Initiator, &str),
    client: &Client,
) -> Result<()> {
    check_rules(tx, by, client, &Rules::default())?;
    table::insert(tx, client)?;
    live.forget(tx, &client.id);
    let event = described(by, action, client, client.created_at);
    audit::table::append(tx, with_rules(event, client, None))
}

/// Writes what a client has become, if it still is what it was.
///
/// # Errors
/// As [`Clients::change`].
pub(in crate::oauth) fn update(
    tx: &mut WriteTx,
    live: &LiveClients,
    by: &Initiator,
    (old, new): (&Client, &Client),
) -> Result<()> {
    let found = by_id(tx, &old.id)?;
    if found != *old {
        return Err(Error::Busy { retry_after_secs: 1 });
    }
    check_rules(tx, by, new, &found.rules)?;
    table::update(tx, &found, new)?;
    live.forget(tx, &new.id);
    let action = match (found.is_active, new.is_active) {
        (true, false) => "oauth_client.disabled",
        (false, true) => "oauth_client.enabled",
        _ => "oauth_client.changed",
    };
    let event = described(by, action, new, new.updated_at);
    audit::table::append(tx, with_rules(event, new, Some(&found)))
}

/// Removes a client with what it manages itself by. What it has is good for nothing from then on.
///
/// # Errors
/// `Error::Unavailable` when the store does not serve.
pub(in crate::oauth) fn remove(
    tx: &mut WriteTx,
    live: &LiveClients,
    (by, action): (&Initiator, &str),
    client: &Client,
    now: Timestamp,
) -> Result<()> {
    table::remove(tx, client);
    registration::table::remove(tx, &client.id)?;
    consent::table::client_is_gone(tx, &client.id, now)?;
    backchannel::table::client_is_gone(tx, &client.id, now)?;
    live.forget(tx, &client.id);
    audit::table::append(tx, described(by, action, client, now))
}

fn by_id(tx: &impl Tx, id: &ClientId) -> Result<Client> {
    table::by_id(tx, id)?.ok_or(Error::NotFound("OAuth client"))
}

/// Whoever acts on a client holds what the client holds, and names roles and permissions that are there.
pub(super) fn check_rules(tx: &impl Tx, by: &Initiator, client: &Client, before: &Rules) -> Result<()> {
    check_own_word(client)?;
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

/// What has said itself what it is has nothing that others have to be able to count on, whoever wants to give it that: it could
/// say tomorrow that it is something else.
fn check_own_word(client: &Client) -> Result<()> {
    let refuse = |field| Err(Error::invalid(field, "is not for a client that has registered itself"));
    match &client.rules {
        _ if !client.is_on_its_word() => Ok(()),
        rules if rules.is_first_party => refuse("first_party"),
        rules if rules.introspects => refuse("introspect"),
        rules if !rules.exchanges_tokens_of.is_empty() => refuse("exchange_clients"),
        rules if !rules.requires_pkce => refuse("require_pkce"),
        rules if !rules.permissions.is_empty() => refuse("permissions"),
        _ => Ok(()),
    }
}
