//! Admins against each other and against what users do meanwhile, on two replicas.

use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::support::{Actor, Answer, TestServer, eventually, rounds};

const ACTIVE_ADMINS: &str =
    "SELECT count(*) FROM users_auth WHERE status = 'active' AND roles LIKE '%admin%'";

/// A way to take an admin away.
async fn take_away(by: &Actor, id: &str, way: usize) -> Answer {
    let path = format!("/admin/users/{id}");
    match way % 3 {
        0 => by.tell(Method::PUT, &format!("{path}/roles"), &json!({ "roles": ["user"] })).await,
        1 => by.tell(Method::PATCH, &path, &json!({ "status": "disabled" })).await,
        _ => by.ask(Method::DELETE, &path).await,
    }
}

/// Z4: one of two who take away each other stays, whichever way they try.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_admins_who_take_away_each_other_leave_one() {
    let server = TestServer::start().await;
    let replica = server.replica().await;
    let mut first = server.admin().await;
    for round in 0..9 {
        let second = server.admin().await;
        let (first_id, second_id) = (first.id().await, second.id().await);
        let (here, there) = (first.clone(), second.at(replica.url()));
        let one = tokio::spawn(async move { take_away(&here, &second_id, round).await });
        let other = tokio::spawn(async move { take_away(&there, &first_id, round / 3).await });
        for answer in [one.await.unwrap(), other.await.unwrap()] {
            // The loser was the last one, or was no admin or not there any more when it asked.
            match (answer.status.as_u16(), answer.json["code"].as_str()) {
                (200 | 204, _)
                | (409, Some("last_admin"))
                | (403, Some("insufficient_role"))
                | (401, Some("session_ended")) => {}
                _ => panic!("round {round}: {} {}", answer.status, answer.json),
            }
        }
        assert_eq!(server.database.number(ACTIVE_ADMINS).await, 1, "round {round}");
        if first.ask(Method::GET, "/admin/users").await.status != 200 {
            first = second;
        }
        first.ask(Method::GET, "/admin/users").await.expect_status(200);
    }
    server.database.check_invariants().await;
}

/// Many at once, in a circle: nobody deadlocks, and somebody is left.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_circle_of_admins_leaves_one_without_a_deadlock() {
    let server = TestServer::start().await;
    let replica = server.replica().await;
    let mut admins = vec![];
    for _ in 0..6 {
        let admin = server.admin().await;
        admins.push((admin.id().await, admin));
    }
    let mut deeds = JoinSet::new();
    for (n, (_, admin)) in admins.iter().enumerate() {
        for (target, (id, _)) in admins.iter().enumerate().filter(|(target, _)| *target != n) {
            let base = if (n + target) % 2 == 0 { server.url() } else { replica.url() };
            let (admin, id) = (admin.at(base), id.clone());
            deeds.spawn(async move { take_away(&admin, &id, n + target).await.status.as_u16() });
        }
    }
    for status in deeds.join_all().await {
        assert!(matches!(status, 200 | 204 | 401 | 403 | 404 | 409), "{status}");
    }
    assert!(server.database.number(ACTIVE_ADMINS).await >= 1);
    server.database.check_invariants().await;
}

/// Who logs in right after everything was ended stays logged in, also where the server had not heard of it.
#[tokio::test]
async fn a_login_after_everything_was_ended_lasts() {
    let server = TestServer::start().await;
    let replica = server.replica().await;
    let mut user = server.user().await;
    for _ in 0..3 {
        let old = user.refresh_token.clone();
        replica.app.sessions_end_everywhere(&replica.operator()).await.unwrap();
        user.login().await.expect_status(200);
        eventually("the server follows", async || {
            user.present(&old).await.json["code"] == "invalid_refresh_token"
        })
        .await;
        user.refresh().await.expect_status(200);
        user.me().await.expect_status(200);
    }
}

/// R6: whatever a refresh or a login that races a disable gives, it is worth nothing once that is acked.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_an_admin_acted_nothing_of_a_racing_refresh_or_login_works() {
    // The admin's token lasts as long as thousands of rounds do.
    let server = TestServer::start_with(&[("token.access_ttl", "2h")]).await;
    let replica = server.replica().await;
    let admin = server.admin().await;
    let user = server.user().await;
    let id = user.id().await;
    let path = format!("/admin/users/{id}");
    for round in 0..u64::from(rounds(9, 5_000)) {
        let device = user.on_another_device().await;
        let mut racing = JoinSet::new();
        for n in 0..4 {
            let base = if n % 2 == 0 { server.url() } else { replica.url() };
            let (refreshing, mut logging_in) = (device.at(base.clone()), device.at(base));
            racing.spawn(async move { refreshing.present(&refreshing.refresh_token).await });
            if round % 3 == 0 {
                racing.spawn(async move { logging_in.login().await });
            }
        }
        tokio::time::sleep(Duration::from_micros(700 * (round % 9))).await;
        match round % 3 {
            0 => admin.tell(Method::PATCH, &path, &json!({ "status": "disabled" })).await.expect_status(200),
            1 => admin.ask(Method::DELETE, &format!("{path}/sessions")).await.expect_status(204),
            _ => {
                let same = json!({ "new_password": user.password });
                admin.tell(Method::POST, &format!("{path}/password"), &same).await.expect_status(204)
            }
        };
        device.at(replica.url()).me().await.expect_problem(401, "session_ended");
        for answer in racing.join_all().await {
            expect_useless(&device, &answer).await;
        }
        admin.tell(Method::PATCH, &path, &json!({ "status": "active" })).await.expect_status(200);
    }
    server.database.check_invariants().await;
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

