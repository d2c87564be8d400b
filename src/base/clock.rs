//! Time as a value that is handed in, so tests can hold it still.
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use super::{Error, Result};
use serde::{Deserialize, Serialize};
use time::format_description::well_known::Rfc3339;
use time::{OffsetDateTime, UtcOffset};

const MICROS_PER_SECOND: i64 = 1_000_000;

/// Microseconds since the Unix epoch, UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
pub struct Timestamp(i64);

impl Timestamp {
    /// The latest instant: "never" for anything that ends.
    pub const MAX: Self = Self(i64::MAX);

    #[must_use]
    pub const fn from_micros(micros: i64) -> Self {
        Self(micros)
    }

    #[must_use]
    pub const fn from_secs(secs: i64) -> Self {
        Self(secs.saturating_mul(MICROS_PER_SECOND))
    }

    #[must_use]
    pub const fn micros(self) -> i64 {
        self.0
    }

    /// Whole seconds since the epoch, as JWT's `NumericDate` (RFC 7519 section 2) wants them.
    #[must_use]
    pub const fn secs(self) -> i64 {
        self.0.div_euclid(MICROS_PER_SECOND)
    }

    #[must_use]
    pub const fn plus_secs(self, secs: i64) -> Self {
        Self(self.0.saturating_add(secs.saturating_mul(MICROS_PER_SECOND)))
    }

    /// Whole seconds from `earlier` to this, negative when this is the earlier one.
    #[must_use]
    pub const fn secs_since(self, earlier: Self) -> i64 {
        self.0.saturating_sub(earlier.0).div_euclid(MICROS_PER_SECOND)
    }

    /// RFC 3339 with `Z`, whole seconds: the form of every time in an answer but two.
    #[must_use]
    pub fn rfc3339(self) -> String {
        self.date().replace_nanosecond(0).ok().and_then(|date| date.format(&Rfc3339).ok()).unwrap_or_default()
    }

    /// RFC 3339 with `Z` and six digits below the second.
    #[must_use]
    pub fn rfc3339_micros(self) -> String {
        self.contract_form() + "Z"
    }

    /// Reads a time in the form of RFC 3339, with any offset; `None` for one that in UTC has another number of digits.
    #[must_use]
    pub fn parse_rfc3339(text: &str) -> Option<Self> {
        let date = OffsetDateTime::parse(text, &Rfc3339).ok()?.checked_to_offset(UtcOffset::UTC)?;
        i64::try_from(date.unix_timestamp_nanos().div_euclid(1000)).ok().map(Self)
    }

    /// [`Timestamp::parse_rfc3339`] of a value that somebody sent.
    ///
    /// # Errors
    /// `Error::Invalid` naming the field.
    pub fn parse_rfc3339_of(field: &'static str, text: &str) -> Result<Self> {
        let wrong = || Error::invalid(field, "must be a time like 2027-01-15T08:00:00Z");
        Self::parse_rfc3339(text).ok_or_else(wrong)
    }

    /// `2025-06-15T11:09:03.405528`: the form of the error envelope and of the 503 of `/health`.
    #[must_use]
    pub fn contract_form(self) -> String {
        let date = self.date();
        format!(
            "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:06}",
            date.year(),
            u8::from(date.month()),
            date.day(),
            date.hour(),
            date.minute(),
            date.second(),
            date.microsecond()
        )
    }

    fn date(self) -> OffsetDateTime {
        OffsetDateTime::from_unix_timestamp_nanos(i128::from(self.0) * 1000)
            .unwrap_or(OffsetDateTime::UNIX_EPOCH)
    }
}

/// Where the time comes from.
pub trait Clock: Send + Sync {
    /// The present.
    fn now(&self) -> Timestamp;
}

/// The machine's clock.
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the wall clock")]
    fn now(&self) -> Timestamp {
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        Timestamp(since.map_or(0, |d| i64::try_from(d.as_micros()).unwrap_or(i64::MAX)))
    }
}

/// Stands still until a test moves it.
pub struct ManualClock(AtomicI64);

impl ManualClock {
    #[must_use]
    pub fn at(time: Timestamp) -> Self {
        Self(AtomicI64::new(time.0))
    }

    pub fn advance_secs(&self, secs: i64) {
        self.0.fetch_add(secs * MICROS_PER_SECOND, Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        Timestamp(self.0.load(Ordering::SeqCst))
    }
}

/// A point on the monotonic clock: for how long something took or has lasted, never for what has expired.
#[derive(Debug, Clone, Copy)]
pub struct Tick(std::time::Instant);

impl Tick {
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the monotonic clock")]
    pub fn now() -> Self {
        Self(std::time::Instant::now())
    }

    #[must_use]
    pub fn elapsed(self) -> Duration {
        self.0.elapsed()
    }

    /// How long after `earlier` this is; zero if it is not after it.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        self.0.saturating_duration_since(earlier.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_of_a_time() {
        let time = Timestamp::from_micros(1_749_985_743_405_528);
        assert_eq!(time.contract_form(), "2025-06-15T11:09:03.405528");
        assert_eq!(time.rfc3339(), "2025-06-15T11:09:03Z");
        assert_eq!(Timestamp::default().contract_form(), "1970-01-01T00:00:00.000000");
    }

    #[test]
    fn seconds_between_two_times_round_down() {
        assert_eq!(Timestamp::from_micros(1_999_999).secs_since(Timestamp::default()), 1);
        assert_eq!(Timestamp::default().secs_since(Timestamp::from_micros(1)), -1);
    }
}
