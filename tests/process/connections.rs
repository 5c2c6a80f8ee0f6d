//! Connections by the hundred that are slow, half open, or simply too many (H6).

use std::net::SocketAddr;
use std::process::Command;
use std::time::Duration;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};

use crate::support::{Authority, Process, Server, Setup, TestDatabase, rounds, until};

const CLOSED_WITHIN: Duration = Duration::from_secs(15);
/// Machines of tests are busy.
const SLACK: Duration = Duration::from_secs(2);
const NO_WAIT: Duration = Duration::from_secs(3);

/// What a slow client sends at once; the rest comes byte by byte.
const SLOW: [(&str, &str); 7] = [
    ("", ""),
    ("", "GET /health HTTP/1.1\r\nHost: x\r\nX-Slow: aaaaaaaaaaaaaaaaaaaa"),
    ("GET /health HTTP/1.1\r\nHost: x\r\n", "X-Slow: aaaaaaaaaaaaaaaaaaaaaaaa"),
    (
        "POST /auth/login HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n",
        "{\"email\":\"aaaaaaaaaaaaaaaaaaaaaaaaaaaa",
    ),
    (
        "POST /auth/login HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n",
        "20\r\n{\"email\":\"aaaaaaaaaaaaaaaaaaaaaaa",
    ),
    // The head takes eight seconds of the time that both have.
    (
        "POST /auth/login HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 100\r\n",
        "X-Slow: aaaa\r\n\r\n{\"email\":\"aaaaaaaaaaaaaaaaaaaaaaaaaaa",
    ),
    ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "\0\0\0\u{4}\0\0\0\0\0"),
];

/// Dribbles until the server hangs up, and tells how long that took.
async fn dribble(address: SocketAddr, (at_once, slowly): (&str, &str)) -> Duration {
    let mut stream = TcpStream::connect(address).await.expect("a connection");
    let begun = Instant::now();
    let _ = stream.write_all(at_once.as_bytes()).await;
    let mut bytes = slowly.bytes();
    let mut answer = [0; 1024];
    while begun.elapsed() < CLOSED_WITHIN + SLACK {
        match timeout(Duration::from_millis(500), stream.read(&mut answer)).await {
            Ok(Ok(0) | Err(_)) => return begun.elapsed(),
            Ok(Ok(_)) => {}
            Err(_elapsed) => {
                if let Some(byte) = bytes.next() {
                    let _ = stream.write_all(&[byte]).await;
                }
            }
        }
    }
    begun.elapsed()
}

async fn slow_ones_are_closed(server: &Server, mut others: crate::support::Actor) {
    let limit = getrlimit(Resource::Nofile);
    let _ = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit });
    let mut slow = JoinSet::new();
    for index in 0..rounds(200, 2_000) as usize {
        slow.spawn(dribble(server.public, SLOW[index % SLOW.len()]));
    }
    let mut longest = Duration::ZERO;
    while !slow.is_empty() {
        let begun = Instant::now();
        others.refresh().await.expect_status(200);
        others.me().await.expect_status(200);
        assert!(begun.elapsed() < NO_WAIT, "others wait: {:?}", begun.elapsed());
        sleep(Duration::from_millis(100)).await;
        while let Some(lasted) = slow.try_join_next() {
            longest = longest.max(lasted.expect("it ends"));
        }
    }
    println!("the last was closed after {longest:?}");
    assert!(longest < CLOSED_WITHIN + SLACK, "{longest:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn slow_and_half_open_connections_are_closed_and_harm_nobody() {
    let database = TestDatabase::create().await;
    let server = Setup::on(&database).serve().await;
    let user = server.user().await;
    slow_ones_are_closed(&server, user).await;
}

/// A handshake that takes long, and slow headers behind it, are one time and not two.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn over_tls_they_are_closed_as_soon() {
    let database = TestDatabase::create().await;
    let authority = Authority::new();
    let setup = Setup::on(&database)
        .env("KEYWARD_TLS_CERT", authority.path("server.pem"))
        .env("KEYWARD_TLS_KEY", authority.path("server.key"));
    let server = Server::listening(setup.start(&[])).await;
    let pem = authority.read("ca.pem");
    let certificate = reqwest::Certificate::from_pem(pem.as_bytes()).expect("a certificate");
    let http = reqwest::Client::builder().no_proxy().tls_certs_only([certificate]).build().expect("a client");
    let base = format!("https://{}", server.public);
    let mut user = crate::support::Actor { http, ..server.anonymous().at(base) };
    user.signup().await.expect_status(201);
    user.login().await.expect_status(200);
    slow_ones_are_closed(&server, user).await;
}

/// Where the system gives few files, those who come too late are sent away, and those who are here stay.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn beyond_its_places_a_server_turns_connections_away_at_once() {
    let database = TestDatabase::create().await;
    let setup = Setup::on(&database);
    let mut limited: Command = setup.command("sh");
    limited.args(["-c", "ulimit -n 300; exec \"$0\"", env!("CARGO_BIN_EXE_keyward")]);
    let server = Server::ready(Process::spawn(limited, "")).await;
    let mut user = server.user().await;

    let mut idle = Vec::new();
    let mut turned_away = 0;
    for _ in 0..300 {
        let mut stream = TcpStream::connect(server.public).await.expect("it is accepted, and closed perhaps");
        match timeout(Duration::from_millis(20), stream.read(&mut [0])).await {
            Ok(_closed) => turned_away += 1,
            Err(_open) => idle.push(stream),
        }
        if idle.len() % 20 == 0 {
            // On the connection that this client keeps.
            user.refresh().await.expect_status(200);
        }
    }
    assert!(turned_away > 100 && idle.len() > 100, "{turned_away} turned away, {} open", idle.len());
    server.operator().get("/readyz").await.expect_status(200);
    drop(idle);
    until("room for others", async || {
        let answer = server.anonymous().http.get(server.url("/health")).send().await.ok()?;
        answer.status().is_success().then_some(())
    })
    .await;
    let told = server.process.stdout().matches("connections are turned away").count();
    assert!((1..=3).contains(&told), "now and then: {told}");
}
