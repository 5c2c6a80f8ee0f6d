//! F12: from one version to the next, with data in it, beside the version before, and cut off in the middle.
//!
//! The databases in `tests/process/upgrade` were made by a binary of an earlier schema, not by this one.

use std::path::PathBuf;

use reqwest::Method;
use serde_json::Value;
use sqlx::{AssertSqlSafe, Connection as _, PgConnection, SqliteConnection};

use crate::support::{Actor, Kind, Setup, TestDatabase, rounds};

/// What the earlier version was run with, and whom it knew.
struct Earlier {
    notes: Value,
    dump: String,
}

impl Earlier {
    fn at(step: &str) -> Self {
        let folder = PathBuf::from("tests/process/upgrade").join(step);
        let name = match Kind::of_this_run() {
            Kind::Sqlite => "sqlite",
            Kind::Postgres => "postgres",
        };
        let read = |kind: &str| std::fs::read_to_string(folder.join(name).with_extension(kind)).expect(name);
        Self { notes: serde_json::from_str(&read("json")).expect("JSON"), dump: read("sql") }
    }

    fn text(&self, name: &str) -> String {
        self.notes[name].as_str().expect(name).to_owned()
    }

    /// Puts its database in place, and lets no time pass for its sessions: the files are older every day.
    async fn restore(&self, database: &TestDatabase) -> Setup {
        let (dump, url) = (AssertSqlSafe(self.dump.clone()), database.url());
        if database.embedded() {
            let url = format!("{url}?mode=rwc");
            let mut connection = SqliteConnection::connect(&url).await.expect("a file");
            sqlx::raw_sql(dump).execute(&mut connection).await.expect("a whole dump");
            connection.close().await.expect("closed");
            let now = "CAST(unixepoch('now') * 1000000 AS INTEGER)";
            database
                .execute(format!(
                    "UPDATE refresh_tokens SET rotated_at = {now}, expires_at = {now} + 1000000000000"
                ))
                .await;
        } else {
            let mut connection = PgConnection::connect(&url).await.expect("a database");
            sqlx::raw_sql(dump).execute(&mut connection).await.expect("a whole dump");
            connection.close().await.expect("closed");
            database
                .execute(
                    "UPDATE refresh_tokens SET rotated_at = now(), expires_at = now() + interval '12 days'",
                )
                .await;
        }
        Setup::on(database)
            .env("KEYWARD_MASTER_KEY", self.text("master_key"))
            .env("KEYWARD_ISSUER", self.text("issuer"))
    }
}

#[tokio::test]
async fn the_database_of_an_earlier_version_is_migrated_and_served() {
    let earlier = Earlier::at("0008");
    let database = TestDatabase::create_empty().await;
    let setup = earlier.restore(&database).await;
    let doctor = setup.doctor().await.expect_code(0);
    doctor.the("schema.steps").expect("warning", &["0009_audit_outcome"]);
    let users = database.number("SELECT count(*) FROM users_auth").await;
    let records = database.number("SELECT count(*) FROM audit_log").await;

    let mut server = setup.serve().await;
    assert!(server.process.stdout().contains("schema brought up to date"), "{}", server.process.said());
    let who = |email: &str, token: &str| Actor {
        email: earlier.text(email),
        password: earlier.text("password"),
        refresh_token: earlier.text(token),
        ..server.anonymous()
    };
    let (mut ada, mut admin) = (who("user", "user_refresh_token"), who("admin", "admin_refresh_token"));
    ada.refresh().await.expect_status(200);
    ada.refresh().await.expect_status(200);
    ada.me().await.expect_status(200);
    ada.login().await.expect_status(200);
    admin.refresh().await.expect_status(200);
    let listed = admin.ask(Method::GET, "/admin/users").await.expect_status(200);
    assert_eq!(listed.json["items"].as_array().map(Vec::len), Some(usize::try_from(users).unwrap()));
    // Records of then have neither outcome nor origin.
    let audit = admin.ask(Method::GET, "/admin/audit?limit=200").await.expect_status(200);
    let audit = audit.json["items"].as_array().unwrap();
    assert!(audit.len() > usize::try_from(records).unwrap());
    assert!(audit.iter().any(|record| record["outcome"].is_null()));
    assert!(audit.iter().any(|record| record["outcome"] == "success"));
    // A session that was ended then stays so.
    let ended = who("user", "ended_refresh_token");
    ended.present(&ended.refresh_token).await.expect_problem(401, "session_ended");
    let jwks = server.anonymous().get("/.well-known/jwks.json").await.expect_status(200);
    let kids: Vec<_> = jwks.json["keys"].as_array().unwrap().iter().map(|key| key["kid"].clone()).collect();
    assert!(kids.contains(&earlier.notes["active_kid"]), "what it signed can still be verified: {kids:?}");
    assert_eq!(server.stop().await, 0);
    let doctor = setup.doctor().await.expect_code(0);
    doctor.the("schema.steps").expect("ok", &[]);
}

