use super::*;
use crate::domain::{SecurityEvent, UserId};
use crate::store::{DatabaseOptions, Location, Store};

/// As a new database makes it, in a schema that is gone with the transaction.
const TABLE: [(&str, &str); 2] = [
    (
        include_str!("../../../migrations/sqlite/0005_audit_log.up.sql"),
        include_str!("../../../migrations/postgres/0005_audit_log.up.sql"),
    ),
    (
        include_str!("../../../migrations/sqlite/0009_audit_outcome.up.sql"),
        include_str!("../../../migrations/postgres/0009_audit_outcome.up.sql"),
    ),
];

/// 20,000 records of 100 users and 50 admins, of which none is of one event in a hundred.
const FILL: (&str, &str) = (
    "INSERT INTO audit_log (id, occurred_at, event, user_id, actor_id, request_id)
     WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 20000)
     SELECT randomblob(16), n, 'event_' || n % 25,
        unhex(printf('%032x', n % 100)), unhex(printf('%032x', n % 50)), '' FROM n;
     ANALYZE audit_log;",
    "INSERT INTO audit_log (id, occurred_at, event, user_id, actor_id, request_id)
     SELECT gen_random_uuid(), now(), 'event_' || n % 25,
        lpad(to_hex(n % 100), 32, '0')::uuid, lpad(to_hex(n % 50), 32, '0')::uuid, '' FROM generate_series(1, 20000) AS n;
     ANALYZE audit_log;",
);

struct Line(String);

impl Record for Line {
    fn read(row: &Row<'_>) -> Result<Self, StoreError> {
        match row {
            Row::Sqlite(_) => row.get("detail"),
            Row::Postgres(_) => row.get("QUERY PLAN"),
        }
        .map(Self)
    }
}

#[tokio::test]
async fn each_filter_is_served_by_its_index() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder.path().join("plans.db")).await;
    let mut tx = store.begin().await.unwrap();
    if tx.postgres() {
        tx.script_either("", "SET LOCAL search_path TO pg_temp").await.unwrap();
    }
    for (sqlite, postgres) in TABLE.into_iter().chain([FILL]) {
        tx.script_either(sqlite, postgres).await.unwrap();
    }
    let (user, actor) = (Some(UserId::MIN), Some(UserId::MIN));
    let event = Some(SecurityEvent::LoginFailed);
    let all = AuditFilter::default();
    for (filter, index) in [
        (AuditFilter { user, ..all }, "audit_log_user_id"),
        // Which of them is narrowest is for the database to say.
        (AuditFilter { user, actor, event, ..all }, "audit_log_"),
        (AuditFilter { actor, ..all }, "audit_log_actor_id"),
        (AuditFilter { event, ..all }, "audit_log_event"),
        (all, if tx.postgres() { "audit_log_pkey" } else { "sqlite_autoindex_audit_log_1" }),
    ] {
        let plan = plan(&mut tx, &filter).await;
        assert!(plan.contains(index), "{filter:?}: {plan}");
        assert!(!plan.to_lowercase().contains("sort") && !plan.contains("TEMP B-TREE"), "{filter:?}: {plan}");
    }
    tx.rollback().await.unwrap();
}

async fn open(file: &std::path::Path) -> Store {
    let options = DatabaseOptions { max_connections: 1, transaction_pooler: false };
    let postgres = std::env::var("KEYWARD_TEST_DATABASE").is_ok_and(|kind| kind == "postgres");
    let url = std::env::var("KEYWARD_TEST_POSTGRES_URL").unwrap_or_default();
    let location = if postgres { Location::Postgres(&url) } else { Location::Sqlite(file) };
    Store::open(location, options).await.unwrap()
}

async fn plan(tx: &mut Tx, filter: &AuditFilter) -> String {
    let explain = if tx.postgres() { "EXPLAIN" } else { "EXPLAIN QUERY PLAN" };
    // A test may leak what a statement must be: static.
    let statement = Box::leak(format!("{explain} {}", statement(filter)).into_boxed_str());
    let (first, end) = filter.ids();
    let lines: Vec<Line> = tx
        .query(statement)
        .bind(first)
        .bind(end)
        .bind_optional(filter.user)
        .bind_optional(filter.actor)
        .bind_optional(filter.event.map(|event| event.as_str().to_owned()))
        .bind(51_i64)
        .fetch_all()
        .await
        .unwrap();
    lines.into_iter().map(|Line(line)| line + "\n").collect()
}
