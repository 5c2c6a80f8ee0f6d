//! Events at a real NATS server with `JetStream`.

use std::time::Duration;

use async_nats::jetstream::stream::Config;
use keyward::config::{self, Sources};
use keyward::domain::{EventId, Timestamp};
use keyward::events::{Message, PublishError, Publisher, Receipt};

use crate::support::{ISSUER, NatsServer, Proxy, Stream, TestServer, assert_in_order, eventually, free_port};

fn publisher(events_url: &str) -> Publisher {
    let flags = vec![("events_url".to_owned(), events_url.to_owned())];
    let sources = Sources { flags, ..Sources::default() };
    let (settings, _) = config::load(&sources, 2, keyward::random::bytes).expect("good settings");
    Publisher::new(&settings.events_url[0], &settings.events).expect("a publisher")
}

fn message(kind: &str, bytes: usize) -> Message {
    let id = EventId::new(uuid::Uuid::from_bytes(keyward::random::bytes()));
    Message {
        id,
        kind: kind.to_owned(),
        subject: None,
        attempted_at: Timestamp::from_micros(0),
        body: format!("{:?}", "x".repeat(bytes)).into(),
    }
}

#[tokio::test]
async fn an_event_is_stored_under_its_type_in_a_stream_that_is_made_for_it() {
    let stream = Stream::new();
    let server = TestServer::start_with(&[("events_url", &stream.events_url())]).await;
    let user = server.user().await;
    let id = user.id().await;
    user.logout().await.expect_status(204);
    server.published().await;

    let stored = stream.stored(server.events().await).await;
    let created = stored.iter().find(|one| one.envelope["subject"] == id.as_str()).unwrap();
    assert_eq!(created.subject, format!("{}.auth.user_created", stream.subject));
    assert_eq!(created.id, created.envelope["id"].as_str().unwrap());
    assert_eq!(created.content_type, "application/cloudevents+json");
    assert_eq!(created.envelope["source"], ISSUER);
    assert_eq!(created.envelope["data"]["email"], user.email.as_str());
    assert_in_order(stored.iter().map(|one| &one.envelope));
    let made = stream.jetstream().await.get_stream(&stream.name).await.unwrap();
    let config = &made.cached_info().config;
    assert_eq!(config.subjects, [format!("{}.>", stream.subject)]);
    assert!(config.duplicate_window >= Duration::from_secs(120), "{:?}", config.duplicate_window);
    server.database.check_invariants().await;
    stream.delete().await;
}

#[tokio::test]
async fn an_event_that_is_published_twice_is_stored_once() {
    let stream = Stream::new();
    let (first, second) = (publisher(&stream.events_url()), publisher(&stream.events_url()));
    let message = message("auth.user_created", 1);
    for publisher in [&first, &first, &second] {
        assert_eq!(publisher.publish(&message).await.unwrap(), Receipt::Taken);
    }
    assert_eq!(stream.count().await, 1);
    first.close().await;
    second.close().await;
    stream.delete().await;
}

#[tokio::test]
async fn a_stream_that_is_there_is_used_as_it_is() {
    let stream = Stream::new();
    let subject = format!("{}.auth.user_created", stream.subject);
    let config = Config {
        name: stream.name.clone(),
        subjects: vec![subject],
        max_message_size: 1_000,
        ..Config::default()
    };
    stream.jetstream().await.create_stream(config).await.unwrap();
    let publisher = publisher(&stream.events_url());
    let publish = async |kind, bytes| publisher.publish(&message(kind, bytes)).await;
    assert_eq!(publish("auth.user_created", 1).await.unwrap(), Receipt::Taken);
    assert_eq!(publish("auth.user_deleted", 1).await.unwrap(), Receipt::NoSubscriber, "it wants others only");
    for bytes in [1_001, 20_000_000] {
        let refused = publish("auth.user_created", bytes).await;
        assert!(matches!(refused, Err(PublishError::Refused(_))), "{refused:?}");
    }

    // Gone under our feet: it is made anew, and takes all types then.
    stream.jetstream().await.delete_stream(&stream.name).await.unwrap();
    let away = publish("auth.user_created", 1).await;
    assert!(matches!(away, Err(PublishError::Away(_))), "{away:?}");
    assert_eq!(publish("auth.user_deleted", 1).await.unwrap(), Receipt::Taken);
    assert_eq!(stream.count().await, 1);
    publisher.close().await;
    stream.delete().await;
}

