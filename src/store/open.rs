use std::path::{Path, PathBuf};
use std::str::FromStr as _;
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous,
};
use sqlx::{ConnectOptions as _, Connection as _};

use super::sql::{Record, Row};
use super::{Store, StoreError};

/// Earlier engines can lose acknowledged commits in WAL mode.
pub const SQLITE_ENGINE_MIN: (u32, u32, u32) = (3, 51, 3);
pub(super) const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(3);
/// Another process (the command line beside a server) may be writing.
pub(super) const SQLITE_BUSY_TIMEOUT: Duration = Duration::from_secs(3);
const SQLITE_BUSY_PAUSE: Duration = Duration::from_millis(20);

/// Of a connection, in milliseconds: a little less than the budget of a request, so that the server gives up before we do.
const LIMITS: [(&str, &str); 3] = [
    ("statement_timeout", "3500"),
    ("lock_timeout", "3000"),
    ("idle_in_transaction_session_timeout", "10000"),
];
/// Begins a transaction with the same limits, in one message, which a pooler does not take apart.
pub(super) const BEGIN_POOLED: &str = "BEGIN; SET LOCAL statement_timeout = 3500; SET LOCAL lock_timeout = 3000; \
    SET LOCAL idle_in_transaction_session_timeout = 10000";

