//! Device tokens: what an owner's device is worth, and how little anything else is.

use std::time::Duration;

use reqwest::Method;
use serde_json::json;

use crate::lock::LOCK;
use crate::support::{Actor, Answer, PASSWORD, TestServer, unique_email};

const WRONG: &str = "certainly not this one";

async fn device_of(actor: &Actor) -> String {
    actor.login_as(&actor.email, PASSWORD).await.expect_status(200).text("device_token")
}

async fn login_from(actor: &Actor, email: &str, password: &str, device: &str) -> Answer {
    let body = json!({ "email": email, "password": password, "device_token": device });
    let request = actor.request(Method::POST, "/auth/login").header("x-request-id", "the-same");
    Answer::of(request.json(&body)).await
}

async fn lock(actor: &Actor, email: &str) {
    for _ in 0..10 {
        actor.login_as(email, WRONG).await.expect_problem(401, "invalid_credentials");
    }
    actor.login_as(email, PASSWORD).await.expect_problem(429, "account_locked");
}

/// Whether a token is a known device's is seen while the account is locked for everybody else.
async fn known(actor: &Actor, device: &str) -> bool {
    let answer = login_from(actor, &actor.email, PASSWORD, device).await;
    if answer.status == 429 {
        answer.expect_problem(429, "account_locked");
        return false;
    }
    answer.expect_status(200);
    true
}

#[tokio::test]
async fn a_device_is_known_until_it_expires() {
    let server = TestServer::start_with(&LOCK).await;
    let user = server.user().await;
    let device = device_of(&user).await;
    assert!(device.starts_with("kwd_"));
    let days = |days: u64| Duration::from_secs(days * 24 * 60 * 60);
    server.clock.advance(days(179));
    lock(&user, &user.email).await;
    let renewed = login_from(&user, &user.email, PASSWORD, &device).await.expect_status(200);
    server.clock.advance(days(2));
    lock(&user, &user.email).await;
    assert!(!known(&user, &device).await);
    assert!(known(&user, &renewed.text("device_token")).await, "each login begins another 180 days");
}

#[tokio::test]
async fn what_ends_every_session_makes_devices_strangers() {
    let server = TestServer::start_with(&LOCK).await;
    let admin = server.admin().await;
    for how in ["password", "logout", "reset", "disable"] {
        let user = server.user().await;
        let device = device_of(&user).await;
        let path = format!("/admin/users/{}", user.id().await);
        let body = json!({ "current_password": PASSWORD, "new_password": "another lake at dusk" });
        let disable = json!({ "status": "disabled" });
        match how {
            "password" => user.tell(Method::POST, "/auth/password", &body).await.expect_status(204),
            "logout" => user.logout_everywhere().await.expect_status(204),
            "disable" => admin.tell(Method::PATCH, &path, &disable).await.expect_status(200),
            _ => {
                let body = json!({ "new_password": "another lake at dusk" });
                admin.tell(Method::POST, &format!("{path}/password"), &body).await.expect_status(204)
            }
        };
        for _ in 0..10 {
            user.login_as(&user.email, WRONG).await.expect_problem(401, "invalid_credentials");
        }
        for password in [PASSWORD, "another lake at dusk"] {
            let answer = login_from(&user, &user.email, password, &device).await;
            answer.expect_problem(429, "account_locked");
        }
    }
}

/// A device that fails too often becomes one of the strangers, and locks nobody else.
#[tokio::test]
async fn a_locked_device_falls_back_to_the_strangers_pool() {
    let server = TestServer::start_with(&LOCK).await;
    let user = server.user().await;
    let (device, other) = (device_of(&user).await, device_of(&user).await);
    assert_ne!(device, other);
    for _ in 0..10 {
        login_from(&user, &user.email, WRONG, &device).await.expect_problem(401, "invalid_credentials");
    }
    let pools = "SELECT pool FROM login_failures ORDER BY pool";
    let of_devices = server.database.texts(pools).await;
    assert!(of_devices.len() == 1 && of_devices[0].starts_with("device:"), "{of_devices:?}");
    let events = "SELECT count(*) FROM outbox WHERE type = 'auth.user_locked'";
    assert_eq!(server.database.number(events).await, 0, "nobody but the device is locked");

    for _ in 0..10 {
        login_from(&user, &user.email, WRONG, &device).await.expect_problem(401, "invalid_credentials");
    }
    assert_eq!(server.database.number(events).await, 1);
    assert_eq!(server.database.texts(pools).await.len(), 2);
    login_from(&user, &user.email, PASSWORD, &device).await.expect_problem(429, "account_locked");
    user.login_as(&user.email, PASSWORD).await.expect_problem(429, "account_locked");
    login_from(&user, &user.email, PASSWORD, &other).await.expect_status(200);
    // The success was the other device's.
    login_from(&user, &user.email, PASSWORD, &device).await.expect_problem(429, "account_locked");
    server.clock.advance(Duration::from_secs(60));
    login_from(&user, &user.email, PASSWORD, &device).await.expect_status(200);
}

