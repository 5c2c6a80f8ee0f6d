//! Ten times more than can be served (F15): what is served stays nearly as much.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::json;
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::support::{Actor, Answer, Kind, Setup, TestDatabase};

const MEASURED: Duration = Duration::from_secs(10);
/// Of the capacity, at ten times the load.
const GOODPUT: f64 = 0.8;
const TIMES: usize = 10;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes the whole machine for half a minute: `cargo xtask prove` runs it"]
async fn ten_times_the_logins_leave_as_many_that_succeed() {
    let database = TestDatabase::create().await;
    // A hash so dear, on one thread, that it alone is the limit: turning others away costs a build that is not optimised
    // much of a core, and the people who ask share the machine.
    let setup = Setup::on(&database)
        .env("KEYWARD_ARGON2_MEMORY_KIB", "65536")
        .env("KEYWARD_ARGON2_ITERATIONS", "3")
        .env("KEYWARD_ARGON2_THREADS", "1")
        .env("KEYWARD_ARGON2_QUEUE", "64")
        .env("KEYWARD_ARGON2_QUEUE_TIMEOUT", "2s");
    let server = setup.serve().await;
    let user = server.user().await;
    let login = |user: &mut Actor| {
        let body = json!({ "email": user.email, "password": user.password });
        user.request(reqwest::Method::POST, "/auth/login").json(&body)
    };
    // More than keep the thread busy.
    measure("logins", &vec![user; 8], login).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes the whole machine for half a minute: `cargo xtask prove` runs it"]
async fn ten_times_the_refreshes_leave_as_many_that_succeed() {
    if Kind::of_this_run() == Kind::Sqlite {
        return; // the goal is PostgreSQL's
    }
    let database = TestDatabase::create().await;
    let server = Setup::on(&database).serve().await;
    let mut users = Vec::new();
    for _ in 0..64 {
        users.push(server.user().await);
    }
    let refresh = |user: &mut Actor| {
        let body = json!({ "refresh_token": user.refresh_token });
        user.request(reqwest::Method::POST, "/auth/refresh").json(&body)
    };
    measure("refreshes", &users, refresh).await;
}

/// Lets these people ask without a pause, and then ten times as many.
async fn measure(
    what: &str,
    people: &[Actor],
    request: impl Fn(&mut Actor) -> reqwest::RequestBuilder + Clone + Send + 'static,
) {
    // Sessions of their own: one that is refreshed by many is another matter.
    let mut crowd = Vec::new();
    for person in people {
        for _ in 0..TIMES {
            crowd.push(person.on_another_device().await);
        }
    }
    let capacity = per_second(people.to_vec(), request.clone()).await;
    let goodput = per_second(crowd, request).await;
    println!("{what}: {capacity:.1}/s with {}, {goodput:.1}/s with ten times as many", people.len());
    assert!(goodput >= GOODPUT * capacity, "{goodput} of {capacity} {what}/s");
}

/// Successes in a second.
async fn per_second(
    people: Vec<Actor>,
    request: impl Fn(&mut Actor) -> reqwest::RequestBuilder + Clone + Send + 'static,
) -> f64 {
    let (over, served) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let mut asking = JoinSet::new();
    for mut person in people {
        let (over, served, request) = (Arc::clone(&over), Arc::clone(&served), request.clone());
        asking.spawn(async move {
            while !over.load(Ordering::Relaxed) {
                let answer = Answer::of(request(&mut person)).await;
                if answer.status == 200 {
                    served.fetch_add(1, Ordering::Relaxed);
                    person.refresh_token = answer.text("refresh_token");
                } else {
                    let wait = answer.header("retry-after").parse::<u64>().expect("seconds");
                    let answer = answer.expect_status(503);
                    assert!(matches!(answer.text("code").as_str(), "overloaded" | "unavailable"));
                    // As it was asked to.
                    tokio::time::sleep(Duration::from_secs(wait)).await;
                }
            }
        });
    }
    // Until all are at it.
    tokio::time::sleep(Duration::from_secs(2)).await;
    let (begun, before) = (Instant::now(), served.load(Ordering::Relaxed));
    tokio::time::sleep(MEASURED).await;
    let many = served.load(Ordering::Relaxed) - before;
    let rate = f64::from(u32::try_from(many).expect("fewer")) / begun.elapsed().as_secs_f64();
    over.store(true, Ordering::Relaxed);
    asking.join_all().await;
    rate
}
