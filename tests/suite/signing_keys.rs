//! The life of signing keys, as verifiers and replicas live through it.

use std::time::Duration;

use keyward::app::{Error, RotateWhen};
use keyward::config::MasterKey;
use keyward::domain::{KeyState, Kid};
use keyward_verify::{KeySet, Verifier};

use crate::support::{ISSUER, TestServer, eventually, master_key};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);
const NEARLY_A_DAY: Duration = Duration::from_secs(24 * 60 * 60 - 100);

async fn kids(server: &TestServer, state: KeyState) -> Vec<Kid> {
    let (keys, _) = server.app.keys_list(&server.operator()).await.unwrap();
    keys.into_iter().filter(|key| key.state == state).map(|key| key.kid).collect()
}

async fn key_set(server: &TestServer) -> KeySet {
    let jwks = server.anonymous().get("/.well-known/jwks.json").await.expect_status(200);
    KeySet::from_jwks(&jwks.body).unwrap()
}

fn verifies(token: &str, keys: &KeySet, server: &TestServer) -> bool {
    let now = server.clock.now().unix_seconds();
    Verifier::new(ISSUER, ISSUER).verify(token, keys, now).is_ok()
}

#[tokio::test]
async fn a_key_is_published_before_it_signs() {
    let server = TestServer::start().await;
    let (active, pending) = (kids(&server, KeyState::Active).await, kids(&server, KeyState::Pending).await);
    assert_eq!((active.len(), pending.len()), (1, 1));
    assert_eq!(key_set(&server).await.kids().count(), 2);

    let operator = server.operator();
    let early = server.app.keys_rotate(&operator, RotateWhen::Published).await;
    assert!(matches!(early, Err(Error::KeyTooFresh { .. })));
    server.clock.advance(DAY);
    let promoted = server.app.keys_rotate(&operator, RotateWhen::Published).await.unwrap();
    assert_eq!(vec![promoted.kid], pending);
    assert_eq!(kids(&server, KeyState::Retired).await, active);
    assert_eq!(kids(&server, KeyState::Pending).await.len(), 1);
    let events = server.database.texts("SELECT type FROM outbox").await;
    assert_eq!(events, ["auth.signing_key_rotated"]);
    server.database.check_invariants().await;
}

/// T10: ten rotations, four replicas, a verifier that fetches the key set as seldom as it may.
#[tokio::test]
async fn a_verifier_that_caches_never_meets_an_unknown_key() {
    let server = TestServer::start().await;
    let mut servers = vec![server.replica().await, server.replica().await, server.replica().await, server];
    let operator = servers[0].operator();
    let mut cached = key_set(&servers[0]).await;
    let mut tokens: Vec<String> = Vec::new();
    for round in 0..10 {
        servers.rotate_left(1);
        servers[0].clock.advance(NEARLY_A_DAY);
        // The verifier's cache is as old as `max-age` allows when the new key begins to sign.
        cached = if round % 2 == 0 { key_set(&servers[1]).await } else { cached };
        servers[0].clock.advance(Duration::from_secs(100));
        if round % 2 == 1 {
            cached = key_set(&servers[2]).await;
        }
        let kid = servers[0].app.keys_rotate(&operator, RotateWhen::Published).await.unwrap().kid;
        tokens.clear();
        for server in &servers {
            // A second at most; the moved clock must not make a day of it.
            eventually("a replica has heard of the rotation", async || {
                let published = key_set(server).await;
                let next = kids(server, KeyState::Pending).await;
                next.iter().chain([&kid]).all(|kid| published.kids().any(|known| known == kid.as_str()))
            })
            .await;
            tokens.push(server.user().await.access_token);
        }
        for token in &tokens {
            assert!(verifies(token, &cached, &servers[0]), "round {round}");
            for server in &servers {
                server.anonymous().me_with(token).await.expect_status(200);
            }
        }
    }
    servers[0].database.check_invariants().await;
}

