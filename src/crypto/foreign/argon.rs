//! Argon2 in all its kinds and versions (RFC 9106; PHC string format).
use argon2::password_hash::phc::PasswordHash;
use argon2::{Algorithm, Argon2, Block, Params, Version};

use super::text::{damaged, output, too_costly};
use crate::base::{Error, Result, constant_time_eq};

const MAX_MEMORY_KIB: u32 = 256 * 1024;
/// KiB times passes: 4 GiB are filled in a few seconds.
const MAX_WORK_KIB: u64 = 4 * 1024 * 1024;
/// A hash without a version is older than versions are.
const VERSION_IF_NONE: u32 = Version::V0x10 as u32;

#[derive(Clone, PartialEq, Eq)]
pub(super) struct Argon {
    algorithm: Algorithm,
    version: Version,
    params: Params,
    salt: Vec<u8>,
    expected: Vec<u8>,
}

impl Argon {
    /// `$argon2id$v=19$m=…,t=…,p=…$salt$hash`.
    ///
    /// # Errors
    /// `Error::Invalid` for other text, for a cost too high, and for a hash that was made with a key.
    pub(super) fn phc(text: &str) -> Result<Self> {
        let hash = PasswordHash::new(text).map_err(|_| damaged())?;
        let (Some(salt), Some(expected)) = (&hash.salt, &hash.hash) else { return Err(damaged()) };
        let params = Params::try_from(&hash).map_err(|_| damaged())?;
        if !params.keyid().is_empty() {
            return Err(damaged());
        }
        let work = u64::from(params.m_cost()) * u64::from(params.t_cost());
        if params.m_cost() > MAX_MEMORY_KIB || work > MAX_WORK_KIB {
            return Err(too_costly());
        }
        Ok(Self {
            algorithm: Algorithm::new(hash.algorithm.as_str()).map_err(|_| damaged())?,
            version: Version::try_from(hash.version.unwrap_or(VERSION_IF_NONE)).map_err(|_| damaged())?,
            params,
            salt: salt.as_ref().to_vec(),
            expected: output(expected.as_bytes().to_vec())?,
        })
    }

    /// The same after the word `argon2` (`Argon2PasswordHasher` of Django).
    ///
    /// # Errors
    /// As [`Argon::phc`].
    pub(super) fn django(text: &str) -> Result<Self> {
        Self::phc(text.strip_prefix("argon2").ok_or_else(damaged)?)
    }

    /// `memory` is used if it is enough.
    ///
    /// # Errors
    /// `Error::Internal` if the library refuses, which it has no reason to.
    pub(super) fn verify(&self, password: &[u8], memory: &mut [Block]) -> Result<bool> {
        let blocks = self.params.block_count();
        let mut own = Vec::new();
        let memory = memory.get_mut(..blocks).unwrap_or_else(|| {
            own.resize(blocks, Block::default());
            &mut own
        });
        let mut output = vec![0; self.expected.len()];
        Argon2::new(self.algorithm, self.version, self.params.clone())
            .hash_password_into_with_memory(password, &self.salt, &mut output, memory)
            .map_err(|e| Error::internal(format!("argon2: {e}")))?;
        Ok(constant_time_eq(&output, &self.expected))
    }
}
