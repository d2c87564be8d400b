//! Who holds rights, and who acts: in a request, from the host, or the server itself. Pure.
use std::fmt;
use std::net::{IpAddr, Ipv4Addr};
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::model::{RoleName, SUPERUSER, USER};
use super::permission::Pattern;
use crate::account::User;
use crate::api_key::ApiKey;
use crate::base::{Error, Id, Result, Secret};
use crate::service_account::ServiceAccount;
use crate::session::{AccessToken, Session};

/// The id of whoever may hold rights.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum SubjectId {
    User(u64),
    Service(Id<ServiceAccount>),
}

/// Whoever may hold rights: a person, or a program.
#[derive(Debug, Clone)]
pub enum Subject {
    User(Arc<User>),
    Service(Arc<ServiceAccount>),
}

/// What somebody proved who they are with.
#[derive(Debug, Clone)]
pub enum Via {
    Session(Arc<AccessToken>),
    Key(Arc<ApiKey>),
    /// A client of the OAuth 2.0 server, which its user has let act in its name.
    Grant(Arc<Delegated>),
}

/// What a client may do in its user's name.
#[derive(Debug, PartialEq, Eq)]
pub struct Delegated {
    /// What it came of.
    pub grant: Id<Self>,
    pub client: String,
    /// No more than this, and of this what the user may.
    pub permissions: Vec<Pattern>,
}

/// Somebody who was authenticated, as true as the last commit.
#[derive(Debug, Clone)]
pub struct Actor {
    pub subject: Subject,
    pub via: Via,
}

/// Who begins a change, and from where: what is judged in the change, and what the audit trail says of it.
#[derive(Debug, Clone, Default)]
pub struct Initiator {
    pub who: Who,
    /// Empty for what does not come over the network.
    pub address: String,
    pub user_agent: String,
    pub request_id: String,
    /// The header `Accept-Language`, cut to a bounded length: in what language mails about the change are written.
    pub languages: String,
    /// The cookie of a browser that has logged in before, whoever's it is; of logins, and of who shows again who it is.
    pub known_device: Option<Secret>,
    /// The session that its browser is in, where another one may begin: that takes its place.
    pub replaces: Option<Id<Session>>,
}

/// On whose behalf something is done.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Who {
    /// The server by itself, when a time is over.
    System,
    /// The host, who may do everything.
    Host,
    /// Nobody has said who it is.
    #[default]
    Nobody,
    /// By what it may do in the change itself: rights that were taken meanwhile give nothing.
    Subject { id: SubjectId, name: String, via: ViaId },
}

/// The id of what somebody proved who they are with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ViaId {
    Session(Id<Session>),
    Key(Id<ApiKey>),
    Grant(Arc<Delegated>),
}

impl SubjectId {
    /// What it is, in the words of the API.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::User(_) => "user",
            Self::Service(_) => "service_account",
        }
    }

    /// What the keys of its rows begin with in tables of both kinds.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        match self {
            Self::User(id) => [&[0], &id.to_be_bytes()[..]].concat(),
            Self::Service(id) => [&[1], &id.as_bytes()[..]].concat(),
        }
    }
}

/// As in `sub` of a token: the number of a user, or 32 hexadecimal digits.
impl fmt::Display for SubjectId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::User(id) => id.fmt(f),
            Self::Service(id) => id.fmt(f),
        }
    }
}

impl FromStr for SubjectId {
    type Err = Error;

    /// # Errors
    /// `Error::Invalid` naming `subject` for what is no id of either.
    fn from_str(text: &str) -> Result<Self> {
        // One id has one spelling.
        if let Some(id) = text.parse::<u64>().ok().filter(|id| id.to_string() == text) {
            return Ok(Self::User(id));
        }
        let service = text.parse().map(Self::Service);
        service.map_err(|_| Error::invalid("subject", "must be the id of a user or a service account"))
    }
}

