//! What can be done with roles and permissions, and what they come to for a user.
use std::sync::Arc;

use super::actor::{Actor, Initiator, Subject, SubjectId, Via, ViaId, Who};
use super::book::{Grants, RoleBook};
use super::model::{Role, RoleChange, RoleName, SUPERUSER, roles_of};
use super::permission::{Named, OWN, Pattern, Permission, PermissionsWrite};
use super::table::{self, Definition};
use crate::account::{self, User};
use crate::audit::{self, Event};
use crate::base::{Env, Error, Id, Result, Timestamp};
use crate::store::{Single, Store, Tx, WriteTx};
use crate::{api_key, oauth, service_account, session};

const MAX_PERMISSIONS: usize = 500;
const MAX_INCLUDES: usize = 50;
const MAX_ROLES: usize = 2000;
/// Names and patterns that one role may come to with those that it includes, and all roles together: they are added up
/// in every change of rights.
const MAX_SUM: usize = 2000;
const MAX_SUM_OF_ALL: usize = 100_000;

/// Roles and permissions.
#[derive(Clone)]
pub struct Roles {
    store: Store,
    env: Env,
    book: Single<Arc<RoleBook>>,
}

impl Initiator {
    /// Nobody gives or takes what they do not hold, and nobody acts on those who hold more.
    ///
    /// # Errors
    /// `Error::Forbidden` naming what is missing; `Error::TokenRevoked` for whoever may not go on by now.
    pub fn check(&self, tx: &impl Tx, given: &Grants) -> Result<()> {
        let (id, via) = match &self.who {
            Who::Host | Who::System => return Ok(()),
            Who::Nobody => return Err(Error::Unauthenticated),
            Who::Subject { id, via, .. } => (*id, via),
        };
        let subject = subject_by_id(tx, id)?.filter(Subject::may_go_on).ok_or(Error::TokenRevoked)?;
        if let ViaId::Session(session) = via {
            session::table::by_id(tx, *session)?.ok_or(Error::TokenRevoked)?;
        }
        let book = book_of(tx)?;
        let mut held = book.sum(subject.roles());
        if let ViaId::Key(key) = via {
            let key = api_key::table::by_id(tx, *key)?.filter(|key| key.revoked_at.is_none());
            held = held.within(&book.of_rights(&key.ok_or(Error::TokenRevoked)?.rights));
        }
        if let ViaId::Grant(delegated) = via {
            let id = Id::from_bytes(*delegated.grant.as_bytes());
            oauth::grant::table::by_id(tx, id)?.ok_or(Error::TokenRevoked)?;
            let mut let_have = Grants::default();
            delegated.permissions.iter().for_each(|pattern| let_have.add(pattern));
            held = held.within(&let_have);
        }
        let missing = given.patterns().find(|pattern| !held.includes(pattern));
        missing.map_or(Ok(()), |pattern| Err(Error::Forbidden(pattern.as_str().to_owned().into())))
    }

    /// Whether it still has a permission, in the change that needs it.
    ///
    /// # Errors
    /// As [`Initiator::check`].
    pub fn check_permission(&self, tx: &impl Tx, name: &'static str) -> Result<()> {
        self.check(tx, &Grants::of(&Pattern::parse("permissions", name)?))
    }
}

/// Whoever has an id, whether it may go on or not.
///
/// # Errors
/// `Error::Unavailable` when the store does not serve.
pub fn subject_by_id(tx: &impl Tx, id: SubjectId) -> Result<Option<Subject>> {
    Ok(match id {
        SubjectId::User(id) => account::table::by_id(tx, id)?.map(|user| Subject::User(Arc::new(user))),
        SubjectId::Service(id) => {
            service_account::table::by_id(tx, id)?.map(|service| Subject::Service(Arc::new(service)))
        }
    })
}

impl Roles {
    #[must_use]
    pub fn new(store: Store, env: Env) -> Self {
        Self { store, env, book: Single::default() }
    }

