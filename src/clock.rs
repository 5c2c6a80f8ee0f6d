//! The one source of time. Everything below `app` takes `now` as a parameter.

use std::sync::{
    Arc,
    atomic::{AtomicI64, Ordering},
};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::domain::Timestamp;

/// Tells the time: the system's, or one that a test moves by hand.
#[derive(Debug, Clone, Default)]
pub enum Clock {
    #[default]
    System,
    /// Microseconds to add to the system's time.
    Shifted(Arc<AtomicI64>),
    /// Microseconds since 1970, which pass only when it is moved.
    Stopped(Arc<AtomicI64>),
}

impl Clock {
    /// Makes a clock that starts at the system's time and can be moved.
    #[must_use]
    pub fn shifted() -> Self {
        Self::Shifted(Arc::new(AtomicI64::new(0)))
    }

    /// Makes a clock that stands at the system's time until it is moved.
    #[must_use]
    pub fn stopped() -> Self {
        Self::Stopped(Arc::new(AtomicI64::new(system_now().micros())))
    }

    /// Returns the present time in UTC, with a resolution of one microsecond.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        match self {
            Self::System => system_now(),
            Self::Shifted(shift) => {
                Timestamp::from_micros(system_now().micros() + shift.load(Ordering::Relaxed))
            }
            Self::Stopped(micros) => Timestamp::from_micros(micros.load(Ordering::Relaxed)),
        }
    }

    /// Moves a clock of tests forward; the system's clock is not to be moved.
    pub fn advance(&self, by: Duration) {
        if let Self::Shifted(micros) | Self::Stopped(micros) = self {
            micros.fetch_add(i64::try_from(by.as_micros()).unwrap_or(i64::MAX), Ordering::Relaxed);
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "this is the one door")]
fn system_now() -> Timestamp {
    let elapsed = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_micros(i64::try_from(elapsed.as_micros()).unwrap_or(i64::MAX))
}
