//! Databases of this run's own.

use sqlx::AssertSqlSafe;
use sqlx::postgres::PgPoolOptions;
use tempfile::TempDir;
use uuid::Uuid;

use crate::{Outcome, Site};

/// 32 bytes that a test may know; nobody else's data is under it.
const MASTER_KEY: &str = "c2Jz3Xo0mJm1b0m4yq9JrW7pQk5dV8hTnL2xE6uA1gI=";

pub(crate) enum Database {
    /// A folder that is removed with it.
    Sqlite(TempDir),
    Postgres(String),
}

impl Database {
    pub(crate) fn sqlite(site: &Site) -> Outcome<Self> {
        Ok(Self::Sqlite(tempfile::Builder::new().prefix("data-").tempdir_in(&site.folder)?))
    }

    pub(crate) fn postgres(site: &Site) -> Self {
        Self::Postgres(site.postgres.clone())
    }

    /// What Keyward has to be told to use it.
    pub(crate) fn settings(&self) -> Vec<(&'static str, String)> {
        match self {
            Self::Sqlite(folder) => vec![("KEYWARD_DATA_DIR", folder.path().display().to_string())],
            Self::Postgres(url) => {
                vec![("KEYWARD_DATABASE_URL", url.clone()), ("KEYWARD_MASTER_KEY", MASTER_KEY.to_owned())]
            }
        }
    }
}

/// Lends a fresh database, and drops it afterwards however that went.
pub(crate) async fn with<T>(postgres: &str, work: impl AsyncFnOnce(String) -> Outcome<T>) -> Outcome<T> {
    let admin = PgPoolOptions::new().max_connections(1).connect(postgres).await?;
    let name = format!("keyward_bench_{}", Uuid::new_v4().simple());
    sqlx::raw_sql(AssertSqlSafe(format!("CREATE DATABASE {name}"))).execute(&admin).await?;
    let measured = work(in_database(postgres, &name)?).await;
    sqlx::raw_sql(AssertSqlSafe(format!("DROP DATABASE {name} WITH (FORCE)"))).execute(&admin).await?;
    measured
}

/// Names another database in a PostgreSQL URL. Both sides speak to it in plain text unless the URL says otherwise, as
/// Keyward does on one machine.
fn in_database(url: &str, name: &str) -> Outcome<String> {
    let (url, query) = url.split_once('?').unwrap_or((url, "sslmode=disable"));
    let (server, _) =
        url.rsplit_once('/').filter(|(server, _)| server.contains("://")).ok_or("no database in the URL")?;
    Ok(format!("{server}/{name}?{query}"))
}
