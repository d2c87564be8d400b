//! Which proofs were used: each is good once (RFC 9449 section 11.1).
//!
//! In memory, for as long as a proof could come again: a commit for each request with a token would cost more than all else
//! about it. What a server that has started anew has forgotten cannot be used either ([`super::Dpop`] asks for a nonce of its
//! own then). A proof is remembered after whoever sends it was counted, and no client fills more than its share: a flood
//! keeps out whoever makes it. Nothing is ever forgotten early to make room.
use std::collections::{BTreeSet, HashMap};
use std::sync::{Mutex, PoisonError};

use crate::base::Timestamp;

/// About 20 MiB when it is full.
const MAX_KEPT: usize = 262_144;
/// Of which one client may have a quarter.
const MAX_OF_CLIENT: usize = MAX_KEPT / 4;

/// What names a proof, or a client: a part of a hash.
pub type Name = [u8; 16];

/// What a proof is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    Fresh,
    Used,
    /// Nobody can say: there is no room to remember it.
    NoRoom,
}

pub struct Seen {
    state: Mutex<State>,
    max: usize,
    max_of_client: usize,
}

#[derive(Default)]
struct State {
    /// Proof -> whose it is.
    proofs: HashMap<Name, Name>,
    /// In the order in which they end (seconds).
    ends: BTreeSet<(i64, Name)>,
    of_client: HashMap<Name, usize>,
}

impl Default for Seen {
    fn default() -> Self {
        Self::with_room(MAX_KEPT, MAX_OF_CLIENT)
    }
}

impl Seen {
    fn with_room(max: usize, max_of_client: usize) -> Self {
        Self { state: Mutex::default(), max, max_of_client }
    }

    /// Remembers a proof of a client's until it is good no more; of several at once exactly one is told that it is fresh.
    pub fn note(&self, proof: Name, client: Name, until: i64, now: Timestamp) -> Verdict {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.forget_before(now.secs());
        if state.proofs.contains_key(&proof) {
            return Verdict::Used;
        }
        let held = state.of_client.get(&client).copied().unwrap_or_default();
        if held >= self.max_of_client || state.proofs.len() >= self.max {
            return Verdict::NoRoom;
        }
        state.proofs.insert(proof, client);
        state.ends.insert((until, proof));
        state.of_client.insert(client, held + 1);
        Verdict::Fresh
    }
}

impl State {
    fn forget_before(&mut self, now: i64) {
        while let Some((_, proof)) = self.ends.first().copied().filter(|(until, _)| *until < now) {
            self.ends.pop_first();
            let Some(client) = self.proofs.remove(&proof) else { continue };
            if let Some(held) = self.of_client.get_mut(&client) {
                *held = held.saturating_sub(1);
                if *held == 0 {
                    self.of_client.remove(&client);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANN: Name = [1; 16];
    const BOB: Name = [2; 16];

    fn name(n: u8) -> Name {
        [n; 16]
    }

    #[test]
    fn a_proof_is_fresh_once_until_it_can_come_no_more() {
        let (seen, at) = (Seen::default(), Timestamp::from_secs);
        assert_eq!(seen.note(name(9), ANN, 160, at(100)), Verdict::Fresh);
        assert_eq!(seen.note(name(9), ANN, 160, at(100)), Verdict::Used);
        assert_eq!(seen.note(name(9), BOB, 160, at(160)), Verdict::Used, "whoever brings it");
        assert_eq!(seen.note(name(8), ANN, 160, at(160)), Verdict::Fresh);
        assert_eq!(seen.note(name(9), ANN, 300, at(161)), Verdict::Fresh);
    }

    #[test]
    fn a_flood_keeps_out_whoever_makes_it_and_nothing_is_forgotten() {
        let (seen, at) = (Seen::with_room(6, 4), Timestamp::from_secs);
        let flood: Vec<_> = (0..9).map(|n| seen.note(name(n), ANN, 160, at(100))).collect();
        assert_eq!(flood.iter().filter(|verdict| **verdict == Verdict::Fresh).count(), 4);
        assert_eq!(seen.note(name(20), BOB, 160, at(100)), Verdict::Fresh, "others go on");
        assert_eq!(seen.note(name(0), ANN, 160, at(100)), Verdict::Used, "the first is known yet");
        assert_eq!(seen.note(name(21), BOB, 160, at(100)), Verdict::Fresh);
        assert_eq!(seen.note(name(22), BOB, 160, at(100)), Verdict::NoRoom);
        assert_eq!(seen.note(name(22), ANN, 300, at(161)), Verdict::Fresh, "there is room again");
        let state = seen.state.lock().unwrap();
        assert_eq!((state.proofs.len(), state.ends.len(), state.of_client.len()), (1, 1, 1));
    }

    #[test]
    fn of_sixteen_at_once_one_is_fresh() {
        let seen = Seen::default();
        let fresh = std::thread::scope(|scope| {
            let note = || seen.note(name(1), ANN, 160, Timestamp::from_secs(100));
            let threads: Vec<_> = (0..16).map(|_| scope.spawn(note)).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).filter(|v| *v == Verdict::Fresh).count()
        });
        assert_eq!(fresh, 1);
    }
}
