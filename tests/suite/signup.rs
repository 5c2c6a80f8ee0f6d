//! Signing up: who gets an account, and what nobody can give themselves.

use futures_util::future::join_all;
use serde_json::json;

use crate::support::{ISSUER, PASSWORD, TestServer, unique_email};

#[tokio::test]
async fn a_stranger_gets_an_account_with_the_role_user() {
    let server = TestServer::start().await;
    let stranger = server.anonymous();
    let made = stranger.signup().await.expect_status(201);
    assert_eq!(made.header("location"), format!("{ISSUER}/auth/me"));
    assert_eq!(made.json["email"], stranger.email);
    assert_eq!(made.json["email_verified"], false);
    assert_eq!(made.json["roles"], json!(["user"]));
    assert_eq!(made.json["status"], "active");
    assert!(!String::from_utf8_lossy(&made.body).contains("argon2"));
    assert_eq!(server.database.number("SELECT count(*) FROM users_auth").await, 1);
    assert_eq!(created_events(&server).await, 1);
    assert_eq!(created_records(&server).await, 1);
}

#[tokio::test]
async fn a_taken_address_is_refused_in_every_spelling() {
    let server = TestServer::start().await;
    let stranger = server.anonymous();
    let email = format!("jos\u{e9}.{}", unique_email().replace("example.com", "b\u{fc}cher.example"));
    stranger.signup_as(&email, PASSWORD).await.expect_status(201);
    let rows = server.database.rows().await;
    for spelling in [
        email.clone(),
        email.to_uppercase(),
        format!("  {email}\n"),
        email.replace('\u{e9}', "e\u{301}"),
        email.replace("b\u{fc}cher", "bu\u{308}cher"),
        email.replace("b\u{fc}cher", "xn--bcher-kva"),
    ] {
        stranger.signup_as(&spelling, PASSWORD).await.expect_problem(409, "email_taken");
    }
    assert_eq!(server.database.rows().await, rows, "a refusal writes nothing");
}

#[tokio::test]
async fn of_many_who_sign_up_one_address_at_once_one_gets_it() {
    let first = TestServer::start().await;
    let (second, third) = (first.replica().await, first.replica().await);
    let servers = [&first, &second, &third];
    let email = unique_email();
    let spell = |number: usize| match number % 4 {
        0 => email.clone(),
        1 => email.to_uppercase(),
        2 => format!(" {email} "),
        _ => email.replace("user", "UsEr").replace("example", "eXample"),
    };
    let attempts = (0..64).map(|number| {
        let (actor, spelling) = (servers[number % servers.len()].anonymous(), spell(number));
        async move { actor.signup_as(&spelling, PASSWORD).await }
    });
    let mut made = 0;
    for answer in join_all(attempts).await {
        if answer.status == 201 {
            made += 1;
        } else {
            answer.expect_problem(409, "email_taken");
        }
    }
    assert_eq!(made, 1);
    assert_eq!(first.database.number("SELECT count(*) FROM users_auth").await, 1);
    assert_eq!(created_events(&first).await, 1);
    assert_eq!(created_records(&first).await, 1);
}

#[tokio::test]
async fn nobody_grants_themselves_anything() {
    let server = TestServer::start().await;
    let stranger = server.anonymous();
    let rows = server.database.rows().await;
    for (field, value) in [
        ("role", json!("admin")),
        ("roles", json!(["admin"])),
        ("id", json!("00000000-0000-7000-8000-000000000000")),
        ("email_verified", json!(true)),
        ("status", json!("active")),
        ("is_admin", json!(true)),
        ("created_at", json!("2020-01-01T00:00:00Z")),
        ("session_epoch", json!(7)),
        ("password_hash", json!("$argon2id$")),
        ("Email", json!("a@example.com")),
        ("", json!(null)),
    ] {
        let mut body = json!({ "email": stranger.email, "password": PASSWORD });
        body[field] = value.clone();
        let pointer = format!("/{field}");
        stranger.post("/auth/signup", &body).await.expect_field(&pointer, "unknown");
        stranger.post("/auth/login", &body).await.expect_field(&pointer, "unknown");
        let mut body = json!({ "refresh_token": "kwr_x" });
        body[field] = value;
        stranger.post("/auth/refresh", &body).await.expect_field(&pointer, "unknown");
        stranger.post("/auth/logout", &body).await.expect_field(&pointer, "unknown");
    }
    assert_eq!(server.database.rows().await, rows);
}

#[tokio::test]
async fn closed_sign_up_is_closed() {
    let server = TestServer::start_with(&[("signup.enabled", "false")]).await;
    let rows = server.database.rows().await;
    server.anonymous().signup().await.expect_problem(403, "signup_disabled");
    assert_eq!(server.database.rows().await, rows);
}

async fn created_events(server: &TestServer) -> i64 {
    server.database.number("SELECT count(*) FROM outbox WHERE type = 'auth.user_created'").await
}

async fn created_records(server: &TestServer) -> i64 {
    server.database.number("SELECT count(*) FROM audit_log WHERE event = 'user_created'").await
}
