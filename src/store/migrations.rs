//! The schema, step by step. All missing steps are applied in one transaction, so that a crash in
//! the middle leaves either the old schema or the new one.

use std::time::Duration;

use super::sql::{Record, Row};
use super::{Store, StoreError, Tx};
use crate::domain::Timestamp;

/// Any constant will do, as long as nobody else on the database uses it for the same purpose.
const LOCK: i64 = 0x6b65_7977_6172_6400;
const LOCK_POLLS: u32 = 300;
const LOCK_POLL: Duration = Duration::from_millis(200);

struct Step {
    name: &'static str,
    up: Script,
    down: Script,
}

struct Script {
    sqlite: &'static str,
    postgres: &'static str,
}

macro_rules! step {
    ($name:literal) => {
        Step {
            name: $name,
            up: Script {
                sqlite: include_str!(concat!("../../migrations/sqlite/", $name, ".up.sql")),
                postgres: include_str!(concat!("../../migrations/postgres/", $name, ".up.sql")),
            },
            down: Script {
                sqlite: include_str!(concat!("../../migrations/sqlite/", $name, ".down.sql")),
                postgres: include_str!(concat!("../../migrations/postgres/", $name, ".down.sql")),
            },
        }
    };
}

/// In order; the version of a step is its place, counted from one.
const STEPS: [Step; 10] = [
    step!("0001_users_auth"),
    step!("0002_refresh_tokens"),
    step!("0003_signing_keys"),
    step!("0004_outbox"),
    step!("0005_audit_log"),
    step!("0006_clients"),
    step!("0007_outbox_relay"),
    step!("0008_login_failures"),
    step!("0009_audit_outcome"),
    step!("0010_admins"),
];

/// The oldest binary (by the number of steps it knows) that works with this schema. Raise it only
/// with a step that breaks the code before it.
const MIN_BINARY: i64 = 1;

#[derive(Debug, Clone)]
pub struct AppliedMigration {
    pub version: i64,
    pub name: String,
    pub applied_at: Timestamp,
    min_binary: i64,
}

impl Record for AppliedMigration {
    fn read(row: &Row<'_>) -> Result<Self, StoreError> {
        Ok(Self {
            version: row.get("version")?,
            name: row.get("name")?,
            applied_at: row.get("applied_at")?,
            min_binary: row.get("min_binary")?,
        })
    }
}

/// What a migration did: the names of the steps, in the order in which they ran.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Migrations(pub Vec<&'static str>);

/// How the schema stands to this binary.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SchemaState {
    /// How many steps this binary knows.
    pub known: i64,
    /// How many were applied.
    pub applied: usize,
    /// Steps of this binary that were not.
    pub missing: Vec<String>,
    /// Steps that only a newer binary knows.
    pub newer: Vec<String>,
    /// Steps under numbers that this binary knows by other names.
    pub foreign: Vec<String>,
    /// How many steps a binary must know to work with this schema.
    pub needs: Option<i64>,
}

impl Store {
    /// Holds the steps that were applied against those that are known, and asks for no lock.
    pub async fn schema_state(&self) -> Result<SchemaState, StoreError> {
        Ok(schema_state(&self.migrations_look().await?))
    }

    /// Applies the steps that are missing. Steps newer than this binary are left alone (a newer
    /// replica made them) unless they say that a binary this old must not run.
    pub async fn migrate_up(&self, now: Timestamp) -> Result<Migrations, StoreError> {
        if self.migrated().await? {
            return Ok(Migrations(Vec::new()));
        }
        let mut tx = self.migration_lock().await?;
        let applied = tx.migrations().await?;
        refuse_if_too_old(&applied)?;
        let done = applied.iter().map(|step| step.version).max().unwrap_or(0);
        let mut names = Vec::new();
        for (version, step) in (1_i64..).zip(&STEPS).filter(|(version, _)| *version > done) {
            tx.script_either(step.up.sqlite, step.up.postgres).await?;
            tx.query("INSERT INTO schema_migrations (version, name, min_binary, applied_at) VALUES ($1, $2, $3, $4)")
                .bind(version)
                .bind(step.name.to_owned())
                .bind(MIN_BINARY)
                .bind(now)
                .execute()
                .await?;
            names.push(step.name);
        }
        tx.commit().await?;
        Ok(Migrations(names))
    }

    /// Takes steps back, newest first, until `target` is the newest one left.
    pub async fn migrate_down(&self, target: i64) -> Result<Migrations, StoreError> {
        let mut tx = self.migration_lock().await?;
        let applied = tx.migrations().await?;
        refuse_if_too_old(&applied)?;
        let mut names = Vec::new();
        for row in applied.iter().rev().filter(|row| row.version > target) {
            let known = usize::try_from(row.version - 1).ok().and_then(|at| STEPS.get(at));
            let Some(step) = known else { return Err(too_old(row.version)) };
            tx.script_either(step.down.sqlite, step.down.postgres).await?;
            tx.query("DELETE FROM schema_migrations WHERE version = $1").bind(row.version).execute().await?;
            names.push(step.name);
        }
        tx.commit().await?;
        Ok(Migrations(names))
    }

