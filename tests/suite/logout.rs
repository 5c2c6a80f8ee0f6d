//! Logging out one session or all of them, and what is over afterwards.

use reqwest::Method;
use serde_json::json;

use crate::support::{Actor, Answer, TestServer};

const REVOKED_EVENTS: &str = "SELECT count(*) FROM outbox WHERE type = 'auth.session_revoked'";
const REVOKED_RECORDS: &str =
    "SELECT count(*) FROM audit_log WHERE event IN ('session_revoked', 'sessions_revoked')";
const LIVE: &str = "SELECT count(*) FROM refresh_tokens WHERE ended_at IS NULL";

async fn expect_over(user: &Actor) {
    user.me().await.expect_problem(401, "session_ended");
    user.present(&user.refresh_token).await.expect_problem(401, "session_ended");
}

async fn expect_alive(user: &Actor) {
    user.me().await.expect_status(200);
}

#[tokio::test]
async fn a_refresh_token_of_any_generation_ends_its_own_session() {
    let server = TestServer::start().await;
    let person = server.user().await;
    for back in [0, 1, 2, 5] {
        let mut user = person.on_another_device().await;
        let mut tokens = vec![user.refresh_token.clone()];
        for _ in 0..5 {
            user.refresh().await.expect_status(200);
            tokens.push(user.refresh_token.clone());
        }
        user.logout_by(&tokens[5 - back], "").await.expect_status(204);
        expect_over(&user).await;
    }
    expect_alive(&person).await;
    assert_eq!(server.database.number(REVOKED_EVENTS).await, 4);
    assert_eq!(server.database.number("SELECT count(*) FROM audit_log WHERE event LIKE 'refresh%'").await, 0);
    server.database.check_invariants().await;
}

/// Many clients send `{}` where there is nothing to say.
#[tokio::test]
async fn an_empty_body_leaves_it_to_the_bearer() {
    let server = TestServer::start().await;
    let user = server.user().await;
    let other = user.on_another_device().await;
    user.post("/auth/logout", &json!({})).await.expect_field("/refresh_token", "missing");
    let null = json!({ "refresh_token": null });
    user.tell(Method::POST, "/auth/logout", &null).await.expect_field("/refresh_token", "wrong_type");
    expect_alive(&user).await;
    user.tell(Method::POST, "/auth/logout", &json!({})).await.expect_status(204);
    expect_over(&user).await;
    let both = json!({ "refresh_token": user.refresh_token });
    other.tell(Method::POST, "/auth/logout", &both).await.expect_status(204);
    expect_alive(&other).await; // the token in the body names the session
}

#[tokio::test]
async fn logging_out_again_changes_nothing() {
    let server = TestServer::start().await;
    let user = server.user().await;
    for _ in 0..3 {
        user.logout().await.expect_status(204);
        user.logout_by(&user.refresh_token, "").await.expect_status(204);
    }
    assert_eq!(server.database.number(REVOKED_EVENTS).await, 1);
    assert_eq!(server.database.number(REVOKED_RECORDS).await, 1);

    let user = user.on_another_device().await;
    for _ in 0..3 {
        user.logout_everywhere().await.expect_status(204);
        user.logout_by(&user.refresh_token, "?all=true").await.expect_status(204);
    }
    assert_eq!(server.database.number(REVOKED_EVENTS).await, 2);
    assert_eq!(server.database.number(REVOKED_RECORDS).await, 2);
    assert_eq!(server.database.number("SELECT session_epoch FROM users_auth").await, 1);
    server.database.check_invariants().await;
}

#[tokio::test]
async fn logging_out_everywhere_ends_every_session_of_this_user_and_no_other() {
    let server = TestServer::start().await;
    let stranger = server.user().await;
    let user = server.user().await;
    let mut devices = vec![user.clone(), user.on_another_device().await, user.on_another_device().await];
    user.logout_everywhere().await.expect_status(204);
    for device in &devices {
        expect_over(device).await;
    }
    expect_alive(&stranger).await;

    // Whoever logs in afterwards is in; the current refresh token does as well as a bearer.
    devices[0].login().await.expect_status(200);
    expect_alive(&devices[0]).await;
    let other = devices[0].on_another_device().await;
    other.logout_by(&other.refresh_token, "?all=true").await.expect_status(204);
    expect_over(&devices[0]).await;
    expect_over(&other).await;
    expect_alive(&stranger).await;

    let reasons =
        server.database.texts("SELECT DISTINCT end_reason FROM refresh_tokens WHERE ended_at IS NOT NULL");
    assert_eq!(reasons.await, ["logout_all"]);
    assert_eq!(server.database.number(REVOKED_EVENTS).await, 2);
    server.database.check_invariants().await;
}

