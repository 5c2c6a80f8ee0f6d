//! What comes out on standard output: one JSON object a line, whatever strangers send.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use serde_json::{Value, json};

use crate::support::{SOON, Server, Setup, TestDatabase, until};

/// Ends a line, colours a terminal, ends a line for some readers, turns text around.
const HOSTILE: &[&[u8]] = &[
    b"plain",
    b"tab\there",
    b"quote\" and \\ and {\"level\":\"ERROR\"}",
    b"\xe2\x80\xa8line separator\xe2\x80\xa9 \xc2\x85 next line",
    b"\xe2\x80\xae turned around \xef\xbb\xbf",
    b"\xff\xfe not UTF-8 \x80",
    b"ESC \x1b[31m and \x1b]0;title\x07",
    b"CR\rand NUL\0",
    b"%0d%0a{\"message\":\"forged\"}",
];

#[tokio::test]
async fn every_line_is_one_json_object_whatever_is_sent() {
    let database = TestDatabase::create().await;
    let setup = Setup::on(&database).env("KEYWARD_LOG_LEVEL", "trace").env("KEYWARD_LOG_FORMAT", "json");
    let mut server = setup.serve().await;
    let user = server.user().await;
    for text in HOSTILE {
        for header in ["User-Agent", "X-Request-Id", "Authorization", "X-Forwarded-For", "Host"] {
            send_raw(&server, &[b"GET /auth/me HTTP/1.1\r\n", header.as_bytes(), b": ", text]);
        }
        send_raw(&server, &[b"GET /", text, b" HTTP/1.1\r\nHost: x"]);
        let text = String::from_utf8_lossy(text);
        for (path, body) in [
            ("/auth/signup", json!({ "email": text, "password": text })),
            ("/auth/login", json!({ "email": format!("{text}\r\n\u{1b}[2J@example.com"), "password": text })),
            ("/auth/refresh", json!({ "refresh_token": text })),
            ("/auth/login", json!({ text.as_ref(): text })),
        ] {
            user.post(path, &body).await;
        }
    }
    let agent = b"one line\xc2\x85{\"message\":\"forged\"}";
    let body = json!({ "email": user.email, "password": "wrong" }).to_string();
    let length = body.len().to_string();
    send_raw(
        &server,
        &[
            b"POST /auth/login HTTP/1.1\r\nContent-Type: application/json\r\nUser-Agent: ",
            agent,
            b"\r\nContent-Length: ",
            length.as_bytes(),
            b"\r\n\r\n",
            body.as_bytes(),
        ],
    );
    assert_eq!(server.stop().await, 0);

    let stdout = server.process.stdout();
    assert!(stdout.ends_with('\n'));
    let mut requests = 0;
    for line in stdout.split('\n').filter(|line| !line.is_empty()) {
        let object: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line:?}"));
        assert!(object.is_object(), "{line:?}");
        assert_ne!(object["message"], "forged", "{line:?}");
        assert!(line.chars().all(|c| !c.is_control() && !"\u{2028}\u{2029}".contains(c)), "{line:?}");
        for member in ["timestamp", "level", "message", "target"] {
            assert!(object[member].is_string(), "no {member} in {line:?}");
        }
        requests += usize::from(object["message"] == "request");
    }
    assert!(requests >= HOSTILE.len() * 4, "{requests}");
    assert_eq!(server.process.stderr(), "");
}

#[tokio::test]
async fn one_line_tells_a_request_by_the_id_of_the_answer() {
    let database = TestDatabase::create().await;
    let server = Setup::on(&database).serve().await;
    let answer = server.anonymous().me_with("junk").await.expect_status(401);
    let id = answer.header("x-request-id").to_owned();
    let line = until("the line of the request", async || {
        let stdout = server.process.stdout();
        let line = stdout.lines().find(|line| line.contains(&id) && line.contains("\"request\""))?;
        serde_json::from_str::<Value>(line).ok()
    })
    .await;
    assert_eq!(
        (&line["method"], &line["route"], &line["status"]),
        (&json!("GET"), &json!("/auth/me"), &json!(401))
    );
    assert!(line["ms"].is_u64());
    // The route is logged, not the path: what is in a path or a query may be a secret.
    server.anonymous().get("/nothing/kwr_here?access_token=kwr_there").await.expect_status(404);
    server.anonymous().get("/auth/me?access_token=kwr_there").await.expect_status(401);
    assert!(!server.process.stdout().contains("kwr_"));
}

/// Writes bytes that no client library would send, and reads whatever comes back.
fn send_raw(server: &Server, parts: &[&[u8]]) {
    let mut stream = TcpStream::connect(server.public).unwrap();
    stream.set_read_timeout(Some(SOON)).unwrap();
    let mut request = parts.concat();
    if !request.windows(4).any(|four| four == b"\r\n\r\n") {
        request.extend_from_slice(b"\r\nConnection: close\r\n\r\n");
    }
    stream.write_all(&request).unwrap();
    let _ = stream.shutdown(std::net::Shutdown::Write);
    // A refused connection may be reset, which is an answer too.
    let _ = stream.read_to_end(&mut Vec::new());
}
