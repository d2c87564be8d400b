//! What can be done with roles and permissions, and what they come to for a user.
use std::sync::Arc;

use super::book::{Grants, RoleBook};
use super::model::{Role, RoleChange, RoleName, SUPERUSER, USER, roles_of};
use super::permission::{OWN, Pattern, Permission};
use super::table::{self, Definition};
use crate::account::{self, User};
use crate::base::{Env, Error, Result, Timestamp};
use crate::store::{Cache, Store, Tx, WriteTx};

const MAX_PERMISSIONS: usize = 500;
const MAX_INCLUDES: usize = 50;
const MAX_ROLES: usize = 2000;

/// Roles and permissions.
#[derive(Clone)]
pub struct Roles {
    store: Store,
    env: Env,
    book: Cache<(), Arc<RoleBook>>,
}

/// On whose behalf something is given away: nobody gives what they do not hold.
#[derive(Debug, Clone)]
pub enum Giver {
    /// The host, who may do everything.
    Host,
    /// A user, by what its roles come to in the change itself: rights that were taken meanwhile give nothing.
    User(u64),
}

impl Giver {
    /// # Errors
    /// `Error::Forbidden` naming what is missing.
    pub fn check(&self, tx: &impl Tx, given: &Grants) -> Result<()> {
        let Self::User(id) = self else { return Ok(()) };
        let user = account::table::by_id(tx, *id)?.filter(User::may_go_on).ok_or(Error::TokenRevoked)?;
        let held = book_of(tx)?.sum(roles_of(&user).iter().map(String::as_str));
        let missing = given.patterns().find(|pattern| !held.includes(pattern));
        missing.map_or(Ok(()), |pattern| Err(Error::Forbidden(pattern.as_str().to_owned().into())))
    }
}

impl Roles {
    #[must_use]
    pub fn new(store: Store, env: Env) -> Self {
        Self { store, env, book: Cache::new(1) }
    }

    /// All roles as of the last commit.
    ///
    /// # Errors
    /// `Error::Unavailable` when the store does not serve, here and below.
    pub fn book(&self) -> Result<Arc<RoleBook>> {
        self.book.get(&self.store, (), |tx| book_of(tx).map(Arc::new))
    }

    /// Whether a user's roles allow a permission.
    ///
    /// # Errors
    /// As [`Roles::book`].
    pub fn allows(&self, user: &User, permission: &str) -> Result<bool> {
        let book = self.book()?;
        let given = user.roles.iter().map(RoleName::as_str);
        let superuser = user.is_superuser.then_some(SUPERUSER);
        Ok(book.allows(superuser.into_iter().chain(given).chain([USER]), permission))
    }

    /// What a user's roles come to.
    ///
    /// # Errors
    /// As [`Roles::book`].
    pub fn grants_of(&self, user: &User) -> Result<Grants> {
        Ok(self.book()?.sum(roles_of(user).iter().map(String::as_str)))
    }

    /// The user of an id, if it may go on.
    ///
    /// # Errors
    /// As [`Roles::book`].
    pub fn subject(&self, id: u64) -> Result<Option<User>> {
        Ok(self.store.get(|tx| account::table::by_id(tx, id))?.filter(User::may_go_on))
    }