/// A deletion and everything that a user may do at that moment: documented answers, and nothing is left.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_user_who_is_deleted_in_the_middle_of_everything_leaves_nothing() {
    let server = TestServer::start().await;
    let replica = server.replica().await;
    let admin = server.admin().await;
    for _ in 0..4 {
        let user = server.user().await;
        let id = user.id().await;
        let mut doing = JoinSet::new();
        for base in [server.url(), replica.url()] {
            let user = user.at(base);
            let (mut a, b, c, d) = (user.clone(), user.clone(), user.clone(), user);
            doing.spawn(async move { a.login().await });
            doing.spawn(async move { b.present(&b.refresh_token).await });
            doing.spawn(async move { c.logout_everywhere().await });
            doing.spawn(async move { d.ask(Method::GET, "/auth/sessions").await });
        }
        admin.ask(Method::DELETE, &format!("/admin/users/{id}")).await.expect_status(204);
        for answer in doing.join_all().await {
            assert!(matches!(answer.status.as_u16(), 200 | 204 | 401), "{} {}", answer.status, answer.json);
        }
        user.me().await.expect_problem(401, "session_ended");
    }
    let left = "SELECT count(*) FROM refresh_tokens WHERE user_id NOT IN (SELECT id FROM users_auth)";
    assert_eq!(server.database.number(left).await, 0);
    server.database.check_invariants().await;
}

/// `keyward sessions end --all`: every replica follows, and new logins work at once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ending_everything_reaches_every_replica() {
    let server = TestServer::start().await;
    let replica = server.replica().await;
    let (mut user, admin) = (server.user().await, server.admin().await);
    let operator = server.operator();
    let ended = server.app.sessions_end_everywhere(&operator).await.unwrap();
    assert_eq!(ended, 2);
    for base in [server.url(), replica.url()] {
        for someone in [&user, &admin] {
            someone.at(base.clone()).me().await.expect_problem(401, "session_ended");
        }
    }
    user.at(server.url()).present(&user.refresh_token).await.expect_problem(401, "invalid_refresh_token");
    // As it does every second.
    replica.app.keys_reload().await.unwrap();
    user.at(replica.url()).present(&user.refresh_token).await.expect_problem(401, "invalid_refresh_token");
    user.login().await.expect_status(200);
    user.at(replica.url()).me().await.expect_status(200);
    let refreshed = user.at(replica.url()).present(&user.refresh_token).await.expect_status(200);
    assert_ne!(refreshed.json["refresh_token"], Value::Null);
    server.database.check_invariants().await;
}

const SLOW: [(&str, &str); 3] =
    [("argon2.memory_kib", "16384"), ("argon2.iterations", "8"), ("argon2.threads", "2")];
const OVERTAKEN: &str =
    "SELECT count(*) FROM audit_log WHERE event = 'login_failed' AND detail LIKE '%account_changed%'";

/// How long a hash takes here, at least.
async fn hash_time(user: &mut Actor) -> Duration {
    let mut hash = Duration::MAX;
    for _ in 0..3 {
        let began = Instant::now();
        user.login().await.expect_status(200);
        hash = hash.min(began.elapsed());
    }
    hash
}

/// R6: a login with the old password that began before a reset and ends after it gives nothing that works.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_login_that_a_password_reset_overtook_gives_nothing_that_works() {
    let server = TestServer::start_with(&SLOW).await;
    let (admin, mut user) = (server.admin().await, server.user().await);
    let path = format!("/admin/users/{}/password", user.id().await);
    let hash = hash_time(&mut user).await;
    for round in 0_u32.. {
        assert!(round < 60, "no login was overtaken: nothing was shown");
        let new = format!("another lake at dusk {round}");
        let (resetting, path, body) = (admin.clone(), path.clone(), json!({ "new_password": new }));
        let reset = tokio::spawn(async move { resetting.tell(Method::POST, &path, &body).await });
        tokio::time::sleep(hash * (1 + round % 6) / 8).await;
        let answer = user.clone().login().await;
        reset.await.unwrap().expect_status(204);
        expect_useless(&user, &answer).await;
        user.password = new;
        if server.database.number(OVERTAKEN).await >= 2 {
            break;
        }
    }
    user.login().await.expect_status(200);
    server.database.check_invariants().await;
}

/// A login that is in the middle of its hash when an admin ends all sessions, or disables and enables
/// the user again, is one of those that end. One that comes later may have begun afterwards.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_login_under_way_is_ended_with_the_rest() {
    let server = TestServer::start_with(&SLOW).await;
    let (admin, mut user) = (server.admin().await, server.user().await);
    let path = format!("/admin/users/{}", user.id().await);
    let hash = hash_time(&mut user).await;
    for round in 0_u32.. {
        assert!(round < 60, "no login was overtaken: nothing was shown");
        let mut other = user.clone();
        let login = tokio::spawn(async move { (other.login().await, Instant::now()) });
        tokio::time::sleep(hash * (2 + round % 4) / 8).await;
        let sent = Instant::now();
        if round % 2 == 0 {
            admin.ask(Method::DELETE, &format!("{path}/sessions")).await.expect_status(204);
        } else {
            for status in ["disabled", "active"] {
                admin.tell(Method::PATCH, &path, &json!({ "status": status })).await.expect_status(200);
            }
        }
        let (answer, answered) = login.await.unwrap();
        if answered < sent + hash / 2 {
            expect_useless(&user, &answer).await;
        }
        if round > 1 && server.database.number(OVERTAKEN).await >= 2 {
            break;
        }
    }
    server.database.check_invariants().await;
}
