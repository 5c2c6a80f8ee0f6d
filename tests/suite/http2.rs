//! HTTP/2 as hostile clients speak it: many streams, floods of resets, windows that never open, silence.

use std::time::Duration;

use axum::http::Request;
use h2::client::SendRequest;
use h2::{Ping, Reason};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;

use crate::support::{Answer, TestServer, rounds};

const NO_WAIT: Duration = Duration::from_secs(3);

struct Connection {
    requests: SendRequest<axum::body::Bytes>,
    /// Ends with the connection, and says how.
    ended: JoinHandle<Result<(), h2::Error>>,
}

async fn connect(server: &TestServer, window: u32) -> Connection {
    let stream = TcpStream::connect(server.public).await.expect("a connection");
    let mut builder = h2::client::Builder::new();
    builder.initial_window_size(window).initial_max_send_streams(1_000);
    let (requests, connection) = builder.handshake(stream).await.expect("HTTP/2");
    Connection { requests, ended: tokio::spawn(connection) }
}

fn get(path: &str) -> Request<()> {
    Request::get(format!("http://localhost{path}")).body(()).expect("a request")
}

#[tokio::test]
async fn http_2_is_spoken_without_tls_to_those_who_know() {
    let server = TestServer::start().await;
    let Connection { requests, .. } = connect(&server, 65_535).await;
    let mut requests = requests.ready().await.unwrap();
    let (answer, _) = requests.send_request(get("/health"), true).unwrap();
    let answer = answer.await.unwrap();
    assert_eq!(answer.status(), 200);
    assert_eq!(answer.headers()["x-content-type-options"], "nosniff");
    // One connection does not get the whole server.
    assert_eq!(requests.current_max_send_streams(), 128);
}

/// Rapid reset (CVE-2023-44487): requests that are taken back as soon as they are sent.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flood_of_resets_ends_its_own_connection_and_harms_nobody() {
    const ENOUGH: u32 = 50_000;
    let server = TestServer::start().await;
    let mut user = server.user().await;
    let mut floods = tokio::task::JoinSet::new();
    for _ in 0..rounds(4, 40) {
        let connection = connect(&server, 65_535).await;
        floods.spawn(flood(connection, ENOUGH));
    }
    while !floods.is_empty() {
        let begun = tokio::time::Instant::now();
        user.me().await.expect_status(200);
        user.refresh().await.expect_status(200);
        assert!(begun.elapsed() < NO_WAIT, "{:?}", begun.elapsed());
        while let Some(sent) = floods.try_join_next() {
            let sent = sent.expect("it ends");
            println!("ended after {sent} resets");
            assert!(sent < ENOUGH, "it goes on");
        }
    }
}

/// Sends requests and takes them back, and tells how many it could.
async fn flood(Connection { mut requests, .. }: Connection, enough: u32) -> u32 {
    for sent in 0..enough {
        let Ok(ready) = requests.ready().await else { return sent };
        requests = ready;
        // What asks the database is not answered at once.
        let Ok((_, mut stream)) = requests.send_request(get("/health"), true) else { return sent };
        stream.send_reset(Reason::CANCEL);
        if sent % 64 == 0 {
            tokio::task::yield_now().await;
        }
    }
    enough
}

/// Headers without end (CVE-2024-27316).
#[tokio::test]
async fn headers_beyond_the_limit_are_refused() {
    let server = TestServer::start().await;
    let Connection { requests, ended } = connect(&server, 65_535).await;
    let mut requests = requests.ready().await.unwrap();
    let mut request = get("/health");
    request.headers_mut().insert("x-large", "a".repeat(40 * 1024).parse().unwrap());
    let (answer, _) = requests.send_request(request, true).unwrap();
    match answer.await {
        Ok(answer) => assert_eq!(answer.status(), 431),
        Err(error) => assert!(error.is_reset() || error.is_go_away() || error.is_io(), "{error}"),
    }
    drop(requests);
    let _ = ended.await;
    server.anonymous().get("/health").await.expect_status(200);
}

/// Time stands still but for jumps to the next thing that anyone waits for.
async fn closed_within(connection: Connection) -> Duration {
    tokio::time::pause();
    let started = tokio::time::Instant::now();
    let _ = connection.ended.await;
    let waited = started.elapsed();
    tokio::time::resume();
    waited
}

#[tokio::test]
async fn a_connection_on_which_nothing_happens_is_closed() {
    let server = TestServer::start().await;
    let silent = connect(&server, 65_535).await;
    let waited = closed_within(silent).await;
    assert!(waited <= Duration::from_secs(15), "{waited:?}");

    // Also after a request, though the client answers every ping.
    let Connection { requests, ended } = connect(&server, 65_535).await;
    let mut requests = requests.ready().await.unwrap();
    requests.send_request(get("/health"), true).unwrap().0.await.unwrap();
    let waited = closed_within(Connection { requests, ended }).await;
    assert!((14..=15).contains(&waited.as_secs()), "{waited:?}");
}

#[tokio::test]
async fn whoever_pings_and_asks_for_nothing_is_not_busy() {
    let server = TestServer::start().await;
    let stream = TcpStream::connect(server.public).await.unwrap();
    let (requests, mut connection) = h2::client::handshake(stream).await.unwrap();
    let mut pings = connection.ping_pong().unwrap();
    let ended = tokio::spawn(connection);
    let mut requests = requests.ready().await.unwrap();
    requests.send_request(get("/health"), true).unwrap().0.await.unwrap();
    let begun = tokio::time::Instant::now();
    while pings.ping(Ping::opaque()).await.is_ok() {
        assert!(begun.elapsed() < Duration::from_secs(20), "pings keep it open");
        tokio::time::sleep(Duration::from_millis(250)).await;
    }
    assert!(begun.elapsed() >= Duration::from_secs(10), "{:?}", begun.elapsed());
    let _ = ended.await;
}

/// A client that asks for something large and never makes room for it.
#[tokio::test]
async fn an_answer_that_is_not_taken_does_not_hold_a_connection() {
    let server = TestServer::start().await;
    let page = server.anonymous().get("/docs/swagger-ui-bundle.js").await.expect_status(200);
    assert!(page.body.len() > 500_000, "{}", page.body.len());

    let Connection { requests, ended } = connect(&server, 0).await;
    let mut requests = requests.ready().await.unwrap();
    let (answer, _) = requests.send_request(get("/docs/swagger-ui-bundle.js"), true).unwrap();
    let _answer = answer.await.unwrap();
    let waited = closed_within(Connection { requests, ended }).await;
    assert!((14..=15).contains(&waited.as_secs()), "{waited:?}");
}

#[tokio::test]
async fn whoever_reads_slowly_and_reads_is_served_to_the_end() {
    let server = TestServer::start().await;
    let request = server.anonymous().http.get(format!("{}/docs/swagger-ui-bundle.js", server.url()));
    let mut answer = request.send().await.unwrap();
    let mut read = 0;
    while let Some(chunk) = answer.chunk().await.unwrap() {
        read += chunk.len();
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    let whole =
        Answer::of(server.anonymous().request(reqwest::Method::GET, "/docs/swagger-ui-bundle.js")).await;
    assert_eq!(read, whole.body.len());
}
