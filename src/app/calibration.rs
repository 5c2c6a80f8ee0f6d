use std::time::Duration;

use futures_util::future::try_join_all;
use tokio::time::Instant;

use super::Error;
use crate::crypto::{HashPool, HashSettings};
use crate::domain::Password;

/// How long a measurement goes on, after as many hashes as there are threads to warm up.
const MEASURED_FOR: Duration = Duration::from_millis(500);

/// What a password hash costs on this machine while every thread is at it.
#[derive(Debug, Clone, Copy)]
pub struct HashCost {
    pub memory_kib: u32,
    pub iterations: u32,
    /// Of one hash.
    pub time: Duration,
    /// Of all threads together.
    pub per_second: f64,
}

/// Measures a hash in a pool like the one that serves logins.
pub async fn hash_cost(
    memory_kib: u32,
    iterations: u32,
    parallelism: u32,
    threads: usize,
) -> Result<HashCost, Error> {
    let queue_timeout = Duration::from_secs(600);
    let settings =
        HashSettings { memory_kib, iterations, parallelism, threads, queue: threads, queue_timeout };
    let pool = HashPool::start(settings)?;
    let password = Password::parse("as long as most of them")
        .map_err(|flaw| Error::Internal(format!("the password of the measurement {flaw}")))?;
    let hash = async || pool.hash(&pool.admit()?, password.clone()).await;
    try_join_all((0..threads).map(|_| hash())).await?;
    let began = Instant::now();
    let counts = try_join_all((0..threads).map(|_| async {
        let mut count = 0_u32;
        while count == 0 || began.elapsed() < MEASURED_FOR {
            hash().await?;
            count += 1;
        }
        Ok::<_, Error>(count)
    }))
    .await?;
    let per_second = f64::from(counts.iter().sum::<u32>()) / began.elapsed().as_secs_f64();
    let threads = f64::from(u32::try_from(threads).unwrap_or(u32::MAX));
    Ok(HashCost { memory_kib, iterations, time: Duration::from_secs_f64(threads / per_second), per_second })
}
