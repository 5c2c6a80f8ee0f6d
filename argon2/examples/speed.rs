//! Hashes a second, each way of hashing in turn, round after round, since a machine's speed drifts.
//!
//! `cargo run --release --package keyward-argon2 --example speed -- [MEMORY_KIB PASSES LANES]`
#![expect(clippy::print_stdout, reason = "a command-line tool prints")]
#![expect(clippy::indexing_slicing, reason = "each list has a figure a round")]

use std::error::Error;
use std::thread;
use std::time::{Duration, Instant};

use argon2::{Algorithm, Argon2, Block, Params, Version};
use keyward_argon2::{Compression, hash_into_with};

const ROUNDS: usize = 9;
const SLICE: Duration = Duration::from_millis(250);

#[derive(Clone, Copy)]
enum Way {
    CrateFresh,
    CrateKept,
    Ours(Compression),
}

impl Way {
    fn name(self) -> String {
        match self {
            Self::CrateFresh => "argon2 crate, fresh memory".into(),
            Self::CrateKept => "argon2 crate, kept memory".into(),
            Self::Ours(compression) => format!("keyward-argon2, {}", compression.name()),
        }
    }

    fn hash(self, params: &Params, memory: &mut [Block]) -> Result<(), argon2::Error> {
        let (password, salt, out) = (b"a quiet lake at dawn", [7; 16], &mut [0; 32]);
        let plain = || Argon2::new(Algorithm::Argon2id, Version::V0x13, params.clone());
        match self {
            Self::CrateFresh => plain().hash_password_into(password, &salt, out),
            Self::CrateKept => plain().hash_password_into_with_memory(password, &salt, out, memory),
            Self::Ours(compression) => hash_into_with(compression, params, password, &salt, out, memory),
        }
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let numbers: Vec<u32> =
        std::env::args().skip(1).map(|number| number.parse()).collect::<Result<_, _>>()?;
    let [memory_kib, passes, lanes] = numbers.try_into().unwrap_or([19_456, 2, 1]);
    let params = Params::new(memory_kib, passes, lanes, Some(32))?;
    let ways: Vec<Way> = [Way::CrateFresh, Way::CrateKept]
        .into_iter()
        .chain(Compression::available().map(Way::Ours))
        .collect();
    let cores = thread::available_parallelism()?.get();
    for threads in [1, cores] {
        println!("{memory_kib} KiB, {passes} passes, {lanes} lanes, {threads} threads: hashes/s");
        let mut rounds = vec![Vec::new(); ways.len()];
        for _ in 0..ROUNDS {
            for (way, figures) in ways.iter().zip(&mut rounds) {
                figures.push(measure(*way, &params, threads));
            }
        }
        for figures in &mut rounds {
            figures.sort_by(f64::total_cmp);
        }
        let fresh = rounds[0][ROUNDS / 2];
        for (way, figures) in ways.iter().zip(&rounds) {
            let (low, middle, high) = (figures[0], figures[ROUNDS / 2], figures[ROUNDS - 1]);
            println!("{:34} {middle:7.1}  ({low:.1} to {high:.1})  {:.2}×", way.name(), middle / fresh);
        }
    }
    Ok(())
}

/// Returns hashes a second of all threads together.
fn measure(way: Way, params: &Params, threads: usize) -> f64 {
    let work = || {
        let mut memory = vec![Block::default(); params.block_count()];
        let _ = way.hash(params, &mut memory);
        let (began, mut count) = (Instant::now(), 0.0);
        while began.elapsed() < SLICE {
            if way.hash(params, &mut memory).is_ok() {
                count += 1.0;
            }
        }
        count / began.elapsed().as_secs_f64()
    };
    thread::scope(|scope| {
        let threads: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        threads.into_iter().filter_map(|thread| thread.join().ok()).sum()
    })
}
