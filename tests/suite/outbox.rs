//! Events on their way out: one a command, published in order, by one relay at a time.

use std::time::Duration;

use keyward::app::Relayed;
use keyward::store::{Delivery, DeliveryOutcome, Lease, Store, StoreError};
use serde_json::Value;

use crate::support::{TestDatabase, TestServer, eventually};

const PENDING: &str = "SELECT count(*) FROM outbox_deliveries WHERE published_at IS NULL";
const PUBLISHED: &str = "SELECT count(*) FROM outbox_deliveries WHERE published_at IS NOT NULL";
const TYPES: &str = "SELECT type FROM outbox ORDER BY subject_seq";
const LEASE: &str = "outbox test";
const TTL: Duration = Duration::from_secs(10);

#[tokio::test]
async fn each_command_that_changes_something_writes_one_event_and_its_delivery() {
    let server = TestServer::start_with(&[("token.refresh_grace", "0s")]).await;
    let database = &server.database;
    let mut user = server.anonymous();
    user.signup().await.expect_status(201);
    user.signup().await.expect_problem(409, "email_taken");
    user.login().await.expect_status(200);
    user.me().await.expect_status(200);
    let spent = user.refresh_token.clone();
    user.refresh().await.expect_status(200);
    assert_eq!(database.texts(TYPES).await, ["auth.user_created"]);

    user.present(&spent).await.expect_problem(401, "refresh_token_reused");
    user.present(&spent).await.expect_problem(401, "session_ended");
    user.login().await.expect_status(200);
    user.logout().await.expect_status(204);
    user.logout().await.expect_status(204);
    user.login().await.expect_status(200);
    user.logout_everywhere().await.expect_status(204);
    let expected =
        ["auth.user_created", "auth.refresh_token_reused", "auth.session_revoked", "auth.session_revoked"];
    assert_eq!(database.texts(TYPES).await, expected);
    assert_eq!(database.number("SELECT count(*) FROM outbox_deliveries WHERE sink = 'log'").await, 4);

    eventually("everything is published", async || database.number(PENDING).await == 0).await;
    assert_eq!(database.number("SELECT max(attempts) FROM outbox_deliveries").await, 1);
    database.check_invariants().await;
}

