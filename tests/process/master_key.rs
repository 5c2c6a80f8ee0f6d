//! The master key: made once for the embedded database, demanded with PostgreSQL, never replaced behind anyone's back.

use keyward::config::MasterKey;

use crate::support::{Setup, TestDatabase, until};

#[tokio::test]
async fn postgresql_without_a_key_gets_a_fresh_one_and_a_command_that_works() {
    let database = TestDatabase::create().await;
    let mut url = database.url();
    if database.embedded() {
        // Refused before anything is asked of the server; what the command does is for the other run.
        "postgres://keyward@127.0.0.1:1/keyward".clone_into(&mut url);
    }
    let setup = Setup::on(&database).env("KEYWARD_DATABASE_URL", url).without("KEYWARD_MASTER_KEY");
    let refused = setup.run(&[]).await.expect_refusal(78, &["no master key", "keep it in a secret store"]);
    let again = setup.run(&[]).await.expect_code(78);
    let command = command_line(&refused.stderr);
    assert_ne!(command, command_line(&again.stderr), "each one is fresh");
    assert!(!database.folder.path().join("master.key").exists());

    let binary = std::path::Path::new(env!("CARGO_BIN_EXE_keyward")).parent().unwrap();
    let line =
        format!("PATH={}:$PATH; {}", binary.display(), command.replacen(" keyward", " exec keyward", 1));
    let mut shell = setup.command("sh");
    // The assignment before `exec` is the one before `keyward`, word for word.
    shell.args(["-c", &line]);
    let mut process = crate::support::Process::spawn(shell, "");
    if database.embedded() {
        assert_eq!(process.exit_code().await, 69, "{}", process.said());
    } else {
        until("a server", async || process.stdout().contains("\"ready\"").then_some(())).await;
        process.signal("TERM");
        assert_eq!(process.exit_code().await, 0, "{}", process.said());
    }
}

#[tokio::test]
async fn an_existing_embedded_database_without_its_key_is_refused_and_no_key_is_made() {
    let folder = tempfile::tempdir().unwrap();
    let setup = Setup::embedded(folder.path());
    let mut server = setup.serve().await;
    let user = server.user().await;
    assert_eq!(server.stop().await, 0);
    let (path, kept) = (folder.path().join("data/master.key"), folder.path().join("kept.key"));
    std::fs::rename(&path, &kept).unwrap();

    for command in [&["serve"][..], &["users", "list"]] {
        setup.run(command).await.expect_refusal(78, &["master.key is missing", "no new key was made"]);
        assert!(!path.exists());
    }
    std::fs::write(&path, other_key()).unwrap();
    setup.run(&[]).await.expect_refusal(78, &["was made with master key", "no new key was made"]);
    for broken in ["", "not a key\n", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n"] {
        std::fs::write(&path, broken).unwrap();
        setup.run(&[]).await.expect_refusal(78, &["data/master.key"]);
        assert_eq!(std::fs::read_to_string(&path).unwrap(), broken);
    }
    std::fs::rename(&kept, &path).unwrap();
    let server = setup.serve().await;
    user.at(server.url("")).me().await.expect_status(200);
}

#[tokio::test]
async fn another_key_is_refused_for_an_existing_database_and_changes_nothing() {
    let database = TestDatabase::create().await;
    let setup = Setup::on(&database);
    let mut server = setup.serve().await;
    let user = server.user().await;
    assert_eq!(server.stop().await, 0);

    let other = setup.clone().env("KEYWARD_MASTER_KEY", other_key());
    for command in [&["serve"][..], &["users", "list"]] {
        other.run(command).await.expect_refusal(78, &["was made with master key", "KEYWARD_MASTER_KEY"]);
    }
    assert_eq!(database.number("SELECT count(*) FROM master_keys").await, 1);
    let server = setup.serve().await;
    user.at(server.url("")).me().await.expect_status(200);
}

#[tokio::test]
async fn a_second_accepted_key_is_a_key_of_the_database_from_then_on() {
    let database = TestDatabase::create().await;
    let setup = Setup::on(&database);
    let mut server = setup.serve().await;
    let mut user = server.user().await;
    assert_eq!(server.stop().await, 0);

    // Added as accepted first, then promoted: sessions and tokens go on.
    let (old, new) = (crate::support::master_key(), other_key());
    for list in [format!("{old},{new}"), format!("{new},{old}")] {
        let mut server = setup.clone().env("KEYWARD_MASTER_KEY", list).serve().await;
        user = user.at(server.url(""));
        user.me().await.expect_status(200);
        user.refresh().await.expect_status(200);
        assert_eq!(server.stop().await, 0);
    }
    // A replica that was forgotten finds out before it does harm.
    setup.run(&[]).await.expect_refusal(78, &["was made with master key"]);
}

/// A rotation that is called off and done again: what is in use is never taken for retired.
#[tokio::test]
async fn a_master_key_that_comes_back_into_use_is_needed_again() {
    let database = TestDatabase::create().await;
    let setup = Setup::on(&database);
    let (old, new) = (crate::support::master_key(), other_key());
    let with = |keys: &[&str]| setup.clone().env("KEYWARD_MASTER_KEY", keys.join(","));
    with(&[&old]).run(&["keys", "list"]).await.expect_code(0);
    for keys in [[&*new, &*old], [&*old, &*new], [&*new, &*old]] {
        let said = with(&keys).run(&["keys", "reseal"]).await.expect_code(0).stdout;
        assert!(said.starts_with("2 signing keys sealed anew"), "{said}");
        with(&keys[..1]).run(&["keys", "list"]).await.expect_code(0);
        let refused = with(&keys[1..]).run(&["keys", "list"]).await;
        refused.expect_refusal(78, &["was made with master key", "KEYWARD_MASTER_KEY"]);
    }
    let resealed =
        "SELECT count(*) FROM audit_log WHERE event = 'signing_keys_resealed' AND detail LIKE '%kids%'";
    assert_eq!(database.number(resealed).await, 3);
}

/// As after a reseal while a replica still made keys under the older master key.
#[tokio::test]
async fn a_signing_key_that_cannot_be_opened_is_told_by_name() {
    let database = TestDatabase::create().await;
    let setup = Setup::on(&database);
    setup.run(&["keys", "list"]).await.expect_code(0);
    database.execute("UPDATE master_keys SET retired_at = created_at").await;
    database.execute("UPDATE signing_keys SET state = 'removed' WHERE state = 'active'").await;
    let other = setup.clone().env("KEYWARD_MASTER_KEY", other_key());
    let refused = other.run(&["serve"]).await;
    refused.expect_refusal(78, &["is sealed with master key", "KEYWARD_MASTER_KEY", "keys reseal"]);
    let untouched = "SELECT count(*) FROM signing_keys WHERE state = 'pending'";
    assert_eq!(database.number(untouched).await, 1, "nothing was promoted");
    setup.run(&["keys", "list"]).await.expect_code(0);
}

/// The line that is to be copied.
fn command_line(stderr: &str) -> String {
    let line =
        stderr.lines().find(|line| line.contains("KEYWARD_MASTER_KEY=") && line.ends_with("keyward serve"));
    line.unwrap_or_else(|| panic!("no command in {stderr}")).trim().to_owned()
}

fn other_key() -> String {
    MasterKey::new(keyward::random::bytes()).to_base64().to_string()
}
