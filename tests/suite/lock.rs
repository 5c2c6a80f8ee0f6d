//! The account lock: how many wrong passwords are looked at, who is locked out, and who is not.

use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::support::{Actor, Answer, PASSWORD, TestServer, eventually, rounds, unique_email};

/// The lock as it is by default. The rate limits that come with it are out of the way.
pub const LOCK: [(&str, &str); 6] = [
    ("limits.enabled", "true"),
    ("limits.per_ip", "1000000/s"),
    ("limits.login_per_ip", "1000000/s"),
    ("limits.login_per_account_ip", "1000000/s"),
    ("limits.signup_per_ip", "1000000/s"),
    ("limits.refresh_per_session", "1000000/s"),
];
const WRONG: &str = "certainly not this one";

async fn start() -> TestServer {
    start_with(&[]).await
}

async fn start_with(more: &[(&str, &str)]) -> TestServer {
    TestServer::start_with(&[&LOCK, more].concat()).await
}

async fn fail(actor: &Actor, email: &str, times: usize) {
    for _ in 0..times {
        actor.login_as(email, WRONG).await.expect_problem(401, "invalid_credentials");
    }
}

/// How long the answer says to wait.
fn wait(locked: &Answer) -> Duration {
    Duration::from_secs(locked.header("retry-after").parse().expect("seconds"))
}

async fn expect_locked(actor: &Actor, email: &str, password: &str) -> Duration {
    wait(&actor.login_as(email, password).await.expect_problem(429, "account_locked"))
}

#[tokio::test]
async fn ten_failures_lock_and_locks_double() {
    let server = start().await;
    let user = server.user().await;
    fail(&user, &user.email, 10).await;
    for seconds in [60, 120, 240, 480, 900, 900] {
        let wait = expect_locked(&user, &user.email, PASSWORD).await;
        assert!((seconds - 5..=seconds).contains(&wait.as_secs()), "{wait:?} of {seconds}");
        server.clock.advance(wait);
        fail(&user, &user.email, 1).await;
    }
    server.clock.advance(expect_locked(&user, &user.email, WRONG).await);
    user.login_as(&user.email, PASSWORD).await.expect_status(200);
    // A success forgets what was before it.
    fail(&user, &user.email, 10).await;
    let wait = expect_locked(&user, &user.email, PASSWORD).await;
    assert!(wait <= Duration::from_secs(60), "{wait:?}");
}

#[tokio::test]
async fn a_quiet_window_forgets_what_was_before_it() {
    let server = start_with(&[("lock.failures", "3"), ("lock.window", "5m")]).await;
    let user = server.user().await;
    for _ in 0..3 {
        fail(&user, &user.email, 2).await;
        server.clock.advance(Duration::from_secs(5 * 60));
    }
    fail(&user, &user.email, 3).await;
    expect_locked(&user, &user.email, PASSWORD).await;
}

/// P10: a locked address answers alike whether it is somebody's or not, whatever the password.
#[tokio::test]
async fn a_locked_address_tells_nothing() {
    let server = start().await;
    let user = server.user().await;
    let disabled = server.user().await;
    let set = format!("UPDATE users_auth SET status = 'disabled' WHERE email = '{}'", disabled.email);
    server.database.execute(set).await;
    let nobody = unique_email();
    let mut answers = Vec::new();
    for email in [&user.email, &nobody, &disabled.email] {
        fail(&user, email, 10).await;
        for password in [PASSWORD, WRONG] {
            let request = user.request(Method::POST, "/auth/login").header("x-request-id", "the-same");
            let answer = Answer::of(request.json(&json!({ "email": email, "password": password }))).await;
            let mut answer = answer.expect_problem(429, "account_locked");
            assert!((55..=60).contains(&wait(&answer).as_secs()));
            answer.headers.remove("date");
            answer.headers.remove("retry-after");
            answers.push((answer.body, answer.headers));
        }
    }
    assert!(answers.iter().all(|answer| *answer == answers[0]), "{answers:?}");
}

