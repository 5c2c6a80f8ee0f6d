//! Looking at a database without changing anything: not a row, and not its file either.

use std::path::{Path, PathBuf};

use sqlx::sqlite::{SqliteConnectOptions, SqlitePoolOptions};

use super::open::{ACQUIRE_TIMEOUT, SQLITE_BUSY_TIMEOUT, open_postgres, postgres_options};
use super::sql::{Record, Row};
use super::{DatabaseOptions, Location, Store, StoreError, Tx};
use crate::domain::Timestamp;

struct Version(String);

impl Record for Version {
    fn read(row: &Row<'_>) -> Result<Self, StoreError> {
        row.get("version").map(Self)
    }
}

struct Now(Timestamp);

impl Record for Now {
    fn read(row: &Row<'_>) -> Result<Self, StoreError> {
        row.get("now").map(Self)
    }
}

struct Count(i64);

impl Record for Count {
    fn read(row: &Row<'_>) -> Result<Self, StoreError> {
        row.get("count").map(Self)
    }
}

impl Store {
    /// Opens a database that is there, to read it.
    pub async fn open_to_look(location: Location<'_>, options: DatabaseOptions) -> Result<Self, StoreError> {
        match location {
            Location::Sqlite(path) => {
                // Whoever reads a file in WAL mode makes `-wal` and `-shm` beside it, and a reader leaves them there.
                // Where there is no `-wal`, nobody has it open and the file is all there is: it can be read as it is.
                let closed = !beside(path, "-wal").exists();
                let connect = SqliteConnectOptions::new()
                    .filename(path)
                    .read_only(true)
                    .immutable(closed)
                    .busy_timeout(SQLITE_BUSY_TIMEOUT)
                    .pragma("query_only", "ON")
                    .pragma("trusted_schema", "OFF");
                let pool = || SqlitePoolOptions::new().acquire_timeout(ACQUIRE_TIMEOUT).max_connections(1);
                let readers = pool().connect_with(connect.clone()).await?;
                Ok(Self::Sqlite { writer: pool().connect_lazy_with(connect), readers })
            }
            Location::Postgres(url) => {
                let mut connect = postgres_options(url, options)?;
                if !options.transaction_pooler {
                    connect = connect.options([("default_transaction_read_only", "on")]);
                }
                open_postgres(connect, DatabaseOptions { max_connections: 1, ..options }).await
            }
        }
    }

    /// Returns the version of the engine, as it writes it.
    pub async fn database_version(&self) -> Result<String, StoreError> {
        let version: Version = self
            .read("database_version", |tx| {
                Box::pin(async move {
                    tx.query_either(
                        "SELECT sqlite_version() AS version",
                        "SELECT current_setting('server_version') AS version",
                    )
                    .fetch_one()
                    .await
                })
            })
            .await?;
        Ok(version.0)
    }

    /// Returns what time it is there.
    pub async fn database_now(&self) -> Result<Timestamp, StoreError> {
        let now: Now = self
            .read("database_now", |tx| {
                Box::pin(async move {
                    tx.query_either(
                        "SELECT CAST(unixepoch('now', 'subsec') * 1000000 AS INTEGER) AS now",
                        "SELECT clock_timestamp() AS now",
                    )
                    .fetch_one()
                    .await
                })
            })
            .await?;
        Ok(now.0)
    }
}

impl Tx {
    /// Counts those who can do what admins do.
    pub async fn admins_count(&mut self) -> Result<i64, StoreError> {
        let count: Count = self
            .query(
                "SELECT count(*) AS count FROM users_auth \
                 WHERE status = 'active' AND ' ' || roles || ' ' LIKE '% admin %'",
            )
            .fetch_one()
            .await?;
        Ok(count.0)
    }
}

/// `keyward.db` and `-wal` are `keyward.db-wal`.
fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}
