//! Events at a broker that speaks the protocol of Kafka.

#![cfg(feature = "kafka")]

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::time::Duration;

use rdkafka::mocking::MockCluster;
use reqwest::Method;

use crate::support::{
    ISSUER, Proxy, Record, Tansu, TestServer, Topic, assert_in_order, eventually, free_port,
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_event_arrives_under_the_key_of_its_user_in_a_topic_that_is_made_for_it() {
    let topic = Topic::new();
    let server = TestServer::start_with(&[("events_url", &topic.events_url())]).await;
    let user = server.user().await;
    let id = user.id().await;
    user.logout().await.expect_status(204);
    let admin = server.admin().await;
    let now = serde_json::json!({ "now": true });
    admin.tell(Method::POST, "/admin/keys/rotate", &now).await.expect_status(201);
    server.published().await;

    let records = topic.records(4).await;
    let created = records.iter().find(|record| record.key == id).unwrap();
    assert_eq!(created.envelope["specversion"], "1.0");
    assert_eq!(created.envelope["source"], ISSUER);
    assert_eq!(created.envelope["subject"], id.as_str());
    assert_eq!(created.envelope["data"]["email"], user.email.as_str());
    for Record { key, headers, envelope, .. } in &records {
        let subject = envelope["subject"].as_str();
        assert_eq!(key, subject.unwrap_or("00000000-0000-0000-0000-000000000000"));
        assert_eq!(headers["content-type"], "application/cloudevents+json");
        assert_eq!(headers["ce_id"], envelope["id"].as_str().unwrap());
        assert_eq!(headers["ce_type"], envelope["type"].as_str().unwrap());
    }
    assert!(records.iter().any(|record| record.envelope["subject"].is_null()), "the rotated key is nobody's");
    server.database.check_invariants().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn events_of_a_user_stay_in_one_partition_in_order() {
    let topic = Topic::new();
    let server = TestServer::start_with(&[("events_url", &topic.events_url())]).await;
    server.come_and_go(8).await;
    server.published().await;
    let records = topic.records(8 * 6).await;
    let mut partitions: BTreeMap<&str, BTreeSet<i32>> = BTreeMap::new();
    for record in &records {
        partitions.entry(&record.key).or_default().insert(record.partition);
    }
    assert!(partitions.values().all(|of_one| of_one.len() == 1), "{partitions:?}");
    assert_in_order(records.iter().map(|record| &record.envelope));
    server.database.check_invariants().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broker_that_comes_later_gets_what_waited_for_it() {
    let address = SocketAddr::from(([127, 0, 0, 1], free_port()));
    let topic = Topic::at(&address.to_string());
    let server = TestServer::start_with(&[("events_url", &topic.events_url())]).await;
    let user = server.user().await;
    user.me().await.expect_status(200);
    eventually("it is told", async || server.degraded().await.contains("Connection refused")).await;
    assert!(server.degraded().await.starts_with("events: kafka is away: "));
    assert!(server.pending().await > 0);

    let _broker = Tansu::start(address.port(), address, &[]);
    server.published().await;
    let records = topic.records(1).await;
    assert!(records.iter().any(|record| record.envelope["data"]["email"] == user.email.as_str()));
    eventually("all is well", async || server.degraded().await.is_empty()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_lost_while_the_line_is_cut_again_and_again() {
    let port = free_port();
    let proxy = Proxy::open_to(&format!("127.0.0.1:{port}")).await;
    let _broker = Tansu::start(port, proxy.address, &[]);
    let topic = Topic::at(&proxy.address.to_string());
    let server = TestServer::start_with(&[("events_url", &topic.events_url())]).await;
    server.come_and_go_while_cut(6, &proxy).await;
    server.published().await;
    let outbox = server.events().await;
    let records = topic.records(outbox).await;
    assert_in_order(records.iter().map(|record| &record.envelope));
    server.database.check_invariants().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn wrong_credentials_are_told_without_the_password_and_events_are_kept() {
    let address = SocketAddr::from(([127, 0, 0, 1], free_port()));
    let _broker = Tansu::start(address.port(), address, &["--authentication"]);
    let url = format!("kafka://keyward:hunter2@{address}?sasl=plain");
    let server = TestServer::start_with(&[("events_url", &url)]).await;
    server.user().await;
    eventually("it is told", async || {
        let told = server.degraded().await;
        assert!(!told.contains("hunter2"));
        told.starts_with("events: kafka is away: ") && told.to_lowercase().contains("sasl")
    })
    .await;
    assert!(server.pending().await > 0);
}

/// The cluster that librdkafka brings for tests makes no topics.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_topic_that_cannot_be_made_is_named_and_events_are_kept() {
    let cluster = MockCluster::new(1).expect("a cluster");
    let topic = Topic::at(&cluster.bootstrap_servers());
    let server = TestServer::start_with(&[("events_url", &topic.events_url())]).await;
    server.user().await.me().await.expect_status(200);
    let expected = format!("events: kafka is away: topic {} of events_url", topic.name);
    eventually("it is told", async || server.degraded().await.starts_with(&expected)).await;
    assert!(server.pending().await > 0);

    cluster.create_topic(&topic.name, 1, 1).expect("a topic");
    server.published().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_stops_in_time_while_its_broker_is_away() {
    let topic = Topic::at(&format!("127.0.0.1:{}", free_port()));
    let mut server = TestServer::start_with(&[("events_url", &topic.events_url())]).await;
    server.user().await;
    eventually("it is told", async || !server.degraded().await.is_empty()).await;
    let started = tokio::time::Instant::now();
    server.stop().await;
    assert!(started.elapsed() < Duration::from_secs(8), "{:?}", started.elapsed());
}