#[tokio::test]
async fn an_old_refresh_token_does_not_end_everything() {
    let server = TestServer::start().await;
    let mut user = server.user().await;
    let other = user.on_another_device().await;
    let older = user.refresh_token.clone();
    user.refresh().await.expect_status(200);
    let old = user.refresh_token.clone();
    user.refresh().await.expect_status(200);
    for token in [&older, &old] {
        user.logout_by(token, "?all=true").await.expect_problem(401, "invalid_refresh_token");
    }
    expect_alive(&user).await;
    expect_alive(&other).await;
    user.refresh().await.expect_status(200);
    assert_eq!(server.database.number(REVOKED_EVENTS).await, 0);
    assert_eq!(server.database.number("SELECT session_epoch FROM users_auth").await, 0);

    // Nor does a session that has ended.
    other.logout().await.expect_status(204);
    other.logout_everywhere().await.expect_problem(401, "session_ended");
    other.logout_by(&other.refresh_token, "?all=true").await.expect_problem(401, "session_ended");
    expect_alive(&user).await;
    server.database.check_invariants().await;
}

#[tokio::test]
async fn forged_credentials_log_nobody_out() {
    let server = TestServer::start().await;
    let foreign_key = keyward::config::MasterKey::new(keyward::random::bytes()).to_base64();
    let elsewhere = TestServer::start_with(&[("master_key", foreign_key.as_str())]).await;
    let (user, foreigner) = (server.user().await, elsewhere.user().await);
    for query in ["", "?all=true", "?all=false"] {
        let garbled = user.refresh_token.replace("kwr_A", "kwr_B");
        for token in ["", "kwr_", "x", &garbled, &foreigner.refresh_token, &user.access_token] {
            user.logout_by(token, query).await.expect_problem(401, "invalid_refresh_token");
        }
        for token in [&foreigner.access_token, &user.refresh_token, "x"] {
            let request =
                user.request(reqwest::Method::POST, &format!("/auth/logout{query}")).bearer_auth(token);
            Answer::of(request).await.expect_problem(401, "invalid_token");
        }
        // A good bearer does not make up for a bad token in the body.
        let request = user.request(reqwest::Method::POST, &format!("/auth/logout{query}"));
        let request = request.bearer_auth(&user.access_token).json(&json!({ "refresh_token": garbled }));
        Answer::of(request).await.expect_problem(401, "invalid_refresh_token");
    }
    user.post_raw("/auth/logout", "").await.expect_problem(401, "missing_token");
    user.post("/auth/logout", &json!({})).await.expect_problem(422, "invalid_request");
    let both = json!({ "refresh_token": user.refresh_token, "all": true });
    user.post("/auth/logout", &both).await.expect_problem(422, "invalid_request");
    user.logout_by(&user.refresh_token, "?al=true").await.expect_problem(422, "invalid_request");
    user.logout_by(&user.refresh_token, "?all=yes").await.expect_problem(422, "invalid_request");
    expect_alive(&user).await;
    assert_eq!(server.database.number(LIVE).await, 1);
    assert_eq!(server.database.number(REVOKED_EVENTS).await, 0);
}

#[tokio::test]
async fn every_replica_refuses_at_once_and_nothing_comes_back_after_a_restart() {
    let server = TestServer::start().await;
    let replica = server.replica().await;
    let mut one = server.user().await;
    let all = one.on_another_device().await;
    let spent = one.refresh_token.clone();
    let there = |user: &Actor| user.at(format!("http://{}", replica.public));
    one.refresh().await.expect_status(200);
    expect_alive(&there(&one)).await;
    expect_alive(&there(&all)).await;

    one.logout().await.expect_status(204);
    expect_over(&there(&one)).await;
    expect_alive(&there(&all)).await;
    there(&all).logout_everywhere().await.expect_status(204);
    expect_over(&all).await;

    drop(replica);
    let server = server.restart().await;
    for user in [&one, &all] {
        let user = user.at(format!("http://{}", server.public));
        expect_over(&user).await;
        user.present(&spent).await.expect_problem(401, "session_ended");
    }
    server.database.check_invariants().await;
}
