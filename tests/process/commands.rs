//! The command line itself: what it offers, and its exit codes.

use keyward::store::Store;

use crate::support::{Setup, TestDatabase, until};

#[tokio::test]
async fn help_is_as_it_was_reviewed() {
    let folder = tempfile::tempdir().unwrap();
    let setup = Setup::bare(folder.path());
    let mut settings = insta::Settings::clone_current();
    settings.set_prepend_module_to_snapshot(false);
    settings.set_snapshot_path("snapshots");
    let _bound = settings.bind_to_scope();
    for (name, arguments) in [
        ("help", &["--help"][..]),
        ("help_users", &["users", "--help"]),
        ("help_users_create", &["users", "create", "--help"]),
        ("help_users_list", &["users", "list", "--help"]),
        ("help_sessions_end", &["sessions", "end", "--help"]),
        ("help_keys", &["keys", "--help"]),
        ("help_events", &["events", "--help"]),
        ("help_events_status", &["events", "status", "--help"]),
        ("help_events_tail", &["events", "tail", "--help"]),
        ("help_events_replay", &["events", "replay", "--help"]),
        ("help_events_abandon", &["events", "abandon", "--help"]),
        ("help_audit_list", &["audit", "list", "--help"]),
        ("help_audit_prune", &["audit", "prune", "--help"]),
        ("help_password_calibrate", &["password", "calibrate", "--help"]),
        ("help_doctor", &["doctor", "--help"]),
        ("help_backup", &["backup", "--help"]),
        ("help_migrate", &["migrate", "--help"]),
        ("help_migrate_down", &["migrate", "down", "--help"]),
        ("help_migrate_grants", &["migrate", "grants", "--help"]),
        ("help_config", &["config", "--help"]),
    ] {
        insta::assert_snapshot!(name, setup.run(arguments).await.expect_code(0).stdout);
    }
}

#[tokio::test]
async fn usage_errors_are_2_and_the_version_is_the_packages() {
    let folder = tempfile::tempdir().unwrap();
    let setup = Setup::bare(folder.path());
    setup.run(&["nonsense"]).await.expect_refusal(2, &["unrecognized subcommand 'nonsense'", "Usage:"]);
    setup.run(&["--nonsense"]).await.expect_refusal(2, &["--nonsense"]);
    setup.run(&["users", "create"]).await.expect_refusal(2, &["--email"]);
    setup.run(&["--set", "listen"]).await.expect_refusal(2, &["KEY=VALUE"]);
    let version = setup.run(&["--version"]).await.expect_code(0).stdout;
    assert_eq!(version, format!("keyward {}\n", env!("CARGO_PKG_VERSION")));
}

#[tokio::test]
async fn healthcheck_is_0_when_ready_and_1_otherwise() {
    let database = TestDatabase::create().await;
    let setup = Setup::on(&database);
    let mut server = setup.serve().await;
    let address = server.management.to_string();
    let check = ["healthcheck", "--management-listen", &address];
    let healthy = setup.run(&check).await.expect_code(0);
    assert_eq!((healthy.stdout, healthy.stderr), (String::new(), String::new()), "silent when all is well");
    // Asked on the loopback address when the server listens on all.
    let everywhere = format!("0.0.0.0:{}", server.management.port());
    setup.run(&["healthcheck", "--management-listen", &everywhere]).await.expect_code(0);
    assert_eq!(server.stop().await, 0);
    setup.run(&check).await.expect_refusal(1, &[&address]);
    let mistaken = setup.env("KEYWARD_DOCS", "maybe");
    mistaken.run(&check).await.expect_refusal(1, &["docs", "maybe"]);
}

#[tokio::test]
async fn healthcheck_is_1_while_the_database_is_away() {
    let database = TestDatabase::create().await;
    if database.embedded() {
        return; // a file of our own is never away
    }
    let server = Setup::on(&database).serve().await;
    let address = server.management.to_string();
    server.operator().get("/livez").await.expect_status(200);
    take_away(&database).await;
    let setup = Setup::on(&database);
    until("not ready", async || {
        let answer = server.operator().get("/readyz").await;
        (answer.status == 503).then_some(())
    })
    .await;
    let asked = setup.run(&["healthcheck", "--management-listen", &address]).await;
    asked.expect_refusal(1, &["is not ready", "503"]);
    server.anonymous().get("/health").await.expect_problem(503, "unavailable");
    server.operator().get("/livez").await.expect_status(200);
}

#[tokio::test]
async fn the_committed_documents_are_printed() {
    let folder = tempfile::tempdir().unwrap();
    for (command, version) in [("openapi", "3.1.0"), ("asyncapi", "3.0.0")] {
        let printed = Setup::bare(folder.path()).run(&[command]).await.expect_code(0).stdout;
        let document: serde_json::Value = serde_json::from_str(&printed).unwrap();
        assert_eq!(document[command], version);
        assert_eq!(document["info"]["version"], env!("CARGO_PKG_VERSION"));
    }
}

#[tokio::test]
async fn calibration_measures_this_machine_and_suggests_what_fits() {
    let folder = tempfile::tempdir().unwrap();
    let setup = Setup::bare(folder.path()).env("KEYWARD_ARGON2_THREADS", "1");
    let calibrate = ["password", "calibrate", "--target", "20s", "--memory", "20"];
    let said = setup.run(&calibrate).await.expect_code(0).stdout;
    let row = |label: &str| -> Vec<String> {
        let line = said.lines().find(|line| line.starts_with(label)).expect(label);
        line.trim_start_matches(label).split_whitespace().map(str::to_owned).collect()
    };
    let (possible, now) = (row("possible"), row("as it is"));
    assert_eq!((&*now[0], &*now[1], &*now[5]), ("19456", "2", "19"), "{said}");
    assert_eq!((&*possible[0], &*possible[1]), ("19456", "64"), "as many passes as may be set: {said}");
    let per_second: f64 = now[4].parse().expect("a rate");
    assert!(per_second > 0.0, "{said}");
    assert!(said.contains("[argon2]\nmemory_kib = 19456\niterations = 64\n"), "{said}");

    let nothing = ["password", "calibrate", "--target", "1ms"];
    assert!(setup.run(&nothing).await.expect_code(0).stdout.contains("Nothing as strong"));
    setup.run(&["password", "calibrate", "--target", "7"]).await.expect_refusal(2, &["has no unit", "7s"]);
}

/// Lets nobody into the database any more, and throws out who is in.
async fn take_away(database: &TestDatabase) {
    let Store::Postgres { pool, .. } = database.store().await else {
        unreachable!("only a server can go away")
    };
    let mut connection = pool.acquire().await.expect("a connection");
    for sql in [
        "UPDATE pg_database SET datallowconn = false WHERE datname = current_database()",
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
         WHERE datname = current_database() AND pid <> pg_backend_pid()",
    ] {
        sqlx::query(sql).execute(&mut *connection).await.expect(sql);
    }
}
