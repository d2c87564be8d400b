//! What a device has asked for, and how far its user has come with it. Pure.
use serde::{Deserialize, Serialize};

use crate::base::{Entropy, Id, Timestamp, entropy};
use crate::oauth::client::{Client, ClientId};
use crate::oauth::grant::model::{Code, Consented, Grant, Proof};

/// Letters that nobody takes for others, and that make no words (RFC 8628 section 6.1).
pub const LETTERS: &[u8; 20] = b"BCDFGHJKLMNPQRSTVWXZ";
const CODE_LETTERS: usize = 8;
/// How much slower a device has to ask that has asked too fast (RFC 8628 section 3.5).
pub const SLOWER_SECS: i64 = 5;
/// How long after its end a device code is known yet, so that its device hears that it is over.
pub const KNOWN_SECS: i64 = 3600;

/// What a user types.
#[derive(Clone, PartialEq, Eq)]
pub struct UserCode([u8; CODE_LETTERS]);

/// What a device has asked for: under the hash of its device code.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeviceRequest {
    pub client: ClientId,
    pub wanted: Consented,
    /// Under what the request is found by its user code.
    pub user_code: [u8; 32],
    /// Where the device has asked from, and what it calls itself: for its user to compare.
    pub address: String,
    pub user_agent: String,
    pub created_at: Timestamp,
    pub expires_at: Timestamp,
    pub answer: Answer,
}

/// What a user has said to it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Answer {
    None,
    No,
    Yes {
        user: u64,
        proof: Proof,
        at: Timestamp,
    },
    /// Yes, and the device has its tokens.
    Redeemed(Id<Grant>),
}

/// What a device code is worth.
pub enum Worth {
    /// The user has not answered yet.
    Pending,
    Refused,
    Over,
    /// It was redeemed already.
    Spent,
    /// As much as a code that its user had brought back.
    Code(Box<Code>),
}

impl UserCode {
    /// A code that nobody can foresee.
    #[must_use]
    pub fn generate(rng: &dyn Entropy) -> Self {
        // What is beyond the last multiple would make some letters more likely than others.
        const FAIR: u8 = 240;
        let mut code = [0; CODE_LETTERS];
        for letter in &mut code {
            let byte = loop {
                let [byte] = entropy::bytes(rng);
                if byte < FAIR {
                    break byte;
                }
            };
            *letter = LETTERS[usize::from(byte) % LETTERS.len()];
        }
        Self(code)
    }

    /// Reads what somebody typed, with dashes and spaces or without, in letters of either case.
    #[must_use]
    pub fn parse(typed: &str) -> Option<Self> {
        let is_between =
            |c: &char| c.is_whitespace() || matches!(c, '-' | '\u{2010}'..='\u{2015}' | '\u{2212}');
        let mut code = [0; CODE_LETTERS];
        let mut letters = typed.chars().filter(|c| !is_between(c));
        for place in &mut code {
            let letter = u8::try_from(letters.next()?.to_ascii_uppercase()).ok()?;
            *place = Some(letter).filter(|letter| LETTERS.contains(letter))?;
        }
        letters.next().is_none().then_some(Self(code))
    }

    /// As people read it: in two halves.
    #[must_use]
    pub fn shown(&self) -> String {
        let (first, second) = self.0.split_at(CODE_LETTERS / 2);
        format!("{}-{}", String::from_utf8_lossy(first), String::from_utf8_lossy(second))
    }

    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl DeviceRequest {
    /// Whether a client is the one that has asked: one that was deleted and made anew is another.
    #[must_use]
    pub fn is_of(&self, client: &Client) -> bool {
        self.client == client.id && self.created_at >= client.created_at
    }

    /// Whether a user can answer it yet.
    #[must_use]
    pub fn is_open(&self, now: Timestamp) -> bool {
        matches!(self.answer, Answer::None) && now < self.expires_at
    }

    /// What its device code is worth `now`.
    #[must_use]
    pub fn worth(&self, now: Timestamp) -> Worth {
        match &self.answer {
            Answer::Redeemed(_) => Worth::Spent,
            Answer::No => Worth::Refused,
            _ if now >= self.expires_at => Worth::Over,
            Answer::None => Worth::Pending,
            Answer::Yes { user, proof, at } => Worth::Code(Box::new(self.code(*user, proof.clone(), *at))),
        }
    }

    /// What a user gives with a yes.
    #[must_use]
    pub fn code(&self, user: u64, proof: Proof, at: Timestamp) -> Code {
        Code {
            client: self.client.clone(),
            user,
            proof,
            consented: self.wanted.clone(),
            redirect_uri: String::new(),
            nonce: None,
            challenge: None,
            bound_to: None,
            created_at: at,
            expires_at: self.expires_at,
            redeemed: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::base::SeededEntropy;

    #[test]
    fn a_code_is_read_however_it_is_typed() {
        let code = UserCode::parse("WDJBMJHT").unwrap();
        assert_eq!(code.shown(), "WDJB-MJHT");
        for same in ["wdjb-mjht", " WDJB MJHT ", "wd jb\u{2013}MJ-ht", "W-D-J-B-M-J-H-T", "WDJB\u{a0}MJHT"] {
            assert!(UserCode::parse(same) == Some(code.clone()), "{same}");
        }
        for none in [
            "",
            "WDJB-MJH",
            "WDJB-MJHTB",
            "ADJB-MJHT",
            "WDJB-MJH0",
            "WDJB_MJHT",
            "ẞDJB-MJHT",
            "WDJB-MJH\u{212a}",
        ] {
            assert!(UserCode::parse(none).is_none(), "{none}");
        }
    }

    #[test]
    fn every_letter_is_as_likely_as_every_other() {
        let rng = SeededEntropy::new(7);
        let mut seen = [0_u32; 26];
        for _ in 0..10_000 {
            UserCode::generate(&rng).0.iter().for_each(|letter| seen[usize::from(letter - b'A')] += 1);
        }
        for letter in b'A'..=b'Z' {
            let count = seen[usize::from(letter - b'A')];
            let expected = if LETTERS.contains(&letter) { 3_700..4_300 } else { 0..1 };
            assert!(expected.contains(&count), "{} {count}", char::from(letter));
        }
    }

    proptest! {
        #[test]
        fn what_is_shown_is_read(seed: u64) {
            let code = UserCode::generate(&SeededEntropy::new(seed));
            prop_assert!(UserCode::parse(&code.shown()) == Some(code));
        }

        #[test]
        fn anything_is_read_without_panic(text in "\\PC{0,30}") {
            let _ = UserCode::parse(&text);
        }
    }
}
