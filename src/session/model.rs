//! What a session is and what may become of it. Pure: no store, no HTTP, no clock.
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use serde::{Deserialize, Serialize};

use crate::base::{Id, Timestamp};

/// How many refreshes back an answer can be given again.
pub const REPLAY_SLOTS: u32 = 4;
/// The method that stands for more than one (RFC 8176 section 2).
pub const MULTI_FACTOR: &str = "mfa";
/// The method, a word of our own, of a device that was trusted after a second factor: enough to log in where one is asked
/// for, and none itself.
pub const TRUSTED_DEVICE: &str = "device";
/// What a session may begin with, and keeps when its user shows more.
const FIRST: [&str; 2] = ["pwd", "email"];
/// The method, a word of our own, of a session that the host has let begin.
pub const RECOVERY: &str = "host";

/// A login and what came of it, until it ends.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Session {
    pub id: Id<Session>,
    pub user: u64,
    pub created_at: Timestamp,
    /// When the user proved who it is.
    pub auth_time: Timestamp,
    /// How, in the words of RFC 8176.
    pub amr: Vec<String>,
    /// When it was last refreshed (or made).
    pub refreshed_at: Timestamp,
    pub expires_at: Timestamp,
    pub origin: Origin,
    /// How often it was refreshed: the generation of the refresh token that is good.
    pub generation: u32,
    /// The hash of that token.
    pub refresh_hash: [u8; 32],
}

/// Where a login came from.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Origin {
    pub address: String,
    pub user_agent: String,
}

impl Origin {
    /// Whether both may be one device at one place: a network, and what a client calls itself whatever its version.
    #[must_use]
    pub fn is_like(&self, other: &Self) -> bool {
        neighbourhood(&self.address) == neighbourhood(&other.address)
            && unversioned(&self.user_agent).eq(unversioned(&other.user_agent))
    }
}

/// What stays of an address when its provider gives out another one: 24 bits of an IPv4 address, 48 of an IPv6 one.
fn neighbourhood(address: &str) -> Option<IpAddr> {
    Some(match address.parse().ok()? {
        IpAddr::V4(v4) => {
            let [a, b, c, _] = v4.octets();
            IpAddr::V4(Ipv4Addr::new(a, b, c, 0))
        }
        IpAddr::V6(v6) => {
            let [a, b, c, ..] = v6.segments();
            IpAddr::V6(Ipv6Addr::new(a, b, c, 0, 0, 0, 0, 0))
        }
    })
}

/// A browser that was updated is the same one.
fn unversioned(user_agent: &str) -> impl Iterator<Item = char> {
    user_agent.chars().filter(|c| !c.is_ascii_digit() && *c != '.')
}

/// Everything but the hash.
impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session")
            .field("id", &self.id)
            .field("user", &self.user)
            .field("generation", &self.generation)
            .finish_non_exhaustive()
    }
}

/// An exchange of one refresh token for the next, kept so that its answer can be given again.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exchange {
    /// The generation of the token that was given up, and its hash.
    pub generation: u32,
    pub hash: [u8; 32],
    pub at: Timestamp,
    /// The answer, sealed under a key that only the token given up yields. Empty for a token that was not at hand.
    pub sealed: Vec<u8>,
    /// What was proven before, for a token that was given up because its user has proven more.
    pub before: Option<Proven>,
}

/// How a user has proven who it is, and when.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Proven {
    pub auth_time: Timestamp,
    pub amr: Vec<String>,
}

/// What a verified access token says, apart from who its user is by now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccessToken {
    pub id: String,
    pub session: Id<Session>,
    pub user: u64,
    /// Seconds since the epoch.
    pub expires_at: i64,
    /// When the user had proven who it is as this token was made (seconds), and how.
    pub auth_time: i64,
    pub amr: Vec<String>,
}

impl AccessToken {
    /// What a token of a session would say that was made just now. It has no id: it is no token.
    #[must_use]
    pub fn of_session(session: Session) -> Self {
        Self {
            id: String::new(),
            session: session.id,
            user: session.user,
            expires_at: session.expires_at.secs(),
            auth_time: session.auth_time.secs(),
            amr: session.amr,
        }
    }

