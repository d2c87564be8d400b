//! A login that has not come to its end, and with what it can. Pure.
use std::cmp::Reverse;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::account::User;
use crate::base::{Secret, Timestamp};
use crate::crypto::sha256;
use crate::mfa::{Answer, Factors};
use crate::session::model::{MULTI_FACTOR, TRUSTED_DEVICE};

/// How long a second factor may take, in seconds: 10 minutes.
pub const LIFETIME_SECS: i64 = 600;
/// So many wrong answers end a login.
pub const MAX_WRONG: u8 = 10;
/// Logins of one user that wait for a second factor; one more, and [`least_missed`] does no longer.
pub const MAX_PENDING: usize = 50;

/// A login whose first factor was right.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pending {
    /// What the password's hash hashed to: after a change of the password this login is over.
    pub password: [u8; 32],
    /// With what it began (RFC 8176).
    pub amr: Vec<String>,
    pub wrong: u8,
    pub created_at: Timestamp,
    pub expires_at: Timestamp,
    /// From where it came: an IPv4 address, or the /48 of an IPv6 one.
    pub from: Vec<u8>,
    /// Whether it came from a browser that has logged in before.
    pub is_known: bool,
}

/// Which login of a user goes when there are too many. Whoever holds the password alone can begin as many as they like, and
/// must not be able to end one that its owner has just begun. So those from browsers that have logged in before stay,
/// which took a second factor, too; of the others the network that has the most gives up its oldest: a flood pushes out
/// itself. What is left to whoever has fifty networks is to hurry an owner at a browser that is not known, who can still
/// send the code along with the password, which waits for nothing.
#[must_use]
pub fn least_missed(waiting: &[Pending]) -> Option<usize> {
    let all_known = waiting.iter().all(|login| login.is_known);
    let of_network = |from: &[u8]| waiting.iter().filter(|other| other.from == from).count();
    let candidates = waiting.iter().enumerate().filter(|(_, login)| all_known || !login.is_known);
    let order = |login: &Pending| (Reverse(of_network(&login.from)), login.created_at);
    candidates.min_by_key(|(_, login)| order(login)).map(|(at, _)| at)
}

/// Everything but what is kept of the password.
impl fmt::Debug for Pending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pending")
            .field("amr", &self.amr)
            .field("wrong", &self.wrong)
            .field("expires_at", &self.expires_at)
            .finish_non_exhaustive()
    }
}

/// Who has shown a first factor.
pub struct First {
    /// The user as it was when the factor was checked.
    pub user: User,
    /// The hash that replaces the one it has.
    pub renewed: Option<String>,
    /// What it was, in the words of RFC 8176.
    pub method: &'static str,
}

/// What may have come along with a first factor.
#[derive(Default)]
pub struct Shown {
    pub answer: Option<Answer>,
    /// The token of a trusted device.
    pub device: Option<Secret>,
    /// The number of a browser that has logged in before.
    pub known: Option<u64>,
}

/// How a login goes on after its first factor.
pub enum Way {
    /// Nothing more is asked for.
    Plain,
    /// The device is trusted; the hash of its token.
    Trusted([u8; 32]),
    /// A second factor came along.
    Shown(Answer),
}

impl Way {
    /// What the session is made with. `device` is a word of our own: a device that was trusted after a second factor.
    #[must_use]
    pub fn amr(&self, first: &'static str) -> Vec<&'static str> {
        match self {
            Self::Plain => vec![first],
            Self::Trusted(_) => vec![first, TRUSTED_DEVICE],
            Self::Shown(answer) => vec![first, answer.method(), MULTI_FACTOR],
        }
    }
}

impl Pending {
    /// Whether it is about the password that its user still has.
    #[must_use]
    pub fn is_of(&self, user: &User) -> bool {
        self.password == password_mark(user)
    }
}

/// What is kept of a password's hash, to see whether it is still the same.
#[must_use]
pub fn password_mark(user: &User) -> [u8; 32] {
    sha256(&[user.password_hash.as_bytes()])
}

/// With what a user can prove who it is once more: a second factor where they are on, else the password or a passkey. One
/// who has neither logs in anew.
#[must_use]
pub fn ways_to_prove(factors: &Factors, user: &User, has_passkey: bool) -> Vec<&'static str> {
    if factors.is_on() {
        return factors.methods(has_passkey);
    }
    let all = [("password", !user.password_hash.is_empty()), ("passkey", has_passkey)];
    all.into_iter().filter(|(_, is_there)| *is_there).map(|(method, _)| method).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pending(from: u8, created_at: i64, is_known: bool) -> Pending {
        let at = Timestamp::from_secs(created_at);
        Pending {
            password: [0; 32],
            amr: Vec::new(),
            wrong: 0,
            created_at: at,
            expires_at: at.plus_secs(LIFETIME_SECS),
            from: vec![from],
            is_known,
        }
    }

    #[test]
    fn a_flood_pushes_out_itself_and_no_browser_that_is_known() {
        let of = |all: &[(u8, i64, bool)]| {
            let all: Vec<_> = all.iter().map(|(from, at, known)| pending(*from, *at, *known)).collect();
            least_missed(&all)
        };
        assert_eq!(of(&[(1, 5, false), (2, 6, false), (2, 7, false)]), Some(1));
        // As many from each: the oldest.
        assert_eq!(of(&[(1, 9, false), (2, 6, false), (3, 7, false)]), Some(1));
        assert_eq!(of(&[(2, 1, true), (2, 2, true), (1, 3, false)]), Some(2));
        assert_eq!(of(&[(2, 3, true), (2, 2, true), (1, 1, true)]), Some(1));
        assert_eq!(of(&[]), None);
    }
}
