//! Keys that clients publish, kept for a while and asked for again when there may be newer ones.
use std::sync::Arc;

use bytes::Bytes;
use hyper::Request;
use hyper::header::{ACCEPT, HeaderValue};
use moka::sync::Cache;
use tokio::sync::Mutex;

use crate::base::{Env, Timestamp};
use crate::crypto::{VerifyingKey, jwk};
use crate::outbound::Outbound;

/// Addresses whose keys are kept.
const KEPT: u64 = 1000;
/// Of what comes back.
const MAX_BYTES: usize = 128 * 1024;
/// Seconds that keys are good without being asked for again.
const GOOD_SECS: i64 = 3600;
/// Seconds between two requests to one address, whoever wants whichever key.
const PAUSE_SECS: i64 = 30;

/// Keys by the addresses where clients publish them.
#[derive(Clone)]
pub struct PublishedKeys {
    outbound: Outbound,
    env: Env,
    known: Cache<String, Arc<Mutex<Known>>>,
}

/// What is known of an address.
#[derive(Default)]
struct Known {
    asked_at: Option<Timestamp>,
    /// When there were some the last time.
    good_at: Option<Timestamp>,
    found: Option<Result<Arc<Vec<VerifyingKey>>, String>>,
}

impl PublishedKeys {
    #[must_use]
    pub fn new(outbound: Outbound, env: Env) -> Self {
        Self { outbound, env, known: Cache::new(KEPT) }
    }

    /// The keys at an address. `anew`: those that are known have been of no use, and there may be newer ones by now; nobody is
    /// asked twice within half a minute, though.
    ///
    /// # Errors
    /// Why there are none.
    pub async fn at(&self, uri: &str, anew: bool) -> Result<Arc<Vec<VerifyingKey>>, String> {
        // Whoever else wants the same waits for the same answer.
        let known = self.known.get_with_by_ref(uri, Arc::default);
        let mut known = known.lock().await;
        let now = self.env.now();
        let age = known.asked_at.map_or(i64::MAX, |asked| now.secs_since(asked));
        match &known.found {
            Some(found) if age < PAUSE_SECS => return found.clone(),
            Some(found @ Ok(_)) if age < GOOD_SECS && !anew => return found.clone(),
            _ => {}
        }
        known.asked_at = Some(now);
        let found = self.ask(uri).await;
        // Keys that were good a while ago are better than none.
        let is_good = |at: Timestamp| now.secs_since(at) < GOOD_SECS;
        if found.is_ok() {
            known.good_at = Some(now);
        } else if known.good_at.is_some_and(is_good)
            && let Some(before @ Ok(_)) = &known.found
        {
            return before.clone();
        }
        known.found = Some(found.clone());
        found
    }

    async fn ask(&self, uri: &str) -> Result<Arc<Vec<VerifyingKey>>, String> {
        let request = Request::get(uri)
            .header(ACCEPT, HeaderValue::from_static("application/jwk-set+json, application/json"))
            .body(Bytes::new())
            .map_err(|_| "it is no URL".to_owned())?;
        let answer = self.outbound.send(request, MAX_BYTES).await.map_err(|failure| failure.to_string())?;
        if answer.status() != hyper::StatusCode::OK {
            return Err(format!("its answer has status {}", answer.status().as_u16()));
        }
        jwk::read_set(answer.body()).map(Arc::new).map_err(str::to_owned)
    }
}
