//! All roles with what they come to, once the roles that they include are followed. Pure.
use std::collections::{BTreeMap, HashMap, HashSet};

use foldhash::fast::RandomState;

use super::actor::{Actor, Subject, Via};
use super::held::{Held, Part};
use super::model::{ADMIN, Role, RoleName, SUPERUSER, USER};
use super::permission::{OWN, Pattern};
use crate::api_key::Rights;
use crate::base::{Error, Result, Timestamp};

/// How far a chain of roles that include each other may reach.
const MAX_DEPTH: usize = 8;
/// Permissions of this service that an administrator who is no superuser does not have. Whoever imports chooses the
/// password hashes of others; a client that exchanges tokens acts for anybody.
const NOT_FOR_ADMINS: &[&str] =
    &["permissions:write", "roles:write", "tokens:exchange", "tokens:impersonate", "users:import"];

/// What every person may do, whatever the role of everyone says.
const EVERYONES: &[&str] =
    &["account:read", "account:write", "account:password", "account:keys", "account:factors"];

/// What somebody holds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Grants {
    pub(super) exact: HashSet<String, RandomState>,
    pub(super) patterns: Vec<Pattern>,
    /// The same, to be found.
    known: HashSet<Pattern, RandomState>,
}

impl Grants {
    /// Whether a permission is in it.
    #[must_use]
    pub fn allows(&self, permission: &str) -> bool {
        self.exact.contains(permission) || self.patterns.iter().any(|pattern| pattern.matches(permission))
    }

    /// Whether a whole pattern is in it.
    #[must_use]
    pub fn includes(&self, pattern: &Pattern) -> bool {
        self.exact.contains(pattern.as_str()) || pattern.wider().any(|wider| self.known.contains(&wider))
    }

    /// How many names and patterns it has.
    #[must_use]
    pub fn len(&self) -> usize {
        self.exact.len() + self.patterns.len()
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// What of it is in another, too.
    #[must_use]
    pub fn within(&self, other: &Self) -> Self {
        let mut both = Self::default();
        both.exact.extend(self.exact.iter().filter(|name| other.allows(name)).cloned());
        both.exact.extend(other.exact.iter().filter(|name| self.allows(name)).cloned());
        for mine in &self.patterns {
            let shared = other.patterns.iter().filter_map(|theirs| mine.intersection(theirs));
            shared.for_each(|pattern| both.add(&pattern));
        }
        both
    }

    /// All of it, as patterns.
    pub fn patterns(&self) -> impl Iterator<Item = Pattern> + '_ {
        self.exact.iter().map(|name| Pattern::of_exact(name)).chain(self.patterns.iter().cloned())
    }

    /// One pattern alone.
    #[must_use]
    pub fn of(pattern: &Pattern) -> Self {
        let mut one = Self::default();
        one.add(pattern);
        one
    }

    pub(super) fn add(&mut self, pattern: &Pattern) {
        if pattern.is_exact() {
            self.exact.insert(pattern.as_str().to_owned());
        } else if self.known.insert(pattern.clone()) {
            self.patterns.push(pattern.clone());
        }
    }

    fn extend(&mut self, other: &Self) {
        self.exact.extend(other.exact.iter().cloned());
        other.patterns.iter().for_each(|pattern| self.add(pattern));
    }
}

/// Every role, and what it comes to.
#[derive(Debug, Default)]
pub struct RoleBook {
    roles: BTreeMap<String, Role>,
    grants: HashMap<String, Grants, RandomState>,
}

impl RoleBook {
    /// The built-in roles, and over them those that are stored.
    ///
    /// # Errors
    /// `Error::Invalid` naming `includes` for a role that is not there, for a circle, and for a chain that is too long.
    pub fn new(stored: impl IntoIterator<Item = Role>) -> Result<Self> {
        let named = |role: Role| (role.name.as_str().to_owned(), role);
        let roles: BTreeMap<_, _> = built_in()?.into_iter().chain(stored).map(named).collect();
        let mut resolver = Resolver { roles: &roles, done: HashMap::new() };
        for name in roles.keys() {
            resolver.resolve(name, MAX_DEPTH)?;
        }
        let grants = resolver.done.into_iter().map(|(name, (grants, _))| (name, grants)).collect();
        Ok(Self { roles, grants })
    }

    /// All roles, by name.
    pub fn roles(&self) -> impl Iterator<Item = &Role> {
        self.roles.values()
    }

    #[must_use]
    pub fn role(&self, name: &str) -> Option<&Role> {
        self.roles.get(name)
    }

