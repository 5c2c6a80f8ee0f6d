//! Spans on their way to a collector: what they say, and that nobody waits for them.

use std::net::TcpListener;
use std::time::Duration;

use opentelemetry_proto::tonic::trace::v1::Span;
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use opentelemetry_proto::tonic::trace::v1::status::StatusCode;
use reqwest::Method;
use serde_json::Value;

use crate::support::{Answer, Collector, Server, Setup, TestDatabase, attribute, until};

/// Sends spans soon, and only to this endpoint.
fn tracing(database: &TestDatabase, endpoint: &str) -> Setup {
    Setup::on(database).env("KEYWARD_TELEMETRY_OTLP_ENDPOINT", endpoint).env("OTEL_BSP_SCHEDULE_DELAY", "50")
}

#[tokio::test]
async fn a_request_is_a_span_with_its_hash_its_database_work_and_its_events_below() {
    let database = TestDatabase::create().await;
    let collector = Collector::start();
    let setup = tracing(&database, &collector.endpoint())
        .env("KEYWARD_TELEMETRY_OTLP_HEADERS", "x-tenant=of%20ours")
        .env("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment.name=test");
    let mut server = setup.serve().await;
    let mut user = server.anonymous();
    let signed_up = user.signup().await.expect_status(201);
    let (id, user_id) = (signed_up.header("x-request-id").to_owned(), signed_up.text("id"));
    user.login().await.expect_status(200);

    let root = collector.span("POST /auth/signup", |_| true).await;
    assert_eq!(root.kind(), SpanKind::Server);
    assert_eq!(root.parent_span_id, Vec::<u8>::new());
    assert_eq!(attribute(&root, "http.route"), "/auth/signup");
    assert_eq!(attribute(&root, "http.request.method"), "POST");
    assert_eq!(attribute(&root, "http.response.status_code"), "201");
    assert_eq!((attribute(&root, "keyward.request_id"), attribute(&root, "user.id")), (id.clone(), user_id));
    assert_eq!(attribute(&root, "client.address"), "127.0.0.1");
    let below = |span: &Span| span.parent_span_id == root.span_id && span.trace_id == root.trace_id;
    let hash = collector.span("hash", below).await;
    assert!(hash.start_time_unix_nano >= root.start_time_unix_nano);
    assert!(hash.end_time_unix_nano <= root.end_time_unix_nano);
    let work = collector.span("database", |span| attribute(span, "keyward.work") == "signup").await;
    assert!(below(&work), "{work:?}");
    // The event was written in the transaction.
    let publish = collector.span("publish", |span| span.trace_id == root.trace_id).await;
    assert_eq!((publish.kind(), &publish.parent_span_id), (SpanKind::Producer, &work.span_id));
    assert_eq!(attribute(&publish, "keyward.event_type"), "auth.user_created");
    // A hash goes on in a task of its own, and still belongs to its request.
    let login = collector.span("POST /auth/login", |_| true).await;
    collector.span("hash", |span| span.parent_span_id == login.span_id).await;
    collector.span("database", |span| span.parent_span_id == login.span_id).await;

    let line = request_line(&server.process.stdout(), &id).expect("the line of the sign-up");
    assert_eq!(line["trace_id"], hex(&root.trace_id));
    assert!(collector.headers().iter().all(|headers| headers["x-tenant"] == "of ours"));
    for part in ["service.name", "keyward", "deployment.environment.name"] {
        assert!(collector.raw().windows(part.len()).any(|bytes| bytes == part.as_bytes()), "{part}");
    }
    assert_eq!(server.stop().await, 0);
    // What was under way at the end was sent.
    assert!(collector.spans().iter().all(|span| !span.name.is_empty()));
}

#[tokio::test]
async fn a_callers_trace_is_continued_and_its_decision_kept() {
    const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
    let database = TestDatabase::create().await;
    let collector = Collector::start();
    let setup = tracing(&database, &collector.endpoint()).env("KEYWARD_TELEMETRY_SAMPLING_RATIO", "0.0");
    let mut server = setup.serve().await;
    let user = server.user().await;
    let with = async |parent: &str| {
        let request = user.request(Method::GET, "/auth/me").bearer_auth(&user.access_token);
        Answer::of(request.header("traceparent", parent)).await.expect_status(200)
    };
    with(&format!("00-{}-b7ad6b7169203331-00", "1".repeat(32))).await;
    with(&format!("00-{TRACE}-b7ad6b7169203331-01-more")).await;
    let answer = with(&format!("00-{TRACE}-b7ad6b7169203331-01")).await;
    let root = collector.span("GET /auth/me", |span| hex(&span.trace_id) == TRACE).await;
    assert_eq!(hex(&root.parent_span_id), "b7ad6b7169203331");
    collector.span("database", |span| span.parent_span_id == root.span_id).await;
    let id = answer.header("x-request-id");
    let line = request_line(&server.process.stdout(), id).expect("the line of the request");
    assert_eq!(line["trace_id"], TRACE);
    assert_eq!(line["user_id"].as_str(), Some(user.id().await.as_str()));
    assert_eq!(server.stop().await, 0);
    let others: Vec<_> = collector.spans().into_iter().filter(|span| hex(&span.trace_id) != TRACE).collect();
    assert!(others.is_empty(), "neither of those that nobody keeps: {others:?}");
    assert!(collector.spans().iter().filter(|span| span.kind() == SpanKind::Server).count() == 1);
}

