//! From the start of the process until it is ready, and what it takes then.

use std::time::Duration;

use crate::database::Database;
use crate::report::{Bound, Report, Round};
use crate::server::Server;
use crate::{Outcome, ROUNDS, Site};

const GOAL_MS: f64 = 100.0;
const GOAL_IDLE_MIB: f64 = 30.0;
/// Until memory is looked at.
const IDLE: Duration = Duration::from_secs(1);

pub(crate) async fn run(site: &Site) -> Outcome<Report> {
    let mut report = Report::new("start");
    let postgres = Database::postgres(site);
    Server::start(site, &postgres, &[]).await?;
    for _ in 0..ROUNDS {
        let fresh = Database::sqlite(site)?;
        report.add("SQLite, first start", "ms", start(site, &fresh).await?);
        report.add("SQLite, with its data", "ms", start(site, &fresh).await?);
        report.add("PostgreSQL, with its data", "ms", start(site, &postgres).await?);
    }
    for side in ["SQLite, first start", "SQLite, with its data"] {
        report.figure(
            &format!("start to ready: {side}"),
            (report.median(side), "ms"),
            Some(Bound::Below(GOAL_MS)),
        );
    }
    let postgres = report.median("PostgreSQL, with its data");
    report.figure("start to ready: PostgreSQL, with its data", (postgres, "ms"), None);
    let idle = report.resident_mib("SQLite, with its data");
    report.figure("idle resident memory, SQLite", (idle, "MiB"), Some(Bound::Below(GOAL_IDLE_MIB)));
    let idle = report.resident_mib("PostgreSQL, with its data");
    report.figure("idle resident memory, PostgreSQL", (idle, "MiB"), None);
    #[expect(clippy::cast_precision_loss, reason = "some ten million")]
    let size = std::fs::metadata(&site.binary)?.len() as f64 / 1_048_576.0;
    report.figure("size of the binary", (size, "MiB"), None);
    Ok(report)
}

async fn start(site: &Site, database: &Database) -> Outcome<Round> {
    let server = Server::start(site, database, &[]).await?;
    let milliseconds = server.ready_after.as_secs_f64() * 1_000.0;
    let cpu_seconds = Some(server.process.cpu_seconds()?);
    tokio::time::sleep(IDLE).await;
    let resident_mib = Some(server.process.resident_mib()?);
    Ok(Round { cpu_seconds, resident_mib, ..Round::value(milliseconds) })
}
