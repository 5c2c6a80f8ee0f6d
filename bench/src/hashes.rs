//! What logins are held against: hashes of the `argon2` crate with the parameters of the default
//! settings, in fresh memory each time, on every core.

use std::thread;
use std::time::{Duration, Instant};

use argon2::{Algorithm, Argon2, Params, Version};

use crate::report::{Percentiles, Round};
use crate::{Outcome, SLICE};

pub(crate) const MEMORY_KIB: u32 = 19_456;
const ITERATIONS: u32 = 2;
const LANES: u32 = 1;

pub(crate) fn threads() -> usize {
    thread::available_parallelism().map_or(1, usize::from)
}

pub(crate) async fn measure() -> Outcome<Round> {
    tokio::task::spawn_blocking(|| {
        let started = Instant::now();
        let workers: Vec<_> = (0..threads()).map(|_| thread::spawn(move || hash(started))).collect();
        let mut waits = Vec::new();
        for worker in workers {
            waits.extend(worker.join().map_err(|_| "a thread that hashed ended early")??);
        }
        let round = Round::rate(waits.len() as u64, started.elapsed().as_secs_f64());
        Ok(Round { latency: Percentiles::of(waits), ..round })
    })
    .await?
}

fn hash(started: Instant) -> Outcome<Vec<Duration>> {
    let params = Params::new(MEMORY_KIB, ITERATIONS, LANES, None)?;
    let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
    let (mut waits, mut out) = (Vec::new(), [0; 32]);
    while started.elapsed() < SLICE {
        let begun = Instant::now();
        argon2.hash_password_into(b"a quiet lake at dawn", b"sixteen bytes of", &mut out)?;
        waits.push(begun.elapsed());
    }
    Ok(waits)
}