    /// All roles as of the last commit.
    ///
    /// # Errors
    /// `Error::Unavailable` when the store does not serve, here and below.
    pub fn book(&self) -> Result<Arc<RoleBook>> {
        self.book.get(&self.store, |tx| book_of(tx).map(Arc::new))
    }

    /// Whether somebody's roles allow a permission; with a key, whether the key's own rights do, too.
    ///
    /// # Errors
    /// As [`Roles::book`].
    pub fn allows(&self, actor: &Actor, permission: &str) -> Result<bool> {
        let book = self.book()?;
        let by_what_acts = match &actor.via {
            Via::Session(_) => true,
            Via::Key(key) => book.rights_allow(&key.rights, permission),
            Via::Grant(delegated) => delegated.permissions.iter().any(|one| one.matches(permission)),
        };
        Ok(by_what_acts && book.allows(actor.subject.roles(), permission))
    }

    /// Whoever has an id, if it may go on.
    ///
    /// # Errors
    /// As [`Roles::book`].
    pub fn subject(&self, id: SubjectId) -> Result<Option<Subject>> {
        Ok(self.store.get(|tx| subject_by_id(tx, id))?.filter(Subject::may_go_on))
    }

    /// Makes a role.
    ///
    /// # Errors
    /// `Error::Invalid` naming `name` when it is taken, and what [`Roles::change`] refuses.
    pub async fn create(&self, by: Initiator, name: RoleName, change: RoleChange) -> Result<Role> {
        let now = self.env.now();
        self.write(by, now, move |book| {
            if book.role(name.as_str()).is_some() {
                return Err(Error::invalid("name", "is taken"));
            }
            if book.roles().count() >= MAX_ROLES {
                return Err(Error::invalid("name", format!("would be one more than {MAX_ROLES} roles")));
            }
            let description = String::new();
            let (permissions, includes) = (Vec::new(), Vec::new());
            let made = Role { name, description, permissions, includes, created_at: now, updated_at: now };
            Ok(made.with(change, now))
        })
        .await
    }

    /// Changes a role.
    ///
    /// # Errors
    /// `Error::NotFound`; `Error::Invalid` naming `permissions` for one that nobody has defined or too many, `includes`
    /// for a role that is not there, a circle or too long a chain; `Error::Forbidden` for what the giver does not hold.
    pub async fn change(&self, by: Initiator, name: String, change: RoleChange) -> Result<Role> {
        let now = self.env.now();
        self.write(by, now, move |book| {
            let old = book.role(&name).ok_or(Error::NotFound("role"))?;
            if old.name.as_str() == SUPERUSER {
                return Err(Error::invalid("name", "is a role that cannot be changed"));
            }
            Ok(old.clone().with(change, now))
        })
        .await
    }

    /// Deletes a role that nobody has, no other role includes and no OAuth client is for.
    ///
    /// # Errors
    /// `Error::NotFound`; `Error::Invalid` naming `name` for one that is built in or in use.
    pub async fn delete(&self, by: Initiator, name: String) -> Result<()> {
        let (cache, now) = (self.book.clone(), self.env.now());
        let change = move |tx: &mut WriteTx| {
            let book = book_of(tx)?;
            let role = book.role(&name).ok_or(Error::NotFound("role"))?;
            if role.name.is_built_in() {
                return Err(Error::invalid("name", "is a built-in role"));
            }
            by.check(tx, book.grants(&name).ok_or(Error::NotFound("role"))?)?;
            if book.roles().any(|other| other.includes.contains(&role.name)) {
                return Err(Error::invalid("name", "is included in another role"));
            }
            if account::table::has_holder(tx, &name)? || service_account::table::has_holder(tx, &name)? {
                return Err(Error::invalid("name", "is held by users or service accounts"));
            }
            if api_key::table::has_holder(tx, &name)? {
                return Err(Error::invalid("name", "is held by API keys"));
            }
            if oauth::client::table::names_role(tx, &name)? {
                return Err(Error::invalid("name", "is named by OAuth clients"));
            }
            table::remove_role(tx, &role.name);
            cache.forget(tx);
            audit::table::append(tx, Event::new(&by, "role.deleted", now).with("role", &name))
        };
        self.store.write(change).await
    }

