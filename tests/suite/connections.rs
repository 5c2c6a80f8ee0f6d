//! Bare connections: what no HTTP client sends, and what must not be believed.

use std::time::Duration;

use crate::support::{Raw, TestServer};

const BODY: &str = r#"{"refresh_token":"x"}"#;

#[tokio::test]
async fn ambiguous_requests_are_answered_once_and_the_connection_is_closed() {
    let server = TestServer::start().await;
    let rows = server.database.rows().await;
    let second = "GET /health HTTP/1.1\r\nHost: x\r\n\r\n";
    let post = |headers: &str, body: &str| {
        format!(
            "POST /auth/refresh HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n{headers}\r\n\r\n{body}"
        )
    };
    let plain = format!("Content-Length: {}", BODY.len());
    let chunked = format!("{:x}\r\n{BODY}\r\n0\r\n\r\n", BODY.len());
    for (request, status) in [
        (post(&format!("{plain}\r\nContent-Length: 3"), BODY), "400"),
        (post("Content-Length: 3, 4", BODY), "400"),
        (post("Content-Length: +3", BODY), "400"),
        (post("Content-Length: -1", BODY), "400"),
        (post("Content-Length: 0x15", BODY), "400"),
        (post("Content-Length: 99999999999999999999", BODY), "400"),
        (post("Content-Length : 21", BODY), "400"),
        (post("Transfer-Encoding: identity", BODY), "400"),
        (post("Transfer-Encoding: chunked, identity", &chunked), "400"),
        (post("Transfer-Encoding: xchunked", &chunked), "400"),
        (post("Transfer-Encoding : chunked", &chunked), "400"),
        (post(&format!("{plain}\r\n X-Folded: x"), BODY), "400"),
        (post(&format!("{plain}\r\n\tfolded"), BODY), "400"),
        (post(&format!("{plain}\r\nX: a\rb"), BODY), "400"),
        (post(&format!("{plain}\r\nX: a\0b"), BODY), "400"),
        (post(&format!("{plain}\r\nX\u{7f}: a"), BODY), "400"),
        (post(&format!("{plain}\r\nno colon"), BODY), "400"),
        (post(&format!("{plain}\r\nHost: y"), BODY), "400"),
        (format!("GET /health HTTP/1.1\r\n\r\n{second}"), "400"),
        ("GET /health HTTP/1.1\r\nHost: x\r\nHost: x\r\n\r\n".to_owned(), "400"),
        ("GET  /health HTTP/1.1\r\nHost: x\r\n\r\n".to_owned(), "400"),
        ("GET /health HTTP/9.9\r\nHost: x\r\n\r\n".to_owned(), "400"),
        ("GET /health HTTP/1.1 \r\nHost: x\r\n\r\n".to_owned(), "400"),
        ("GET /health\r\nHost: x\r\n\r\n".to_owned(), "400"),
        ("GET\t/health HTTP/1.1\r\nHost: x\r\n\r\n".to_owned(), "400"),
        ("GET /he\u{1}alth HTTP/1.1\r\nHost: x\r\n\r\n".to_owned(), "400"),
        (post("Content-Length: 21, 21", BODY), "400"),
        (post("Content-Length: 21\r\nContent-Length: 21, 3", BODY), "400"),
        (post("Content-Length: 2 1", BODY), "400"),
        (post("Content-Length: 21;", BODY), "400"),
        (post("Content-Length: \u{b}21", BODY), "400"),
        (post("Content-Length:", BODY), "400"),
        (post("Content-Length\0: 21", BODY), "400"),
        (post("Transfer-Encoding: chunked;q=1", &chunked), "400"),
        (post("Transfer-Encoding: \u{b}chunked", &chunked), "400"),
        (post("Transfer-Encoding: \"chunked\"", &chunked), "400"),
        (post("Transfer-Encoding: chunked\r\nTransfer-Encoding: identity", &chunked), "400"),
        (post("Transfer-Encoding:\r\n chunked", &chunked), "400"),
        (post(&format!("{plain}\r\nTransfer-Encoding: chunked"), &chunked), "400"),
        (post(&format!("Transfer-Encoding: chunked\r\n{plain}"), &chunked), "400"),
        (post("Transfer-Encoding: chunked\r\nContent-Length: 6", "0\r\n\r\nX"), "400"),
        (post("Transfer-Encoding: chunked", "zz\r\n"), "400"),
        (post("Transfer-Encoding: chunked", "15;a\nb\r\n"), "400"),
        (post("Transfer-Encoding: chunked", "-15\r\n"), "400"),
        (post("Transfer-Encoding: chunked", "0x15\r\n"), "400"),
        (post("Transfer-Encoding: chunked", "ffffffffffffffff1\r\n"), "400"),
        (post("Transfer-Encoding: chunked", &format!("{:x}\r\n{BODY}0\r\n\r\n", BODY.len())), "400"),
        (post("Transfer-Encoding: chunked", &format!("{:x}\n{BODY}\r\n0\r\n\r\n", BODY.len())), "400"),
    ] {
        let mut raw = Raw::connect(server.public).await;
        raw.send(format!("{request}{second}").as_bytes()).await;
        let answers = raw.rest().await;
        assert!(answers.starts_with(&format!("HTTP/1.1 {status} ")), "{request:?}: {answers}");
        assert_eq!(answers.matches("HTTP/1.1 ").count(), 1, "{request:?}: {answers}");
    }
    assert_eq!(server.database.rows().await, rows);
}