/// B2 and B1: however many come at once, at whatever server, ten are looked at.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_parallel_failures_ten_are_looked_at_and_none_is_lost() {
    for round in 0..rounds(1, 50) {
        let server = start().await;
        let (replica, user) = (server.replica().await, server.user().await);
        let email = if round % 2 == 0 { user.email.clone() } else { unique_email() };
        let mut attempts = JoinSet::new();
        for n in 0..200 {
            let actor = if n % 2 == 0 { user.clone() } else { user.at(replica.url()) };
            let email = email.clone();
            attempts.spawn(async move { actor.login_as(&email, WRONG).await.status.as_u16() });
        }
        let statuses = attempts.join_all().await;
        let of = |status| statuses.iter().filter(|found| **found == status).count();
        let (looked_at, turned_away) = (of(401), of(503));
        assert_eq!(looked_at + turned_away + of(429), 200, "{statuses:?}");
        let database = &server.database;
        if turned_away > 0 && looked_at < 10 {
            // A machine that is too busy turns some away, which is no attempt; meanwhile they counted, and locked.
            assert!(database.number("SELECT in_a_row FROM login_failures").await <= 10);
            continue;
        }
        assert_eq!(looked_at, 10, "{statuses:?}");
        assert_eq!(database.number("SELECT in_a_row FROM login_failures").await, 10);
        let count = "SELECT count(*) FROM audit_log WHERE event = 'login_failed'";
        assert_eq!(database.number(count).await, 10);
        assert_eq!(database.number("SELECT count(*) FROM audit_log WHERE event = 'user_locked'").await, 1);
        let events = database.number("SELECT count(*) FROM outbox WHERE type = 'auth.user_locked'").await;
        assert_eq!(events, i64::from(round % 2 == 0), "of users alone");
        database.check_invariants().await;
    }
}

/// B1: the account counts, wherever the guesses come from.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn from_ever_so_many_addresses_ten_are_looked_at() {
    const CLIENTS: u32 = 32;
    let server =
        TestServer::start_with(&[("limits.enabled", "true"), ("trusted_proxies", "127.0.0.1")]).await;
    let user = server.user().await;
    let begun = Instant::now();
    let mut clients = JoinSet::new();
    for client in 0..CLIENTS {
        let user = user.clone();
        clients.spawn(async move {
            let mut statuses = Vec::new();
            for n in 0..rounds(320, 10_048) / CLIENTS {
                let [_, a, b, c] = (n * CLIENTS + client).to_be_bytes();
                let from = if n % 2 == 0 {
                    format!("11.{a}.{b}.{c}")
                } else {
                    format!("2001:db8:{a:x}{b:02x}:{c:x}::1")
                };
                let body = json!({ "email": user.email, "password": WRONG });
                let guess = user.request(Method::POST, "/auth/login").header("x-forwarded-for", from);
                statuses.push(Answer::of(guess.json(&body)).await.status.as_u16());
            }
            statuses
        });
    }
    let statuses = clients.join_all().await.concat();
    let looked_at = statuses.iter().filter(|status| **status == 401).count();
    assert!(statuses.iter().all(|status| [401, 429].contains(status)), "{statuses:?}");
    // The first lock lasts a minute, and lets one more through.
    let passed = usize::from(begun.elapsed() > Duration::from_secs(60));
    assert!((10..=10 + passed).contains(&looked_at), "{looked_at} of {}", statuses.len());
}

