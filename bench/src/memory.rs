//! How much memory a storm of logins takes (P5).

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::task::JoinSet;

use crate::database::Database;
use crate::hashes::{MEMORY_KIB, threads};
use crate::http::{Connection, get, post};
use crate::process::Process;
use crate::report::{Bound, Report, Round};
use crate::server::Server;
use crate::sessions::credentials;
use crate::{Outcome, ROUNDS, Site};

const LOGINS: u64 = 500;
const GOAL: f64 = 1.2;
/// Background work of the start has been done by then.
const SETTLED: Duration = Duration::from_millis(700);

pub(crate) async fn run(site: &Site) -> Outcome<Report> {
    let mut report = Report::new("memory");
    let database = Database::postgres(site);
    let mut ratios = Vec::new();
    for _ in 0..ROUNDS {
        let server = Server::start(site, &database, &[]).await?;
        tokio::time::sleep(SETTLED).await;
        let idle = server.process.resident_mib()?;
        report.add("idle", "MiB", Round::value(idle));
        let visitors = visit(&server.address).await?;
        report.add(
            "500 connections that have asked once",
            "MiB",
            Round::value(server.process.resident_mib()?),
        );
        drop((visitors, server));

        let server = Server::start(site, &database, &[]).await?;
        tokio::time::sleep(SETTLED).await;
        let idle = server.process.resident_mib()?;
        let answers = storm(&server.address).await?;
        let peak = server.process.peak_mib()?;
        report.add(
            "peak of 500 logins at once, half of them hung up",
            "MiB",
            Round { answers, ..Round::value(peak) },
        );
        ratios.push(peak / (idle + hash_memory_mib()));
        rest(&mut report, server.process).await?;
    }
    let what = format!("peak ÷ (idle + {} hash threads × 19 MiB)", threads());
    report.figure(&what, (crate::report::median(ratios), "×"), Some(Bound::AtMost(GOAL)));
    Ok(report)
}

async fn rest(report: &mut Report, process: Process) -> Outcome<()> {
    tokio::time::sleep(SETTLED).await;
    report.add("when they are gone", "MiB", Round::value(process.resident_mib()?));
    Ok(())
}

#[expect(clippy::cast_precision_loss, reason = "a few cores")]
fn hash_memory_mib() -> f64 {
    f64::from(MEMORY_KIB) / 1_024.0 * threads() as f64
}

/// So many connections cost something by themselves, whatever they are for.
async fn visit(address: &str) -> Outcome<Vec<Connection>> {
    let request = get(address, "/health", None);
    let mut visitors = Vec::new();
    for _ in 0..LOGINS {
        let mut visitor = Connection::open(address).await?;
        visitor.exchange(&request).await?;
        visitors.push(visitor);
    }
    Ok(visitors)
}

/// Everybody tries a wrong password at once; every second one soon goes away. Returns what the
/// others were answered.
async fn storm(address: &str) -> Outcome<BTreeMap<u16, u64>> {
    let mut patient = JoinSet::new();
    let mut others = JoinSet::new();
    for number in 0..LOGINS {
        let (address, email) = (address.to_owned(), format!("nobody-{number}@example.com"));
        let attempt = async move {
            let mut connection = Connection::open(&address).await?;
            let (status, _) =
                connection.exchange(&post(&address, "/auth/login", &credentials(&email))).await?;
            Outcome::Ok(status)
        };
        if number % 2 == 0 {
            patient.spawn(attempt);
        } else {
            let hangs_up_after = Duration::from_millis(number * 7 % 1_500);
            others.spawn(async move { tokio::time::timeout(hangs_up_after, attempt).await.ok() });
        }
    }
    let mut answers = BTreeMap::new();
    while let Some(answered) = patient.join_next().await {
        *answers.entry(answered??).or_default() += 1;
    }
    others.join_all().await;
    Ok(answers)
}