#[tokio::test]
async fn a_body_that_breaks_off_is_a_bad_request() {
    let server = TestServer::start().await;
    let head = "POST /auth/signup HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n";
    for rest in ["Content-Length: 50\r\n\r\n{\"email\"", "Transfer-Encoding: chunked\r\n\r\n9\r\n{\"email\""]
    {
        let mut raw = Raw::connect(server.public).await;
        raw.send(format!("{head}{rest}").as_bytes()).await;
        raw.finish().await;
        let answer = raw.rest().await;
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 400 "), "{answer}");
    }
    assert_eq!(server.database.number("SELECT count(*) FROM users_auth").await, 0);
}

#[tokio::test]
async fn large_headers_are_refused() {
    let server = TestServer::start().await;
    let mut raw = Raw::connect(server.public).await;
    raw.send(format!("GET /health HTTP/1.1\r\nHost: x\r\nX: {}\r\n\r\n", "a".repeat(17 * 1024)).as_bytes())
        .await;
    let answer = raw.rest().await;
    assert!(answer.starts_with("HTTP/1.1 431 "), "{answer}");

    let mut raw = Raw::connect(server.public).await;
    let many = "X: y\r\n".repeat(200);
    raw.send(format!("GET /health HTTP/1.1\r\nHost: x\r\n{many}\r\n").as_bytes()).await;
    let answer = raw.rest().await;
    assert!(answer.starts_with("HTTP/1.1 431 "), "{answer}");
}

#[tokio::test]
async fn a_connection_is_kept_for_the_next_request() {
    let server = TestServer::start().await;
    let mut raw = Raw::connect(server.public).await;
    for _ in 0..3 {
        raw.send(b"GET /.well-known/jwks.json HTTP/1.1\r\nHost: x\r\n\r\n").await;
        let answer = raw.answer().await;
        assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    }
}

