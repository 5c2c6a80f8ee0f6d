//! Redis as the process meets it: away, and behind TLS.

use std::time::Duration;

use serde_json::Value;

use crate::support::{Authority, PrivateRedis, Server, Setup, TestDatabase, unique_email, until};

const AWAY: &str = "redis is away: until it is back, this server limits by its own counters";

fn limited(database: &TestDatabase, redis_url: &str) -> Setup {
    Setup::on(database)
        .env("KEYWARD_LIMITS_ENABLED", "true")
        .env("KEYWARD_LOG_FORMAT", "json")
        .env("REDIS_URL", redis_url)
}

async fn metric(server: &Server, name: &str) -> Option<f64> {
    let metrics = server.operator().get("/metrics").await;
    let metrics = String::from_utf8(metrics.body).expect("UTF-8");
    metrics.lines().find_map(|line| line.strip_prefix(name)?.trim().parse().ok())
}

/// Lines of the log that say that Redis is away.
fn alarms(server: &Server) -> Vec<Value> {
    let stdout = server.process.stdout();
    let lines = stdout.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    lines.filter(|line| line["message"] == AWAY).collect()
}

#[tokio::test]
async fn a_redis_that_is_away_is_one_line_and_one_metric_and_no_error() {
    let database = TestDatabase::create().await;
    let setup = limited(&database, "redis://keyward:hunter2@127.0.0.1:1/0")
        .env("KEYWARD_LIMITS_LOGIN_PER_ACCOUNT_IP", "3/h");
    let mut server = setup.serve().await;
    let (stranger, email) = (server.anonymous(), unique_email());
    let begun = tokio::time::Instant::now();
    let mut evaluated = 0;
    // Long enough to look for it several times.
    while begun.elapsed() < Duration::from_secs(3) {
        let answer = stranger.login_as(&email, "not the right one").await;
        assert!(answer.status == 401 || answer.status == 429, "{}", answer.status);
        evaluated += u32::from(answer.status == 401);
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert_eq!(evaluated, 3);
    assert_eq!(metric(&server, "keyward_redis_up").await, Some(0.0));
    assert_eq!(metric(&server, "keyward_limits_without_redis_total").await, Some(3.0));
    let report = server.operator().get("/readyz").await.expect_status(200).json;
    assert_eq!(
        report["degraded"],
        serde_json::json!(["limits: redis is away: this server limits by its own counters"])
    );
    let alarms = alarms(&server);
    assert_eq!(alarms.len(), 1, "{alarms:?}");
    assert_eq!(alarms[0]["level"], "ERROR");
    assert_eq!(server.stop().await, 0);
    assert!(!server.process.said().contains("hunter2"));
}

#[tokio::test]
async fn tls_to_redis_is_checked_and_never_left_out() {
    let database = TestDatabase::create().await;
    let (ours, others) = (Authority::new(), Authority::new());
    let [cert, key] = ["server.pem", "server.key"].map(|name| ours.path(name));
    let files = ["--tls-cert-file", &cert, "--tls-key-file", &key, "--tls-auth-clients", "no"];
    let redis = PrivateRedis::start_with(&[&files[..], &["--port", "0", "--tls-port"]].concat()).await;
    let url = format!("rediss://{}", redis.address());
    let trusting = |authority: &Authority, url: &str| {
        limited(&database, url).env("SSL_CERT_FILE", authority.path("ca.pem"))
    };

    let mut server = trusting(&ours, &url).serve().await;
    until("Redis over TLS", async || (metric(&server, "keyward_redis_up").await == Some(1.0)).then_some(()))
        .await;
    server.anonymous().login_as(&unique_email(), "not the right one").await.expect_status(401);
    assert_eq!(metric(&server, "keyward_limits_without_redis_total").await, Some(0.0));
    assert_eq!(server.stop().await, 0);

    let plain = PrivateRedis::start().await;
    let not_tls = format!("rediss://{}", plain.address());
    for setup in [trusting(&others, &url), trusting(&ours, &not_tls), limited(&database, &redis.url())] {
        let mut server = setup.serve().await;
        until("an alarm", async || (!alarms(&server).is_empty()).then_some(())).await;
        server.anonymous().login_as(&unique_email(), "not the right one").await.expect_status(401);
        assert_eq!(metric(&server, "keyward_redis_up").await, Some(0.0));
        assert_eq!(server.stop().await, 0);
    }
}