/// Where the data is.
#[derive(Debug, Clone, Copy)]
pub enum Location<'a> {
    Sqlite(&'a Path),
    /// A URL with its password: not to be logged.
    Postgres(&'a str),
}

#[derive(Debug, Clone, Copy)]
pub struct DatabaseOptions {
    pub max_connections: u32,
    /// A transaction pooler such as `PgBouncer` sits in front: no state may stay on a connection.
    pub transaction_pooler: bool,
}

impl Store {
    pub async fn open(location: Location<'_>, options: DatabaseOptions) -> Result<Self, StoreError> {
        match location {
            Location::Sqlite(path) => Self::open_sqlite(path, options).await,
            Location::Postgres(url) => open_postgres(postgres_options(url, options)?, options).await,
        }
    }

    async fn open_sqlite(path: &Path, options: DatabaseOptions) -> Result<Self, StoreError> {
        let connect = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true)
            .foreign_keys(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .busy_timeout(SQLITE_BUSY_TIMEOUT)
            .pragma("trusted_schema", "OFF");
        let pool = || SqlitePoolOptions::new().acquire_timeout(ACQUIRE_TIMEOUT).test_before_acquire(false);
        let writer = open_writer(&pool().max_connections(1), &connect).await?;
        let readers = pool()
            .max_connections(options.max_connections)
            .connect_lazy_with(connect.pragma("query_only", "ON"));
        let store = Self::Sqlite { writer, readers };
        let version: Engine = store
            .read("sqlite_version", |tx| {
                Box::pin(async move { tx.query("SELECT sqlite_version() AS version").fetch_one().await })
            })
            .await?;
        check_engine(&version.0)?;
        Ok(store)
    }

    /// Returns the file of an embedded database.
    #[must_use]
    pub fn sqlite_path(&self) -> Option<PathBuf> {
        match self {
            Self::Sqlite { writer, .. } => Some(writer.connect_options().get_filename().to_path_buf()),
            Self::Postgres { .. } => None,
        }
    }
}

/// Reads the URL, and says what every connection is to know.
pub(super) fn postgres_options(url: &str, options: DatabaseOptions) -> Result<PgConnectOptions, StoreError> {
    let connect = PgConnectOptions::from_str(url)?.application_name("keyward");
    Ok(if options.transaction_pooler {
        // Poolers know few settings of a session, and refuse the rest.
        connect.statement_cache_capacity(0).extra_float_digits(None)
    } else {
        connect.options(LIMITS).options([
            // Every statement of ours goes by an index. A plan is made when a statement is prepared, perhaps of a table
            // that is still small, and kept when it has grown: then it is not to read the whole table, nor the whole of an index
            // that tells almost nothing beside another.
            ("enable_seqscan", "off"),
            ("enable_bitmapscan", "off"),
            ("enable_hashjoin", "off"),
            ("enable_mergejoin", "off"),
        ])
    })
}

pub(super) async fn open_postgres(
    connect: PgConnectOptions,
    options: DatabaseOptions,
) -> Result<Store, StoreError> {
    let pool = PgPoolOptions::new()
        .max_connections(options.max_connections)
        .acquire_timeout(ACQUIRE_TIMEOUT)
        .test_before_acquire(false)
        .connect_lazy_with(connect.clone());
    // The pool would only say that it waited in vain; a connection beside it says why. Together, since each takes two
    // delayed acknowledgements to greet over TLS.
    let ready = async {
        drop(pool.acquire().await);
        Ok(())
    };
    tokio::try_join!(Box::pin(first_connection(connect)), Box::pin(ready))?;
    Ok(Store::Postgres { pool, pooled: options.transaction_pooler })
}

/// Connects once, to say what is wrong when that fails.
async fn first_connection(connect: PgConnectOptions) -> Result<(), StoreError> {
    let address = format!("{}:{}", connect.get_host(), connect.get_port());
    let unreachable = |reason: String| StoreError::Unreachable { address: address.clone(), reason };
    match tokio::time::timeout(ACQUIRE_TIMEOUT, connect.connect()).await {
        Ok(Ok(first)) => Ok(first.close().await?),
        Ok(Err(sqlx::Error::Io(error))) => Err(unreachable(with_advice(error.to_string()))),
        Ok(Err(sqlx::Error::Tls(error))) => Err(unreachable(with_advice(error.to_string()))),
        Ok(Err(error)) => Err(error.into()),
        Err(_) => Err(unreachable(format!("no connection within {} s", ACQUIRE_TIMEOUT.as_secs()))),
    }
}

/// What can be done about a connection that TLS ended.
fn with_advice(reason: String) -> String {
    let advice = if reason.contains("server does not support TLS") {
        "sslmode=disable, where nobody can be on the path, makes a plain connection"
    } else if reason.contains("not valid for name") {
        "write the host as its certificate has it; sslmode=verify-ca does not look at the name"
    } else if reason.contains("certificate") {
        "sslrootcert=/etc/keyward/ca.pem names an authority of your own; sslmode=require encrypts and trusts whoever \
         answers"
    } else {
        return reason;
    };
    format!("{reason}\n  fix: in the URL of the database, {advice}")
}

/// Opens a file that others may be opening for the first time too. Who turns it to WAL holds it alone, and the rest get
/// `SQLITE_BUSY` at once: the busy timeout does not cover that step.
async fn open_writer(
    pool: &SqlitePoolOptions,
    connect: &SqliteConnectOptions,
) -> Result<SqlitePool, sqlx::Error> {
    let deadline = tokio::time::Instant::now() + SQLITE_BUSY_TIMEOUT;
    loop {
        match pool.clone().connect_with(connect.clone()).await {
            Err(error) if busy(&error) && tokio::time::Instant::now() < deadline => {
                tokio::time::sleep(SQLITE_BUSY_PAUSE).await;
            }
            opened => return opened,
        }
    }
}

/// Tells `SQLITE_BUSY`, which is 5 in the low byte of its extended codes too.
fn busy(error: &sqlx::Error) -> bool {
    let code = error.as_database_error().and_then(sqlx::error::DatabaseError::code);
    code.and_then(|code| code.parse::<u32>().ok()).is_some_and(|code| code & 0xff == 5)
}

struct Engine(String);

impl Record for Engine {
    fn read(row: &Row<'_>) -> Result<Self, StoreError> {
        row.get("version").map(Self)
    }
}

fn check_engine(version: &str) -> Result<(), StoreError> {
    let mut numbers = version.split('.').map(|part| part.parse::<u32>().unwrap_or(0));
    let mut next = || numbers.next().unwrap_or(0);
    let (major, minor, patch) = SQLITE_ENGINE_MIN;
    if (next(), next(), next()) >= SQLITE_ENGINE_MIN {
        return Ok(());
    }
    Err(StoreError::Defect(sqlx::Error::Configuration(
        format!(
            "SQLite {version} can lose commits in WAL mode; Keyward needs {major}.{minor}.{patch} or newer"
        )
        .into(),
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_the_same_behind_a_pooler() {
        let set = LIMITS.map(|(name, value)| format!("; SET LOCAL {name} = {value}")).concat();
        assert_eq!(BEGIN_POOLED, format!("BEGIN{set}"));
    }

    #[test]
    fn old_engines_are_refused() {
        for old in ["3.51.2", "3.50.9", "2.99.9", "3", ""] {
            assert!(check_engine(old).is_err(), "{old}");
        }
        for good in ["3.51.3", "3.52.0", "4.0.0"] {
            assert!(check_engine(good).is_ok(), "{good}");
        }
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn a_new_file_can_be_opened_by_many_at_once() {
        let options = DatabaseOptions { max_connections: 1, transaction_pooler: false };
        for _ in 0..50 {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("keyward.db");
            let open = |_| {
                let path = path.clone();
                tokio::spawn(async move { Store::open(Location::Sqlite(&path), options).await.map(drop) })
            };
            for opened in (0..16).map(open).collect::<Vec<_>>() {
                opened.await.unwrap().unwrap();
            }
        }
    }
}
