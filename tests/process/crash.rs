//! kill -9 at any moment: what was acknowledged is there, what was revoked stays so.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::json;

use crate::support::{Actor, PASSWORD, Server, Setup, TestDatabase, until};

#[tokio::test]
async fn every_acknowledged_sign_up_survives_kill_9() {
    let database = TestDatabase::create().await;
    let setup = Setup::on(&database);
    let mut acknowledged: Vec<Actor> = Vec::new();
    for _ in 0..3 {
        let mut server = setup.serve().await;
        let done = Arc::new(AtomicUsize::new(0));
        let clients: Vec<_> =
            (0..8).map(|_| tokio::spawn(sign_up_until_cut(&server, Arc::clone(&done)))).collect();
        until("some sign-ups", async || (done.load(Ordering::Relaxed) >= 16).then_some(())).await;
        server.process.kill();
        for client in clients {
            acknowledged.extend(client.await.unwrap());
        }
    }
    let server = setup.serve().await;
    assert!(acknowledged.len() >= 48);
    for mut user in acknowledged.into_iter().map(|user| user.at(server.url(""))) {
        user.login().await.expect_status(200);
    }
    let (users, events) = (
        database.number("SELECT count(*) FROM users_auth").await,
        database.number("SELECT count(*) FROM outbox WHERE type = 'auth.user_created'").await,
    );
    assert_eq!(users, events, "one event for each account, whether its answer arrived or not");
}

/// Signs up one after another until the connection breaks; returns those who got their 201.
fn sign_up_until_cut(server: &Server, done: Arc<AtomicUsize>) -> impl Future<Output = Vec<Actor>> + use<> {
    let (base, http) = (server.url(""), server.anonymous().http);
    async move {
        let mut made = Vec::new();
        loop {
            let actor = Actor { http: http.clone(), ..Actor::new(base.clone()) };
            let body = json!({ "email": actor.email, "password": PASSWORD });
            match http.post(format!("{base}/auth/signup")).json(&body).send().await {
                Ok(answer) if answer.status() == 201 => made.push(actor),
                Ok(answer) => panic!("{answer:?}"),
                Err(_) => return made,
            }
            done.fetch_add(1, Ordering::Relaxed);
        }
    }
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