    /// Whether some of these roles allows a permission. A role that is not there allows nothing.
    pub fn allows<'a>(&self, roles: impl IntoIterator<Item = &'a str>, permission: &str) -> bool {
        roles.into_iter().filter_map(|role| self.grants.get(role)).any(|grants| grants.allows(permission))
    }

    /// What these roles come to together.
    pub fn sum<'a>(&self, roles: impl IntoIterator<Item = &'a str>) -> Grants {
        let mut sum = Grants::default();
        roles.into_iter().filter_map(|role| self.grants.get(role)).for_each(|grants| sum.extend(grants));
        sum
    }

    /// What somebody holds who acts: with a key, no more than the key's own rights; through a client, no more than it was let.
    #[must_use]
    pub fn held_by<'a>(&'a self, actor: &'a Actor) -> Held<'a> {
        let key = match &actor.via {
            Via::Key(key) if !key.rights.unrestricted => Some(Part {
                roles: self.find(key.rights.roles.iter().map(RoleName::as_str)),
                named: &key.rights.permissions,
            }),
            Via::Grant(delegated) => Some(Part { roles: Vec::new(), named: &delegated.permissions }),
            Via::Key(_) | Via::Session(_) => None,
        };
        Held { key, ..self.held_by_subject(&actor.subject) }
    }

    /// What somebody holds who does not act here.
    #[must_use]
    pub fn held_by_subject<'a>(&'a self, subject: &'a Subject) -> Held<'a> {
        Held { owner: Part { roles: self.find(subject.roles()), named: &[] }, key: None }
    }

    fn find<'a>(&'a self, roles: impl Iterator<Item = &'a str>) -> Vec<&'a Grants> {
        roles.filter_map(|role| self.grants.get(role)).collect()
    }

    /// Whether the rights of a key allow a permission, whatever its owner may do.
    #[must_use]
    pub fn rights_allow(&self, rights: &Rights, permission: &str) -> bool {
        rights.unrestricted
            || rights.permissions.iter().any(|pattern| pattern.matches(permission))
            || self.allows(rights.roles.iter().map(RoleName::as_str), permission)
    }

    /// What the rights of a key come to, whatever its owner may do. A role that is not there gives nothing.
    #[must_use]
    pub fn of_rights(&self, rights: &Rights) -> Grants {
        let mut sum = self.sum(rights.roles.iter().map(RoleName::as_str));
        rights.permissions.iter().for_each(|pattern| sum.add(pattern));
        if rights.unrestricted {
            sum.add(&Pattern::everything());
        }
        sum
    }

    /// What a role comes to.
    #[must_use]
    pub fn grants(&self, role: &str) -> Option<&Grants> {
        self.grants.get(role)
    }
}

/// Follows roles to those that they include, each role once.
struct Resolver<'a> {
    roles: &'a BTreeMap<String, Role>,
    /// What a role comes to, and how many roles the longest chain from it has.
    done: HashMap<String, (Grants, usize)>,
}

impl Resolver<'_> {
    /// `room`: how many roles may still follow. A circle is a chain without end.
    fn resolve(&mut self, name: &str, room: usize) -> Result<(Grants, usize)> {
        let too_deep =
            || Error::invalid("includes", format!("goes in a circle or deeper than {MAX_DEPTH} roles"));
        if let Some((grants, length)) = self.done.get(name) {
            return if *length <= room { Ok((grants.clone(), *length)) } else { Err(too_deep()) };
        }
        let below = room.checked_sub(1).ok_or_else(too_deep)?;
        let missing = || Error::invalid("includes", format!("has the role `{name}`, which is not there"));
        let role = self.roles.get(name).ok_or_else(missing)?;
        let (mut sum, mut longest) = (Grants::default(), 0);
        role.permissions.iter().for_each(|pattern| sum.add(pattern));
        if name == USER {
            // Nobody is shut out of the own account by a change of the role of everyone.
            EVERYONES.iter().for_each(|permission| sum.add(&Pattern::of_exact(permission)));
        }
        for next in &role.includes {
            let (grants, length) = self.resolve(next.as_str(), below)?;
            sum.extend(&grants);
            longest = longest.max(length);
        }
        self.done.insert(name.to_owned(), (sum.clone(), longest + 1));
        Ok((sum, longest + 1))
    }
}

