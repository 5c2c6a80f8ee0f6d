//! The database: whether it answers, what it is, and what time it has.

use std::path::Path;
use std::time::Duration;

use tokio::time::Instant;

use super::{Fault, Finding, outbox, rows, schema, signing_keys};
use crate::app::StartError;
use crate::app::start::{CLOCK_SKEW_SECONDS, database_options};
use crate::clock::Clock;
use crate::config::{DatabaseUrl, Settings};
use crate::domain::{Kid, Timestamp};
use crate::store::{Location, SQLITE_ENGINE_MIN, Store, StoreError};

/// The oldest major version that its makers still mend, in November 2026.
const POSTGRES_MENDED: i64 = 15;
/// A clock that is set by NTP is far better than this.
const SKEW_WARN: Duration = Duration::from_secs(2);
const SKEW_PROBLEM: Duration = Duration::from_secs(CLOCK_SKEW_SECONDS as u64);

/// Returns what was found, and the published keys if it could be found out which these are.
pub(super) async fn look(settings: &Settings, clock: &Clock) -> (Vec<Finding>, Option<Vec<Kid>>) {
    let mut found = Vec::new();
    let location = match &settings.database_url {
        DatabaseUrl::Sqlite { path } if !path.exists() => {
            let meaning = format!("there is no database in {} yet", path.display());
            return (
                vec![Finding::note("database.answers", meaning, "nothing: the first start makes it")],
                None,
            );
        }
        DatabaseUrl::Sqlite { path } => Location::Sqlite(path),
        DatabaseUrl::Postgres { url } => Location::Postgres(url.expose()),
    };
    let begun = Instant::now();
    let store = match Store::open_to_look(location, database_options(settings)).await {
        Ok(store) => store,
        Err(error) => return (vec![silent(error)], None),
    };
    let took = begun.elapsed();
    let mut published = None;
    // What answers nothing any more is not asked again and again: each question would take its whole time.
    if let Err(error) = ask(&store, settings, clock, took, &mut found, &mut published).await {
        found.push(silent(error));
    }
    store.close().await;
    (found, published)
}

async fn ask(
    store: &Store,
    settings: &Settings,
    clock: &Clock,
    took: Duration,
    found: &mut Vec<Finding>,
    published: &mut Option<Vec<Kid>>,
) -> Result<(), StoreError> {
    let version = store.database_version().await?;
    found.extend(answers(&settings.database_url, &version, took));
    found.push(skew(store, clock).await?);
    let Some(schema) = schema::look(store, found).await? else { return Ok(()) };
    let now = clock.now();
    for part in [
        signing_keys::look(store, settings, now, found, published).await,
        rows::look(store, settings, found).await,
        outbox::look(store, settings, now, found).await,
    ] {
        match part {
            // Tables and columns that later steps bring cannot be asked yet.
            Err(StoreError::Defect(_)) if schema.behind => {}
            outcome => outcome?,
        }
    }
    Ok(())
}

fn answers(url: &DatabaseUrl, version: &str, took: Duration) -> Vec<Finding> {
    let numbers = numbers(version);
    let took = format!("{:.1} ms", took.as_secs_f64() * 1_000.0);
    match url {
        DatabaseUrl::Sqlite { path } => {
            vec![
                Finding::ok("database.answers", format!("{} opens in {took}", shown(path))),
                engine(version, numbers),
            ]
        }
        DatabaseUrl::Postgres { .. } => {
            let reached =
                Finding::ok("database.answers", format!("PostgreSQL answers in {took}, connection and all"));
            vec![reached, server(version, numbers.0)]
        }
    }
}

fn engine(version: &str, numbers: (i64, i64, i64)) -> Finding {
    const CODE: &str = "database.version";
    let (major, minor, patch) = SQLITE_ENGINE_MIN;
    if numbers >= (major.into(), minor.into(), patch.into()) {
        return Finding::ok(CODE, format!("the SQLite inside is {version}"));
    }
    let meaning = format!("the SQLite inside is {version}, which can lose commits in WAL mode");
    let advice =
        format!("build keyward with SQLite {major}.{minor}.{patch} or newer: libsqlite3-sys brings it");
    Finding::problem(CODE, Fault::Configuration, meaning, advice)
}