#[tokio::test]
async fn a_refused_request_is_no_error_of_the_span_and_a_broken_one_is() {
    let database = TestDatabase::create().await;
    let collector = Collector::start();
    let mut server = tracing(&database, &collector.endpoint()).serve().await;
    server.anonymous().me_with("junk").await.expect_status(401);
    server.anonymous().get("/nobody/knows/kwr_this?access_token=kwr_that").await.expect_status(404);
    let refused = collector.span("GET /auth/me", |_| true).await;
    assert_eq!(attribute(&refused, "error.type"), "invalid_token");
    assert_eq!(refused.status.unwrap_or_default().code(), StatusCode::Unset);
    collector.span("GET unmatched", |_| true).await;
    database.execute("ALTER TABLE users_auth RENAME TO users_auth_away").await;
    server.anonymous().login().await.expect_status(500);
    let broken = collector.span("POST /auth/login", |_| true).await;
    assert_eq!(attribute(&broken, "error.type"), "internal_error");
    assert_eq!(broken.status.unwrap_or_default().code(), StatusCode::Error);
    assert_eq!(server.stop().await, 0);
}

#[tokio::test]
async fn a_collector_that_is_away_costs_nothing_but_one_line() {
    let database = TestDatabase::create().await;
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let endpoint = format!("http://{address}/a-path-that-may-be-secret");
    let mut server = tracing(&database, &endpoint).serve().await;
    let user = server.user().await;
    until("the line", async || (said(&server, "traces are lost") == 1).then_some(())).await;
    for _ in 0..50 {
        user.me().await.expect_status(200);
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert_eq!(said(&server, "traces are lost"), 1);
    let metrics = server.operator().get("/metrics").await.expect_status(200);
    let metrics = String::from_utf8(metrics.body).unwrap();
    assert!(metrics.contains("keyward_trace_exports_total{outcome=\"sent\"} 0"), "{metrics}");

    // The path is another: it answers 404, which is as good as being away.
    let _collector = Collector::start_on(address);
    tokio::time::sleep(Duration::from_millis(300)).await;
    user.me().await.expect_status(200);
    assert_eq!(said(&server, "traces are lost"), 1);
    assert!(!server.process.said().contains("may-be-secret"), "{}", server.process.said());
    assert_eq!(server.stop().await, 0);
}

#[tokio::test]
async fn a_collector_that_comes_back_is_one_line_more() {
    let database = TestDatabase::create().await;
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let mut server = tracing(&database, &format!("http://{address}")).serve().await;
    let user = server.user().await;
    until("the line", async || (said(&server, "traces are lost") == 1).then_some(())).await;
    let collector = Collector::start_on(address);
    until("the other line", async || {
        user.me().await.expect_status(200);
        (said(&server, "takes traces again") == 1).then_some(())
    })
    .await;
    collector.span("GET /auth/me", |_| true).await;
    assert_eq!(server.stop().await, 0);
    assert_eq!(said(&server, "traces are lost"), 1);
}

#[tokio::test]
async fn a_collector_that_never_answers_holds_up_nobody() {
    let database = TestDatabase::create().await;
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut server = tracing(&database, &format!("http://{}", silent.local_addr().unwrap())).serve().await;
    let user = server.user().await;
    tokio::time::sleep(Duration::from_millis(200)).await;
    let begun = tokio::time::Instant::now();
    for _ in 0..100 {
        user.me().await.expect_status(200);
    }
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    let asked = tokio::time::Instant::now();
    assert_eq!(server.stop().await, 0);
    assert!(asked.elapsed() < Duration::from_secs(15), "{:?}", asked.elapsed());
}

#[tokio::test]
async fn an_endpoint_that_is_none_is_refused_and_its_headers_are_never_shown() {
    let folder = tempfile::tempdir().unwrap();
    let setup = Setup::bare(folder.path())
        .env("KEYWARD_TELEMETRY_OTLP_ENDPOINT", "collector:4317")
        .env("KEYWARD_TELEMETRY_OTLP_HEADERS", "hunter2")
        .env("KEYWARD_TELEMETRY_SAMPLING_RATIO", "most");
    let told = setup.run(&["config", "check"]).await;
    let words = ["3 settings need attention", "telemetry.otlp_endpoint", "telemetry.otlp_headers", "0 to 1"];
    let told = told.expect_refusal(78, &words);
    assert!(!told.stderr.contains("hunter2"));
    let setup = Setup::bare(folder.path())
        .env("OTEL_EXPORTER_OTLP_ENDPOINT", "http://collector:4318/token-in-a-path")
        .env("OTEL_EXPORTER_OTLP_HEADERS", "authorization=Bearer%20hunter2");
    let shown = setup.run(&["config", "show"]).await.expect_code(0).stdout;
    assert!(shown.contains("environment OTEL_EXPORTER_OTLP_ENDPOINT"), "{shown}");
    assert!(!shown.contains("hunter2") && !shown.contains("token-in"), "{shown}");
}

/// How often a line has these words.
fn said(server: &Server, words: &str) -> usize {
    server.process.stdout().matches(words).count()
}

fn request_line(stdout: &str, id: &str) -> Option<Value> {
    let lines = stdout.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    { lines }.find(|line| line["message"] == "request" && line["request_id"] == id)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"))
}