    /// Every permission there is: those of this service, then those that others have defined.
    ///
    /// # Errors
    /// As [`Roles::book`].
    pub fn permissions(&self) -> Result<Vec<(String, String, Option<Timestamp>)>> {
        let own = OWN.iter().map(|(name, about)| ((*name).to_owned(), about.trim().to_owned(), None));
        let others = self.store.get(table::permissions)?;
        let others =
            others.into_iter().map(|one| (one.name.to_string(), one.description, Some(one.created_at)));
        let mut all: Vec<_> = own.chain(others).collect();
        all.sort();
        Ok(all)
    }

    /// Defines a permission of another service.
    ///
    /// # Errors
    /// `Error::Invalid` naming `name` when it is there already.
    pub async fn define(&self, by: Initiator, name: Permission, description: String) -> Result<Definition> {
        let created_at = self.env.now();
        let change = move |tx: &mut WriteTx| {
            by.check_permission(tx, PermissionsWrite::NAME)?;
            if is_defined(tx, name.as_str())? {
                return Err(Error::invalid("name", "is taken"));
            }
            let made = Definition { name, description, created_at };
            table::put_permission(tx, &made)?;
            let event = Event::new(&by, "permission.defined", created_at);
            audit::table::append(tx, event.with("permission", made.name.as_str()))?;
            Ok(made)
        };
        self.store.write(change).await
    }

    /// Takes a definition back.
    ///
    /// # Errors
    /// `Error::NotFound`; `Error::Invalid` naming `name` for one of this service, and for one that a role names.
    pub async fn undefine(&self, by: Initiator, name: Permission) -> Result<()> {
        let now = self.env.now();
        let change = move |tx: &mut WriteTx| {
            if OWN.iter().any(|(own, _)| *own == name.as_str()) {
                return Err(Error::invalid("name", "is a permission of this service"));
            }
            by.check_permission(tx, PermissionsWrite::NAME)?;
            table::permission(tx, name.as_str())?.ok_or(Error::NotFound("permission"))?;
            let named = Pattern::from(name.clone());
            if book_of(tx)?.roles().any(|role| role.permissions.contains(&named)) {
                return Err(Error::invalid("name", "is held by a role"));
            }
            table::remove_permission(tx, &name);
            audit::table::append(
                tx,
                Event::new(&by, "permission.deleted", now).with("permission", name.as_str()),
            )
        };
        self.store.write(change).await
    }

    /// Writes the role that `make` makes of what is there, if the giver holds all that it comes to.
    async fn write(
        &self,
        by: Initiator,
        now: Timestamp,
        make: impl FnOnce(&RoleBook) -> Result<Role> + Send + 'static,
    ) -> Result<Role> {
        let cache = self.book.clone();
        let change = move |tx: &mut WriteTx| {
            let old = book_of(tx)?;
            let role = Role { updated_at: now, ..make(&old)? };
            check_sizes(&role)?;
            check_defined(tx, &role.permissions)?;
            let others = table::roles(tx)?.into_iter().filter(|other| other.name != role.name);
            let new = RoleBook::new(others.chain([role.clone()]))?;
            check_sums(&new)?;
            for book in [&old, &new] {
                book.grants(role.name.as_str()).map_or(Ok(()), |grants| by.check(tx, grants))?;
            }
            let action = if old.role(role.name.as_str()).is_some() { "role.changed" } else { "role.created" };
            table::put_role(tx, &role)?;
            cache.forget(tx);
            audit::table::append(tx, written(&by, action, (old.role(role.name.as_str()), &role), now))?;
            Ok(role)
        };
        self.store.write(change).await
    }
}

