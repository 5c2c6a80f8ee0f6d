//! TLS to the database, Redis and brokers: authorities of our own are asked, and plain text is never fallen back to.

use std::net::SocketAddr;
use std::time::Duration;

use keyward::clock::Clock;
use keyward::config::{self, DatabaseUrl, RedisTarget, Settings, Sources};
use keyward::limits::Limiter;
use keyward::store::{DatabaseOptions, Location, Store};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

#[cfg(feature = "kafka-tls")]
use crate::support::Tansu;
use crate::support::{
    Authority, NatsServer, PrivateRedis, TestServer, eventually, free_port, key_prefix, tls_acceptor,
};

const PENDING: &str = "SELECT count(*) FROM outbox_deliveries WHERE published_at IS NULL";
/// PostgreSQL, "Message Formats": `SSLRequest`.
const SSL_REQUEST: [u8; 8] = [0, 0, 0, 8, 4, 210, 22, 47];

/// What a client let a PostgreSQL know that only says whether it does TLS.
#[derive(Debug, PartialEq, Eq)]
enum Learnt {
    Nothing,
    /// The name that stands in the first message.
    UserInTheClear(bool),
}

/// A PostgreSQL that takes one connection and hangs up after the first message.
async fn postgres(authority: Option<&Authority>) -> (SocketAddr, JoinHandle<Learnt>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let acceptor = authority.map(tls_acceptor);
    let task = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.expect("a client");
        let mut asked = [0; 8];
        stream.read_exact(&mut asked).await.expect("a message");
        if asked != SSL_REQUEST {
            return Learnt::UserInTheClear(true);
        }
        match acceptor {
            None => {
                stream.write_all(b"N").await.expect("a client");
                first_message(stream, true).await
            }
            Some(acceptor) => {
                stream.write_all(b"S").await.expect("a client");
                match acceptor.accept(stream).await {
                    Ok(stream) => first_message(stream, false).await,
                    Err(_refused) => Learnt::Nothing,
                }
            }
        }
    });
    (address, task)
}

async fn first_message(mut stream: impl AsyncRead + Unpin, clear: bool) -> Learnt {
    let mut message = vec![0; 1024];
    match stream.read(&mut message).await {
        Ok(count) if message[..count].windows(7).any(|part| part == b"keyward") => {
            Learnt::UserInTheClear(clear)
        }
        _ => Learnt::Nothing,
    }
}

fn settings(key: &str, value: &str) -> Result<Settings, String> {
    let flags = [(key, value), ("master_key", &crate::support::master_key())];
    let flags = flags.map(|(key, value)| (key.to_owned(), value.to_owned())).to_vec();
    let sources = Sources { flags, for_a_server: true, ..Sources::default() };
    config::load(&sources, 2, keyward::random::bytes)
        .map(|(settings, _)| settings)
        .map_err(|wrong| wrong.to_string())
}

/// Opens the database of a URL as a server does, and returns why it could not.
async fn refusal(url: &str) -> String {
    let settings = settings("database_url", url).expect("good settings");
    let DatabaseUrl::Postgres { url } = settings.database_url else { panic!("{url}") };
    let options = DatabaseOptions { max_connections: 1, transaction_pooler: false };
    let opened = Store::open(Location::Postgres(url.expose()), options).await;
    opened.expect_err("nobody serves there").to_string()
}

#[tokio::test]
async fn postgresql_without_tls_learns_nothing_where_tls_was_asked_for() {
    for mode in ["require", "verify-ca", "verify-full"] {
        let (address, learnt) = postgres(None).await;
        let told = refusal(&format!("postgres://keyward@{address}/keyward?sslmode={mode}")).await;
        assert!(told.contains("does not support TLS") && told.contains("sslmode=disable"), "{told}");
        assert_eq!(learnt.await.unwrap(), Learnt::Nothing, "{mode}");
    }
    for mode in ["?sslmode=prefer", ""] {
        let (address, learnt) = postgres(None).await;
        refusal(&format!("postgres://keyward@{address}/keyward{mode}")).await;
        assert_eq!(learnt.await.unwrap(), Learnt::UserInTheClear(true), "this machine, or as it was written");
    }
}

#[tokio::test]
async fn postgresql_is_asked_who_it_is() {
    let (ours, others) = (Authority::new(), Authority::new());
    let ca = ours.path("ca.pem");
    for (server, options, trusted) in [
        (&ours, format!("sslmode=verify-full&sslrootcert={ca}"), true),
        (&ours, format!("sslmode=verify-ca&sslrootcert={ca}"), true),
        (&ours, "sslmode=verify-full".to_owned(), false),
        (&others, format!("sslmode=verify-full&sslrootcert={ca}"), false),
        (&others, format!("sslmode=verify-ca&sslrootcert={ca}"), false),
        (&others, "sslmode=require".to_owned(), true),
    ] {
        let (address, learnt) = postgres(Some(server)).await;
        let told = refusal(&format!("postgres://keyward@{address}/keyward?{options}")).await;
        let learnt = learnt.await.unwrap();
        if trusted {
            assert_eq!(learnt, Learnt::UserInTheClear(false), "{options}: {told}");
        } else {
            assert_eq!(learnt, Learnt::Nothing, "{options}");
            assert!(told.contains("certificate") && told.contains("sslrootcert="), "{options}: {told}");
        }
    }
    let told =
        settings("database_url", "postgres://u@db.example.com/d?sslrootcert=/no/such.pem").unwrap_err();
    assert!(
        told.contains("database_url") && told.contains("sslrootcert /no/such.pem cannot be read"),
        "{told}"
    );
}

