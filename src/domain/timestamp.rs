use std::fmt;
use std::ops::{Add, Sub};
use std::str::FromStr;
use std::time::Duration;

use serde::{Serialize, Serializer};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// A moment in UTC, in microseconds since 1970: the resolution that both databases keep.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

impl Timestamp {
    #[must_use]
    pub const fn from_micros(micros: i64) -> Self {
        Self(micros)
    }

    #[must_use]
    pub const fn micros(self) -> i64 {
        self.0
    }

    /// Returns whole seconds since 1970 (RFC 7519 §2, `NumericDate`), rounded down.
    #[must_use]
    pub const fn unix_seconds(self) -> i64 {
        self.0.div_euclid(1_000_000)
    }

    /// Returns the time passed since `earlier`; zero when clocks disagree and it lies ahead.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_micros(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }

    /// Returns the time left until `later`; zero once it has come.
    #[must_use]
    pub fn until(self, later: Self) -> Duration {
        later.since(self)
    }

    #[must_use]
    pub fn to_offset_date_time(self) -> OffsetDateTime {
        OffsetDateTime::from_unix_timestamp_nanos(i128::from(self.0) * 1_000)
            .unwrap_or(OffsetDateTime::UNIX_EPOCH)
    }
}

impl From<OffsetDateTime> for Timestamp {
    fn from(value: OffsetDateTime) -> Self {
        let micros = value.unix_timestamp_nanos().div_euclid(1_000);
        Self(i64::try_from(micros).unwrap_or(i64::MAX))
    }
}

impl Add<Duration> for Timestamp {
    type Output = Self;

    fn add(self, span: Duration) -> Self {
        Self(self.0.saturating_add(i64::try_from(span.as_micros()).unwrap_or(i64::MAX)))
    }
}

impl Sub<Duration> for Timestamp {
    type Output = Self;

    fn sub(self, span: Duration) -> Self {
        Self(self.0.saturating_sub(i64::try_from(span.as_micros()).unwrap_or(i64::MAX)))
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be a time such as 2026-11-24T03:42:08Z")]
pub struct NoTime;

/// RFC 3339, of any offset.
impl FromStr for Timestamp {
    type Err = NoTime;

    fn from_str(text: &str) -> Result<Self, NoTime> {
        OffsetDateTime::parse(text, &Rfc3339).map(Self::from).map_err(|_| NoTime)
    }
}

/// RFC 3339, always in UTC.
impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = self.to_offset_date_time().format(&Rfc3339).map_err(|_| fmt::Error)?;
        f.write_str(&text)
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clocks_that_disagree_count_as_zero() {
        let now = Timestamp::from_micros(1_000_000);
        assert_eq!(now.since(now + Duration::from_secs(5)), Duration::ZERO);
        assert_eq!((now + Duration::from_secs(5)).since(now), Duration::from_secs(5));
    }

    #[test]
    fn displays_rfc_3339() {
        assert_eq!(Timestamp::from_micros(0).to_string(), "1970-01-01T00:00:00Z");
        assert_eq!(Timestamp::from_micros(1_500_000).to_string(), "1970-01-01T00:00:01.5Z");
    }

    #[test]
    fn reads_rfc_3339() {
        let micros = |text: &str| text.parse::<Timestamp>().map(Timestamp::micros);
        assert_eq!(micros("1970-01-01T00:00:01.5Z"), Ok(1_500_000));
        assert_eq!(micros("1970-01-01T02:00:00+01:00"), Ok(3_600_000_000));
        for text in ["", "now", "1970-01-01", "1970-01-01T00:00:00", "1970-01-01T00:00:00 01:00"] {
            assert_eq!(micros(text), Err(NoTime), "{text}");
        }
    }
}
