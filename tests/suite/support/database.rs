use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use keyward::store::{DatabaseOptions, Location, Store};
use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _, Row as _};
use tempfile::TempDir;
use tokio::sync::OnceCell;

use super::events;

/// Any number that nobody else locks on the test server.
const TEMPLATE_LOCK: i64 = 7_300_002;
/// A database that a killed test left behind is removed by a later one.
const STALE: Duration = Duration::from_secs(2 * 60 * 60);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Sqlite,
    Postgres,
}

impl Kind {
    /// Which database this run of the suite is about.
    pub fn of_this_run() -> Self {
        match std::env::var("KEYWARD_TEST_DATABASE").as_deref() {
            Ok("postgres") => Self::Postgres,
            _ => Self::Sqlite,
        }
    }
}

#[derive(Clone, Copy)]
enum Copied {
    Migrated,
    Empty,
}

/// A fresh database of its own; gone when dropped.
pub struct TestDatabase {
    pub kind: Kind,
    /// The data folder of the servers on it, and the file itself on SQLite.
    pub folder: TempDir,
    /// That of somebody else, instead.
    file: Option<PathBuf>,
    postgres: Option<(PgConnectOptions, String)>,
    beside: OnceCell<Store>,
}

impl TestDatabase {
    pub async fn create() -> Self {
        Self::copy_of(Copied::Migrated).await
    }

    /// Nothing in it, not even the tables.
    pub async fn create_empty() -> Self {
        Self::copy_of(Copied::Empty).await
    }

    /// An empty one on a server of a test's own.
    pub async fn create_on(server: PgConnectOptions) -> Self {
        let name = create_empty_on(&server).await;
        Self::of(Kind::Postgres, Some((server, name)))
    }

