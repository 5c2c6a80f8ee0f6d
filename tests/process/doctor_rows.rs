//! `keyward doctor` and what it reads in the database.

use crate::support::{Setup, TestDatabase};

#[tokio::test]
async fn an_empty_database_is_no_problem_and_stays_empty() {
    let database = TestDatabase::create_empty().await;
    database.store().await;
    let report = Setup::on(&database).doctor().await.expect_code(0);
    report.the("schema.steps").expect("note", &["no tables", "first start"]);
    if !database.embedded() {
        let tables = "SELECT count(*) FROM information_schema.tables WHERE table_schema = 'public'";
        assert_eq!(database.number(tables).await, 0);
    }
}

#[tokio::test]
async fn steps_of_the_schema_are_held_against_those_that_are_known() {
    let database = TestDatabase::create().await;
    let setup = Setup::on(&database);
    setup.run(&["keys", "list"]).await.expect_code(0);
    let known = setup.run(&["migrate", "status"]).await.expect_code(0).stdout.lines().count();
    let back = (known - 1).to_string();
    setup.run(&["migrate", "down", "--to", &back]).await.expect_code(0);
    let report = setup.doctor().await.expect_code(0);
    report.the("schema.steps").expect("warning", &["are missing: 0010_admins", "keyward migrate"]);
    report.the("signing_keys.active").expect("ok", &[]);
    // Before there were keys at all, the rest is still told.
    setup.run(&["migrate", "down", "--to", "2"]).await.expect_code(0);
    let report = setup.doctor().await.expect_code(0);
    report.the("schema.steps").expect("warning", &["0003_signing_keys, 0004_outbox"]);
    report.the("admins.exist").expect("warning", &["users create --role admin"]);

    setup.run(&["migrate"]).await.expect_code(0);
    let newer = |version: i64, name: &str, min_binary: usize| {
        format!(
            "INSERT INTO schema_migrations (version, name, min_binary, applied_at) \
             SELECT {version}, '{name}', {min_binary}, applied_at FROM schema_migrations WHERE version = 1"
        )
    };
    database.execute(newer(98, "0098_later", 1)).await;
    setup.doctor().await.expect_code(0).the("schema.steps").expect("note", &["newer", "0098_later"]);
    database.execute(newer(99, "0099_much_later", known + 1)).await;
    let report = setup.doctor().await.expect_code(78);
    report.the("schema.steps").expect("problem", &["needs a Keyward that knows", "newer version"]);
    database.execute("DELETE FROM schema_migrations WHERE version > 90").await;
    database.execute("UPDATE schema_migrations SET name = '0002_other' WHERE version = 2").await;
    setup.doctor().await.expect_code(1).the("schema.steps").expect("problem", &["0002_other", "restore"]);
}

#[tokio::test]
async fn keys_that_are_overdue_missing_or_unreadable_are_told() {
    let database = TestDatabase::create().await;
    let setup = Setup::on(&database);
    setup.run(&["keys", "list"]).await.expect_code(0);
    let report = setup.doctor().await.expect_code(0);
    for code in ["signing_keys.active", "signing_keys.pending", "signing_keys.rotation", "master_key.known"] {
        report.the(code).expect("ok", &[]);
    }
    let long_ago = if database.embedded() { "- 4000000000000" } else { "- interval '46 days'" };
    database
        .execute(format!(
            "UPDATE signing_keys SET created_at = created_at {long_ago}, promoted_at = promoted_at {long_ago}"
        ))
        .await;
    let report = setup.doctor().await.expect_code(0);
    report.the("signing_keys.rotation").expect("warning", &["was to change at", "start a server"]);

    let other = setup.clone().env("KEYWARD_MASTER_KEY", other_key());
    let report = other.doctor().await.expect_code(78);
    report.the("master_key.known").expect("problem", &["was made with master key", "KEYWARD_MASTER_KEY"]);
    let kid = database.texts("SELECT kid FROM signing_keys WHERE state = 'active'").await.concat();
    database.execute("UPDATE master_keys SET retired_at = created_at").await;
    let report = other.doctor().await.expect_code(78);
    report.about("signing_keys.sealed", &kid).expect("problem", &[kid.as_str(), "UPDATE signing_keys"]);

    database.execute("UPDATE signing_keys SET state = 'removed' WHERE state = 'pending'").await;
    setup
        .doctor()
        .await
        .expect_code(0)
        .the("signing_keys.pending")
        .expect("warning", &["no key is published"]);
    database.execute("UPDATE signing_keys SET state = 'removed'").await;
    setup.doctor().await.expect_code(0).the("signing_keys.active").expect("note", &["no signing keys"]);
    database.execute("UPDATE signing_keys SET state = 'retired'").await;
    setup
        .doctor()
        .await
        .expect_code(1)
        .the("signing_keys.active")
        .expect("problem", &["no token can be issued"]);
}

