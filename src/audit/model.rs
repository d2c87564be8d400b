//! What an event is, and how events are chained. Pure.
use serde::{Deserialize, Serialize};

use crate::base::{Error, Result, Timestamp};
use crate::crypto::sha256;
use crate::rbac::{Initiator, Subject, SubjectId, ViaId, Who};

/// What comes before the first event.
pub const GENESIS: [u8; 32] = [0; 32];
/// Characters of a detail; more are cut.
const MAX_DETAIL: usize = 300;

/// Something that has happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    pub at: Timestamp,
    /// What was done: `api_key.created`.
    pub action: String,
    pub outcome: Outcome,
    pub actor: Party,
    /// With what the actor proved who it is: `session` or `api_key`, and its id.
    pub via: Option<(String, String)>,
    /// Whose account it is about, if it is about one.
    pub subject: Option<Party>,
    pub address: String,
    pub user_agent: String,
    pub request_id: String,
    /// How often: more than once for failures that were gathered.
    pub count: u64,
    /// What else there is to know, by name; never a secret.
    pub details: Vec<(String, String)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Outcome {
    Success,
    Failure,
}

/// Somebody who acts or is acted on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Party {
    /// `user`, `service_account`, `host`, `system` or `anonymous`.
    pub kind: String,
    pub id: Option<SubjectId>,
    /// By what name it was known then.
    pub name: String,
}

/// An event in its place in the trail.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// 1, 2, 3, … without gaps.
    pub seq: u64,
    pub event: Event,
    /// SHA-256 over the hash before and the line of this entry.
    pub hash: [u8; 32],
}

/// Which events a list has.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// The one who acts, or whom it is about.
    pub subject: Option<SubjectId>,
    /// An action, or what it begins with when it ends with `.`.
    pub action: Option<String>,
    pub outcome: Option<Outcome>,
    pub address: Option<String>,
    pub from: Option<Timestamp>,
    pub until: Option<Timestamp>,
}

impl Outcome {
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Failure => "failure",
        }
    }

    /// # Errors
    /// `Error::Invalid` naming `outcome`.
    pub fn parse(text: &str) -> Result<Self> {
        let all = [Self::Success, Self::Failure];
        let found = all.into_iter().find(|outcome| outcome.name() == text);
        found.ok_or_else(|| Error::invalid("outcome", "must be \"success\" or \"failure\""))
    }
}

impl Party {
    fn nameless(kind: &str) -> Self {
        Self { kind: kind.to_owned(), id: None, name: String::new() }
    }

    /// Somebody by id and name.
    #[must_use]
    pub fn known(id: SubjectId, name: &str) -> Self {
        Self { kind: id.kind().to_owned(), id: Some(id), name: name.to_owned() }
    }
}

impl Event {
    /// Something that was done.
    #[must_use]
    pub fn new(by: &Initiator, action: &str, at: Timestamp) -> Self {
        let (actor, via) = match &by.who {
            Who::System => (Party::nameless("system"), None),
            Who::Host => (Party::nameless("host"), None),
            Who::Nobody => (Party::nameless("anonymous"), None),
            Who::Subject { id, name, via } => {
                let via = match via {
                    ViaId::Session(session) => ("session", session.to_string()),
                    ViaId::Key(key) => ("api_key", key.to_string()),
                    ViaId::Grant(delegated) => ("oauth_grant", delegated.grant.to_string()),
                };
                (Party::known(*id, name), Some((via.0.to_owned(), via.1)))
            }
        };
        Self {
            at,
            action: action.to_owned(),
            outcome: Outcome::Success,
            actor,
            via,
            subject: None,
            address: by.address.clone(),
            user_agent: by.user_agent.clone(),
            request_id: by.request_id.clone(),
            count: 1,
            details: Vec::new(),
        }
    }

    /// Something that was not done.
    #[must_use]
    pub fn failed(by: &Initiator, action: &str, at: Timestamp) -> Self {
        Self { outcome: Outcome::Failure, ..Self::new(by, action, at) }
    }

    /// Whose account it is about.
    #[must_use]
    pub fn about(mut self, id: SubjectId, name: &str) -> Self {
        self.subject = Some(Party::known(id, name));
        self
    }

    /// [`Event::about`] for a user.
    #[must_use]
    pub fn about_user(self, user: &crate::account::User) -> Self {
        self.about(SubjectId::User(user.id), user.username.as_str())
    }

    /// [`Event::about`] for whoever it is.
    #[must_use]
    pub fn about_subject(self, subject: &Subject) -> Self {
        self.about(subject.id(), subject.name())
    }

    /// Something else to know. Control characters are left out, and too long a text is cut.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl AsRef<str>) -> Self {
        let value = value.as_ref().chars().filter(|c| !c.is_control()).take(MAX_DETAIL).collect();
        self.details.push((name.to_owned(), value));
        self
    }

    /// Those whose list has it, each once.
    pub fn parties(&self) -> impl Iterator<Item = SubjectId> {
        let subject = self.subject.as_ref().and_then(|party| party.id);
        let actor = self.actor.id.filter(|id| Some(*id) != subject);
        actor.into_iter().chain(subject)
    }
}

impl Entry {
    /// The event after another one.
    ///
    /// # Errors
    /// `Error::Internal` if it cannot be written as a line.
    pub fn after(before: &[u8; 32], seq: u64, event: Event) -> Result<Self> {
        let mut entry = Self { seq, event, hash: [0; 32] };
        entry.hash = entry.expected_hash(before)?;
        Ok(entry)
    }

    /// The hash that it must have.
    ///
    /// # Errors
    /// As [`Entry::after`].
    pub fn expected_hash(&self, before: &[u8; 32]) -> Result<[u8; 32]> {
        let line = serde_json::to_vec(&super::export::Line::of(self)).map_err(Error::internal)?;
        Ok(sha256(&[before, &line]))
    }
}

impl Filter {
    /// Whether an event is one of them.
    #[must_use]
    pub fn fits(&self, event: &Event) -> bool {
        let same_action = |wanted: &String| match wanted.strip_suffix('.') {
            Some(_) => event.action.starts_with(wanted),
            None => event.action == *wanted,
        };
        self.subject.is_none_or(|subject| event.parties().any(|party| party == subject))
            && self.action.as_ref().is_none_or(same_action)
            && self.outcome.is_none_or(|outcome| event.outcome == outcome)
            && self.address.as_ref().is_none_or(|address| event.address == *address)
            && self.from.is_none_or(|from| event.at >= from)
            && self.until.is_none_or(|until| event.at < until)
    }
}
