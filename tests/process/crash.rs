//! kill -9 at any moment: what was acknowledged is there, what was revoked stays so.

use std::time::Duration;

use tokio::time::Instant;

use crate::support::{Crowd, Faults, Setup, TestDatabase, promised, rounds, until};

/// What is promised from the start of the process to the first request that is served.
const READY: Duration = Duration::from_secs(5);
const PEOPLE: usize = 8;

/// F4.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_acknowledged_write_survives_kill_9_under_load() {
    let database = TestDatabase::create().await;
    let setup = Setup::on(&database);
    let mut server = setup.serve().await;
    let crowd = Crowd::at(&server, PEOPLE, Faults::Cut);
    let mut slowest_start = Duration::ZERO;
    for n in 0..rounds(10, 100) as usize {
        // Now in the middle of this, now of that.
        crowd.works(24 + n % 17).await;
        server.process.kill();
        let begun = Instant::now();
        server = setup.serve().await;
        slowest_start = slowest_start.max(begun.elapsed());
        crowd.moves_to(&server);
    }
    crowd.works(24).await;
    let ledger = crowd.leaves().await;
    println!("{ledger}; slowest start {slowest_start:?}");
    assert!(slowest_start <= promised(READY), "ready after {slowest_start:?}");
    ledger.check(&server).await;
    database.check_invariants().await;
}

#[tokio::test]
async fn a_replayed_token_is_detected_after_kill_9() {
    let database = TestDatabase::create().await;
    let setup = Setup::on(&database).env("KEYWARD_TOKEN_REFRESH_GRACE", "1s");
    let mut server = setup.serve().await;
    let mut user = server.user().await;
    let stolen = user.refresh_token.clone();
    user.refresh().await.expect_status(200);
    let current = user.refresh_token.clone();
    server.process.kill();

    let server = setup.serve().await;
    let user = user.at(server.url(""));
    // Within the grace it gives the very same successor; after it, the session ends.
    let refused = until("the end of the grace", async || {
        let answer = user.present(&stolen).await;
        if answer.status == 200 {
            assert_eq!(answer.text("refresh_token"), current);
            return None;
        }
        Some(answer)
    })
    .await;
    refused.expect_problem(401, "refresh_token_reused");
    user.present(&current).await.expect_problem(401, "session_ended");
    user.me().await.expect_problem(401, "session_ended");
    let records =
        database.number("SELECT count(*) FROM outbox WHERE type = 'auth.refresh_token_reused'").await;
    assert_eq!(records, 1);
}

#[tokio::test]
async fn tokens_outlive_a_crash_and_revocations_do_too() {
    let database = TestDatabase::create().await;
    let setup = Setup::on(&database);
    let mut server = setup.serve().await;
    let keys = server.anonymous().get("/.well-known/jwks.json").await.json;
    let (mut stays, leaves) = (server.user().await, server.user().await);
    leaves.logout_everywhere().await.expect_status(204);
    server.process.kill();

    let server = setup.serve().await;
    assert_eq!(server.anonymous().get("/.well-known/jwks.json").await.json, keys);
    stays = stays.at(server.url(""));
    stays.me().await.expect_status(200);
    stays.refresh().await.expect_status(200);
    let mut leaves = leaves.at(server.url(""));
    leaves.me().await.expect_problem(401, "session_ended");
    leaves.refresh().await.expect_problem(401, "session_ended");
}

#[tokio::test]
async fn the_embedded_keys_are_made_once_and_readable_by_their_owner_alone() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().unwrap();
    let setup = Setup::embedded(folder.path());
    let mut server = setup.serve().await;
    let user = server.user().await;
    let mode = |name: &str| std::fs::metadata(folder.path().join(name)).unwrap().permissions().mode() & 0o777;
    assert_eq!(format!("{:o} {:o}", mode("data"), mode("data/master.key")), "700 600");
    let key = std::fs::read_to_string(folder.path().join("data/master.key")).unwrap();
    server.process.kill();

    let server = setup.serve().await;
    user.at(server.url("")).me().await.expect_status(200);
    assert_eq!(std::fs::read_to_string(folder.path().join("data/master.key")).unwrap(), key);
}
