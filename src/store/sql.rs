//! The facade that runs one statement on two databases: `$1` means the same on both.

use std::future::Future;
use std::pin::Pin;
use std::time::{Duration, Instant};

use sqlx::pool::PoolConnection;
use sqlx::postgres::{PgArguments, PgRow};
use sqlx::sqlite::{SqliteArguments, SqliteRow};
use sqlx::{Arguments as _, Database, Pool, Postgres, Row as _, Sqlite};

use super::columns::Column;
use super::open::BEGIN_POOLED;
use super::{Store, StoreError, audit_log, measures};
use crate::domain::AuditEntry;

/// What a piece of work returns: `Box::pin(async move { … })`.
pub type Work<'t, T, E> = Pin<Box<dyn Future<Output = Result<T, E>> + Send + 't>>;

enum Connection {
    Sqlite(PoolConnection<Sqlite>),
    Postgres(PoolConnection<Postgres>),
}

/// A connection lent to one piece of work.
///
/// Dropped in the middle (a time-out, a panic) it is closed and never goes back to the pool: the
/// next request must not find it inside somebody else's transaction.
pub struct Tx {
    connection: Option<Connection>,
    /// Whether a transaction pooler is in between. Outside a transaction it may send each half of a statement, its text
    /// and its arguments, to another server's connection, where somebody else's text waits: so all work is in one.
    pooled: bool,
    /// What was added to the audit log, to be told once it is committed.
    pub(super) recorded: Vec<AuditEntry>,
}

impl std::fmt::Debug for Tx {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tx").finish_non_exhaustive()
    }
}

impl Store {
    pub(super) async fn begin(&self) -> Result<Tx, StoreError> {
        let mut tx = self.writer().await?;
        if !tx.pooled {
            tx.query_either("BEGIN IMMEDIATE", "BEGIN").execute().await?;
        }
        Ok(tx)
    }

    pub(super) async fn writer(&self) -> Result<Tx, StoreError> {
        let begun = Instant::now();
        let acquired = match self {
            Self::Sqlite { writer, .. } => acquire(writer).await.map(Connection::Sqlite),
            Self::Postgres { pool, .. } => acquire(pool).await.map(Connection::Postgres),
        };
        self.lend(measures::acquired(begun, acquired)?).await
    }

    pub(super) async fn reader(&self) -> Result<Tx, StoreError> {
        let begun = Instant::now();
        let acquired = match self {
            Self::Sqlite { readers, .. } => acquire(readers).await.map(Connection::Sqlite),
            Self::Postgres { pool, .. } => acquire(pool).await.map(Connection::Postgres),
        };
        self.lend(measures::acquired(begun, acquired)?).await
    }

    async fn lend(&self, connection: Connection) -> Result<Tx, StoreError> {
        let pooled = matches!(self, Self::Postgres { pooled: true, .. });
        let mut tx = Tx { connection: Some(connection), pooled, recorded: Vec::new() };
        if pooled {
            tx.script_either("", BEGIN_POOLED).await?;
        }
        Ok(tx)
    }
}

/// Boxed where it may have to connect: a future with a whole handshake in it would be copied at every step of every
/// piece of work, also of those that find a connection ready.
async fn acquire<DB: Database>(pool: &Pool<DB>) -> Result<PoolConnection<DB>, sqlx::Error> {
    match pool.try_acquire() {
        Some(connection) => Ok(connection),
        None => Box::pin(pool.acquire()).await,
    }
}

/// On its way back a connection has to show that it answers. The driver alone would wait for ever for one that fell silent,
/// and its place in the pool would be lost with it.
const RETURN_TIMEOUT: Duration = Duration::from_secs(3);

impl Tx {
    /// Prepares a statement that is the same on both databases.
    pub fn query(&mut self, sql: &'static str) -> Query<'_> {
        self.query_either(sql, sql)
    }

    /// Prepares a statement where the two databases truly differ.
    pub fn query_either(&mut self, sqlite: &'static str, postgres: &'static str) -> Query<'_> {
        let (sql, arguments) = match &self.connection {
            Some(Connection::Postgres(_)) => (postgres, Arguments::Postgres(PgArguments::default())),
            _ => (sqlite, Arguments::Sqlite(SqliteArguments::default())),
        };
        Query { tx: self, sql, arguments, bad_argument: None }
    }

