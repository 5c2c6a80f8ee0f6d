//! `keyward migrate`: up, down, status, and what a server does with an empty database.

use std::time::Duration;

use crate::support::{Kind, PostgresServer, Setup, TestDatabase, rounds, until};

#[tokio::test]
async fn steps_are_taken_back_and_applied_again() {
    let database = TestDatabase::create().await;
    let setup = Setup::on(&database);
    let up = setup.run(&["migrate", "up"]).await.expect_code(0).stdout;
    if database.embedded() {
        assert!(up.starts_with("applied 0001_users_auth, 0002_"), "{up}");
    } else {
        assert_eq!(up, "the schema is up to date\n", "the template has it all");
    }
    assert_eq!(setup.run(&["migrate"]).await.expect_code(0).stdout, "the schema is up to date\n");
    let status = setup.run(&["migrate", "status"]).await.expect_code(0).stdout;
    let names: Vec<&str> = status.lines().filter_map(|line| line.split_whitespace().last()).collect();
    assert_eq!(names.first(), Some(&"0001_users_auth"));
    assert!(names.len() >= 5, "{status}");

    let newest_first: Vec<&str> = names.iter().rev().copied().collect();
    let expected = format!("took back {}\n", newest_first[..names.len() - 2].join(", "));
    assert_eq!(setup.run(&["migrate", "down", "--to", "2"]).await.expect_code(0).stdout, expected);
    let expected = "took back 0002_refresh_tokens, 0001_users_auth\n";
    assert_eq!(setup.run(&["migrate", "down", "--to", "0"]).await.expect_code(0).stdout, expected);
    let nothing = setup.run(&["migrate", "down", "--to", "0"]).await.expect_code(0).stdout;
    assert_eq!(nothing, "nothing to take back\n");
    assert_eq!(setup.run(&["migrate", "status"]).await.expect_code(0).stdout, "");
    setup.run(&["migrate", "down"]).await.expect_refusal(2, &["--to"]);

    // Serving brings it up to date by itself.
    let mut server = setup.serve().await;
    server.user().await;
    assert!(server.process.stdout().contains("schema brought up to date"));
    assert_eq!(server.stop().await, 0);
    let again = setup.run(&["migrate", "status"]).await.expect_code(0).stdout;
    assert_eq!(again.lines().count(), names.len());
}

/// F12. Each step takes long enough to be killed in.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn servers_that_start_together_migrate_once_whatever_was_killed_in_the_middle() {
    if Kind::of_this_run() == Kind::Sqlite {
        return; // one server a file
    }
    let postgres = PostgresServer::start().await;
    for _ in 0..rounds(1, 10) {
        let database = TestDatabase::create_on(postgres.options()).await;
        for statement in DAWDLE {
            database.execute(statement).await;
        }
        let setup = Setup::on(&database);
        // At the first table, and some tables later.
        for later in [0, 350] {
            let mut killed = setup.start(&["migrate"]);
            until("a step that is being taken", async || {
                assert!(killed.exited().is_none(), "{}", killed.said());
                (database.number(DAWDLING).await > 0).then_some(())
            })
            .await;
            tokio::time::sleep(Duration::from_millis(later)).await;
            assert!(killed.exited().is_none(), "{}", killed.said());
            killed.kill();
            assert_eq!(database.number(TABLES).await, 0, "all steps or none");
        }
        database.execute("DROP EVENT TRIGGER dawdle").await;
        let starting = (0..5).map(|_| setup.serve());
        let servers = futures_util::future::join_all(starting).await;
        for server in &servers {
            server.user().await.me().await.expect_status(200);
        }
        let said =
            servers.iter().filter(|server| server.process.stdout().contains("schema brought up to date"));
        assert_eq!(said.count(), 1, "one of them did it, and all of it");
        let status = setup.run(&["migrate", "status"]).await.expect_code(0).stdout;
        let mut names: Vec<&str> = status.lines().collect();
        names.dedup();
        assert_eq!(names.len(), status.lines().count());
        database.check_invariants().await;
    }
}

const DAWDLE: [&str; 2] = [
    "CREATE FUNCTION dawdle() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(0.1); END'",
    "CREATE EVENT TRIGGER dawdle ON ddl_command_end WHEN TAG IN ('CREATE TABLE') EXECUTE FUNCTION dawdle()",
];
const DAWDLING: &str =
    "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event = 'PgSleep'";
const TABLES: &str = "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'";

/// F12, where a server is killed at any moment of its first start, and there is one.
#[tokio::test]
async fn a_first_start_that_is_killed_at_any_moment_is_begun_again() {
    for n in 0..rounds(6, 40) {
        let database = TestDatabase::create_empty().await;
        let setup = Setup::on(&database);
        for kill in 0..3 {
            let mut process = setup.start(&[]);
            tokio::time::sleep(Duration::from_millis(u64::from(n * 13 + kill * 31) % 120)).await;
            process.kill();
        }
        let server = setup.serve().await;
        server.user().await.me().await.expect_status(200);
        database.check_invariants().await;
    }
}
