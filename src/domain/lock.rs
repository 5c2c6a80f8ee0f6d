//! The account lock: how many wrong passwords may be tried before whoever tries has to wait.

use std::fmt;
use std::time::Duration;

use super::{SessionId, Timestamp};

/// From so many failures in a row on, there is one attempt an hour, or none (NIST SP 800-63B-4 §3.2.2).
const IN_A_ROW_MAX: u32 = 100;
const HOUR: Duration = Duration::from_secs(60 * 60);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);
/// Failures that never locked anything are remembered this long.
const KEPT: Duration = DAY;
const KEPT_ONCE_LOCKED: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// Names a device that has logged in; random, and inside its token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct DeviceId(pub [u8; 16]);

/// Who tries passwords. Each pool of an identifier has failures of its own, so nobody can lock out
/// those who are in another one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pool {
    /// Everyone without a device token: all of them together.
    Untrusted,
    /// A device that has logged in to the account before.
    Device(DeviceId),
    /// A session that asks for another password, and must give the current one.
    Session(SessionId),
}

/// One text for each pool, as it is stored.
impl fmt::Display for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Untrusted => f.write_str("untrusted"),
            Self::Device(DeviceId(bytes)) => write!(f, "device:{:032x}", u128::from_be_bytes(*bytes)),
            Self::Session(id) => write!(f, "session:{id}"),
        }
    }
}

/// The attempts of a pool that no success has followed. One that is still being judged is among
/// them: it counts until it is given back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Failures {
    /// Without a quiet window among them.
    pub count: u32,
    /// Since the last success, however long ago.
    pub in_a_row: u32,
    pub began_at: Timestamp,
    /// When the last one was charged.
    pub charged_at: Timestamp,
}

/// When a locked pool may try again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LockEnd {
    At(Timestamp),
    /// When an admin unlocks it.
    ByAdmin,
}

impl LockEnd {
    /// Returns how long to wait before asking again; where only an admin helps, an hour.
    #[must_use]
    pub fn wait(self, now: Timestamp) -> Duration {
        match self {
            Self::At(end) => now.until(end),
            Self::ByAdmin => HOUR,
        }
    }
}

/// When a pool is locked, and for how long.
#[derive(Debug, Clone, Copy)]
pub struct LockRules {
    pub failures: u32,
    pub window: Duration,
    pub first_duration: Duration,
    pub max_duration: Duration,
    pub hard_stop: bool,
}

impl LockRules {
    /// Charges an attempt to a pool, or tells until when it is locked. To be asked before the
    /// password is looked at: so many can be evaluated at once as may fail, and not one more.
    pub fn charge(&self, before: Option<Failures>, now: Timestamp) -> Result<Failures, LockEnd> {
        let remembered = |failures: &Failures| self.expires_at(failures).is_none_or(|end| now < end);
        let Some(before) = before.filter(remembered) else {
            return Ok(Failures { count: 1, in_a_row: 1, began_at: now, charged_at: now });
        };
        if let Some(end) = self.locked(&before, now) {
            return Err(end);
        }
        let open_since = match self.lock_end(&before) {
            Some(LockEnd::At(end)) => end,
            _ => before.charged_at,
        };
        let quiet = now.since(open_since) >= self.window;
        Ok(Failures {
            count: if quiet { 1 } else { before.count.saturating_add(1) },
            in_a_row: before.in_a_row.saturating_add(1),
            began_at: before.began_at,
            // Clocks of replicas differ; a lock must not begin in the past of another one.
            charged_at: before.charged_at.max(now),
        })
    }

    /// Returns when the lock ends that holds now, if one does.
    #[must_use]
    pub fn locked(&self, failures: &Failures, now: Timestamp) -> Option<LockEnd> {
        self.lock_end(failures).filter(|end| !matches!(end, LockEnd::At(end) if now >= *end))
    }