    fn of(kind: Kind, postgres: Option<(PgConnectOptions, String)>) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        Self { kind, folder, file: None, postgres, beside: OnceCell::new() }
    }

    async fn copy_of(copied: Copied) -> Self {
        let kind = Kind::of_this_run();
        let postgres = match (kind, copied) {
            (Kind::Sqlite, _) => None,
            (Kind::Postgres, Copied::Migrated) => Some(clone_of_template().await),
            (Kind::Postgres, Copied::Empty) => Some(empty().await),
        };
        Self::of(kind, postgres)
    }

    /// The value of `database_url`.
    pub fn url(&self) -> String {
        match &self.postgres {
            None => format!("sqlite://{}", self.sqlite_file().display()),
            Some((server, name)) => url(&server.clone().database(name)),
        }
    }

    /// A look at an embedded database that somebody else made.
    pub fn of_file(file: &Path) -> Self {
        let mut database = Self::of(Kind::Sqlite, None);
        database.file = Some(file.to_owned());
        database
    }

    /// Where its server is, as `host:port`.
    pub fn address(&self) -> String {
        let (server, _) = self.postgres.as_ref().expect("PostgreSQL");
        format!("{}:{}", server.get_host(), server.get_port())
    }

    /// The value of `database_url` by way of the pooler that this run of the suite goes through, if it does.
    pub fn url_through_pooler(&self) -> Option<String> {
        let pooler = std::env::var("KEYWARD_TEST_PGBOUNCER")
            .ok()?
            .parse()
            .expect("KEYWARD_TEST_PGBOUNCER is an address");
        // Who has a server of their own is not behind it.
        let (own, _) = self.postgres.as_ref()?;
        (url(own) == url(&server())).then(|| self.url_through(pooler))
    }

    /// The settings of servers on it, by their dotted keys.
    pub fn settings(&self) -> Vec<(&'static str, String)> {
        let Some(pooled) = self.url_through_pooler() else { return vec![("database_url", self.url())] };
        vec![
            ("database_url", pooled),
            ("database.pooler", "transaction".to_owned()),
            ("database.direct_url", self.url()),
        ]
    }

    /// The value of `database_url` by way of somebody in between.
    pub fn url_through(&self, address: SocketAddr) -> String {
        let (server, name) = self.postgres.as_ref().expect("PostgreSQL");
        let options = server.clone().host(&address.ip().to_string()).port(address.port());
        url(&options.database(name))
    }

    pub fn sqlite_file(&self) -> PathBuf {
        self.file.clone().unwrap_or_else(|| self.folder.path().join("keyward.db"))
    }

    /// The store beside the servers, opened once.
    pub async fn store(&self) -> &Store {
        self.beside.get_or_init(|| self.open()).await
    }

    /// Another store, with connections of its own.
    pub async fn open(&self) -> Store {
        let options = DatabaseOptions { max_connections: 2, transaction_pooler: false };
        let (url, file) = (self.url(), self.sqlite_file());
        let location = match self.kind {
            Kind::Sqlite => Location::Sqlite(&file),
            Kind::Postgres => Location::Postgres(&url),
        };
        Store::open(location, options).await.expect("the test database opens")
    }

    /// Runs a statement that returns one number, as `SELECT count(*) FROM …`.
    pub async fn number(&self, sql: &'static str) -> i64 {
        match self.store().await {
            Store::Sqlite { writer, .. } => sqlx::query_scalar(sql).fetch_one(writer).await,
            Store::Postgres { pool, .. } => sqlx::query_scalar(sql).fetch_one(pool).await,
        }
        .expect(sql)
    }

    /// Runs a statement that returns one column of text.
    pub async fn texts(&self, sql: &'static str) -> Vec<String> {
        match self.store().await {
            Store::Sqlite { writer, .. } => sqlx::query_scalar(sql).fetch_all(writer).await,
            Store::Postgres { pool, .. } => sqlx::query_scalar(sql).fetch_all(pool).await,
        }
        .expect(sql)
    }

    /// Changes rows behind the servers' backs.
    pub async fn execute(&self, sql: impl Into<String>) {
        let sql = AssertSqlSafe(sql.into());
        match self.store().await {
            Store::Sqlite { writer, .. } => sqlx::query(sql).execute(writer).await.map(drop),
            Store::Postgres { pool, .. } => sqlx::query(sql).execute(pool).await.map(drop),
        }
        .expect("a good statement");
    }

    /// How many rows there are of all that a request can write.
    pub async fn rows(&self) -> i64 {
        self.number(
            "SELECT (SELECT count(*) FROM users_auth) + (SELECT count(*) FROM refresh_tokens) \
             + (SELECT count(*) FROM outbox) + (SELECT count(*) FROM outbox_deliveries) \
             + (SELECT count(*) FROM audit_log)",
        )
        .await
    }
}

impl Drop for TestDatabase {
    fn drop(&mut self) {
        let (file, postgres) = (self.sqlite_file(), self.postgres.take());
        // Its own thread and runtime: a test's runtime cannot be waited for from inside it.
        let ended = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            runtime.block_on(async move {
                let Some((server, name)) = postgres else {
                    return Ok((events::of_sqlite(&file).await, Ok(())));
                };
                let events = events::of_postgres(&server.clone().database(&name)).await;
                Ok((events, drop_database(&server, &name).await))
            })
        });
        let ended: Result<Result<_, sqlx::Error>, _> = ended.join();
        let Ok(Ok((events, dropped))) = ended else { panic!("the end of a test failed: {ended:?}") };
        if let Err(error) = dropped {
            eprintln!("a test database was left behind: {error}");
        }
        // What the test itself says is worth more.
        if let (Ok(events), false) = (events, std::thread::panicking()) {
            events::check(&events);
        }
    }
}

async fn drop_database(server: &PgConnectOptions, name: &str) -> Result<(), sqlx::Error> {
    let mut connection = server.connect().await?;
    execute(&mut connection, format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)")).await
}

fn server() -> PgConnectOptions {
    std::env::var("KEYWARD_TEST_POSTGRES_URL")
        .expect("KEYWARD_TEST_POSTGRES_URL names a server; `cargo xtask test` sets it")
        .parse()
        .expect("KEYWARD_TEST_POSTGRES_URL is a URL")
}

fn url(options: &PgConnectOptions) -> String {
    options.to_url_lossy().to_string()
}

