//! `cargo xtask bench` runs this: a load generator in a process of its own, and the limits that
//! Keyward is held against, interleaved in one run because the machine's speed drifts.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a command-line tool prints")]

mod database;
mod events;
mod http;
mod limit;
mod refresh;
mod rotations;
mod server;

use std::process::ExitCode;
use std::time::Duration;

/// Anything that stops a measurement; there is nobody to handle it but a reader.
type Outcome<T> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

/// One side of a round lasts this long.
const SLICE: Duration = Duration::from_secs(5);
const ROUNDS: usize = 3;

#[tokio::main]
async fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let measured = match words.as_slice() {
        ["refresh", binary, postgres, _] => {
            database::with(postgres, async |url| refresh::run(binary, &url).await).await
        }
        ["events", binary, postgres, amqp] => {
            database::with(postgres, async |url| events::run(binary, &url, amqp).await).await
        }
        _ => Err("usage: keyward-bench refresh|events KEYWARD_BINARY POSTGRES_URL AMQP_URL".into()),
    };
    match measured {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("keyward-bench: {error}");
            ExitCode::FAILURE
        }
    }
}

/// The middle one of an odd number of figures.
fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures.get(figures.len() / 2).copied().unwrap_or(f64::NAN)
}
