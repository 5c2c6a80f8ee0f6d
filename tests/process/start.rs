//! Many processes that start together on an empty database.

use std::collections::BTreeSet;

use futures_util::future::join_all;

use crate::support::{Actor, Server, Setup, TestDatabase};

const TOGETHER: usize = 8;
const ACTIVE_KEYS: &str = "SELECT count(*) FROM signing_keys WHERE state = 'active'";
const PENDING_KEYS: &str = "SELECT count(*) FROM signing_keys WHERE state = 'pending'";

#[tokio::test]
async fn eight_at_once_end_with_one_active_key_that_all_publish() {
    let database = TestDatabase::create().await;
    let setup = Setup::on(&database).env("KEYWARD_DATABASE_MAX_CONNECTIONS", "2");
    let mut servers = Vec::new();
    if database.embedded() {
        // One server serves a file, but any number of commands run beside it.
        let commands: Vec<_> = (0..TOGETHER).map(|_| setup.start(&["users", "list"])).collect();
        for command in commands {
            Setup::finish(command).await.expect_code(0);
        }
        servers.push(setup.serve().await);
    } else {
        database.execute("DROP SCHEMA public CASCADE").await;
        database.execute("CREATE SCHEMA public").await;
        let started: Vec<_> = (0..TOGETHER).map(|_| setup.start(&[])).collect();
        for process in started {
            servers.push(Server::ready(process).await);
        }
    }
    assert_eq!(database.number(ACTIVE_KEYS).await, 1);
    assert_eq!(database.number(PENDING_KEYS).await, 1);
    assert_eq!(database.number("SELECT count(*) FROM signing_keys").await, 2, "and no others");

    let mut sets = BTreeSet::new();
    for server in &servers {
        sets.insert(
            server.anonymous().get("/.well-known/jwks.json").await.expect_status(200).json.to_string(),
        );
    }
    assert_eq!(sets.len(), 1, "{sets:?}");
    // A token of each is good at each.
    for made_by in &servers {
        let user = made_by.user().await;
        for seen_by in &servers {
            user.at(seen_by.url("")).me().await.expect_status(200);
        }
    }
}

#[tokio::test]
async fn eight_at_once_in_an_empty_folder_make_one_master_key() {
    for _ in 0..4 {
        let folder = tempfile::tempdir().unwrap();
        let setup = Setup::embedded(folder.path());
        let commands: Vec<_> = (0..TOGETHER).map(|_| setup.start(&["users", "list"])).collect();
        for command in commands {
            Setup::finish(command).await.expect_code(0);
        }
        let files: Vec<_> = std::fs::read_dir(folder.path().join("data")).unwrap().flatten().collect();
        let keys = files.iter().filter(|file| file.file_name().to_string_lossy().contains("master.key"));
        assert_eq!(keys.count(), 1, "no drafts are left: {files:?}");
        setup.run(&["users", "list"]).await.expect_code(0);
    }
}

#[tokio::test]
async fn replicas_that_start_together_make_one_first_admin() {
    let database = TestDatabase::create().await;
    let setup = Setup::on(&database)
        .env("KEYWARD_DATABASE_MAX_CONNECTIONS", "2")
        .env("KEYWARD_ADMIN_EMAIL", "root@example.com")
        .env("KEYWARD_ADMIN_PASSWORD", "a river under seven bridges");
    let replicas = if database.embedded() { 1 } else { TOGETHER };
    let servers = join_all((0..replicas).map(|_| setup.serve())).await;
    assert_eq!(database.number("SELECT count(*) FROM users_auth").await, 1);
    assert_eq!(database.number("SELECT count(*) FROM outbox").await, 1);
    let server = &servers[0];
    let mut admin = Actor { email: "root@example.com".into(), ..server.anonymous() };
    "a river under seven bridges".clone_into(&mut admin.password);
    admin.login().await.expect_status(200);
}