/// What comes with the program; times are those of nobody's doing.
fn built_in() -> Result<[Role; 3]> {
    let role = |name: &str, description: &str, permissions: Vec<Pattern>| {
        let (created_at, updated_at) = (Timestamp::default(), Timestamp::default());
        let (name, description) = (RoleName::parse("name", name)?, description.to_owned());
        Ok(Role { name, description, permissions, includes: Vec::new(), created_at, updated_at })
    };
    let for_admins = OWN.iter().map(|(name, _)| *name).filter(|name| !NOT_FOR_ADMINS.contains(name));
    let for_admins = for_admins.map(|name| Pattern::parse("permissions", name)).collect::<Result<_>>()?;
    Ok([
        role(SUPERUSER, "May do everything", vec![Pattern::everything()])?,
        role(ADMIN, "Runs the service: accounts, their sessions and roles", for_admins)?,
        role(USER, "What everyone may do, beside looking after the own account", Vec::new())?,
    ])
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn role(name: &str, permissions: &[&str], includes: &[&str]) -> Role {
        let parse = |text: &&str| RoleName::parse("includes", text).unwrap();
        Role {
            name: parse(&name),
            description: String::new(),
            permissions: permissions
                .iter()
                .map(|text| Pattern::parse("permissions", text).unwrap())
                .collect(),
            includes: includes.iter().map(parse).collect(),
            created_at: Timestamp::default(),
            updated_at: Timestamp::default(),
        }
    }

    #[test]
    fn a_role_has_what_the_roles_that_it_includes_have() {
        let all = [role("a", &["x:read"], &["b"]), role("b", &["y:*"], &["c"]), role("c", &["z:z:z"], &[])];
        let book = RoleBook::new(all).unwrap();
        for (permission, allowed) in [("x:read", true), ("y:any", true), ("z:z:z", true), ("x:write", false)]
        {
            assert_eq!(book.allows(["a"], permission), allowed, "{permission}");
        }
        assert!(!book.allows(["c", "nobody"], "x:read") && book.allows(["c", "a"], "x:read"));
        let sum: BTreeSet<_> = book.sum(["a", "b"]).patterns().collect();
        let all = ["x:read", "y:*", "z:z:z"].map(|text| Pattern::parse("permissions", text).unwrap());
        assert_eq!(sum, all.into());
    }

    #[test]
    fn circles_missing_roles_and_long_chains_are_refused() {
        assert!(RoleBook::new([role("a", &[], &["a"])]).is_err());
        assert!(RoleBook::new([role("a", &[], &["b"]), role("b", &[], &["a"])]).is_err());
        assert!(RoleBook::new([role("a", &[], &["b"])]).is_err());
        let chain = |length: usize| {
            (0..length).map(move |n| {
                let next = format!("r{}", n + 1);
                let next = [next.as_str()];
                role(&format!("r{n}"), &[], if n + 1 < length { &next } else { &[] })
            })
        };
        assert!(RoleBook::new(chain(MAX_DEPTH).collect::<Vec<_>>()).is_ok());
        assert!(RoleBook::new(chain(MAX_DEPTH + 1).collect::<Vec<_>>()).is_err());
    }

    #[test]
    fn many_ways_to_the_same_role_cost_nothing() {
        let name = |layer: usize, n: usize| format!("l{layer}-{n}");
        let layers = (0..MAX_DEPTH).flat_map(|layer| {
            (0..40).map(move |n| {
                let next: Vec<_> = (0..40).map(|n| name(layer + 1, n)).collect();
                let next: Vec<_> = next.iter().map(String::as_str).collect();
                role(&name(layer, n), &[], if layer + 1 < MAX_DEPTH { &next } else { &[] })
            })
        });
        assert!(RoleBook::new(layers.collect::<Vec<_>>()).is_ok());
    }

    #[test]
    fn the_built_in_roles() {
        let book = RoleBook::new([]).unwrap();
        assert!(book.allows([SUPERUSER], "any:thing:at-all") && book.allows([ADMIN], "users:read"));
        assert!(!book.allows([ADMIN], "roles:write") && !book.allows([USER], "users:read"));
        let changed = RoleBook::new([role(USER, &["a:b"], &[])]).unwrap();
        assert!(changed.allows([USER], "a:b"));
    }

    proptest! {
        #[test]
        fn what_is_looked_up_is_what_it_adds_up_to(
            own in proptest::collection::vec("([ab*]:){1,2}[ab*]", 0..4),
            more in proptest::collection::vec("([ab*]:){1,2}[ab*]", 0..4),
            of_key in proptest::collection::vec("([ab*]:){1,2}[ab*]", 0..4),
            named in proptest::collection::vec("([ab*]:){1,2}[ab*]", 0..4),
            name in "([ab]:){1,2}[ab]",
        ) {
            let texts = |all: &[String]| Pattern::parse_all("permissions", all).unwrap();
            let role = |name, all: &[String]| Role { permissions: texts(all), ..role(name, &[], &[]) };
            let book = RoleBook::new([role("a", &own), role("b", &more), role("c", &of_key)]).unwrap();
            let rights = Rights {
                permissions: texts(&named),
                roles: vec![RoleName::parse("roles", "c").unwrap()],
                ..Rights::default()
            };
            let owner = || Part { roles: book.find(["a", "b", "none"].into_iter()), named: &[] };
            let key = Part { roles: book.find(["c"].into_iter()), named: &rights.permissions };
            let list = |grants: &Grants| {
                let all: Vec<_> = grants.patterns().collect();
                let is_widest = |one: &&Pattern| !all.iter().any(|wider| wider != *one && wider.includes(one));
                let widest: BTreeSet<_> = all.iter().filter(is_widest).map(|one| one.as_str().to_owned()).collect();
                widest.into_iter().collect::<Vec<_>>()
            };
            let sum = book.sum(["a", "b"]);
            let with_session = Held { owner: owner(), key: None };
            prop_assert_eq!(with_session.list(), list(&sum));
            prop_assert_eq!(with_session.allows(&name), sum.allows(&name));
            let with_key = Held { owner: owner(), key: Some(key) };
            prop_assert_eq!(with_key.list(), list(&sum.within(&book.of_rights(&rights))));
            prop_assert_eq!(with_key.allows(&name), sum.allows(&name) && book.rights_allow(&rights, &name));
        }
    }
}
