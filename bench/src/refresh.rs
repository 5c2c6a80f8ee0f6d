//! Rotations and refreshes per second, against single-row updates per second on the same server.

use sqlx::PgPool;
use sqlx::postgres::PgPoolOptions;

use crate::database::Database;
use crate::http::{member, post};
use crate::limit::SingleRowUpdates;
use crate::load::{Client, Load};
use crate::report::{Bound, Report};
use crate::rotations::Rotations;
use crate::server::{CHEAP_HASHES, Server};
use crate::sessions::log_in;
use crate::{Outcome, ROUNDS, Site};

/// Clients, each with a session and a connection of its own.
const CLIENTS: usize = 256;
/// The goal of the design.
const GOAL: Option<Bound> = Some(Bound::AtLeast(1.5));

pub(crate) async fn run(site: &Site) -> Outcome<Report> {
    let mut report = Report::new("refresh");
    let (postgres, sqlite) = (Database::postgres(site), Database::sqlite(site)?);
    let postgres = Server::start(site, &postgres, &CHEAP_HASHES).await?;
    let embedded = Server::start(site, &sqlite, &CHEAP_HASHES).await?;
    let load = async |server: &Server| {
        Load::new((&server.address, server.process), 200, refreshing(server, CLIENTS).await?).await
    };
    let (mut on_postgres, mut on_sqlite) = (load(&postgres).await?, load(&embedded).await?);
    let mut rotations = Rotations::prepare(&site.postgres).await?;
    let mut updates = SingleRowUpdates::prepare(&site.postgres).await?;
    for _ in 0..ROUNDS {
        report.add("single-row updates", "/s", updates.measure().await?);
        report.add("rotations, without HTTP and signatures", "/s", rotations.measure().await?);
        report.add("refreshes, PostgreSQL", "/s", on_postgres.measure().await?);
        report.add("refreshes, SQLite", "/s", on_sqlite.measure().await?);
    }
    let held_against = |side| (side, "single-row updates");
    let rotations = held_against("rotations, without HTTP and signatures");
    report.ratio("rotations/s ÷ single-row updates/s", rotations, GOAL);
    report.ratio("refresh/s over HTTP ÷ single-row updates/s", held_against("refreshes, PostgreSQL"), GOAL);

    let pool: PgPool = PgPoolOptions::new().max_connections(1).connect(&site.postgres).await?;
    let (rows, generations): (i64, i64) =
        sqlx::query_as("SELECT count(*), sum(generation)::bigint FROM refresh_tokens")
            .fetch_one(&pool)
            .await?;
    println!("rows in refresh_tokens after {generations} rotations: {rows}, one a session");
    Ok(report)
}

/// So many clients, each with a session whose refresh token rotates.
pub(crate) async fn refreshing(server: &Server, count: usize) -> Outcome<impl Iterator<Item = Refreshing>> {
    let sessions = log_in(&server.address, "refresh", count).await?;
    Ok(sessions.into_iter().map(|session| Refreshing(session.refresh_token)))
}

pub(crate) struct Refreshing(String);

impl Client for Refreshing {
    fn request(&mut self, host: &str) -> Vec<u8> {
        post(host, "/auth/refresh", &format!(r#"{{"refresh_token":"{}"}}"#, self.0))
    }

    fn succeeded(&mut self, body: &str) {
        if let Some(next) = member(body, "refresh_token") {
            next.clone_into(&mut self.0);
        }
    }
}
