//! What stages a signing key goes through. Pure: no store, no HTTP, no clock.
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::base::Timestamp;
use crate::crypto::Algorithm;

/// A signing key as it is stored.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyRecord {
    pub kid: String,
    pub algorithm: Algorithm,
    /// The private key, sealed under the master key with `kid` as context.
    pub sealed: Vec<u8>,
    pub created_at: Timestamp,
    pub stage: Stage,
}

/// Where a key stands: others learn of it before it signs, and still know it when it signs no more. So a change
/// of keys logs nobody out and surprises no cache.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Stage {
    /// Published, to sign later.
    Next,
    /// Signs.
    Current { since: Timestamp },
    /// Signs no more; what it has signed is still taken.
    Previous { since: Timestamp },
}

impl Stage {
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Next => "next",
            Self::Current { .. } => "current",
            Self::Previous { .. } => "previous",
        }
    }
}

/// Everything but the key.
impl fmt::Debug for KeyRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyRecord")
            .field("kid", &self.kid)
            .field("stage", &self.stage)
            .finish_non_exhaustive()
    }
}

/// The keys after a rotation `now` of those of one algorithm: next becomes current, current previous, `fresh` next; a
/// previous one whose last token (of `lifetime_secs`) has ended is left out. Those of other algorithms stay what they are:
/// each has clients who want it.
#[must_use]
pub fn rotated(keys: Vec<KeyRecord>, fresh: KeyRecord, now: Timestamp, lifetime_secs: i64) -> Vec<KeyRecord> {
    let moved = keys.into_iter().filter_map(|key| {
        let stage = match key.stage {
            Stage::Previous { since } if now.secs_since(since) > lifetime_secs => return None,
            Stage::Next if key.algorithm == fresh.algorithm => Stage::Current { since: now },
            Stage::Current { .. } if key.algorithm == fresh.algorithm => Stage::Previous { since: now },
            stage => stage,
        };
        Some(KeyRecord { stage, ..key })
    });
    let mut keys: Vec<_> = moved.collect();
    keys.push(KeyRecord { stage: Stage::Next, ..fresh });
    keys
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(kid: &str, stage: Stage) -> KeyRecord {
        let (algorithm, created_at) = (Algorithm::Es256, Timestamp::default());
        KeyRecord { kid: kid.into(), algorithm, sealed: Vec::new(), created_at, stage }
    }

    #[test]
    fn every_key_moves_one_stage_and_the_oldest_goes_when_its_tokens_have_ended() {
        let at = Timestamp::from_secs;
        let mut keys = vec![key("a", Stage::Current { since: at(0) }), key("b", Stage::Next)];
        keys = rotated(keys, key("c", Stage::Next), at(1000), 900);
        assert_eq!(
            keys,
            [
                key("a", Stage::Previous { since: at(1000) }),
                key("b", Stage::Current { since: at(1000) }),
                key("c", Stage::Next)
            ]
        );
        let soon = rotated(keys.clone(), key("d", Stage::Next), at(1900), 900);
        assert!(soon.iter().any(|key| key.kid == "a"), "its last token may still be out");
        let late = rotated(keys, key("d", Stage::Next), at(1901), 900);
        assert!(late.iter().all(|key| key.kid != "a"));
    }

    #[test]
    fn keys_of_another_algorithm_stay_what_they_are() {
        let at = Timestamp::from_secs;
        let others = [key("a", Stage::Current { since: at(0) }), key("b", Stage::Next)];
        let fresh = KeyRecord { algorithm: Algorithm::Rs256, ..key("c", Stage::Next) };
        let keys = rotated(others.to_vec(), fresh.clone(), at(1000), 900);
        assert_eq!(keys[..2], others);
        assert_eq!(keys[2], fresh);
    }
}