/// A role that was written; of one that was there before, what it had.
fn written(by: &Initiator, action: &str, (old, new): (Option<&Role>, &Role), now: Timestamp) -> Event {
    let permissions = |role: &Role| {
        let all: Vec<_> = role.permissions.iter().map(Pattern::as_str).collect();
        all.join(" ")
    };
    let includes = |role: &Role| {
        let all: Vec<_> = role.includes.iter().map(RoleName::as_str).collect();
        all.join(" ")
    };
    let mut event = Event::new(by, action, now)
        .with("role", new.name.as_str())
        .with("permissions", permissions(new))
        .with("includes", includes(new));
    if let Some(old) = old.filter(|old| old.permissions != new.permissions) {
        event = event.with("permissions_before", permissions(old));
    }
    if let Some(old) = old.filter(|old| old.includes != new.includes) {
        event = event.with("includes_before", includes(old));
    }
    event
}

/// What a user who is given these roles instead of the ones it has would gain and lose.
///
/// # Errors
/// `Error::Invalid` naming `roles` for one that is not there; `Error::Forbidden` for what the giver does not hold.
pub fn check_roles(tx: &impl Tx, by: &Initiator, old: &[String], new: &[String]) -> Result<()> {
    let book = book_of(tx)?;
    for role in new.iter().filter(|role| !old.contains(role)) {
        if book.role(role).is_none() {
            return Err(Error::invalid("roles", format!("has `{role}`, which is not there")));
        }
    }
    let changed =
        old.iter().filter(|role| !new.contains(role)).chain(new.iter().filter(|role| !old.contains(role)));
    changed.filter_map(|role| book.grants(role)).try_for_each(|grants| by.check(tx, grants))
}

/// Whoever acts on a user has to hold all that the user holds.
///
/// # Errors
/// `Error::Forbidden` naming what the giver does not hold.
pub fn check_over(tx: &impl Tx, by: &Initiator, user: &User) -> Result<()> {
    by.check(tx, &book_of(tx)?.sum(roles_of(user).iter().map(String::as_str)))
}

/// All roles as a change sees them.
///
/// # Errors
/// `Error::Unavailable` when the store does not serve.
pub fn book_of(tx: &impl Tx) -> Result<RoleBook> {
    RoleBook::new(table::roles(tx)?)
}

/// Refuses a permission that nobody has defined; patterns stand for what may come.
///
/// # Errors
/// `Error::Invalid` naming `permissions`.
pub fn check_defined(tx: &impl Tx, permissions: &[Pattern]) -> Result<()> {
    for pattern in permissions.iter().filter(|pattern| pattern.is_exact()) {
        if !is_defined(tx, pattern.as_str())? {
            let reason = format!("has `{}`, which nobody has defined", pattern.as_str());
            return Err(Error::invalid("permissions", reason));
        }
    }
    Ok(())
}

fn is_defined(tx: &impl Tx, name: &str) -> Result<bool> {
    Ok(OWN.iter().any(|(own, _)| *own == name) || table::permission(tx, name)?.is_some())
}

fn check_sums(book: &RoleBook) -> Result<()> {
    let sums: Vec<_> =
        book.roles().filter_map(|role| book.grants(role.name.as_str())).map(Grants::len).collect();
    let (largest, all) = (sums.iter().max().copied().unwrap_or_default(), sums.iter().sum::<usize>());
    if largest > MAX_SUM {
        return Err(Error::invalid("permissions", format!("would come to more than {MAX_SUM} in one role")));
    }
    if all > MAX_SUM_OF_ALL {
        let reason = format!("would come to more than {MAX_SUM_OF_ALL} in all roles together");
        return Err(Error::invalid("permissions", reason));
    }
    Ok(())
}

fn check_sizes(role: &Role) -> Result<()> {
    if role.permissions.len() > MAX_PERMISSIONS {
        return Err(Error::invalid("permissions", format!("must be at most {MAX_PERMISSIONS}")));
    }
    if role.includes.len() > MAX_INCLUDES {
        return Err(Error::invalid("includes", format!("must be at most {MAX_INCLUDES}")));
    }
    Ok(())
}
