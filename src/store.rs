//! Everything that is kept: one set of statements for SQLite and PostgreSQL.
//!
//! A piece of work is lent a [`Tx`]; the methods on it are spread by noun (`users`,
//! `refresh_tokens`, `outbox`, …) and each holds one statement. Work runs in a task of its own, so
//! that a client who hangs up cannot leave half of it behind.

mod audit_log;
mod backup;
mod batcher;
mod budget;
mod clients;
mod columns;
mod error;
mod grants;
mod installation;
mod leases;
mod login_failures;
mod look;
mod measures;
mod migrations;
mod open;
mod outbox;
mod outbox_history;
mod outbox_notices;
mod outbox_upkeep;
mod refresh_tokens;
mod sessions;
mod signing_keys;
mod sql;
mod users;

use std::time::Duration;

use sqlx::{PgPool, SqlitePool};

use crate::telemetry::Span;

pub use audit_log::{AuditGuard, AuditPage};
pub use backup::CopyState;
pub use batcher::{Batcher, Group};
pub use budget::{unhurried, with_budget, within_budget};
pub use clients::ClientRow;
pub use error::StoreError;
pub use grants::grants;
pub use installation::MasterKeyRow;
pub use leases::{HeldLease, Lease};
pub use login_failures::FailuresKey;
pub use measures::PoolState;
pub use migrations::{AppliedMigration, Migrations, SchemaState};
pub use open::{DatabaseOptions, Location, SQLITE_ENGINE_MIN};
pub use outbox::{Delivery, DeliveryOutcome};
pub use outbox_history::OutboxPosition;
pub use outbox_notices::OutboxListener;
pub use outbox_upkeep::{Backlog, Refusals};
pub use refresh_tokens::{FamilyWithUser, Rotation};
pub use sessions::NewFamily;
pub use signing_keys::SigningKeyRow;
pub use sql::{Tx, Work};
pub use users::{Credential, NewUser, UserPage};

/// After its budget, work on a connection that does not even fail is dropped, socket and all.
const ABANDON_AFTER: Duration = Duration::from_secs(1);

/// The database, one of two kinds. Cheap to clone.
#[derive(Debug, Clone)]
pub enum Store {
    Sqlite {
        /// One connection: SQLite has one writer, and waiting in our queue beats `SQLITE_BUSY`.
        writer: SqlitePool,
        readers: SqlitePool,
    },
    Postgres {
        pool: PgPool,
        /// A transaction pooler shares the connections behind these out, a transaction at a time.
        pooled: bool,
    },
}

impl Store {
    /// Runs work in one transaction: committed when it returns `Ok`, else rolled back.
    pub async fn transaction<T, E, F>(&self, name: &'static str, work: F) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
        F: for<'t> FnOnce(&'t mut Tx) -> Work<'t, T, E> + Send + 'static,
    {
        let store = self.clone();
        let transaction = async move {
            let mut tx = store.begin().await?;
            match work(&mut tx).await {
                Ok(value) => {
                    tx.commit().await?;
                    Ok(value)
                }
                Err(error) => {
                    tx.rollback().await?;
                    Err(error)
                }
            }
        };
        self.run(name, Box::pin(transaction)).await
    }

    /// Runs work that only reads, without a transaction around it.
    pub async fn read<T, E, F>(&self, name: &'static str, work: F) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
        F: for<'t> FnOnce(&'t mut Tx) -> Work<'t, T, E> + Send + 'static,
    {
        let store = self.clone();
        let reading = async move {
            let mut tx = store.reader().await?;
            let result = work(&mut tx).await;
            tx.end(result).await
        };
        self.run(name, Box::pin(reading)).await
    }

    /// Runs work of a single statement that commits by itself.
    pub async fn write<T, E, F>(&self, name: &'static str, work: F) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
        F: for<'t> FnOnce(&'t mut Tx) -> Work<'t, T, E> + Send + 'static,
    {
        let store = self.clone();
        let writing = async move {
            let mut tx = store.writer().await?;
            let result = work(&mut tx).await;
            tx.end(result).await
        };
        self.run(name, Box::pin(writing)).await
    }

    /// Asks the database for a sign of life.
    pub async fn ping(&self) -> Result<(), StoreError> {
        self.read("ping", |tx| Box::pin(async move { tx.query("SELECT 1").execute().await.map(drop) })).await
    }

    /// Closes all connections, once what runs on them has ended.
    pub async fn close(&self) {
        match self {
            Self::Sqlite { writer, readers } => {
                readers.close().await;
                writer.close().await;
            }
            Self::Postgres { pool, .. } => pool.close().await,
        }
    }

    /// Runs in a task that a dropped request cannot cancel, within what is left of the request's budget.
    async fn run<T, E>(
        &self,
        name: &'static str,
        work: impl Future<Output = Result<T, E>> + Send + 'static,
    ) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        let left = budget::left();
        let started = tokio::time::Instant::now();
        let span = Span::begin("database", name);
        let task = tokio::spawn(span.around(tokio::time::timeout(left + ABANDON_AFTER, work)));
        let outcome = tokio::time::timeout(left, task).await;
        drop(span);
        let took = started.elapsed();
        budget::spend(took);
        measures::work(name, took);
        let error = match outcome {
            Ok(Ok(Ok(result))) => return result,
            Ok(Ok(Err(_))) | Err(_) => StoreError::Timeout { work: name },
            Ok(Err(panic)) => StoreError::panicked(name, &panic),
        };
        measures::error(&error);
        Err(error.into())
    }
}
