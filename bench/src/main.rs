//! `cargo xtask bench` runs this: a load generator in a process of its own, and the limits that
//! Keyward is held against, interleaved in one run because the machine's speed drifts.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a command-line tool prints")]

mod chart;
mod database;
mod empty;
mod events;
mod growth;
mod hashes;
mod http;
mod jwks;
mod limit;
mod load;
mod login;
mod machine;
mod me;
mod memory;
mod mixed;
mod page;
mod process;
mod refresh;
mod report;
mod rotations;
mod server;
mod sessions;
mod signup;
mod start;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use machine::Machine;
use report::Report;

/// Anything that stops a measurement; there is nobody to handle it but a reader.
type Outcome<T> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

/// One side of a round lasts this long.
const SLICE: Duration = Duration::from_secs(3);
const ROUNDS: usize = 3;

/// In the order of the page that is made of them.
const BENCHES: [&str; 9] = ["login", "signup", "me", "jwks", "refresh", "mixed", "memory", "start", "events"];

/// Takes gigabytes and minutes, so it is not one of all; `docs/capacity.md` has its figures.
const GROWTH: &str = "growth";

/// What a measurement works with.
struct Site {
    /// The release build of Keyward.
    binary: PathBuf,
    /// Where results go, and SQLite files, since `/tmp` is often no disk.
    folder: PathBuf,
    /// A database of this measurement's own.
    postgres: String,
    amqp: String,
}

#[tokio::main]
async fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let done = match words.as_slice() {
        ["empty"] => empty::serve().await,
        ["report", target] => page::write(&results(target)),
        ["all", target, postgres, amqp] => all(target, postgres, amqp).await,
        [bench, target, postgres, amqp] if BENCHES.contains(bench) || *bench == GROWTH => {
            run(bench, target, postgres, amqp).await
        }
        _ => Err(format!(
            "usage: keyward-bench all|{}|{GROWTH} TARGET_FOLDER POSTGRES_URL AMQP_URL, or keyward-bench report TARGET_FOLDER",
            BENCHES.join("|")
        )
        .into()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("keyward-bench: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn all(target: &str, postgres: &str, amqp: &str) -> Outcome<()> {
    for bench in BENCHES {
        run(bench, target, postgres, amqp).await?;
    }
    page::write(&results(target))
}

async fn run(bench: &str, target: &str, postgres: &str, amqp: &str) -> Outcome<()> {
    let folder = results(target);
    std::fs::create_dir_all(&folder)?;
    let machine = Machine::describe(postgres).await?;
    println!("\n== {bench} ==");
    let report = database::with(postgres, async |postgres| {
        let binary = Path::new(target).join("release/keyward");
        let site = Site { binary, folder: folder.clone(), postgres, amqp: amqp.to_owned() };
        measure(bench, &site).await
    });
    report.await?.conclude(&folder, machine)
}

async fn measure(bench: &str, site: &Site) -> Outcome<Report> {
    match bench {
        "login" => login::run(site).await,
        "signup" => signup::run(site).await,
        "me" => me::run(site).await,
        "jwks" => jwks::run(site).await,
        "refresh" => refresh::run(site).await,
        "mixed" => mixed::run(site).await,
        "memory" => memory::run(site).await,
        "start" => start::run(site).await,
        GROWTH => growth::run(site).await,
        _ => events::run(site).await,
    }
}

fn results(target: &str) -> PathBuf {
    Path::new(target).join("bench")
}