    /// Makes a role.
    ///
    /// # Errors
    /// `Error::Invalid` naming `name` when it is taken, and what [`Roles::change`] refuses.
    pub async fn create(&self, giver: Giver, name: RoleName, change: RoleChange) -> Result<Role> {
        let now = self.env.now();
        self.write(giver, now, move |book| {
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
    pub async fn change(&self, giver: Giver, name: String, change: RoleChange) -> Result<Role> {
        let now = self.env.now();
        self.write(giver, now, move |book| {
            let old = book.role(&name).ok_or(Error::NotFound("role"))?;
            if old.name.as_str() == SUPERUSER {
                return Err(Error::invalid("name", "is a role that cannot be changed"));
            }
            Ok(old.clone().with(change, now))
        })
        .await
    }

    /// Deletes a role that nobody has and no other role includes.
    ///
    /// # Errors
    /// `Error::NotFound`; `Error::Invalid` naming `name` for one that is built in or in use.
    pub async fn delete(&self, giver: Giver, name: String) -> Result<()> {
        let cache = self.book.clone();
        let change = move |tx: &mut WriteTx| {
            let book = book_of(tx)?;
            let role = book.role(&name).ok_or(Error::NotFound("role"))?;
            if role.name.is_built_in() {
                return Err(Error::invalid("name", "is a built-in role"));
            }
            giver.check(tx, book.grants(&name).ok_or(Error::NotFound("role"))?)?;
            if book.roles().any(|other| other.includes.contains(&role.name)) {
                return Err(Error::invalid("name", "is included in another role"));
            }
            if account::table::has_holder(tx, &name)? {
                return Err(Error::invalid("name", "is held by users"));
            }
            table::remove_role(tx, &role.name);
            cache.forget(tx, ());
            Ok(())
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
    pub async fn define(&self, name: Permission, description: String) -> Result<Definition> {
        let created_at = self.env.now();
        let change = move |tx: &mut WriteTx| {
            if is_defined(tx, name.as_str())? {
                return Err(Error::invalid("name", "is taken"));
            }
            let made = Definition { name, description, created_at };
            table::put_permission(tx, &made)?;
            Ok(made)
        };
        self.store.write(change).await
    }

    /// Takes a definition back.
    ///
    /// # Errors
    /// `Error::NotFound`; `Error::Invalid` naming `name` for one of this service, and for one that a role names.
    pub async fn undefine(&self, name: Permission) -> Result<()> {
        let change = move |tx: &mut WriteTx| {
            if OWN.iter().any(|(own, _)| *own == name.as_str()) {
                return Err(Error::invalid("name", "is a permission of this service"));
            }
            table::permission(tx, name.as_str())?.ok_or(Error::NotFound("permission"))?;
            let named = Pattern::from(name.clone());
            if book_of(tx)?.roles().any(|role| role.permissions.contains(&named)) {
                return Err(Error::invalid("name", "is held by a role"));
            }
            table::remove_permission(tx, &name);
            Ok(())
        };
        self.store.write(change).await
    }

    /// Writes the role that `make` makes of what is there, if the giver holds all that it comes to.
    async fn write(
        &self,
        giver: Giver,
        now: Timestamp,
        make: impl FnOnce(&RoleBook) -> Result<Role> + Send + 'static,
    ) -> Result<Role> {
        let cache = self.book.clone();
        let change = move |tx: &mut WriteTx| {
            let old = book_of(tx)?;
            let role = Role { updated_at: now, ..make(&old)? };
            check_sizes(&role)?;
            for pattern in role.permissions.iter().filter(|pattern| pattern.is_exact()) {
                if !is_defined(tx, pattern.as_str())? {
                    return Err(Error::invalid(
                        "permissions",
                        format!("has `{}`, which nobody has defined", pattern.as_str()),
                    ));
                }
            }
            let others = table::roles(tx)?.into_iter().filter(|other| other.name != role.name);
            let new = RoleBook::new(others.chain([role.clone()]))?;
            for book in [&old, &new] {
                book.grants(role.name.as_str()).map_or(Ok(()), |grants| giver.check(tx, grants))?;
            }
            table::put_role(tx, &role)?;
            cache.forget(tx, ());
            Ok(role)
        };
        self.store.write(change).await
    }
}

/// What a user who is given these roles instead of the ones it has would gain and lose.
///
/// # Errors
/// `Error::Invalid` naming `roles` for one that is not there; `Error::Forbidden` for what the giver does not hold.
pub fn check_roles(tx: &impl Tx, giver: &Giver, old: &[String], new: &[String]) -> Result<()> {
    let book = book_of(tx)?;
    for role in new.iter().filter(|role| !old.contains(role)) {
        if book.role(role).is_none() {
            return Err(Error::invalid("roles", format!("has `{role}`, which is not there")));
        }
    }
    let changed =
        old.iter().filter(|role| !new.contains(role)).chain(new.iter().filter(|role| !old.contains(role)));
    changed.filter_map(|role| book.grants(role)).try_for_each(|grants| giver.check(tx, grants))
}

/// Whoever acts on a user has to hold all that the user holds.
///
/// # Errors
/// `Error::Forbidden` naming what the giver does not hold.
pub fn check_over(tx: &impl Tx, giver: &Giver, user: &User) -> Result<()> {
    giver.check(tx, &book_of(tx)?.sum(roles_of(user).iter().map(String::as_str)))
}

fn book_of(tx: &impl Tx) -> Result<RoleBook> {
    RoleBook::new(table::roles(tx)?)
}

fn is_defined(tx: &impl Tx, name: &str) -> Result<bool> {
    Ok(OWN.iter().any(|(own, _)| *own == name) || table::permission(tx, name)?.is_some())
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
