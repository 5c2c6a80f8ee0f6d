//! What is measured of the database. One for the process, as all metrics are: a `Store` is cheap to clone.

use std::sync::LazyLock;
use std::time::{Duration, Instant};

use metrics::Histogram;
use sqlx::{Database, Pool};

use super::{Store, StoreError};
use crate::telemetry::{Counters, DB_ACQUIRE, DB_ERRORS, DB_STATEMENT, DB_WORK, WorkTimes, closed};

closed!(
    /// What kind of failure it was.
    ErrorKind {
        Unavailable = "unavailable",
        Timeout = "timeout",
        Busy = "busy",
        Defect = "defect",
    }
);

struct Measures {
    work: WorkTimes,
    errors: Counters<ErrorKind>,
    acquire: Histogram,
    statement: Histogram,
}

static MEASURES: LazyLock<Measures> = LazyLock::new(|| Measures {
    work: WorkTimes::of(DB_WORK),
    errors: Counters::of(&DB_ERRORS),
    acquire: DB_ACQUIRE.histogram(&[]),
    statement: DB_STATEMENT.histogram(&[]),
});

/// Connections of a pool.
#[derive(Debug, Clone, Copy)]
pub struct PoolState {
    pub name: &'static str,
    pub open: usize,
    pub idle: usize,
    pub max: usize,
}

impl Store {
    /// Returns how many connections there are.
    #[must_use]
    pub fn connections(&self) -> Vec<PoolState> {
        match self {
            Self::Sqlite { writer, readers } => vec![state("writer", writer), state("readers", readers)],
            Self::Postgres { pool, .. } => vec![state("shared", pool)],
        }
    }
}

fn state<DB: Database>(name: &'static str, pool: &Pool<DB>) -> PoolState {
    let number = |number: u32| usize::try_from(number).unwrap_or(usize::MAX);
    let max = number(pool.options().get_max_connections());
    PoolState { name, open: number(pool.size()), idle: pool.num_idle(), max }
}

pub(super) fn work(name: &'static str, took: Duration) {
    MEASURES.work.record(name, took);
}

pub(super) fn error(error: &StoreError) {
    MEASURES.errors.increment(match error {
        StoreError::Unavailable(_) | StoreError::Unreachable { .. } => ErrorKind::Unavailable,
        StoreError::Timeout { .. } => ErrorKind::Timeout,
        StoreError::Busy { .. } => ErrorKind::Busy,
        // It was counted when the statement failed.
        StoreError::Shared(_) => return,
        StoreError::Defect(_) | StoreError::Column { .. } | StoreError::Stopped { .. } => ErrorKind::Defect,
    });
}

/// Measures the wait for a connection. Beside the work and not around it, so that its future stays as small as it is.
pub(super) fn acquired<T>(begun: Instant, outcome: Result<T, sqlx::Error>) -> Result<T, StoreError> {
    MEASURES.acquire.record(begun.elapsed());
    outcome.map_err(StoreError::from).inspect_err(error)
}

/// Measures a statement, likewise.
pub(super) fn statement<T>(begun: Instant, outcome: Result<T, sqlx::Error>) -> Result<T, StoreError> {
    MEASURES.statement.record(begun.elapsed());
    outcome.map_err(StoreError::from).inspect_err(error)
}
