//! What is computed: hashes, signatures, tokens. No store, no async, no time of its own.
pub mod foreign;
pub mod hash;
pub mod jwk;
pub mod jws;
pub mod jwt;
pub mod key_token;
pub mod password;
pub mod pool;
pub mod public_key;
pub mod recovery_code;
pub mod refresh_token;
pub mod seal;
pub mod signing;
pub mod totp;
pub mod user_token;
pub mod webauthn;

pub use foreign::ForeignHash;
pub use hash::sha256;
pub use jwk::VerifyingKey;
pub use jws::Jws;
pub use jwt::{AccessClaims, Issuer};
pub use password::{Cost, Hasher};
pub use pool::HashingPool;
pub use public_key::{PublicKey, Thumbprint};
pub use refresh_token::RefreshToken;
pub use seal::{MasterKey, Sealer};
pub use signing::{Algorithm, SigningKey};
