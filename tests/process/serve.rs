//! `keyward serve`: the first start of a stranger, and how it stops.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::{SOON, Setup, TestDatabase, until};

#[tokio::test]
async fn the_banner_says_where_everything_is_and_its_curl_lines_work() {
    let folder = tempfile::tempdir().unwrap();
    let setup = Setup::bare(folder.path());
    let mut server = setup.serve_with(&["--log-format", "text"]).await;
    let banner = server.process.stdout();
    for part in [
        format!("address     http://{}\n", server.public),
        format!("probes      http://{}/readyz\n", server.management),
        format!("API docs    http://{}/docs\n", server.public),
        "data        ./data/keyward.db\n".to_owned(),
    ] {
        assert!(banner.contains(&part), "{part:?} is not in {banner}");
    }
    assert!(!banner.contains('\u{1b}'), "no colours where nobody looks: {banner}");

    let lines = curl_lines(&banner);
    assert_eq!(lines.len(), 2, "{banner}");
    let (status, user) = curl(&setup, &lines[0]).await;
    assert_eq!((status, &user["email"]), (201, &json!("ada@example.com")));
    let (status, pair) = curl(&setup, &lines[1]).await;
    assert_eq!((status, &pair["token_type"]), (200, &json!("Bearer")));

    let bearer = format!("-H 'authorization: Bearer {}'", pair["access_token"].as_str().unwrap());
    let me = format!("curl -s {} {bearer}", server.url("/auth/me"));
    let (status, seen) = curl(&setup, &me).await;
    assert_eq!((status, &seen["id"]), (200, &user["id"]));
    let json = "-H 'content-type: application/json'";
    let body = format!("{{\"refresh_token\":{}}}", pair["refresh_token"]);
    let (status, next) =
        curl(&setup, &format!("curl -s {} {json} -d '{body}'", server.url("/auth/refresh"))).await;
    assert_eq!(status, 200);
    assert_ne!(next["refresh_token"], pair["refresh_token"]);
    let (status, _) = curl(&setup, &format!("curl -s -X POST {} {bearer}", server.url("/auth/logout"))).await;
    assert_eq!(status, 204);
    let (status, problem) = curl(&setup, &me).await;
    assert_eq!((status, &problem["code"]), (401, &json!("session_ended")));

    assert_eq!(server.stop().await, 0, "{}", server.process.said());
    assert!(folder.path().join("data/keyward.db").exists());
}

