//! What a scrape shows, and that strangers cannot make more of it.

use std::collections::BTreeSet;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use keyward::telemetry::{Kind, METRICS};

use crate::support::{SOON, Server, Setup, TestDatabase, until};

/// Those of a server that has neither TLS nor Redis nor a collector.
const ABSENT: [&str; 5] = [
    "keyward_tls_certificate_expires_timestamp_seconds",
    "keyward_redis_up",
    "keyward_redis_duration_seconds",
    "keyward_limits_without_redis_total",
    "keyward_trace_exports_total",
];

#[tokio::test]
async fn a_scrape_shows_every_metric_of_the_catalogue_and_nothing_else() {
    let database = TestDatabase::create().await;
    let server = Setup::on(&database).env("KEYWARD_LIMITS_ENABLED", "true").serve().await;
    server.user().await.me().await.expect_status(200);
    let shown = until("the measurement of the outbox", async || {
        let shown = scrape(&server).await;
        shown.contains("keyward_outbox_sink_up").then_some(shown)
    })
    .await;
    for metric in METRICS {
        let name = metric.name;
        let kind = match metric.kind {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
            Kind::Histogram(_) => "histogram",
        };
        let there = shown.contains(&format!("# TYPE {name} {kind}\n"));
        assert_eq!(there, !ABSENT.contains(&name), "{name}\n{shown}");
        assert!(!there || shown.contains(&format!("# HELP {name} {}\n", metric.help)), "{name}");
    }
    for line in shown.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let (name, labels) = name_and_labels(line);
        let metric = METRICS.iter().find(|metric| {
            let histogram = matches!(metric.kind, Kind::Histogram(_));
            let suffixes = ["_bucket", "_sum", "_count"].iter().filter(|_| histogram);
            name == metric.name || { suffixes }.any(|suffix| name == format!("{}{suffix}", metric.name))
        });
        let metric = metric.unwrap_or_else(|| panic!("not in the catalogue: {line}"));
        let labels: Vec<_> = labels.iter().map(String::as_str).filter(|label| *label != "le").collect();
        assert_eq!(labels, metric.labels, "{line}");
    }
}

#[tokio::test]
async fn what_happens_is_counted() {
    let database = TestDatabase::create().await;
    let setup = Setup::on(&database).env("KEYWARD_LIMITS_ENABLED", "true").env("KEYWARD_LOCK_FAILURES", "2");
    let server = setup.env("KEYWARD_LIMITS_LOGIN_PER_ACCOUNT_IP", "100/s").serve().await;
    let mut user = server.user().await;
    user.signup().await.expect_status(409);
    let first = user.refresh_token.clone();
    user.refresh().await.expect_status(200);
    user.present(&first).await.expect_status(200);
    user.present("kwr_junk").await.expect_status(401);
    user.refresh().await.expect_status(200);
    user.present(&first).await.expect_status(401);
    user.present(&first).await.expect_status(401);
    for status in [401, 401, 429] {
        user.login_as(&user.email, "not the right one").await.expect_status(status);
    }
    user.login_as("nobody@example.com", "not the right one").await.expect_status(401);
    let shown = scrape(&server).await;
    for (series, value) in [
        ("keyward_signups_total{outcome=\"created\"}", 1),
        ("keyward_signups_total{outcome=\"email_taken\"}", 1),
        ("keyward_logins_total{outcome=\"succeeded\"}", 1),
        ("keyward_logins_total{outcome=\"wrong_password\"}", 2),
        ("keyward_logins_total{outcome=\"unknown_user\"}", 1),
        ("keyward_logins_total{outcome=\"locked\"}", 1),
        ("keyward_logins_total{outcome=\"disabled\"}", 0),
        ("keyward_locks_total{pool=\"strangers\"}", 1),
        ("keyward_refreshes_total{outcome=\"rotated\"}", 2),
        ("keyward_refreshes_total{outcome=\"grace\"}", 1),
        ("keyward_refreshes_total{outcome=\"reused\"}", 1),
        ("keyward_refreshes_total{outcome=\"ended\"}", 1),
        ("keyward_refreshes_total{outcome=\"forged\"}", 1),
        ("keyward_limit_decisions_total{limit=\"signup_per_ip\",decision=\"let_through\"}", 2),
        ("keyward_hash_refused_total{reason=\"full\"}", 0),
        ("keyward_hash_duration_seconds_count", 5),
        ("keyward_hash_queue_length", 0),
        ("keyward_http_requests_in_flight", 0),
        ("keyward_signing_keys{state=\"active\"}", 1),
        (
            "keyward_http_request_duration_seconds_count{method=\"POST\",route=\"/auth/signup\",status=\"409\"}",
            1,
        ),
    ] {
        assert_eq!(number(&shown, series), Some(f64::from(value)), "{series}\n{shown}");
    }
    for series in ["process_resident_memory_bytes", "process_open_fds", "process_start_time_seconds"] {
        assert!(number(&shown, series).is_some_and(|value| value > 1.0), "{series}\n{shown}");
    }
    let open = if database.embedded() { "writer" } else { "shared" };
    let max = number(&shown, &format!("keyward_db_connections_max{{pool=\"{open}\"}}"));
    assert_eq!(max, Some(if database.embedded() { 1.0 } else { 4.0 }));
}

