//! Transactions: whole or not at all, whoever goes away in the middle, and never left open.

use std::time::Duration;

use futures_util::future::join_all;
use keyward::clock::Clock;
use keyward::domain::{AuditRecord, Caller, SecurityEvent, Timestamp};
use keyward::store::{Store, StoreError, Tx, with_budget};

use crate::support::{Kind, PASSWORD, TestDatabase, TestServer, unique_email};

const RECORDS: &str = "SELECT count(*) FROM audit_log";

#[tokio::test]
async fn callers_who_go_away_leave_all_or_nothing() {
    let (database, store, now) = open().await;
    let mut tasks = Vec::new();
    for number in 0..200_usize {
        let store = store.clone();
        tasks.push(tokio::spawn(async move { write_twice(&store, now).await.is_ok() }));
        // Some have not begun by now, some wait for a connection, some are between the two rows.
        for _ in 0..number % 7 {
            tokio::task::yield_now().await;
        }
        if number % 3 != 0 {
            let begun = number.saturating_sub(number % 11);
            tasks[begun].abort();
        }
    }
    let acked = join_all(tasks).await.into_iter().filter(|ended| matches!(ended, Ok(true))).count();
    let rows = settled(&database, &store).await;
    assert_eq!(rows % 2, 0, "both rows or none");
    assert!(rows / 2 >= i64::try_from(acked).expect("few"), "what was acknowledged is there");
    assert!(acked > 0);
}

#[tokio::test]
async fn clients_who_hang_up_leave_no_half_account() {
    let server = TestServer::start_with(&[("argon2.threads", "2")]).await;
    let actor = server.anonymous();
    let attempts = (0..60_u64).map(|number| {
        let actor = &actor;
        async move {
            let email = unique_email();
            let patience = Duration::from_micros(number * 700);
            let made = tokio::time::timeout(patience, actor.signup_as(&email, PASSWORD)).await;
            made.ok().map(|answer| (email, answer.status))
        }
    });
    let answered: Vec<_> = join_all(attempts).await.into_iter().flatten().collect();
    server.app.ready().await.expect("the database is free");
    for (email, status) in answered {
        assert_eq!(status, 201);
        actor.login_as(&email, PASSWORD).await.expect_status(200);
    }
    assert_nothing_open(&server.database).await;
    let halves = "SELECT (SELECT count(*) FROM users_auth) * 2 - (SELECT count(*) FROM outbox) \
        - (SELECT count(*) FROM audit_log WHERE event = 'user_created')";
    assert_eq!(server.database.number(halves).await, 0, "account, event and record, or none");
}

#[tokio::test]
async fn work_that_panics_is_undone_and_its_connection_gone() {
    let (database, store, now) = open().await;
    for _ in 0..5 {
        let panicked: Result<(), StoreError> = store
            .transaction("panic", move |tx| {
                Box::pin(async move {
                    tx.audit_insert(record(), now).await?;
                    panic!("in the middle")
                })
            })
            .await;
        assert!(matches!(panicked, Err(StoreError::Stopped { work: "panic", .. })), "{panicked:?}");
    }
    assert_eq!(settled(&database, &store).await, 0);
    write_twice(&store, now).await.expect("others go on");
    assert_eq!(database.number(RECORDS).await, 2);
}

#[tokio::test]
async fn work_that_fails_is_undone() {
    let (database, store, now) = open().await;
    let failed: Result<(), StoreError> = store
        .transaction("failing", move |tx| {
            Box::pin(async move {
                tx.audit_insert(record(), now).await?;
                tx.query("SELECT nothing FROM nowhere").execute().await.map(drop)
            })
        })
        .await;
    assert!(matches!(failed, Err(StoreError::Defect(_))), "{failed:?}");
    assert_eq!(settled(&database, &store).await, 0);
}

/// The clock jumps over the wait; the budget of a request is used up all the same.
#[tokio::test]
async fn work_that_takes_too_long_is_undone_and_its_connection_gone() {
    let (database, store, now) = open().await;
    with_budget(async {
        let late = endless(&store, now).await;
        assert!(matches!(late, Err(StoreError::Timeout { work: "endless" })), "{late:?}");
        assert!(late.is_err_and(|error| error.transient()));
        let spent = write_twice(&store, now).await;
        assert!(matches!(spent, Err(StoreError::Timeout { .. })), "nothing is left for more work: {spent:?}");
    })
    .await;
    // What is left of the abandoned task ends a second later.
    tokio::time::pause();
    tokio::time::sleep(Duration::from_secs(2)).await;
    tokio::time::resume();
    assert_eq!(settled(&database, &store).await % 2, 0);
    write_twice(&store, now).await.expect("others go on");
}

async fn endless(store: &Store, now: Timestamp) -> Result<(), StoreError> {
    let result = store
        .transaction("endless", move |tx| {
            Box::pin(async move {
                tx.audit_insert(record(), now).await?;
                tokio::time::pause();
                std::future::pending().await
            })
        })
        .await;
    tokio::time::resume();
    result
}

async fn write_twice(store: &Store, now: Timestamp) -> Result<(), StoreError> {
    store
        .transaction("write_twice", move |tx: &mut Tx| {
            Box::pin(async move {
                tx.audit_insert(record(), now).await?;
                tokio::task::yield_now().await;
                tx.audit_insert(record(), now).await
            })
        })
        .await
}

fn record() -> AuditRecord {
    AuditRecord::new(SecurityEvent::LoginFailed, &Caller::default())
}

/// Waits for the writer to be free, on every connection of the pool, and counts the records.
async fn settled(database: &TestDatabase, store: &Store) -> i64 {
    for _ in 0..4 {
        store.ping().await.expect("a connection");
        let begun: Result<(), StoreError> = store
            .transaction("begin", |tx| {
                Box::pin(async move { tx.query("SELECT 1").execute().await.map(drop) })
            })
            .await;
        begun.expect("nobody else's transaction is open here");
    }
    assert_nothing_open(database).await;
    database.number(RECORDS).await
}

/// PostgreSQL lists open transactions; on SQLite somebody else could not begin to write.
async fn assert_nothing_open(database: &TestDatabase) {
    match database.kind {
        Kind::Sqlite => database.execute("UPDATE installation SET token_epoch = token_epoch").await,
        Kind::Postgres => {
            let open = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() \
                AND pid <> pg_backend_pid() AND state LIKE 'idle in transaction%' \
                AND state_change < now() - interval '20 ms'";
            // A transaction that a task of the server is in the middle of ends by itself.
            for _ in 0..100 {
                if database.number(open).await == 0 {
                    return;
                }
            }
            panic!("a connection sits in a transaction");
        }
    }
}

async fn open() -> (TestDatabase, Store, Timestamp) {
    let database = TestDatabase::create().await;
    let (store, now) = (database.open().await, Clock::System.now());
    store.migrate_up(now).await.expect("a schema");
    (database, store, now)
}
