//! How many sessions one user may have (`max_sessions_per_user`).

use std::time::Duration;

use keyward::clock::Clock;
use serde_json::{Value, json};

use crate::support::{Actor, TestServer};

const LIVE: &str = "SELECT count(*) FROM refresh_tokens WHERE ended_at IS NULL";
const EVENTS: &str = "SELECT data FROM outbox WHERE type = 'auth.session_revoked' ORDER BY subject_seq";
const LIMIT_OF_TWO: [(&str, &str); 1] = [("max_sessions_per_user", "2")];

async fn expect_over(user: &Actor) {
    user.me().await.expect_problem(401, "session_ended");
    user.present(&user.refresh_token).await.expect_problem(401, "session_ended");
}

async fn session_id(user: &Actor) -> String {
    user.me().await.expect_status(200).text("session_id")
}

#[tokio::test]
async fn a_login_beyond_the_limit_ends_the_session_that_was_used_longest_ago() {
    let server = TestServer::start_with(&LIMIT_OF_TWO).await;
    let stranger = server.user().await;
    let mut first = server.user().await;
    let second = first.on_another_device().await;
    let (first_id, second_id) = (session_id(&first).await, session_id(&second).await);
    server.clock.advance(Duration::from_secs(1));
    first.refresh().await.expect_status(200);

    let third = first.on_another_device().await;
    expect_over(&second).await;
    first.me().await.expect_status(200);
    third.me().await.expect_status(200);

    let fourth = first.on_another_device().await;
    expect_over(&first).await;
    third.me().await.expect_status(200);
    fourth.me().await.expect_status(200);
    stranger.me().await.expect_status(200);

    let events: Vec<Value> =
        server.database.texts(EVENTS).await.iter().map(|data| serde_json::from_str(data).unwrap()).collect();
    for (event, ended) in events.iter().zip([&second_id, &first_id]) {
        assert_eq!(event["session_ids"], json!([ended]));
        assert_eq!(event["reason"], "session_limit");
    }
    assert_eq!(events.len(), 2);
    server.database.check_invariants().await;
}

#[tokio::test]
async fn sessions_that_ended_do_not_count() {
    let server = TestServer::start_with(&LIMIT_OF_TWO).await;
    let first = server.user().await;
    for _ in 0..3 {
        first.on_another_device().await.logout().await.expect_status(204);
    }
    first.me().await.expect_status(200);
    server.clock.advance(Duration::from_secs(31 * 24 * 60 * 60));
    // The first has expired; nobody need be told so a month later.
    let _second = first.on_another_device().await;
    let _third = first.on_another_device().await;
    assert_eq!(
        server
            .database
            .number("SELECT count(*) FROM refresh_tokens WHERE end_reason = 'session_limit'")
            .await,
        0
    );
}

#[tokio::test]
async fn a_login_is_never_the_one_that_goes_even_where_the_clock_lags() {
    let server = TestServer::start_with(&[("max_sessions_per_user", "1")]).await;
    let user = server.user().await;
    let lagging = TestServer::on(
        server.database.clone(),
        vec![("max_sessions_per_user".to_owned(), "1".to_owned())],
        Clock::shifted(),
    )
    .await;
    server.clock.advance(Duration::from_secs(5));
    let ahead = user.on_another_device().await;
    let behind = ahead.at(format!("http://{}", lagging.public)).on_another_device().await;
    behind.me().await.expect_status(200);
    expect_over(&ahead).await;
    assert_eq!(server.database.number(LIVE).await, 1);
}

#[tokio::test]
async fn logins_at_once_leave_no_more_than_the_limit() {
    let server = TestServer::start_with(&[("max_sessions_per_user", "3")]).await;
    let replica = server.replica().await;
    let user = server.user().await;
    let logins: Vec<_> = (0..16)
        .map(|n| {
            let at = if n % 2 == 0 { server.public } else { replica.public };
            let user = user.at(format!("http://{at}"));
            tokio::spawn(async move { user.on_another_device().await })
        })
        .collect();
    let mut alive = 0;
    let mut devices = vec![user];
    for login in logins {
        devices.push(login.await.unwrap());
    }
    for device in &devices {
        alive += i32::from(device.me().await.status == 200);
    }
    assert_eq!(alive, 3);
    assert_eq!(server.database.number(LIVE).await, 3);
    server.database.check_invariants().await;
}
