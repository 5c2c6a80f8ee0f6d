//! The audit log from outside: a line for each record, and `keyward audit` beside a running server.

use keyward::domain::SecurityEvent;
use serde_json::{Value, json};

use crate::support::{Process, Setup, TestDatabase, until};

/// The lines that tell records, in their order.
fn told(text: &str) -> Vec<Value> {
    let lines = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    lines.filter(|line| line["target"] == "keyward::audit").collect()
}

fn events(process: &Process) -> Vec<String> {
    let text = |line: &Value| line["event"].as_str().expect("text").to_owned();
    told(&process.stdout()).iter().map(text).collect()
}

#[tokio::test]
async fn each_committed_record_is_one_line_without_an_address() {
    let database = TestDatabase::create().await;
    let mut server = Setup::on(&database).env("KEYWARD_LOG_FORMAT", "json").serve().await;
    let user = server.user().await;
    user.login_as(&user.email, "not the right one").await.expect_status(401);
    user.logout().await.expect_status(204);
    let expected = ["user_created", "login_succeeded", "login_failed", "session_revoked"];
    let of_user = |process: &Process| -> Vec<String> {
        events(process).into_iter().filter(|event| !event.starts_with("signing")).collect()
    };
    until("the lines", async || (of_user(&server.process) == expected).then_some(())).await;

    // Written and rolled back, since its event cannot be.
    database.execute("ALTER TABLE outbox RENAME TO gone").await;
    server.anonymous().signup().await.expect_problem(500, "internal_error");
    database.execute("ALTER TABLE gone RENAME TO outbox").await;
    server.anonymous().signup().await.expect_status(201);
    assert_eq!(server.stop().await, 0);
    assert_eq!(of_user(&server.process), [&expected[..], &["user_created"]].concat());

    let stdout = server.process.stdout();
    let lines = told(&stdout);
    let records = i64::try_from(lines.len()).expect("few");
    assert_eq!(database.number("SELECT count(*) FROM audit_log").await, records);
    let failed = lines.iter().find(|line| line["event"] == "login_failed").expect("one");
    for (member, value) in [("outcome", "failure"), ("origin", "http"), ("ip", "127.0.0.1")] {
        assert_eq!(failed[member], value);
    }
    let detail: Value = serde_json::from_str(failed["detail"].as_str().expect("text")).expect("JSON");
    assert_eq!(detail["reason"], "wrong_password");
    for member in ["audit_id", "occurred_at", "user_id", "request_id"] {
        assert!(failed[member].as_str().is_some_and(|text| !text.is_empty()), "{member} in {failed}");
    }
    for line in &lines {
        assert!(!line.to_string().contains('@'), "{line}");
    }
}

#[tokio::test]
async fn a_server_says_once_that_its_role_may_change_records() {
    let database = TestDatabase::create().await;
    let mut server = Setup::on(&database).serve().await;
    assert_eq!(server.stop().await, 0);
    let warned =
        server.process.stdout().lines().filter(|line| line.contains("may change audit records")).count();
    assert_eq!(warned, usize::from(!database.embedded()), "the role of tests owns the tables");
}

