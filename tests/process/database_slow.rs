//! A database that is slow, or answers no more at all, while people go on (F6, F7).

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use reqwest::{Client, Method, RequestBuilder};
use serde_json::json;
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::support::{
    Actor, Answer, Crowd, Faults, Kind, Line, Server, Setup, TestDatabase, promised, proving, rounds, until,
};

const PEOPLE: usize = 8;
/// What is promised of every answer, whatever the database does.
const ANSWERED: Duration = Duration::from_secs(5);
const RECOVERED: Duration = Duration::from_secs(10);

/// F7.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slow_database_and_one_that_swallows_everything_make_nobody_wait_for_long() {
    let Some((database, line, server)) = behind_a_line().await else { return };
    let crowd = Crowd::at(&server, PEOPLE, Faults::Unavailable);
    crowd.works(100).await;
    let before = server.process.memory_kib("VmRSS");
    line.slow_by(Duration::from_millis(50));
    crowd.works(rounds(20, 200) as usize).await;
    for _ in 0..rounds(1, 5) {
        line.swallow();
        let gone = Instant::now();
        // Longer than the budget of a request, so that every connection is found out.
        let hole = Duration::from_secs(u64::from(rounds(6, 20)));
        while gone.elapsed() < hole {
            crowd.notices().await;
        }
        line.restore();
        let back = Instant::now();
        crowd.works(4 * PEOPLE).await;
        assert!(back.elapsed() <= promised(RECOVERED), "people work again after {:?}", back.elapsed());
        println!("people work again after {:?}", back.elapsed());
    }
    crowd.works(100).await;
    let after = server.process.memory_kib("VmRSS");
    let ledger = crowd.leaves().await;
    println!("{ledger}; {before} KiB resident before, {after} after");
    // Fifteen seconds is what a request would have without a budget.
    let answered = if proving() { ANSWERED } else { 2 * ANSWERED };
    assert!(ledger.slowest <= answered, "an answer took {:?}", ledger.slowest);
    assert!(after <= before * 3 / 2 + 8 * 1024, "{before} KiB before, {after} after");
    ledger.check(&server).await;
    database.check_invariants().await;
}

/// F6.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clients_that_hang_up_leave_nothing_half_done_and_get_nobody_elses_answer() {
    let Some((database, line, server)) = behind_a_line().await else { return };
    line.slow_by(Duration::from_millis(5));
    let done = Arc::new(AtomicUsize::new(0));
    let mut users = Vec::new();
    for _ in 0..PEOPLE {
        users.push(server.user().await);
    }
    let mut clients = JoinSet::new();
    for (n, user) in (0_u64..).zip(users) {
        // Over HTTP/2 the connection stays, and only a stream is reset.
        let http = Client::builder().no_proxy();
        let http = if n % 2 == 0 { http } else { http.http2_prior_knowledge() }.build().expect("a client");
        let mut user = Actor { http, ..user };
        // Fewer a person than the server lets one connection of HTTP/2 take back.
        let (done, wanted) = (Arc::clone(&done), rounds(300, 700) as usize);
        clients.spawn(async move {
            let mut patience = n;
            while done.fetch_add(1, Ordering::Relaxed) < wanted {
                // Anything from at once to longer than it takes, in an order that repeats.
                patience = (patience * 29 + 7) % 101;
                hang_up_after(Duration::from_millis(patience), &mut user).await;
            }
        });
    }
    while let Some(client) = clients.join_next().await {
        client.expect("every answer was for who asked");
    }
    line.restore();
    // What was begun for them is finished first.
    until("a sign-up in time", async || (server.anonymous().signup().await.status == 201).then_some(()))
        .await;
    // All connections, at once and again: none is in the middle of something.
    for _ in 0..4 {
        let users = (0..PEOPLE).map(|_| async { server.user().await.id().await });
        futures_util::future::join_all(users).await;
    }
    database.check_invariants().await;
}

/// Does something, and is gone before the answer more often than not.
async fn hang_up_after(patience: Duration, user: &mut Actor) {
    let unlucky = |request: RequestBuilder| async move {
        tokio::time::timeout(patience, Answer::of(request)).await.ok()
    };
    let credentials = json!({ "email": user.email, "password": user.password });
    let request = match patience.as_millis() % 4 {
        0 => user.request(Method::GET, "/auth/me").bearer_auth(&user.access_token),
        1 => {
            let body = json!({ "refresh_token": user.refresh_token });
            user.request(Method::POST, "/auth/refresh").json(&body)
        }
        2 => user.request(Method::POST, "/auth/login").json(&credentials),
        _ => {
            let stranger = Actor { http: user.http.clone(), ..Actor::new(user.base.clone()) };
            let body = json!({ "email": stranger.email, "password": stranger.password });
            if let Some(made) = unlucky(stranger.request(Method::POST, "/auth/signup").json(&body)).await {
                assert!(made.status == 503 || made.text("email") == stranger.email, "{}", made.json);
            }
            return;
        }
    };
    let Some(answer) = unlucky(request).await else { return };
    if answer.status == 503 {
        return; // all this work that nobody waits for is work
    }
    let answer = answer.expect_status(200);
    if answer.json.get("email").is_some() {
        assert_eq!(answer.text("email"), user.email, "somebody else's answer");
        return;
    }
    user.access_token = answer.text("access_token");
    user.refresh_token = answer.text("refresh_token");
    let me = user.me().await;
    assert!(me.status == 503 || me.text("email") == user.email, "somebody else's tokens: {}", me.json);
}

/// A server that reaches its PostgreSQL by a line of ours. The embedded database has none.
async fn behind_a_line() -> Option<(TestDatabase, Line, Server)> {
    if Kind::of_this_run() == Kind::Sqlite {
        return None;
    }
    let database = TestDatabase::create().await;
    let line = Line::to(&database.address()).await;
    let setup = Setup::on(&database)
        .env("KEYWARD_DATABASE_URL", database.url_through(line.address))
        .env("KEYWARD_TOKEN_REFRESH_GRACE", "60s");
    let server = setup.serve().await;
    Some((database, line, server))
}
