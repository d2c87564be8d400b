//! What has to be known again when the answer to a challenge comes. The client keeps it, sealed: so a question that
//! anyone may ask writes nothing, and a flood of them fills no disk.
//!
//! It opens for what it was made for alone (a session, a login that waits for its second factor, or any login), for five
//! minutes. An answer that was taken leaves a mark in its change, so that no challenge is good twice. A challenge for a
//! login is bound to nothing else: without the answer of an authenticator it is worth nothing, that answer is given to the
//! pages of this server alone, and a page of somebody else cannot send it here (see `http::csrf`). Programs without
//! cookies can log in, too.
use std::fmt;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};

use super::model::Mark;
use crate::base::{Env, Error, Id, Result, Timestamp};
use crate::crypto::{MasterKey, Sealer, sha256};
use crate::session::Session;

/// How long an answer may take, in seconds: 5 minutes.
const LIFETIME_SECS: i64 = 300;
const PREFIX: &str = "asw_";
/// More than any of ours has.
const MAX_TEXT: usize = 8192;

/// Makes and opens challenges.
#[derive(Clone)]
pub struct Challenges {
    env: Env,
    sealer: Arc<Sealer>,
}

/// What a challenge is for. It is good for nothing else.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// A new passkey, asked for in a session.
    Register(Id<Session>),
    /// A login, by whoever it may be.
    Login,
    /// The second factor of a login that waits for it; the hash of its token.
    SecondFactor([u8; 32]),
    /// Proving again who it is, in a session.
    Again(Id<Session>),
}

/// Everything but the hash.
impl fmt::Debug for Purpose {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Register(session) => f.debug_tuple("Register").field(session).finish(),
            Self::Login => f.write_str("Login"),
            Self::SecondFactor(_) => f.write_str("SecondFactor(..)"),
            Self::Again(session) => f.debug_tuple("Again").field(session).finish(),
        }
    }
}

#[derive(Serialize, Deserialize)]
struct Sealed {
    expires_at: Timestamp,
    /// The library's.
    state: String,
    /// What the passkey is to be called.
    name: Option<String>,
}

/// A challenge that somebody answers.
pub struct Opened {
    pub state: String,
    pub name: Option<String>,
    pub mark: Mark,
}

impl Purpose {
    fn context(self) -> Vec<u8> {
        match self {
            Self::Register(session) => [b"register", &session.as_bytes()[..]].concat(),
            Self::Login => b"login".to_vec(),
            Self::SecondFactor(token) => [b"second factor", &token[..]].concat(),
            Self::Again(session) => [b"again", &session.as_bytes()[..]].concat(),
        }
    }
}

impl Challenges {
    /// # Errors
    /// `Error::Internal` if no key can be derived.
    pub fn new(env: Env, master: &MasterKey) -> Result<Self> {
        Ok(Self { env, sealer: Arc::new(master.sealer("passkey challenges")?) })
    }

    /// What the client hands back with its answer.
    ///
    /// # Errors
    /// `Error::Internal` if it cannot be sealed.
    pub fn seal(&self, purpose: Purpose, state: String, name: Option<String>) -> Result<String> {
        let sealed = Sealed { expires_at: self.env.now().plus_secs(LIFETIME_SECS), state, name };
        let plain =
            bincode::serde::encode_to_vec(sealed, bincode::config::standard()).map_err(Error::internal)?;
        let bytes = self.sealer.seal(self.env.entropy.as_ref(), &purpose.context(), &plain)?;
        Ok(PREFIX.to_owned() + &URL_SAFE_NO_PAD.encode(bytes))
    }

    /// Opens what a client hands back. Whether it was answered before is for the change to see: by its [`Mark`].
    ///
    /// # Errors
    /// As [`not_good`].
    pub fn open(&self, purpose: Purpose, text: &str) -> Result<Opened> {
        let text = text.strip_prefix(PREFIX).filter(|text| text.len() <= MAX_TEXT).ok_or_else(not_good)?;
        let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| not_good())?;
        let plain = self.sealer.open(&purpose.context(), &bytes).ok_or_else(not_good)?;
        let decoded = bincode::serde::decode_from_slice(&plain, bincode::config::standard());
        let (sealed, _): (Sealed, _) = decoded.map_err(Error::internal)?;
        let Sealed { expires_at, state, name } = sealed;
        if self.env.now() >= expires_at {
            return Err(not_good());
        }
        Ok(Opened { state, name, mark: Mark { hash: sha256(&[&bytes]), expires_at } })
    }
}

/// `Error::Invalid` naming `challenge_id`.
#[must_use]
pub fn not_good() -> Error {
    Error::invalid("challenge_id", "is not valid here, was used already, or has expired")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::{ManualClock, SeededEntropy};

    #[test]
    fn a_challenge_opens_for_what_it_was_made_for_alone_and_for_five_minutes() {
        let clock = Arc::new(ManualClock::at(Timestamp::from_secs(1_800_000_000)));
        let env = Env { clock: clock.clone(), entropy: Arc::new(SeededEntropy::new(1)) };
        let challenges = Challenges::new(env, &MasterKey::new(&[3; 32])).unwrap();
        let purposes = [
            Purpose::Register(Id::from_bytes([1; 16])),
            Purpose::Register(Id::from_bytes([2; 16])),
            Purpose::Again(Id::from_bytes([1; 16])),
            Purpose::Login,
            Purpose::SecondFactor([1; 32]),
            Purpose::SecondFactor([2; 32]),
        ];
        let texts = purposes.map(|purpose| challenges.seal(purpose, "state".into(), None).unwrap());
        clock.advance_secs(LIFETIME_SECS - 1);
        for purpose in purposes {
            for (other, text) in purposes.iter().zip(&texts) {
                let opened = challenges.open(purpose, text);
                assert_eq!(opened.is_ok(), purpose == *other, "{purpose:?} {other:?}");
                assert!(opened.map_or_else(|error| error == not_good(), |opened| opened.state == "state"));
            }
        }
        clock.advance_secs(1);
        assert!(challenges.open(Purpose::Login, &texts[3]).is_err());
        for bad in ["", "asw_", "asw_AAAA", &texts[3][4..], &format!("{}A", texts[3])] {
            assert!(challenges.open(Purpose::Login, bad).is_err(), "{bad}");
        }
    }
}
