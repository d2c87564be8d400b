//! Guesses at passwords and codes, slowed down (OWASP ASVS 6.1.1, 6.3.1).
//!
//! Every guess is counted **before** its password is hashed: as many at the same time as there may be, no more come
//! through. It is counted several times, and each count alone can refuse it:
//!
//! - for the account from one network: the guesser at his desk;
//! - for the account from everywhere: the guesser with many machines;
//! - for the network, whatever account: whoever tries one stolen list on many accounts (credential stuffing);
//! - of IPv6, where one customer has a /64 or as much as a /48, for both: whoever goes from one to the next.
//!
//! So are codes of apps and mailed ones, which are short. Passkeys, mailed links and other texts of 256 random bits are beyond
//! all guessing: those that let in alone are counted for their network (a passkey for its account from there, too), so that
//! nobody keeps this server busy with them, and for no account from everywhere, where all that could come of it is that its
//! owner waits.
//!
//! A count has some guesses free. After those each must wait twice as long as the one before, up to a limit: no account is
//! ever locked, for a lock is what somebody would use against its owner. What was refused is not counted, so waiting always
//! helps. A count loses one guess for every so many seconds, and a login that is right takes back what was guessed for its
//! account from its network, everywhere. So a house full of people behind one address, most of whom type the right
//! password, is never slowed.
//!
//! The owner in a flood from everywhere: a browser that has logged in before has a cookie that says so
//! ([`device`]). It is no credential; with it a guess is counted for this device alone.
//!
//! An account is what was typed, whether there is one or not: a count tells nobody which names exist. Keys are 64 bits of a
//! keyed hash; a million entries take some 40 MB. At the limit of entries those with the fewest guesses go first, of some that are
//! looked at: whoever wants a count of his own gone has to make millions of others with more in them. What is counted is
//! written every few seconds, where there is enough of it to matter: a kill loses that much, a restart nothing.
pub mod counters;
pub mod device;
pub mod model;
pub mod service;
pub mod table;

pub use device::Devices;
pub use model::Limits;
pub use service::{Guess, Throttle, Ticket, surroundings};
