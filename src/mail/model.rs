//! What a mail is, and when it is tried again. Pure.
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::base::{Id, Secret, Timestamp};
use crate::rbac::Initiator;

/// The id that no user has.
pub const NOBODY: u64 = 0;
/// Mails of one kind to one address within an hour; more are not sent.
pub const MOST_AN_HOUR: usize = 5;
/// How long a notice is tried for, in seconds: three days. A link is tried for as long as it is good.
pub const NOTICE_SECS: i64 = 3 * 24 * 3600;
/// The first time between two attempts, in seconds, and the longest.
const FIRST_WAIT: i64 = 30;
const LONGEST_WAIT: i64 = 4 * 3600;

macro_rules! kinds {
    ($($(#[doc = $about:literal])+ $kind:ident = $number:literal $name:literal $has_link:literal,)+) => {
        /// What a mail is about.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Kind { $($(#[doc = $about])+ $kind,)+ }

        impl Kind {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$kind,)+];

            /// What its templates are called.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self { $(Self::$kind => $name,)+ }
            }

            /// What it is in the store. Never changes.
            #[must_use]
            pub fn number(self) -> u8 {
                match self { $(Self::$kind => $number,)+ }
            }

            /// Whether somebody needs what it holds to go on; others only tell.
            #[must_use]
            pub fn has_link(self) -> bool {
                match self { $(Self::$kind => $has_link,)+ }
            }
        }
    };
}

kinds! {
    /// A link that shows that an address is its user's.
    VerifyEmail = 1 "verify_email" true,
    /// A link to choose another password.
    ResetPassword = 2 "reset_password" true,
    /// A link that makes a new address that of an account.
    ConfirmEmail = 3 "confirm_email" true,
    /// A link and a code to sign in with.
    SignIn = 4 "sign_in" true,
    /// To the old address: another one was asked for.
    EmailChangeAsked = 5 "email_change_asked" false,
    /// To the old address: there is another one.
    EmailChanged = 6 "email_changed" false,
    /// The password is another one.
    PasswordChanged = 7 "password_changed" false,
    /// Somebody has logged in on a device that was not known.
    NewLogin = 8 "new_login" false,
    /// A second factor or a passkey was added.
    FactorAdded = 9 "factor_added" false,
    /// A second factor or a passkey was removed.
    FactorRemoved = 10 "factor_removed" false,
    /// Few recovery codes are left.
    RecoveryCodesLow = 11 "recovery_codes_low" false,
    /// An old refresh token was presented, and the session ended.
    SessionStolen = 12 "session_stolen" false,
    /// Somebody has tried to register with the address of an account.
    AlreadyRegistered = 13 "already_registered" false,
}

impl Kind {
    /// The kind with a number.
    #[must_use]
    pub fn of_number(number: u8) -> Option<Self> {
        Self::ALL.iter().copied().find(|kind| kind.number() == number)
    }
}

/// A mail before it is written.
pub struct Letter {
    pub kind: Kind,
    /// The user whom it is about; [`NOBODY`] for one who has no account yet.
    pub user: u64,
    pub username: String,
    /// The address that it goes to.
    pub to: String,
    /// Who has caused it: where from, and in which language it is written.
    pub by: Initiator,
    pub at: Timestamp,
    /// For a mail with a link: what the link does, the text that is good for it once, and until when.
    pub link: Option<Link>,
    /// What else its templates show, by name.
    pub facts: Vec<(&'static str, String)>,
}

/// What a mail is for.
pub struct Link {
    /// The page: `reset-password`.
    pub page: &'static str,
    pub token: Secret,
    /// For those who type.
    pub code: Option<Secret>,
    pub expires_at: Timestamp,
}

/// A mail in the queue.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Queued {
    pub id: Id<Queued>,
    /// The number of its [`Kind`].
    pub kind: u8,
    pub user: u64,
    pub created_at: Timestamp,
    /// When it is good for nothing any more.
    pub expires_at: Timestamp,
    /// How often it was tried.
    pub attempts: u32,
    /// When it is tried next.
    pub next_at: Timestamp,
    /// Why it has not left yet; nothing of what it says.
    pub trouble: String,
    /// Its [`Written`], for nobody but this server.
    pub sealed: Vec<u8>,
}

/// Everything but what it says, sealed as that is.
impl fmt::Debug for Queued {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Queued")
            .field("id", &self.id)
            .field("kind", &self.kind)
            .field("user", &self.user)
            .field("attempts", &self.attempts)
            .field("next_at", &self.next_at)
            .field("trouble", &self.trouble)
            .finish_non_exhaustive()
    }
}

/// A mail as it leaves. Links and codes in it are secrets.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Written {
    pub to: String,
    pub subject: String,
    pub text: String,
    pub html: String,
}

/// When mails of one kind went to one address.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Turns {
    pub at: Vec<Timestamp>,
}

impl Queued {
    #[must_use]
    pub fn kind_name(&self) -> &'static str {
        Kind::of_number(self.kind).map_or("unknown", Kind::name)
    }

    /// The mail after an attempt that failed. `chance`: random bits.
    #[must_use]
    pub fn tried(mut self, trouble: String, chance: u32, now: Timestamp) -> Self {
        self.attempts = self.attempts.saturating_add(1);
        self.next_at = now.plus_secs(wait(self.attempts, chance));
        self.trouble = trouble;
        self
    }
}

impl Turns {
    /// Takes a turn, if there is one left.
    #[must_use]
    pub fn take(mut self, now: Timestamp) -> Option<Self> {
        const HOUR_SECS: i64 = 3600;
        self.at.retain(|at| now.secs_since(*at) < HOUR_SECS);
        if self.at.len() >= MOST_AN_HOUR {
            return None;
        }
        self.at.push(now);
        Some(self)
    }
}

/// Seconds until the next attempt: twice as many after each, a quarter more or less, so that a mail server that comes back
/// does not get everything at once.
fn wait(attempts: u32, chance: u32) -> i64 {
    let doubled = FIRST_WAIT.saturating_mul(1_i64 << attempts.saturating_sub(1).min(20));
    let wait = doubled.min(LONGEST_WAIT);
    wait * 3 / 4 + i64::from(chance) % (wait / 2 + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_has_a_number_and_a_name_of_its_own() {
        for kind in Kind::ALL {
            assert_eq!(Kind::of_number(kind.number()), Some(*kind));
            assert_eq!(Kind::ALL.iter().filter(|other| other.name() == kind.name()).count(), 1);
        }
        assert_eq!(Kind::of_number(0), None);
    }

    #[test]
    fn attempts_come_at_growing_distances_and_for_ever_within_some_hours() {
        for chance in [0, 7, u32::MAX] {
            let waits: Vec<_> = (1..100).map(|attempts| wait(attempts, chance)).collect();
            assert!((22..=45).contains(&waits[0]), "{waits:?}");
            assert!((45..=75).contains(&waits[1]), "{waits:?}");
            assert!(waits.iter().all(|wait| (22..=5 * 3600).contains(wait)), "{waits:?}");
            assert!(waits[98] >= 3 * 3600, "{waits:?}");
        }
    }

    #[test]
    fn an_hour_has_so_many_turns() {
        let at = Timestamp::from_secs;
        let mut turns = Turns::default();
        for n in 0..MOST_AN_HOUR as i64 {
            turns = turns.take(at(n)).unwrap();
        }
        assert_eq!(turns.clone().take(at(3599)), None);
        assert_eq!(turns.take(at(3600)).unwrap().at.len(), MOST_AN_HOUR);
    }
}
