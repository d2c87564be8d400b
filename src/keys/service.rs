//! The signing keys in use: made at the first start, rotated in stages, published.
use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock};

use bytes::Bytes;
use serde_json::json;
use zeroize::Zeroizing;

use super::model::{KeyRecord, Stage, rotated};
use super::table;
use crate::audit::{self, Event};
use crate::base::{Env, Error, Result, Secret, Timestamp};
use crate::crypto::{AccessClaims, Algorithm, Issuer, MasterKey, Sealer, SigningKey, jwt, signing};
use crate::rbac::Initiator;
use crate::store::{Store, WriteTx};

const SECONDS_PER_DAY: i64 = 86_400;
const MIN_SHARED_SECRET_BYTES: usize = 32;

/// How keys are made and how long they serve.
#[derive(Debug, Clone)]
pub struct KeyPolicy {
    pub algorithm: Algorithm,
    pub issuer: Issuer,
    /// The file of the shared secret, for HS256.
    pub shared_secret_file: Option<PathBuf>,
    /// 0: only when somebody says so.
    pub rotation_days: i64,
    /// How long a token lasts that a key has signed.
    pub access_lifetime_secs: i64,
}

/// The keys; clones share them.
#[derive(Clone)]
pub struct Keys(Arc<Inner>);

struct Inner {
    store: Store,
    env: Env,
    sealer: Sealer,
    policy: KeyPolicy,
    ring: RwLock<Arc<Ring>>,
}

/// What is needed to sign and verify.
struct Ring {
    records: Vec<KeyRecord>,
    current: Arc<SigningKey>,
    by_id: HashMap<String, Arc<SigningKey>>,
    jwks: Bytes,
}

impl Keys {
    /// Reads the keys, or makes the first ones. Another configured algorithm than that of the current key is a
    /// rotation to the new one.
    ///
    /// # Errors
    /// `Error::Unavailable` when the master key is not the one that the keys were encrypted under, or the file of
    /// the shared secret cannot be used.
    pub async fn open(store: Store, env: Env, master: &MasterKey, policy: KeyPolicy) -> Result<Self> {
        let sealer = master.sealer("signing keys")?;
        let shared = policy.shared_secret_file.as_ref().filter(|_| policy.algorithm == Algorithm::Hs256);
        let ring = match shared {
            Some(path) => Ring::of_shared_secret(path)?,
            None => {
                let made = ensure(&store, &env, &sealer, &policy).await?;
                Ring::of(made, &sealer)?
            }
        };
        Ok(Self(Arc::new(Inner { store, env, sealer, policy, ring: RwLock::new(Arc::new(ring)) })))
    }

    /// Signs an access token with the current key.
    ///
    /// # Errors
    /// `Error::Internal` if the library refuses.
    pub fn sign(&self, claims: &AccessClaims) -> Result<Secret> {
        jwt::sign(&self.ring().current, claims).map(Secret::new)
    }

    /// Checks everything of an access token but its times.
    ///
    /// # Errors
    /// `Error::InvalidToken`.
    pub fn verify(&self, token: &str) -> Result<AccessClaims> {
        let ring = self.ring();
        jwt::verify(token, &self.0.policy.issuer, |kid| ring.by_id.get(kid).map(Arc::as_ref))
    }

    /// The public keys as a JWK set (RFC 7517 section 5).
    #[must_use]
    pub fn jwks(&self) -> Bytes {
        self.ring().jwks.clone()
    }

    /// The keys there are, without what is private of them.
    #[must_use]
    pub fn list(&self) -> Vec<(String, Algorithm, Stage)> {
        let ring = self.ring();
        ring.records.iter().map(|key| (key.kid.clone(), key.algorithm, key.stage)).collect()
    }

    /// The key that signs: its id and algorithm, and since when (never said of a shared secret).
    #[must_use]
    pub fn current(&self) -> (String, Algorithm, Option<Timestamp>) {
        let ring = self.ring();
        let since = ring.records.iter().find_map(|key| match key.stage {
            Stage::Current { since } => Some(since),
            _ => None,
        });
        (ring.current.kid().to_owned(), self.0.policy.algorithm, since)
    }

    /// Moves every key one stage on. Nobody is logged out: what the old one signed is taken until it ends.
    ///
    /// # Errors
    /// `Error::Invalid` for HS256, whose secret others keep as well.
    pub async fn rotate(&self, by: Initiator) -> Result<()> {
        let inner = &self.0;
        if inner.policy.algorithm == Algorithm::Hs256 {
            let reason = "a shared secret is rotated by changing its file and restarting";
            return Err(Error::invalid("algorithm", reason));
        }
        let fresh = make(&inner.env, &inner.sealer, inner.policy.algorithm).await?;
        let (now, lifetime) = (inner.env.now(), inner.policy.access_lifetime_secs);
        let change = move |tx: &mut WriteTx| {
            let keys = rotated(table::all(tx)?, fresh, now, lifetime);
            table::replace(tx, &keys)?;
            let current = keys.iter().find(|key| matches!(key.stage, Stage::Current { .. }));
            let kid = current.map(|key| key.kid.clone()).unwrap_or_default();
            audit::table::append(tx, Event::new(&by, "signing_key.rotated", now).with("kid", kid))?;
            Ok(keys)
        };
        let ring = Ring::of(inner.store.write(change).await?, &inner.sealer)?;
        tracing::info!(kid = ring.current.kid(), "signing keys rotated");
        *inner.ring.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(ring);
        Ok(())
    }

