//! What comes out on standard output: one JSON object a line, whatever strangers send.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use serde_json::{Value, json};

use crate::support::{Answer, SOON, Server, Setup, TestDatabase, until};

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
        for header in [
            "User-Agent",
            "X-Request-Id",
            "Authorization",
            "X-Forwarded-For",
            "Host",
            "Traceparent",
            "Origin",
        ] {
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
    // What gets as far as the audit log.
    let body = json!({ "email": user.email, "password": "not the right one" });
    for agent in [&b"one line\xc2\x85{\"message\":\"forged\"}"[..], b"agent\",\"message\":\"forged\t{}"] {
        let agent = reqwest::header::HeaderValue::from_bytes(agent).unwrap();
        let login =
            user.request(reqwest::Method::POST, "/auth/login").header("user-agent", agent).json(&body);
        Answer::of(login).await.expect_status(401);
    }
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
    let audited = |line: &&str| line.contains("\"keyward::audit\"") && line.contains("login_failed");
    assert!(stdout.lines().any(|line| audited(&line)), "records are among the lines");
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
    for (member, value) in [
        ("level", json!("INFO")),
        ("method", json!("GET")),
        ("route", json!("/auth/me")),
        ("status", json!(401)),
        ("code", json!("invalid_token")),
        ("client", json!("127.0.0.1")),
        ("bytes", json!(answer.body.len())),
    ] {
        assert_eq!(line[member], value, "{member} of {line}");
    }
    assert!(line["ms"].is_f64());
    for absent in ["trace_id", "user_id", "session_id", "cause", "email", "email_hash"] {
        assert!(line.get(absent).is_none(), "{absent} in {line}");
    }
    // The route is logged, not the path: what is in a path or a query may be a secret.
    server.anonymous().get("/nothing/kwr_here?access_token=kwr_there").await.expect_status(404);
    server.anonymous().get("/auth/me?access_token=kwr_there").await.expect_status(401);
    assert!(!server.process.stdout().contains("kwr_"));
}

#[tokio::test]
async fn a_line_tells_who_it_was_and_no_address_in_clear() {
    let database = TestDatabase::create().await;
    let setup = Setup::on(&database).env("KEYWARD_LOG_LEVEL", "trace").env("KEYWARD_LOG_FORMAT", "json");
    let mut server = setup.serve().await;
    let mut user = server.user().await;
    user.refresh().await.expect_status(200);
    let me = user.me().await.expect_status(200);
    let spelt = user.email.to_uppercase();
    user.login_as(&spelt, "not the right one").await.expect_status(401);
    until("an event", async || (!server.process.envelopes().is_empty()).then_some(())).await;
    assert_eq!(server.stop().await, 0);

    let lines = requests(&server);
    let on = |route: &str| lines.iter().filter(move |line| line["route"] == route).collect::<Vec<_>>();
    for line in [on("/auth/login")[0], on("/auth/refresh")[0], on("/auth/me")[0]] {
        assert_eq!((&line["user_id"], &line["session_id"]), (&me.json["id"], &me.json["session_id"]));
    }
    let (signup, refused) = (on("/auth/signup")[0], on("/auth/login")[1]);
    assert_eq!(signup["user_id"], me.json["id"]);
    assert!(refused.get("user_id").is_none(), "that would tell that there is one: {refused}");
    assert_eq!(signup["email_hash"].as_str().unwrap().len(), 43);
    assert_eq!(signup["email_hash"], refused["email_hash"], "equal addresses can be told to be equal");
    // The audit record of the same attempt has the same.
    let detail = database.texts("SELECT detail FROM audit_log WHERE event = 'login_failed'").await;
    assert!(detail[0].contains(refused["email_hash"].as_str().unwrap()), "{detail:?}");

    let local = user.email.split('@').next().unwrap();
    let said = server.process.said().to_lowercase();
    assert!(!said.contains(local), "{said}");
    let created = created(&server);
    let address = created["data"]["email"].as_str().unwrap();
    assert_eq!(address, format!("{}@redacted.invalid", signup["email_hash"].as_str().unwrap()));
}

#[tokio::test]
async fn addresses_are_shown_to_those_who_ask_for_it() {
    let database = TestDatabase::create().await;
    let mut server = Setup::on(&database).env("KEYWARD_LOG_EMAILS", "true").serve().await;
    let user = server.user().await;
    until("an event", async || (!server.process.envelopes().is_empty()).then_some(())).await;
    assert_eq!(server.stop().await, 0);
    let line = requests(&server).into_iter().find(|line| line["route"] == "/auth/signup").unwrap();
    assert_eq!((&line["email"], line.get("email_hash")), (&json!(user.email), None));
    assert_eq!(created(&server)["data"]["email"], user.email);
}

#[tokio::test]
async fn the_level_says_who_must_act_and_the_line_says_why() {
    let database = TestDatabase::create().await;
    let mut server = Setup::on(&database).serve().await;
    server.anonymous().me_with("junk").await.expect_status(401);
    database.execute("ALTER TABLE users_auth RENAME TO users_auth_away").await;
    server.anonymous().login().await.expect_status(500);
    assert_eq!(server.stop().await, 0);
    let lines = requests(&server);
    assert_eq!((&lines[0]["level"], &lines[0]["code"]), (&json!("INFO"), &json!("invalid_token")));
    assert_eq!((&lines[1]["level"], &lines[1]["code"]), (&json!("ERROR"), &json!("internal_error")));
    assert!(lines[1]["cause"].as_str().unwrap().contains("users_auth"), "{}", lines[1]);
}

#[tokio::test]
async fn a_client_that_goes_away_is_told_too() {
    let database = TestDatabase::create().await;
    let server = Setup::on(&database).serve().await;
    let mut stream = TcpStream::connect(server.public).unwrap();
    let head = "POST /auth/login HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\nContent-Length: 99\r\n\r\n{";
    stream.write_all(head.as_bytes()).unwrap();
    until("the request", async || {
        let metrics = server.operator().get("/metrics").await.expect_status(200).body;
        String::from_utf8(metrics).unwrap().contains("keyward_http_requests_in_flight 1").then_some(())
    })
    .await;
    drop(stream);
    let line =
        until("its line", async || requests(&server).into_iter().find(|line| line["route"] == "/auth/login"))
            .await;
    assert!(line["status"] == 499 || line["status"] == 400, "{line}");
    until("nothing in flight", async || {
        let metrics = server.operator().get("/metrics").await.expect_status(200).body;
        String::from_utf8(metrics).unwrap().contains("keyward_http_requests_in_flight 0").then_some(())
    })
    .await;
}

/// The event of the first sign-up.
fn created(server: &Server) -> Value {
    let events = server.process.envelopes().into_iter();
    { events }.find(|event| event["type"] == "auth.user_created").expect("somebody signed up")
}

/// The lines of requests, in their order.
fn requests(server: &Server) -> Vec<Value> {
    let stdout = server.process.stdout();
    let lines = stdout.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    lines.filter(|line| line["message"] == "request" && line["route"] != "/health").collect()
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