    /// Runs several statements without arguments, as in a migration.
    pub(super) async fn script_either(
        &mut self,
        sqlite: &'static str,
        postgres: &'static str,
    ) -> Result<(), StoreError> {
        match self.connection()? {
            Connection::Sqlite(c) => sqlx::raw_sql(sqlite).execute(&mut **c).await.map(drop)?,
            Connection::Postgres(c) => sqlx::raw_sql(postgres).execute(&mut **c).await.map(drop)?,
        }
        Ok(())
    }

    /// Lifts the limit on how long a statement of this transaction may take.
    pub async fn unhurried(&mut self) -> Result<(), StoreError> {
        self.query_either("SELECT 1", "SET LOCAL statement_timeout = 0").execute().await.map(drop)
    }

    pub(super) fn postgres(&self) -> bool {
        matches!(self.connection, Some(Connection::Postgres(_)))
    }

    pub(super) async fn commit(mut self) -> Result<(), StoreError> {
        self.query("COMMIT").execute().await?;
        self.release_committed();
        Ok(())
    }

    pub(super) async fn rollback(mut self) -> Result<(), StoreError> {
        self.query("ROLLBACK").execute().await?;
        self.release();
        Ok(())
    }

    /// Ends work that had no transaction of its own.
    pub(super) async fn end<T, E: From<StoreError>>(mut self, result: Result<T, E>) -> Result<T, E> {
        if self.pooled {
            self.script_either("", if result.is_ok() { "COMMIT" } else { "ROLLBACK" }).await?;
        }
        match &result {
            Ok(_) => self.release_committed(),
            Err(_) => self.release(),
        }
        result
    }

    /// Gives the connection back to its pool, in order.
    pub(super) fn release(mut self) {
        if let Some(Connection::Postgres(mut connection)) = self.connection.take() {
            tokio::spawn(tokio::time::timeout(RETURN_TIMEOUT, connection.return_to_pool()));
        }
    }

    /// Likewise, and tells what is now in the audit log.
    pub(super) fn release_committed(mut self) {
        let recorded = std::mem::take(&mut self.recorded);
        self.release();
        audit_log::announce(recorded);
    }

    fn connection(&mut self) -> Result<&mut Connection, StoreError> {
        self.connection.as_mut().ok_or(StoreError::Unavailable(sqlx::Error::PoolClosed))
    }
}

impl Drop for Tx {
    fn drop(&mut self) {
        match self.connection.take() {
            Some(Connection::Sqlite(connection)) => drop(connection.detach()),
            Some(Connection::Postgres(connection)) => drop(connection.detach()),
            None => {}
        }
    }
}

/// The arguments of a statement, for one of the databases.
pub(super) enum Arguments {
    Sqlite(SqliteArguments),
    Postgres(PgArguments),
}

/// A statement with its arguments, ready to run.
pub struct Query<'t> {
    tx: &'t mut Tx,
    sql: &'static str,
    arguments: Arguments,
    bad_argument: Option<sqlx::error::BoxDynError>,
}

impl std::fmt::Debug for Query<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Query").field("sql", &self.sql).finish_non_exhaustive()
    }
}