#[tokio::test]
async fn a_disabled_admin_is_none() {
    let database = TestDatabase::create().await;
    let setup = Setup::on(&database)
        .env("KEYWARD_ADMIN_EMAIL", "root@example.com")
        .env("KEYWARD_ADMIN_PASSWORD", "a river under seven bridges");
    setup.run(&["migrate"]).await.expect_code(0);
    setup.doctor().await.expect_code(0).the("admins.exist").expect("note", &["next start"]);
    // A command is no start: whoever runs it may have other settings.
    setup.run(&["users", "list"]).await.expect_code(0);
    setup.doctor().await.expect_code(0).the("admins.exist").expect("note", &["next start"]);
    setup.serve().await.stop().await;
    setup.doctor().await.expect_code(0).the("admins.exist").expect("ok", &["1"]);
    database.execute("UPDATE users_auth SET status = 'disabled'").await;
    Setup::on(&database)
        .doctor()
        .await
        .expect_code(0)
        .the("admins.exist")
        .expect("warning", &["no active user"]);
}

#[tokio::test]
async fn events_that_wait_are_told_by_sink() {
    let database = TestDatabase::create().await;
    let with = Setup::on(&database).env("KEYWARD_EVENTS_URL", "amqp://keyward:hunter2@127.0.0.1:1/%2f#old");
    with.run_with_input(&["users", "create", "--email", "ada@example.com"], "a quiet lake at dawn\n")
        .await
        .expect_code(0);
    let report = with.doctor().await.expect_code(69);
    report.about("outbox.backlog", "old").expect("ok", &["events that wait: 1"]);
    let long_ago = if database.embedded() { "- 4000000000000" } else { "- interval '46 days'" };
    database.execute(format!("UPDATE outbox SET occurred_at = occurred_at {long_ago}")).await;
    let report = with.doctor().await;
    report.about("outbox.backlog", "old").expect("warning", &["no server relays them", "start a server"]);
    database.execute("UPDATE outbox_deliveries SET attempts = 3, last_error = 'it says 500'").await;
    let report = with.doctor().await;
    report.about("outbox.backlog", "old").expect("warning", &["refused: 1, the last because it says 500"]);
    let report = Setup::on(&database).doctor().await.expect_code(0);
    report.about("outbox.backlog", "log").expect("ok", &["no event waits"]);
    report.about("outbox.backlog", "old").expect("warning", &["not in events_url", "abandon --sink old"]);
}

#[tokio::test]
async fn a_database_that_refuses_us_is_a_matter_of_settings() {
    let database = TestDatabase::create().await;
    if database.embedded() {
        let setup = Setup::on(&database)
            .env("KEYWARD_DATABASE_URL", format!("sqlite://{}", database.folder.path().display()));
        setup.doctor().await.the("database.answers").expect("problem", &[]);
        return;
    }
    let nowhere = database.url().replace("keyward_test_", "keyward_nowhere_");
    let report = Setup::on(&database).env("KEYWARD_DATABASE_URL", &nowhere).doctor().await.expect_code(78);
    report.the("database.answers").expect("problem", &["does not exist", "database_url"]);
    Setup::on(&database)
        .env("KEYWARD_DATABASE_URL", nowhere)
        .run(&["serve"])
        .await
        .expect_refusal(78, &["does not exist"]);
}

fn other_key() -> String {
    keyward::config::MasterKey::new(keyward::random::bytes()).to_base64().to_string()
}
