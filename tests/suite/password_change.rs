//! Changing one's own password: needs the current one, and ends every other session at once.

use std::time::Duration;

use reqwest::Method;
use serde_json::json;

use crate::lock::LOCK;
use crate::support::{Actor, Answer, PASSWORD, TestServer, rounds};

const NEW: &str = "another lake at dusk";

async fn change(actor: &Actor, current: &str, new: &str) -> Answer {
    let body = json!({ "current_password": current, "new_password": new });
    let request = actor.request(Method::POST, "/auth/password").bearer_auth(&actor.access_token);
    Answer::of(request.json(&body)).await
}

#[tokio::test]
async fn the_other_sessions_end_and_the_callers_goes_on() {
    let server = TestServer::start().await;
    let replica = server.replica().await;
    let mut user = server.user().await;
    let mut other = user.on_another_device().await;
    change(&user, PASSWORD, NEW).await.expect_status(204);

    other.me().await.expect_problem(401, "session_ended");
    other.at(replica.anonymous().base).me().await.expect_problem(401, "session_ended");
    other.refresh().await.expect_problem(401, "session_ended");
    user.me().await.expect_status(200);
    user.refresh().await.expect_status(200);
    user.me().await.expect_status(200);

    user.login_as(&user.email, PASSWORD).await.expect_problem(401, "invalid_credentials");
    user.login_as(&user.email, NEW).await.expect_status(200);
    let events = server.database.texts("SELECT type FROM outbox ORDER BY subject_seq").await;
    assert_eq!(events, ["auth.user_created", "auth.password_changed", "auth.session_revoked"]);
    server.database.check_invariants().await;
}

#[tokio::test]
async fn the_current_password_is_needed() {
    let server = TestServer::start().await;
    let user = server.user().await;
    let other = user.on_another_device().await;
    change(&user, "not the one it is", NEW).await.expect_problem(401, "invalid_credentials");
    server.anonymous().post("/auth/password", &json!({})).await.expect_problem(401, "missing_token");
    other.me().await.expect_status(200);
    user.login_as(&user.email, PASSWORD).await.expect_status(200);
    let audit = "SELECT count(*) FROM audit_log WHERE event = 'password_change_failed'";
    assert_eq!(server.database.number(audit).await, 1);
}

/// A hash that nobody can verify proves nothing: whoever stole a session must not set a password with it.
#[tokio::test]
async fn a_hash_that_cannot_be_used_lets_nobody_change_the_password() {
    let server = TestServer::start().await;
    let user = server.user().await;
    for unusable in ["", "plain text", "$argon2id$v=19$m=4194304,t=1,p=1$c2FsdHNhbHQ$aGFzaGhhc2hoYXNo"] {
        server.database.execute(format!("UPDATE users_auth SET password_hash = '{unusable}'")).await;
        for current in [PASSWORD, "", unusable] {
            change(&user, current, NEW).await.expect_problem(401, "invalid_credentials");
        }
        assert_eq!(server.database.texts("SELECT password_hash FROM users_auth").await, [unusable]);
    }
    user.me().await.expect_status(200);
    let audit = "SELECT count(*) FROM audit_log WHERE event = 'password_change_failed'";
    assert_eq!(server.database.number(audit).await, 9);
}

#[tokio::test]
async fn the_new_password_is_held_against_the_policy() {
    let server = TestServer::start().await;
    let user = server.user().await;
    let refused = change(&user, PASSWORD, "short").await.expect_problem(422, "invalid_request");
    assert_eq!(refused.json["errors"][0]["pointer"], "/new_password");
    let local = user.email.split('@').next().unwrap_or_default().to_owned();
    change(&user, PASSWORD, &local).await.expect_problem(422, "invalid_request");
    user.login_as(&user.email, PASSWORD).await.expect_status(200);
}

/// R6: whatever order they come in, a login with the old password gives nothing that outlives the change.
#[tokio::test]
async fn a_login_that_races_the_change_gives_nothing_that_works() {
    let server = TestServer::start().await;
    let replica = server.replica().await;
    for _ in 0..rounds(10, 2_500) {
        let user = server.user().await;
        let mut late: Vec<Actor> = (0..4).map(|_| user.at(replica.anonymous().base)).collect();
        let changing = change(&user, PASSWORD, NEW);
        let logins = async {
            let mut tasks = Vec::new();
            for mut actor in late.drain(..) {
                tasks.push(tokio::spawn(async move {
                    let answer = actor.login().await;
                    (actor, answer.status.as_u16())
                }));
            }
            let mut done = Vec::new();
            for task in tasks {
                done.push(task.await.unwrap());
            }
            done
        };
        let (changed, logins) = tokio::join!(changing, logins);
        changed.expect_status(204);
        for (mut actor, status) in logins {
            assert!(status == 200 || status == 401, "{status}");
            if status == 200 {
                actor.me().await.expect_problem(401, "session_ended");
                actor.refresh().await.expect_problem(401, "session_ended");
            }
        }
    }
    server.database.check_invariants().await;
}

/// A stolen session is no way around the account lock, and no way to keep the owner out.
#[tokio::test]
async fn wrong_current_passwords_lock_the_session_that_tries_them() {
    let server = TestServer::start_with(&LOCK).await;
    let thief = server.user().await;
    let mut owner = thief.on_another_device().await;
    for _ in 0..10 {
        change(&thief, "not the one it is", NEW).await.expect_problem(401, "invalid_credentials");
    }
    for current in [PASSWORD, "not the one it is"] {
        let locked = change(&thief, current, NEW).await.expect_problem(429, "account_locked");
        assert!((55..=60).contains(&locked.header("retry-after").parse::<u64>().expect("seconds")));
    }
    thief.me().await.expect_status(200);
    owner.login().await.expect_status(200);
    assert_eq!(server.app.refusals_record().await.expect("recorded"), 1);
    let locked = "SELECT count(*) FROM audit_log WHERE event = 'user_locked' AND detail LIKE '%session:%'";
    assert_eq!(server.database.number(locked).await, 1);
    let events = "SELECT count(*) FROM outbox WHERE type = 'auth.user_locked'";
    assert_eq!(server.database.number(events).await, 0, "the account is not locked");

    server.clock.advance(Duration::from_secs(60));
    change(&thief, "not the one it is", NEW).await.expect_problem(401, "invalid_credentials");
    change(&thief, PASSWORD, NEW).await.expect_problem(429, "account_locked");
    change(&owner, PASSWORD, NEW).await.expect_status(204);
    thief.me().await.expect_problem(401, "session_ended");
    server.database.check_invariants().await;
}

#[tokio::test]
async fn the_right_current_password_forgets_the_wrong_ones() {
    let server = TestServer::start_with(&LOCK).await;
    let user = server.user().await;
    for (current, new) in [(PASSWORD, NEW), (NEW, PASSWORD)] {
        for _ in 0..9 {
            change(&user, "not the one it is", new).await.expect_problem(401, "invalid_credentials");
        }
        change(&user, current, new).await.expect_status(204);
    }
    assert_eq!(server.database.number("SELECT count(*) FROM login_failures").await, 0);
}
