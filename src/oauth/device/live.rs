//! How fast devices ask whether their users have answered. In memory alone: a storm of questions writes nothing.
use std::sync::{Arc, Mutex, PoisonError};

use moka::sync;

use super::model::SLOWER_SECS;
use crate::base::Timestamp;

const KEPT: u64 = 100_000;

/// When a device has asked last, and how long it has to wait then.
type Asked = Mutex<Option<(Timestamp, i64)>>;

/// The pace of every device.
#[derive(Clone)]
pub struct Pace {
    interval: i64,
    asked: sync::Cache<[u8; 32], Arc<Asked>>,
}

impl Pace {
    /// `interval`: seconds between two questions, to begin with.
    #[must_use]
    pub fn new(interval: i64) -> Self {
        Self { interval, asked: sync::Cache::new(KEPT) }
    }

    /// Seconds between two questions, to begin with.
    #[must_use]
    pub const fn interval(&self) -> i64 {
        self.interval
    }

    /// Counts a question about a device code, by its hash.
    ///
    /// # Returns
    /// Whether it came too early: then every later one has to wait five seconds longer (RFC 8628 section 3.5).
    #[must_use]
    pub fn is_too_fast(&self, hash: [u8; 32], now: Timestamp) -> bool {
        let asked = self.asked.get_with(hash, Arc::default);
        let mut asked = asked.lock().unwrap_or_else(PoisonError::into_inner);
        let (is_too_fast, interval) = match *asked {
            Some((last, interval)) if now.secs_since(last) < interval => {
                (true, interval.saturating_add(SLOWER_SECS))
            }
            Some((_, interval)) => (false, interval),
            None => (false, self.interval),
        };
        *asked = Some((now, interval));
        is_too_fast
    }

    /// Forgets a device code that nobody needs to ask about any more.
    pub fn forget(&self, hash: &[u8; 32]) {
        self.asked.invalidate(hash);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_asks_too_fast_waits_five_seconds_longer_from_then_on() {
        let pace = Pace::new(5);
        let asks = |at| pace.is_too_fast([1; 32], Timestamp::from_secs(at));
        assert!(!asks(100) && !asks(105), "every five seconds");
        assert!(asks(109), "four is too fast, and it is ten now");
        assert!(!asks(119) && asks(128), "nine is too fast, and it is fifteen now");
        assert!(asks(142) && !asks(162), "twenty");
        assert!(!pace.is_too_fast([2; 32], Timestamp::from_secs(163)), "another device is not slower for it");
    }
}
