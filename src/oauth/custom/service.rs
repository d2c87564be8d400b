//! What scopes of one's own come to for a user, as of the last commit. Never more than the user holds.
use std::sync::Arc;

use serde_json::{Map, Value};

use super::model::{CustomScope, Place};
use crate::account::{self, User};
use crate::base::Result;
use crate::rbac::book::Grants;
use crate::rbac::{Pattern, Roles, Subject};
use crate::store::Store;

/// Scopes of one's own.
#[derive(Clone)]
pub struct CustomScopes {
    store: Store,
    roles: Roles,
    all: Arc<[CustomScope]>,
}

impl CustomScopes {
    #[must_use]
    pub fn new(store: Store, roles: Roles, all: Vec<CustomScope>) -> Self {
        Self { store, roles, all: all.into() }
    }

    /// All of them.
    #[must_use]
    pub fn all(&self) -> &[CustomScope] {
        &self.all
    }

    /// What people read of a scope.
    #[must_use]
    pub fn words_of(&self, scope: &str) -> Option<&str> {
        self.all.iter().find(|known| known.name == scope).map(|known| known.description.as_str())
    }

    /// What a token with some scopes may do at most, whoever its user is.
    #[must_use]
    pub fn patterns<'s>(&self, scopes: impl Iterator<Item = &'s str>) -> Vec<Pattern> {
        self.among(scopes).into_iter().flat_map(|scope| scope.permissions.iter().cloned()).collect()
    }

    /// What a token with some scopes may do of what its user may.
    ///
    /// # Errors
    /// `Error::Unavailable` when the store does not serve, here and below.
    pub fn permissions<'s>(&self, user: u64, scopes: impl Iterator<Item = &'s str>) -> Result<Vec<String>> {
        let named = self.patterns(scopes);
        if named.is_empty() {
            return Ok(Vec::new());
        }
        let Some(subject) = self.subject(user)? else { return Ok(Vec::new()) };
        let held = self.roles.book()?.sum(subject.roles());
        let mut all = Vec::new();
        for pattern in &named {
            let both = held.within(&Grants::of(pattern));
            all.extend(both.patterns().map(|pattern| pattern.as_str().to_owned()));
        }
        all.sort_unstable();
        all.dedup();
        Ok(all)
    }

    /// What is told of a user in a place for some scopes.
    ///
    /// # Errors
    /// As [`CustomScopes::permissions`].
    pub fn claims<'s>(
        &self,
        user: u64,
        scopes: impl Iterator<Item = &'s str>,
        place: Place,
    ) -> Result<Map<String, Value>> {
        let mut scopes = self.among(scopes);
        scopes.retain(|scope| scope.told_in.contains(&place) && !scope.claims.is_empty());
        if scopes.is_empty() {
            return Ok(Map::new());
        }
        let Some(subject) = self.subject(user)? else { return Ok(Map::new()) };
        let held = self.roles.book()?.held_by_subject(&subject).list();
        let Subject::User(user) = &subject else { return Ok(Map::new()) };
        let claims = scopes.iter().flat_map(|scope| &scope.claims);
        Ok(claims.filter_map(|(name, source)| Some((name.clone(), source.of(user, &held)?))).collect())
    }

    fn among<'s>(&self, scopes: impl Iterator<Item = &'s str>) -> Vec<&CustomScope> {
        if self.all.is_empty() {
            return Vec::new();
        }
        scopes.filter_map(|scope| self.all.iter().find(|known| known.name == scope)).collect()
    }

    fn subject(&self, user: u64) -> Result<Option<Subject>> {
        let user = self.store.get(|tx| account::table::by_id(tx, user))?.filter(User::may_go_on);
        Ok(user.map(|user| Subject::User(Arc::new(user))))
    }
}