/// B1 over days: fifteen minutes at most between two attempts, and after a hundred of them an hour.
#[tokio::test]
async fn after_a_hundred_in_a_row_there_is_one_attempt_an_hour() {
    let server = start().await;
    let (user, mut admin) = (server.user().await, server.admin().await);
    let path = format!("/admin/users/{}/unlock", user.id().await);
    let device = user.login_as(&user.email, PASSWORD).await.text("device_token");
    assert_eq!(attack_for(&server, &user, Duration::from_secs(60 * 60)).await, 10 + 4 + 3);
    attack_for(&server, &user, Duration::from_secs(30 * 60 * 60)).await;
    assert!(server.database.number("SELECT in_a_row FROM login_failures").await >= 100);
    assert_eq!(attack_for(&server, &user, Duration::from_secs(10 * 60 * 60)).await, 10);
    expect_locked(&user, &user.email, PASSWORD).await;
    login_from(&user, &device, PASSWORD).await.expect_status(200);
    expect_locked(&user, &user.email, PASSWORD).await;

    admin.login().await.expect_status(200);
    admin.ask(Method::POST, &path).await.expect_status(204);
    user.login_as(&user.email, PASSWORD).await.expect_status(200);
    admin.ask(Method::POST, &path).await.expect_status(204);
    admin.ask(Method::POST, "/admin/users/nobody/unlock").await.expect_problem(404, "not_found");
    let audit = "SELECT count(*) FROM audit_log WHERE event = 'user_unlocked' AND actor_id IS NOT NULL";
    assert_eq!(server.database.number(audit).await, 2);
}

#[tokio::test]
async fn a_hard_stop_lasts_until_an_admin_unlocks() {
    let server = start_with(&[("lock.hard_stop", "true")]).await;
    let (user, mut admin) = (server.user().await, server.admin().await);
    let path = format!("/admin/users/{}/unlock", user.id().await);
    attack_for(&server, &user, Duration::from_secs(30 * 60 * 60)).await;
    assert_eq!(server.database.number("SELECT in_a_row FROM login_failures").await, 100);
    server.clock.advance(Duration::from_secs(400 * 24 * 60 * 60));
    server.app.maintain("a test").await.expect("it is quiet");
    let wait = expect_locked(&user, &user.email, PASSWORD).await;
    assert_eq!(wait, Duration::from_secs(60 * 60));
    admin.login().await.expect_status(200);
    admin.ask(Method::POST, &path).await.expect_status(204);
    user.login_as(&user.email, PASSWORD).await.expect_status(200);
}

/// Tries a wrong password whenever it is let, for so long; returns how many were looked at.
async fn attack_for(server: &TestServer, user: &Actor, time: Duration) -> usize {
    let (mut left, mut evaluated) = (time, 0);
    loop {
        let answer = user.login_as(&user.email, WRONG).await;
        if answer.status == 401 {
            evaluated += 1;
            continue;
        }
        let wait = wait(&answer.expect_problem(429, "account_locked"));
        if wait > left {
            server.clock.advance(left);
            return evaluated;
        }
        server.clock.advance(wait);
        left -= wait;
    }
}

async fn login_from(actor: &Actor, device: &str, password: &str) -> Answer {
    let body = json!({ "email": actor.email, "password": password, "device_token": device });
    actor.post("/auth/login", &body).await
}

/// B3: the owner at a known device is not held up by whoever tries passwords.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_known_device_logs_in_under_continuous_attack() {
    let server = start().await;
    let user = server.user().await;
    let mut device = user.login_as(&user.email, PASSWORD).await.expect_status(200).text("device_token");
    let (stop, stopped) = tokio::sync::watch::channel(false);
    let mut attackers = JoinSet::new();
    for _ in 0..8 {
        let (attacker, email, stopped) = (server.anonymous(), user.email.clone(), stopped.clone());
        attackers.spawn(async move {
            let mut refused = 0;
            while !*stopped.borrow() {
                refused += u32::from(attacker.login_as(&email, WRONG).await.status == 429);
            }
            refused
        });
    }
    eventually("it is locked", async || user.login_as(&user.email, WRONG).await.status == 429).await;
    for n in 0..rounds(50, 2_000) {
        // Mistyped now and then, too.
        if n % 5 == 4 {
            login_from(&user, &device, WRONG).await.expect_problem(401, "invalid_credentials");
        }
        device = login_from(&user, &device, PASSWORD).await.expect_status(200).text("device_token");
        expect_locked(&user, &user.email, PASSWORD).await;
    }
    stop.send(true).expect("attackers listen");
    assert!(attackers.join_all().await.iter().sum::<u32>() > 0);
}

