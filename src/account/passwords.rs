//! Hashing and verifying on the hashing threads, for callers that wait without blocking.
use std::fmt;

use tokio::sync::oneshot;

use super::PasswordPolicy;
use crate::base::{Env, Error, Result, Secret, entropy};
use crate::crypto::pool::Load;
use crate::crypto::{Cost, Hasher, HashingPool};

/// 256 characters of at most four bytes.
const MAX_BYTES: usize = 1024;

/// What a password turned out to be.
#[derive(Clone, PartialEq, Eq)]
pub enum Verdict {
    Wrong,
    Right,
    /// Right, and its stored hash is weaker than it should be: this one is to replace it.
    Renewed(String),
}

/// Everything but the hash.
impl fmt::Debug for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Wrong => "Wrong",
            Self::Right => "Right",
            Self::Renewed(_) => "Renewed(..)",
        })
    }
}

/// The way to the hashing threads.
#[derive(Clone)]
pub struct Passwords {
    pool: HashingPool,
    cost: Cost,
    env: Env,
}

impl Passwords {
    #[must_use]
    pub fn new(pool: HashingPool, cost: Cost, env: Env) -> Self {
        Self { pool, cost, env }
    }

    /// How busy the threads are.
    #[must_use]
    pub fn load(&self) -> Load {
        self.pool.load()
    }

    /// Checks a new password of somebody with these names (user name and e-mail address) against a policy, on the hashing
    /// threads: how strong it is takes a while to say.
    ///
    /// # Errors
    /// `Error::Invalid` naming `field`; `Error::Busy` when too many hashes wait already; `Error::Unavailable` when the breach
    /// filter cannot be read.
    pub async fn check(
        &self,
        policy: &PasswordPolicy,
        field: &'static str,
        password: &Secret,
        (username, email): (&str, &str),
    ) -> Result<()> {
        let (policy, password) = (policy.clone(), password.clone());
        let (username, email) = (username.to_owned(), email.to_owned());
        self.run(move |_| policy.judge(field, &password, &username, &email)).await
    }

    /// The hash of a new password.
    ///
    /// # Errors
    /// `Error::Busy` when too many hashes wait already.
    pub async fn hash(&self, password: Secret) -> Result<String> {
        let (cost, salt) = (self.cost, entropy::bytes(self.env.entropy.as_ref()));
        self.run(move |hasher| hasher.hash(cost, salt, &password)).await
    }

    /// Whether a password fits a stored hash. Without one (there is no such account, or it has no password yet: the
    /// hash is empty) none does, and it takes as long.
    ///
    /// # Errors
    /// `Error::Busy` when too many hashes wait already.
    pub async fn verify(&self, stored: Option<String>, password: Secret) -> Result<Verdict> {
        self.verify_or_like(stored, None, password).await
    }

    /// [`Passwords::verify`] where anybody may ask: without a stored hash it takes as long as with `like`, the hash of somebody
    /// else, whether the password fits that or not. Hashes from other systems take as long as those systems liked; told from
    /// ours by their time, they would tell which accounts there are.
    ///
    /// # Errors
    /// As [`Passwords::verify`].
    pub async fn verify_or_like(
        &self,
        stored: Option<String>,
        like: Option<String>,
        password: Secret,
    ) -> Result<Verdict> {
        if password.expose().len() > MAX_BYTES {
            // No account has such a password; nobody learns more from the quick answer.
            return Ok(Verdict::Wrong);
        }
        let (cost, salt) = (self.cost, entropy::bytes(self.env.entropy.as_ref()));
        let stored = stored.filter(|hash| !hash.is_empty());
        self.run(move |hasher| {
            let Some(stored) = stored else {
                hasher.verify_nothing(cost, like.as_deref(), &password)?;
                return Ok(Verdict::Wrong);
            };
            if !hasher.verify(&stored, &password)? {
                return Ok(Verdict::Wrong);
            }
            if cost.is_above(&stored) {
                return hasher.hash(cost, salt, &password).map(Verdict::Renewed);
            }
            Ok(Verdict::Right)
        })
        .await
    }

    async fn run<T: Send + 'static>(
        &self,
        job: impl FnOnce(&mut Hasher) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let (reply, outcome) = oneshot::channel();
        self.pool.submit(move |hasher| {
            // Nobody waits any more when the client has gone: then the work is not worth doing.
            if !reply.is_closed() {
                drop(reply.send(job(hasher)));
            }
        })?;
        outcome.await.map_err(|_| Error::internal("a hashing job was dropped"))?
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_password_of_another_system_is_renewed_once() {
        let cost = Cost { memory_kib: 8, iterations: 1, parallelism: 1 };
        let passwords = Passwords::new(HashingPool::start(1, 4).unwrap(), cost, Env::system());
        let bcrypt = "$2b$04$eKBL1l4yeL28xZmcpc2fzeSFbU2Se0.JY6u63x4wyVc4oox21xEIm";
        let verify =
            async |stored: &str, word| passwords.verify(Some(stored.to_owned()), Secret::new(word)).await;
        assert_eq!(verify(bcrypt, "wrong").await, Ok(Verdict::Wrong));
        let Ok(Verdict::Renewed(ours)) = verify(bcrypt, "correct horse").await else {
            panic!("not renewed");
        };
        assert!(ours.starts_with("$argon2id$v=19$m=8,t=1,p=1$"), "{ours}");
        assert_eq!(verify(&ours, "correct horse").await, Ok(Verdict::Right));
        assert_eq!(verify(&ours, "wrong").await, Ok(Verdict::Wrong));
        for password in ["", "correct horse"] {
            assert_eq!(verify("", password).await, Ok(Verdict::Wrong), "no password fits no hash");
            for like in [bcrypt, &ours, "of no known form"] {
                let verdict =
                    passwords.verify_or_like(None, Some(like.to_owned()), Secret::new(password)).await;
                assert_eq!(verdict, Ok(Verdict::Wrong), "nor that of somebody else: {like}");
            }
        }
    }
}
