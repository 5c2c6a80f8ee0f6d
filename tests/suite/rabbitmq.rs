//! Events at a real RabbitMQ: what arrives, and what becomes of those that do not.

use std::time::Duration;

use futures_util::future::join_all;
use reqwest::Method;
use serde_json::json;

use crate::support::{Actor, Exchange, ISSUER, PASSWORD, Proxy, TestServer, assert_in_order, eventually};

const ERRORS: &str =
    "SELECT last_error FROM outbox_deliveries WHERE last_error IS NOT NULL ORDER BY event_id";
const OUTCOMES: &str =
    "SELECT o.type || ' ' || d.outcome FROM outbox_deliveries AS d JOIN outbox AS o ON o.id = d.event_id
     WHERE d.outcome IS NOT NULL ORDER BY o.id";

#[tokio::test]
async fn an_event_arrives_as_a_persistent_message_with_its_type_as_routing_key() {
    let exchange = Exchange::create().await;
    let mut queue = exchange.queue(&["auth.user_created", "auth.session_revoked"]).await;
    let server = TestServer::start_with(&[("events_url", &exchange.events_url())]).await;
    let user = server.user().await;
    let me = user.me().await.expect_status(200);
    user.logout().await.expect_status(204);

    let created = queue.next().await;
    assert_eq!(created.routing_key, "auth.user_created");
    assert_eq!(created.content_type, "application/cloudevents+json");
    assert!(created.persistent);
    let envelope = &created.envelope;
    assert_eq!(envelope["id"], created.message_id.as_str());
    assert_eq!(envelope["specversion"], "1.0");
    assert_eq!(envelope["type"], "auth.user_created");
    assert_eq!(envelope["source"], ISSUER);
    assert_eq!(envelope["subject"], me.text("id"));
    assert_eq!(envelope["sequence"], "1");
    assert_eq!(envelope["data"]["email"], user.email.as_str());
    let revoked = queue.next().await;
    assert_eq!(
        (revoked.routing_key.as_str(), &revoked.envelope["sequence"]),
        ("auth.session_revoked", &"2".into())
    );
    server.published().await;
    server.database.check_invariants().await;
    exchange.delete([queue]).await;
}

#[tokio::test]
async fn an_event_that_no_queue_wants_waits_if_it_must_and_is_counted_if_it_need_not() {
    let exchange = Exchange::create().await;
    let mut created = exchange.queue(&["auth.user_created"]).await;
    let settings =
        [("events_url", exchange.events_url()), ("events.require_route", "auth.session_revoked".to_owned())];
    let settings = settings.each_ref().map(|(key, value)| (*key, value.as_str()));
    let server = TestServer::start_with(&settings).await;
    let ada = server.user().await;
    let change = json!({ "current_password": PASSWORD, "new_password": "a loud river at dusk" });
    ada.tell(Method::POST, "/auth/password", &change).await.expect_status(204);
    ada.logout().await.expect_status(204);
    // What is stuck of one user holds back nobody else.
    let _eve = server.user().await;
    assert_ne!(created.next().await.envelope["subject"], created.next().await.envelope["subject"]);
    eventually("one waits", async || server.pending().await == 1).await;
    let expected =
        ["auth.user_created published", "auth.password_changed no_subscriber", "auth.user_created published"];
    assert_eq!(server.database.texts(OUTCOMES).await, expected);
    eventually("it was tried", async || !server.database.texts(ERRORS).await.is_empty()).await;
    assert_eq!(server.database.texts(ERRORS).await, ["no queue is bound for events of this type"]);

    let mut revoked = exchange.queue(&["auth.session_revoked"]).await;
    server.clock.advance(Duration::from_secs(61));
    assert_eq!(revoked.next().await.routing_key, "auth.session_revoked");
    server.published().await;
    server.database.check_invariants().await;
    exchange.delete([created, revoked]).await;
}