#[tokio::test]
async fn redis_is_asked_who_it_is() {
    let (ours, others) = (Authority::new(), Authority::new());
    let (cert, key) = (ours.path("server.pem"), ours.path("server.key"));
    let files = ["--tls-cert-file", &cert, "--tls-key-file", &key, "--tls-auth-clients", "no"];
    let redis = PrivateRedis::start_with(&[&files[..], &["--port", "0", "--tls-port"]].concat()).await;
    let url = format!("rediss://{}", redis.address());
    let limiter = |url: &str| {
        let RedisTarget { url, ca } = settings("redis_url", url).unwrap().redis_url.unwrap();
        Limiter::redis(&RedisTarget { url, ca }, &key_prefix(), Clock::System).expect("a good URL")
    };
    let trusting = limiter(&format!("{url}?ca={}", ours.path("ca.pem")));
    trusting.connect().await;
    eventually("Redis is found", async || trusting.counts_together()).await;
    for stranger in [url.clone(), format!("{url}?ca={}", others.path("ca.pem"))] {
        let stranger = limiter(&stranger);
        stranger.connect().await;
        tokio::time::sleep(Duration::from_millis(600)).await;
        assert!(!stranger.counts_together());
    }
    let told = settings("redis_url", "rediss://h?ca=/no/such.pem").unwrap_err();
    assert!(told.contains("redis_url") && told.contains("ca /no/such.pem cannot be read"), "{told}");
}

/// Signs somebody up, and tells whether the event came through or why not.
async fn outcome(events_url: &str) -> Result<(), String> {
    let server = TestServer::start_with(&[("events_url", events_url)]).await;
    server.user().await;
    let why = || server.app.degraded().join(" ");
    let decided = async || !why().is_empty() || server.database.number(PENDING).await == 0;
    eventually("it is published, or known to be away", decided).await;
    if server.database.number(PENDING).await == 0 { Ok(()) } else { Err(why()) }
}

/// Asserts that nothing comes through to any of these, and that it is said.
async fn expect_away(kind: &str, urls: &[String]) {
    for url in urls {
        let told = outcome(url).await.unwrap_err();
        assert!(told.starts_with(&format!("events: {kind} is away: ")), "{url}: {told}");
    }
}

#[tokio::test]
async fn nats_is_asked_who_it_is() {
    let (ours, others) = (Authority::new(), Authority::new());
    let (cert, key, ca) = (ours.path("server.pem"), ours.path("server.key"), ours.path("ca.pem"));
    let (port, plain) = (free_port(), free_port());
    let _tls = NatsServer::start(port, &["--tls", "--tlscert", &cert, "--tlskey", &key]);
    let _plain = NatsServer::start(plain, &[]);
    for port in [port, plain] {
        eventually("NATS listens", async || {
            tokio::net::TcpStream::connect(("127.0.0.1", port)).await.is_ok()
        })
        .await;
    }
    assert_eq!(outcome(&format!("nats://127.0.0.1:{port}?tls=true&ca={ca}")).await, Ok(()));
    assert_eq!(outcome(&format!("nats://127.0.0.1:{plain}")).await, Ok(()));
    let wrong = [
        format!("nats://127.0.0.1:{port}?tls=true&ca={}", others.path("ca.pem")),
        format!("nats://127.0.0.1:{port}?tls=true"),
        // What was to be TLS does not become plain because the server has none.
        format!("nats://127.0.0.1:{plain}?tls=true&ca={ca}"),
    ];
    expect_away("nats", &wrong).await;
}

/// TLS for a broker that knows none: what comes by it is handed on in the clear.
#[cfg(feature = "kafka-tls")]
fn tls_in_front_of(authority: &Authority, broker: SocketAddr, listener: TcpListener) {
    let acceptor = tls_acceptor(authority);
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.expect("a client");
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                // A stranger's handshake fails; that is what the test is about.
                let Ok(mut stream) = acceptor.accept(stream).await else { return };
                let mut broker = tokio::net::TcpStream::connect(broker).await.expect("the broker");
                let _ = tokio::io::copy_bidirectional(&mut stream, &mut broker).await;
            });
        }
    });
}

#[cfg(feature = "kafka-tls")]
#[tokio::test]
async fn kafka_is_asked_who_it_is() {
    let (ours, others) = (Authority::new(), Authority::new());
    let ca = ours.path("ca.pem");
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let (plain, tls) = (free_port(), listener.local_addr().expect("an address"));
    let _broker = Tansu::start(plain, tls, &[]);
    let plain = SocketAddr::from(([127, 0, 0, 1], plain));
    eventually("Tansu listens", async || tokio::net::TcpStream::connect(plain).await.is_ok()).await;
    tls_in_front_of(&ours, plain, listener);
    assert_eq!(outcome(&format!("kafka://{tls}/events?tls=true&ca={ca}")).await, Ok(()));
    let wrong = [
        format!("kafka://{tls}/events?tls=true&ca={}", others.path("ca.pem")),
        format!("kafka://{tls}/events?tls=true"),
        // What was to be TLS does not become plain because the broker has none.
        format!("kafka://{plain}/events?tls=true&ca={ca}"),
    ];
    expect_away("kafka", &wrong).await;
    let elsewhere = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = elsewhere.local_addr().expect("an address");
    ours.renew(|params| params.subject_alt_names = Vec::new());
    tls_in_front_of(&ours, plain, elsewhere);
    // A certificate of another name.
    expect_away("kafka", &[format!("kafka://{address}/events?tls=true&ca={ca}")]).await;
}
