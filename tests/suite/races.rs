//! Many at once, on several servers: whatever the interleaving, the answers fit together.

use std::time::{Duration, Instant};

use serde_json::Value;
use tokio::task::JoinSet;

use crate::support::{Actor, Answer, TestServer, rounds};

const CONNECTIONS: usize = 64;

/// The same person at three servers on one database, in turn.
struct Servers([TestServer; 3]);

impl Servers {
    async fn start(settings: &[(&str, &str)]) -> Self {
        let first = TestServer::start_with(settings).await;
        let (second, third) = (first.replica().await, first.replica().await);
        Self([first, second, third])
    }

    fn at(&self, n: usize, user: &Actor) -> Actor {
        user.at(format!("http://{}", self.0[n % 3].public))
    }
}

/// R1: nobody forks a session, and nobody is logged out for having asked at the same time.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_token_on_64_connections_has_one_successor() {
    let servers = Servers::start(&[]).await;
    let mut user = servers.0[0].user().await;
    let rounds = rounds(15, 1_000);
    for round in 1..=rounds {
        let mut presented = JoinSet::new();
        for n in 0..CONNECTIONS {
            let someone = servers.at(n, &user);
            presented.spawn(async move { someone.present(&someone.refresh_token).await });
        }
        let answers = presented.join_all().await;
        let successor = answers[0].text("refresh_token");
        for answer in answers {
            let answer = answer.expect_status(200);
            assert_eq!(answer.text("refresh_token"), successor, "round {round}: a fork");
        }
        user.refresh_token = successor;
    }
    let database = &servers.0[0].database;
    let rotations = database.number("SELECT generation FROM refresh_tokens").await;
    assert_eq!(rotations, i64::from(rounds), "each round is one rotation");
    user.refresh().await.expect_status(200);
    user.me().await.expect_status(200);
    database.check_invariants().await;
}

/// R2 at once: however many present a token that was used before, it is one reuse.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reuse_on_many_connections_is_recorded_once() {
    let servers = Servers::start(&[("token.refresh_grace", "0s")]).await;
    let mut user = servers.0[0].user().await;
    let stolen = user.refresh_token.clone();
    user.refresh().await.expect_status(200);
    let mut presented = JoinSet::new();
    for n in 0..24 {
        let thief = servers.at(n, &user);
        let stolen = stolen.clone();
        presented.spawn(async move { thief.present(&stolen).await.expect_status(401).text("code") });
    }
    let codes = presented.join_all().await;
    assert_eq!(codes.iter().filter(|code| *code == "refresh_token_reused").count(), 1);
    assert_eq!(codes.iter().filter(|code| *code == "session_ended").count(), 23);
    servers.0[0].database.check_invariants().await;
}

/// R5: a refresh that races a logout may win or lose, but what it gave is over with the rest.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_a_logout_is_acked_nothing_of_a_racing_refresh_works() {
    let servers = Servers::start(&[]).await;
    let person = servers.0[0].user().await;
    for round in 0..rounds(10, 10_000) as usize {
        let user = person.on_another_device().await;
        let mut refreshes = JoinSet::new();
        for n in 0..6 {
            let someone = servers.at(n, &user);
            refreshes.spawn(async move { someone.present(&someone.refresh_token).await });
        }
        let leaver = servers.at(round, &user);
        match round % 3 {
            0 => leaver.logout().await.expect_status(204),
            1 => leaver.logout_by(&user.refresh_token, "").await.expect_status(204),
            _ => leaver.logout_everywhere().await.expect_status(204),
        };
        // Before the others have their answers: the logout counts from here on.
        servers.at(round + 1, &user).me().await.expect_problem(401, "session_ended");
        for answer in refreshes.join_all().await {
            expect_useless(&servers.at(round + 2, &user), &answer).await;
        }
    }
    servers.0[0].database.check_invariants().await;
}

/// Two devices log everybody out at once: both are told so, and it does not deadlock.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everybody_may_log_everybody_out_at_once() {
    let servers = Servers::start(&[]).await;
    let person = servers.0[0].user().await;
    for _ in 0..4 {
        let mut devices = vec![];
        for n in 0..6 {
            devices.push(servers.at(n, &person.on_another_device().await));
        }
        let mut logouts = JoinSet::new();
        for device in devices.clone() {
            logouts.spawn(async move { device.logout_everywhere().await.expect_status(204) });
        }
        logouts.join_all().await;
        for device in &devices {
            device.me().await.expect_problem(401, "session_ended");
        }
    }
    let database = &servers.0[0].database;
    assert_eq!(database.number("SELECT session_epoch FROM users_auth").await, 4, "once a round");
    database.check_invariants().await;
}

/// R6: a login that was in the middle of its hash when everything was logged out gives nothing that works.
///
/// A login whose answer came sooner after the logout was sent than a hash takes had read its account
/// before the logout, so it must not work; one that came later may have begun afterwards. Rounds go on
/// until enough logins were seen to be overtaken.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_login_that_a_logout_of_everything_overtook_gives_nothing_that_works() {
    let slow = [("argon2.memory_kib", "8192"), ("argon2.iterations", "4"), ("argon2.threads", "1")];
    let servers = Servers::start(&slow).await;
    let mut user = servers.0[0].user().await;
    let mut hash = Duration::MAX;
    for _ in 0..3 {
        let began = Instant::now();
        user.login().await.expect_status(200);
        hash = hash.min(began.elapsed());
    }
    let surely_hashing = hash / 2;

    let (mut overtaken, mut round) = (0, 0_u32);
    while overtaken < 5 {
        round += 1;
        assert!(round < 80, "{overtaken} of {round} logins were overtaken: nothing was shown");
        user.login().await.expect_status(200);
        let other = servers.at(round as usize, &user);
        let login = tokio::spawn(async move {
            let mut other = other;
            let answer = other.login().await;
            (Instant::now(), answer)
        });
        tokio::time::sleep(hash * (round % 8) / 8).await;
        let sent = Instant::now();
        servers.at(round as usize + 1, &user).logout_everywhere().await.expect_status(204);
        user.me().await.expect_problem(401, "session_ended");
        let (answered, answer) = login.await.unwrap();
        if answer.status == 401 {
            assert_eq!(answer.json["code"], "invalid_credentials");
            overtaken += 1;
        } else if answered < sent + surely_hashing {
            expect_useless(&user, &answer).await;
        }
    }
    let database = &servers.0[0].database;
    let refused = database.texts("SELECT detail FROM audit_log WHERE event = 'login_failed'").await;
    assert_eq!(refused.len(), overtaken);
    for detail in refused {
        let detail: Value = serde_json::from_str(&detail).unwrap();
        assert_eq!(detail["reason"], "account_changed");
    }
    database.check_invariants().await;
}

/// What an answer gave, if it gave anything, is refused.
async fn expect_useless(user: &Actor, answer: &Answer) {
    if answer.status != 200 {
        assert_eq!(answer.status, 401, "{}", answer.json);
        return;
    }
    user.me_with(&answer.text("access_token")).await.expect_problem(401, "session_ended");
    user.present(&answer.text("refresh_token")).await.expect_problem(401, "session_ended");
}
