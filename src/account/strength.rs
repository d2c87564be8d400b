//! How hard a password is to guess, as zxcvbn estimates it: by what attackers try, not by kinds of characters.
use zxcvbn::zxcvbn;

use crate::base::Strength;

/// More characters than this are not looked at: the work grows with the square of them, and whoever has so many is as strong
/// as the estimate can say.
const MOST_CHARS: usize = 100;

/// The estimate for a password of somebody for whom `words` are easy to guess.
#[must_use]
pub fn estimate(password: &str, words: &[&str]) -> Strength {
    let end = password.char_indices().nth(MOST_CHARS).map_or(password.len(), |(at, _)| at);
    let estimate = zxcvbn(&password[..end], words);
    let feedback = estimate.feedback();
    let suggestions = feedback.into_iter().flat_map(|feedback| feedback.suggestions().iter());
    Strength {
        score: estimate.score().into(),
        hundredths_of_log10: (estimate.guesses_log10() * 100.0).max(0.0) as u32,
        warning: feedback.and_then(zxcvbn::feedback::Feedback::warning).map(|warning| warning.to_string()),
        suggestions: suggestions.map(ToString::to_string).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passphrases_are_strong_and_what_is_tried_first_is_not() {
        for strong in
            ["correct horse battery", "staple of the correct horse", "12 34 56 78 90 12", "Tr0ub4dor&3x"]
        {
            assert!(estimate(strong, &[]).score >= 2, "{strong}: {:?}", estimate(strong, &[]));
        }
        for weak in ["aaaaaaaaaa", "abcdefgh", "1qaz2wsx", "p@ssw0rd", "20272027", ""] {
            assert!(estimate(weak, &[]).score < 2, "{weak}: {:?}", estimate(weak, &[]));
        }
        let weak = estimate("abcdefgh", &[]);
        assert!(weak.warning.is_some() && !weak.suggestions.is_empty(), "{weak:?}");
    }

    #[test]
    fn words_of_the_user_count_for_little() {
        let (alone, known) = (estimate("zvolenska", &[]), estimate("zvolenska", &["zvolenska"]));
        assert!(known.score < alone.score, "{known:?} {alone:?}");
    }

    #[test]
    fn what_comes_after_a_hundred_characters_is_not_looked_at() {
        let long = "ß".repeat(100);
        assert_eq!(estimate(&(long.clone() + "correct horse battery"), &[]), estimate(&long, &[]));
    }
}
