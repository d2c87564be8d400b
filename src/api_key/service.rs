//! What can be done with API keys. A key never comes to more than its owner, and nobody makes, changes or ends a key
//! that may do more than they do.
use std::net::IpAddr;

use super::live::{Judged, LiveKeys};
use super::model::{ApiKey, ApiKeyChange, Flaw, NewApiKey};
use super::rules::{check_bounds, check_end, check_limit, check_rights, of_owner, over, owner_of};
use super::table::{self, LastUse};
use super::usage::Usage;
use crate::audit::{self, Event, Failures};
use crate::base::{Env, Error, Id, Page, PageRequest, Result, Secret, Timestamp};
use crate::crypto::key_token;
use crate::rbac::{Actor, Initiator, Subject, SubjectId, Via, Who};
use crate::store::{Store, WriteTx};

pub use super::table::Uses;

/// Keys of one owner.
const MAX_KEYS: usize = 200;
/// Keys that a user may be given in an hour. Each has a limit of its own: without this, whoever makes and deletes them has
/// none.
const MADE_AN_HOUR: u32 = 200;
/// How long a text that was rotated away may stay good, in seconds: 30 days.
const MAX_OVERLAP_SECS: i64 = 30 * 24 * 3600;

/// API keys of users and service accounts.
#[derive(Clone)]
pub struct ApiKeys {
    pub store: Store,
    pub env: Env,
    pub live: LiveKeys,
    pub usage: Usage,
    failures: Failures,
    /// How many requests an hour every client has, 0 for any number: more for a key is for administrators to give.
    pub everyones_limit: u32,
}

/// A key, and when and from where it was used last.
pub type Used = (ApiKey, Option<LastUse>);

/// What is known of a key's uses, by day (days since the epoch).
#[derive(Debug, Clone)]
pub struct Statistics {
    pub key: ApiKey,
    pub last: Option<LastUse>,
    pub days: Vec<(u32, Uses)>,
}

impl ApiKeys {
    #[must_use]
    pub fn new(store: Store, env: Env, live: LiveKeys, failures: Failures, everyones_limit: u32) -> Self {
        Self { store, env, live, usage: Usage::default(), failures, everyones_limit }
    }

    /// Makes a key.
    ///
    /// # Errors
    /// `Error::NotFound` for an owner who is not there or switched off; `Error::Invalid` naming `permissions` or `roles`
    /// for one that is not there, `expires_at` for a time that is over, `name` when there are too many keys;
    /// `Error::Forbidden` for rights above the owner's or those of whoever makes it, and for a limit above everyone's from
    /// whoever is no administrator.
    ///
    /// # Returns
    /// The key, and its text: it cannot be shown again.
    pub async fn create(&self, by: Initiator, owner: SubjectId, new: NewApiKey) -> Result<(ApiKey, Secret)> {
        let now = self.env.now();
        let id = Id::new(now, self.env.entropy.as_ref());
        let (text, hash) = self.text(owner, id);
        let NewApiKey { name, rights, networks, requests_per_hour, expires_at } = new;
        let key = ApiKey {
            id,
            owner,
            name,
            rights,
            networks,
            requests_per_hour,
            created_at: now,
            updated_at: now,
            rotated_at: None,
            expires_at,
            revoked_at: None,
            hash,
            previous: None,
        };
        check_end(&key, now)?;
        let (live, everyones) = (self.live.clone(), self.everyones_limit);
        let change = move |tx: &mut WriteTx| {
            let owner = owner_of(tx, &by, key.owner)?;
            check_rights(tx, &by, &owner, &key.rights)?;
            check_limit(tx, &by, key.requests_per_hour, everyones)?;
            check_bounds(tx, &by, &key)?;
            if table::ids_of_owner(tx, key.owner)?.len() >= MAX_KEYS {
                return Err(Error::invalid("name", format!("would be one more than {MAX_KEYS} keys")));
            }
            if matches!((key.owner, &by.who), (SubjectId::User(_), Who::Subject { .. })) {
                table::count_made(tx, key.owner, MADE_AN_HOUR, now)?;
            }
            table::insert(tx, &key)?;
            // Somebody may have asked for this id before it was one.
            live.forget(tx, key.id);
            audit::table::append(tx, described(&by, "api_key.created", &owner, (None, &key), now))?;
            Ok(key)
        };
        Ok((self.store.write(change).await?, text))
    }

    /// One page of the keys of an owner, the oldest first.
    ///
    /// # Errors
    /// `Error::Unavailable` when the store does not serve, here and below.
    pub async fn list(&self, owner: SubjectId, request: PageRequest) -> Result<Page<Used>> {
        self.write_uses().await;
        self.store
            .scan(move |tx| {
                let Page { items, next_cursor } = table::of_owner(tx, owner, &request)?;
                let used = items.into_iter().map(|key| Ok((table::last_use(tx, key.id)?, key)));
                let items = used.map(|used| used.map(|(last, key)| (key, last))).collect::<Result<_>>()?;
                Ok(Page { items, next_cursor })
            })
            .await
    }

