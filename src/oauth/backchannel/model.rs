//! What a client is told of the end of a session, and when it is told again. Pure.
use serde::{Deserialize, Serialize};

use crate::base::{Id, Timestamp};
use crate::crypto::sha256;
use crate::oauth::client::ClientId;
use crate::session::Session;

/// How long a client that does not answer is told again, in seconds: a day.
pub const PATIENCE_SECS: i64 = 24 * 3600;
/// The first time between two attempts, in seconds, and the longest.
const FIRST_WAIT: i64 = 10;
const LONGEST_WAIT: i64 = 3600;
/// How long all that waits for a client waits at most when nothing gets through to it.
const LONGEST_REST: i64 = 300;

/// What one client is told of the end of one session. No token is in it: each attempt has one of its own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delivery {
    pub id: Id<Delivery>,
    pub client: ClientId,
    pub user: u64,
    /// What the session was called towards clients.
    pub sid: Id<Session>,
    pub created_at: Timestamp,
    pub state: State,
    /// How often it was tried.
    pub attempts: u32,
    pub last: Option<Attempt>,
}

/// What has become of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum State {
    Waiting {
        next_at: Timestamp,
    },
    Delivered {
        at: Timestamp,
    },
    /// The client has said no.
    Refused {
        at: Timestamp,
    },
    /// Nobody has answered in time.
    GivenUp {
        at: Timestamp,
    },
}

/// How an attempt went.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attempt {
    pub at: Timestamp,
    /// The status of the answer, if there was one.
    pub status: Option<u16>,
    /// What was wrong, in words that anybody may read.
    pub trouble: String,
}

impl State {
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Waiting { .. } => "waiting",
            Self::Delivered { .. } => "delivered",
            Self::Refused { .. } => "refused",
            Self::GivenUp { .. } => "given_up",
        }
    }

    /// When it is tried next, if it is.
    #[must_use]
    pub const fn next_at(self) -> Option<Timestamp> {
        match self {
            Self::Waiting { next_at } => Some(next_at),
            _ => None,
        }
    }
}

impl Delivery {
    /// One that waits. A session ends once, so that no two have the same id.
    #[must_use]
    pub fn new(
        (session, sid): (Id<Session>, Id<Session>),
        client: ClientId,
        user: u64,
        now: Timestamp,
    ) -> Self {
        let mut id = [0; 16];
        id[..6].copy_from_slice(&(now.micros() / 1000).to_be_bytes()[2..]);
        id[6..].copy_from_slice(&sha256(&[session.as_bytes(), client.as_str().as_bytes()])[..10]);
        let state = State::Waiting { next_at: now };
        Self { id: Id::from_bytes(id), client, user, sid, created_at: now, state, attempts: 0, last: None }
    }

    #[must_use]
    pub fn is_waiting(&self) -> bool {
        matches!(self.state, State::Waiting { .. })
    }

    /// When it is not tried any more.
    #[must_use]
    pub fn deadline(&self) -> Timestamp {
        self.created_at.plus_secs(PATIENCE_SECS)
    }

    /// After an attempt: 200, and 204 of frameworks that cannot do otherwise, is a yes and 400 a no (section 2.8); all else is
    /// tried again. `chance`: random bits.
    #[must_use]
    pub fn tried(mut self, attempt: Attempt, chance: u32) -> Self {
        self.attempts = self.attempts.saturating_add(1);
        let at = attempt.at;
        self.state = match attempt.status {
            Some(200 | 204) => State::Delivered { at },
            Some(400) => State::Refused { at },
            _ => match at.plus_secs(wait(self.attempts, chance)) {
                next_at if next_at < self.deadline() => State::Waiting { next_at },
                _ => State::GivenUp { at },
            },
        };
        self.last = Some(attempt);
        self
    }

    /// Not tried any more; what went wrong last is more telling than that.
    #[must_use]
    pub fn given_up(mut self, why: &str, at: Timestamp) -> Self {
        self.state = State::GivenUp { at };
        let last = || Attempt { at, status: None, trouble: why.to_owned() };
        self.last.get_or_insert_with(last);
        self
    }
}

/// Seconds until the next attempt: twice as many after each, a quarter more or less, so that a client that comes back does not
/// get everything at once.
fn wait(attempts: u32, chance: u32) -> i64 {
    let doubled = FIRST_WAIT.saturating_mul(1_i64 << attempts.saturating_sub(1).min(20));
    let wait = doubled.min(LONGEST_WAIT);
    wait * 3 / 4 + i64::from(chance) % (wait / 2 + 1)
}

/// Seconds until a client is told anything again after nothing got through to it, so many times in a row.
#[must_use]
pub fn rest(times: u32, chance: u32) -> i64 {
    wait(times, chance).min(LONGEST_REST)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_secs(1_800_000_000);

    fn delivery() -> Delivery {
        let session = Id::from_bytes([1; 16]);
        Delivery::new((session, session), ClientId::parse("app").unwrap(), 1, NOW)
    }

    fn answered(status: Option<u16>) -> Delivery {
        delivery().tried(Attempt { at: NOW, status, trouble: String::new() }, 0)
    }

    #[test]
    fn two_hundred_and_two_hundred_and_four_are_a_yes_and_four_hundred_a_no() {
        assert_eq!(answered(Some(200)).state, State::Delivered { at: NOW });
        assert_eq!(answered(Some(204)).state, State::Delivered { at: NOW });
        assert_eq!(answered(Some(400)).state, State::Refused { at: NOW });
        for again in [None, Some(201), Some(302), Some(401), Some(404), Some(429), Some(500), Some(503)] {
            assert!(answered(again).is_waiting(), "{again:?}");
        }
    }

    #[test]
    fn attempts_come_at_growing_distances_for_a_day() {
        for chance in [0, 7, u32::MAX] {
            let (mut delivery, mut at, mut waits) = (delivery(), NOW, Vec::new());
            while delivery.is_waiting() {
                delivery = delivery.tried(Attempt { at, status: Some(503), trouble: String::new() }, chance);
                if let Some(next_at) = delivery.state.next_at() {
                    waits.push(next_at.secs_since(at));
                    at = next_at;
                }
            }
            assert!((25..50).contains(&delivery.attempts), "{waits:?}");
            assert!((7..=15).contains(&waits[0]) && (15..=25).contains(&waits[1]), "{waits:?}");
            assert!(waits.iter().all(|wait| (7..=4500).contains(wait)), "{waits:?}");
            let lasted = at.secs_since(NOW);
            assert!((PATIENCE_SECS - 4500..PATIENCE_SECS).contains(&lasted), "{lasted}");
            assert!((1..100).all(|times| rest(times, chance) <= LONGEST_REST));
        }
    }

    #[test]
    fn no_two_sessions_or_clients_share_an_id() {
        let (one, two) = (Id::from_bytes([1; 16]), Id::from_bytes([2; 16]));
        let id = |session, client| Delivery::new((session, one), ClientId::parse(client).unwrap(), 1, NOW).id;
        assert!(id(one, "a") != id(two, "a") && id(one, "a") != id(one, "b"));
        assert_eq!(id(one, "a"), id(one, "a"));
    }
}
