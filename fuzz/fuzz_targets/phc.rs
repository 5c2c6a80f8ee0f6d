//! Password hashes as a database could hold them. Absurd ones are refused before they cost anything,
//! and none makes a wrong password right.
#![no_main]

use std::future::pending;
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use argon2::password_hash::phc::PasswordHash;
use keyward::crypto::{HashError, HashPool, HashSettings, Verified};
use keyward::domain::Password;
use libfuzzer_sys::fuzz_target;
use tokio::runtime::{Builder, Runtime};

static RUNTIME: LazyLock<Runtime> =
    LazyLock::new(|| Builder::new_current_thread().enable_time().build().unwrap());
static POOL: LazyLock<HashPool> = LazyLock::new(|| {
    let queue_timeout = Duration::from_secs(600);
    let cheap =
        HashSettings { memory_kib: 8, iterations: 1, parallelism: 1, threads: 1, queue: 1, queue_timeout };
    HashPool::start(cheap).unwrap()
});

fuzz_target!(|stored: &str| {
    let began = Instant::now();
    let verified = verify("right", stored);
    assert!(began.elapsed() < Duration::from_secs(60), "above the ceiling");
    if let Ok(parsed) = PasswordHash::new(stored) {
        assert_eq!(PasswordHash::new(&parsed.to_string()).unwrap(), parsed);
    }
    match verified {
        Ok(Verified::Right { .. }) => assert_eq!(verify("wrong", stored).unwrap(), Verified::Wrong),
        Ok(Verified::Wrong | Verified::Unusable(_)) => {}
        Err(error) => panic!("{error}"),
    }
});

fn verify(password: &str, stored: &str) -> Result<Verified, HashError> {
    let place = POOL.admit()?;
    let password = Password::parse(password).unwrap();
    RUNTIME.block_on(POOL.verify(&place, password, Some(stored.to_owned()), pending()))
}
