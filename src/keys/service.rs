//! The signing keys in use: made at the first start, rotated in stages, published.
use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock};

use bytes::Bytes;
use serde::Serialize;
use serde::de::DeserializeOwned;
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
    /// How long what a key has signed lasts at most.
    pub signed_lifetime_secs: i64,
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
    /// Signs access tokens.
    current: Arc<SigningKey>,
    /// Sign what is made for clients that want their algorithm.
    by_algorithm: HashMap<Algorithm, Arc<SigningKey>>,
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
        let shared = shared.map(|path| read_shared_secret(path)).transpose()?;
        let records = match shared {
            Some(_) => store.get(table::all)?,
            None => ensure(&store, &env, &sealer, &policy, policy.algorithm).await?,
        };
        let ring = Ring::of(records, &sealer, policy.algorithm, shared)?;
        Ok(Self(Arc::new(Inner { store, env, sealer, policy, ring: RwLock::new(Arc::new(ring)) })))
    }

    /// Signs an access token with the current key.
    ///
    /// # Errors
    /// `Error::Internal` if the library refuses.
    pub fn sign(&self, claims: &impl Serialize) -> Result<Secret> {
        jwt::sign(&self.ring().current, claims).map(Secret::new)
    }

    /// Signs a JWT of a media type with the current key of an algorithm.
    ///
    /// # Errors
    /// `Error::Internal` if there is none ([`Keys::ensure`] makes one), or the library refuses.
    pub fn sign_as(&self, algorithm: Algorithm, typ: &str, claims: &impl Serialize) -> Result<Secret> {
        let ring = self.ring();
        let key = ring.by_algorithm.get(&algorithm);
        let key = key.ok_or_else(|| Error::internal(format!("no key signs with {algorithm}")))?;
        jwt::sign_typed(key, typ, claims).map(Secret::new)
    }

    /// Sees to it that there are keys of an algorithm; RSA takes a while.
    ///
    /// # Errors
    /// `Error::Unavailable` when the store does not serve.
    pub async fn ensure(&self, algorithm: Algorithm) -> Result<()> {
        let inner = &self.0;
        if algorithm == Algorithm::Hs256 || self.ring().by_algorithm.contains_key(&algorithm) {
            return Ok(());
        }
        let records = ensure(&inner.store, &inner.env, &inner.sealer, &inner.policy, algorithm).await?;
        self.put_ring(records)
    }

    /// Checks the form, type, key, signature and issuer of a JWT that this server has signed. Whom it is for, and its
    /// times, are for whoever asks to check.
    ///
    /// # Errors
    /// `Error::InvalidToken`.
    pub fn verify_typed<T: DeserializeOwned + Clone>(&self, token: &str, typ: &str) -> Result<T> {
        let ring = self.ring();
        let by_id = |kid: &str| ring.by_id.get(kid).map(Arc::as_ref);
        jwt::verify_typed(token, typ, &self.0.policy.issuer.issuer, by_id)
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
            Stage::Current { since } if key.algorithm == self.0.policy.algorithm => Some(since),
            _ => None,
        });
        (ring.current.kid().to_owned(), self.0.policy.algorithm, since)
    }

    /// Moves every key one stage on. Nobody is logged out: what the old one signed is taken until it ends.
    ///
    /// # Errors
    /// `Error::Invalid` for HS256, whose secret others keep as well.
    pub async fn rotate(&self, by: Initiator) -> Result<()> {
        if self.0.policy.algorithm == Algorithm::Hs256 {
            let reason = "a shared secret is rotated by changing its file and restarting";
            return Err(Error::invalid("algorithm", reason));
        }
        let algorithms: Vec<_> = self.ring().by_algorithm.keys().copied().collect();
        self.rotate_all(&by, &algorithms).await
    }

    /// Rotates the keys that have served their time.
    ///
    /// # Errors
    /// `Error::Unavailable` when the store does not serve.
    pub async fn rotate_if_due(&self) -> Result<()> {
        let days = self.0.policy.rotation_days;
        let now = self.0.env.now();
        let due = |key: &&KeyRecord| match key.stage {
            Stage::Current { since } => now.secs_since(since) >= days.saturating_mul(SECONDS_PER_DAY),
            _ => false,
        };
        if days == 0 {
            return Ok(());
        }
        let due: Vec<_> = self.ring().records.iter().filter(due).map(|key| key.algorithm).collect();
        self.rotate_all(&Initiator::system(), &due).await
    }

    async fn rotate_all(&self, by: &Initiator, algorithms: &[Algorithm]) -> Result<()> {
        for algorithm in algorithms {
            let inner = &self.0;
            let fresh = make(&inner.env, &inner.sealer, *algorithm).await?;
            let (now, lifetime, by) = (inner.env.now(), inner.policy.signed_lifetime_secs, by.clone());
            let change = move |tx: &mut WriteTx| {
                let algorithm = fresh.algorithm;
                let keys = rotated(table::all(tx)?, fresh, now, lifetime);
                table::replace(tx, &keys)?;
                let signs = |key: &&KeyRecord| {
                    matches!(key.stage, Stage::Current { .. }) && key.algorithm == algorithm
                };
                let kid = keys.iter().find(signs).map(|key| key.kid.clone()).unwrap_or_default();
                audit::table::append(tx, Event::new(&by, "signing_key.rotated", now).with("kid", kid))?;
                Ok(keys)
            };
            self.put_ring(inner.store.write(change).await?)?;
            tracing::info!(%algorithm, "signing keys rotated");
        }
        Ok(())
    }

    fn put_ring(&self, records: Vec<KeyRecord>) -> Result<()> {
        let inner = &self.0;
        let mut ring = inner.ring.write().unwrap_or_else(PoisonError::into_inner);
        let shared = (inner.policy.algorithm == Algorithm::Hs256).then(|| Arc::clone(&ring.current));
        *ring = Arc::new(Ring::of(records, &inner.sealer, inner.policy.algorithm, shared)?);
        Ok(())
    }

    fn ring(&self) -> Arc<Ring> {
        Arc::clone(&self.0.ring.read().unwrap_or_else(PoisonError::into_inner))
    }
}

