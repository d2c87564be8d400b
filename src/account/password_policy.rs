//! What a password may be (NIST SP 800-63B section 5.1.1.2, OWASP ASVS 6.2): long enough, and not what everyone
//! tries first. No rules about kinds of characters.
use crate::base::{Error, Result, Secret};

/// Lower-case passwords of at least [`MIN_CHARS`] characters that lists of leaked ones name most often, sorted.
const COMMON: &str = include_str!("common_passwords.txt");
const MIN_CHARS: usize = 8;
const MAX_CHARS: usize = 256;
/// Names shorter than this stand in too many words to be held against a password.
const MIN_NAME_CHARS: usize = 3;
/// What this server is called.
const OWN_WORDS: &[&str] = &["auth-service", "auth_service", "authservice"];

/// The rules, with the words that this installation adds.
#[derive(Debug, Clone, Default)]
pub struct PasswordPolicy {
    /// Lower-case words that no password may hold.
    pub blocked_words: Vec<String>,
}

impl PasswordPolicy {
    /// Checks a new password against the rules and against the names of its owner.
    ///
    /// # Errors
    /// `Error::Invalid` naming `field`.
    pub fn check(&self, field: &'static str, password: &Secret, username: &str, email: &str) -> Result<()> {
        let refuse = |reason: &'static str| Err(Error::invalid(field, reason));
        if !(MIN_CHARS..=MAX_CHARS).contains(&password.expose().chars().count()) {
            return refuse("must have 8 to 256 characters");
        }
        let lower = Secret::new(password.expose().to_lowercase());
        if is_common(lower.expose()) {
            return refuse("is one of the most common passwords");
        }
        let holds = |name: &str| {
            name.chars().count() >= MIN_NAME_CHARS && lower.expose().contains(&name.to_lowercase())
        };
        if holds(username) {
            return refuse("must not hold the user name");
        }
        let local_part = email.rsplit_once('@').map_or(email, |(local, _)| local);
        if holds(email) || holds(local_part) {
            return refuse("must not hold the e-mail address");
        }
        if OWN_WORDS.iter().any(|word| holds(word)) || self.blocked_words.iter().any(|word| holds(word)) {
            return refuse("must not hold a word that this service blocks");
        }
        Ok(())
    }
}

/// By halving, over the text itself: no list has to be built at the start.
fn is_common(password: &str) -> bool {
    let (mut low, mut high) = (0, COMMON.len());
    while low < high {
        let middle = low + (high - low) / 2;
        let start =
            COMMON.as_bytes()[low..middle].iter().rposition(|b| *b == b'\n').map_or(low, |at| low + at + 1);
        let end =
            COMMON.as_bytes()[start..].iter().position(|b| *b == b'\n').map_or(COMMON.len(), |at| start + at);
        match COMMON.as_bytes()[start..end].cmp(password.as_bytes()) {
            std::cmp::Ordering::Equal => return true,
            std::cmp::Ordering::Less => low = end + 1,
            std::cmp::Ordering::Greater => high = start,
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(password: &str) -> Result<()> {
        let policy = PasswordPolicy { blocked_words: vec!["acme".into()] };
        policy.check("password", &Secret::new(password), "testuser", "anna.smith@example.com")
    }

    #[test]
    fn the_list_is_sorted_and_every_line_of_it_is_found() {
        let lines: Vec<_> = COMMON.lines().collect();
        assert!(lines.len() >= 10_000 && lines.is_sorted());
        assert!(lines.iter().all(|line| line.len() >= MIN_CHARS && is_common(line)));
    }

    #[test]
    fn what_everyone_tries_first_is_refused() {
        for bad in [
            "password1234",
            "Qwertyuiop",
            "iloveyou",
            "short12",
            "my TestUser 1",
            "xx anna.smith xx",
            "anna.smith@example.com",
            "Auth-Service2026!",
            "ACME rocks 2026",
            "",
            &"x".repeat(257),
        ] {
            assert!(check(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn any_other_characters_will_do() {
        for good in [
            "correcthorsebatt",
            "12 34 56 78 90 12",
            "🦀🦀🦀🦀🦀🦀🦀🦀",
            " leading and trailing ",
            &"x".repeat(256),
        ] {
            assert!(check(good).is_ok(), "{good}");
        }
    }

    proptest! {
        #[test]
        fn looking_up_agrees_with_a_plain_search(word in "[a-z0-9]{8}") {
            prop_assert_eq!(is_common(&word), COMMON.lines().any(|line| line == word));
        }
    }
}
