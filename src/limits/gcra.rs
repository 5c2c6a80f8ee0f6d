//! The generic cell rate algorithm, in whole microseconds. A counter is one number: the moment at
//! which everything that was taken is paid off (in the literature the theoretical arrival time).

use std::time::Duration;

use super::{Limit, Standing};
use crate::config::Rate;

/// A rate as the algorithm wants it. As many as the rate counts may come at once.
#[derive(Debug, Clone, Copy)]
pub(super) struct Gcra {
    /// How long one takes to be paid off; rounded up, so that rounding never lets more through.
    pub(super) interval: i64,
    /// How far ahead of now a counter may run.
    pub(super) tolerance: i64,
}

impl Gcra {
    pub(super) fn of(rate: Rate) -> Self {
        let count = rate.count.max(1);
        let interval = rate.per.as_micros().div_ceil(u128::from(count)).max(1);
        let interval = i64::try_from(interval).unwrap_or(i64::MAX);
        Self { interval, tolerance: interval.saturating_mul(i64::from(count)) }
    }

    /// Reads a counter. One that is paid off counts from now, and so does one that runs further ahead than it
    /// ever can: a clock stepped back, or the rate was changed, and nobody is to be locked out for that.
    pub(super) fn counter(self, stored: Option<i64>, now: i64) -> i64 {
        stored.filter(|paid_off| (now..=now + self.tolerance).contains(paid_off)).unwrap_or(now)
    }

    pub(super) fn lets_through(self, counter: i64, now: i64) -> bool {
        self.taken(counter) <= now + self.tolerance
    }

    /// A counter with one more taken from it.
    pub(super) fn taken(self, counter: i64) -> i64 {
        counter + self.interval
    }

    /// A counter with one less taken from it; `None` when nothing is left to count.
    ///
    /// Once `charged`, which is what the counter was set to when the one was taken, has come, that one is paid
    /// off: to give it back would be to give it twice.
    pub(super) fn given_back(self, stored: i64, charged: i64, now: i64) -> Option<i64> {
        let counter = if charged > now { stored - self.interval } else { stored };
        (counter > now).then_some(counter)
    }

    /// How long until the next one is let through.
    pub(super) fn wait(self, counter: i64, now: i64) -> Duration {
        micros(self.taken(counter) - self.tolerance - now)
    }

    pub(super) fn standing(self, limit: Limit, counter: i64, now: i64) -> Standing {
        let count = i64::from(limit.rate.count);
        let remaining = ((now + self.tolerance - counter) / self.interval).clamp(0, count);
        let next = match remaining {
            all if all == count => Duration::ZERO,
            some => micros(counter + (some + 1) * self.interval - self.tolerance - now),
        };
        Standing {
            policy: limit.policy,
            rate: limit.rate,
            remaining: u32::try_from(remaining).unwrap_or(0),
            next,
        }
    }
}

fn micros(micros: i64) -> Duration {
    Duration::from_micros(u64::try_from(micros).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::Policy;

    const SECOND: i64 = 1_000_000;

    fn rate(count: u32, seconds: u64) -> Rate {
        Rate { count, per: Duration::from_secs(seconds) }
    }

    fn limit(rate: Rate) -> Limit {
        Limit { policy: Policy::PerIp, object: None, rate }
    }

    #[test]
    fn as_many_as_the_rate_counts_come_at_once_and_then_one_an_interval() {
        let (gcra, now) = (Gcra::of(rate(5, 60)), 1_000 * SECOND);
        let mut counter = gcra.counter(None, now);
        for left in (0..5).rev() {
            assert!(gcra.lets_through(counter, now));
            counter = gcra.taken(counter);
            assert_eq!(gcra.standing(limit(rate(5, 60)), counter, now).remaining, left);
        }
        assert!(!gcra.lets_through(counter, now));
        assert_eq!(gcra.wait(counter, now), Duration::from_secs(12));
        assert!(!gcra.lets_through(counter, now + 12 * SECOND - 1));
        assert!(gcra.lets_through(counter, now + 12 * SECOND));
        assert_eq!(gcra.standing(limit(rate(5, 60)), counter, now).next, Duration::from_secs(12));
        assert_eq!(gcra.counter(Some(counter), now + 60 * SECOND + 1), now + 60 * SECOND + 1, "paid off");
    }

    #[test]
    fn rounding_never_lets_more_through() {
        let gcra = Gcra::of(rate(7, 1));
        assert_eq!(gcra.interval, 142_858);
        let fastest = Gcra::of(rate(u32::MAX, 1));
        assert_eq!((fastest.interval, fastest.tolerance), (1, i64::from(u32::MAX)));
    }

    #[test]
    fn what_is_given_back_can_be_taken_again_and_never_twice() {
        let (gcra, now) = (Gcra::of(rate(2, 60)), 1_000 * SECOND);
        let first = gcra.taken(now);
        let second = gcra.taken(first);
        assert_eq!(gcra.given_back(second, first, now), Some(first));
        assert_eq!(gcra.given_back(first, first, now), None, "as if nothing had been taken");
        let later = now + 31 * SECOND;
        assert_eq!(gcra.given_back(second, first, later), Some(second), "the first is paid off by now");
    }

    #[test]
    fn a_clock_that_stepped_back_locks_nobody_out() {
        let (gcra, now) = (Gcra::of(rate(2, 60)), 10_000 * SECOND);
        let counter = gcra.taken(now);
        let earlier = now - 3_600 * SECOND;
        assert!(gcra.lets_through(gcra.counter(Some(counter), earlier), earlier));
    }
}