/// An invalid token changes nothing: not the answer, not who is charged.
#[tokio::test]
async fn what_is_no_device_of_the_users_is_as_good_as_none() {
    let server = TestServer::start_with(&LOCK).await;
    let (user, other) = (server.user().await, server.user().await);
    let (device, foreign) = (device_of(&user).await, device_of(&other).await);
    let flipped = |at: usize| {
        let mut bytes = device.clone().into_bytes();
        bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
        String::from_utf8(bytes).expect("ASCII")
    };
    let not_devices = [
        String::new(),
        "kwd_".to_owned(),
        foreign,
        flipped(4),
        flipped(10),
        flipped(30),
        flipped(79),
        device[..79].to_owned(),
        format!("{device}="),
        user.refresh_token.clone(),
        user.refresh_token.replace("kwr_", "kwd_"),
        user.access_token.clone(),
        "\u{0}\u{202e}junk".to_owned(),
        "x".repeat(10_000),
    ];
    let nobody = unique_email();
    let plain = login_from(&user, &nobody, WRONG, "").await.expect_problem(401, "invalid_credentials");
    for token in &not_devices {
        for email in [&user.email, &nobody] {
            let answer = login_from(&user, email, WRONG, token).await;
            assert_eq!((answer.status, &answer.body), (plain.status, &plain.body), "{token:?}");
            server.database.execute("DELETE FROM login_failures WHERE pool = 'untrusted'").await;
        }
        let answer = login_from(&user, &user.email, PASSWORD, token).await.expect_status(200);
        assert_ne!(answer.text("device_token"), *token);
    }
    assert_eq!(
        server.database.number("SELECT count(*) FROM login_failures").await,
        0,
        "no device was charged"
    );
    lock(&user, &user.email).await;
    for token in &not_devices {
        assert!(!known(&user, token).await, "{token:?}");
    }
    assert!(known(&user, &device).await);
    let text = json!({ "email": user.email, "password": PASSWORD, "device_token": 7 });
    user.post("/auth/login", &text).await.expect_field("/device_token", "wrong_type");
}

/// T3: a device token opens nothing.
#[tokio::test]
async fn a_device_token_works_nowhere_else() {
    let server = TestServer::start_with(&LOCK).await;
    let user = server.user().await;
    let device = device_of(&user).await;
    let rows = server.database.rows().await;
    for token in [device.clone(), device.replace("kwd_", "kwr_"), device.replace("kwd_", "")] {
        user.me_with(&token).await.expect_problem(401, "invalid_token");
        user.present(&token).await.expect_problem(401, "invalid_refresh_token");
        user.logout_by(&token, "").await.expect_problem(401, "invalid_refresh_token");
    }
    assert_eq!(server.database.rows().await, rows);
    user.me().await.expect_status(200);
}

/// A master key that is still accepted has made devices that are still known.
#[tokio::test]
async fn devices_outlive_a_change_of_the_master_key() {
    let server = TestServer::start_with(&LOCK).await;
    let user = server.user().await;
    let device = device_of(&user).await;
    let new = keyward::config::MasterKey::new(keyward::random::bytes()).to_base64().to_string();
    let both = format!("{new},{}", crate::support::master_key());
    let rotated = server.replica_with(&[("master_key", &both)]).await;
    let user = user.at(rotated.url());
    lock(&user, &user.email).await;
    assert!(known(&user, &device).await);
}