    /// A key of an owner.
    ///
    /// # Errors
    /// `Error::NotFound`.
    pub async fn read(&self, owner: SubjectId, id: Id<ApiKey>) -> Result<Used> {
        self.write_uses().await;
        self.store.get(|tx| Ok((of_owner(tx, owner, id)?, table::last_use(tx, id)?)))
    }

    /// How often the keys of an owner were used, over so many days up to today.
    ///
    /// # Errors
    /// As [`ApiKeys::list`].
    pub async fn statistics(
        &self,
        owner: SubjectId,
        days: u32,
        request: PageRequest,
    ) -> Result<Page<Statistics>> {
        self.write_uses().await;
        let from = (table::day_of(self.env.now()) + 1).saturating_sub(days);
        self.store
            .scan(move |tx| {
                let Page { items, next_cursor } = table::of_owner(tx, owner, &request)?;
                let of = |key: ApiKey| {
                    let (last, days) = (table::last_use(tx, key.id)?, table::uses(tx, key.id, from)?);
                    Ok(Statistics { key, last, days })
                };
                Ok(Page { items: items.into_iter().map(of).collect::<Result<_>>()?, next_cursor })
            })
            .await
    }

    /// Changes a key.
    ///
    /// # Errors
    /// `Error::NotFound`, and as [`ApiKeys::create`].
    pub async fn change(
        &self,
        by: Initiator,
        owner: SubjectId,
        id: Id<ApiKey>,
        change: ApiKeyChange,
    ) -> Result<ApiKey> {
        let (now, everyones) = (self.env.now(), self.everyones_limit);
        self.write(by, owner, id, "api_key.changed", move |tx, by, owner, old| {
            let (has_end, has_rights) = (change.expires_at.is_some(), change.rights.is_some());
            check_limit(tx, by, change.requests_per_hour.flatten(), everyones)?;
            let new = old.with(change, now);
            if has_end {
                check_end(&new, now)?;
            }
            if has_rights {
                check_rights(tx, by, owner, &new.rights)?;
            }
            check_bounds(tx, by, &new)?;
            Ok(new)
        })
        .await
    }

    /// Gives a key another text; the one before stays good for so many seconds.
    ///
    /// # Errors
    /// `Error::NotFound`; `Error::Invalid` naming `overlap_seconds`, and `id` for a key that is revoked or over;
    /// `Error::Forbidden` for a key that may do more than whoever asks.
    ///
    /// # Returns
    /// The key, and its text: it cannot be shown again.
    pub async fn rotate(
        &self,
        by: Initiator,
        owner: SubjectId,
        id: Id<ApiKey>,
        overlap_secs: i64,
    ) -> Result<(ApiKey, Secret)> {
        if !(0..=MAX_OVERLAP_SECS).contains(&overlap_secs) {
            return Err(Error::invalid("overlap_seconds", format!("must be 0 to {MAX_OVERLAP_SECS}")));
        }
        let now = self.env.now();
        let (text, hash) = self.text(owner, id);
        let rotated = self.write(by, owner, id, "api_key.rotated", move |_, _, _, old| {
            if old.revoked_at.is_some() || old.expires_at.is_some_and(|end| now >= end) {
                return Err(Error::invalid("id", "is revoked or has expired"));
            }
            Ok(old.rotated(hash, overlap_secs, now))
        });
        Ok((rotated.await?, text))
    }

    /// Shuts a key out for good; it stays in the list. Doing it again changes nothing.
    ///
    /// # Errors
    /// As [`ApiKeys::change`].
    pub async fn revoke(&self, by: Initiator, owner: SubjectId, id: Id<ApiKey>) -> Result<ApiKey> {
        let now = self.env.now();
        self.write(by, owner, id, "api_key.revoked", move |_, _, _, old| {
            if old.revoked_at.is_some() {
                return Ok(old);
            }
            Ok(ApiKey { revoked_at: Some(now), previous: None, updated_at: now, ..old })
        })
        .await
    }

    /// Removes a key with all that is known of its uses.
    ///
    /// # Errors
    /// As [`ApiKeys::change`].
    pub async fn delete(&self, by: Initiator, owner: SubjectId, id: Id<ApiKey>) -> Result<()> {
        let (live, now) = (self.live.clone(), self.env.now());
        let change = move |tx: &mut WriteTx| {
            let (owner, key) = over(tx, &by, owner, id)?;
            table::remove(tx, &key)?;
            live.forget(tx, id);
            audit::table::append(tx, described(&by, "api_key.deleted", &owner, (None, &key), now))
        };
        self.store.write(change).await
    }

