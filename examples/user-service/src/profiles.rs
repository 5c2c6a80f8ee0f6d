use std::path::Path;
use std::time::Duration;

use serde::Serialize;
use sqlx::SqlitePool;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions};

use crate::events::{Event, What};

const SCHEMA: &str = "
CREATE TABLE IF NOT EXISTS profiles (
    user_id TEXT PRIMARY KEY,
    display_name TEXT NOT NULL,
    bio TEXT NOT NULL,
    updated_at INTEGER NOT NULL
) STRICT;

-- Which events have had their effect: a broker may deliver one again at any time.
CREATE TABLE IF NOT EXISTS handled_events (
    event_id TEXT PRIMARY KEY,
    handled_at INTEGER NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS handled_events_age ON handled_events (handled_at);

-- How far we are with each user. It outlives the profile: a user who was deleted stays deleted.
CREATE TABLE IF NOT EXISTS users (
    user_id TEXT PRIMARY KEY,
    sequence INTEGER NOT NULL,
    deleted INTEGER NOT NULL
) STRICT;
";

/// What an event did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Applied {
    Done,
    /// It had its effect before.
    Duplicate,
    /// What we know of this user is newer.
    Outdated,
}

/// Longer than a broker or `keyward events replay` reaches back. The sequence of each user is kept for ever.
const REMEMBERED_SECONDS: i64 = 30 * 24 * 60 * 60;

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
        sqlx::raw_sql(SCHEMA).execute(&pool).await?;
        Ok(Self(pool))
    }

    /// Applies an event once, however often it comes. That it was applied is written in the transaction of its effect, so
    /// that neither can be there without the other: after a crash, the broker delivers it again and this tells.
    pub(crate) async fn apply(&self, event: &Event) -> Result<Applied, sqlx::Error> {
        // IMMEDIATE, because a transaction that reads first could not wait for another writer.
        let mut tx = self.0.begin_with("BEGIN IMMEDIATE").await?;
        let remembered = "INSERT INTO handled_events (event_id, handled_at) VALUES ($1, unixepoch())
            ON CONFLICT (event_id) DO NOTHING";
        if sqlx::query(remembered).bind(&event.id).execute(&mut *tx).await?.rows_affected() == 0 {
            return Ok(Applied::Duplicate);
        }
        sqlx::query("DELETE FROM handled_events WHERE handled_at < unixepoch() - $1")
            .bind(REMEMBERED_SECONDS)
            .execute(&mut *tx)
            .await?;
        let deleted = matches!(event.what, What::UserDeleted);
        let advanced = "INSERT INTO users (user_id, sequence, deleted) VALUES ($1, $2, $3)
            ON CONFLICT (user_id) DO UPDATE SET sequence = excluded.sequence, deleted = excluded.deleted
            WHERE excluded.sequence > users.sequence";
        let advanced = sqlx::query(advanced).bind(&event.user_id).bind(event.sequence).bind(deleted);
        if advanced.execute(&mut *tx).await?.rows_affected() == 0 {
            tx.commit().await?;
            return Ok(Applied::Outdated);
        }
        match &event.what {
            What::UserCreated { email } => {
                // The user may have been quicker than the event, and knows better what the profile should say.
                let create = "INSERT INTO profiles (user_id, display_name, bio, updated_at)
                    VALUES ($1, $2, '', unixepoch()) ON CONFLICT (user_id) DO NOTHING";
                let name = email.split('@').next().unwrap_or_default();
                sqlx::query(create).bind(&event.user_id).bind(name).execute(&mut *tx).await?;
            }
            What::UserDeleted => {
                let delete = sqlx::query("DELETE FROM profiles WHERE user_id = $1").bind(&event.user_id);
                delete.execute(&mut *tx).await?;
            }
        }
        tx.commit().await?;
        Ok(Applied::Done)
    }

    /// Writes a profile; `None` when the user was deleted, whose token may be good for some minutes yet.
    pub(crate) async fn put(
        &self,
        user_id: &str,
        display_name: &str,
        bio: &str,
    ) -> Result<Option<Profile>, sqlx::Error> {
        let row: Option<Row> = sqlx::query_as(
            "INSERT INTO profiles (user_id, display_name, bio, updated_at)
             SELECT $1, $2, $3, unixepoch()
             WHERE NOT EXISTS (SELECT 1 FROM users WHERE user_id = $1 AND deleted)
             ON CONFLICT (user_id) DO UPDATE
             SET display_name = excluded.display_name, bio = excluded.bio, updated_at = excluded.updated_at
             RETURNING *",
        )
        .bind(user_id)
        .bind(display_name)
        .bind(bio)
        .fetch_optional(&self.0)
        .await?;
        Ok(row.map(Profile::from))
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

#[cfg(test)]
mod tests {
    use super::*;

    const ANN: &str = "01a20ba5-8b63-7751-b30b-733a4758b26d";

    fn event(id: &str, sequence: i64, what: What) -> Event {
        Event { id: id.to_owned(), user_id: ANN.to_owned(), sequence, what }
    }

    fn created(id: &str) -> Event {
        event(id, 1, What::UserCreated { email: "ann@example.com".to_owned() })
    }

    fn deleted(id: &str) -> Event {
        event(id, 4, What::UserDeleted)
    }

    async fn name(profiles: &Profiles) -> Option<String> {
        profiles.find(ANN).await.unwrap().map(|profile| profile.display_name)
    }

    #[tokio::test]
    async fn an_event_has_its_effect_once() {
        let folder = tempfile::tempdir().unwrap();
        let profiles = Profiles::open(&folder.path().join("profiles.db")).await.unwrap();
        assert_eq!(profiles.apply(&created("a")).await.unwrap(), Applied::Done);
        assert_eq!(name(&profiles).await.as_deref(), Some("ann"));
        profiles.put(ANN, "Ann", "").await.unwrap().unwrap();
        assert_eq!(profiles.apply(&created("a")).await.unwrap(), Applied::Duplicate);
        assert_eq!(name(&profiles).await.as_deref(), Some("Ann"));
        assert_eq!(profiles.apply(&deleted("b")).await.unwrap(), Applied::Done);
        assert_eq!(profiles.apply(&deleted("b")).await.unwrap(), Applied::Duplicate);
        assert_eq!(name(&profiles).await, None);
    }

    #[tokio::test]
    async fn a_user_who_was_deleted_stays_deleted() {
        let folder = tempfile::tempdir().unwrap();
        let profiles = Profiles::open(&folder.path().join("profiles.db")).await.unwrap();
        // As when one replica of ours handles both while another holds up the first.
        assert_eq!(profiles.apply(&deleted("b")).await.unwrap(), Applied::Done);
        assert_eq!(profiles.apply(&created("a")).await.unwrap(), Applied::Outdated);
        assert_eq!(profiles.apply(&created("another id")).await.unwrap(), Applied::Outdated);
        assert_eq!(name(&profiles).await, None);
        assert!(profiles.put(ANN, "Ann", "").await.unwrap().is_none());
        assert_eq!(name(&profiles).await, None);
    }

    #[tokio::test]
    async fn a_profile_that_came_before_its_event_is_left_as_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let profiles = Profiles::open(&folder.path().join("profiles.db")).await.unwrap();
        profiles.put(ANN, "Ann", "lakes").await.unwrap().unwrap();
        assert_eq!(profiles.apply(&created("a")).await.unwrap(), Applied::Done);
        assert_eq!(name(&profiles).await.as_deref(), Some("Ann"));
    }
}