/// As far back as there were signing keys: the tables of later steps are lost on the way, what was there stays.
#[tokio::test]
async fn sessions_and_users_live_through_every_step_back_and_forth() {
    let database = TestDatabase::create().await;
    let setup = Setup::on(&database);
    let mut server = setup.serve().await;
    let keys = server.anonymous().get("/.well-known/jwks.json").await.json;
    let mut user = server.user().await;
    assert_eq!(server.stop().await, 0);
    let known = setup.run(&["migrate", "status"]).await.expect_code(0).stdout.lines().count();
    for step in (3..known).rev() {
        setup.run(&["migrate", "down", "--to", &step.to_string()]).await.expect_code(0);
        let mut server = setup.serve().await;
        assert_eq!(server.anonymous().get("/.well-known/jwks.json").await.json, keys, "at step {step}");
        user = user.at(server.url(""));
        user.refresh().await.expect_status(200);
        user.me().await.expect_status(200);
        user.login().await.expect_status(200);
        server.user().await;
        assert_eq!(server.stop().await, 0);
    }
}

/// This binary as the older of two versions: the newer one has migrated, and works beside it.
#[tokio::test]
async fn an_older_replica_lives_through_a_roll_out_unless_the_schema_says_otherwise() {
    let database = TestDatabase::create().await;
    let setup = Setup::on(&database);
    let mut before = setup.serve().await;
    let mut user = before.user().await;
    let known = setup.run(&["migrate", "status"]).await.expect_code(0).stdout.lines().count();
    let newer = |version: usize, min_binary: usize| {
        format!(
            "INSERT INTO schema_migrations (version, name, min_binary, applied_at) \
             SELECT {version}, '{version:04}_later', {min_binary}, applied_at FROM schema_migrations WHERE version = 1"
        )
    };
    // What a step may do while the version before runs: add.
    database.execute("ALTER TABLE users_auth ADD COLUMN later text").await;
    database.execute("CREATE TABLE later (id bigint PRIMARY KEY)").await;
    database.execute(newer(known + 1, 1)).await;
    user.refresh().await.expect_status(200);
    before.user().await;
    if database.embedded() {
        assert_eq!(before.stop().await, 0);
    }
    // One that is started (again) during the roll-out, too.
    let mut during = setup.serve().await;
    user = user.at(during.url(""));
    user.refresh().await.expect_status(200);
    user.login().await.expect_status(200);
    during.user().await;
    setup.run(&["users", "list"]).await.expect_code(0);
    assert_eq!(during.stop().await, 0);

    database.execute(newer(known + 2, known + 2)).await;
    let says = [&*format!("needs a Keyward that knows {} migrations", known + 2), "upgrade it"];
    for command in [&["serve"][..], &["migrate"], &["migrate", "down", "--to", "1"], &["users", "list"]] {
        let refused = setup.run(command).await.expect_refusal(78, &says);
        assert_eq!(refused.stderr.trim_end().lines().count(), 1, "one clear sentence: {}", refused.stderr);
    }
    assert_eq!(database.number("SELECT count(*) FROM users_auth").await, 3, "nothing was taken back");
}

#[tokio::test]
async fn a_migration_that_is_killed_is_done_whole_or_not_at_all() {
    let mut interrupted = 0;
    for round in 0..rounds(6, 200) {
        let database = TestDatabase::create_empty().await;
        let setup = Setup::on(&database);
        let mut migrating = setup.start(&["migrate"]);
        // From before its first statement to after its last, whatever that is on this machine.
        let moment = std::time::Duration::from_millis(u64::from(round % 6) * 16);
        tokio::time::sleep(moment).await;
        if migrating.exited().is_none() {
            migrating.kill();
            interrupted += 1;
        }
        let applied = setup.run(&["migrate", "status"]).await.expect_code(0).stdout.lines().count();
        setup.run(&["migrate"]).await.expect_code(0);
        let whole = setup.run(&["migrate", "status"]).await.expect_code(0).stdout.lines().count();
        assert!(applied == 0 || applied == whole, "{applied} of {whole}");
        setup.doctor().await.expect_code(0).the("schema.steps").expect("ok", &[]);
        setup.run(&["keys", "list"]).await.expect_code(0);
    }
    assert!(interrupted > 0, "each of them was quicker than we");
}