fn server(version: &str, major: i64) -> Finding {
    const CODE: &str = "database.version";
    if major >= POSTGRES_MENDED {
        return Finding::ok(CODE, format!("the server is PostgreSQL {version}"));
    }
    let meaning = format!("the server is PostgreSQL {version}, which gets no security fixes any more");
    Finding::warning(
        CODE,
        meaning,
        format!("upgrade it to {POSTGRES_MENDED} or newer, which Keyward is tested with"),
    )
}

/// F10: who decides whether a token has expired is the clock of the replica that is asked.
async fn skew(store: &Store, clock: &Clock) -> Result<Finding, StoreError> {
    let before = clock.now();
    let theirs = store.database_now().await?;
    let after = clock.now();
    let unsure = after.since(before) / 2;
    Ok(judge_skew(before + unsure, theirs, unsure))
}

fn judge_skew(ours: Timestamp, theirs: Timestamp, unsure: Duration) -> Finding {
    const CODE: &str = "clock.skew";
    let (apart, which) = match theirs.since(ours) {
        Duration::ZERO => (ours.since(theirs), "ahead of"),
        behind => (behind, "behind"),
    };
    let milliseconds = |span: Duration| format!("{:.1} ms", span.as_secs_f64() * 1_000.0);
    let meaning = format!(
        "the clock here is {} {which} the database's, give or take {}",
        milliseconds(apart),
        milliseconds(unsure)
    );
    let advice = "set the clocks of all machines by NTP (chrony, systemd-timesyncd)";
    // Only what is surely too much counts.
    match apart.saturating_sub(unsure) {
        sure if sure > SKEW_PROBLEM => Finding::problem(
            CODE,
            Fault::Other,
            format!("{meaning}: tokens from here seem to be from the future elsewhere, or end too early"),
            advice,
        ),
        sure if sure > SKEW_WARN => Finding::warning(CODE, meaning, advice),
        _ => Finding::ok(CODE, meaning),
    }
}

fn silent(error: StoreError) -> Finding {
    let otherwise = match &error {
        _ if error.transient() => "start it, or look at the way to it; servers answer 503 meanwhile",
        _ => "compare database_url with what the database knows: name, user, password",
    };
    Finding::refusal("database.answers", &StartError::from(error), otherwise)
}

fn shown(path: &Path) -> String {
    path.display().to_string()
}

/// `15.8 (Debian 15.8-0+deb12u1)` and `3.51.3` alike.
fn numbers(version: &str) -> (i64, i64, i64) {
    let digits =
        |part: &str| part.chars().take_while(char::is_ascii_digit).collect::<String>().parse().unwrap_or(0);
    let number = version.split(' ').next().unwrap_or_default();
    let mut parts = number.split('.').map(digits);
    let mut next = || parts.next().unwrap_or(0);
    (next(), next(), next())
}

#[cfg(test)]
mod tests {
    use super::super::Level;
    use super::*;

    #[test]
    fn versions_are_read_as_the_databases_write_them() {
        assert_eq!(numbers("15.8 (Debian 15.8-0+deb12u1)"), (15, 8, 0));
        assert_eq!(numbers("3.51.3"), (3, 51, 3));
        assert_eq!(numbers("18beta1"), (18, 0, 0));
        assert_eq!(server("14.2", 14).level, Level::Warning);
        assert_eq!(engine("3.51.2", (3, 51, 2)).level, Level::Problem);
    }

    #[test]
    fn only_what_is_surely_apart_is_told() {
        let at = |seconds: i64| Timestamp::from_micros(seconds * 1_000_000);
        let level =
            |ours, theirs, unsure| judge_skew(at(ours), at(theirs), Duration::from_secs(unsure)).level;
        assert_eq!([level(100, 100, 0), level(100, 102, 0), level(103, 100, 2)], [Level::Ok; 3]);
        assert_eq!([level(100, 103, 0), level(130, 100, 0)], [Level::Warning; 2]);
        assert_eq!([level(100, 131, 0), level(140, 100, 9)], [Level::Problem; 2]);
        let ahead = judge_skew(at(110), at(100), Duration::ZERO);
        assert!(ahead.meaning.contains("10000.0 ms ahead of"), "{ahead:?}");
    }
}
