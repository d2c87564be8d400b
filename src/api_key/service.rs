//! What can be done with API keys. A key never comes to more than its owner, and nobody makes, changes or ends a key
//! that may do more than they do.
use std::net::IpAddr;

use super::live::{Judged, LiveKeys};
use super::model::{ApiKey, ApiKeyChange, NewApiKey, Rights};
use super::table::{self, LastUse};
use super::usage::Usage;
use crate::audit::{self, Event};
use crate::base::{Env, Error, Id, Page, PageRequest, Result, Secret, Timestamp};
use crate::crypto::key_token;
use crate::rbac::permission::UsersWrite;
use crate::rbac::service::{book_of, check_defined, subject_by_id};
use crate::rbac::{Actor, Grants, Initiator, Named, Pattern, RoleBook, Subject, SubjectId, Via};
use crate::store::{Store, Tx, WriteTx};

pub use super::table::Uses;

/// Keys of one owner.
const MAX_KEYS: usize = 200;
/// How long a text that was rotated away may stay good, in seconds: 30 days.
const MAX_OVERLAP_SECS: i64 = 30 * 24 * 3600;

/// API keys of users and service accounts.
#[derive(Clone)]
pub struct ApiKeys {
    pub store: Store,
    pub env: Env,
    pub live: LiveKeys,
    pub usage: Usage,
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
    pub fn new(store: Store, env: Env, live: LiveKeys, everyones_limit: u32) -> Self {
        Self { store, env, live, usage: Usage::default(), everyones_limit }
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
            if table::ids_of_owner(tx, key.owner)?.len() >= MAX_KEYS {
                return Err(Error::invalid("name", format!("would be one more than {MAX_KEYS} keys")));
            }
            table::insert(tx, &key)?;
            // Somebody may have asked for this id before it was one.
            live.forget(tx, key.id);
            audit::table::append(tx, described(&by, "api_key.created", &owner, &key, now))?;
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
            let revoked_at = old.revoked_at.or(Some(now));
            Ok(ApiKey { revoked_at, previous: None, updated_at: now, ..old })
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
            audit::table::append(tx, described(&by, "api_key.deleted", &owner, &key, now))
        };
        self.store.write(change).await
    }

    /// Who makes a request with a key; counts the use.
    ///
    /// # Errors
    /// `Error::InvalidToken`, `Error::TokenExpired`, `Error::TokenRevoked`, `Error::WrongNetwork`;
    /// `Error::Unavailable` when the store does not serve.
    pub fn authenticate(&self, text: &str, address: IpAddr) -> Result<Actor> {
        let now = self.env.now();
        match self.live.judge(text, now, Some(address))? {
            Judged::Good(actor) => {
                if let Via::Key(key) = &actor.via {
                    self.usage.accepted(key.id, now, Some(address));
                }
                Ok(actor)
            }
            Judged::Bad(flaw, key) => {
                if let Some(key) = key {
                    self.usage.refused(key.id);
                }
                Err(flaw.error())
            }
        }
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
            let new = make(tx, &by, &owner, old)?;
            table::update(tx, &new)?;
            live.forget(tx, id);
            audit::table::append(tx, described(&by, action, &owner, &new, now))?;
            Ok(new)
        };
        self.store.write(change).await
    }
}

fn of_owner(tx: &impl Tx, owner: SubjectId, id: Id<ApiKey>) -> Result<ApiKey> {
    table::by_id(tx, id)?.filter(|key| key.owner == owner).ok_or(Error::NotFound("API key"))
}

/// The owner that a key is to be made for: oneself, or somebody who holds no more.
fn owner_of(tx: &impl Tx, by: &Initiator, id: SubjectId) -> Result<Subject> {
    let not_there =
        Error::NotFound(if matches!(id, SubjectId::User(_)) { "user" } else { "service account" });
    let owner = subject_by_id(tx, id)?.filter(Subject::may_go_on).ok_or(not_there)?;
    if !by.is(id) {
        by.check(tx, &book_of(tx)?.sum(owner.roles()))?;
    }
    Ok(owner)
}

/// A key with its owner, if it may do no more than whoever acts on it. So a key with few rights gets no other's text.
fn over(tx: &impl Tx, by: &Initiator, owner: SubjectId, id: Id<ApiKey>) -> Result<(Subject, ApiKey)> {
    let key = of_owner(tx, owner, id)?;
    let owner = subject_by_id(tx, owner)?.ok_or(Error::NotFound("API key"))?;
    by.check(tx, &effective(&book_of(tx)?, &owner, &key.rights))?;
    check_lasting(tx, by, &key.rights)?;
    Ok((owner, key))
}

/// What is everything, or a role's, may be more tomorrow: whoever acts with a key that is limited hands on or takes over
/// none of that but the roles that this key has itself.
fn check_lasting(tx: &impl Tx, by: &Initiator, rights: &Rights) -> Result<()> {
    let Some(id) = by.key() else { return Ok(()) };
    let own = table::by_id(tx, id)?.ok_or(Error::TokenRevoked)?.rights;
    if own.unrestricted {
        return Ok(());
    }
    if rights.unrestricted {
        return Err(Error::Forbidden("*".into()));
    }
    let missing = rights.roles.iter().find(|role| !own.roles.contains(role));
    missing.map_or(Ok(()), |role| Err(Error::Forbidden(format!("role {role}").into())))
}

/// What rights come to in the hands of an owner.
fn effective(book: &RoleBook, owner: &Subject, rights: &Rights) -> Grants {
    book.sum(owner.roles()).within(&book.of_rights(rights))
}

/// Rights that are asked for have to be there, be the owner's, and be those of whoever gives them.
fn check_rights(tx: &impl Tx, by: &Initiator, owner: &Subject, rights: &Rights) -> Result<()> {
    let book = book_of(tx)?;
    if let Some(missing) = rights.roles.iter().find(|role| book.role(role.as_str()).is_none()) {
        return Err(Error::invalid("roles", format!("has `{missing}`, which is not there")));
    }
    check_defined(tx, &rights.permissions)?;
    if !rights.unrestricted {
        let held = book.sum(owner.roles());
        if let Some(above) = book.of_rights(rights).patterns().find(|pattern| !held.includes(pattern)) {
            return Err(Error::Forbidden(above.as_str().to_owned().into()));
        }
    }
    by.check(tx, &effective(&book, owner, rights))?;
    check_lasting(tx, by, rights)
}

/// Nobody lifts the limit that the server sets them: who could, could fill the audit trail until it forgets.
fn check_limit(tx: &impl Tx, by: &Initiator, requests: Option<u32>, everyones: u32) -> Result<()> {
    if everyones == 0 || requests.is_none_or(|requests| requests <= everyones) {
        return Ok(());
    }
    let permissions = vec![Pattern::parse("permissions", UsersWrite::NAME)?];
    by.check(tx, &book_of(tx)?.of_rights(&Rights { permissions, ..Rights::default() }))
}

fn check_end(key: &ApiKey, now: Timestamp) -> Result<()> {
    if key.expires_at.is_some_and(|end| end <= now) {
        return Err(Error::invalid("expires_at", "must be in the future"));
    }
    Ok(())
}

fn described(by: &Initiator, action: &str, owner: &Subject, key: &ApiKey, now: Timestamp) -> Event {
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
    event.with("api_key", key.id.to_string()).with("name", &key.name).with("rights", rights)
}
