//! What second factors a user has, and what becomes of them when they are used. Pure.
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::base::{Error, Id, Result, Timestamp, constant_time_eq};
use crate::crypto::{recovery_code, totp};
use crate::passkey::Proof;

/// How many recovery codes there are at first.
pub const RECOVERY_CODES: usize = 10;
/// With so many left their user is warned.
pub const FEW_RECOVERY_CODES: usize = 3;

/// The second factors of a user.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Factors {
    pub totp: Option<Totp>,
    /// Whether a password asks for a passkey, too.
    pub passkeys: bool,
    /// The hashes of those that are left.
    pub recovery_codes: Vec<[u8; 32]>,
    pub changed_at: Timestamp,
}

/// How many recovery codes there are, and none of their hashes.
impl fmt::Debug for Factors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Factors")
            .field("totp", &self.totp)
            .field("passkeys", &self.passkeys)
            .field("recovery_codes", &self.recovery_codes.len())
            .finish_non_exhaustive()
    }
}

/// An authenticator app.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Totp {
    /// The secret, sealed under the master key and for its user.
    pub sealed: Vec<u8>,
    pub enabled_at: Timestamp,
    /// The last step whose code was used: it and those before are good no more (RFC 6238 section 5.2).
    pub last_step: u64,
}

/// An app that is being set up: good for nothing before its first code has come.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Setup {
    pub sealed: Vec<u8>,
    pub expires_at: Timestamp,
}

/// A device on which its user need not show a second factor for a while.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrustedDevice {
    /// What the browser called itself.
    pub user_agent: String,
    /// Where it was when it was trusted.
    pub address: String,
    pub created_at: Timestamp,
    pub last_used_at: Timestamp,
    pub expires_at: Timestamp,
}

/// A trusted device by the hash of its token, of which the first half is its public id.
#[derive(Debug, Clone)]
pub struct Listed {
    pub id: Id<TrustedDevice>,
    pub device: TrustedDevice,
}

/// What somebody shows for a second factor.
#[derive(Clone, PartialEq, Eq)]
pub enum Answer {
    /// The six digits of an app.
    Totp(String),
    /// The hash of a recovery code.
    RecoveryCode([u8; 32]),
    /// What an authenticator has answered; it was found good.
    Passkey(Box<Proof>),
    /// What is no answer at all: counted like one that is wrong.
    Nothing,
}

/// What was used up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Spent {
    Totp,
    Passkey,
    RecoveryCode { left: usize },
}

/// The secret is sealed, and still nobody's to read.
impl fmt::Debug for Totp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Totp").field("enabled_at", &self.enabled_at).finish_non_exhaustive()
    }
}

impl Answer {
    /// Reads what somebody typed: six digits, or a recovery code.
    ///
    /// # Errors
    /// `Error::InvalidMfaCode` for what is neither.
    pub fn parse(text: &str) -> Result<Self> {
        if let Some(code) = totp::read_code(text) {
            return Ok(Self::Totp(code));
        }
        recovery_code::hash_of(text).map(Self::RecoveryCode).ok_or(Error::InvalidMfaCode)
    }

    /// What a session is made with, in the words of RFC 8176; `recovery` is one of our own.
    #[must_use]
    pub fn method(&self) -> &'static str {
        match self {
            Self::Totp(_) => "otp",
            Self::RecoveryCode(_) => "recovery",
            Self::Passkey(_) => "pop",
            Self::Nothing => "none",
        }
    }
}

impl Factors {
    /// Whether a login needs one.
    #[must_use]
    pub fn is_on(&self) -> bool {
        self.totp.is_some() || self.passkeys
    }

    /// What a login asks for, in words of mails.
    #[must_use]
    pub fn names(&self) -> String {
        let all = [("totp", self.totp.is_some()), ("passkey_after_password", self.passkeys)];
        let names: Vec<_> = all.into_iter().filter(|(_, is_on)| *is_on).map(|(name, _)| name).collect();
        names.join(" ")
    }

    /// With what a login can be finished; `has_passkey`: whether the user has registered any.
    #[must_use]
    pub fn methods(&self, has_passkey: bool) -> Vec<&'static str> {
        let all = [
            ("totp", self.totp.is_some()),
            ("passkey", has_passkey),
            ("recovery_code", !self.recovery_codes.is_empty()),
        ];
        all.into_iter().filter(|(_, is_there)| *is_there).map(|(method, _)| method).collect()
    }

    /// Uses the code of a step up; `false` when it or a later one was used already.
    pub fn spend_step(&mut self, step: u64) -> bool {
        match &mut self.totp {
            Some(totp) if step > totp.last_step => {
                totp.last_step = step;
                true
            }
            _ => false,
        }
    }

    /// Uses a recovery code up; `false` when it is none, or was used already.
    pub fn spend_recovery_code(&mut self, hash: &[u8; 32]) -> bool {
        let before = self.recovery_codes.len();
        self.recovery_codes.retain(|known| !constant_time_eq(known, hash));
        self.recovery_codes.len() < before
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn factors() -> Factors {
        let totp = Totp { sealed: Vec::new(), enabled_at: Timestamp::default(), last_step: 7 };
        Factors { totp: Some(totp), recovery_codes: vec![[1; 32], [2; 32]], ..Factors::default() }
    }

    #[test]
    fn a_step_and_those_before_it_are_used_once() {
        let mut factors = factors();
        assert_eq!([7, 8, 8, 6, 9].map(|step| factors.spend_step(step)), [false, true, false, false, true]);
        assert!(!Factors::default().spend_step(1));
    }

    #[test]
    fn a_recovery_code_is_used_once() {
        let mut factors = factors();
        assert!(factors.spend_recovery_code(&[1; 32]) && !factors.spend_recovery_code(&[1; 32]));
        assert!(!factors.spend_recovery_code(&[3; 32]) && factors.recovery_codes == [[2; 32]]);
    }

    #[test]
    fn what_is_typed_is_six_digits_or_a_recovery_code() {
        assert!(matches!(Answer::parse("123 456"), Ok(Answer::Totp(code)) if code == "123456"));
        assert!(matches!(Answer::parse("0123-45678-9abcd-efghj-kmnpq-r"), Ok(Answer::RecoveryCode(_))));
        assert!(matches!(Answer::parse("1234567"), Err(Error::InvalidMfaCode)));
    }
}