/// A client that sends head and body apart, as many do, gets its answer and keeps its connection.
#[tokio::test]
async fn what_a_refused_request_left_unread_does_not_end_the_connection() {
    let server = TestServer::start().await;
    for (request, length, status) in [
        ("POST /auth/login HTTP/1.1\r\nContent-Type: text/plain\r\n", 2, "415"),
        ("POST /auth/login HTTP/1.1\r\nContent-Type: application/json\r\n", 200_000, "413"),
        ("POST /auth/password HTTP/1.1\r\nContent-Type: application/json\r\n", 9, "401"),
        ("POST /nowhere HTTP/1.1\r\n", 9, "404"),
        ("DELETE /auth/me HTTP/1.1\r\n", 9, "405"),
    ] {
        let mut raw = Raw::connect(server.public).await;
        raw.send(format!("{request}Host: x\r\nContent-Length: {length}\r\n\r\n").as_bytes()).await;
        // So that a server that answers too early does.
        tokio::time::sleep(Duration::from_millis(30)).await;
        raw.send("x".repeat(length).as_bytes()).await;
        let answer = raw.answer().await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{answer}");
        raw.send(b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n").await;
        let answer = raw.answer().await;
        assert!(answer.starts_with("HTTP/1.1 200 "), "{request}: {answer}");
    }
}

#[tokio::test]
async fn a_body_that_waits_to_be_asked_for_is_read_and_the_connection_kept() {
    let server = TestServer::start().await;
    let mut raw = Raw::connect(server.public).await;
    for _ in 0..2 {
        let head = "POST /auth/refresh HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n";
        let length = BODY.len();
        raw.send(format!("{head}Expect: 100-continue\r\nContent-Length: {length}\r\n\r\n").as_bytes()).await;
        let asked = raw.answer().await;
        assert!(asked.starts_with("HTTP/1.1 100 "), "{asked}");
        raw.send(BODY.as_bytes()).await;
        let answer = raw.answer().await;
        assert!(answer.starts_with("HTTP/1.1 401 ") && !answer.contains("connection: close"), "{answer}");
    }
}

/// What would take too long is not waited for, and the answer says so.
#[tokio::test]
async fn a_body_that_does_not_come_ends_the_connection_after_the_answer() {
    let server = TestServer::start().await;
    for rest in [
        "Content-Length: 2000000\r\n\r\nx",
        "Content-Length: 9\r\nExpect: 100-continue\r\n\r\n",
        "Content-Length: 9\r\n\r\nx",
        "Transfer-Encoding: chunked\r\n\r\n9\r\nx",
        "Transfer-Encoding: chunked\r\n\r\nzz\r\n",
    ] {
        let mut raw = Raw::connect(server.public).await;
        let head = "POST /auth/login HTTP/1.1\r\nHost: x\r\nContent-Type: text/plain\r\n";
        raw.send(format!("{head}{rest}").as_bytes()).await;
        let answer = raw.rest().await;
        assert!(answer.starts_with("HTTP/1.1 415 "), "{rest:?}: {answer}");
        assert!(answer.contains("connection: close\r\n"), "{rest:?}: {answer}");
    }
}

/// Time stands still but for jumps to the next thing that anyone waits for.
#[tokio::test]
async fn half_open_connections_are_closed() {
    let server = TestServer::start().await;
    for sent in ["", "G", "GET /health HTTP/1.1\r\nHost: x\r\nX-Slow: ", "PRI * HTTP/2.0\r\n"] {
        let mut raw = Raw::connect(server.public).await;
        raw.send(sent.as_bytes()).await;
        tokio::time::pause();
        let started = tokio::time::Instant::now();
        raw.rest().await;
        let waited = started.elapsed();
        tokio::time::resume();
        assert!(waited <= Duration::from_secs(15), "{sent:?}: {waited:?}");
    }
}

/// A client that asks for a large page again and again and reads none of it, until its time is up.
#[tokio::test]
async fn answers_that_are_not_read_do_not_hold_a_connection() {
    const PAGE: &str = "/docs/swagger-ui-bundle.js";
    let server = TestServer::start().await;
    let whole = server.anonymous().get(PAGE).await.expect_status(200).body.len();
    let mut raw = Raw::connect(server.public).await;
    raw.send(format!("GET {PAGE} HTTP/1.1\r\nHost: x\r\n\r\n").repeat(20).as_bytes()).await;
    // Until the buffers of the system are full.
    tokio::time::sleep(Duration::from_millis(300)).await;
    tokio::time::pause();
    tokio::time::sleep(Duration::from_secs(16)).await;
    tokio::time::resume();
    let got = raw.rest_bytes().await.len();
    assert!((1..20 * whole).contains(&got), "{got} of 20 times {whole}");
}
