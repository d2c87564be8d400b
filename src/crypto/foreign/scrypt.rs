//! scrypt (RFC 7914).
use scrypt::Params;

use super::text::{damaged, number, output, padded, too_costly, unpadded, values};
use crate::base::{Error, Result, constant_time_eq};

const MAX_MEMORY_BYTES: u64 = 256 * 1024 * 1024;
/// Bytes written in all, each read once too: 2 GiB are done in some seconds.
const MAX_WORK_BYTES: u64 = 2 * 1024 * 1024 * 1024;

#[derive(Clone, PartialEq)]
pub(super) struct Scrypt {
    params: Params,
    salt: Vec<u8>,
    expected: Vec<u8>,
}

impl Eq for Scrypt {}

impl Scrypt {
    /// `$scrypt$ln=…,r=…,p=…$salt$hash`, from its fields; `ln` is the logarithm of N.
    ///
    /// # Errors
    /// `Error::Invalid` for other text and for a cost too high.
    pub(super) fn phc(list: &str, salt: &str, hash: &str) -> Result<Self> {
        let [log_n, r, p] = values(list, ["ln", "r", "p"])?;
        let params = params(number(log_n)?, number(r)?, number(p)?)?;
        Ok(Self { params, salt: unpadded(salt)?, expected: output(unpadded(hash)?)? })
    }

    /// `scrypt$N$salt$r$p$hash`, from its fields; the salt is text (`ScryptPasswordHasher` of Django).
    ///
    /// # Errors
    /// As [`Scrypt::phc`].
    pub(super) fn django([n, r, p]: [&str; 3], salt: &str, hash: &str) -> Result<Self> {
        let n = number(n)?;
        if !n.is_power_of_two() {
            return Err(damaged());
        }
        let params = params(n.ilog2(), number(r)?, number(p)?)?;
        Ok(Self { params, salt: salt.into(), expected: output(padded(hash)?)? })
    }

    pub(super) fn verify(&self, password: &[u8]) -> Result<bool> {
        let mut output = vec![0; self.expected.len()];
        scrypt::scrypt(password, &self.salt, &self.params, &mut output)
            .map_err(|e| Error::internal(format!("scrypt: {e}")))?;
        Ok(constant_time_eq(&output, &self.expected))
    }
}

/// N blocks of 128 r bytes are kept, and p more; each of the p lanes goes through N (RFC 7914 section 6).
fn params(log_n: u32, r: u32, p: u32) -> Result<Params> {
    if log_n == 0 || r == 0 || p == 0 {
        return Err(damaged());
    }
    let n = 1_u64.checked_shl(log_n).ok_or_else(too_costly)?;
    let block = 128 * u64::from(r);
    let memory = n.saturating_add(p.into()).saturating_mul(block);
    let work = n.saturating_mul(p.into()).saturating_mul(block);
    if memory > MAX_MEMORY_BYTES || work > MAX_WORK_BYTES {
        return Err(too_costly());
    }
    Params::new(log_n as u8, r, p).map_err(|_| damaged())
}
