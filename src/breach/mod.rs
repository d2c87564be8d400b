//! Passwords that are known from breaches, kept offline: a filter made of a downloaded list of hashes (the command), and
//! what asks it (the password policy).
//!
//! The list is that of Have I Been Pwned, one SHA-1 hash a line: a thousand million of them, some 40 GB. Kept are of each
//! hash its bucket and 20 more bits, in order, so that only the gaps between them have to be written (Rice's code, about 14
//! bits for each). Whatever asks reads one bucket of some 300 bytes from the file: no memory is needed for it, however long the
//! list. A password that is not in the list is taken for one that is about once in 6000 times, never more than once in 4096 for
//! hashes that are spread evenly; one that is in it is never missed.
//!
//! Why our own format: the filters of the crates at hand (binary fuse, xor) have to be built and held in memory as a whole,
//! 9 bits and more for each hash and many times that while they are built. This one is written while the list is read.
//!
//! SHA-1 is the form of the list and protects nothing here (OWASP ASVS 11.4.1): what is stored of users is Argon2id.
pub mod build;
pub mod filter;
mod format;
mod list;

pub use build::{Built, build};
pub use filter::BreachFilter;
