//! Logging in: one answer for whatever is wrong with the credentials.

use reqwest::Method;
use reqwest::header::HeaderMap;
use serde_json::{Value, json};

use crate::support::{Answer, PASSWORD, TestServer, unique_email};

#[tokio::test]
async fn a_user_gets_a_pair_of_tokens() {
    let server = TestServer::start().await;
    let mut user = server.anonymous();
    user.signup().await.expect_status(201);
    user.email = format!(" {}", user.email.to_uppercase());
    let pair = user.login().await.expect_status(200);
    assert_eq!(pair.json["token_type"], "Bearer");
    assert_eq!((&pair.json["expires_in"], &pair.json["refresh_expires_in"]), (&json!(600), &json!(604_800)));
    assert_eq!(pair.header("cache-control"), "no-store");
    assert!(pair.text("refresh_token").starts_with("kwr_"));
    let members: Vec<_> = pair.json.as_object().unwrap().keys().collect();
    assert_eq!(
        members,
        ["access_token", "device_token", "expires_in", "refresh_expires_in", "refresh_token", "token_type"],
        "nothing else is given away"
    );
    let records = "SELECT count(*) FROM audit_log WHERE event = 'login_succeeded'";
    assert_eq!(server.database.number(records).await, 1);
}

#[tokio::test]
async fn unknown_wrong_and_disabled_look_alike() {
    let server = TestServer::start().await;
    let (user, disabled) = (server.user().await, server.user().await);
    let off = format!("UPDATE users_auth SET status = 'disabled' WHERE email = '{}'", disabled.email);
    server.database.execute(off).await;

    let unknown = attempt(&server, &unique_email(), PASSWORD).await;
    let wrong = attempt(&server, &user.email, "not the right one").await;
    let right_but_disabled = attempt(&server, &disabled.email, PASSWORD).await;
    let wrong_and_disabled = attempt(&server, &disabled.email, "not the right one").await;
    for other in [&wrong, &right_but_disabled, &wrong_and_disabled] {
        assert_eq!(other.body, unknown.body);
        assert_eq!(undated(&other.headers), undated(&unknown.headers));
    }
    assert_eq!(unknown.header("www-authenticate"), "Bearer realm=\"keyward\"");

    // The audit log tells them apart, and holds no address and no password.
    let details = server.database.texts("SELECT detail FROM audit_log WHERE event = 'login_failed'").await;
    let mut reasons: Vec<String> = details
        .iter()
        .map(|detail| serde_json::from_str::<Value>(detail).unwrap()["reason"].as_str().unwrap().to_owned())
        .collect();
    reasons.sort();
    assert_eq!(reasons, ["disabled", "unknown_user", "wrong_password", "wrong_password"]);
    assert!(!details.concat().contains('@') && !details.concat().contains("not the right one"));
    let sessions = server.database.number("SELECT count(*) FROM refresh_tokens").await;
    assert_eq!(sessions, 2, "a refusal opens no session");
}

#[tokio::test]
async fn one_identifier_stands_for_every_spelling() {
    let server = TestServer::start().await;
    let email = unique_email();
    for spelling in [email.clone(), email.to_uppercase(), format!("\t{email} ")] {
        attempt(&server, &spelling, PASSWORD).await;
    }
    let details = "SELECT DISTINCT detail FROM audit_log WHERE event = 'login_failed'";
    assert_eq!(server.database.texts(details).await.len(), 1);
}

#[tokio::test]
async fn a_malformed_address_is_told_apart_from_a_wrong_one() {
    let server = TestServer::start().await;
    let stranger = server.anonymous();
    let rows = server.database.rows().await;
    stranger.login_as("not an address", PASSWORD).await.expect_field("/email", "invalid_email");
    stranger
        .post("/auth/login", &json!({ "email": "a@example.com" }))
        .await
        .expect_field("/password", "missing");
    assert_eq!(server.database.rows().await, rows);
    // A short password cannot be anyone's under today's rules, but may be from yesterday's.
    stranger.login_as("a@example.com", "x").await.expect_problem(401, "invalid_credentials");
}

async fn attempt(server: &TestServer, email: &str, password: &str) -> Answer {
    let actor = server.anonymous();
    let request = actor.request(Method::POST, "/auth/login").header("x-request-id", "the-same");
    let answer = Answer::of(request.json(&json!({ "email": email, "password": password }))).await;
    answer.expect_problem(401, "invalid_credentials")
}

fn undated(headers: &HeaderMap) -> HeaderMap {
    let mut headers = headers.clone();
    headers.remove("date");
    headers
}