/// B4: one counter whatever the spelling.
#[tokio::test]
async fn every_spelling_counts_as_one() {
    let server = start().await;
    let stranger = server.anonymous();
    let (jose, domain) = ("jos\u{e9}.spelled", "b\u{fc}cher.example");
    let spellings = [
        format!("{jose}@{domain}"),
        format!("JOS\u{c9}.Spelled@{domain}"),
        format!("jose\u{301}.spelled@{domain}"),
        format!(" {jose}@{domain}\t"),
        format!("{jose}@B\u{dc}CHER.Example"),
        format!("{jose}@xn--bcher-kva.example"),
        format!("{jose}@XN--BCHER-KVA.EXAMPLE"),
        format!("{jose}@bu\u{308}cher.example"),
    ];
    for n in 0..10 {
        fail(&stranger, &spellings[n % spellings.len()], 1).await;
    }
    for spelling in &spellings {
        expect_locked(&stranger, spelling, WRONG).await;
    }
    assert_eq!(server.database.number("SELECT count(*) FROM login_failures").await, 1);
    assert_eq!(
        server.database.number("SELECT count(*) FROM login_failures WHERE identifier LIKE '%@%'").await,
        0,
        "and no address is kept"
    );
    stranger.login_as("jose.spelled@b\u{fc}cher.example", WRONG).await.expect_status(401);
}

#[tokio::test]
async fn what_nobody_looked_at_is_given_back() {
    let slow = [
        ("argon2.memory_kib", "8192"),
        ("argon2.iterations", "2"),
        ("argon2.threads", "1"),
        ("argon2.queue", "8"),
        ("argon2.queue_timeout", "1ms"),
        ("lock.failures", "100"),
    ];
    let server = start_with(&slow).await;
    let stranger = server.anonymous();
    let email = unique_email();
    let (mut evaluated, mut overloaded) = (0, 0);
    while overloaded < 20 || evaluated < 3 {
        let all = (0..8).map(|_| stranger.login_as(&email, WRONG));
        for answer in futures_util::future::join_all(all).await {
            if answer.status == 503 {
                assert!(wait(&answer.expect_problem(503, "overloaded")) >= Duration::from_secs(1));
                overloaded += 1;
            } else {
                answer.expect_problem(401, "invalid_credentials");
                evaluated += 1;
            }
        }
        assert!(evaluated < 99, "nothing is overloaded here");
    }
    assert_eq!(server.database.number("SELECT failures FROM login_failures").await, evaluated);
    assert_eq!(server.database.number("SELECT in_a_row FROM login_failures").await, evaluated);
}

/// Hanging up hides nothing: what was looked at is charged and recorded, and locks.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_hangs_up_has_tried_all_the_same() {
    let slow = [("argon2.memory_kib", "16384"), ("argon2.iterations", "3"), ("argon2.threads", "1")];
    let server = start_with(&slow).await;
    let user = server.user().await;
    let charged = "SELECT coalesce(max(in_a_row), 0) FROM login_failures";
    let recorded = "SELECT count(*) FROM audit_log WHERE event = 'login_failed'";
    for n in 1..=10 {
        let (actor, email) = (user.clone(), user.email.clone());
        let attempt = tokio::spawn(async move { actor.login_as(&email, WRONG).await });
        eventually("it is charged", async || server.database.number(charged).await == n).await;
        attempt.abort();
        eventually("it is recorded or given back", async || {
            server.database.number(recorded).await == server.database.number(charged).await
        })
        .await;
        if server.database.number(charged).await < n {
            // Gone before its hash had begun. This one is looked at.
            user.login_as(&user.email, WRONG).await.expect_status(401);
        }
    }
    expect_locked(&user, &user.email, PASSWORD).await;
    let locked = "SELECT count(*) FROM outbox WHERE type = 'auth.user_locked'";
    assert_eq!(server.database.number(locked).await, 1);
}

