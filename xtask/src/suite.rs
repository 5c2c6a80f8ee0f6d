//! The whole suite, on one database after the other, with one count at the end.

use std::fmt;
use std::io::{BufRead, BufReader, Write};
use std::process::Command;

use crate::brokers::BROKERS;
use crate::postgres::{self, POSTGRES};
use crate::redis::{self, REDIS};
use crate::workspace::{Outcome, Workspace, output, status};
use crate::{node, pgbouncer, python, servers};

/// PostgreSQL behind a pooler of transactions.
const POOLED: &str = "pgbouncer";

/// The races of the suite, thousands of times, and its faults in earnest: minutes, and not part of the tests. TLS to Kafka,
/// too, since OpenSSL has to be built for it (with perl).
pub(crate) fn prove(workspace: &Workspace, database: &[&str]) -> Outcome {
    const PROOFS: &str = "test(/races::/) | test(/that_races/) | test(/no_event_is_/) \
         | test(/^(lock|login_timing|redis_faults|connections|tls|outgoing_tls|http2)::/) | package(keyward-argon2) \
         | test(/^(crash|database_restart|database_slow|full_disk|goodput|migrate|refused_quickly|rolling)::/)";
    let both = ["--", "--features", "keyward/kafka-tls", "--run-ignored", "all", "-E", PROOFS];
    let options = [&["--database"], database, &both].concat();
    run_with(workspace, if database.is_empty() { &both } else { &options }, &[("KEYWARD_PROVE", "1")])
}

pub(crate) fn run(workspace: &Workspace, options: &[&str]) -> Outcome {
    run_with(workspace, options, &[])
}

fn run_with(workspace: &Workspace, options: &[&str], environment: &[(&str, &str)]) -> Outcome {
    let (both, all) = (["sqlite", "postgres"].as_slice(), ["sqlite", "postgres", POOLED].as_slice());
    let (databases, filter): (&[&str], &[&str]) = match options {
        [] => (both, &[]),
        ["--", filter @ ..] => (both, filter),
        ["--database", only] if all.contains(only) => (&[*only], &[]),
        ["--database", only, "--", filter @ ..] if all.contains(only) => (&[*only], filter),
        _ => return Err("usage: cargo xtask test [--database sqlite|postgres|pgbouncer] [-- FILTER]".into()),
    };
    let nextest = output(&mut workspace.cargo("nextest --version")).is_ok();
    let (python, node) = (python::prepare(workspace)?, node::prepare(workspace)?);
    status(&mut workspace.cargo("test --workspace --no-run"))?;
    let postgres = (databases != ["sqlite"]).then_some(&POSTGRES);
    let mut servers = Vec::new();
    for server in postgres.into_iter().chain(BROKERS).chain([&REDIS]) {
        servers.push((server.variable, servers::find(workspace, server)?));
    }
    let redis_server = redis::program(workspace)?;
    let postgres_programs = postgres.map(|_| postgres::installed_programs(workspace)).transpose()?;

    if let ([POOLED], [(_, (url, _)), ..]) = (databases, servers.as_slice()) {
        servers.push((pgbouncer::VARIABLE, pgbouncer::before(workspace, &url.clone())?));
    }

    let mut total = Count::default();
    let mut summaries = Vec::new();
    for (database, line) in passes(nextest, filter.is_empty()) {
        if !databases.contains(database) {
            continue;
        }
        println!("\n== {database}: cargo {line} ==");
        let mut cargo = workspace.cargo(line);
        cargo
            .args(filter)
            .env("KEYWARD_TEST_DATABASE", if *database == POOLED { "postgres" } else { database });
        cargo
            .env("KEYWARD_TEST_PYTHON", &python)
            .envs(node.iter().map(|(variable, folder)| (variable, folder)));
        cargo.env(redis::PROGRAM_VARIABLE, &redis_server);
        cargo.envs(postgres_programs.as_ref().map(|folder| (postgres::PROGRAMS_VARIABLE, folder)));
        cargo.envs(environment.iter().copied());
        cargo.envs(servers.iter().map(|(variable, (url, _))| (variable, url)));
        let count = count(cargo)?;
        summaries.push(format!("{database}: {count}"));
        total.passed += count.passed;
        total.failed += count.failed;
        total.skipped += count.skipped;
    }
    drop(servers);
    println!("\n{}\n{total}", summaries.join("\n"));
    match total {
        Count { failed: 1.., .. } => Err("tests failed".into()),
        Count { passed: 0, .. } => Err("no test ran".into()),
        _ => Ok(()),
    }
}

