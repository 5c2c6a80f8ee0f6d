//! Rotation, grace, reuse and the limits of a session, by a clock that the test moves.

use std::time::Duration;

use reqwest::Method;
use serde_json::json;

use crate::support::{Actor, Answer, TestServer};

const SECOND: Duration = Duration::from_secs(1);
const GRACE: Duration = Duration::from_secs(30);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

const REUSE_RECORDS: &str = "SELECT count(*) FROM audit_log WHERE event = 'refresh_token_reused'";
const REUSE_EVENTS: &str = "SELECT count(*) FROM outbox WHERE type = 'auth.refresh_token_reused'";

#[tokio::test]
async fn reuse_after_the_grace_ends_the_session_with_one_record_and_one_event() {
    let server = TestServer::start().await;
    let mut user = server.user().await;
    let stolen = user.refresh_token.clone();
    let other_device = user.on_another_device().await;
    user.refresh().await.expect_status(200);
    user.me().await.expect_status(200);

    server.clock.advance(GRACE);
    user.present(&stolen).await.expect_problem(401, "refresh_token_reused");
    user.me().await.expect_problem(401, "session_ended");
    user.present(&user.refresh_token).await.expect_problem(401, "session_ended");
    user.present(&stolen).await.expect_problem(401, "session_ended");
    other_device.me().await.expect_status(200);

    let database = &server.database;
    assert_eq!(database.number(REUSE_RECORDS).await, 1);
    assert_eq!(database.number(REUSE_EVENTS).await, 1);
    let detail = database.texts("SELECT detail FROM audit_log WHERE event = 'refresh_token_reused'").await;
    let detail: serde_json::Value = serde_json::from_str(&detail[0]).unwrap();
    assert_eq!(detail, json!({ "presented_generation": 0, "current_generation": 1 }));
    database.check_invariants().await;
}

#[tokio::test]
async fn a_lost_answer_is_given_again_for_as_long_as_the_grace() {
    let server = TestServer::start().await;
    let mut user = server.user().await;
    let first = user.refresh_token.clone();
    let lost = user.present(&first).await.expect_status(200);
    for pause in [Duration::ZERO, 20 * SECOND, 9 * SECOND] {
        server.clock.advance(pause);
        let again = user.present(&first).await.expect_status(200);
        assert_eq!(
            again.text("refresh_token"),
            lost.text("refresh_token"),
            "the same successor, byte by byte"
        );
        user.me_with(&again.text("access_token")).await.expect_status(200);
    }
    // There is one successor, and it goes on as if nothing had been lost.
    user.refresh_token = lost.text("refresh_token");
    user.refresh().await.expect_status(200);
    user.me().await.expect_status(200);
    assert_eq!(server.database.number("SELECT generation FROM refresh_tokens").await, 2);
    assert_eq!(server.database.number(REUSE_RECORDS).await, 0);
}

#[tokio::test]
async fn a_repeated_answer_does_not_prolong_the_grace() {
    let server = TestServer::start_with(&[("token.refresh_grace", "10s")]).await;
    let mut user = server.user().await;
    let first = user.refresh_token.clone();
    user.refresh().await.expect_status(200);
    server.clock.advance(9 * SECOND);
    user.present(&first).await.expect_status(200);
    server.clock.advance(SECOND);
    user.present(&first).await.expect_problem(401, "refresh_token_reused");
    user.refresh().await.expect_problem(401, "session_ended");
}

#[tokio::test]
async fn without_a_grace_every_second_use_is_reuse() {
    let server = TestServer::start_with(&[("token.refresh_grace", "0s")]).await;
    let mut user = server.user().await;
    let first = user.refresh_token.clone();
    user.refresh().await.expect_status(200);
    user.present(&first).await.expect_problem(401, "refresh_token_reused");
    user.refresh().await.expect_problem(401, "session_ended");
}

#[tokio::test]
async fn after_twenty_rotations_at_once_every_older_token_is_refused() {
    let server = TestServer::start().await;
    let person = server.user().await;
    // Generations decide, not seconds: all this happens well within the grace.
    for older in [0, 1, 9, 18] {
        let mut user = person.on_another_device().await;
        let mut tokens = vec![user.refresh_token.clone()];
        for _ in 0..20 {
            user.refresh().await.expect_status(200);
            assert!(!tokens.contains(&user.refresh_token));
            tokens.push(user.refresh_token.clone());
        }
        user.present(&tokens[older]).await.expect_problem(401, "refresh_token_reused");
        user.me().await.expect_problem(401, "session_ended");
        user.refresh().await.expect_problem(401, "session_ended");
    }
    person.me().await.expect_status(200);
    server.database.check_invariants().await;
}

#[tokio::test]
async fn a_token_ahead_of_the_database_ends_the_session() {
    let server = TestServer::start().await;
    let mut user = server.user().await;
    user.refresh().await.expect_status(200);
    user.refresh().await.expect_status(200);
    // As after a backup was restored, or a fail-over that lost the last writes.
    server.database.execute("UPDATE refresh_tokens SET generation = 1").await;
    user.refresh().await.expect_problem(401, "session_ended");
    user.me().await.expect_problem(401, "session_ended");
    let database = &server.database;
    assert_eq!(
        database.number("SELECT count(*) FROM audit_log WHERE event = 'refresh_token_ahead'").await,
        1
    );
    assert_eq!(database.number("SELECT count(*) FROM outbox WHERE type = 'auth.session_revoked'").await, 1);
    assert_eq!(database.number(REUSE_RECORDS).await, 0);
}

