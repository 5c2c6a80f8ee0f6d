//! The schema: the same on both databases, and there and back again.

use keyward::clock::Clock;
use keyward::store::Store;

use crate::support::{Kind, TestDatabase};

/// One line a column (`table.column type null`) and an index (`table index unique columns where`).
const SQLITE: &str = "
    SELECT t.name || '.' || c.name || ' ' || c.type || ' ' || CASE WHEN c.\"notnull\" = 1 THEN 'not null' ELSE 'null' END
    FROM sqlite_schema AS t, pragma_table_info(t.name) AS c
    WHERE t.type = 'table' AND t.name NOT LIKE 'sqlite_%'
    UNION ALL
    SELECT t.name || ' ' || i.name || ' ' || i.\"unique\" || ' ' ||
        (SELECT group_concat(name, ',') FROM (SELECT name FROM pragma_index_info(i.name) ORDER BY seqno))
        || ' ' || i.partial
    FROM sqlite_schema AS t, pragma_index_list(t.name) AS i
    WHERE t.type = 'table' AND i.origin = 'c'
    ORDER BY 1";
const POSTGRES: &str = "
    SELECT table_name || '.' || column_name || ' ' ||
        CASE data_type WHEN 'text' THEN 'TEXT' WHEN 'uuid' THEN 'BLOB' WHEN 'bytea' THEN 'BLOB'
            WHEN 'bigint' THEN 'INTEGER' WHEN 'boolean' THEN 'INTEGER'
            WHEN 'timestamp with time zone' THEN 'INTEGER' ELSE data_type END
        || ' ' || CASE is_nullable WHEN 'NO' THEN 'not null' ELSE 'null' END
    FROM information_schema.columns WHERE table_schema = 'public'
    UNION ALL
    SELECT t.relname || ' ' || c.relname || ' ' || i.indisunique::int || ' ' ||
        (SELECT string_agg(a.attname, ',' ORDER BY k.place)
         FROM unnest(i.indkey) WITH ORDINALITY AS k (attnum, place)
         JOIN pg_attribute AS a ON a.attrelid = t.oid AND a.attnum = k.attnum)
        || ' ' || (i.indpred IS NOT NULL)::int
    FROM pg_index AS i JOIN pg_class AS c ON c.oid = i.indexrelid JOIN pg_class AS t ON t.oid = i.indrelid
    WHERE t.relnamespace = 'public'::regnamespace AND NOT i.indisprimary";

#[tokio::test]
async fn up_down_and_up_again_is_the_same_schema() {
    let database = TestDatabase::create_empty().await;
    let store = database.open().await;
    let now = Clock::System.now();
    let steps = store.migrate_up(now).await.expect("up").0;
    assert_eq!(steps.len(), files("sqlite").len() / 2);
    let whole = schema(&database).await;
    assert_eq!(store.migrate_up(now).await.expect("nothing to do").0, Vec::<&str>::new());

    let mut taken_back = store.migrate_down(0).await.expect("down").0;
    taken_back.reverse();
    assert_eq!(taken_back, steps);
    let left = schema(&database).await;
    assert!(left.iter().all(|line| line.starts_with("schema_migrations.")), "{left:?}");
    assert_eq!(store.migrate_up(now).await.expect("up again").0, steps);
    assert_eq!(schema(&database).await, whole);

    // One step at a time, too.
    for version in (0..i64::try_from(steps.len()).expect("few")).rev() {
        assert_eq!(store.migrate_down(version).await.expect("a step down").0.len(), 1);
    }
    store.migrate_up(now).await.expect("up a third time");
    assert_eq!(schema(&database).await, whole);
}

#[tokio::test]
async fn both_databases_have_the_same_schema() {
    assert_eq!(files("sqlite"), files("postgres"), "the same steps by the same names");
    let sqlite = keyward::store::DatabaseOptions { max_connections: 1, transaction_pooler: false };
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("other.db");
    let other = Store::open(keyward::store::Location::Sqlite(&file), sqlite).await.expect("opens");
    other.migrate_up(Clock::System.now()).await.expect("migrates");
    let Store::Sqlite { writer, .. } = &other else { panic!("opened as SQLite") };
    let theirs: Vec<String> = sqlx::query_scalar(SQLITE).fetch_all(writer).await.expect("a schema");
    assert!(theirs.len() > 60, "{theirs:?}");
    let database = TestDatabase::create_empty().await;
    database.open().await.migrate_up(Clock::System.now()).await.expect("migrates");
    assert_eq!(schema(&database).await, theirs);
}

#[tokio::test]
async fn five_servers_migrate_an_empty_database_at_once() {
    let database = TestDatabase::create_empty().await;
    let mut stores = Vec::new();
    for _ in 0..5 {
        stores.push(database.open().await);
    }
    let now = Clock::System.now();
    let all = stores.iter().map(|store| store.migrate_up(now));
    let mut steps = 0;
    for migrated in futures_util::future::join_all(all).await {
        steps += migrated.expect("none of them fails").0.len();
    }
    assert_eq!(steps, files("sqlite").len() / 2, "each step ran once");
    assert_eq!(database.open().await.migrations().await.expect("a list").len(), steps);
    assert_eq!(database.number("SELECT count(*) FROM installation").await, 1);
}

#[tokio::test]
async fn a_newer_schema_is_tolerated_unless_it_says_otherwise() {
    let database = TestDatabase::create_empty().await;
    let store = database.open().await;
    let now = Clock::System.now();
    let known = store.migrate_up(now).await.expect("up").0.len();
    let newer = |version: i64, min_binary: i64| {
        format!(
            "INSERT INTO schema_migrations (version, name, min_binary, applied_at) \
             SELECT {version}, '{version:04}_later', {min_binary}, applied_at FROM schema_migrations WHERE version = 1"
        )
    };
    database.execute(newer(98, 1)).await;
    assert_eq!(store.migrate_up(now).await.expect("tolerated").0, Vec::<&str>::new());
    assert_eq!(store.migrations().await.expect("a list").last().map(|step| step.version), Some(98));
    let refused = store.migrate_down(0).await.expect_err("nobody here knows the way back");
    assert!(!refused.transient());
    assert_eq!(store.migrations().await.expect("a list").len(), known + 1, "nothing was taken back");

    database.execute(newer(99, i64::try_from(known).expect("few") + 1)).await;
    let refused = store.migrate_up(now).await.expect_err("too old a binary");
    assert!(refused.to_string().contains("upgrade"), "{refused}");
    assert!(!refused.transient());
}

async fn schema(database: &TestDatabase) -> Vec<String> {
    let mut lines = match database.kind {
        Kind::Sqlite => database.texts(SQLITE).await,
        Kind::Postgres => database.texts(POSTGRES).await,
    };
    lines.sort();
    lines
}

/// The names of the steps, each with `.up.sql` and `.down.sql`.
fn files(database: &str) -> Vec<String> {
    let folder =
        std::fs::read_dir(format!("migrations/{database}")).expect("tests run in the package's folder");
    let mut names: Vec<String> =
        folder.map(|file| file.expect("a file").file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}
