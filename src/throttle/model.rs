//! How long a guess has to wait. Pure.

/// How fast guesses of one kind may come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Guesses that need not wait.
    pub free: u32,
    /// Seconds that the longest wait has; the first has one.
    pub longest: u32,
    /// Seconds after which one guess is forgotten.
    pub relief: u32,
}

/// What was guessed, and when last (seconds since the epoch).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Count {
    pub guesses: u32,
    pub last: u32,
    /// Seconds up to then that count for the next guess to be forgotten: whoever guesses again and again takes nothing
    /// from what time has forgotten.
    pub rest: u32,
}

impl Limits {
    /// What is left of a count by now.
    #[must_use]
    pub fn relieved(&self, count: Count, now: u32) -> Count {
        let (since, relief) = (count.rest.saturating_add(now.saturating_sub(count.last)), self.relief.max(1));
        let guesses = count.guesses.saturating_sub(since / relief);
        // With nothing left to forget, no time is saved up.
        let rest = if guesses == 0 { 0 } else { since % relief };
        Count { guesses, rest, ..count }
    }

    /// How many seconds the guess after these has to wait, counted from the last one.
    #[must_use]
    pub fn wait(&self, guesses: u32) -> u32 {
        match guesses.checked_sub(self.free) {
            None => 0,
            Some(over) => 1_u32.checked_shl(over).unwrap_or(u32::MAX).min(self.longest),
        }
    }

    /// Counts a guess.
    ///
    /// # Errors
    /// How many seconds there are to wait.
    pub fn count(&self, count: Count, now: u32) -> Result<Count, u32> {
        let relieved = self.relieved(count, now);
        // A clock that was set back must not make anybody wait longer than the longest wait.
        let since = if now < count.last { self.longest } else { now - count.last };
        match self.wait(relieved.guesses).checked_sub(since) {
            None | Some(0) => {
                Ok(Count { guesses: relieved.guesses.saturating_add(1), last: now, rest: relieved.rest })
            }
            Some(left) => Err(left),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const LIMITS: Limits = Limits { free: 10, longest: 900, relief: 600 };

    #[test]
    fn ten_are_free_and_then_each_waits_twice_as_long() {
        let mut count = Count::default();
        for _ in 0..10 {
            count = LIMITS.count(count, 1000).unwrap();
        }
        let mut now = 1000;
        for wait in [1, 2, 4, 8, 16, 32, 64, 128, 256, 512] {
            assert_eq!(LIMITS.count(count, now), Err(wait));
            now += wait;
            count = LIMITS.count(count, now).unwrap();
        }
        // In that time two were forgotten; it never gets longer than the longest.
        assert!(LIMITS.wait(200) == 900 && LIMITS.wait(u32::MAX) == 900);
    }

    #[test]
    fn what_was_long_ago_is_forgotten() {
        let count = Count { guesses: 14, last: 1000, rest: 0 };
        assert_eq!(LIMITS.relieved(count, 1599).guesses, 14);
        assert_eq!(LIMITS.relieved(count, 1000 + 600 * 5).guesses, 9);
        assert_eq!(LIMITS.relieved(count, u32::MAX).guesses, 0);
    }

    #[test]
    fn time_forgets_as_much_of_those_who_go_on_guessing() {
        let limits = Limits { free: 100, longest: 60, relief: 60 };
        let mut count = Count::default();
        // Two a minute for an hour: one of them is forgotten.
        for n in 0..120 {
            count = limits.count(count, 1000 + n * 30).unwrap();
        }
        assert_eq!(count.guesses, 61);
        // And no time is saved up while there is nothing to forget.
        let late = limits.count(Count::default(), 1_000_000).unwrap();
        assert_eq!(limits.count(late, 1_000_059).unwrap().guesses, 2);
    }

    proptest! {
        #[test]
        fn whoever_waits_as_long_as_told_comes_through(
            guesses in 0_u32..60, last in 0_u32..10_000, rest in 0_u32..600, now in 0_u32..20_000,
        ) {
            let count = Count { guesses, last, rest };
            if let Err(left) = LIMITS.count(count, now) {
                prop_assert!(left <= LIMITS.longest);
                let later = LIMITS.count(count, now + left);
                prop_assert!(later.is_ok(), "{:?}", later);
            }
        }
    }
}