impl Subject {
    #[must_use]
    pub fn id(&self) -> SubjectId {
        match self {
            Self::User(user) => SubjectId::User(user.id),
            Self::Service(service) => SubjectId::Service(service.id),
        }
    }

    /// What people know it by.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::User(user) => user.username.as_str(),
            Self::Service(service) => service.name.as_str(),
        }
    }

    /// Whether it may be used at all.
    #[must_use]
    pub fn may_go_on(&self) -> bool {
        match self {
            Self::User(user) => user.may_go_on(),
            Self::Service(service) => service.is_active,
        }
    }

    /// The names of its roles: those that were given, and to a person that of everyone.
    pub fn roles(&self) -> impl Iterator<Item = &str> {
        let (given, superuser, everyones) = match self {
            Self::User(user) => (&user.roles, user.is_superuser, true),
            Self::Service(service) => (&service.roles, false, false),
        };
        let superuser = superuser.then_some(SUPERUSER);
        let everyones = everyones.then_some(USER);
        superuser.into_iter().chain(given.iter().map(RoleName::as_str)).chain(everyones)
    }
}

impl Actor {
    /// The person who acts.
    ///
    /// # Errors
    /// `Error::Forbidden` for a program: it has no profile, no password and no sessions.
    pub fn user(&self) -> Result<&Arc<User>> {
        match &self.subject {
            Subject::User(user) => Ok(user),
            Subject::Service(_) => Err(Error::Forbidden("account:read".into())),
        }
    }

    /// Whether it can do nothing but choose another password.
    #[must_use]
    pub fn must_change_password(&self) -> bool {
        let is_program = matches!(self.via, Via::Key(_));
        matches!(&self.subject, Subject::User(user) if !is_program && user.password_change_required)
    }

    /// The token of the session that acts; a program has none.
    #[must_use]
    pub fn token(&self) -> Option<&Arc<AccessToken>> {
        match &self.via {
            Via::Session(token) => Some(token),
            Via::Key(_) | Via::Grant(_) => None,
        }
    }

    /// The session that acts; a key has none.
    #[must_use]
    pub fn session(&self) -> Option<Id<Session>> {
        self.token().map(|token| token.session)
    }

    /// What remains of it in a change.
    #[must_use]
    pub fn who(&self) -> Who {
        let via = match &self.via {
            Via::Session(token) => ViaId::Session(token.session),
            Via::Key(key) => ViaId::Key(key.id),
            Via::Grant(delegated) => ViaId::Grant(Arc::clone(delegated)),
        };
        Who::Subject { id: self.subject.id(), name: self.subject.name().to_owned(), via }
    }
}

impl Initiator {
    /// Whoever sits at the machine.
    #[must_use]
    pub fn host() -> Self {
        Self { who: Who::Host, ..Self::default() }
    }

    /// The server itself.
    #[must_use]
    pub fn system() -> Self {
        Self { who: Who::System, ..Self::default() }
    }

    /// Somebody at an address who may or may not be known.
    #[must_use]
    pub fn at(who: Who, address: IpAddr, user_agent: String, request_id: String) -> Self {
        Self { who, address: address.to_string(), user_agent, request_id, ..Self::default() }
    }

    /// The same, with the cookie of a browser that has logged in before.
    #[must_use]
    pub fn on_device(self, cookie: Option<&str>) -> Self {
        Self { known_device: cookie.map(Secret::new), ..self }
    }

    /// Where it calls from; nobody's address for what does not come over a network.
    #[must_use]
    pub fn network(&self) -> IpAddr {
        self.address.parse().unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED))
    }

    /// The API key that it uses, if it uses one.
    #[must_use]
    pub fn key(&self) -> Option<Id<ApiKey>> {
        match &self.who {
            Who::Subject { via: ViaId::Key(key), .. } => Some(*key),
            _ => None,
        }
    }

    /// Whether it is this very subject, on its own behalf.
    #[must_use]
    pub fn is(&self, subject: SubjectId) -> bool {
        matches!(&self.who, Who::Subject { id, .. } if *id == subject)
    }
}