    /// Who makes a request with a key; counts the use.
    ///
    /// # Errors
    /// `Error::InvalidToken`, `Error::TokenExpired`, `Error::TokenRevoked`, `Error::WrongNetwork`;
    /// `Error::Unavailable` when the store does not serve.
    pub fn authenticate(&self, text: &str, address: IpAddr, by: &dyn Fn() -> Initiator) -> Result<Actor> {
        let now = self.env.now();
        match self.live.judge(text, now, Some(address))? {
            Judged::Good(actor, _) => {
                if let Via::Key(key) = &actor.via {
                    self.usage.accepted(key.id, now, Some(address));
                }
                Ok(actor)
            }
            Judged::Bad(flaw, key) => {
                if let Some(key) = key {
                    self.refuse(&by(), &key, flaw);
                }
                Err(flaw.error())
            }
        }
    }

    /// Keeps account of a key whose text is right and that is not taken: its owner shall see it.
    pub fn refuse(&self, by: &Initiator, key: &ApiKey, flaw: Flaw) {
        self.usage.refused(key.id);
        let event = Event::failed(by, "api_key.refused", self.env.now()).about(key.owner, "");
        let event = event.with("api_key", key.id.to_string()).with("name", &key.name);
        self.failures.note(event.with("reason", flaw.name()));
    }

    /// Whether a text that somebody has shown is good, and whose.
    ///
    /// # Errors
    /// As [`ApiKeys::list`].
    pub fn judge(&self, text: &str, address: Option<IpAddr>) -> Result<Judged> {
        self.live.judge(text, self.env.now(), address)
    }

    /// So that what is read has the last uses, too; without them it is still worth reading.
    async fn write_uses(&self) {
        if let Err(error) = self.usage.write(&self.store, self.env.now()).await {
            tracing::warn!(?error, "the last uses of API keys are not written yet");
        }
    }

    fn text(&self, owner: SubjectId, id: Id<ApiKey>) -> (Secret, [u8; 32]) {
        let is_user = matches!(owner, SubjectId::User(_));
        key_token::generate(is_user, id.as_bytes(), self.env.entropy.as_ref())
    }

    /// Writes the key that `make` makes of what is there.
    async fn write(
        &self,
        by: Initiator,
        owner: SubjectId,
        id: Id<ApiKey>,
        action: &'static str,
        make: impl FnOnce(&WriteTx, &Initiator, &Subject, ApiKey) -> Result<ApiKey> + Send + 'static,
    ) -> Result<ApiKey> {
        let (live, now) = (self.live.clone(), self.env.now());
        let change = move |tx: &mut WriteTx| {
            let (owner, old) = over(tx, &by, owner, id)?;
            let new = make(tx, &by, &owner, old.clone())?;
            if new == old {
                return Ok(new);
            }
            table::update(tx, &new)?;
            live.forget(tx, id);
            audit::table::append(tx, described(&by, action, &owner, (Some(&old), &new), now))?;
            Ok(new)
        };
        self.store.write(change).await
    }
}

/// What happened to a key; of one that was there before, which bounds it had.
fn described(
    by: &Initiator,
    action: &str,
    owner: &Subject,
    (old, key): (Option<&ApiKey>, &ApiKey),
    now: Timestamp,
) -> Event {
    let rights = match &key.rights {
        rights if rights.unrestricted => "unrestricted".to_owned(),
        rights => {
            let permissions = rights.permissions.iter().map(|pattern| pattern.as_str().to_owned());
            permissions
                .chain(rights.roles.iter().map(|role| format!("role {role}")))
                .collect::<Vec<_>>()
                .join(", ")
        }
    };
    let event = Event::new(by, action, now).about_subject(owner);
    let event = event.with("api_key", key.id.to_string()).with("name", &key.name).with("rights", rights);
    let before = old.map_or_else(
        || bounds(&ApiKey { networks: Vec::new(), requests_per_hour: None, expires_at: None, ..key.clone() }),
        bounds,
    );
    let changed = bounds(key).into_iter().zip(before).filter(|(new, old)| new != old);
    changed.fold(event, |event, ((name, value), (_, old_value))| match old {
        None => event.with(name, value),
        Some(_) => event.with(name, format!("{old_value} -> {value}")),
    })
}

/// How far a key reaches, beside its rights.
fn bounds(key: &ApiKey) -> [(&'static str, String); 3] {
    let none = || "-".to_owned();
    let networks: Vec<_> = key.networks.iter().map(ToString::to_string).collect();
    [
        ("networks", if networks.is_empty() { none() } else { networks.join(" ") }),
        ("requests_per_hour", key.requests_per_hour.map_or_else(none, |limit| limit.to_string())),
        ("expires_at", key.expires_at.map_or_else(none, Timestamp::rfc3339)),
    ]
}
