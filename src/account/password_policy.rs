//! What a password may be (NIST SP 800-63B section 5.1.1.2, OWASP ASVS 6.2): long enough, and not what everyone
//! tries first, nor what is known from breaches, nor too easy to guess. No rules about kinds of characters.
use super::strength::estimate;
use crate::base::{Error, Result, Secret};
use crate::breach::BreachFilter;

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
    /// The least score that is good enough, 0 to 4.
    pub min_strength: u8,
    /// Passwords that are known from breaches.
    pub breached: Option<BreachFilter>,
}

impl PasswordPolicy {
    /// Checks a new password against the rules and against the names of its owner. Takes up to some milliseconds: see
    /// [`super::Passwords::check`].
    ///
    /// # Errors
    /// `Error::Invalid` naming `field`; `Error::Unavailable` when the file of the breach filter cannot be read.
    pub(super) fn judge(
        &self,
        field: &'static str,
        password: &Secret,
        username: &str,
        email: &str,
    ) -> Result<()> {
        let refuse = |reason: &'static str| Err(Error::invalid(field, reason));
        if !(MIN_CHARS..=MAX_CHARS).contains(&password.expose().chars().count()) {
            return refuse("must have 8 to 256 characters");
        }
        let lower = Secret::new(password.expose().to_lowercase());
        if is_common(lower.expose()) {
            let strength = estimate(password.expose(), &[]);
            return Err(Error::weak(field, "is one of the most common passwords", strength));
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
        if let Some(breached) = &self.breached
            && breached.holds(password)?
        {
            return refuse("is in a list of passwords that were stolen from other services");
        }
        self.check_strength(field, password, &[username, email, local_part])
    }

    fn check_strength(&self, field: &'static str, password: &Secret, names: &[&str]) -> Result<()> {
        if self.min_strength == 0 {
            return Ok(());
        }
        let own = OWN_WORDS.iter().copied().chain(self.blocked_words.iter().map(String::as_str));
        let words: Vec<_> = names.iter().copied().chain(own).collect();
        let strength = estimate(password.expose(), &words);
        if strength.score < self.min_strength {
            return Err(Error::weak(field, "is too easy to guess", strength));
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
        check_at(0, password)
    }

    fn check_at(min_strength: u8, password: &str) -> Result<()> {
        let policy = PasswordPolicy { blocked_words: vec!["acme".into()], min_strength, breached: None };
        policy.judge("password", &Secret::new(password), "testuser", "anna.smith@example.com")
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

    #[test]
    fn what_is_too_easy_to_guess_is_refused_with_the_estimate() {
        for (password, enough) in [("xxxxxxxxxxxx", 0), ("zebra2027", 1), ("12 34 56 78 90 12", 4)] {
            let strength = estimate(password, &[]);
            assert!(
                (0..=strength.score).all(|least| check_at(least, password).is_ok()),
                "{password} {strength:?}"
            );
            assert!(strength.score >= enough, "{password} {strength:?}");
            if strength.score < 4 {
                let Err(Error::Invalid(wrong)) = check_at(strength.score + 1, password) else {
                    panic!("{password}")
                };
                assert_eq!((&*wrong.field, &*wrong.reason), ("password", "is too easy to guess"));
                assert_eq!(wrong.strength.map(|said| said.score), Some(strength.score));
            }
        }
        let Err(Error::Invalid(common)) = check("password1234") else { panic!("a common one") };
        assert!(common.strength.is_some_and(|strength| strength.score < 2));
    }

    #[test]
    fn the_names_of_its_owner_make_a_password_no_stronger() {
        let scored = |least| check_at(least, "a.n.n.a smith example.com").is_ok();
        assert!(scored(2) && check_at(2, "ann@smith.example").is_ok());
        assert!(check_at(2, "acm3acm3").is_err(), "a blocked word in other letters");
    }

    proptest! {
        #[test]
        fn looking_up_agrees_with_a_plain_search(word in "[a-z0-9]{8}") {
            prop_assert_eq!(is_common(&word), COMMON.lines().any(|line| line == word));
        }
    }
}
