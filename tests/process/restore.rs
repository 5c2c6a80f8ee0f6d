//! What `docs/backup-and-upgrade.md` says about PostgreSQL, with the lines that stand there: a dump brought back, and a
//! recovery to the moment before an accident.

use std::fs;
use std::path::Path;

use crate::support::{Kind, PostgresServer, Server, Setup, TestDatabase};

#[tokio::test]
async fn a_dump_of_postgresql_is_brought_back() {
    if Kind::of_this_run() == Kind::Sqlite {
        return; // `keyward backup` is for it
    }
    let postgres = PostgresServer::start().await;
    let database = TestDatabase::create_on(postgres.options()).await;
    let setup = Setup::on(&database);
    let mut server = setup.serve().await;
    postgres.shell("psql --command='CREATE ROLE keyward_app LOGIN'");
    fs::create_dir_all(postgres.folder().join("deploy/postgres")).unwrap();
    let grants = "deploy/postgres/grants.sql";
    fs::copy(root().join(grants), postgres.folder().join(grants)).unwrap();

    let before = server.user().await;
    let owner = database.url().split('?').next().expect("a URL").to_owned(); // what follows is for our client
    postgres.shell(&format!("OWNER_URL={owner}\n{}", block("pg_dump --format")));
    let after = server.user().await;
    assert_eq!(server.stop().await, 0);
    let restore = block("pg_restore --clean");
    let (restore, end) = restore.split_once("keyward sessions end --all").expect("the last line");
    assert!(end.trim_start().starts_with('#'), "{end}");
    postgres.shell(&format!("OWNER_URL={owner}\n{restore}"));

    let role = owner.replace("postgres://postgres", "postgres://keyward_app");
    assert_ne!(role, owner);
    let setup = setup.env("KEYWARD_DATABASE_URL", role);
    let said = setup.run(&["sessions", "end", "--all"]).await.expect_code(0).stdout;
    assert!(said.starts_with("1 session"), "{said}");
    let server = setup.serve().await;
    let mut before = before.at(server.url(""));
    before.present(&before.refresh_token).await.expect_status(401);
    before.me().await.expect_problem(401, "session_ended");
    before.login().await.expect_status(200);
    before.refresh().await.expect_status(200);
    let mut after = after.at(server.url(""));
    after.login().await.expect_problem(401, "invalid_credentials");
    after.signup().await.expect_status(201);
}

#[tokio::test]
async fn postgresql_is_recovered_to_the_moment_before_an_accident() {
    if Kind::of_this_run() == Kind::Sqlite {
        return;
    }
    let mut postgres = PostgresServer::start().await;
    let folder = postgres.folder().display().to_string();
    let here = |text: String| {
        let text = text.replace("/archive/", &format!("{folder}/archive/"));
        text.replace("/backups/", &format!("{folder}/backups/"))
    };
    postgres.shell("mkdir archive backups");
    postgres.stop();
    postgres.configure(&here(block("archive_mode")));
    postgres.start_again().await;

    let database = TestDatabase::create_on(postgres.options()).await;
    let setup = Setup::on(&database);
    let mut server = setup.serve().await;
    let first = server.user().await;
    postgres.shell(&here(block("pg_basebackup")));
    let second = server.user().await;
    let time = database.texts("SELECT clock_timestamp()::text").await.remove(0);
    database.execute("DELETE FROM users_auth").await;
    assert_eq!(server.stop().await, 0);
    postgres.stop_immediate();

    let cluster = postgres.cluster().display().to_string();
    postgres.shell(&format!("PGDATA={cluster}\n{}", here(block("recovery.signal"))));
    let settings = here(block("restore_command"));
    let example = "2026-11-25 03:00:00+00";
    assert!(settings.contains(example), "{settings}");
    postgres.configure(&settings.replace(example, &time));
    postgres.start_again().await;
    // It lets readers in before it is done.
    postgres.shell("until [ \"$(psql -Atc 'SELECT pg_is_in_recovery()')\" = f ]; do sleep 0.1; done");

    setup.run(&["sessions", "end", "--all"]).await.expect_code(0);
    let server: Server = setup.serve().await;
    for user in [first, second] {
        let mut user = user.at(server.url(""));
        user.login().await.expect_status(200);
        user.refresh().await.expect_status(200);
    }
}

/// The one fenced block of the page with these words in it.
fn block(words: &str) -> String {
    let page = fs::read_to_string(root().join("docs/backup-and-upgrade.md")).unwrap();
    let mut found = page.split("```").skip(1).step_by(2).filter(|block| block.contains(words));
    let block = found.next().unwrap_or_else(|| panic!("no block says {words:?}"));
    assert!(found.next().is_none(), "several blocks say {words:?}");
    let (_, lines) = block.split_once('\n').expect("what language it is in");
    lines.to_owned()
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}
