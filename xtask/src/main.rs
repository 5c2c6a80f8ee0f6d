//! Project commands: `cargo xtask help` lists them.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a command-line tool prints")]

mod bench;
mod brokers;
mod ci;
mod fuzz;
mod generate;
mod node;
mod pgbouncer;
mod postgres;
mod python;
mod redis;
mod servers;
mod suite;
mod workspace;

use std::process::ExitCode;

use workspace::{Outcome, Workspace};

const HELP: &str = "\
cargo xtask test [--database sqlite|postgres|pgbouncer] [-- FILTER]
    The whole suite on SQLite, then the server's tests on PostgreSQL. FILTER goes to the runner.
    With pgbouncer the servers reach PostgreSQL through a PgBouncer that pools transactions.
    PostgreSQL is the one in KEYWARD_TEST_POSTGRES_URL, else one that listens here, else one in a
    temporary folder (always, with KEYWARD_TEST_SERVERS=own), installed with apt-get if need be.
    So are Redis, RabbitMQ, NATS and Kafka: KEYWARD_TEST_REDIS_URL, _AMQP_URL, _NATS_URL and
    _KAFKA_URL.
cargo xtask prove [sqlite|postgres]
    The races of the suite at full counts, some ten thousand interleavings each, ten thousand
    sign-ups while broker and server are killed, a hundred kill -9, databases that restart, dawdle,
    fall silent or are full, ten times the load, and a million password hashes against those of
    another implementation. Takes minutes; needs cargo-nextest.
cargo xtask generate [--check]
    Writes the generated files that are committed (contracts, pages, diagrams, collections); with --check
    only compares them.
cargo xtask bench login|signup|me|jwks|refresh|mixed|memory|start|events|growth|all|report
    Measures a release build, in turns with the limit that it is held against, and keeps the figures in
    target/bench. `all`, and `report` of what was measured last, write docs/performance.md.
cargo xtask fuzz [TARGET [--seconds N]]
    Fuzzes a parser of outside input, or each in turn, for a minute; needs a nightly compiler and
    `cargo install cargo-fuzz`.
cargo xtask ci
    All that a change must pass: fmt, clippy, rustdoc, cargo-deny, generate --check, test.";

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Outcome {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = args.iter().map(String::as_str).collect();
    let workspace = Workspace::find()?;
    match words.as_slice() {
        ["test", options @ ..] => suite::run(&workspace, options),
        ["prove", database @ ..] if database.len() < 2 => suite::prove(&workspace, database),
        ["generate"] => generate::run(&workspace, false),
        ["generate", "--check"] => generate::run(&workspace, true),
        ["bench", what] => bench::run(&workspace, what),
        ["fuzz"] => fuzz::run(&workspace, None, 60),
        ["fuzz", target] => fuzz::run(&workspace, Some(target), 60),
        ["fuzz", target, "--seconds", seconds] => fuzz::run(&workspace, Some(target), seconds.parse()?),
        ["ci"] => ci::run(&workspace),
        [] | ["help" | "--help" | "-h"] => {
            println!("{HELP}");
            Ok(())
        }
        _ => Err(format!("no such command: {}\n\n{HELP}", words.join(" ")).into()),
    }
}
