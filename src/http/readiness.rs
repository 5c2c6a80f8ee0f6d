//! Whether new work is to be sent here, and whether anybody who sends it looks.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// Whoever asked within this time asks again before long, and acts on the answer.
const ASKS_AGAIN_WITHIN: Duration = Duration::from_secs(30);

/// What those who send requests here are told, and whether they ask.
#[derive(Debug, Default)]
pub(super) struct Readiness {
    draining: AtomicBool,
    asked_at: Mutex<Option<Instant>>,
}

impl Readiness {
    /// Says from now on that no new work is to be sent here.
    pub(super) fn drain(&self) {
        self.draining.store(true, Ordering::Relaxed);
    }

    pub(super) fn draining(&self) -> bool {
        self.draining.load(Ordering::Relaxed)
    }

    /// Tells whether somebody looks at `/readyz` time and again.
    pub(super) fn watched(&self) -> bool {
        let asked_at = *self.asked_at.lock().unwrap_or_else(PoisonError::into_inner);
        asked_at.is_some_and(|at| at.elapsed() < ASKS_AGAIN_WITHIN)
    }

    /// Notes that somebody looks.
    pub(super) fn asked(&self) {
        *self.asked_at.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
    }
}
