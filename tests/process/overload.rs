//! More logins than the machine can hash, at the parameters of a real installation (P5).

use std::time::Duration;

use reqwest::Method;
use serde_json::json;
use tokio::task::JoinSet;

use crate::support::{Actor, Answer, PASSWORD, Setup, TestDatabase, unique_email};

const LOGINS: u64 = 500;
const THREADS: u64 = 2;
const MEMORY_KIB: u64 = 19_456;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn memory_stays_bounded_when_too_many_log_in_and_half_of_them_hang_up() {
    let database = TestDatabase::create().await;
    let setup = Setup::on(&database)
        .env("KEYWARD_ARGON2_MEMORY_KIB", MEMORY_KIB.to_string())
        .env("KEYWARD_ARGON2_ITERATIONS", "2")
        .env("KEYWARD_ARGON2_THREADS", THREADS.to_string())
        .env("KEYWARD_ARGON2_QUEUE", "64")
        .env("KEYWARD_ARGON2_QUEUE_TIMEOUT", "2s");
    let server = setup.serve().await;
    // So many connections cost something by themselves, whatever they are for.
    let visitor = server.anonymous();
    let mut visits = JoinSet::new();
    for _ in 0..LOGINS {
        visits.spawn(Answer::of(visitor.request(Method::GET, "/health")));
    }
    visits.join_all().await;
    let idle = server.process.memory_kib("VmRSS");

    let mut user = server.user().await;
    let mut patient = JoinSet::new();
    for n in 0..LOGINS {
        let attempt = attempt(&user);
        if n % 2 == 0 {
            patient.spawn(attempt);
        } else {
            let hangs_up_after = Duration::from_millis(n * 7 % 1_500);
            tokio::spawn(async move { tokio::time::timeout(hangs_up_after, attempt).await });
        }
    }
    let (mut looked_at, mut overloaded) = (0, 0);
    for answer in patient.join_all().await {
        if answer.status == 503 {
            assert!(answer.header("retry-after").parse::<u64>().is_ok_and(|seconds| seconds >= 1));
            answer.expect_problem(503, "overloaded");
            overloaded += 1;
        } else {
            answer.expect_problem(401, "invalid_credentials");
            looked_at += 1;
        }
    }
    assert!(overloaded > 0 && looked_at > 0, "{looked_at} looked at, {overloaded} turned away");
    let peak = server.process.memory_kib("VmHWM");
    let limit = (idle + THREADS * MEMORY_KIB) * 6 / 5;
    println!("idle {idle} KiB, peak {peak} KiB of {limit}; {looked_at} looked at, {overloaded} turned away");
    assert!(peak <= limit, "{peak} KiB at most, and {limit} are allowed: idle it was {idle}");
    // Nothing of it is left in the queue.
    user.login().await.expect_status(200);
}

fn attempt(user: &Actor) -> impl Future<Output = Answer> + Send + use<> {
    let body = json!({ "email": unique_email(), "password": format!("not {PASSWORD}") });
    Answer::of(user.request(Method::POST, "/auth/login").json(&body))
}
