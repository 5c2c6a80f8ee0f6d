//! Copies of an embedded database, made while others write to it.

use std::path::Path;

use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{ConnectOptions as _, Connection as _};

use super::open::SQLITE_BUSY_TIMEOUT;
use super::{Store, StoreError};

/// What is in a copy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CopyState {
    /// What `integrity_check` and `foreign_key_check` say; nothing, where all is well.
    pub flaws: Vec<String>,
    pub users: i64,
    /// The newest step of its schema.
    pub schema: String,
    /// Ids of the master keys without which it cannot be used.
    pub master_keys: Vec<i64>,
}

impl Store {
    /// Copies a database file into another, which is there and empty.
    ///
    /// `VACUUM INTO` reads one state of it, as any reader does: writers go on, and what they commit meanwhile is not in the
    /// copy. The backup API would begin again at each of their commits, and cannot be called without `unsafe`.
    pub async fn sqlite_copy(from: &Path, to: &Path) -> Result<(), StoreError> {
        let to = to.to_str().ok_or_else(|| {
            StoreError::Defect(sqlx::Error::Configuration("the name of the copy is not UTF-8".into()))
        })?;
        let mut connection = open(from, false).await?;
        let copied = sqlx::query("VACUUM INTO $1").bind(to).execute(&mut connection).await;
        connection.close().await?;
        Ok(copied.map(drop)?)
    }

    /// Reads a copy from one end to the other.
    pub async fn sqlite_copy_check(path: &Path) -> Result<CopyState, StoreError> {
        // Nobody writes to it, so that no file needs to be made beside it.
        let mut connection = open(path, true).await?;
        let state = check(&mut connection).await;
        connection.close().await?;
        Ok(state?)
    }
}

async fn open(path: &Path, immutable: bool) -> Result<SqliteConnection, sqlx::Error> {
    let options = SqliteConnectOptions::new().filename(path).read_only(true).immutable(immutable);
    options.busy_timeout(SQLITE_BUSY_TIMEOUT).pragma("trusted_schema", "OFF").connect().await
}

async fn check(connection: &mut SqliteConnection) -> Result<CopyState, sqlx::Error> {
    let integrity: Vec<String> =
        sqlx::query_scalar("PRAGMA integrity_check(10)").fetch_all(&mut *connection).await?;
    let references: Vec<String> = sqlx::query_scalar(
        "SELECT \"table\" || ' refers to nothing in ' || parent FROM pragma_foreign_key_check LIMIT 10",
    )
    .fetch_all(&mut *connection)
    .await?;
    let flaws: Vec<String> = integrity.into_iter().filter(|line| line != "ok").chain(references).collect();
    Ok(CopyState {
        flaws,
        users: sqlx::query_scalar("SELECT count(*) FROM users_auth").fetch_one(&mut *connection).await?,
        schema: sqlx::query_scalar("SELECT name FROM schema_migrations ORDER BY version DESC LIMIT 1")
            .fetch_one(&mut *connection)
            .await?,
        master_keys: sqlx::query_scalar(
            "SELECT key_id FROM master_keys WHERE retired_at IS NULL ORDER BY created_at, key_id",
        )
        .fetch_all(&mut *connection)
        .await?,
    })
}
