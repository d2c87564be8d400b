//! Clients that stand in the configuration file: what is written there is what there is.
use std::collections::BTreeSet;

use super::declaration::at_client;
use super::live::LiveClients;
use super::model::{Client, ClientId, ClientSecret, Metadata, Registrar, Rules};
use super::service::{Clients, check_rules};
use super::table;
use super::trail::{described, with_rules};
use crate::audit;
use crate::base::{Error, Result, Secret, Timestamp};
use crate::crypto::sha256;
use crate::rbac::Initiator;
use crate::store::WriteTx;

/// A client that stands in the configuration file.
pub struct Declared {
    pub id: ClientId,
    pub is_active: bool,
    pub metadata: Metadata,
    pub rules: Rules,
    pub secret: Option<Secret>,
    /// What is kept of the secret if it signs.
    pub sealed: Vec<u8>,
}

impl Clients {
    /// Makes, changes and switches off clients until those of the configuration file are what is declared there.
    ///
    /// One that stands there no longer is switched off and not removed: nobody gets a token through it, and should it have gone
    /// by mistake, what its users have agreed to is there when it comes back. Whoever wants it gone deletes it then.
    ///
    /// # Errors
    /// `Error::Invalid` naming the client and the field: a name that another client has, a role or permission that is not
    /// there.
    pub async fn declare(&self, mut all: Vec<Declared>) -> Result<()> {
        for one in &mut all {
            self.ensure_keys(&one.metadata).await?;
            if let Some(secret) = &one.secret {
                one.sealed = self.sealed(&one.id, one.metadata.authentication, secret)?;
            }
        }
        let (live, now) = (self.live.clone(), self.env.now());
        let change = move |tx: &mut WriteTx| {
            let by = Initiator::host();
            for one in &all {
                put(tx, &live, one, (&by, now)).map_err(|error| at_client(&format!(".{}", one.id), error))?;
            }
            let declared: BTreeSet<_> = all.iter().map(|one| &one.id).collect();
            for old in table::all(tx)? {
                let is_ours = old.registrar == Registrar::Configuration;
                if is_ours && old.is_active && !declared.contains(&old.id) {
                    let new = Client { is_active: false, updated_at: now, ..old.clone() };
                    write(tx, &live, (&old, &new), (&by, now))?;
                }
            }
            Ok(())
        };
        self.store.write(change).await
    }
}

fn put(tx: &mut WriteTx, live: &LiveClients, one: &Declared, by: (&Initiator, Timestamp)) -> Result<()> {
    let Some(old) = table::by_id(tx, &one.id)? else {
        let new = one.made(by.1);
        check_rules(tx, by.0, &new, &Rules::default())?;
        table::insert(tx, &new)?;
        live.forget(tx, &new.id);
        let event = described(by.0, "oauth_client.created", &new, by.1);
        return audit::table::append(tx, with_rules(event, &new, None));
    };
    if old.registrar != Registrar::Configuration {
        let reason =
            "is taken by a client that does not stand in the configuration file: delete that one first";
        return Err(Error::invalid("client_id", reason));
    }
    let new = one.over(&old, by.1);
    check_rules(tx, by.0, &new, &old.rules)?;
    if new == old {
        return Ok(());
    }
    write(tx, live, (&old, &Client { updated_at: by.1, ..new }), by)
}

fn write(
    tx: &mut WriteTx,
    live: &LiveClients,
    (old, new): (&Client, &Client),
    (by, now): (&Initiator, Timestamp),
) -> Result<()> {
    table::update(tx, old, new)?;
    live.forget(tx, &new.id);
    let action = match (old.is_active, new.is_active) {
        (true, false) => "oauth_client.disabled",
        (false, true) => "oauth_client.enabled",
        _ => "oauth_client.changed",
    };
    audit::table::append(tx, with_rules(described(by, action, new, now), new, Some(old)))
}

impl Declared {
    fn made(&self, now: Timestamp) -> Client {
        Client {
            id: self.id.clone(),
            registrar: Registrar::Configuration,
            is_active: self.is_active,
            secrets: self.secrets(&[], now),
            metadata: self.metadata.clone(),
            rules: self.rules.clone(),
            created_at: now,
            updated_at: now,
        }
    }

    /// The client as it is declared, with what the file says nothing of.
    fn over(&self, old: &Client, now: Timestamp) -> Client {
        Client {
            is_active: self.is_active,
            secrets: self.secrets(&old.secrets, now),
            metadata: self.metadata.clone(),
            rules: self.rules.clone(),
            ..old.clone()
        }
    }

    /// The one that is declared, and no other: the same as before if it is the same.
    fn secrets(&self, old: &[ClientSecret], now: Timestamp) -> Vec<ClientSecret> {
        let Some(secret) = &self.secret else { return Vec::new() };
        let hash = sha256(&[secret.expose().as_bytes()]);
        let same = old.iter().find(|one| {
            let signs = one.signs() != self.sealed.is_empty();
            signs && one.hash == hash && one.expires_at.is_none()
        });
        let new = || ClientSecret { hash, sealed: self.sealed.clone(), created_at: now, expires_at: None };
        vec![same.cloned().unwrap_or_else(new)]
    }
}
