//! Failed logins and refused requests, gathered in memory: what is the same is counted together, and only so many
//! different ones an hour are written one by one. So an attack is seen and cannot fill the disk.
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Arc, Mutex, PoisonError};

use super::model::{Event, Outcome};
use crate::base::Timestamp;
use crate::rbac::Initiator;

const HOUR_SECS: i64 = 3600;
/// One address has this part of an hour's room at most.
const SHARES: u64 = 5;
/// How long the sum of what found no room is gathered, in seconds.
const REST_EVERY_SECS: i64 = 300;

/// What makes two failures the same: everything but when it was, and which request.
#[derive(PartialEq, Eq, Hash)]
struct Same {
    action: String,
    actor: String,
    via: Option<(String, String)>,
    party: Option<String>,
    address: String,
    details: Vec<(String, String)>,
}

/// Failures that are not written yet.
#[derive(Clone)]
pub struct Failures(Arc<Mutex<Gathered>>);

struct Gathered {
    per_hour: u64,
    /// Since when, and how many different ones there were in this hour.
    hour: (Timestamp, u64),
    /// How many of them came from each address: one attacker leaves room for what others do.
    by_address: HashMap<String, u64>,
    events: HashMap<Same, Event>,
    /// Those beyond.
    rest: u64,
    rest_since: Timestamp,
}

impl Failures {
    /// `per_hour`: how many different ones are written one by one.
    #[must_use]
    pub fn new(per_hour: u64) -> Self {
        let never = Timestamp::default();
        let (events, by_address, rest) = (HashMap::new(), HashMap::new(), 0);
        Self(Arc::new(Mutex::new(Gathered {
            per_hour,
            hour: (never, 0),
            by_address,
            events,
            rest,
            rest_since: never,
        })))
    }

    /// Takes a failure in.
    pub fn note(&self, event: Event) {
        let event = Event { outcome: Outcome::Failure, ..event };
        let mut gathered = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        gathered.note(event);
    }

    /// Takes room for a failure that its own change writes; one that finds none is counted with the rest.
    #[must_use]
    pub fn admits(&self, event: &Event) -> bool {
        let mut gathered = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        gathered.admits(event)
    }

    /// Gives what is to be written, and forgets it.
    #[must_use]
    pub fn take(&self, now: Timestamp) -> Vec<Event> {
        let mut gathered = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        gathered.take(now, REST_EVERY_SECS)
    }

    /// Takes back what could not be written.
    pub fn put_back(&self, events: Vec<Event>) {
        let mut gathered = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for event in events {
            match gathered.events.entry(same(&event)) {
                Entry::Occupied(mut known) => known.get_mut().count += event.count,
                Entry::Vacant(room) => drop(room.insert(event)),
            }
        }
    }

    /// [`Failures::take`] at the end, when nothing comes after it.
    #[must_use]
    pub fn take_all(&self, now: Timestamp) -> Vec<Event> {
        let mut gathered = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        gathered.take(now, 0)
    }
}

impl Gathered {
    fn note(&mut self, event: Event) {
        self.begin_hour(event.at);
        let same = same(&event);
        if let Some(known) = self.events.get_mut(&same) {
            known.count += event.count;
        } else if self.admits(&event) {
            self.events.insert(same, event);
        }
    }

    /// Takes room for an event, or counts it with the rest.
    fn admits(&mut self, event: &Event) -> bool {
        self.begin_hour(event.at);
        let has_room = self.has_room(&event.address);
        if has_room {
            self.hour.1 += 1;
            *self.by_address.entry(event.address.clone()).or_default() += 1;
        } else {
            if self.rest == 0 {
                self.rest_since = event.at;
            }
            self.rest += event.count;
        }
        has_room
    }

    fn begin_hour(&mut self, at: Timestamp) {
        if at.secs_since(self.hour.0) >= HOUR_SECS || at < self.hour.0 {
            self.hour = (at, 0);
            self.by_address.clear();
        }
    }

    fn has_room(&self, address: &str) -> bool {
        let share = self.per_hour.div_ceil(SHARES);
        self.hour.1 < self.per_hour && self.by_address.get(address).is_none_or(|count| *count < share)
    }

    fn take(&mut self, now: Timestamp, rest_every_secs: i64) -> Vec<Event> {
        let mut events: Vec<_> = self.events.drain().map(|(_, event)| event).collect();
        events.sort_by_key(|event| event.at);
        if self.rest > 0 && now.secs_since(self.rest_since) >= rest_every_secs {
            let rest = Event::failed(&Initiator::system(), "audit.more_failures", now);
            events.push(Event { count: self.rest, ..rest });
            self.rest = 0;
        }
        events
    }
}

fn same(event: &Event) -> Same {
    let subject = event.subject.as_ref().or(event.actor.id.is_some().then_some(&event.actor));
    let party = subject.map(|party| format!("{}/{}", party.kind, party.name));
    Same {
        action: event.action.clone(),
        actor: event.actor.kind.clone(),
        via: event.via.clone(),
        party,
        address: event.address.clone(),
        details: event.details.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failure(address: u64, secs: i64) -> Event {
        let by = Initiator { address: address.to_string(), ..Initiator::default() };
        Event::failed(&by, "session.refused", Timestamp::from_secs(1_800_000_000 + secs))
    }

    fn at(secs: i64) -> Timestamp {
        Timestamp::from_secs(1_800_000_000 + secs)
    }

    #[test]
    fn what_is_the_same_is_counted_together() {
        let failures = Failures::new(10);
        (0..100).for_each(|n| failures.note(failure(n % 2, 0)));
        let events = failures.take(at(1));
        assert_eq!(events.iter().map(|event| event.count).collect::<Vec<_>>(), [50, 50]);
        assert!(failures.take(at(1)).is_empty());
    }

    #[test]
    fn an_hour_has_room_for_so_many_and_the_rest_is_a_number() {
        let failures = Failures::new(10);
        (0..100).for_each(|n| failures.note(failure(n, 0)));
        assert_eq!(failures.take(at(1)).len(), 10);
        (0..5).for_each(|n| failures.note(failure(n, 10)));
        let rest = failures.take(at(REST_EVERY_SECS));
        assert_eq!((rest.len(), rest[0].count, &*rest[0].action), (1, 95, "audit.more_failures"));
        failures.note(failure(1, HOUR_SECS));
        assert_eq!(failures.take(at(HOUR_SECS)).len(), 1);
        assert!(failures.take_all(at(HOUR_SECS)).is_empty());
    }

    #[test]
    fn what_its_change_writes_takes_room_like_the_others_and_is_counted_beyond() {
        let failures = Failures::new(10);
        assert_eq!((0..20).filter(|n| failures.admits(&failure(*n, 0))).count(), 10);
        failures.note(failure(99, 0));
        let rest = failures.take(at(REST_EVERY_SECS));
        assert_eq!((rest.len(), rest[0].count, &*rest[0].action), (1, 11, "audit.more_failures"));
        assert!(failures.admits(&failure(1, HOUR_SECS)));
        assert!(failures.take(at(HOUR_SECS)).is_empty(), "its change has written it");
    }

    #[test]
    fn one_address_leaves_room_for_others() {
        let failures = Failures::new(10);
        (0..100).for_each(|n| failures.note(failure(1, 0).with("path", format!("/{n}"))));
        failures.note(failure(2, 0));
        let events = failures.take(at(1));
        assert_eq!(events.iter().filter(|event| event.address == "1").count(), 2);
        assert!(events.iter().any(|event| event.address == "2"));
    }
}
