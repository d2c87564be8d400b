//! What somebody holds, for questions that come with every request: looked up where the roles have it. Pure.
use std::borrow::Cow;
use std::collections::HashSet;

use foldhash::fast::RandomState;

use super::book::Grants;
use super::permission::Pattern;

/// What somebody holds, looked up and not added up: for questions that come with every request.
pub struct Held<'a> {
    pub(super) owner: Part<'a>,
    /// What a key that is not for everything has of it.
    pub(super) key: Option<Part<'a>>,
}

impl Held<'_> {
    /// Whether a permission is in it.
    #[must_use]
    pub fn allows(&self, permission: &str) -> bool {
        self.owner.allows(permission) && self.key.as_ref().is_none_or(|key| key.allows(permission))
    }

    /// All of it, in order, without what a wider pattern has in it.
    #[must_use]
    pub fn list(&self) -> Vec<String> {
        let mut all = match &self.key {
            None => self.owner.all(),
            Some(key) => key.within(&self.owner),
        };
        let patterns = all.iter().filter(|one| one.contains('*'));
        let wide: HashSet<_, RandomState> = patterns.map(|one| Pattern::of_exact(one)).collect();
        if !wide.is_empty() {
            let is_within_another = |one: &str| {
                let pattern = Pattern::of_exact(one);
                pattern.wider().any(|wider| wider != pattern && wide.contains(&wider))
            };
            all.retain(|one| !is_within_another(one));
        }
        all.sort_unstable();
        all.dedup();
        all.into_iter().map(Cow::into_owned).collect()
    }
}

/// Some roles, and what is named beside them.
pub(super) struct Part<'a> {
    pub roles: Vec<&'a Grants>,
    pub named: &'a [Pattern],
}

impl<'a> Part<'a> {
    fn allows(&self, permission: &str) -> bool {
        self.roles.iter().any(|grants| grants.allows(permission))
            || self.named.iter().any(|pattern| pattern.matches(permission))
    }

    fn exact(&self) -> impl Iterator<Item = &'a str> {
        let of_roles = self.roles.iter().flat_map(|grants| grants.exact.iter().map(String::as_str));
        of_roles.chain(self.named.iter().filter(|one| one.is_exact()).map(Pattern::as_str))
    }

    fn patterns(&self) -> impl Iterator<Item = &'a Pattern> {
        let of_roles = self.roles.iter().flat_map(|grants| grants.patterns.iter());
        of_roles.chain(self.named.iter().filter(|one| !one.is_exact()))
    }

    fn all(&self) -> Vec<Cow<'a, str>> {
        self.exact().chain(self.patterns().map(Pattern::as_str)).map(Cow::Borrowed).collect()
    }

    /// What of it is in another, too, some of it more than once.
    fn within(&self, other: &Self) -> Vec<Cow<'a, str>> {
        let mut both: Vec<_> = self.exact().filter(|name| other.allows(name)).map(Cow::Borrowed).collect();
        for mine in self.patterns() {
            both.extend(other.exact().filter(|name| mine.matches(name)).map(Cow::Borrowed));
            let patterns = other.patterns().filter_map(|theirs| mine.intersection(theirs));
            both.extend(patterns.map(|pattern| Cow::Owned(pattern.as_str().to_owned())));
        }
        both
    }
}
