//! `GET /auth/me` with its strict check, against an empty handler that gets the same requests.

use crate::database::Database;
use crate::empty::Empty;
use crate::http::get;
use crate::load::{Load, Same};
use crate::report::{Bound, Report};
use crate::server::{CHEAP_HASHES, Server};
use crate::sessions::log_in;
use crate::{Outcome, ROUNDS, Site};

pub(crate) const CLIENTS: usize = 64;
const GOAL: f64 = 0.5;

pub(crate) async fn run(site: &Site) -> Outcome<Report> {
    let mut report = Report::new("me");
    let (postgres, sqlite) = (Database::postgres(site), Database::sqlite(site)?);
    let postgres = Server::start(site, &postgres, &CHEAP_HASHES).await?;
    let embedded = Server::start(site, &sqlite, &CHEAP_HASHES).await?;
    let empty = Empty::start().await?;
    let requests = me(&postgres, CLIENTS).await?;
    let same = requests.iter().map(|Same(request)| Same(request.clone()));
    let mut nothing = Load::new((&empty.address, empty.process), 200, same).await?;
    let mut on_postgres = Load::new((&postgres.address, postgres.process), 200, requests).await?;
    let requests = me(&embedded, CLIENTS).await?;
    let mut on_sqlite = Load::new((&embedded.address, embedded.process), 200, requests).await?;
    for _ in 0..ROUNDS {
        report.add("empty handler", "/s", nothing.measure().await?);
        report.add("/auth/me, PostgreSQL", "/s", on_postgres.measure().await?);
        report.add("/auth/me, SQLite", "/s", on_sqlite.measure().await?);
    }
    report.ratio(
        "me/s ÷ empty handler/s, PostgreSQL",
        ("/auth/me, PostgreSQL", "empty handler"),
        Some(Bound::AtLeast(GOAL)),
    );
    report.ratio("me/s ÷ empty handler/s, SQLite", ("/auth/me, SQLite", "empty handler"), None);
    Ok(report)
}

/// The requests of so many users, each with a session.
pub(crate) async fn me(server: &Server, count: usize) -> Outcome<Vec<Same>> {
    let sessions = log_in(&server.address, "me", count).await?;
    let request = |token: &str| Same(get(&server.address, "/auth/me", Some(token)));
    Ok(sessions.iter().map(|session| request(&session.access_token)).collect())
}
