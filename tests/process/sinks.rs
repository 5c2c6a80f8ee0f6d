//! A sink that is away, and one that is no more: the service goes on, and operators are told.

use std::time::Duration;

use serde_json::Value;

use crate::support::{Authority, Exchange, RabbitServer, Server, Setup, TestDatabase, until};

/// Nobody listens there.
const AWAY: &str = "amqp://keyward:hunter2@127.0.0.1:1/%2f#old";
const WEBHOOK_SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwMfKQ9r8GKYo=";

#[tokio::test]
async fn while_a_sink_is_away_all_works_and_says_so() {
    let database = TestDatabase::create().await;
    let setup = Setup::on(&database).env("KEYWARD_EVENTS_URL", format!("log:,{AWAY}"));
    let server = setup.serve().await;
    let mut user = server.user().await;
    user.login().await.expect_status(200);
    user.refresh().await.expect_status(200);

    let report = until("a degraded server", async || {
        let report = server.operator().get("/readyz").await.expect_status(200).json;
        (report["degraded"] != Value::Array(vec![])).then_some(report)
    })
    .await;
    assert_eq!(report["ready"], true);
    let degraded = report["degraded"][0].as_str().unwrap();
    assert!(degraded.starts_with("events: old is away: "), "{degraded}");
    assert_eq!(report["degraded"].as_array().unwrap().len(), 1, "the other sink is well: {report}");
    server.anonymous().get("/health").await.expect_status(200);

    // What the first measurement found may be from before the sign-up.
    until("the backlog", async || {
        let metrics = metrics(&server).await;
        (value(&metrics, r#"keyward_outbox_pending{sink="old"}"#)? >= 1.0).then_some(())?;
        (value(&metrics, r#"keyward_outbox_oldest_seconds{sink="old"}"#)? > 0.0).then_some(())
    })
    .await;
    let metrics = until("the other sink, which has all", async || {
        let metrics = metrics(&server).await;
        (value(&metrics, r#"keyward_outbox_pending{sink="log"}"#)? == 0.0).then_some(metrics)
    })
    .await;
    assert!(value(&metrics, r#"keyward_outbox_publish_seconds_count{sink="log"}"#).unwrap() >= 1.0);
    assert_eq!(value(&metrics, r#"keyward_outbox_publish_seconds_count{sink="old"}"#), Some(0.0));
    assert_eq!(value(&metrics, r#"keyward_outbox_sink_up{sink="old"}"#), Some(0.0));
    assert_eq!(value(&metrics, r#"keyward_outbox_sink_up{sink="log"}"#), Some(1.0));
    let attempts = r#"keyward_outbox_attempts_total{sink="log",outcome="published"}"#;
    assert!(value(&metrics, attempts).unwrap() >= 1.0, "{metrics}");
    let said = server.process.said();
    assert!(said.matches("sink is away").count() == 1, "one line a change: {said}");
    assert!(!said.contains("hunter2") && !report.to_string().contains("hunter2"));
}

#[tokio::test]
async fn what_waits_for_a_former_sink_is_told_and_can_be_given_up() {
    let database = TestDatabase::create().await;
    let with = Setup::on(&database).env("KEYWARD_EVENTS_URL", format!("log:,{AWAY}"));
    let without = Setup::on(&database);
    let mut server = with.serve().await;
    server.user().await;
    server.user().await;
    let abandon = ["events", "abandon", "--sink", "old"];
    let sure = [&abandon[..], &["--yes"]].concat();
    with.run(&sure).await.expect_refusal(1, &["old is in events_url", "fix:"]);
    until("a relay that finds it away", async || {
        server.process.said().contains("sink is away").then_some(())
    })
    .await;
    without.run(&sure).await.expect_refusal(1, &["a server relays to old", "settings of the servers"]);
    assert_eq!(server.stop().await, 0);

    let mut server = without.serve().await;
    let status = without.run(&["events", "status"]).await.expect_code(0).stdout;
    for part in ["old (not configured)\n  pending  2, the oldest for ", "keyward events abandon --sink old"] {
        assert!(status.contains(part), "{part:?} is not in {status}");
    }
    let late = ["events", "status", "--max-age", "0s"];
    without.run(&late).await.expect_refusal(1, &["longer than --max-age: old"]);
    without.run(&abandon).await.expect_refusal(1, &["2 events", "nothing was changed", "--yes"]);
    without.run(&["events", "abandon", "--sink", "odd", "--yes"]).await.expect_refusal(1, &["\"odd\""]);
    let said = without.run(&sure).await.expect_code(0).stdout;
    assert_eq!(said, "2 events were given up for old\n");
    without.run(&late).await.expect_code(0);
    without.run(&sure).await.expect_refusal(1, &["nothing waits"]);
    let outcomes = "SELECT count(*) FROM outbox_deliveries WHERE sink = 'old' AND outcome = 'abandoned'";
    assert_eq!(database.number(outcomes).await, 2);
    let records = database.texts("SELECT detail FROM audit_log WHERE event = 'events_abandoned'").await;
    assert_eq!(records, [r#"{"events":2,"sink":"old"}"#]);

    // Back in the settings, it is offered them again when somebody asks for that.
    assert_eq!(server.stop().await, 0);
    let replay = ["events", "replay", "--since", "1h", "--sink", "old", "--yes"];
    assert_eq!(with.run(&replay).await.expect_code(0).stdout, "2 events are due again\n");
    with.run(&late).await.expect_refusal(1, &["old"]);
}

/// Whoever works in another shell than the server's has neither its sinks nor its rules for keys, and does no harm by it.
#[tokio::test]
async fn a_command_beside_a_server_leaves_events_and_keys_as_the_server_has_them() {
    const KEYS: &str = "SELECT kid || ' ' || state FROM signing_keys ORDER BY kid";
    const SINKS: &str = "SELECT DISTINCT sink FROM outbox_deliveries";
    let database = TestDatabase::create().await;
    let server = Setup::on(&database)
        .env("KEYWARD_EVENTS_URL", "log:#audit")
        .env("KEYWARD_TOKEN_ALGORITHM", "EdDSA")
        .serve()
        .await;
    server.user().await;
    let keys = database.texts(KEYS).await;
    let bare = Setup::on(&database);
    let made = ["users", "create", "--email", "eve@example.com"];
    bare.run(&made).await.expect_code(0);
    let status = bare.run(&["events", "status"]).await.expect_code(0).stdout;
    assert!(status.starts_with("audit\n") && !status.contains("log\n"), "{status}");
    assert_eq!(database.texts(SINKS).await, ["audit"]);
    assert_eq!(database.texts(KEYS).await, keys);
}

/// A stop is not held up by a sink that never answers; what it did not confirm is kept.
#[tokio::test]
async fn a_sink_that_hangs_does_not_hold_up_a_stop() {
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let database = TestDatabase::create().await;
    let mut server = Setup::on(&database)
        .env("KEYWARD_EVENTS_URL", format!("http://{}/hook", silent.local_addr().unwrap()))
        .env("KEYWARD_EVENTS_WEBHOOK_SECRETS", WEBHOOK_SECRET)
        .serve()
        .await;
    for _ in 0..20 {
        server.anonymous().signup().await.expect_status(201);
    }
    silent.set_nonblocking(true).unwrap();
    let _heard = until("a delivery under way", async || silent.accept().ok()).await;
    let asked = tokio::time::Instant::now();
    assert_eq!(server.stop().await, 0);
    assert!(asked.elapsed() < Duration::from_secs(8), "{:?}", asked.elapsed());
    assert_eq!(
        database.number("SELECT count(*) FROM outbox_deliveries WHERE published_at IS NULL").await,
        20
    );
}

async fn metrics(server: &Server) -> String {
    let answer = server.operator().get("/metrics").await.expect_status(200);
    String::from_utf8(answer.body).expect("text")
}

/// The value of a series of Prometheus' text format.
fn value(metrics: &str, series: &str) -> Option<f64> {
    metrics.lines().find_map(|line| line.strip_prefix(series)?.trim().parse().ok())
}

#[tokio::test]
async fn tls_to_rabbitmq_is_checked_and_never_left_out() {
    let (ours, others) = (Authority::new(), Authority::new());
    let (rabbit, port) = RabbitServer::start_tls(&ours).await;
    let plain = url::Url::parse(&rabbit.url()).unwrap().port().unwrap();
    let exchange = Exchange::on(&rabbit.url()).await;
    let mut queue = exchange.queue(&["auth.user_created"]).await;
    let name = &exchange.name;
    let url = |port: u16, ca: &Authority| {
        format!("amqps://guest:guest@127.0.0.1:{port}?exchange={name}&ca={}", ca.path("ca.pem"))
    };
    let database = TestDatabase::create().await;
    let server = Setup::on(&database).env("KEYWARD_EVENTS_URL", url(port, &ours)).serve().await;
    let user = server.user().await;
    assert_eq!(queue.next().await.envelope["data"]["email"], user.email.as_str());

    let unchecked = format!("amqps://guest:guest@127.0.0.1:{port}?exchange={name}");
    for wrong in [url(port, &others), unchecked, url(plain, &ours)] {
        let database = TestDatabase::create().await;
        let server = Setup::on(&database).env("KEYWARD_EVENTS_URL", &wrong).serve().await;
        server.user().await;
        let report = until("a degraded server", async || {
            let report = server.operator().get("/readyz").await.expect_status(200).json;
            (report["degraded"] != Value::Array(vec![])).then_some(report)
        })
        .await;
        let told = report["degraded"][0].as_str().unwrap();
        assert!(told.starts_with("events: amqp is away: ") && !told.contains("guest"), "{wrong}: {told}");
    }
    exchange.delete([queue]).await;
}
