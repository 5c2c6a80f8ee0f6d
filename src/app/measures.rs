//! What is counted of use cases, and what is looked at when somebody scrapes.

use std::sync::PoisonError;

use tokio::runtime::Handle;

use super::{App, Error};
use crate::domain::{KeyState, Pool};
use crate::telemetry::{
    self, BATCH_QUEUE, Counters, DB_CONNECTIONS, DB_CONNECTIONS_MAX, HASH_QUEUE, LOCKS, LOGINS, REFRESHES,
    RUNTIME_QUEUE, RUNTIME_TASKS, SIGNING_KEY_AGE, SIGNING_KEYS, SIGNUPS, closed,
};

closed!(
    /// How an attempt to log in ended. More than its caller is told.
    pub(super) LoginOutcome {
        Succeeded = "succeeded",
        UnknownUser = "unknown_user",
        WrongPassword = "wrong_password",
        Disabled = "disabled",
        UnusableHash = "unusable_hash",
        AccountChanged = "account_changed",
        Locked = "locked",
        Limited = "limited",
        Overloaded = "overloaded",
        Failed = "failed",
    }
);
closed!(
    pub(super) SignupOutcome {
        Created = "created",
        EmailTaken = "email_taken",
        Closed = "closed",
        Limited = "limited",
        Overloaded = "overloaded",
        Failed = "failed",
    }
);
closed!(
    /// What came of a presented refresh token.
    pub(super) RefreshOutcome {
        Rotated = "rotated",
        Grace = "grace",
        Reused = "reused",
        Ahead = "ahead",
        Ended = "ended",
        Forged = "forged",
        Limited = "limited",
        Failed = "failed",
    }
);
closed!(
    /// Who is locked out.
    pub(super) LockedPool { Strangers = "strangers", Device = "device", Session = "session" }
);

/// Counters of outcomes.
#[derive(Debug)]
pub(super) struct Measures {
    pub logins: Counters<LoginOutcome>,
    pub signups: Counters<SignupOutcome>,
    pub refreshes: Counters<RefreshOutcome>,
    pub locks: Counters<LockedPool>,
}

impl Measures {
    pub(super) fn new() -> Self {
        Self {
            logins: Counters::of(&LOGINS),
            signups: Counters::of(&SIGNUPS),
            refreshes: Counters::of(&REFRESHES),
            locks: Counters::of(&LOCKS),
        }
    }

    /// Counts a login, except those with wrong credentials: they are counted where it is known what is wrong.
    pub(super) fn login<T>(&self, outcome: &Result<T, Error>) {
        self.logins.increment(match outcome {
            Ok(_) => LoginOutcome::Succeeded,
            Err(Error::InvalidCredentials) => return,
            Err(Error::AccountLocked { .. }) => LoginOutcome::Locked,
            Err(Error::TooManyAttempts { .. }) => LoginOutcome::Limited,
            Err(Error::Overloaded { .. }) => LoginOutcome::Overloaded,
            Err(_) => LoginOutcome::Failed,
        });
    }

    pub(super) fn signup<T>(&self, outcome: &Result<T, Error>) {
        self.signups.increment(match outcome {
            Ok(_) => SignupOutcome::Created,
            Err(Error::EmailTaken) => SignupOutcome::EmailTaken,
            Err(Error::SignupDisabled) => SignupOutcome::Closed,
            Err(Error::TooManyAttempts { .. }) => SignupOutcome::Limited,
            Err(Error::Overloaded { .. }) => SignupOutcome::Overloaded,
            Err(_) => SignupOutcome::Failed,
        });
    }

    pub(super) fn lock(&self, pool: Pool) {
        self.locks.increment(match pool {
            Pool::Untrusted => LockedPool::Strangers,
            Pool::Device(_) => LockedPool::Device,
            Pool::Session(_) => LockedPool::Session,
        });
    }
}

impl App {
    /// Returns all metrics in Prometheus' text format. Asks neither the database nor anybody else.
    #[must_use]
    pub fn metrics(&self) -> String {
        HASH_QUEUE.gauge(&[]).set(count(self.hash_pool.waiting()));
        BATCH_QUEUE.gauge(&["rotations"]).set(count(self.batches.rotations.waiting()));
        BATCH_QUEUE.gauge(&["session_checks"]).set(count(self.batches.session_checks.waiting()));
        for pool in self.store.connections() {
            let used = pool.open.saturating_sub(pool.idle);
            DB_CONNECTIONS.gauge(&[pool.name, "idle"]).set(count(pool.idle));
            DB_CONNECTIONS.gauge(&[pool.name, "used"]).set(count(used));
            DB_CONNECTIONS_MAX.gauge(&[pool.name]).set(count(pool.max));
        }
        self.measure_keys();
        if let Ok(runtime) = Handle::try_current() {
            RUNTIME_TASKS.gauge(&[]).set(count(runtime.metrics().num_alive_tasks()));
            RUNTIME_QUEUE.gauge(&[]).set(count(runtime.metrics().global_queue_depth()));
        }
        telemetry::render()
    }

    fn measure_keys(&self) {
        let keys = self.signing_keys.read().unwrap_or_else(PoisonError::into_inner);
        let now = self.now();
        for state in [KeyState::Pending, KeyState::Active, KeyState::Retired] {
            let stages = || keys.stages.iter().filter(|stage| stage.state == state);
            SIGNING_KEYS.gauge(&[state.as_str()]).set(count(stages().count()));
            let since = match state {
                KeyState::Pending => stages().next().map(|stage| stage.created_at),
                KeyState::Active => stages().find_map(|stage| stage.promoted_at),
                KeyState::Retired | KeyState::Removed => None,
            };
            if let Some(since) = since {
                SIGNING_KEY_AGE.gauge(&[state.as_str()]).set(now.since(since).as_secs_f64());
            }
        }
    }
}

/// Gauges are floating point numbers, and none of these comes near what they hold.
fn count(number: usize) -> f64 {
    f64::from(u32::try_from(number).unwrap_or(u32::MAX))
}