    /// Returns when the lock that these failures are worth ends, though it may have ended by now;
    /// `None` while there are too few of them.
    #[must_use]
    pub fn lock_end(&self, failures: &Failures) -> Option<LockEnd> {
        let hourly = failures.in_a_row >= IN_A_ROW_MAX;
        if hourly && self.hard_stop {
            return Some(LockEnd::ByAdmin);
        }
        let doubling = failures.count.checked_sub(self.failures).map(|times| self.duration(times));
        let duration = if hourly { doubling.max(Some(HOUR)) } else { doubling };
        duration.map(|duration| LockEnd::At(failures.charged_at + duration))
    }

    /// Returns when failures are forgotten; `None` for those that only an admin takes back.
    #[must_use]
    pub fn expires_at(&self, failures: &Failures) -> Option<Timestamp> {
        match self.lock_end(failures) {
            Some(LockEnd::ByAdmin) => None,
            Some(LockEnd::At(end)) => Some(end + KEPT_ONCE_LOCKED),
            None if failures.in_a_row >= self.failures => Some(failures.charged_at + KEPT_ONCE_LOCKED),
            None => Some(failures.charged_at + KEPT.max(self.window)),
        }
    }

    /// The first duration, doubled so many times, up to the maximum.
    fn duration(&self, times: u32) -> Duration {
        let factor = 1_u32.checked_shl(times).filter(|factor| *factor > 0).unwrap_or(u32::MAX);
        self.first_duration.saturating_mul(factor).min(self.max_duration)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const RULES: LockRules = LockRules {
        failures: 10,
        window: Duration::from_secs(15 * 60),
        first_duration: Duration::from_secs(60),
        max_duration: Duration::from_secs(15 * 60),
        hard_stop: false,
    };

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_micros(0) + Duration::from_secs(seconds)
    }

    /// Fails at once whenever it is possible, and returns how long each lock was, in seconds.
    fn locks_of_a_patient_attacker(rules: &LockRules, attempts: u32) -> Vec<u64> {
        let (mut failures, mut now, mut locks) = (None, at(0), Vec::new());
        for _ in 0..attempts {
            let charged = match rules.charge(failures, now) {
                Ok(charged) => charged,
                Err(end) => {
                    let LockEnd::At(end) = end else { break };
                    locks.push(end.since(now).as_secs());
                    now = end;
                    rules.charge(failures, now).expect("the lock has ended")
                }
            };
            failures = Some(charged);
        }
        locks
    }

    #[test]
    fn ten_failures_lock_and_locks_double() {
        let locks = locks_of_a_patient_attacker(&RULES, 18);
        assert_eq!(locks, [60, 120, 240, 480, 900, 900, 900, 900]);
    }

    #[test]
    fn past_a_hundred_in_a_row_there_is_one_an_hour_or_none() {
        let locks = locks_of_a_patient_attacker(&RULES, 105);
        assert_eq!(locks.len(), 95);
        assert_eq!(locks[89..], [900, 3_600, 3_600, 3_600, 3_600, 3_600]);
        let stopped = LockRules { hard_stop: true, ..RULES };
        assert_eq!(locks_of_a_patient_attacker(&stopped, 105).len(), 90);
        let hundred = Failures { count: 1, in_a_row: 100, began_at: at(0), charged_at: at(0) };
        assert_eq!(stopped.charge(Some(hundred), at(u64::from(u32::MAX))), Err(LockEnd::ByAdmin));
        assert_eq!(stopped.expires_at(&hundred), None);
    }

    #[test]
    fn those_who_never_reach_ten_in_a_window_meet_the_hundred_all_the_same() {
        let (mut failures, mut now) = (None, at(0));
        for n in 0..100 {
            now = now + if n % 9 == 0 { RULES.window } else { Duration::from_secs(1) };
            failures = Some(RULES.charge(failures, now).expect("nine at a time"));
        }
        assert_eq!(RULES.charge(failures, now), Err(LockEnd::At(now + HOUR)));
    }

