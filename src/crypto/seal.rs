//! Keys under keys: one master key, a derived key for each purpose, AES-256-GCM for what is sealed.
use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use aws_lc_rs::hkdf::{HKDF_SHA256, KeyType, Prk, Salt};
use aws_lc_rs::hmac;
use zeroize::Zeroizing;

use crate::base::{Entropy, Error, Result, entropy};

/// Bytes of a key.
pub const KEY_BYTES: usize = 32;

/// The key that every other one hangs on. It is kept outside the store.
pub struct MasterKey(Prk);

struct KeyLength;

impl KeyType for KeyLength {
    fn len(&self) -> usize {
        KEY_BYTES
    }
}

impl MasterKey {
    #[must_use]
    pub fn new(key: &[u8; KEY_BYTES]) -> Self {
        Self(Salt::new(HKDF_SHA256, b"auth-service").extract(key))
    }

    /// The key for one purpose (RFC 5869, with the purpose as `info`).
    ///
    /// # Errors
    /// `Error::Internal` if the library refuses, which it has no reason to.
    pub fn derive(&self, purpose: &str) -> Result<Zeroizing<[u8; KEY_BYTES]>> {
        let mut key = Zeroizing::new([0; KEY_BYTES]);
        let info = [purpose.as_bytes()];
        let okm = self.0.expand(&info, KeyLength).map_err(Error::internal)?;
        okm.fill(key.as_mut()).map_err(Error::internal)?;
        Ok(key)
    }

    /// Seals and opens for one purpose.
    ///
    /// # Errors
    /// As [`MasterKey::derive`].
    pub fn sealer(&self, purpose: &str) -> Result<Sealer> {
        Sealer::new(&*self.derive(purpose)?)
    }

    /// Authenticates (HMAC-SHA-256) for one purpose.
    ///
    /// # Errors
    /// As [`MasterKey::derive`].
    pub fn mac(&self, purpose: &str) -> Result<hmac::Key> {
        Ok(hmac::Key::new(hmac::HMAC_SHA256, &*self.derive(purpose)?))
    }
}

/// Authenticated encryption under one key.
pub struct Sealer(LessSafeKey);

impl Sealer {
    /// # Errors
    /// `Error::Internal` if the library refuses the key.
    pub fn new(key: &[u8; KEY_BYTES]) -> Result<Self> {
        Ok(Self(LessSafeKey::new(UnboundKey::new(&AES_256_GCM, key).map_err(Error::internal)?)))
    }

    /// `nonce ++ ciphertext ++ tag`; only the same `context` opens it.
    ///
    /// # Errors
    /// `Error::Internal` if the library refuses.
    pub fn seal(&self, rng: &dyn Entropy, context: &[u8], plain: &[u8]) -> Result<Vec<u8>> {
        let nonce: [u8; NONCE_LEN] = entropy::bytes(rng);
        let mut body = plain.to_vec();
        let unique = Nonce::assume_unique_for_key(nonce);
        self.0.seal_in_place_append_tag(unique, Aad::from(context), &mut body).map_err(Error::internal)?;
        Ok([&nonce[..], &body].concat())
    }

    /// What was sealed under the same key and context; `None` for anything else.
    #[must_use]
    pub fn open(&self, context: &[u8], sealed: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        let (nonce, body) = sealed.split_at_checked(NONCE_LEN)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
        let mut body = Zeroizing::new(body.to_vec());
        let len = self.0.open_in_place(nonce, Aad::from(context), &mut body).ok()?.len();
        body.truncate(len);
        Some(body)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::base::SeededEntropy;

    proptest! {
        #[test]
        fn only_the_same_key_context_and_bytes_open(
            plain: Vec<u8>, context: Vec<u8>, other: Vec<u8>, at: prop::sample::Index, seed: u64,
        ) {
            let rng = SeededEntropy::new(seed);
            let master = MasterKey::new(&[3; KEY_BYTES]);
            let sealer = master.sealer("a").unwrap();
            let sealed = sealer.seal(&rng, &context, &plain).unwrap();
            prop_assert_eq!(&*sealer.open(&context, &sealed).unwrap(), &plain);
            prop_assert!(master.sealer("b").unwrap().open(&context, &sealed).is_none());
            if other != context {
                prop_assert!(sealer.open(&other, &sealed).is_none());
            }
            let mut damaged = sealed.clone();
            damaged[at.index(sealed.len())] ^= 1;
            prop_assert!(sealer.open(&context, &damaged).is_none());
            prop_assert!(sealer.open(&context, &sealed[..at.index(sealed.len())]).is_none());
        }
    }
}
