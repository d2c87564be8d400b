//! How many requests one client may make in an hour.
use std::hash::Hash;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use moka::sync::Cache;
use poem::http::header::{HeaderMap, HeaderName, HeaderValue};

use crate::base::{Error, Result, Timestamp};

const LEFT: HeaderName = HeaderName::from_static("ratelimit");
const POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");
/// One hour, in seconds.
const WINDOW_SECS: i64 = 3600;

/// Who is counted together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Client {
    /// A user, whatever it calls from.
    User(u64),
    /// An address, for those who are nobody yet.
    Address(IpAddr),
}

/// What a client has left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Allowance {
    pub remaining: u32,
    pub reset_secs: i64,
}

impl Allowance {
    /// What is left to a client that was refused for having nothing left.
    #[must_use]
    pub fn used_up(error: &Error) -> Option<Self> {
        match error {
            Error::RateLimited { retry_after_secs } => {
                Some(Self { remaining: 0, reset_secs: (*retry_after_secs).cast_signed() })
            }
            _ => None,
        }
    }
}

/// The window's start (seconds, upper half) and the requests in it (lower half) in one word.
type Meter = AtomicU64;

/// Counts requests in windows of an hour that begin with a client's first.
pub struct RateLimiter {
    quota: u32,
    policy: HeaderValue,
    meters: Cache<Client, Arc<Meter>>,
}

impl RateLimiter {
    /// `quota` requests an hour for each of about `max_clients`; 0 counts nothing.
    ///
    /// # Errors
    /// `Error::Internal` if the header cannot be written.
    pub fn new(quota: u32, max_clients: u64) -> Result<Self> {
        let policy = format!("\"default\";q={quota};w={WINDOW_SECS}");
        let policy = HeaderValue::try_from(policy).map_err(Error::internal)?;
        Ok(Self { quota, policy, meters: Cache::new(max_clients) })
    }

    /// Counts a request; `None` when nothing is limited.
    ///
    /// # Errors
    /// `Error::RateLimited` once the window's quota is used up.
    pub fn count(&self, client: Client, now: Timestamp) -> Result<Option<Allowance>> {
        if self.quota == 0 {
            return Ok(None);
        }
        let meter = match self.meters.get(&client) {
            Some(meter) => meter,
            None => self.meters.get_with(client, || Arc::new(AtomicU64::new(0))),
        };
        self.spend(&meter, now.secs()).map(Some)
    }

    fn spend(&self, meter: &Meter, now: i64) -> Result<Allowance> {
        let mut allowance = Ok(Allowance { remaining: 0, reset_secs: 0 });
        let step = |state: u64| {
            let (start, used) = ((state >> 32) as i64, state as u32);
            let fresh = used == 0 || now < start || now - start >= WINDOW_SECS;
            let (start, used) = if fresh { (now, 0) } else { (start, used) };
            let reset_secs = start + WINDOW_SECS - now;
            if used >= self.quota {
                allowance = Err(Error::RateLimited { retry_after_secs: reset_secs.unsigned_abs() });
                return None;
            }
            allowance = Ok(Allowance { remaining: self.quota - used - 1, reset_secs });
            Some(((start as u64) << 32) | u64::from(used + 1))
        };
        // A refused request changes nothing, so the update's own verdict says no more than `allowance`.
        let _ = meter.fetch_update(Ordering::SeqCst, Ordering::SeqCst, step);
        allowance
    }

    /// Writes `RateLimit-Policy` and `RateLimit` (draft-ietf-httpapi-ratelimit-headers).
    pub fn describe(&self, headers: &mut HeaderMap, allowance: Allowance) {
        let Allowance { remaining, reset_secs } = allowance;
        if let Ok(left) = HeaderValue::try_from(format!("\"default\";r={remaining};t={reset_secs}")) {
            headers.insert(LEFT, left);
        }
        headers.insert(POLICY, self.policy.clone());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quota_is_used_up_and_comes_back_after_an_hour() {
        let limiter = RateLimiter::new(2, 10).unwrap();
        let (ann, bob) = (Client::User(1), Client::User(2));
        let at = |secs: i64| Timestamp::from_secs(1_700_000_000 + secs);
        let left = |client, secs| limiter.count(client, at(secs)).map(|left| left.unwrap().remaining);
        assert_eq!(left(ann, 0), Ok(1));
        assert_eq!(left(ann, 10), Ok(0));
        assert_eq!(left(ann, 20), Err(Error::RateLimited { retry_after_secs: 3580 }));
        assert_eq!(left(bob, 20), Ok(1));
        assert_eq!(left(ann, 3600), Ok(1));
    }

    #[test]
    fn parallel_requests_share_the_quota() {
        let limiter = Arc::new(RateLimiter::new(100, 10).unwrap());
        let threads = (0..4).map(|_| {
            let limiter = Arc::clone(&limiter);
            std::thread::spawn(move || {
                let now = Timestamp::from_secs(1_700_000_000);
                (0..100).filter(|_| limiter.count(Client::User(1), now).is_ok()).count()
            })
        });
        let threads: Vec<_> = threads.collect();
        assert_eq!(threads.into_iter().map(|thread| thread.join().unwrap()).sum::<usize>(), 100);
    }

    #[test]
    fn no_quota_counts_nothing() {
        assert_eq!(RateLimiter::new(0, 10).unwrap().count(Client::User(1), Timestamp::default()), Ok(None));
    }
}
