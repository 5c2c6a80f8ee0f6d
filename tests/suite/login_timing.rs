//! P10: what is wrong with a login can be told neither from the bytes of the answer nor from its time.

use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::json;

use crate::lock::LOCK;
use crate::support::{Actor, Answer, PASSWORD, TestServer, rounds, unique_email};

const WRONG: &str = "certainly not this one";

/// Someone whose login is refused, and why.
struct Refused {
    why: &'static str,
    email: String,
    password: &'static str,
    times: Vec<Duration>,
}

/// Logins of all kinds in turn, so that whatever else the machine does meets all of them. In the
/// suite with little work, and only for the bytes; `cargo xtask prove` hashes as a real one does.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn refused_logins_answer_alike_and_take_the_same_time() {
    let rounds = rounds(20, 2_000);
    let proof = rounds > 20;
    let cost = if proof {
        [("argon2.memory_kib", "19456"), ("argon2.iterations", "2")]
    } else {
        [("argon2.memory_kib", "64"), ("argon2.iterations", "1")]
    };
    let server = TestServer::start_with(&[&LOCK[..], &cost].concat()).await;
    let mut refused = refused(&server).await;
    let visitor = server.anonymous();
    let mut expected = None;
    for round in 0..rounds as usize {
        for n in 0..refused.len() {
            // Each goes first as often as any other.
            let turn = (n + round) % refused.len();
            let login = &mut refused[turn];
            let began = Instant::now();
            let answer = attempt(&visitor, &login.email, login.password).await;
            login.times.push(began.elapsed());
            let answer = answer.expect_problem(401, "invalid_credentials").body;
            assert_eq!(&answer, expected.get_or_insert_with(|| answer.clone()), "{}", login.why);
        }
        // Each writes the same: a counter and a record.
        if round == 0 {
            let all = i64::try_from(refused.len()).expect("few");
            let count = "SELECT count(*) FROM login_failures WHERE in_a_row = 1";
            assert_eq!(server.database.number(count).await, all);
            let count = "SELECT count(*) FROM audit_log WHERE event = 'login_failed'";
            assert_eq!(server.database.number(count).await, all);
        }
        server.database.execute("DELETE FROM login_failures").await;
    }
    let medians: Vec<_> = refused.iter_mut().map(|login| (login.why, median(&mut login.times))).collect();
    println!("{medians:?}");
    let (least, most) = (medians.iter().map(|m| m.1).min(), medians.iter().map(|m| m.1).max());
    let (least, most) = (least.expect("some"), most.expect("some"));
    if proof {
        let close = most <= least + Duration::from_millis(2) && most <= least * 105 / 100;
        assert!(close, "{medians:?}");
    }
}

async fn refused(server: &TestServer) -> Vec<Refused> {
    let (known, disabled, weak) = (server.user().await, server.user().await, server.user().await);
    let set = format!("UPDATE users_auth SET status = 'disabled' WHERE email = '{}'", disabled.email);
    server.database.execute(set).await;
    // A hash of earlier, cheaper settings: it costs as much as one of today's.
    let cheap = "$argon2id$v=19$m=8,t=1,p=1$c29tZSBzYWx0IG9mIDE2$qmZ0cVVLcGE1bGw5ZWZ2YzZkMWpsOGFiY2RlZmdoaWo";
    server
        .database
        .execute(format!("UPDATE users_auth SET password_hash = '{cheap}' WHERE email = '{}'", weak.email))
        .await;
    let refused =
        |why, email: &str, password| Refused { why, email: email.to_owned(), password, times: vec![] };
    vec![
        refused("unknown address", &unique_email(), PASSWORD),
        refused("wrong password", &known.email, WRONG),
        refused("disabled", &disabled.email, PASSWORD),
        refused("wrong password of a weaker hash", &weak.email, WRONG),
    ]
}

async fn attempt(visitor: &Actor, email: &str, password: &str) -> Answer {
    let request = visitor.request(Method::POST, "/auth/login").header("x-request-id", "the-same");
    Answer::of(request.json(&json!({ "email": email, "password": password }))).await
}

fn median(times: &mut [Duration]) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}
