//! What a doctor asks of brokers, Redis and clocks: the truth, and nothing that stays.

use std::time::Duration;

use async_nats::jetstream::stream::{Config, DiscardPolicy};
use keyward::app::{Finding, Level, examine};
use keyward::clock::Clock;
use keyward::config::{self, Settings, Sources};

use crate::support::{Exchange, PrivateRedis, Stream, TestServer, eventually, unique_email};

fn settings(flags: &[(&str, &str)]) -> Settings {
    let folder = std::env::temp_dir().join(unique_email());
    let own = [("data_dir", folder.to_str().expect("UTF-8"))];
    let flags = own.iter().chain(flags).map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
    let sources = Sources { flags: flags.collect(), ..Sources::default() };
    config::load(&sources, 2, keyward::random::bytes).expect("good settings").0
}

async fn find(settings: &Settings, clock: &Clock, code: &str) -> Finding {
    let mut found = examine(settings, clock).await.into_iter().filter(|finding| finding.code == code);
    found.next().unwrap_or_else(|| panic!("nothing about {code}"))
}

async fn sink(url: &str) -> Finding {
    find(&settings(&[("events_url", url)]), &Clock::System, "sink.takes").await
}

#[tokio::test]
async fn the_exchange_is_tried_and_whoever_is_bound_to_all_of_it_gets_nothing() {
    let exchange = Exchange::create().await;
    let queue = exchange.queue(&["#", "auth.*", "*.doctor"]).await;
    let ready = sink(&exchange.events_url()).await;
    assert_eq!(ready.level, Level::Ok, "{ready:?}");
    assert!(ready.meaning.contains("may publish"), "{ready:?}");
    assert_eq!(queue.waiting().await, 0);

    let missing = exchange.events_url().replace(&exchange.name, "keyward.test.nowhere");
    for _ in 0..2 {
        let unmade = sink(&missing).await;
        assert_eq!(unmade.level, Level::Note, "not there, and not made by looking: {unmade:?}");
    }
    // A broker always has this one, of another kind.
    let other = sink(&exchange.events_url().replace(&exchange.name, "amq.fanout")).await;
    assert_eq!(other.level, Level::Problem, "{other:?}");
    assert!(other.meaning.contains("would take no event"), "{other:?}");
    exchange.delete([queue]).await;
}

#[tokio::test]
async fn the_stream_is_asked_for_and_nothing_is_put_into_it() {
    let stream = Stream::new();
    for _ in 0..2 {
        let unmade = sink(&stream.events_url()).await;
        assert_eq!(unmade.level, Level::Note, "{unmade:?}");
    }
    let jetstream = stream.jetstream().await;
    let made = async |subjects: &str, max_messages: i64| {
        let config = Config {
            name: stream.name.clone(),
            subjects: vec![subjects.to_owned()],
            max_messages,
            discard: DiscardPolicy::New,
            ..Config::default()
        };
        jetstream.get_or_create_stream(config.clone()).await.expect("a stream");
        jetstream.update_stream(&config).await.expect("a stream");
    };
    made(&format!("{}.>", stream.subject), 1).await;
    let client = async_nats::connect(stream.server()).await.expect("a server");
    let mut seen = client.subscribe(format!("{}.>", stream.subject)).await.expect("a subscription");
    client.flush().await.expect("subscribed");
    assert_eq!(sink(&stream.events_url()).await.level, Level::Ok);
    let state =
        async || jetstream.get_stream(&stream.name).await.expect("a stream").cached_info().state.messages;
    assert_eq!(state().await, 0);

    // What is published now is the first that a subscriber sees.
    let subject = format!("{}.auth.user_created", stream.subject);
    jetstream.publish(subject.clone(), "first".into()).await.expect("sent").await.expect("stored");
    let first = tokio::time::timeout(Duration::from_secs(20), futures_util::StreamExt::next(&mut seen)).await;
    assert_eq!(first.expect("in time").expect("a message").payload, "first");
    let full = sink(&stream.events_url()).await;
    assert_eq!(full.level, Level::Problem);
    assert!(full.meaning.contains("is full"), "{full:?}");
    made(&format!("{}.other.>", stream.subject), -1).await;
    let other = sink(&stream.events_url()).await;
    assert!(other.level == Level::Problem && other.meaning.contains("and not"), "{other:?}");
    jetstream.delete_stream(&stream.name).await.expect("gone");
}

#[cfg(feature = "kafka")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_topic_is_asked_for_and_not_made() {
    let cluster = rdkafka::mocking::MockCluster::new(1).expect("a cluster");
    cluster.create_topic("here", 3, 1).expect("a topic");
    let url = format!("kafka://{}", cluster.bootstrap_servers());
    let ready = sink(&format!("{url}/here")).await;
    assert_eq!(ready.level, Level::Ok, "{ready:?}");
    assert!(ready.meaning.contains("(3)"), "{ready:?}");
}

#[tokio::test]
async fn a_receiver_is_reached_and_gets_no_event() {
    let (asked, mut seen) = tokio::sync::mpsc::unbounded_channel();
    let routes = axum::Router::new().fallback(move |method: reqwest::Method, uri: axum::http::Uri| {
        asked.send(format!("{method} {uri}")).expect("somebody listens");
        async { axum::http::StatusCode::NOT_FOUND }
    });
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("http://{}/hooks/hunter2", listener.local_addr().expect("an address"));
    tokio::spawn(async move { axum::serve(listener, routes).await });
    let secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwMfKQ9r8GKYo=";
    let flags = [("events_url", url.as_str()), ("events.webhook_secrets", secret)];
    let found = find(&settings(&flags), &Clock::System, "sink.takes").await;
    assert_eq!(found.level, Level::Ok, "{found:?}");
    assert!(!format!("{found:?}").contains("hunter2"), "{found:?}");
    assert_eq!(seen.recv().await.as_deref(), Some("HEAD /"));
    assert!(seen.try_recv().is_err(), "and nothing else");
}

#[tokio::test]
async fn a_redis_that_refuses_when_it_is_full_is_told() {
    let full = ["--maxmemory", "50mb", "--maxmemory-policy", "noeviction", "--port"];
    let redis = PrivateRedis::start_with(&full).await;
    let settings = settings(&[("redis_url", &redis.url())]);
    assert_eq!(find(&settings, &Clock::System, "redis.answers").await.level, Level::Ok);
    let policy = find(&settings, &Clock::System, "redis.policy").await;
    assert_eq!(policy.level, Level::Warning, "{policy:?}");
    assert!(policy.advice.expect("advice").contains("allkeys-lru"));
    let client = redis::Client::open(redis.url()).expect("a good URL");
    let mut connection = client.get_multiplexed_async_connection().await.expect("Redis answers");
    eventually("nothing is left there", async || {
        let keys: i64 = redis::cmd("DBSIZE").query_async(&mut connection).await.expect("a number");
        keys == 0
    })
    .await;
}

/// F10.
#[tokio::test]
async fn the_clock_is_held_against_the_databases() {
    let server = TestServer::start().await;
    let skew = async |clock: &Clock| find(server.settings(), clock, "clock.skew").await;
    assert_eq!(skew(&Clock::System).await.level, Level::Ok);
    let clock = Clock::shifted();
    clock.advance(Duration::from_secs(10));
    let ahead = skew(&clock).await;
    assert_eq!(ahead.level, Level::Warning, "{ahead:?}");
    assert!(ahead.meaning.contains("ahead of"), "{ahead:?}");
    clock.advance(Duration::from_secs(60));
    assert_eq!(skew(&clock).await.level, Level::Problem);
}
