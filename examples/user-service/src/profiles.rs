use std::path::Path;
use std::time::Duration;

use serde::Serialize;
use sqlx::SqlitePool;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions};

const SCHEMA: &str = "CREATE TABLE IF NOT EXISTS profiles (
    user_id TEXT PRIMARY KEY,
    display_name TEXT NOT NULL,
    bio TEXT NOT NULL,
    updated_at INTEGER NOT NULL
) STRICT";

/// The profiles, in a database that is this service's alone.
#[derive(Debug, Clone)]
pub(crate) struct Profiles(SqlitePool);

#[derive(Debug, Serialize)]
pub(crate) struct Profile {
    /// The `sub` of Keyward's tokens, which is never used again for someone else.
    pub(crate) user_id: String,
    pub(crate) display_name: String,
    pub(crate) bio: String,
    /// Unix seconds.
    pub(crate) updated_at: i64,
}

/// The columns, in the order of the table.
type Row = (String, String, String, i64);

impl From<Row> for Profile {
    fn from((user_id, display_name, bio, updated_at): Row) -> Self {
        Self { user_id, display_name, bio, updated_at }
    }
}

impl Profiles {
    pub(crate) async fn open(path: &Path) -> Result<Self, sqlx::Error> {
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .busy_timeout(Duration::from_secs(4));
        let pool = SqlitePoolOptions::new().max_connections(4).connect_with(options).await?;
        sqlx::query(SCHEMA).execute(&pool).await?;
        Ok(Self(pool))
    }

    pub(crate) async fn put(
        &self,
        user_id: &str,
        display_name: &str,
        bio: &str,
    ) -> Result<Profile, sqlx::Error> {
        let row: Row = sqlx::query_as(
            "INSERT INTO profiles (user_id, display_name, bio, updated_at) VALUES ($1, $2, $3, unixepoch())
             ON CONFLICT (user_id) DO UPDATE
             SET display_name = excluded.display_name, bio = excluded.bio, updated_at = excluded.updated_at
             RETURNING *",
        )
        .bind(user_id)
        .bind(display_name)
        .bind(bio)
        .fetch_one(&self.0)
        .await?;
        Ok(row.into())
    }

    pub(crate) async fn find(&self, user_id: &str) -> Result<Option<Profile>, sqlx::Error> {
        let find = sqlx::query_as("SELECT * FROM profiles WHERE user_id = $1").bind(user_id);
        let row: Option<Row> = find.fetch_optional(&self.0).await?;
        Ok(row.map(Profile::from))
    }

    /// Returns those after a user, in the order of their ids, which is the order in which they signed up.
    pub(crate) async fn page(&self, after: &str, limit: u32) -> Result<Vec<Profile>, sqlx::Error> {
        let page = "SELECT * FROM profiles WHERE user_id > $1 ORDER BY user_id LIMIT $2";
        let rows: Vec<Row> = sqlx::query_as(page).bind(after).bind(limit).fetch_all(&self.0).await?;
        Ok(rows.into_iter().map(Profile::from).collect())
    }

    pub(crate) async fn ping(&self) -> Result<(), sqlx::Error> {
        sqlx::query("SELECT 1").execute(&self.0).await.map(drop)
    }

    pub(crate) async fn close(&self) {
        self.0.close().await;
    }
}
