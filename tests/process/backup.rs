//! `keyward backup`: a copy made under load, what is in it, and a server that goes on from it.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use keyward::store::Store;
use sqlx::{Connection as _, SqliteConnection};

use crate::support::{Actor, Kind, Server, Setup, TestDatabase, rounds, until};

/// `true` where there is nothing to test: PostgreSQL has backups of its own.
fn not_embedded() -> bool {
    Kind::of_this_run() == Kind::Postgres
}

/// A setup whose data is a restored backup: the copy, the master key, and nothing else.
fn restored(folder: &Path, copy: &Path, key: &Path) -> Setup {
    let data = folder.join("data");
    fs::create_dir(&data).unwrap();
    fs::copy(copy, data.join("keyward.db")).unwrap();
    fs::copy(key, data.join("master.key")).unwrap();
    Setup::embedded(folder)
}

#[tokio::test]
async fn a_backup_made_under_load_has_all_that_was_acknowledged_and_serves() {
    if not_embedded() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let setup = Setup::embedded(folder.path());
    let mut server = setup.serve().await;
    let (stop, done) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let clients: Vec<_> = (0..4)
        .map(|_| {
            let (stop, done, base) = (Arc::clone(&stop), Arc::clone(&done), server.url(""));
            tokio::spawn(async move {
                let mut made = Vec::new();
                while !stop.load(Ordering::Relaxed) {
                    let mut actor = Actor::new(base.clone());
                    actor.signup().await.expect_status(201);
                    actor.login().await.expect_status(200);
                    actor.refresh().await.expect_status(200);
                    made.push(actor);
                    done.fetch_add(1, Ordering::Relaxed);
                }
                made
            })
        })
        .collect();
    let mut known = 0;
    let mut before = None;
    for round in 0..rounds(5, 50) {
        let target = done.load(Ordering::Relaxed) + 8;
        until("more users", async || (done.load(Ordering::Relaxed) >= target).then_some(())).await;
        let user = server.user().await;
        known = done.load(Ordering::Relaxed);
        let name = format!("backup-{round}.db");
        let said = setup.run(&["backup", &name]).await.expect_code(0).stdout;
        for part in [name.as_str(), "integrity_check ok", "data/master.key", "not in it"] {
            assert!(said.contains(part), "{part:?} is not in {said}");
        }
        before = Some((name, user));
    }
    stop.store(true, Ordering::Relaxed);
    for client in clients {
        client.await.unwrap();
    }
    assert_eq!(server.stop().await, 0);

    let (name, user) = before.unwrap();
    let copy = folder.path().join(name);
    assert_eq!(fs::metadata(&copy).unwrap().permissions().mode() & 0o777, 0o600);
    let drafts =
        fs::read_dir(folder.path()).unwrap().flatten().map(|file| file.file_name().into_string().unwrap());
    let whole = |name: &String| Path::new(name).extension().is_some_and(|extension| extension == "db");
    let odd: Vec<_> = drafts.filter(|name| name.starts_with("backup") && !whole(name)).collect();
    assert_eq!(odd, Vec::<String>::new());
    let state = Store::sqlite_copy_check(&copy).await.unwrap();
    assert!(usize::try_from(state.users).unwrap() >= known, "{state:?} and {known} were acknowledged");
    let key = fs::read_to_string(folder.path().join("data/master.key")).unwrap();
    assert!(!fs::read(&copy).unwrap().windows(40).any(|bytes| bytes == &key.as_bytes()[..40]));

    let elsewhere = tempfile::tempdir().unwrap();
    let setup = restored(elsewhere.path(), &copy, &folder.path().join("data/master.key"));
    let mut server = setup.serve().await;
    let mut user = user.at(server.url(""));
    user.me().await.expect_status(200);
    user.refresh().await.expect_status(200);
    user.login().await.expect_status(200);
    setup.doctor().await.expect_code(0).the("schema.steps").expect("ok", &[]);
    assert_eq!(server.stop().await, 0);
}

