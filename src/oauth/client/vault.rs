//! Secrets of clients that sign with them: a hash would verify no signature.
use std::sync::Arc;

use super::model::ClientId;
use crate::base::{Env, Error, Result, Secret};
use crate::crypto::{MasterKey, Sealer};

/// Seals and opens them, each for its client alone.
#[derive(Clone)]
pub struct Vault(Arc<Sealer>);

impl Vault {
    /// # Errors
    /// `Error::Internal` if no key can be derived.
    pub fn new(master: &MasterKey) -> Result<Self> {
        Ok(Self(Arc::new(master.sealer("client secrets")?)))
    }

    /// # Errors
    /// `Error::Internal` if the library refuses.
    pub fn seal(&self, env: &Env, id: &ClientId, secret: &Secret) -> Result<Vec<u8>> {
        self.0.seal(env.entropy.as_ref(), id.as_str().as_bytes(), secret.expose().as_bytes())
    }

    /// The bytes of a secret.
    ///
    /// # Errors
    /// `Error::Internal` for one that was sealed under another key or for another client.
    pub fn open(&self, id: &ClientId, sealed: &[u8]) -> Result<zeroize::Zeroizing<Vec<u8>>> {
        let opened = self.0.open(id.as_str().as_bytes(), sealed);
        opened.ok_or_else(|| Error::internal("the secret of a client does not open"))
    }
}
