//! Whether it was a client that has signed something.
use std::borrow::Cow;
use std::sync::Arc;

use super::live::PublishedKeys;
use super::model::{self, TYPES};
use super::table;
use crate::base::{Result, Timestamp};
use crate::crypto::jws::Verdict;
use crate::crypto::{Algorithm, Jws, VerifyingKey};
use crate::oauth::client::Client;
use crate::oauth::client::keys::ClientKeys;
use crate::oauth::client::model::Authentication;
use crate::oauth::client::vault::Vault;
use crate::store::{Store, WriteTx};

/// Nothing that says who a client is comes near; it bounds the work for what does not.
const MAX_BYTES: usize = 8192;

/// What clients sign.
#[derive(Clone)]
pub struct Assertions(Arc<Parts>);

struct Parts {
    store: Store,
    issuer: String,
    vault: Vault,
    published: PublishedKeys,
}

/// Why something is not good, for whoever writes the client.
pub type Why = Cow<'static, str>;

impl Assertions {
    #[must_use]
    pub fn new(store: Store, issuer: String, vault: Vault, published: PublishedKeys) -> Self {
        Self(Arc::new(Parts { store, issuer, vault, published }))
    }

    /// As whom we are addressed.
    #[must_use]
    pub fn issuer(&self) -> &str {
        &self.0.issuer
    }

    /// Whether a client says who it is, by its key or by its secret, for the first time in these words (RFC 7523 section 3).
    /// That it has is durable before this returns: two at once are one too many.
    ///
    /// # Errors
    /// `Error::Unavailable` when the store does not serve.
    ///
    /// # Returns
    /// Why it is not so.
    pub async fn admit(
        &self,
        client: &Client,
        assertion: &str,
        now: Timestamp,
    ) -> Result<std::result::Result<(), Why>> {
        const BROKEN: &str = "client_assertion is no signed JWT that says who a client is";
        let jws = Some(assertion).filter(|text| text.len() <= MAX_BYTES).and_then(Jws::read);
        let Some(jws) = jws.filter(|jws| jws.is_typed(TYPES)) else { return Ok(Err(BROKEN.into())) };
        let once = match model::check(&client.id, self.issuer(), &jws.claims, now) {
            Ok(once) => once,
            Err(why) => return Ok(Err(why.into())),
        };
        let registered = client.metadata.authentication_algorithm;
        let taken = |algorithm| registered.is_none_or(|only| only == algorithm);
        let verified = match client.metadata.authentication {
            Authentication::SecretJwt => by_secret(&jws, &self.shared_keys(client, now)?, taken),
            _ => self.by_key(client, &jws, taken).await,
        };
        if let Err(why) = verified {
            return Ok(Err(why));
        }
        // Looked at before it is written: who tries one again and again keeps nobody else waiting.
        let is_new = !self.0.store.get(|tx| table::is_used(tx, &once))?
            && self.0.store.write(move |tx: &mut WriteTx| table::use_once(tx, &once)).await?;
        Ok(if is_new { Ok(()) } else { Err("client_assertion was used already (jti)".into()) })
    }

    /// Whether a client has signed something with one of its keys. Keys that it publishes elsewhere are asked for again, once, if
    /// none of those that are known can have made it.
    ///
    /// # Errors
    /// Why not.
    pub async fn by_key(
        &self,
        client: &Client,
        jws: &Jws<'_>,
        taken: impl Fn(Algorithm) -> bool + Copy + Send,
    ) -> std::result::Result<(), Why> {
        let unknown = || Err("no key of the client has this name and takes this algorithm".into());
        let is_public = |algorithm: Algorithm| algorithm != Algorithm::Hs256 && taken(algorithm);
        let ClientKeys::Uri(uri) = &client.metadata.keys else {
            return said(jws.verify(&client.metadata.keys.parsed(), is_public)).unwrap_or_else(unknown);
        };
        for anew in [false, true] {
            let keys = self.0.published.at(uri, anew).await;
            let keys = keys.map_err(|why| format!("the keys at jwks_uri cannot be had: {why}"))?;
            if let Some(said) = said(jws.verify(&keys, is_public)) {
                return said;
            }
        }
        unknown()
    }

    /// The secrets of a client that are good now.
    fn shared_keys(&self, client: &Client, now: Timestamp) -> Result<Vec<VerifyingKey>> {
        let good = client.secrets.iter().filter(|one| one.is_good(now) && one.signs());
        let open = |sealed: &[u8]| Ok(VerifyingKey::shared(&self.0.vault.open(&client.id, sealed)?));
        good.map(|one| open(&one.sealed)).collect()
    }
}

/// While a secret is rotated there are two, and none has a name: each is tried by itself.
fn by_secret(
    jws: &Jws<'_>,
    keys: &[VerifyingKey],
    taken: impl Fn(Algorithm) -> bool,
) -> std::result::Result<(), Why> {
    let is_shared = |algorithm: Algorithm| algorithm == Algorithm::Hs256 && taken(algorithm);
    let fits = |key: &VerifyingKey| jws.verify(std::slice::from_ref(key), is_shared) == Verdict::Good;
    if keys.iter().any(fits) { Ok(()) } else { Err(NOT_SIGNED.into()) }
}

const NOT_SIGNED: &str = "the signature is not the client's, or by an algorithm that it has not registered";

/// `None`: there is no key that can have made it.
fn said(verdict: Verdict) -> Option<std::result::Result<(), Why>> {
    match verdict {
        Verdict::Good => Some(Ok(())),
        Verdict::Bad => Some(Err(NOT_SIGNED.into())),
        Verdict::NoKey => None,
    }
}
