//! TLS on the public listener, and certificates that change while it is used.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use reqwest::{Method, Version};
use rustls::ProtocolVersion;
use rustls::version::{TLS12, TLS13};
use rustls_pki_types::CertificateDer;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::support::{
    Actor, Answer, Authority, Raw, TestServer, eventually, https_client, rounds, tls_connect,
};

const ONE_YEAR: &str = "max-age=31536000";

async fn server_of(authority: &Authority) -> TestServer {
    let (cert, key) = (authority.path("server.pem"), authority.path("server.key"));
    TestServer::start_with(&[("tls.cert", &cert), ("tls.key", &key)]).await
}

fn actor(server: &TestServer, authority: &Authority) -> Actor {
    let base = format!("https://{}", server.public);
    Actor { http: https_client(authority, true), ..server.anonymous().at(base) }
}

/// The certificate that a new connection gets.
async fn presented(server: &TestServer, authority: &Authority) -> CertificateDer<'static> {
    let stream = tls_connect(server.public, authority, &[&TLS13], &[]).await.expect("a handshake");
    let (_, connection) = stream.get_ref();
    connection.peer_certificates().expect("certificates")[0].clone().into_owned()
}

#[tokio::test]
async fn everything_works_over_tls_and_every_answer_asks_to_keep_to_it() {
    let authority = Authority::new();
    let server = server_of(&authority).await;
    let mut user = actor(&server, &authority);
    let answers = [
        (201, user.signup().await),
        (200, user.login().await),
        (200, user.me().await),
        (200, user.get("/health").await),
        (200, user.get("/.well-known/jwks.json").await),
        (400, user.post_raw("/auth/login", "{").await),
        (404, user.get("/nothing").await),
        (405, user.get("/auth/login").await),
        (204, user.logout().await),
        (401, user.me().await),
    ];
    for (status, answer) in answers {
        let answer = answer.expect_status(status);
        assert_eq!(answer.header("strict-transport-security"), ONE_YEAR, "{status}");
        assert_eq!(answer.header("x-content-type-options"), "nosniff", "{status}");
    }
    let http2 = user.request(Method::GET, "/health").send().await.unwrap();
    assert_eq!(http2.version(), Version::HTTP_2);
    // Probes stay plain; and plain HTTP is not told what it asked for.
    let probe = server.anonymous().at(format!("http://{}", server.management));
    assert_eq!(probe.get("/readyz").await.expect_status(200).header("strict-transport-security"), "");
    let mut raw = Raw::connect(server.public).await;
    raw.send(b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n").await;
    let answer = raw.rest().await;
    assert!(!answer.contains("HTTP/1"), "{answer}");
}

#[tokio::test]
async fn tls_1_2_and_1_3_are_spoken_with_http_1_1_and_2() {
    let authority = Authority::new();
    let server = server_of(&authority).await;
    for (version, named) in [(&TLS12, ProtocolVersion::TLSv1_2), (&TLS13, ProtocolVersion::TLSv1_3)] {
        for protocol in [&b"h2"[..], b"http/1.1"] {
            let stream = tls_connect(server.public, &authority, &[version], &[protocol]).await.unwrap();
            let (_, connection) = stream.get_ref();
            assert_eq!(connection.protocol_version(), Some(named));
            assert_eq!(connection.alpn_protocol(), Some(protocol));
        }
        // Who names no protocol speaks HTTP/1.1, who names only others is sent away.
        let mut stream = tls_connect(server.public, &authority, &[version], &[]).await.unwrap();
        stream.write_all(b"GET /health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").await.unwrap();
        let mut answer = Vec::new();
        // TLS 1.2 says that it ends; what matters here is what came before.
        let _ = stream.read_to_end(&mut answer).await;
        assert!(answer.starts_with(b"HTTP/1.1 200 OK\r\n"), "{}", String::from_utf8_lossy(&answer));
        let other = tls_connect(server.public, &authority, &[version], &[b"smtp"]).await.unwrap_err();
        assert!(other.to_string().contains("NoApplicationProtocol"), "{other}");
    }
}

/// The answer to a hello of the version with this number: 0 is SSL 3, 3 is TLS 1.2.
async fn answer_to_hello(server: &TestServer, minor: u8) -> Vec<u8> {
    let mut hello = vec![3, minor];
    hello.extend([0x5a; 32]); // random
    hello.push(0); // no session
    hello.extend([0, 4, 0xc0, 0x2b, 0xc0, 0x13, 1, 0]); // two suites, no compression
    let groups = [0, 10, 0, 4, 0, 2, 0, 23]; // secp256r1
    let signatures = [0, 13, 0, 4, 0, 2, 4, 3]; // ecdsa_secp256r1_sha256
    hello.extend([0, 16]);
    hello.extend(groups);
    hello.extend(signatures);
    let length = u8::try_from(hello.len()).unwrap();
    let mut record = vec![22, 3, 1, 0, length + 4, 1, 0, 0, length];
    record.extend(hello);
    let mut raw = Raw::connect(server.public).await;
    raw.send(&record).await;
    raw.finish().await;
    raw.rest_bytes().await
}

/// SSL 3 to TLS 1.1 are refused with an alert, before anything is agreed; it is the version that is refused.
#[tokio::test]
async fn a_hello_of_an_older_version_is_refused() {
    const ALERT: u8 = 21;
    const HANDSHAKE: u8 = 22;
    const PROTOCOL_VERSION: u8 = 70;
    let authority = Authority::new();
    let server = server_of(&authority).await;
    for minor in 0..=2 {
        let answer = answer_to_hello(&server, minor).await;
        assert_eq!((answer[0], answer[5..].to_vec()), (ALERT, vec![2, PROTOCOL_VERSION]), "3.{minor}");
    }
    assert_eq!(answer_to_hello(&server, 3).await[0], HANDSHAKE);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_certificates_under_load_and_no_request_fails() {
    let authority = Authority::new();
    let server = server_of(&authority).await;
    let (stop, served) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let mut load = tokio::task::JoinSet::new();
    for index in 0..rounds(6, 24) {
        let actor = Actor { http: https_client(&authority, index % 2 == 0), ..actor(&server, &authority) };
        let (stop, served) = (Arc::clone(&stop), Arc::clone(&served));
        load.spawn(async move {
            while !stop.load(Ordering::Relaxed) {
                actor.get("/.well-known/jwks.json").await.expect_status(200);
                served.fetch_add(1, Ordering::Relaxed);
            }
        });
    }
    let certificate = server.certificate.clone().unwrap();
    let mut before = presented(&server, &authority).await;
    for _ in 0..10 {
        let so_far = served.load(Ordering::Relaxed);
        eventually("some requests", async || served.load(Ordering::Relaxed) > so_far + 12).await;
        let renewed = authority.renew(|_| ());
        certificate.reload().await;
        assert_eq!(presented(&server, &authority).await, renewed);
        assert_ne!(renewed, before);
        before = renewed;
    }
    let so_far = served.load(Ordering::Relaxed);
    eventually("some requests", async || served.load(Ordering::Relaxed) > so_far + 12).await;
    stop.store(true, Ordering::Relaxed);
    // A request that was dropped would have been a panic.
    load.join_all().await;
}

/// Without a signal: the files are looked at.
#[tokio::test]
async fn a_certificate_that_changes_on_disk_is_taken() {
    let authority = Authority::new();
    let server = server_of(&authority).await;
    let renewed = authority.renew(|_| ());
    eventually("the new certificate", async || presented(&server, &authority).await == renewed).await;
}

#[tokio::test]
async fn files_that_cannot_be_served_change_nothing() {
    let authority = Authority::new();
    let server = server_of(&authority).await;
    let certificate = server.certificate.clone().unwrap();
    let before = presented(&server, &authority).await;
    let (good_cert, good_key) = (authority.read("server.pem"), authority.read("server.key"));
    let other = Authority::new();
    for (name, text) in [
        ("server.pem", String::new()),
        ("server.pem", good_cert[..100].to_owned()),
        ("server.key", "hunter2".to_owned()),
        ("server.key", other.read("server.key")),
        ("server.pem", other.read("server.pem")),
    ] {
        authority.write(name, &text);
        certificate.reload().await;
        assert_eq!(presented(&server, &authority).await, before, "{name}: {text}");
        authority.write("server.pem", &good_cert);
        authority.write("server.key", &good_key);
    }
    let wrong_times: [fn(&mut rcgen::CertificateParams); 2] = [
        |params| params.not_after = rcgen::date_time_ymd(2001, 1, 1),
        |params| params.not_before = rcgen::date_time_ymd(2999, 1, 1),
    ];
    for wrong in wrong_times {
        authority.renew(wrong);
        certificate.reload().await;
        assert_eq!(presented(&server, &authority).await, before);
    }
    std::fs::remove_file(authority.file("server.pem")).unwrap();
    certificate.reload().await;
    assert_eq!(presented(&server, &authority).await, before);

    let renewed = authority.renew(|_| ());
    certificate.reload().await;
    assert_eq!(presented(&server, &authority).await, renewed);
}

/// Time stands still but for jumps to the next thing that anyone waits for.
#[tokio::test]
async fn handshakes_that_come_to_no_end_are_closed() {
    let authority = Authority::new();
    let server = server_of(&authority).await;
    for sent in [&b""[..], &[22], &[22, 3, 1, 2, 0, 1, 0, 1, 252, 3, 3]] {
        let mut raw = Raw::connect(server.public).await;
        raw.send(sent).await;
        tokio::time::pause();
        let started = tokio::time::Instant::now();
        raw.rest_bytes().await;
        let waited = started.elapsed();
        tokio::time::resume();
        assert!(waited <= Duration::from_secs(15), "{sent:?}: {waited:?}");
    }
}

#[tokio::test]
async fn behind_a_gateway_only_what_it_received_over_https_is_answered() {
    let settings = [("tls.require_https", "true"), ("trusted_proxies", "127.0.0.1")];
    let server = TestServer::start_with(&settings).await;
    let gateway = server.anonymous();
    let rows = server.database.rows().await;
    let body = serde_json::json!({ "email": gateway.email, "password": gateway.password });
    let spoken: [&[(&str, &str)]; 6] = [
        &[],
        &[("x-forwarded-proto", "http")],
        &[("x-forwarded-proto", "https"), ("x-forwarded-proto", "http")],
        &[("forwarded", "for=192.0.2.1;proto=http")],
        &[("x-forwarded-for", "192.0.2.1"), ("x-forwarded-ssl", "on"), ("x-url-scheme", "https")],
        &[("x-forwarded-for", "192.0.2.1"), ("forwarded", "for=192.0.2.1;proto=https")],
    ];
    for headers in spoken {
        let ask = |method: Method, path: &str| {
            headers
                .iter()
                .fold(gateway.request(method, path), |request, (name, value)| request.header(*name, *value))
        };
        for refused in [
            ask(Method::POST, "/auth/signup").json(&body),
            ask(Method::POST, "/auth/login").json(&body),
            ask(Method::GET, "/auth/me"),
            ask(Method::GET, "/.well-known/jwks.json"),
            ask(Method::GET, "/docs/"),
            ask(Method::GET, "/nothing"),
            ask(Method::GET, "/health/"),
        ] {
            let refused = Answer::of(refused).await.expect_problem(403, "https_required");
            assert_eq!(refused.header("strict-transport-security"), "", "{headers:?}");
            assert_eq!(refused.header("x-content-type-options"), "nosniff");
        }
        Answer::of(ask(Method::GET, "/health")).await.expect_status(200);
    }
    assert_eq!(server.database.rows().await, rows);

    for (name, value) in [
        ("x-forwarded-proto", "https"),
        ("x-forwarded-proto", "HTTPS"),
        ("forwarded", "for=192.0.2.1;proto=https"),
    ] {
        for (path, status) in [("/auth/me", 401), ("/health", 200), ("/nothing", 404)] {
            let answer = Answer::of(gateway.request(Method::GET, path).header(name, value)).await;
            assert_eq!(answer.expect_status(status).header("strict-transport-security"), ONE_YEAR, "{path}");
        }
    }
}

#[tokio::test]
async fn nobody_but_a_trusted_proxy_can_say_that_it_was_https() {
    let settings = [("tls.require_https", "true"), ("trusted_proxies", "10.0.0.0/8")];
    let server = TestServer::start_with(&settings).await;
    for (name, value) in [("x-forwarded-proto", "https"), ("forwarded", "for=10.0.0.1;proto=https")] {
        let request = server.anonymous().request(Method::GET, "/auth/me").header(name, value);
        Answer::of(request).await.expect_problem(403, "https_required");
    }
    let plain = TestServer::start().await;
    let request = plain.anonymous().request(Method::GET, "/auth/me").header("x-forwarded-proto", "https");
    let answer = Answer::of(request).await.expect_status(401);
    assert_eq!(answer.header("strict-transport-security"), "", "nobody asked for it");
}