impl Query<'_> {
    /// Adds the next argument.
    #[must_use]
    pub fn bind<T: Column>(self, value: T) -> Self {
        self.bind_optional(Some(value))
    }

    /// Adds the next argument, `NULL` for `None`.
    #[must_use]
    pub fn bind_optional<T: Column>(mut self, value: Option<T>) -> Self {
        let added = match &mut self.arguments {
            Arguments::Sqlite(arguments) => arguments.add(value.map(T::to_sqlite)),
            Arguments::Postgres(arguments) => arguments.add(value.map(T::to_postgres)),
        };
        self.bad_argument = self.bad_argument.or(added.err());
        self
    }

    /// Adds an array, which only PostgreSQL has: for the second statement of `query_either`.
    #[must_use]
    pub fn bind_array<T: Column>(mut self, values: impl IntoIterator<Item = T>) -> Self
    where
        Vec<T::Postgres>: for<'q> sqlx::Encode<'q, Postgres> + sqlx::Type<Postgres>,
    {
        if let Arguments::Postgres(arguments) = &mut self.arguments {
            let values: Vec<T::Postgres> = values.into_iter().map(T::to_postgres).collect();
            self.bad_argument = self.bad_argument.or(arguments.add(values).err());
        }
        self
    }

    /// Adds the last argument of a statement that PostgreSQL runs once for all members of a group,
    /// and SQLite once for its only one.
    #[must_use]
    pub fn bind_group<T: Column>(self, members: impl IntoIterator<Item = T>) -> Self
    where
        Vec<T::Postgres>: for<'q> sqlx::Encode<'q, Postgres> + sqlx::Type<Postgres>,
    {
        if matches!(self.arguments, Arguments::Postgres(_)) {
            return self.bind_array(members);
        }
        members.into_iter().fold(self, Self::bind)
    }

    /// Runs the statement and returns how many rows it changed.
    pub async fn execute(self) -> Result<u64, StoreError> {
        let Self { tx, sql, arguments, bad_argument } = self;
        refuse(bad_argument)?;
        let kept = !tx.pooled;
        let begun = Instant::now();
        let changed = match (tx.connection()?, arguments) {
            (Connection::Sqlite(c), Arguments::Sqlite(a)) => {
                sqlx::query_with(sql, a).execute(&mut **c).await.map(|done| done.rows_affected())
            }
            (Connection::Postgres(c), Arguments::Postgres(a)) => {
                let query = sqlx::query_with(sql, a).persistent(kept);
                query.execute(&mut **c).await.map(|done| done.rows_affected())
            }
            _ => return Err(mismatch()),
        };
        measures::statement(begun, changed)
    }

    /// Runs the statement and returns its rows.
    pub async fn fetch_all<R: Record>(self) -> Result<Vec<R>, StoreError> {
        let Self { tx, sql, arguments, bad_argument } = self;
        refuse(bad_argument)?;
        let kept = !tx.pooled;
        let begun = Instant::now();
        match (tx.connection()?, arguments) {
            (Connection::Sqlite(c), Arguments::Sqlite(a)) => {
                let rows = sqlx::query_with(sql, a).fetch_all(&mut **c).await;
                measures::statement(begun, rows)?.iter().map(|row| R::read(&Row::Sqlite(row))).collect()
            }
            (Connection::Postgres(c), Arguments::Postgres(a)) => {
                let rows = sqlx::query_with(sql, a).persistent(kept).fetch_all(&mut **c).await;
                measures::statement(begun, rows)?.iter().map(|row| R::read(&Row::Postgres(row))).collect()
            }
            _ => Err(mismatch()),
        }
    }

    /// Runs the statement and returns its first row, if any.
    pub async fn fetch_optional<R: Record>(self) -> Result<Option<R>, StoreError> {
        Ok(self.fetch_all().await?.into_iter().next())
    }

    /// Runs a statement that always gives a row.
    pub async fn fetch_one<R: Record>(self) -> Result<R, StoreError> {
        self.fetch_optional().await?.ok_or(StoreError::Defect(sqlx::Error::RowNotFound))
    }
}

fn refuse(bad_argument: Option<sqlx::error::BoxDynError>) -> Result<(), StoreError> {
    bad_argument.map_or(Ok(()), |error| Err(StoreError::Defect(sqlx::Error::Encode(error))))
}

fn mismatch() -> StoreError {
    StoreError::Defect(sqlx::Error::Configuration("arguments of the other database".into()))
}

/// A row of either database, read by column name.
#[derive(Debug)]
pub enum Row<'r> {
    Sqlite(&'r SqliteRow),
    Postgres(&'r PgRow),
}

impl Row<'_> {
    pub fn get<T: Column>(&self, column: &'static str) -> Result<T, StoreError> {
        self.optional(column)?.ok_or_else(|| StoreError::column(column, &"NULL"))
    }

    pub fn optional<T: Column>(&self, column: &'static str) -> Result<Option<T>, StoreError> {
        let value = match self {
            Self::Sqlite(row) => row.try_get::<Option<T::Sqlite>, _>(column)?.map(T::from_sqlite),
            Self::Postgres(row) => row.try_get::<Option<T::Postgres>, _>(column)?.map(T::from_postgres),
        };
        value.transpose().map_err(|reason| StoreError::column(column, &reason))
    }
}

/// Something that is read from a row.
pub trait Record: Sized + Send {
    fn read(row: &Row<'_>) -> Result<Self, StoreError>;
}