#[tokio::test]
async fn attempts_that_a_lock_refuses_are_summed() {
    let server = start().await;
    let user = server.user().await;
    fail(&user, &user.email, 10).await;
    let nobody = unique_email();
    fail(&user, &nobody, 10).await;
    let before = server.database.rows().await;
    for _ in 0..30 {
        expect_locked(&user, &user.email, WRONG).await;
        expect_locked(&user, &nobody, WRONG).await;
    }
    assert_eq!(server.database.rows().await, before, "none of them writes anything");
    assert_eq!(server.app.refusals_record().await.expect("recorded"), 2);
    assert_eq!(server.app.refusals_record().await.expect("nothing new"), 0);
    let known = "SELECT detail FROM audit_log WHERE event = 'logins_refused' AND user_id IS NOT NULL";
    let all = "SELECT detail FROM audit_log WHERE event = 'logins_refused'";
    assert_eq!(server.database.texts(known).await.len(), 1);
    for detail in server.database.texts(all).await {
        let detail: Value = serde_json::from_str(&detail).expect("JSON");
        assert_eq!(detail["attempts"], 30);
        assert!(detail["first_at"].as_str() <= detail["last_at"].as_str());
    }
}

/// Z6: whoever signs up with an address begins anew, also with the address of a deleted user.
#[tokio::test]
async fn a_sign_up_begins_without_failures() {
    let server = start().await;
    let admin = server.admin().await;
    let mut user = server.anonymous();
    fail(&user, &user.email, 10).await;
    expect_locked(&user, &user.email, PASSWORD).await;
    user.signup().await.expect_status(201);
    user.login().await.expect_status(200);
    let old_device = user.login_as(&user.email, PASSWORD).await.text("device_token");
    fail(&user, &user.email, 10).await;
    admin.ask(Method::DELETE, &format!("/admin/users/{}", user.id().await)).await.expect_status(204);
    expect_locked(&user, &user.email, PASSWORD).await;
    user.signup().await.expect_status(201);
    user.login().await.expect_status(200);
    fail(&user, &user.email, 10).await;
    login_from(&user, &old_device, PASSWORD).await.expect_problem(429, "account_locked");
}

#[tokio::test]
async fn rows_that_are_over_are_removed() {
    let server = start().await;
    let user = server.user().await;
    fail(&user, &user.email, 10).await;
    fail(&user, &unique_email(), 9).await;
    let rows = "SELECT count(*) FROM login_failures";
    for (day, left) in [(0, 2), (1, 1), (28, 1), (2, 0)] {
        server.clock.advance(Duration::from_secs(day * 24 * 60 * 60 + 60));
        server.app.maintain("a test").await.expect("maintenance");
        assert_eq!(server.database.number(rows).await, left);
    }
}

#[tokio::test]
async fn without_limits_nothing_is_locked_or_counted() {
    let server = TestServer::start().await;
    let user = server.user().await;
    fail(&user, &user.email, 12).await;
    user.login_as(&user.email, PASSWORD).await.expect_status(200);
    assert_eq!(server.database.number("SELECT count(*) FROM login_failures").await, 0);
}

#[tokio::test]
async fn a_lock_is_told_to_other_services() {
    let server = start().await;
    let user = server.user().await;
    let id = user.id().await;
    fail(&user, &user.email, 10).await;
    fail(&user, &unique_email(), 10).await;
    let events = server.database.texts("SELECT data FROM outbox WHERE type = 'auth.user_locked'").await;
    assert_eq!(events.len(), 1);
    let data: Value = serde_json::from_str(&events[0]).expect("JSON");
    assert_eq!((&data["user_id"], &data["failures"]), (&json!(id), &json!(10)));
    assert!(data["locked_until"].as_str().is_some_and(|end| end.ends_with('Z')), "{data}");
    let audit = "SELECT detail FROM audit_log WHERE event = 'user_locked' ORDER BY id";
    let records = server.database.texts(audit).await;
    assert_eq!(records.len(), 2, "of an address that is nobody's, too");
    assert!(!records.concat().contains('@'));
    assert_eq!(
        server
            .database
            .number("SELECT count(*) FROM audit_log WHERE event = 'user_locked' AND user_id IS NULL")
            .await,
        1
    );
    server.database.check_invariants().await;
}