#[tokio::test]
async fn a_stream_that_cannot_be_made_is_named() {
    let (taken, wanted) = (Stream::new(), Stream::new());
    let subjects = vec![format!("{}.>", wanted.subject)];
    let config = Config { name: taken.name.clone(), subjects, ..Config::default() };
    taken.jetstream().await.create_stream(config).await.unwrap();
    let publisher = publisher(&wanted.events_url());
    let away = publisher.publish(&message("auth.user_created", 1)).await;
    let Err(PublishError::Away(reason)) = away else { panic!("{away:?}") };
    let expected = format!("stream {} of events_url does not exist and cannot be made: ", wanted.name);
    assert!(reason.starts_with(&expected), "{reason}");
    taken.delete().await;
}

#[tokio::test]
async fn a_server_that_comes_later_gets_what_waited_for_it() {
    let port = free_port();
    let stream = Stream::at(&format!("nats://127.0.0.1:{port}"));
    let server = TestServer::start_with(&[("events_url", &stream.events_url())]).await;
    let user = server.user().await;
    user.me().await.expect_status(200);
    eventually("it is told", async || server.degraded().await.starts_with("events: nats is away: ")).await;
    assert!(server.pending().await > 0);

    let _nats = NatsServer::start(port, &[]);
    server.published().await;
    let stored = stream.stored(server.events().await).await;
    assert!(stored.iter().any(|one| one.envelope["data"]["email"] == user.email.as_str()));
    eventually("all is well", async || server.degraded().await.is_empty()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_lost_and_nothing_doubled_while_the_line_is_cut_again_and_again() {
    let stream = Stream::new();
    let proxy = Proxy::open_to(&stream.server()).await;
    let url = stream.events_url_through(proxy.address);
    let server = TestServer::start_with(&[("events_url", &url)]).await;
    server.come_and_go_while_cut(6, &proxy).await;
    server.published().await;
    let outbox = server.events().await;
    let stored = stream.stored(outbox).await;
    assert_in_order(stored.iter().map(|one| &one.envelope));
    assert_eq!(stream.count().await, outbox as u64);
    server.database.check_invariants().await;
    stream.delete().await;
}

#[tokio::test]
async fn a_cut_line_is_noticed_at_once_and_nothing_waits_in_the_client() {
    let stream = Stream::new();
    let proxy = Proxy::open_to(&stream.server()).await;
    let publisher = publisher(&stream.events_url_through(proxy.address));
    assert_eq!(publisher.publish(&message("auth.user_created", 1)).await.unwrap(), Receipt::Taken);
    proxy.cut();
    let cut_at = tokio::time::Instant::now();
    let away = publisher.publish(&message("auth.user_created", 1)).await;
    assert!(matches!(away, Err(PublishError::Away(_))), "{away:?}");
    let away = publisher.publish(&message("auth.user_created", 1)).await;
    assert!(matches!(away, Err(PublishError::Away(_))), "{away:?}");
    assert!(cut_at.elapsed() < Duration::from_secs(1), "{:?}", cut_at.elapsed());

    proxy.restore();
    let last = message("auth.user_deleted", 1);
    eventually("it gets through again", async || publisher.publish(&last).await.is_ok()).await;
    publisher.close().await;
    stream.delete().await;
}

#[tokio::test]
async fn wrong_credentials_are_told_without_the_password_and_events_are_kept() {
    let port = free_port();
    let _nats = NatsServer::start(port, &["--user", "keyward", "--pass", "right"]);
    let url = format!("nats://keyward:hunter2@127.0.0.1:{port}");
    let server = TestServer::start_with(&[("events_url", &url)]).await;
    server.user().await;
    eventually("it is told", async || {
        let told = server.degraded().await;
        assert!(!told.contains("hunter2"));
        told.starts_with("events: nats is away: ") && told.contains("authorization violation")
    })
    .await;
    assert!(server.pending().await > 0);
}