    /// Rotates if the current key has served its time.
    ///
    /// # Errors
    /// As [`Keys::rotate`].
    pub async fn rotate_if_due(&self) -> Result<()> {
        let days = self.0.policy.rotation_days;
        let now = self.0.env.now();
        let due = |key: &KeyRecord| match key.stage {
            Stage::Current { since } => now.secs_since(since) >= days.saturating_mul(SECONDS_PER_DAY),
            _ => false,
        };
        if days > 0 && self.ring().records.iter().any(due) {
            self.rotate(Initiator::system()).await
        } else {
            Ok(())
        }
    }

    fn ring(&self) -> Arc<Ring> {
        Arc::clone(&self.0.ring.read().unwrap_or_else(PoisonError::into_inner))
    }
}

/// The stored keys, with a current one of the configured algorithm and a next one.
async fn ensure(store: &Store, env: &Env, sealer: &Sealer, policy: &KeyPolicy) -> Result<Vec<KeyRecord>> {
    let keys = store.get(table::all)?;
    let signs =
        |key: &KeyRecord| matches!(key.stage, Stage::Current { .. }) && key.algorithm == policy.algorithm;
    if keys.iter().any(signs) {
        return Ok(keys);
    }
    let now = env.now();
    let first = make(env, sealer, policy.algorithm).await?;
    let second = make(env, sealer, policy.algorithm).await?;
    let lifetime = policy.access_lifetime_secs;
    let change = move |tx: &mut WriteTx| {
        // Twice: the first of the two becomes current at once.
        let keys = rotated(rotated(table::all(tx)?, first, now, lifetime), second, now, lifetime);
        table::replace(tx, &keys)?;
        Ok(keys)
    };
    store.write(change).await
}

/// A new key, off the async threads: RSA takes its time.
async fn make(env: &Env, sealer: &Sealer, algorithm: Algorithm) -> Result<KeyRecord> {
    let private = tokio::task::spawn_blocking(move || signing::generate(algorithm))
        .await
        .map_err(Error::internal)??;
    let kid = SigningKey::parse(algorithm, &private)?.kid().to_owned();
    let sealed = sealer.seal(env.entropy.as_ref(), kid.as_bytes(), &private)?;
    Ok(KeyRecord { kid, algorithm, sealed, created_at: env.now(), stage: Stage::Next })
}

impl Ring {
    fn of(records: Vec<KeyRecord>, sealer: &Sealer) -> Result<Self> {
        let mut by_id = HashMap::new();
        let mut current = None;
        for record in &records {
            let private = sealer.open(record.kid.as_bytes(), &record.sealed).ok_or_else(|| {
                Error::unavailable("the master key is not the one that the store's keys were encrypted under")
            })?;
            let key = Arc::new(SigningKey::parse(record.algorithm, &private)?);
            if matches!(record.stage, Stage::Current { .. }) {
                current = Some(Arc::clone(&key));
            }
            by_id.insert(record.kid.clone(), key);
        }
        let current = current.ok_or_else(|| Error::internal("no signing key is current"))?;
        let public: Vec<_> = by_id.values().filter_map(|key| key.public()).collect();
        let jwks = serde_json::to_vec(&json!({"keys": public})).map_err(Error::internal)?;
        Ok(Self { records, current, by_id, jwks: jwks.into() })
    }

    /// A shared secret is never published.
    fn of_shared_secret(path: &std::path::Path) -> Result<Self> {
        let named = |what: &str| Error::unavailable(format!("shared secret {}: {what}", path.display()));
        let bytes = std::fs::read(path).map(Zeroizing::new).map_err(|cause| named(&cause.to_string()))?;
        let secret = bytes.strip_suffix(b"\n").unwrap_or(&bytes);
        if secret.len() < MIN_SHARED_SECRET_BYTES {
            return Err(named("must have at least 32 bytes"));
        }
        let key = Arc::new(SigningKey::parse(Algorithm::Hs256, secret)?);
        let by_id = HashMap::from([(key.kid().to_owned(), Arc::clone(&key))]);
        Ok(Self { records: Vec::new(), current: key, by_id, jwks: Bytes::from_static(b"{\"keys\":[]}") })
    }
}