/// Copies the template, which takes a fifth of the time of migrating.
async fn clone_of_template() -> (PgConnectOptions, String) {
    let server = server();
    let mut admin = server.connect().await.expect("the PostgreSQL server of the tests answers");
    let template = template_name();
    lock(&mut admin, "pg_advisory_lock").await;
    if !exists(&mut admin, &template).await {
        remove_stale(&mut admin).await;
        make_template(&server, &mut admin, &template).await;
    }
    let name = unique_name();
    execute(&mut admin, format!("CREATE DATABASE {name} TEMPLATE {template}"))
        .await
        .expect("a test database");
    lock(&mut admin, "pg_advisory_unlock").await;
    (server, name)
}

async fn empty() -> (PgConnectOptions, String) {
    let server = server();
    let name = create_empty_on(&server).await;
    (server, name)
}

async fn create_empty_on(server: &PgConnectOptions) -> String {
    let mut admin = server.connect().await.expect("the PostgreSQL server of the tests answers");
    let name = unique_name();
    execute(&mut admin, format!("CREATE DATABASE {name}")).await.expect("a test database");
    name
}

fn unique_name() -> String {
    let now = std::time::UNIX_EPOCH.elapsed().expect("a clock").as_secs();
    format!("keyward_test_{now}_{}", uuid::Uuid::from_bytes(keyward::random::bytes()).simple())
}

/// Changes with the migrations, so that a template is never out of date.
fn template_name() -> String {
    let mut files: Vec<_> = std::fs::read_dir("migrations/postgres")
        .expect("tests run in the package's folder")
        .map(|entry| entry.expect("a file").path())
        .collect();
    files.sort();
    let all: String = files.iter().map(|path| std::fs::read_to_string(path).expect("a migration")).collect();
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, all.as_bytes());
    let digest: [u8; 8] = digest.as_ref().first_chunk().copied().expect("32 bytes");
    format!("keyward_template_{:016x}", u64::from_be_bytes(digest))
}

async fn make_template(server: &PgConnectOptions, admin: &mut PgConnection, template: &str) {
    let draft = format!("{template}_draft");
    execute(admin, format!("DROP DATABASE IF EXISTS {draft} WITH (FORCE)")).await.expect("no draft");
    execute(admin, format!("CREATE DATABASE {draft}")).await.expect("a template");
    let options = DatabaseOptions { max_connections: 1, transaction_pooler: false };
    let address = url(&server.clone().database(&draft));
    let store = Store::open(Location::Postgres(&address), options).await.expect("the template opens");
    store.migrate_up(keyward::clock::Clock::System.now()).await.expect("the template migrates");
    store.close().await;
    execute(admin, format!("ALTER DATABASE {draft} RENAME TO {template}")).await.expect("a template");
}

async fn remove_stale(admin: &mut PgConnection) {
    let names: Vec<String> =
        sqlx::query_scalar("SELECT datname FROM pg_database WHERE datname LIKE 'keyward\\_test\\_%'")
            .fetch_all(&mut *admin)
            .await
            .expect("names");
    let now = std::time::UNIX_EPOCH.elapsed().expect("a clock");
    for name in names {
        let made = name.split('_').nth(2).and_then(|seconds| seconds.parse().ok()).map(Duration::from_secs);
        if made.is_some_and(|made| now.saturating_sub(made) > STALE) {
            let _ = execute(admin, format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)")).await;
        }
    }
}

async fn lock(admin: &mut PgConnection, function: &str) {
    execute(admin, format!("SELECT {function}({TEMPLATE_LOCK})")).await.expect(function);
}

async fn exists(admin: &mut PgConnection, name: &str) -> bool {
    let row = sqlx::query("SELECT EXISTS (SELECT 1 FROM pg_database WHERE datname = $1)").bind(name);
    row.fetch_one(admin).await.expect("a row").get(0)
}

async fn execute(connection: &mut PgConnection, sql: String) -> Result<(), sqlx::Error> {
    connection.ping().await?;
    sqlx::raw_sql(AssertSqlSafe(sql)).execute(connection).await.map(drop)
}