    /// Lists the steps that were applied, oldest first.
    pub async fn migrations(&self) -> Result<Vec<AppliedMigration>, StoreError> {
        let mut tx = self.migration_lock().await?;
        let applied = tx.migrations().await?;
        tx.commit().await?;
        Ok(applied)
    }

    /// Tells whether nothing is to be done, without asking for more than to read: a server's role may
    /// have no right to change the schema.
    async fn migrated(&self) -> Result<bool, StoreError> {
        let applied = self.migrations_look().await?;
        refuse_if_too_old(&applied)?;
        Ok(applied.iter().map(|step| step.version).max().is_some_and(|newest| newest >= known()))
    }

    async fn migrations_look(&self) -> Result<Vec<AppliedMigration>, StoreError> {
        self.read("migrations", |tx| {
            Box::pin(
                async move { if tx.migrations_exist().await? { tx.migrations().await } else { Ok(vec![]) } },
            )
        })
        .await
    }

    /// Opens a transaction that only one migrating process has at a time. On SQLite `BEGIN
    /// IMMEDIATE` is the lock; on PostgreSQL it is polled, and held by the transaction rather than
    /// the session, which a transaction pooler would share out.
    async fn migration_lock(&self) -> Result<Tx, StoreError> {
        for _ in 0..LOCK_POLLS {
            let mut tx = self.begin().await?;
            if !tx.postgres() || tx.migration_try_lock().await? {
                tx.migrations_table().await?;
                return Ok(tx);
            }
            tx.rollback().await?;
            tokio::time::sleep(LOCK_POLL).await;
        }
        Err(StoreError::Timeout { work: "waiting for another migration" })
    }
}

struct Flag(bool);

impl Record for Flag {
    fn read(row: &Row<'_>) -> Result<Self, StoreError> {
        row.get("flag").map(Self)
    }
}

impl Tx {
    async fn migration_try_lock(&mut self) -> Result<bool, StoreError> {
        const PATIENCE: &str = "SET LOCAL lock_timeout = '5s'; SET LOCAL statement_timeout = '10min'";
        self.script_either("", PATIENCE).await?;
        let locked: Flag =
            self.query("SELECT pg_try_advisory_xact_lock($1) AS flag").bind(LOCK).fetch_one().await?;
        Ok(locked.0)
    }

    async fn migrations_exist(&mut self) -> Result<bool, StoreError> {
        let exist: Flag = self
            .query_either(
                "SELECT EXISTS (SELECT 1 FROM sqlite_schema WHERE name = 'schema_migrations') AS flag",
                "SELECT to_regclass('schema_migrations') IS NOT NULL AS flag",
            )
            .fetch_one()
            .await?;
        Ok(exist.0)
    }

    async fn migrations_table(&mut self) -> Result<(), StoreError> {
        self.query_either(
            "CREATE TABLE IF NOT EXISTS schema_migrations (version INTEGER NOT NULL PRIMARY KEY, name TEXT NOT NULL, \
             min_binary INTEGER NOT NULL, applied_at INTEGER NOT NULL) STRICT",
            "CREATE TABLE IF NOT EXISTS schema_migrations (version bigint NOT NULL PRIMARY KEY, name text NOT NULL, \
             min_binary bigint NOT NULL, applied_at timestamptz NOT NULL)",
        )
        .execute()
        .await
        .map(drop)
    }

    async fn migrations(&mut self) -> Result<Vec<AppliedMigration>, StoreError> {
        self.query("SELECT version, name, min_binary, applied_at FROM schema_migrations ORDER BY version")
            .fetch_all()
            .await
    }
}

fn schema_state(applied: &[AppliedMigration]) -> SchemaState {
    let name_of =
        |version: i64| usize::try_from(version - 1).ok().and_then(|at| STEPS.get(at)).map(|step| step.name);
    let named =
        |rows: &mut dyn Iterator<Item = &AppliedMigration>| rows.map(|row| row.name.clone()).collect();
    let missing =
        (1_i64..).zip(&STEPS).filter(|(version, _)| !applied.iter().any(|row| row.version == *version));
    SchemaState {
        known: known(),
        applied: applied.len(),
        missing: missing.map(|(_, step)| step.name.to_owned()).collect(),
        newer: named(&mut applied.iter().filter(|row| row.version > known())),
        foreign: named(
            &mut applied
                .iter()
                .filter(|row| row.version <= known() && name_of(row.version) != Some(row.name.as_str())),
        ),
        needs: applied.iter().map(|row| row.min_binary).max(),
    }
}

fn refuse_if_too_old(applied: &[AppliedMigration]) -> Result<(), StoreError> {
    match applied.iter().map(|step| step.min_binary).max() {
        Some(needed) if needed > known() => Err(too_old(needed)),
        _ => Ok(()),
    }
}

/// How many steps this binary knows.
fn known() -> i64 {
    i64::try_from(STEPS.len()).unwrap_or(i64::MAX)
}

fn too_old(needed: i64) -> StoreError {
    StoreError::Defect(sqlx::Error::Configuration(
        format!(
            "the database's schema needs a Keyward that knows {needed} migrations; this one knows {}: upgrade it",
            STEPS.len()
        )
        .into(),
    ))
}