    /// Whether a second factor was shown, too.
    #[must_use]
    pub fn is_multi_factor(&self) -> bool {
        self.amr.iter().any(|method| method == MULTI_FACTOR)
    }

    /// Whether a second factor was shown, or was on this device before.
    #[must_use]
    pub fn satisfies_policy(&self) -> bool {
        self.is_multi_factor() || self.amr.iter().any(|method| method == TRUSTED_DEVICE)
    }

    /// Whether the host let its user back in, who may have forgotten the password.
    #[must_use]
    pub fn is_recovery(&self) -> bool {
        self.amr.iter().any(|method| method == RECOVERY)
    }
}

/// What a presented refresh token is worth.
#[derive(Clone, PartialEq, Eq)]
pub enum Judgement {
    /// It is the good one.
    Current,
    /// It was given up a moment ago: its owner gets the same answer again.
    Again { sealed: Vec<u8> },
    /// It was given up when its user proved more, a moment ago: its owner has not heard the answer, and goes on with what was
    /// proven before.
    Unheard { before: Proven, at: Timestamp },
    /// It was given up long ago: someone has a copy.
    Stolen,
    /// It is good for nothing, and proves nothing.
    Worthless,
}

/// Everything but the answer.
impl fmt::Debug for Judgement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Current => "Current",
            Self::Again { .. } => "Again(..)",
            Self::Unheard { .. } => "Unheard(..)",
            Self::Stolen => "Stolen",
            Self::Worthless => "Worthless",
        })
    }
}

impl Session {
    #[must_use]
    pub fn is_over(&self, now: Timestamp) -> bool {
        now >= self.expires_at
    }

    /// Judges a refresh token that this server has made for this session. `exchange` is what the slot of its
    /// generation holds.
    #[must_use]
    pub fn judge(
        &self,
        (generation, hash): (u32, &[u8; 32]),
        exchange: Option<Exchange>,
        now: Timestamp,
        window_secs: i64,
    ) -> Judgement {
        judge((self.generation, &self.refresh_hash), (generation, hash), exchange, now, window_secs)
    }

    /// The session after its user proved once more who it is. What is said of it is what was shown now, and with what it
    /// began; an older second factor is not.
    #[must_use]
    pub fn reauthenticated(mut self, amr: &[&str], now: Timestamp) -> Self {
        self.auth_time = now;
        self.amr.retain(|method| FIRST.contains(&method.as_str()));
        self.with_methods(amr)
    }

    /// The session after its user showed more, and not all again.
    #[must_use]
    pub fn with_methods(mut self, amr: &[&str]) -> Self {
        for method in amr {
            if !self.amr.iter().any(|known| known == method) {
                self.amr.push((*method).to_owned());
            }
        }
        self
    }

    /// The session as it was before its user proved more.
    #[must_use]
    pub fn gone_back(mut self, before: Proven) -> Self {
        self.auth_time = before.auth_time;
        self.amr = before.amr;
        self
    }

    /// What is kept of its refresh token when another one takes its place, and nobody has presented it.
    #[must_use]
    pub fn given_up(&self, at: Timestamp) -> Exchange {
        let before = Some(Proven { auth_time: self.auth_time, amr: self.amr.clone() });
        let (generation, hash) = (self.generation, self.refresh_hash);
        Exchange { generation, hash, at, sealed: Vec::new(), before }
    }

    /// The session after a refresh.
    #[must_use]
    pub fn refreshed(mut self, refresh_hash: [u8; 32], now: Timestamp, expires_at: Timestamp) -> Self {
        self.generation += 1;
        self.refresh_hash = refresh_hash;
        self.refreshed_at = now;
        self.expires_at = expires_at;
        self
    }
}