    #[test]
    fn failures_are_forgotten() {
        let few = Failures { count: 9, in_a_row: 9, began_at: at(0), charged_at: at(0) };
        let quiet = RULES.charge(Some(few), at(15 * 60)).expect("open");
        assert_eq!((quiet.count, quiet.in_a_row, quiet.began_at), (1, 10, at(0)));
        let gone = RULES.charge(Some(few), at(0) + KEPT).expect("open");
        assert_eq!((gone.count, gone.in_a_row, gone.began_at), (1, 1, at(0) + KEPT));
    }

    #[test]
    fn a_clock_that_lags_neither_opens_nor_shortens_a_lock() {
        let nine = Failures { count: 9, in_a_row: 9, began_at: at(100), charged_at: at(100) };
        let ten = RULES.charge(Some(nine), at(95)).expect("open");
        assert_eq!(RULES.charge(Some(ten), at(95)), Err(LockEnd::At(at(160))));
        assert_eq!(RULES.charge(Some(ten), at(159)), Err(LockEnd::At(at(160))));
    }

    #[test]
    fn no_setting_overflows() {
        let endless = LockRules { failures: 1, max_duration: Duration::MAX, ..RULES };
        let many = Failures { count: u32::MAX, in_a_row: 50, began_at: at(0), charged_at: at(0) };
        assert!(matches!(endless.charge(Some(many), at(1)), Err(LockEnd::At(end)) if end > at(1 << 31)));
    }

    #[test]
    fn pools_have_names_of_their_own() {
        let nil = SessionId::new(uuid::Uuid::nil());
        let names = [Pool::Untrusted, Pool::Device(DeviceId([0; 16])), Pool::Session(nil)];
        assert_eq!(
            names.map(|pool| pool.to_string()),
            [
                "untrusted",
                "device:00000000000000000000000000000000",
                "session:00000000-0000-0000-0000-000000000000"
            ]
        );
    }

    #[derive(Debug, Clone, Copy)]
    enum Step {
        Fails,
        Succeeds,
        GivenBack,
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![20 => Just(Step::Fails), 1 => Just(Step::Succeeds), 2 => Just(Step::GivenBack)]
    }

    proptest! {
        /// A model that remembers the time of every failure agrees with the row that remembers four numbers.
        #[test]
        fn the_row_agrees_with_a_model_that_remembers_everything(
            steps in prop::collection::vec((0_u64..1_200, step()), 1..250)
        ) {
            let (mut row, mut failed_at, mut now) = (None::<Failures>, Vec::<u64>::new(), 0);
            for (pause, step) in steps {
                now += pause;
                let model = model(&failed_at, now);
                let charged = RULES.charge(row, at(now));
                prop_assert_eq!(charged.is_ok(), model.is_none(), "{:?} {:?}", row, model);
                let Ok(charged) = charged else {
                    prop_assert_eq!(charged.err(), model.map(|end| LockEnd::At(at(end))));
                    continue;
                };
                match step {
                    Step::Fails => {
                        row = Some(charged);
                        failed_at.push(now);
                    }
                    Step::Succeeds => {
                        row = None;
                        failed_at.clear();
                    }
                    Step::GivenBack => {}
                }
            }
        }
    }

    /// Until when somebody with these failures is locked out, found by going through all of them.
    fn model(failed_at: &[u64], now: u64) -> Option<u64> {
        let (mut run, mut open_since, mut lock_end) = (0_u32, 0, 0);
        for (index, at) in failed_at.iter().enumerate() {
            run = if at - open_since >= 900 { 1 } else { run + 1 };
            let doubled = if run >= 10 { 900.min(60 << (run - 10).min(10)) } else { 0 };
            let lock = if index + 1 >= 100 { 3_600 } else { doubled };
            (open_since, lock_end) = (at + lock, at + lock);
        }
        (now < lock_end).then_some(lock_end)
    }
}
