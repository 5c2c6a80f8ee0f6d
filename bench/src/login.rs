//! Logins per second, against raw hashes per second.

use std::time::Duration;

use crate::database::Database;
use crate::http::post;
use crate::load::{Load, Same};
use crate::report::{Bound, Report};
use crate::server::Server;
use crate::sessions::sign_up;
use crate::{Outcome, ROUNDS, Site, hashes};

/// Keeps every thread of the hash pool busy and stays within its queue.
pub(crate) const CLIENTS: usize = 32;

/// How many times more is asked than can be served, and what is to be left of what is served (F15).
const CROWD: usize = 10;
const GOODPUT: f64 = 0.8;

/// With the compression function that uses the vector instructions of the CPU.
const GOAL: f64 = 1.4;

pub(crate) async fn run(site: &Site) -> Outcome<Report> {
    let mut report = Report::new("login");
    let (postgres, sqlite) = (Database::postgres(site), Database::sqlite(site)?);
    let postgres = Server::start(site, &postgres, &[]).await?;
    let embedded = Server::start(site, &sqlite, &[]).await?;
    let mut on_postgres = logins(&postgres).await?;
    let mut crowd = logins_of(&postgres, CROWD * CLIENTS).await?;
    let mut on_sqlite = logins(&embedded).await?;
    for _ in 0..ROUNDS {
        report.add("raw hashes", "/s", hashes::measure().await?);
        let served = on_postgres.measure().await?;
        // Each as often as those in the queue before: ten times as many requests, and not as many as can be refused.
        crowd.pause_for(Duration::from_secs_f64(1.0 / served.value) * u32::try_from(CLIENTS)?);
        report.add("logins, PostgreSQL", "/s", served);
        report.add("logins when ten times as many are asked for, PostgreSQL", "/s", crowd.measure().await?);
        report.add("logins, SQLite", "/s", on_sqlite.measure().await?);
    }
    report.ratio(
        "login/s ÷ raw hashes/s, PostgreSQL",
        ("logins, PostgreSQL", "raw hashes"),
        Some(Bound::AtLeast(GOAL)),
    );
    report.ratio("login/s ÷ raw hashes/s, SQLite", ("logins, SQLite", "raw hashes"), None);
    report.ratio(
        "login/s when ten times as many are asked for ÷ login/s, PostgreSQL",
        ("logins when ten times as many are asked for, PostgreSQL", "logins, PostgreSQL"),
        Some(Bound::AtLeast(GOODPUT)),
    );
    Ok(report)
}

pub(crate) async fn logins(server: &Server) -> Outcome<Load<Same>> {
    logins_of(server, CLIENTS).await
}

/// Each client is a user of its own, so that nobody waits for another's row.
pub(crate) async fn logins_of(server: &Server, clients: usize) -> Outcome<Load<Same>> {
    let users = sign_up(&server.address, "login", clients).await?;
    let requests = users.iter().map(|user| Same(post(&server.address, "/auth/login", user)));
    Load::new((&server.address, server.process), 200, requests).await
}