/// Judges a refresh token by the generation and the hash of the good one of its family. `exchange` is what the slot of the
/// presented one's generation holds.
#[must_use]
pub fn judge(
    (current, current_hash): (u32, &[u8; 32]),
    (generation, hash): (u32, &[u8; 32]),
    exchange: Option<Exchange>,
    now: Timestamp,
    window_secs: i64,
) -> Judgement {
    if generation >= current {
        // Another hash of the same generation was prepared by a request that lost a race; it never left.
        let good = generation == current && crate::base::constant_time_eq(hash, current_hash);
        return if good { Judgement::Current } else { Judgement::Worthless };
    }
    let Some(exchange) = exchange else { return Judgement::Stolen };
    let recent = now.secs_since(exchange.at) <= window_secs;
    let same = exchange.generation == generation && crate::base::constant_time_eq(hash, &exchange.hash);
    match (recent, same) {
        (true, true) => match exchange.before {
            None => Judgement::Again { sealed: exchange.sealed },
            Some(before) => Judgement::Unheard { before, at: exchange.at },
        },
        // Its slot was used again within the window: nobody can say how old it is.
        (true, false) => Judgement::Worthless,
        (false, _) => Judgement::Stolen,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_secs(1000);

    fn session(generation: u32) -> Session {
        Session {
            id: Id::from_bytes([1; 16]),
            user: 1,
            created_at: NOW,
            auth_time: NOW,
            amr: vec!["pwd".into()],
            refreshed_at: NOW,
            expires_at: NOW.plus_secs(100),
            origin: Origin::default(),
            generation,
            refresh_hash: [generation as u8; 32],
        }
    }

    fn exchange(generation: u32, age: i64) -> Exchange {
        let hash = [generation as u8; 32];
        Exchange { generation, hash, at: NOW.plus_secs(-age), sealed: vec![generation as u8], before: None }
    }

    fn judge(current: u32, presented: u32, exchange: Option<Exchange>) -> Judgement {
        session(current).judge((presented, &[presented as u8; 32]), exchange, NOW, 30)
    }

    #[test]
    fn a_device_is_known_by_its_network_and_its_name_whatever_their_last_digits() {
        let origin = |address: &str, user_agent: &str| Origin {
            address: address.to_owned(),
            user_agent: user_agent.to_owned(),
        };
        let known = [origin("192.0.2.7", "Firefox/132.0 (Linux)"), origin("2001:db8:1:2::3", "curl/8.1")];
        for (address, user_agent, is_like) in [
            ("192.0.2.250", "Firefox/133.0.1 (Linux)", true),
            ("192.0.3.7", "Firefox/132.0 (Linux)", false),
            ("192.0.2.7", "Firefox/132.0 (Windows)", false),
            ("192.0.2.7", "", false),
            ("2001:db8:1:ffff::9", "curl/7.88", true),
            ("2001:db8:2:2::3", "curl/8.1", false),
            ("", "curl/8.1", false),
        ] {
            let seen = origin(address, user_agent);
            assert_eq!(known.iter().any(|known| known.is_like(&seen)), is_like, "{seen:?}");
        }
    }

    #[test]
    fn the_good_token_is_current_and_a_future_one_is_worthless() {
        assert_eq!(judge(5, 5, None), Judgement::Current);
        assert_eq!(judge(5, 6, None), Judgement::Worthless);
        assert_eq!(session(5).judge((5, &[9; 32]), None, NOW, 30), Judgement::Worthless);
    }

    #[test]
    fn an_old_token_is_answered_again_for_a_while_and_then_is_stolen() {
        assert_eq!(judge(5, 4, Some(exchange(4, 30))), Judgement::Again { sealed: vec![4] });
        assert_eq!(judge(5, 4, Some(exchange(4, 31))), Judgement::Stolen);
        assert_eq!(judge(5, 2, None), Judgement::Stolen);
    }

    #[test]
    fn one_that_was_given_up_unseen_goes_back_for_a_while_and_then_is_stolen() {
        let given_up = session(4).given_up(NOW.plus_secs(-30));
        let before = given_up.before.clone().unwrap();
        assert_eq!(judge(5, 4, Some(given_up.clone())), Judgement::Unheard { before, at: given_up.at });
        assert_eq!(judge(5, 4, Some(Exchange { at: NOW.plus_secs(-31), ..given_up })), Judgement::Stolen);
    }

    #[test]
    fn a_token_whose_slot_was_used_again_proves_theft_only_when_it_is_old() {
        assert_eq!(judge(9, 1, Some(exchange(5, 10))), Judgement::Worthless);
        assert_eq!(judge(9, 1, Some(exchange(5, 40))), Judgement::Stolen);
    }
}
