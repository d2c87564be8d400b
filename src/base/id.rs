//! Time-ordered 128-bit ids, one Rust type for each kind of thing.
use std::fmt;
use std::hash::{Hash, Hasher};
use std::marker::PhantomData;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::{Entropy, Error, Timestamp, entropy};

/// An id of a `T`: 48 bits of milliseconds, 80 random bits. Sorts by creation time.
#[derive(Serialize, Deserialize)]
#[serde(transparent)]
pub struct Id<T>([u8; 16], #[serde(skip)] PhantomData<fn() -> T>);

impl<T> Id<T> {
    /// A new one, made `now`.
    pub fn new(now: Timestamp, rng: &dyn Entropy) -> Self {
        let mut raw: [u8; 16] = entropy::bytes(rng);
        raw[..6].copy_from_slice(&(now.micros() / 1000).to_be_bytes()[2..]);
        Self(raw, PhantomData)
    }

    #[must_use]
    pub const fn from_bytes(raw: [u8; 16]) -> Self {
        Self(raw, PhantomData)
    }

    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

impl<T> Clone for Id<T> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<T> Copy for Id<T> {}
impl<T> PartialEq for Id<T> {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0
    }
}
impl<T> Eq for Id<T> {}
impl<T> Hash for Id<T> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.hash(state);
    }
}
impl<T> fmt::Debug for Id<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
/// 32 lower-case hexadecimal digits.
impl<T> fmt::Display for Id<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", u128::from_be_bytes(self.0))
    }
}
impl<T> FromStr for Id<T> {
    type Err = Error;

    /// # Errors
    /// `Error::Invalid` for anything but 32 lower-case hexadecimal digits: one id has one spelling.
    fn from_str(text: &str) -> Result<Self, Error> {
        let shaped = text.len() == 32 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        let raw = u128::from_str_radix(text, 16).ok().filter(|_| shaped);
        raw.map(|n| Self::from_bytes(n.to_be_bytes())).ok_or_else(|| Error::invalid("id", "is not an id"))
    }
}
