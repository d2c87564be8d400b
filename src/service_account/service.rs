//! What can be done with service accounts. Nobody acts on one that holds more than they do.
use super::model::{ServiceAccount, ServiceAccountChange};
use super::table;
use crate::api_key::{self, LiveKeys};
use crate::audit::{self, Event};
use crate::base::text::Slug;
use crate::base::{Env, Error, Id, Page, PageRequest, Result};
use crate::rbac::model::{SUPERUSER, USER};
use crate::rbac::service::{book_of, check_roles};
use crate::rbac::{Initiator, RoleName, SubjectId};
use crate::store::{Store, Tx, WriteTx};

/// Service accounts.
#[derive(Clone)]
pub struct ServiceAccounts {
    pub store: Store,
    pub env: Env,
    pub live: LiveKeys,
}

impl ServiceAccounts {
    /// Makes a service account.
    ///
    /// # Errors
    /// `Error::Invalid` naming `name` when it is taken, or `roles` for one that is not there; `Error::Forbidden` for what
    /// the maker does not hold.
    pub async fn create(
        &self,
        by: Initiator,
        name: Slug,
        description: String,
        roles: &[String],
    ) -> Result<ServiceAccount> {
        let roles = parse_roles(roles)?;
        let now = self.env.now();
        let id = Id::new(now, self.env.entropy.as_ref());
        let account = ServiceAccount {
            id,
            name,
            description,
            roles,
            is_active: true,
            created_at: now,
            updated_at: now,
        };
        let change = move |tx: &mut WriteTx| {
            check_roles(tx, &by, &[], &names(&account.roles))?;
            table::insert(tx, &account)?;
            let event = described(&by, "service_account.created", &account);
            audit::table::append(tx, event.with("roles", names(&account.roles).join(" ")))?;
            Ok(account)
        };
        self.store.write(change).await
    }

    /// One page of all, the oldest first.
    ///
    /// # Errors
    /// `Error::Unavailable` when the store does not serve, here and below.
    pub async fn list(&self, request: PageRequest) -> Result<Page<ServiceAccount>> {
        self.store.scan(move |tx| table::page(tx, &request)).await
    }

    /// The service account with an id.
    ///
    /// # Errors
    /// `Error::NotFound`.
    pub fn read(&self, id: Id<ServiceAccount>) -> Result<ServiceAccount> {
        self.store.get(|tx| by_id(tx, id))
    }

    /// The service account of a name or an id.
    ///
    /// # Errors
    /// `Error::NotFound`; `Error::Invalid` naming `service_account` for an id of one that is another's name.
    pub fn find(&self, who: &str) -> Result<ServiceAccount> {
        let by_name = self.store.get(|tx| table::by_name(tx, who))?;
        let by_id =
            who.parse().ok().map(|id| self.store.get(|tx| table::by_id(tx, id))).transpose()?.flatten();
        match (by_name, by_id) {
            (Some(_), Some(_)) => {
                Err(Error::invalid("service_account", "is the id of one and the name of another"))
            }
            (found, other) => found.or(other).ok_or(Error::NotFound("service account")),
        }
    }

    /// Changes a service account. Switched off, its keys are good for nothing.
    ///
    /// # Errors
    /// `Error::NotFound`; `Error::Invalid` naming `name` when it is taken; `Error::Forbidden` for one that holds more.
    pub async fn change(
        &self,
        by: Initiator,
        id: Id<ServiceAccount>,
        change: ServiceAccountChange,
    ) -> Result<ServiceAccount> {
        let now = self.env.now();
        self.write(by, id, move |_, by, old| {
            let new = old.clone().with(change, now);
            let action = match (old.is_active, new.is_active) {
                (true, false) => "service_account.disabled",
                (false, true) => "service_account.enabled",
                _ => "service_account.changed",
            };
            let mut event = described(by, action, &new);
            if old.name != new.name {
                event = event.with("name_before", old.name.as_str());
            }
            if old.description != new.description {
                event = event.with("description", &new.description);
            }
            Ok((new, event))
        })
        .await
    }

    /// Gives a service account these roles instead of those that it has. They hold for its next request.
    ///
    /// # Errors
    /// As [`ServiceAccounts::create`], and `Error::NotFound`.
    pub async fn set_roles(
        &self,
        by: Initiator,
        id: Id<ServiceAccount>,
        roles: &[String],
    ) -> Result<ServiceAccount> {
        let roles = parse_roles(roles)?;
        let now = self.env.now();
        self.write(by, id, move |tx, by, old| {
            check_roles(tx, by, &names(&old.roles), &names(&roles))?;
            let new = ServiceAccount { roles, updated_at: now, ..old.clone() };
            let event = described(by, "service_account.roles_changed", &new);
            let event =
                event.with("from", names(&old.roles).join(" ")).with("to", names(&new.roles).join(" "));
            Ok((new, event))
        })
        .await
    }

    /// Removes a service account with all its keys.
    ///
    /// # Errors
    /// As [`ServiceAccounts::change`].
    pub async fn delete(&self, by: Initiator, id: Id<ServiceAccount>) -> Result<()> {
        let (live, now) = (self.live.clone(), self.env.now());
        let change = move |tx: &mut WriteTx| {
            let old = over(tx, &by, id)?;
            live.forget_owner(tx, SubjectId::Service(id))?;
            api_key::change::remove_all(tx, SubjectId::Service(id))?;
            table::remove(tx, &old);
            let event = Event::new(&by, "service_account.deleted", now);
            audit::table::append(tx, event.about(SubjectId::Service(id), old.name.as_str()))
        };
        self.store.write(change).await
    }

    async fn write(
        &self,
        by: Initiator,
        id: Id<ServiceAccount>,
        make: impl FnOnce(&WriteTx, &Initiator, &ServiceAccount) -> Result<(ServiceAccount, Event)>
        + Send
        + 'static,
    ) -> Result<ServiceAccount> {
        let live = self.live.clone();
        let change = move |tx: &mut WriteTx| {
            let old = over(tx, &by, id)?;
            let (new, event) = make(tx, &by, &old)?;
            table::update(tx, &old, &new)?;
            live.forget_owner(tx, SubjectId::Service(id))?;
            audit::table::append(tx, event)?;
            Ok(new)
        };
        self.store.write(change).await
    }
}

fn by_id(tx: &impl Tx, id: Id<ServiceAccount>) -> Result<ServiceAccount> {
    table::by_id(tx, id)?.ok_or(Error::NotFound("service account"))
}

/// A service account that holds no more than whoever acts on it.
fn over(tx: &impl Tx, by: &Initiator, id: Id<ServiceAccount>) -> Result<ServiceAccount> {
    let account = by_id(tx, id)?;
    by.check(tx, &book_of(tx)?.sum(account.roles.iter().map(RoleName::as_str)))?;
    Ok(account)
}

/// A program is nobody's last way in, and no person: it has neither the superuser's role nor that of everyone.
fn parse_roles(roles: &[String]) -> Result<Vec<RoleName>> {
    if let Some(role) = roles.iter().find(|role| [SUPERUSER, USER].contains(&role.as_str())) {
        return Err(Error::invalid("roles", format!("has `{role}`, which is for people")));
    }
    RoleName::parse_all("roles", roles)
}

fn names(roles: &[RoleName]) -> Vec<String> {
    roles.iter().map(ToString::to_string).collect()
}

fn described(by: &Initiator, action: &str, account: &ServiceAccount) -> Event {
    let id = SubjectId::Service(account.id);
    Event::new(by, action, account.updated_at).about(id, account.name.as_str())
}