/// The stored keys, with a current one of an algorithm and a next one.
async fn ensure(
    store: &Store,
    env: &Env,
    sealer: &Sealer,
    policy: &KeyPolicy,
    algorithm: Algorithm,
) -> Result<Vec<KeyRecord>> {
    let keys = store.get(table::all)?;
    let signs =
        move |key: &KeyRecord| matches!(key.stage, Stage::Current { .. }) && key.algorithm == algorithm;
    if keys.iter().any(signs) {
        return Ok(keys);
    }
    let now = env.now();
    let first = make(env, sealer, algorithm).await?;
    let second = make(env, sealer, algorithm).await?;
    let lifetime = policy.signed_lifetime_secs;
    let change = move |tx: &mut WriteTx| {
        let keys = table::all(tx)?;
        // Somebody else may have wanted one at the same time.
        if keys.iter().any(signs) {
            return Ok(keys);
        }
        // Twice: the first of the two becomes current at once.
        let keys = rotated(rotated(keys, first, now, lifetime), second, now, lifetime);
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
    /// `shared`: the secret that signs access tokens in place of a key of `algorithm`. It is never published.
    fn of(
        records: Vec<KeyRecord>,
        sealer: &Sealer,
        algorithm: Algorithm,
        shared: Option<Arc<SigningKey>>,
    ) -> Result<Self> {
        let (mut by_id, mut by_algorithm) = (HashMap::new(), HashMap::new());
        for record in &records {
            let private = sealer.open(record.kid.as_bytes(), &record.sealed).ok_or_else(|| {
                Error::unavailable("the master key is not the one that the store's keys were encrypted under")
            })?;
            let key = Arc::new(SigningKey::parse(record.algorithm, &private)?);
            if matches!(record.stage, Stage::Current { .. }) {
                by_algorithm.insert(record.algorithm, Arc::clone(&key));
            }
            by_id.insert(record.kid.clone(), key);
        }
        let public: Vec<_> = by_id.values().filter_map(|key| key.public()).collect();
        let jwks = serde_json::to_vec(&json!({"keys": public})).map_err(Error::internal)?;
        if let Some(key) = &shared {
            by_id.insert(key.kid().to_owned(), Arc::clone(key));
        }
        let current = shared.or_else(|| by_algorithm.get(&algorithm).cloned());
        let current = current.ok_or_else(|| Error::internal("no signing key is current"))?;
        Ok(Self { records, current, by_algorithm, by_id, jwks: jwks.into() })
    }
}

fn read_shared_secret(path: &std::path::Path) -> Result<Arc<SigningKey>> {
    let named = |what: &str| Error::unavailable(format!("shared secret {}: {what}", path.display()));
    let bytes = std::fs::read(path).map(Zeroizing::new).map_err(|cause| named(&cause.to_string()))?;
    let secret = bytes.strip_suffix(b"\n").unwrap_or(&bytes);
    if secret.len() < MIN_SHARED_SECRET_BYTES {
        return Err(named("must have at least 32 bytes"));
    }
    SigningKey::parse(Algorithm::Hs256, secret).map(Arc::new)
}