#[tokio::test]
async fn records_are_listed_beside_the_server() {
    let database = TestDatabase::create().await;
    let setup = Setup::on(&database);
    let server = setup.serve().await;
    let user = server.user().await;
    let id = user.me().await.text("id");
    user.login_as(&user.email, "not the right one").await.expect_status(401);
    setup.run(&["users", "disable", &id]).await.expect_code(0);

    let list =
        async |more: &[&str]| setup.run(&[&["audit", "list"][..], more].concat()).await.expect_code(0).stdout;
    let said = list(&["--user", &id]).await;
    let mut told: Vec<&str> = said.lines().map(|line| line.split("  ").nth(1).expect("an event")).collect();
    assert_eq!(told.first(), Some(&"user_disabled"), "the newest");
    told.sort_unstable();
    assert_eq!(told, ["login_failed", "login_succeeded", "user_created", "user_disabled"]);
    assert!(said.lines().next().expect("a line").contains("  success  command_line  "), "{said}");
    assert_eq!(list(&["--user", &id, "--limit", "2"]).await.lines().count(), 2);
    assert_eq!(list(&["--user", &id, "--event", "login_failed", "--since", "1h"]).await.lines().count(), 1);
    assert_eq!(list(&["--until", "1h"]).await, "");
    assert_eq!(list(&["--actor", &id]).await, "");

    let json = list(&["--user", &id, "--event", "login_failed", "--json"]).await;
    let record: Value = serde_json::from_str(json.trim()).expect("one JSON object");
    assert_eq!((&record["user_id"], &record["outcome"]), (&json!(id), &json!("failure")));
    assert_eq!(record["detail"]["reason"], "wrong_password");
    let bad = ["audit", "list", "--event", "everything"];
    setup.run(&bad).await.expect_refusal(2, &["everything", "login_failed"]);

    // What the command line and the API show is the same.
    setup.run(&["users", "create", "--email", "admin@example.com", "--role", "admin"]).await.expect_code(0);
    let made = setup.run_with_input(
        &["users", "reset-password", "admin@example.com", "--password-stdin"],
        crate::support::PASSWORD,
    );
    made.await.expect_code(0);
    let mut admin = server.anonymous();
    "admin@example.com".clone_into(&mut admin.email);
    admin.login().await.expect_status(200);
    let path = format!("/admin/audit?user={id}&event=login_failed");
    let shown = admin.ask(reqwest::Method::GET, &path).await.expect_status(200).json;
    assert_eq!(shown["items"][0], record);
}

#[tokio::test]
async fn old_records_are_pruned_beside_the_server() {
    let database = TestDatabase::create().await;
    let setup = Setup::on(&database);
    // The server itself keeps everything.
    let server = setup.clone().env("KEYWARD_RETENTION_AUDIT", "3650d").serve().await;
    server.user().await;
    // 1,200 records of 2020, which an id says, too: more than one step.
    let many = if database.embedded() {
        "INSERT INTO audit_log (id, occurred_at, event, request_id)
         WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 1200)
         SELECT unhex('016f5e66e80070008000' || printf('%012x', n)), 1577836800000000, 'login_failed', 'old' FROM n"
    } else {
        "INSERT INTO audit_log (id, occurred_at, event, request_id)
         SELECT ('016f5e66e80070008000' || lpad(to_hex(n), 12, '0'))::uuid, '2020-01-01T00:00:00Z', 'login_failed', 'old'
         FROM generate_series(1, 1200) AS n"
    };
    database.execute(many).await;
    let new = "SELECT count(*) FROM audit_log WHERE request_id <> 'old' AND event <> 'audit_pruned'";
    let before = database.number(new).await;

    let early = ["audit", "prune", "--older-than", "1s"];
    setup.run(&early).await.expect_refusal(1, &["retention.audit", "nothing was deleted", "--yes"]);
    assert_eq!(database.number("SELECT count(*) FROM audit_log WHERE request_id = 'old'").await, 1_200);
    let said = setup.run(&["audit", "prune"]).await.expect_code(0).stdout;
    assert!(said.starts_with("1200 audit records from before "), "{said}");
    assert_eq!(database.number("SELECT count(*) FROM audit_log WHERE request_id = 'old'").await, 0);
    assert_eq!(database.number(new).await, before);
    let pruned = SecurityEvent::AuditPruned.as_str();
    assert_eq!(
        setup.run(&["audit", "list", "--event", pruned]).await.expect_code(0).stdout.lines().count(),
        1
    );
    let said = setup.run(&["audit", "prune", "--older-than", "400d"]).await.expect_code(0).stdout;
    assert!(said.starts_with("0 audit records"), "{said}");
    assert_eq!(
        setup.run(&["audit", "list", "--event", pruned]).await.expect_code(0).stdout.lines().count(),
        1
    );
    server.user().await;
}

#[tokio::test]
async fn the_grants_of_a_role_are_printed_without_settings() {
    let folder = tempfile::tempdir().expect("a folder");
    let setup = Setup::bare(folder.path()).env("KEYWARD_DATABASE_URL", "nonsense");
    let said = setup.run(&["migrate", "grants"]).await.expect_code(0).stdout;
    assert_eq!(said, include_str!("../../deploy/postgres/grants.sql"));
    let said = setup.run(&["migrate", "grants", "web"]).await.expect_code(0).stdout;
    assert!(said.contains("GRANT SELECT, INSERT ON audit_log TO \"web\";"), "{said}");
    setup.run(&["migrate", "grants", "a; DROP TABLE users_auth"]).await.expect_refusal(1, &["a role's name"]);
}
