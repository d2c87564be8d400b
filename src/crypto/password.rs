//! Argon2id (RFC 9106) on memory that its owner keeps.
use argon2::password_hash::phc::{Output, PasswordHash, Salt};
use argon2::{ARGON2ID_IDENT, Argon2, Block, Params, ParamsBuilder, Version};

use super::foreign::{self, ForeignHash};
use crate::base::{Error, Result, Secret, constant_time_eq};

const OUTPUT_BYTES: usize = 32;
/// RFC 9106 section 3.1 recommends 16 bytes of salt.
pub const SALT_BYTES: usize = 16;

/// What one hash costs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cost {
    /// KiB of memory, at least 8 for each lane.
    pub memory_kib: u32,
    /// Passes over the memory.
    pub iterations: u32,
    /// Lanes; computed one after another here.
    pub parallelism: u32,
}

impl Cost {
    /// Whether Argon2 can be computed so.
    #[must_use]
    pub fn is_possible(&self) -> bool {
        self.params().is_ok()
    }

    fn params(&self) -> Result<Params> {
        let mut params = ParamsBuilder::new();
        params.m_cost(self.memory_kib).t_cost(self.iterations).p_cost(self.parallelism);
        params
            .output_len(OUTPUT_BYTES)
            .build()
            .map_err(|e| Error::internal(format!("argon2 parameters: {e}")))
    }

    /// Whether a stored hash was made at a lower cost than this, or in a form that is not ours.
    #[must_use]
    pub fn is_above(&self, stored: &str) -> bool {
        let params = ours(stored).and_then(|hash| Params::try_from(&hash).ok());
        params.is_none_or(|params| {
            params.m_cost() < self.memory_kib
                || params.t_cost() < self.iterations
                || params.p_cost() < self.parallelism
        })
    }
}

/// A stored hash in the form that [`Hasher::hash`] gives, whatever it cost.
fn ours(stored: &str) -> Option<PasswordHash> {
    let hash = PasswordHash::new(stored).ok()?;
    let is_ours = hash.algorithm == ARGON2ID_IDENT && hash.version == Some(Version::V0x13.into());
    is_ours.then_some(hash)
}

/// Hashes on one thread: the memory is allocated once and used again for each password.
#[derive(Default)]
pub struct Hasher {
    memory: Vec<Block>,
}

impl Hasher {
    /// The PHC string (`$argon2id$v=19$m=…,t=…,p=…$salt$hash`) of a password.
    ///
    /// # Errors
    /// `Error::Internal` for a cost that cannot be.
    pub fn hash(&mut self, cost: Cost, salt: [u8; SALT_BYTES], password: &Secret) -> Result<String> {
        let params = cost.params()?;
        let mut output = [0; OUTPUT_BYTES];
        self.fill(&params, &salt, password, &mut output)?;
        let hash = PasswordHash {
            algorithm: ARGON2ID_IDENT,
            version: Some(Version::V0x13.into()),
            params: (&params).try_into().map_err(Error::internal)?,
            salt: Some(Salt::new(&salt).map_err(Error::internal)?),
            hash: Some(Output::new(&output).map_err(Error::internal)?),
        };
        Ok(hash.to_string())
    }

    /// Whether a password is the one that a stored hash was made of: ours, or one of another system.
    ///
    /// # Errors
    /// `Error::Internal` for a string that is neither.
    pub fn verify(&mut self, stored: &str, password: &Secret) -> Result<bool> {
        let Some(hash) = ours(stored) else {
            let foreign = ForeignHash::parse(stored).map_err(foreign::stored)?;
            return foreign.verify(password, &mut self.memory);
        };
        let params = Params::try_from(&hash).map_err(Error::internal)?;
        let (Some(salt), Some(expected)) = (&hash.salt, &hash.hash) else {
            return Err(Error::internal("a stored password hash without salt or output"));
        };
        let mut output = vec![0; expected.as_bytes().len()];
        self.fill(&params, salt.as_ref(), password, &mut output)?;
        Ok(constant_time_eq(&output, expected.as_bytes()))
    }

    /// As much work as verifying, for an account that is not there; `like`: the stored hash of one that is, whose form and
    /// cost count, and not what comes of it.
    ///
    /// # Errors
    /// As [`Hasher::hash`].
    pub fn verify_nothing(&mut self, cost: Cost, like: Option<&str>, password: &Secret) -> Result<()> {
        if like.is_some_and(|like| self.verify(like, password).is_ok()) {
            return Ok(());
        }
        let mut output = [0; OUTPUT_BYTES];
        self.fill(&cost.params()?, &[0; SALT_BYTES], password, &mut output)
    }

    fn fill(&mut self, params: &Params, salt: &[u8], password: &Secret, output: &mut [u8]) -> Result<()> {
        let blocks = params.block_count();
        if self.memory.len() < blocks {
            self.memory.resize(blocks, Block::default());
        }
        Argon2::new(argon2::Algorithm::Argon2id, Version::V0x13, params.clone())
            .hash_password_into_with_memory(
                password.expose().as_bytes(),
                salt,
                output,
                &mut self.memory[..blocks],
            )
            .map_err(|e| Error::internal(format!("argon2: {e}")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SMALL: Cost = Cost { memory_kib: 8, iterations: 1, parallelism: 1 };
    const DEFAULT: Cost = Cost { memory_kib: 19_456, iterations: 2, parallelism: 1 };

    #[test]
    fn a_password_verifies_against_its_own_hash_alone() {
        let mut hasher = Hasher::default();
        let stored = hasher.hash(SMALL, [7; SALT_BYTES], &Secret::new("correct horse ")).unwrap();
        assert!(hasher.verify(&stored, &Secret::new("correct horse ")).unwrap());
        for wrong in ["correct horse", "Correct horse ", "correct horse \0", ""] {
            assert!(!hasher.verify(&stored, &Secret::new(wrong)).unwrap(), "{wrong:?}");
        }
    }

    #[test]
    fn the_default_cost_gives_the_known_form() {
        let mut hasher = Hasher::default();
        let stored = hasher.hash(DEFAULT, [1; SALT_BYTES], &Secret::new("password")).unwrap();
        assert!(stored.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{stored}");
        assert!(hasher.verify(&stored, &Secret::new("password")).unwrap());
    }

    #[test]
    fn a_vector_of_the_reference_implementation_verifies() {
        // echo -n password | argon2 somesalt -id -t 2 -m 16 -p 1 -l 24
        let stored = "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$\
                      CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc";
        assert!(Hasher::default().verify(stored, &Secret::new("password")).unwrap());
    }

    #[test]
    fn weaker_hashes_and_foreign_ones_want_renewal() {
        let mut hasher = Hasher::default();
        let weak = hasher.hash(SMALL, [1; SALT_BYTES], &Secret::new("x")).unwrap();
        assert!(DEFAULT.is_above(&weak));
        assert!(!SMALL.is_above(&weak));
        assert!(SMALL.is_above("$2b$12$abcdefghijklmnopqrstuv"));
    }

    #[test]
    fn memory_of_an_earlier_password_does_not_change_the_next_hash() {
        let (mut used, mut fresh) = (Hasher::default(), Hasher::default());
        used.hash(SMALL, [9; SALT_BYTES], &Secret::new("before")).unwrap();
        let password = Secret::new("after");
        let expected = fresh.hash(SMALL, [2; SALT_BYTES], &password).unwrap();
        assert_eq!(used.hash(SMALL, [2; SALT_BYTES], &password).unwrap(), expected);
    }
}
