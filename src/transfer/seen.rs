//! Which names a dry run would have taken. Pure.
use std::collections::HashSet;
use std::hash::{BuildHasher, RandomState};

use super::model::Arrival;
use crate::base::text::LookupKey;
use crate::base::{Error, Result};

/// The names that earlier rows of a dry run would have taken. It keeps short hashes of them: about a hundred bytes a row.
#[derive(Default)]
pub struct Seen {
    usernames: Names,
    emails: Names,
}

/// Names as [`LookupKey`] tells them apart, by random hashes.
#[derive(Default)]
struct Names {
    hasher: RandomState,
    exact: HashSet<u64>,
    looks: HashSet<u64>,
    /// How the names look that are not in plain ASCII: they leave no room for look-alikes.
    foreign_looks: HashSet<u64>,
}

impl Seen {
    /// Whether no earlier row has the names of this one.
    ///
    /// # Errors
    /// `Error::Invalid` naming `username` or `email`, in the words of the store.
    pub fn check(&self, arrival: &Arrival) -> Result<()> {
        let (username, email) = arrival.keys();
        for (names, key, field) in [(&self.usernames, username, "username"), (&self.emails, email, "email")] {
            if names.leave_no_room_for(&key) {
                return Err(Error::invalid(field, "is taken"));
            }
        }
        Ok(())
    }

    /// Takes the names of a row that is good.
    pub fn add(&mut self, arrival: &Arrival) {
        let (username, email) = arrival.keys();
        self.usernames.add(&username);
        self.emails.add(&email);
    }
}

impl Names {
    fn leave_no_room_for(&self, key: &LookupKey) -> bool {
        let (exact, look, is_ascii) = self.hashes(key);
        self.exact.contains(&exact)
            || self.foreign_looks.contains(&look)
            || !is_ascii && self.looks.contains(&look)
    }

    fn add(&mut self, key: &LookupKey) {
        let (exact, look, is_ascii) = self.hashes(key);
        self.exact.insert(exact);
        self.looks.insert(look);
        if !is_ascii {
            self.foreign_looks.insert(look);
        }
    }

    fn hashes(&self, key: &LookupKey) -> (u64, u64, bool) {
        let (whole, look) = (key.to_bytes(), key.look_alike_prefix());
        let is_ascii = whole.strip_prefix(&*look).is_some_and(<[u8]>::is_ascii);
        (self.hasher.hash_one(&whole), self.hasher.hash_one(&look), is_ascii)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transfer::Row;

    #[test]
    fn doubles_are_what_the_store_takes_for_doubles() {
        let mut seen = Seen::default();
        let mut take = |name: &str| {
            let arrival = Row {
                username: Some(name.to_owned()),
                email: Some(format!("{name}@b.cd")),
                ..Row::default()
            };
            let arrival = arrival.parse().ok().unwrap();
            let is_free = seen.check(&arrival).is_ok();
            if is_free {
                seen.add(&arrival);
            }
            is_free
        };
        // In plain ASCII look-alikes stand beside each other; a name in another alphabet stands alone.
        for (name, is_free) in [
            ("anna1", true),
            ("annal", true),
            ("ANNA1", false),
            ("\u{443}\u{445}\u{43e}", true),
            ("yxo", false),
            ("oxy", true),
            ("\u{43e}\u{445}\u{443}", false),
        ] {
            assert_eq!(take(name), is_free, "{name}");
        }
    }
}