/// The databases, each with a call of cargo.
fn passes(nextest: bool, whole: bool) -> &'static [(&'static str, &'static str)] {
    const NEXTEST: &str = "nextest run --no-fail-fast --no-tests=pass --workspace";
    const ONE_PACKAGE: &str = "nextest run --no-fail-fast --workspace -E package(keyward)";
    const CARGO_TEST: &str = "test --no-fail-fast --workspace --";
    match (nextest, whole) {
        (true, true) => &[
            ("sqlite", NEXTEST),
            // Nextest leaves out the tests in documentation.
            ("sqlite", "test --no-fail-fast --workspace --doc --quiet"),
            // Only the server's tests know a database. Not `--package keyward`: that may choose
            // other features of the dependencies, and build them anew.
            ("postgres", ONE_PACKAGE),
            (POOLED, ONE_PACKAGE),
        ],
        (true, false) => &[("sqlite", NEXTEST), ("postgres", NEXTEST), (POOLED, NEXTEST)],
        (false, _) => &[("sqlite", CARGO_TEST), ("postgres", CARGO_TEST), (POOLED, CARGO_TEST)],
    }
}

/// Lets all output through unchanged, and counts by the summaries in it.
fn count(mut cargo: Command) -> Outcome<Count> {
    let (from, to) = std::io::pipe()?;
    let mut child = cargo.stdout(to.try_clone()?).stderr(to).spawn()?;
    drop(cargo); // and with it our copies of the pipe's other end
    let mut from = BufReader::new(from);
    let (mut count, mut line) = (Count::default(), Vec::new());
    while from.read_until(b'\n', &mut line)? > 0 {
        std::io::stdout().write_all(&line)?;
        count.add_summary(&String::from_utf8_lossy(&line));
        line.clear();
    }
    match child.wait()? {
        status if status.success() || count.failed > 0 => Ok(count),
        status => Err(format!("the test runner ended with {status}").into()),
    }
}

#[derive(Default)]
struct Count {
    passed: u64,
    failed: u64,
    skipped: u64,
}

impl Count {
    /// Reads `     Summary [   1.2s] 8 tests run: 5 passed (1 slow), 3 failed, 4 skipped` and
    /// `test result: ok. 3 passed; 0 failed; 2 ignored; 0 measured; 4 filtered out; finished in 1s`.
    fn add_summary(&mut self, line: &str) {
        let nextest = line.trim_start().starts_with("Summary [");
        let (start, mark) = if nextest { ("", " run: ") } else { ("test result: ", ". ") };
        let Some((_, counts)) = line.strip_prefix(start).and_then(|rest| rest.split_once(mark)) else {
            return;
        };
        for part in counts.split([',', ';']) {
            let mut words = part.split_whitespace();
            let number: u64 = words.next().unwrap_or_default().parse().unwrap_or(0);
            match words.next() {
                Some("passed") => self.passed += number,
                Some("failed" | "timed" | "exec") => self.failed += number,
                Some("skipped" | "ignored" | "filtered") => self.skipped += number,
                _ => {} // as in nextest's "(1 slow, 1 flaky)", which are among the passed
            }
        }
    }
}

impl fmt::Display for Count {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { passed, failed, skipped } = self;
        write!(f, "{passed} passed, {failed} failed, {skipped} skipped")
    }
}

#[cfg(test)]
mod tests {
    use super::Count;

    #[test]
    fn summaries_of_both_runners_are_counted() {
        let mut count = Count::default();
        count.add_summary("Summary [ 1s] 5/9 tests run: 2 passed (1 slow, 1 flaky), 3 failed, 4 skipped");
        count.add_summary("Summary [ 1s] 1 test run: 1 timed out, 0 skipped");
        assert_eq!(count.to_string(), "2 passed, 4 failed, 4 skipped");
        count.add_summary("test result: FAILED. 3 passed; 1 failed; 2 ignored; 0 measured; 4 filtered out");
        count.add_summary("    test result: ok. 9 passed; this is the output of a test");
        assert_eq!(count.to_string(), "5 passed, 5 failed, 10 skipped");
    }
}
