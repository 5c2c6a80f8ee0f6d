use std::str::FromStr;
use std::time::Duration;

use crate::config::parse_duration;
use crate::domain::Timestamp;

/// A time as people write it: a moment, or how long ago it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Moment {
    At(Timestamp),
    Ago(Duration),
}

impl Moment {
    pub(super) fn before(self, now: Timestamp) -> Timestamp {
        match self {
            Self::At(time) => time,
            Self::Ago(span) => now - span,
        }
    }
}

impl FromStr for Moment {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if let Ok(span) = parse_duration(text) {
            return Ok(Self::Ago(span));
        }
        text.parse()
            .map(Self::At)
            .map_err(|_| "write how long ago, such as 30m, 2h or 1d, or a time such as 2026-11-24T03:42:08Z")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_a_span_or_a_time() {
        let now = Timestamp::from_micros(7_200_000_000);
        let before = |text: &str| text.parse::<Moment>().map(|moment| moment.before(now).micros());
        assert_eq!(before("2h"), Ok(0));
        assert_eq!(before("500ms"), Ok(7_199_500_000));
        assert_eq!(before("1970-01-01T00:00:01.5Z"), Ok(1_500_000));
        assert_eq!(before("1970-01-01T02:00:00+01:00"), Ok(3_600_000_000));
        for text in ["", "yesterday", "2", "-2h", "2h ago", "1970-01-01", "1970-01-01T00:00:00", "1h30m"] {
            assert!(text.parse::<Moment>().is_err(), "{text}");
        }
    }
}