/// B6 and F13: whatever is sent, the series are those that there are.
#[tokio::test]
async fn strangers_cannot_make_series() {
    let database = TestDatabase::create().await;
    let server = Setup::on(&database).serve().await;
    let send = async |method: &str, path: &str| {
        for id in ["", "/x", "?access_token=kwr_hush"] {
            raw(&server, &format!("{method} {path}{id} HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"));
        }
    };
    // One of each kind that there is: an unknown path, an unknown method, ids in known paths.
    let known = ["/auth/sessions/1", "/admin/users/1", "/docs/errors/1", "/docs/x/y", "/nothing"];
    let methods = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"];
    for method in methods {
        for path in known {
            send(method, path).await;
        }
    }
    let before = settled(&server).await;
    for n in 0..200 {
        let n = n * 7_919;
        send(methods[n % methods.len()], &format!("{}{n}", known[n % known.len()])).await;
        send(&format!("M{n}"), &format!("/{n}/{}", n * 31)).await;
    }
    let after = settled(&server).await;
    let new: Vec<_> = after.difference(&before).collect();
    assert!(new.is_empty(), "{new:?}");
    assert!(after.iter().all(|series| !series.contains("7919") && !series.contains("kwr_")));
}

/// All series, once nothing is under way.
async fn settled(server: &Server) -> BTreeSet<String> {
    let shown = until("the end of all requests", async || {
        let shown = scrape(server).await;
        (number(&shown, "keyward_http_requests_in_flight") == Some(0.0)).then_some(shown)
    })
    .await;
    let series = shown.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    // Work in the background has its own time to begin.
    let http = series.filter(|line| line.starts_with("keyward_http"));
    http.filter_map(|line| Some(line.rsplit_once(' ')?.0.to_owned())).collect()
}

async fn scrape(server: &Server) -> String {
    let answer = server.operator().get("/metrics").await.expect_status(200);
    String::from_utf8(answer.body).expect("text")
}

fn number(shown: &str, series: &str) -> Option<f64> {
    shown.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' ')?.parse().ok())
}

fn name_and_labels(line: &str) -> (&str, Vec<String>) {
    let series = line.rsplit_once(' ').expect("a value").0;
    let Some((name, labels)) = series.split_once('{') else { return (series, Vec::new()) };
    let labels = labels.trim_end_matches('}').split("\",");
    (name, labels.filter_map(|label| Some(label.split_once("=\"")?.0.to_owned())).collect())
}

fn raw(server: &Server, request: &str) {
    let mut stream = TcpStream::connect(server.public).unwrap();
    stream.set_read_timeout(Some(SOON)).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    let _ = stream.read_to_end(&mut Vec::new());
}
