//! What administrators do with rules, and all of them as of now.
use std::sync::Arc;

use super::book::RuleBook;
use super::model::{MAX_RULES, Rule, Terms};
use super::path::PathPattern;
use super::table;
use crate::audit::{self, Event};
use crate::base::{Env, Error, Id, Result};
use crate::rbac::permission::{ForwardRulesWrite, Named, Permission};
use crate::rbac::service::{book_of, check_defined};
use crate::rbac::{Initiator, Pattern, RoleName};
use crate::store::{Single, Store, Tx, WriteTx};

/// The rules of the configuration file, and after them those that administrators have made.
#[derive(Clone)]
pub struct Rules {
    store: Store,
    env: Env,
    declared: Arc<[Arc<Rule>]>,
    book: Single<Arc<RuleBook>>,
}

/// A rule, and where it stands.
pub struct Placed {
    pub rule: Arc<Rule>,
    /// Among those that administrators have made, from 1; none in the configuration file.
    pub position: Option<usize>,
}

/// What becomes of the terms of a rule.
pub type Change = Box<dyn FnOnce(Terms) -> Result<Terms> + Send>;

impl Rules {
    #[must_use]
    pub fn new(store: Store, env: Env, declared: Vec<Rule>) -> Self {
        Self { store, env, declared: declared.into_iter().map(Arc::new).collect(), book: Single::default() }
    }

    /// All rules as of the last commit.
    ///
    /// # Errors
    /// `Error::Unavailable` when the store does not serve, here and below.
    pub fn book(&self) -> Result<Arc<RuleBook>> {
        self.book.get(&self.store, |tx| {
            let stored = table::all(tx)?.into_iter().map(Arc::new);
            Ok(Arc::new(RuleBook::new(self.declared.iter().cloned().chain(stored).collect())))
        })
    }

    /// All rules, in the order in which they are looked at.
    ///
    /// # Errors
    /// As [`Rules::book`].
    pub fn list(&self) -> Result<Vec<Placed>> {
        let (book, declared) = (self.book()?, self.declared.len());
        let placed = book.rules().iter().enumerate().map(|(at, rule)| Placed {
            rule: Arc::clone(rule),
            position: (at + 1).checked_sub(declared).filter(|position| *position > 0),
        });
        Ok(placed.collect())
    }

    /// One of them.
    ///
    /// # Errors
    /// `Error::NotFound`.
    pub fn read(&self, id: Id<Rule>) -> Result<Placed> {
        let found = self.list()?.into_iter().find(|placed| placed.rule.id == id);
        found.ok_or(Error::NotFound("forward rule"))
    }

    /// Makes a rule. `position`: behind the others if there is none.
    ///
    /// # Errors
    /// `Error::Invalid` naming the field: a role or permission that is not there, one rule too many.
    pub async fn create(&self, by: Initiator, terms: Terms, position: Option<u32>) -> Result<Placed> {
        let (cache, now) = (self.book.clone(), self.env.now());
        let id = Id::new(now, self.env.entropy.as_ref());
        let change = move |tx: &mut WriteTx| {
            by.check_permission(tx, ForwardRulesWrite::NAME)?;
            let count = table::order(tx)?.len();
            if count >= MAX_RULES {
                return Err(Error::invalid("host", format!("would be one more than {MAX_RULES} rules")));
            }
            check(tx, &terms, None)?;
            let place = place(position)?.unwrap_or(count);
            let rule = Rule { id, terms, created_at: now, updated_at: now };
            table::put(tx, &rule, place)?;
            cache.forget(tx);
            let event = described(Event::new(&by, "forward_rule.created", now), &rule);
            audit::table::append(tx, event.with("position", (place.min(count) + 1).to_string()))
        };
        self.store.write(change).await?;
        self.read(id)
    }

