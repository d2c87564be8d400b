//! How many requests one client may make in an hour.
use std::hash::Hash;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use moka::sync::Cache;
use poem::http::header::{HeaderMap, HeaderName, HeaderValue};

use crate::api_key::ApiKey;
use crate::base::{Error, Id, Result, Timestamp};
use crate::rbac::{Actor, SubjectId, Via};

const LEFT: HeaderName = HeaderName::from_static("ratelimit");
const POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");
/// One hour, in seconds.
const WINDOW_SECS: i64 = 3600;

/// Who is counted together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Client {
    /// A user or a service account, whatever it calls from.
    Subject(SubjectId),
    /// An API key, apart from its owner and the owner's other keys.
    Key(Id<ApiKey>),
    /// A client of the OAuth 2.0 server, by the hash of its name.
    Application([u8; 16]),
    /// An address, for those who are nobody yet.
    Address(IpAddr),
}

/// As whom somebody is counted, and how many requests an hour it has if not as many as everyone.
#[must_use]
pub fn client_of(actor: &Actor) -> (Client, Option<u32>) {
    match &actor.via {
        Via::Session(_) | Via::Grant(_) => (Client::Subject(actor.subject.id()), None),
        Via::Key(key) => (Client::Key(key.id), key.requests_per_hour),
    }
}

/// What a client has left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Allowance {
    /// Of how many an hour.
    pub quota: u32,
    pub remaining: u32,
    pub reset_secs: i64,
}

impl Allowance {
    /// What is left to a client that was refused for having nothing left.
    #[must_use]
    pub fn used_up(error: &Error) -> Option<Self> {
        match error {
            Error::RateLimited { retry_after_secs, quota } => {
                Some(Self { quota: *quota, remaining: 0, reset_secs: (*retry_after_secs).cast_signed() })
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
        Ok(Self { quota, policy: policy(quota)?, meters: Cache::new(max_clients) })
    }

    /// Counts a request, of the client's own quota or everyone's; `None` when nothing is limited.
    ///
    /// # Errors
    /// `Error::RateLimited` once the window's quota is used up.
    pub fn count(&self, client: Client, quota: Option<u32>, now: Timestamp) -> Result<Option<Allowance>> {
        let quota = quota.unwrap_or(self.quota);
        if quota == 0 {
            return Ok(None);
        }
        let meter = match self.meters.get(&client) {
            Some(meter) => meter,
            None => self.meters.get_with(client, || Arc::new(AtomicU64::new(0))),
        };
        spend(&meter, quota, now.secs()).map(Some)
    }

    /// What a client has left, without taking of it; `None` when nothing is limited.
    ///
    /// # Errors
    /// As [`RateLimiter::count`].
    pub fn look(&self, client: Client, quota: Option<u32>, now: Timestamp) -> Result<Option<Allowance>> {
        let quota = quota.unwrap_or(self.quota);
        if quota == 0 {
            return Ok(None);
        }
        let state = self.meters.get(&client).map_or(0, |meter| meter.load(Ordering::SeqCst));
        let unspent = spend(&AtomicU64::new(state), quota, now.secs())?;
        Ok(Some(Allowance { remaining: unspent.remaining + 1, ..unspent }))
    }

    /// Writes `RateLimit-Policy` and `RateLimit` (draft-ietf-httpapi-ratelimit-headers).
    pub fn describe(&self, headers: &mut HeaderMap, allowance: Allowance) {
        let Allowance { quota, remaining, reset_secs } = allowance;
        if let Ok(left) = HeaderValue::try_from(format!("\"default\";r={remaining};t={reset_secs}")) {
            headers.insert(LEFT, left);
        }
        let policy = if quota == self.quota { Ok(self.policy.clone()) } else { policy(quota) };
        if let Ok(policy) = policy {
            headers.insert(POLICY, policy);
        }
    }
}

fn policy(quota: u32) -> Result<HeaderValue> {
    HeaderValue::try_from(format!("\"default\";q={quota};w={WINDOW_SECS}")).map_err(Error::internal)
}

fn spend(meter: &Meter, quota: u32, now: i64) -> Result<Allowance> {
    let mut allowance = Ok(Allowance { quota, remaining: 0, reset_secs: 0 });
    let step = |state: u64| {
        let (start, used) = ((state >> 32) as i64, state as u32);
        let fresh = used == 0 || now < start || now - start >= WINDOW_SECS;
        let (start, used) = if fresh { (now, 0) } else { (start, used) };
        let reset_secs = start + WINDOW_SECS - now;
        if used >= quota {
            allowance = Err(Error::RateLimited { retry_after_secs: reset_secs.unsigned_abs(), quota });
            return None;
        }
        allowance = Ok(Allowance { quota, remaining: quota - used - 1, reset_secs });
        Some(((start as u64) << 32) | u64::from(used + 1))
    };
    // A refused request changes nothing, so the update's own verdict says no more than `allowance`.
    let _ = meter.fetch_update(Ordering::SeqCst, Ordering::SeqCst, step);
    allowance
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANN: Client = Client::Subject(SubjectId::User(1));
    const BOB: Client = Client::Subject(SubjectId::User(2));

    #[test]
    fn a_quota_is_used_up_and_comes_back_after_an_hour() {
        let limiter = RateLimiter::new(2, 10).unwrap();
        let (ann, bob) = (ANN, BOB);
        let at = |secs: i64| Timestamp::from_secs(1_700_000_000 + secs);
        let left = |client, secs| limiter.count(client, None, at(secs)).map(|left| left.unwrap().remaining);
        assert_eq!(left(ann, 0), Ok(1));
        assert_eq!(left(ann, 10), Ok(0));
        assert_eq!(left(ann, 20), Err(Error::RateLimited { retry_after_secs: 3580, quota: 2 }));
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
                (0..100).filter(|_| limiter.count(ANN, None, now).is_ok()).count()
            })
        });
        let threads: Vec<_> = threads.collect();
        assert_eq!(threads.into_iter().map(|thread| thread.join().unwrap()).sum::<usize>(), 100);
    }

    #[test]
    fn no_quota_counts_nothing() {
        assert_eq!(RateLimiter::new(0, 10).unwrap().count(ANN, None, Timestamp::default()), Ok(None));
    }
}
