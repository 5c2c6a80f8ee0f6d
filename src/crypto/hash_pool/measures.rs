use std::time::Instant;

use argon2::Block;
use metrics::Histogram;

use crate::telemetry::{Counters, HASH_DURATION, HASH_REFUSED, HASH_WAIT, closed};

closed!(
    /// Why a hash was not begun.
    pub(super) Refused {
        /// As many as may wait do.
        Full = "full",
        /// It waited for as long as it may.
        Late = "late",
        /// Its caller was gone by then.
        Abandoned = "abandoned",
    }
);

#[derive(Debug)]
pub(super) struct Measures {
    wait: Histogram,
    duration: Histogram,
    pub refused: Counters<Refused>,
}

impl Measures {
    pub(super) fn new() -> Self {
        Self {
            wait: HASH_WAIT.histogram(&[]),
            duration: HASH_DURATION.histogram(&[]),
            refused: Counters::of(&HASH_REFUSED),
        }
    }

    /// Measures how long work waits from now on, and how long it takes.
    pub(super) fn timed<T>(
        &self,
        work: impl FnOnce(&mut Vec<Block>) -> T + Send + 'static,
    ) -> impl FnOnce(&mut Vec<Block>) -> T + Send + 'static {
        let (wait, duration, submitted) = (self.wait.clone(), self.duration.clone(), Instant::now());
        move |memory: &mut Vec<Block>| {
            let begun = Instant::now();
            wait.record(begun - submitted);
            let done = work(memory);
            duration.record(begun.elapsed());
            done
        }
    }
}