    /// Changes a rule, or moves it.
    ///
    /// # Errors
    /// `Error::NotFound`; as [`Rules::create`].
    pub async fn change(
        &self,
        by: Initiator,
        id: Id<Rule>,
        change: Change,
        position: Option<u32>,
    ) -> Result<Placed> {
        self.check_own(id)?;
        let (cache, now) = (self.book.clone(), self.env.now());
        let change = move |tx: &mut WriteTx| {
            by.check_permission(tx, ForwardRulesWrite::NAME)?;
            let old = table::by_id(tx, id)?.ok_or(Error::NotFound("forward rule"))?;
            let before = table::order(tx)?.iter().position(|one| *one == id).unwrap_or_default();
            let terms = change(old.terms.clone())?;
            check(tx, &terms, Some(&old.terms))?;
            let place = place(position)?.unwrap_or(before);
            let rule = Rule { terms, updated_at: now, ..old };
            table::put(tx, &rule, place)?;
            cache.forget(tx);
            let event = described(Event::new(&by, "forward_rule.changed", now), &rule);
            let event = event.with("position", (place + 1).to_string());
            audit::table::append(tx, event.with("position_before", (before + 1).to_string()))
        };
        self.store.write(change).await?;
        self.read(id)
    }

    /// Removes a rule.
    ///
    /// # Errors
    /// `Error::NotFound`; `Error::Invalid` naming `id` for one of the configuration file.
    pub async fn delete(&self, by: Initiator, id: Id<Rule>) -> Result<()> {
        self.check_own(id)?;
        let (cache, now) = (self.book.clone(), self.env.now());
        let change = move |tx: &mut WriteTx| {
            by.check_permission(tx, ForwardRulesWrite::NAME)?;
            let old = table::by_id(tx, id)?.ok_or(Error::NotFound("forward rule"))?;
            table::remove(tx, id)?;
            cache.forget(tx);
            audit::table::append(tx, described(Event::new(&by, "forward_rule.deleted", now), &old))
        };
        self.store.write(change).await
    }

    fn check_own(&self, id: Id<Rule>) -> Result<()> {
        if self.declared.iter().any(|rule| rule.id == id) {
            return Err(Error::invalid("id", "is a rule of the configuration file: change it there"));
        }
        Ok(())
    }
}

/// The place that a position stands for.
fn place(position: Option<u32>) -> Result<Option<usize>> {
    let place = |position: u32| (position as usize).checked_sub(1);
    let wrong = || Error::invalid("position", "must be 1 or more");
    position.map(|position| place(position).ok_or_else(wrong)).transpose()
}

/// Whether what it names is there. What has gone since it was named is none of whoever changes something else.
fn check(tx: &impl Tx, terms: &Terms, before: Option<&Terms>) -> Result<()> {
    terms.check()?;
    let book = book_of(tx)?;
    let had = |role: &RoleName| before.is_some_and(|before| before.roles.contains(role));
    let gone = terms.roles.iter().find(|role| !had(role) && book.role(role.as_str()).is_none());
    if let Some(role) = gone {
        return Err(Error::invalid("roles", format!("has `{role}`, which is not there")));
    }
    let had = |one: &Permission| before.is_some_and(|before| before.permissions.contains(one));
    let fresh: Vec<Pattern> =
        terms.permissions.iter().filter(|one| !had(one)).cloned().map(Pattern::from).collect();
    check_defined(tx, &fresh)
}

fn described(event: Event, rule: &Rule) -> Event {
    let terms = &rule.terms;
    let joined = |all: Vec<&str>| all.join(" ");
    let networks: Vec<_> = terms.networks.iter().map(ToString::to_string).collect();
    event
        .with("rule", rule.id.to_string())
        .with("host", terms.host.as_str())
        .with("paths", joined(terms.paths.iter().map(PathPattern::as_str).collect()))
        .with("methods", terms.methods.join(" "))
        .with("networks", networks.join(" "))
        .with("access", terms.access.name())
        .with("roles", joined(terms.roles.iter().map(RoleName::as_str).collect()))
        .with("permissions", joined(terms.permissions.iter().map(Permission::as_str).collect()))
        .with("second_factor", terms.second_factor.to_string())
}