#[tokio::test]
async fn a_session_that_idles_ends_on_the_second() {
    let server = TestServer::start().await;
    let mut user = server.anonymous();
    user.signup().await.expect_status(201);
    let pair = user.login().await.expect_status(200);
    assert_eq!(pair.json["refresh_expires_in"], 7 * 24 * 60 * 60);
    server.clock.advance((7 * DAY).saturating_sub(SECOND));
    let pair = user.refresh().await.expect_status(200);
    assert_eq!(pair.json["refresh_expires_in"], 7 * 24 * 60 * 60, "each use starts it anew");
    server.clock.advance(7 * DAY);
    user.refresh().await.expect_problem(401, "session_ended");
    user.logout_by(&user.refresh_token, "?all=true").await.expect_problem(401, "session_ended");
    user.login().await.expect_status(200);
    user.me().await.expect_status(200);
}

#[tokio::test]
async fn a_session_in_use_ends_at_its_absolute_limit_and_so_does_its_access_token() {
    let server = TestServer::start().await;
    let mut user = server.user().await;
    for _ in 0..5 {
        server.clock.advance(5 * DAY);
        user.refresh().await.expect_status(200);
    }
    // Thirty days, less a hundred seconds, less the little real time that the test has taken.
    server.clock.advance((5 * DAY).saturating_sub(100 * SECOND));
    let last = user.refresh().await.expect_status(200);
    let (access, refresh) = (seconds(&last, "expires_in"), seconds(&last, "refresh_expires_in"));
    assert!((90..=100).contains(&refresh), "{refresh}");
    assert!(access <= refresh && access + 1 >= refresh, "{access} s of {refresh} s");
    server.clock.advance(Duration::from_secs(access - 10));
    user.me().await.expect_status(200);
    server.clock.advance(11 * SECOND);
    user.me().await.expect_problem(401, "invalid_token");
    user.refresh().await.expect_problem(401, "session_ended");
}

#[tokio::test]
async fn an_access_token_ends_on_the_second_while_its_session_lives() {
    let server = TestServer::start_with(&[("token.access_ttl", "60s")]).await;
    let mut user = server.anonymous();
    user.signup().await.expect_status(201);
    assert_eq!(user.login().await.expect_status(200).json["expires_in"], 60);
    server.clock.advance(58 * SECOND);
    user.me().await.expect_status(200);
    server.clock.advance(2 * SECOND);
    user.me().await.expect_problem(401, "invalid_token");
    user.refresh().await.expect_status(200);
    user.me().await.expect_status(200);
}

/// R10: what a browser can be made to send by a link or a form does nothing.
#[tokio::test]
async fn a_refresh_is_a_post_with_the_token_in_a_json_body() {
    let server = TestServer::start().await;
    let mut user = server.user().await;
    let token = user.refresh_token.clone();
    let in_query = format!("/auth/refresh?refresh_token={token}");

    for method in [Method::GET, Method::PUT, Method::DELETE, Method::PATCH] {
        for path in ["/auth/refresh", &in_query] {
            let body = json!({ "refresh_token": token });
            let answer = Answer::of(user.request(method.clone(), path).json(&body)).await;
            assert_eq!(answer.header("allow"), "POST");
            answer.expect_problem(405, "method_not_allowed");
        }
    }
    let post = |path: &str| user.request(Method::POST, path);
    let json = "application/json";
    let form = "application/x-www-form-urlencoded";
    refused(post(&in_query), 415).await;
    refused(post(&in_query).header("content-type", json).body("{}"), 422).await;
    refused(post("/auth/refresh").bearer_auth(&token), 415).await;
    refused(post("/auth/refresh").header("cookie", format!("refresh_token={token}")), 415).await;
    refused(
        post("/auth/refresh").header("refresh_token", &token).header("content-type", json).body("{}"),
        422,
    )
    .await;
    refused(post("/auth/refresh").header("content-type", form).body(format!("refresh_token={token}")), 415)
        .await;
    refused(post("/auth/refresh").header("content-type", "text/plain").body(with_body(&user)), 415).await;
    refused(post("/auth/refresh").header("content-type", json).body(json!([token]).to_string()), 422).await;
    refused(post("/auth/refresh").header("content-type", json).body(json!(token).to_string()), 422).await;

    assert_eq!(
        server.database.number("SELECT generation FROM refresh_tokens").await,
        0,
        "nothing was used up"
    );
    user.refresh().await.expect_status(200);
}

async fn refused(request: reqwest::RequestBuilder, status: u16) {
    Answer::of(request).await.expect_status(status);
}

fn with_body(user: &Actor) -> String {
    json!({ "refresh_token": user.refresh_token }).to_string()
}

fn seconds(answer: &Answer, name: &str) -> u64 {
    answer.json[name].as_u64().unwrap()
}