#[tokio::test]
async fn keys_rotate_by_themselves_and_retired_ones_go() {
    let server = TestServer::start().await;
    let first = kids(&server, KeyState::Active).await;
    server.clock.advance(30 * DAY);
    let mut user = server.user().await;
    server.app.maintain("maintenance").await.unwrap();
    assert_eq!(kids(&server, KeyState::Retired).await, first);
    user.me().await.expect_status(200);
    server.clock.advance(Duration::from_secs(10 * 60 + 59));
    server.app.maintain("maintenance").await.unwrap();
    assert_eq!(kids(&server, KeyState::Retired).await, first, "its last token has just expired");
    server.clock.advance(Duration::from_secs(2));
    server.app.maintain("maintenance").await.unwrap();
    assert!(kids(&server, KeyState::Retired).await.is_empty());
    assert_eq!(key_set(&server).await.kids().count(), 2);
    let left = "SELECT count(*) FROM signing_keys WHERE state = 'removed' AND length(sealed_private) > 0";
    assert_eq!(server.database.number(left).await, 0, "the private half is forgotten");
    user.refresh().await.expect_status(200);
    user.me().await.expect_status(200);
}

#[tokio::test]
async fn a_revoked_key_is_refused_everywhere_within_seconds() {
    let server = TestServer::start().await;
    let replica = server.replica().await;
    let user = server.user().await;
    let active = kids(&server, KeyState::Active).await.remove(0);
    let pending = kids(&server, KeyState::Pending).await;
    server.app.keys_revoke(&server.operator(), active.clone()).await.unwrap();
    user.me().await.expect_problem(401, "invalid_token");
    let elsewhere = user.at(replica.anonymous().base);
    eventually("the replica has heard of it", async || elsewhere.me().await.status == 401).await;
    assert_eq!(kids(&server, KeyState::Active).await, pending, "the pending key stepped in");
    assert!(!key_set(&server).await.kids().any(|kid| kid == active.as_str()));

    let mut user = user;
    user.refresh().await.expect_status(200);
    user.me().await.expect_status(200);
    let unknown = server.app.keys_revoke(&server.operator(), "unknown".parse().unwrap()).await;
    assert!(matches!(unknown, Err(Error::NotFound)));
    server.database.check_invariants().await;
}

/// A token signed by a key that a replica has not heard of makes it look, rather than refuse.
#[tokio::test]
async fn a_replica_looks_again_before_it_refuses_an_unknown_key() {
    let server = TestServer::start().await;
    let replica = server.replica().await;
    server.clock.advance(Duration::from_secs(1));
    server.app.keys_rotate(&server.operator(), RotateWhen::Now).await.unwrap();
    server.app.keys_rotate(&server.operator(), RotateWhen::Now).await.unwrap();
    let user = server.user().await;
    user.at(replica.anonymous().base).me().await.expect_status(200);
}

#[tokio::test]
async fn a_changed_algorithm_comes_with_the_next_rotation() {
    let server = TestServer::start().await;
    let changed = server.replica_with(&[("token.algorithm", "EdDSA")]).await;
    let user = changed.user().await;
    user.me().await.expect_status(200);
    assert_eq!(changed.app.signing_algorithms(), ["ES256", "EdDSA"]);
    server.clock.advance(DAY);
    changed.app.keys_rotate(&changed.operator(), RotateWhen::Published).await.unwrap();
    let newer = changed.user().await;
    newer.me().await.expect_status(200);
    user.me().await.expect_problem(401, "invalid_token"); // a day later it has expired
}

#[tokio::test]
async fn the_master_key_is_rotated_without_logging_anybody_out() {
    let server = TestServer::start().await;
    let mut user = server.user().await;
    let before = user.refresh_token.clone();
    let fresh = MasterKey::new(keyward::random::bytes()).to_base64().to_string();
    let both = format!("{fresh},{}", master_key());
    let changed = server.replica_with(&[("master_key", &both)]).await;

    let base = changed.anonymous().base;
    user.at(base.clone()).me().await.expect_status(200);
    user.refresh().await.expect_status(200);
    let again = user.at(base.clone()).present(&before).await.expect_status(200);
    assert_eq!(again.text("refresh_token"), user.refresh_token, "byte for byte, under the key that made it");
    user = user.at(base);
    user.refresh().await.expect_status(200);

    assert_eq!(changed.app.keys_reseal(&changed.operator()).await.unwrap(), 2);
    assert_eq!(changed.app.keys_reseal(&changed.operator()).await.unwrap(), 0);
    let only_new = server.replica_with(&[("master_key", &fresh)]).await;
    let mut user = user.at(only_new.anonymous().base);
    user.refresh().await.expect_status(200);
    user.me().await.expect_status(200);
    user.present(&before).await.expect_problem(401, "invalid_refresh_token");
}