#[tokio::test]
async fn sigterm_drains_finishes_what_is_in_flight_and_exits_0() {
    let database = TestDatabase::create().await;
    let mut server = Setup::on(&database).serve().await;
    server.operator().get("/readyz").await.expect_status(200);
    let user = server.user().await;

    // The server has begun to read this request as soon as it asks for the body.
    let body = json!({ "email": user.email, "password": user.password }).to_string();
    let mut stream = TcpStream::connect(server.public).unwrap();
    stream.set_read_timeout(Some(SOON)).unwrap();
    let head = format!(
        "POST /auth/login HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nExpect: 100-continue\r\n\
         Content-Length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).unwrap();
    let mut answer = BufReader::new(stream.try_clone().unwrap()).lines();
    assert_eq!(answer.next().unwrap().unwrap(), "HTTP/1.1 100 Continue");

    let asked = tokio::time::Instant::now();
    server.process.signal("TERM");
    let operator = server.operator();
    let draining = until("a server that is draining", async || {
        let answer = operator.get("/readyz").await;
        (answer.json["draining"] == true).then_some(answer)
    })
    .await;
    assert_eq!(draining.expect_status(503).json["ready"], false);
    until("no new connections", async || TcpStream::connect(server.public).is_err().then_some(())).await;

    stream.write_all(body.as_bytes()).unwrap();
    assert_eq!(answer.nth(1).unwrap().unwrap(), "HTTP/1.1 200 OK");
    assert!(answer.any(|line| line.is_ok_and(|line| line.contains("refresh_token"))));
    assert_eq!(server.process.exit_code().await, 0, "{}", server.process.said());
    assert!(asked.elapsed() < Duration::from_secs(25));
    assert!(server.process.stdout().contains("\"stopped\""), "{}", server.process.said());
}

#[tokio::test]
async fn an_idle_server_stops_at_once_on_sigterm_and_on_sigint() {
    let database = TestDatabase::create().await;
    for signal in ["TERM", "INT"] {
        let mut server = Setup::on(&database).serve().await;
        let _kept_alive = server.user().await;
        let asked = tokio::time::Instant::now();
        server.process.signal(signal);
        assert_eq!(server.process.exit_code().await, 0, "{}", server.process.said());
        assert!(asked.elapsed() < Duration::from_secs(10), "{:?}", asked.elapsed());
    }
}

#[tokio::test]
async fn a_second_signal_cuts_the_wait_for_balancers_short() {
    let database = TestDatabase::create().await;
    let mut server = Setup::on(&database).serve().await;
    server.operator().get("/readyz").await.expect_status(200);
    let asked = tokio::time::Instant::now();
    server.process.signal("INT");
    until("the wait", async || server.process.stdout().contains("given time").then_some(())).await;
    server.process.signal("INT");
    assert_eq!(server.process.exit_code().await, 0, "{}", server.process.said());
    assert!(asked.elapsed() < Duration::from_secs(7), "{:?}", asked.elapsed());
}

#[tokio::test]
async fn sighup_reads_the_log_level_again_and_ends_nothing() {
    let database = TestDatabase::create().await;
    let setup = Setup::on(&database).file(".env", "KEYWARD_LOG_LEVEL=info\n");
    let mut server = setup.serve().await;
    let user = server.user().await;
    user.me_with("not.a.token").await.expect_status(401);
    assert!(!server.process.stdout().contains("\"DEBUG\""));

    let setup = setup.file(".env", "KEYWARD_LOG_LEVEL=debug\n");
    server.process.signal("HUP");
    until("the new log level", async || {
        server.process.stdout().contains("log level read again").then_some(())
    })
    .await;
    user.me_with("not.a.token").await.expect_status(401);
    until("a line of that level", async || server.process.stdout().contains("\"DEBUG\"").then_some(())).await;

    // Settings with a mistake change nothing.
    let _setup = setup.file(".env", "KEYWARD_LOG_LEVEL=loud\n");
    server.process.signal("HUP");
    until("a warning", async || server.process.stdout().contains("settings unchanged").then_some(())).await;
    user.me().await.expect_status(200);
    assert_eq!(server.stop().await, 0);
}

#[tokio::test]
async fn a_second_server_on_the_same_embedded_database_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let setup = Setup::embedded(folder.path());
    let mut server = setup.serve().await;
    setup.run(&["serve"]).await.expect_refusal(78, &["another keyward serves", "keyward.db", "fix:"]);
    server.user().await;
    // After a stop, and after a crash, its place is free.
    assert_eq!(server.stop().await, 0);
    let mut server = setup.serve().await;
    server.process.kill();
    setup.serve().await.user().await;
}

#[tokio::test]
async fn a_port_in_use_is_named() {
    let database = TestDatabase::create().await;
    let taken = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let holder = TcpListener::bind(taken).unwrap();
    let said = format!("cannot listen on {taken}");
    for name in ["KEYWARD_LISTEN", "KEYWARD_MANAGEMENT_LISTEN"] {
        let setup = Setup::on(&database).env(name, taken.to_string());
        setup.run(&[]).await.expect_refusal(78, &[&said, "in use", "fix:", "management_listen"]);
    }
    drop(holder);
}

/// The commands of the banner, each with its continuation lines.
fn curl_lines(banner: &str) -> Vec<String> {
    let joined = banner.replace("\\\n", "");
    joined.lines().map(str::trim).filter(|line| line.starts_with("curl ")).map(str::to_owned).collect()
}

/// Runs a line as it would be pasted, and returns status and body.
async fn curl(setup: &Setup, line: &str) -> (u16, Value) {
    let done = setup.shell(&format!("{line} -w '\\n%{{http_code}}'")).await.expect_code(0);
    let (body, status) = done.stdout.rsplit_once('\n').unwrap();
    (status.parse().unwrap(), serde_json::from_str(body).unwrap_or_default())
}