/// Whether a queue took it is told of each event, however many are confirmed at once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_many_at_once_each_that_no_queue_wants_waits() {
    const EACH: usize = 100;
    let exchange = Exchange::create().await;
    let queue = exchange.queue(&["auth.user_created"]).await;
    let proxy = Proxy::open_to(&exchange.broker()).await;
    let settings = [
        ("events_url", exchange.events_url_through(proxy.address)),
        ("events.require_route", "auth.session_revoked".to_owned()),
    ];
    let server =
        TestServer::start_with(&settings.each_ref().map(|(key, value)| (*key, value.as_str()))).await;
    let mut users = Vec::new();
    while users.len() < EACH {
        users.extend(join_all((0..10).map(async |_| server.user().await)).await);
    }
    server.published().await;
    proxy.cut();
    // What a queue takes and what none takes, mixed.
    for some in users.chunks(10) {
        join_all(some.iter().map(async |user| {
            let stranger = server.anonymous();
            stranger.signup().await.expect_status(201);
            // Over a connection that is new: the server closes what was idle for long.
            Actor { http: stranger.http, ..user.clone() }.logout().await.expect_status(204);
        }))
        .await;
    }
    proxy.restore();
    eventually("each was tried", async || {
        server.database.texts(ERRORS).await == ["no queue is bound for events of this type"; EACH]
    })
    .await;
    assert_eq!(server.database.texts(OUTCOMES).await, ["auth.user_created published"; 2 * EACH]);
    exchange.delete([queue]).await;
}

#[tokio::test]
async fn a_nacked_event_is_not_published_and_comes_when_there_is_room() {
    let exchange = Exchange::create().await;
    let mut queue = exchange.full_after(1, &["auth.user_created"]).await;
    let server = TestServer::start_with(&[("events_url", &exchange.events_url())]).await;
    let users = [server.user().await, server.user().await];
    eventually("one is nacked", async || !server.database.texts(ERRORS).await.is_empty()).await;
    assert_eq!(server.pending().await, 1);
    let first = queue.next().await;
    server.clock.advance(Duration::from_secs(61));
    let second = queue.next().await;
    assert_ne!(first.message_id, second.message_id);
    assert_ne!(first.envelope["data"]["email"], second.envelope["data"]["email"]);
    assert!(users.iter().any(|user| second.envelope["data"]["email"] == user.email.as_str()));
    server.published().await;
    exchange.delete([queue]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_lost_while_the_line_is_cut_again_and_again() {
    let exchange = Exchange::create().await;
    let mut queue = exchange.queue(&["#"]).await;
    let proxy = Proxy::open_to(&exchange.broker()).await;
    let url = exchange.events_url_through(proxy.address);
    let server = TestServer::start_with(&[("events_url", &url)]).await;
    server.come_and_go_while_cut(6, &proxy).await;
    let received = queue.distinct(6 * 6).await;
    assert_in_order(received.iter().map(|one| &one.envelope));
    server.published().await;
    assert_eq!(server.events().await, 36);
    server.database.check_invariants().await;
    exchange.delete([queue]).await;
}

#[tokio::test]
async fn a_broker_that_is_away_delays_events_and_nothing_else() {
    let exchange = Exchange::create().await;
    let mut queue = exchange.queue(&["#"]).await;
    let proxy = Proxy::cut_from(&exchange.broker()).await;
    let url = exchange.events_url_through(proxy.address);
    let server = TestServer::start_with(&[("events_url", &url)]).await;
    let user = server.user().await;
    user.me().await.expect_status(200);
    eventually("it is told", async || server.degraded().await.starts_with("events: amqp is away: ")).await;
    assert_eq!(server.pending().await, 1);

    proxy.restore();
    assert_eq!(queue.next().await.envelope["data"]["email"], user.email.as_str());
    eventually("all is well", async || server.degraded().await.is_empty()).await;
    exchange.delete([queue]).await;
}

#[tokio::test]
async fn wrong_credentials_are_told_without_the_password_and_events_are_kept() {
    let exchange = Exchange::create().await;
    let mut url = url::Url::parse(&exchange.events_url()).unwrap();
    url.set_password(Some("hunter2")).unwrap();
    let server = TestServer::start_with(&[("events_url", url.as_str())]).await;
    server.user().await;
    eventually("it is told", async || {
        let told = server.degraded().await;
        assert!(!told.contains("hunter2"));
        told.contains("ACCESS_REFUSED") || told.contains("ACCESS-REFUSED")
    })
    .await;
    assert_eq!(server.pending().await, 1);
    exchange.delete([]).await;
}