/// What happened after the backup is forgotten: tokens that were taken since end their family, and what was ended since
/// would live again. That is what `sessions end --all` is for.
#[tokio::test]
async fn after_a_restore_everybody_is_logged_out_by_one_command() {
    if not_embedded() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let setup = Setup::embedded(folder.path());
    let mut server = setup.serve().await;
    let (mut moved_on, left, stayed) = (server.user().await, server.user().await, server.user().await);
    let copy = folder.path().join("copy.db");
    setup.run(&["backup", "copy.db"]).await.expect_code(0);
    moved_on.refresh().await.expect_status(200);
    left.logout().await.expect_status(204);
    left.present(&left.refresh_token).await.expect_problem(401, "session_ended");
    assert_eq!(server.stop().await, 0);

    let key = folder.path().join("data/master.key");
    let elsewhere = tempfile::tempdir().unwrap();
    let server = restored(elsewhere.path(), &copy, &key).serve().await;
    let moved_on = moved_on.at(server.url(""));
    moved_on.present(&moved_on.refresh_token).await.expect_problem(401, "session_ended");
    let left = left.at(server.url(""));
    left.me().await.expect_status(200);
    left.present(&left.refresh_token).await.expect_status(200);
    drop(server);

    let elsewhere = tempfile::tempdir().unwrap();
    let setup = restored(elsewhere.path(), &copy, &key);
    let said = setup.run(&["sessions", "end", "--all"]).await.expect_code(0).stdout;
    assert!(said.starts_with("3 sessions ended"), "{said}");
    let server = setup.serve().await;
    for user in [moved_on, left, stayed] {
        let mut user = user.at(server.url(""));
        assert_eq!(user.present(&user.refresh_token).await.status, 401);
        user.me().await.expect_problem(401, "session_ended");
        user.login().await.expect_status(200);
        user.refresh().await.expect_status(200);
    }
}

#[tokio::test]
async fn what_is_there_is_not_overwritten_and_what_is_broken_is_not_backed_up() {
    if not_embedded() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let setup = Setup::embedded(folder.path());
    setup.run(&["backup", "copy.db"]).await.expect_refusal(78, &["there is no database", "data_dir"]);
    assert!(!folder.path().join("data").exists(), "nothing was made");
    let mut server: Server = setup.serve().await;
    server.user().await;
    assert_eq!(server.stop().await, 0);

    let setup = setup.file("taken.db", "somebody's");
    setup
        .run(&["backup", "taken.db"])
        .await
        .expect_refusal(1, &["taken.db is there already", "another name"]);
    assert_eq!(fs::read_to_string(folder.path().join("taken.db")).unwrap(), "somebody's");
    setup
        .run(&["backup", "nowhere/copy.db"])
        .await
        .expect_refusal(1, &["nowhere/copy.db", "folder that exists"]);
    setup.run(&["backup"]).await.expect_refusal(2, &["FILE"]);
    std::os::unix::fs::symlink("dangling", folder.path().join("link.db")).unwrap();
    setup.run(&["backup", "link.db"]).await.expect_refusal(1, &["is there already"]);

    // A session of nobody, as no statement of ours could leave it.
    let database = folder.path().join("data/keyward.db");
    let mut connection =
        SqliteConnection::connect(&format!("sqlite://{}", database.display())).await.unwrap();
    sqlx::raw_sql("PRAGMA foreign_keys = OFF; DELETE FROM users_auth")
        .execute(&mut connection)
        .await
        .unwrap();
    connection.close().await.unwrap();
    let flaws = ["the copy is broken", "refers to nothing", "last good"];
    setup.run(&["backup", "copy.db"]).await.expect_refusal(1, &flaws);
    // Pages of something else in the middle of it.
    let mut bytes = fs::read(&database).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle..middle + 8_192].fill(0x5a);
    fs::write(&database, bytes).unwrap();
    let refused = setup.run(&["backup", "copy.db"]).await;
    assert_ne!(refused.code, 0, "{refused:?}");
    let copies = fs::read_dir(folder.path()).unwrap().flatten();
    let copies: Vec<_> =
        copies.filter(|file| file.file_name().to_string_lossy().starts_with("copy")).collect();
    assert!(copies.is_empty(), "{copies:?}");
}

#[tokio::test]
async fn on_postgresql_it_says_what_to_use_instead() {
    let database = TestDatabase::create().await;
    let mut setup = Setup::on(&database);
    if database.embedded() {
        setup = setup.env("KEYWARD_DATABASE_URL", "postgres://keyward:hunter2@127.0.0.1:1/keyward");
    }
    let refused = setup.run(&["backup", "copy.db"]).await;
    let refused = refused.expect_refusal(2, &["pg_dump", "docs/backup-and-upgrade.md"]);
    assert_eq!(refused.stderr.lines().count(), 1, "{}", refused.stderr);
}