#[tokio::test]
async fn events_say_what_happened_and_hold_no_secret() {
    let server = TestServer::start().await;
    let user = server.user().await;
    let me = user.me().await.expect_status(200);
    user.logout().await.expect_status(204);
    let data: Vec<Value> = server
        .database
        .texts("SELECT data FROM outbox ORDER BY subject_seq")
        .await
        .iter()
        .map(|text| serde_json::from_str(text).unwrap())
        .collect();
    let (id, session) = (me.text("id"), me.text("session_id"));
    assert_eq!(
        data,
        [
            serde_json::json!({ "user_id": id, "email": user.email, "email_verified": false, "roles": ["user"] }),
            serde_json::json!({ "user_id": id, "session_ids": [session], "reason": "logout" }),
        ]
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn events_of_a_user_are_numbered_in_order_however_many_commands_race() {
    let server = TestServer::start().await;
    let replica = server.replica().await;
    let user = server.user().await;
    let mut devices = vec![];
    for _ in 0..12 {
        devices.push(user.on_another_device().await);
    }
    let mut logouts = tokio::task::JoinSet::new();
    for (n, device) in devices.into_iter().enumerate() {
        let at = if n % 2 == 0 { server.public } else { replica.public };
        let device = device.at(format!("http://{at}"));
        logouts.spawn(async move { device.logout().await.expect_status(204) });
    }
    logouts.join_all().await;
    let database = &server.database;
    assert_eq!(database.number("SELECT max(subject_seq) FROM outbox").await, 13);
    eventually("everything is published", async || database.number(PENDING).await == 0).await;
    let in_order = "SELECT count(*) FROM outbox_deliveries AS a JOIN outbox_deliveries AS b
        ON a.subject_id = b.subject_id AND a.subject_seq < b.subject_seq AND a.published_at > b.published_at";
    assert_eq!(database.number(in_order).await, 0);
    database.check_invariants().await;
}

/// A database with events of two users that no relay has taken yet.
async fn unrelayed() -> TestServer {
    let mut server = TestServer::start().await;
    let (first, second) = (server.user().await, server.user().await);
    first.logout().await.expect_status(204);
    second.logout().await.expect_status(204);
    server.stop().await;
    server.database.execute("UPDATE outbox_deliveries SET published_at = NULL, attempts = 0").await;
    server
}

async fn take(store: &Store, holder: &'static str, at: &TestServer) -> Option<Lease> {
    let now = at.clock.now();
    let taken = store.write::<_, StoreError, _>("lease_take", move |tx| {
        Box::pin(async move { tx.lease_take(LEASE, holder, TTL, now).await })
    });
    taken.await.unwrap()
}

async fn due(store: &Store, lease: &Lease, at: &TestServer) -> Vec<Delivery> {
    let (lease, now) = (lease.clone(), at.clock.now());
    let due = store.read::<_, StoreError, _>("outbox_due", move |tx| {
        Box::pin(async move { tx.outbox_due("log", 100, &lease, now).await })
    });
    due.await.unwrap()
}

async fn settle(
    store: &Store,
    delivery: &Delivery,
    outcome: DeliveryOutcome,
    lease: &Lease,
    at: &TestServer,
) -> bool {
    let (id, lease, now) = (delivery.event.id, lease.clone(), at.clock.now());
    let settled = store.write::<_, StoreError, _>("outbox_settle", move |tx| {
        Box::pin(async move { tx.outbox_settle("log", &[(id, outcome)], &lease, now).await })
    });
    settled.await.unwrap() == 1
}

#[tokio::test]
async fn the_next_event_of_a_user_waits_for_the_one_before() {
    let server = unrelayed().await;
    let store = server.database.store().await;
    let lease = take(store, "a", &server).await.unwrap();
    for sequence in [1, 2] {
        let batch = due(store, &lease, &server).await;
        assert_eq!(batch.len(), 2, "one a user");
        for delivery in &batch {
            assert_eq!(delivery.event.sequence, sequence);
            assert!(settle(store, delivery, DeliveryOutcome::Published, &lease, &server).await);
            assert!(!settle(store, delivery, DeliveryOutcome::Published, &lease, &server).await, "once");
        }
    }
    assert!(due(store, &lease, &server).await.is_empty());
    server.database.check_invariants().await;
}

#[tokio::test]
async fn a_delivery_that_failed_waits_and_holds_back_only_its_own_user() {
    let server = unrelayed().await;
    let store = server.database.store().await;
    let lease = take(store, "a", &server).await.unwrap();
    let batch = due(store, &lease, &server).await;
    let retry_at = server.clock.now() + Duration::from_secs(60);
    let failed =
        DeliveryOutcome::Refused { next_attempt_at: retry_at, error: "the broker is away".to_owned() };
    assert!(settle(store, &batch[0], failed, &lease, &server).await);
    assert!(settle(store, &batch[1], DeliveryOutcome::Published, &lease, &server).await);

    let next = due(store, &lease, &server).await;
    assert_eq!(next.len(), 1);
    assert_eq!((next[0].event.subject, next[0].event.sequence), (batch[1].event.subject, 2));
    let errors =
        server.database.texts("SELECT last_error FROM outbox_deliveries WHERE last_error IS NOT NULL");
    assert_eq!(errors.await, ["the broker is away"]);

    server.clock.advance(Duration::from_secs(61));
    let lease = take(store, "a", &server).await.unwrap();
    let again = due(store, &lease, &server).await;
    let again = again.iter().find(|delivery| delivery.event.id == batch[0].event.id).unwrap();
    assert_eq!(again.attempts, 1);
    assert!(settle(store, again, DeliveryOutcome::Published, &lease, &server).await);
    server.database.check_invariants().await;
}

#[tokio::test]
async fn a_relay_that_slept_through_its_lease_can_neither_keep_it_nor_settle() {
    let server = unrelayed().await;
    let store = server.database.store().await;
    let old = take(store, "a", &server).await.unwrap();
    assert_eq!(take(store, "a", &server).await, Some(old.clone()), "prolonging keeps the fence");
    assert_eq!(take(store, "b", &server).await, None, "one at a time");
    let batch = due(store, &old, &server).await;

    server.clock.advance(TTL);
    let new = take(store, "b", &server).await.unwrap();
    assert_eq!(new.fence, old.fence + 1);
    assert_eq!(take(store, "a", &server).await, None);
    assert!(due(store, &old, &server).await.is_empty(), "nothing to claim");
    assert!(!settle(store, &batch[0], DeliveryOutcome::Published, &old, &server).await);
    let failed = DeliveryOutcome::Refused { next_attempt_at: server.clock.now(), error: String::new() };
    assert!(!settle(store, &batch[0], failed, &old, &server).await);
    assert_eq!(server.database.number(PUBLISHED).await, 0);
    assert!(settle(store, &batch[0], DeliveryOutcome::Published, &new, &server).await);

    // Back with the first holder, the fence has moved on, and its old one still counts for nothing.
    server.clock.advance(TTL);
    let third = take(store, "a", &server).await.unwrap();
    assert_eq!(third.fence, old.fence + 2);
    assert!(!settle(store, &batch[1], DeliveryOutcome::Published, &old, &server).await);
    assert!(!settle(store, &batch[1], DeliveryOutcome::Published, &new, &server).await);
    assert!(settle(store, &batch[1], DeliveryOutcome::Published, &third, &server).await);
}

#[tokio::test]
async fn two_servers_relay_in_turn_and_the_second_takes_over_when_the_first_stops() {
    let mut server = TestServer::start().await;
    let database = &server.database.clone();
    let holder = "SELECT holder FROM leases WHERE name = 'relay/log'";
    eventually("the first relays", async || !database.texts(holder).await.is_empty()).await;
    let replica = server.replica().await;
    let first = database.texts(holder).await;
    let mut idle = replica.app.relays().remove(0);
    let user = replica.user().await;
    assert_eq!(replica.app.relay_once(&mut idle).await.unwrap(), Relayed::Elsewhere);
    eventually("the first publishes", async || database.number(PENDING).await == 0).await;
    assert_eq!(database.texts(holder).await, first);

    server.stop().await;
    user.logout().await.expect_status(204);
    eventually("the second publishes", async || database.number(PENDING).await == 0).await;
    assert_ne!(database.texts(holder).await, first);
    assert_eq!(database.number("SELECT fence FROM leases WHERE name = 'relay/log'").await, 2);
    database.check_invariants().await;
}

/// Only what a crash between publishing and settling leaves behind is published again.
#[tokio::test]
async fn events_of_a_stopped_server_are_published_by_the_next() {
    let server = unrelayed().await;
    let database: &TestDatabase = &server.database.clone();
    assert_eq!(database.number(PENDING).await, 4);
    let _server = server.restart().await;
    eventually("everything is published", async || database.number(PENDING).await == 0).await;
    assert_eq!(database.number("SELECT count(*) FROM outbox_deliveries WHERE attempts <> 1").await, 0);
    database.check_invariants().await;
}
