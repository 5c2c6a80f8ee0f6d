//! Passwords: what is accepted, how exactly it is compared, and how it is kept.

use keyward::clock::Clock;
use serde_json::json;

use crate::support::{PASSWORD, TestServer, unique_email};

#[tokio::test]
async fn lengths_are_limited_as_configured() {
    let limits = [("password.min_length", "10"), ("password.max_length", "20")];
    let server = TestServer::start_with(&limits).await;
    let stranger = server.anonymous();
    let rows = server.database.rows().await;
    let text = "x\u{fc}-k\u{e9}qv\u{1f33b}wz hja-bromp";
    let cut = |length: usize| text.chars().take(length).collect::<String>();
    stranger.signup_as(&unique_email(), &cut(9)).await.expect_field("/password", "too_short");
    let long = format!("{text}!");
    assert_eq!(long.chars().count(), 21);
    stranger.signup_as(&unique_email(), &long).await.expect_field("/password", "too_long");
    assert_eq!(server.database.rows().await, rows);
    for length in [10, 20] {
        stranger.signup_as(&unique_email(), &cut(length)).await.expect_status(201);
    }
}

/// With one thread and one place to wait, kept busy, whatever is hashed meets `overloaded` sooner or
/// later. What is refused before hashing never does.
#[tokio::test]
async fn a_long_password_is_refused_before_any_hashing() {
    let busy = [
        ("argon2.memory_kib", "8192"),
        ("argon2.iterations", "2"),
        ("argon2.threads", "1"),
        ("argon2.queue", "1"),
        ("password.max_length", "64"),
    ];
    let server = TestServer::start_with(&busy).await;
    let (long, endless) = (PASSWORD.repeat(4), "x".repeat(4_097));
    let mut overloaded = 0;
    while overloaded < 3 {
        let actor = server.anonymous();
        let hashed = || actor.login_as("nobody@example.com", PASSWORD);
        let (first, second, third, by_signup, by_login) = tokio::join!(
            hashed(),
            hashed(),
            hashed(),
            actor.signup_as(&actor.email, &long),
            actor.login_as(&actor.email, &endless),
        );
        by_signup.expect_field("/password", "too_long");
        by_login.expect_field("/password", "too_long");
        for answer in [first, second, third] {
            if answer.status == 503 {
                assert!(!answer.header("retry-after").is_empty());
                answer.expect_problem(503, "overloaded");
                overloaded += 1;
            } else {
                answer.expect_problem(401, "invalid_credentials");
            }
        }
    }
}

#[tokio::test]
async fn what_attackers_try_first_is_refused() {
    let server = TestServer::start().await;
    let stranger = server.anonymous();
    let rows = server.database.rows().await;
    for common in ["password1234567", "qwertyuiopasdfg", "aaaaaaaaaaaaaaaa", "123456789012345"] {
        stranger.signup_as(&unique_email(), common).await.expect_field("/password", "too_common");
    }
    let email = "marianne.dubois@wonderland.example";
    for own in ["marianne.dubois", "Marianne.Dubois2026", "wonderland-dubois", "Keyward-Marianne!"] {
        stranger.signup_as(email, own).await.expect_field("/password", "too_guessable");
    }
    assert_eq!(server.database.rows().await, rows);
    // Both fields are told at once, and neither value is repeated.
    let both = stranger.signup_as("nobody", "keywardkeyward1").await.expect_problem(422, "invalid_request");
    let pointers: Vec<_> = both.json["errors"].as_array().unwrap().iter().map(|e| &e["pointer"]).collect();
    assert_eq!(pointers, ["/email", "/password"]);
    assert!(!String::from_utf8_lossy(&both.body).contains("keywardkeyward1"));
}

#[tokio::test]
async fn passwords_compare_exactly() {
    let server = TestServer::start().await;
    let stranger = server.anonymous();
    let long = format!("{PASSWORD}{}", "ab-".repeat(20));
    let byte_73 = |last: char| format!("{}{last}", long.chars().take(72).collect::<String>());
    for (right, wrong) in [
        (byte_73('x'), byte_73('y')),
        (byte_73('x'), byte_73('x').chars().take(72).collect()),
        (format!("{PASSWORD}\0after"), format!("{PASSWORD}\0other")),
        (format!("{PASSWORD}\0after"), PASSWORD.to_owned()),
        (PASSWORD.to_owned(), format!("{PASSWORD} ")),
        (format!("{PASSWORD} "), PASSWORD.to_owned()),
        (PASSWORD.to_owned(), format!(" {PASSWORD}")),
        (PASSWORD.to_owned(), PASSWORD.to_uppercase()),
        (format!("{PASSWORD} \u{fb01}"), format!("{PASSWORD} fi")),
    ] {
        let email = unique_email();
        stranger.signup_as(&email, &right).await.expect_status(201);
        stranger.login_as(&email, &wrong).await.expect_problem(401, "invalid_credentials");
        stranger.login_as(&email, &right).await.expect_status(200);
    }
}

#[tokio::test]
async fn both_unicode_forms_are_one_password() {
    let server = TestServer::start().await;
    let stranger = server.anonymous();
    let (composed, decomposed) = ("caf\u{e9} \u{ac01} am See", "cafe\u{301} \u{1100}\u{1161}\u{11a8} am See");
    let composed = format!("{composed} bei Nacht");
    let decomposed = format!("{decomposed} bei Nacht");
    for (made, typed) in [(&composed, &decomposed), (&decomposed, &composed)] {
        let email = unique_email();
        stranger.signup_as(&email, made).await.expect_status(201);
        stranger.login_as(&email, typed).await.expect_status(200);
    }
}

#[tokio::test]
async fn a_weaker_hash_is_replaced_at_the_next_login() {
    let weak = TestServer::start().await;
    let mut user = weak.user().await;
    let before = stored(&weak).await;
    assert!(before.starts_with("$argon2id$v=19$m=64,t=1,p=1$"), "{before}");
    assert!(!before.contains(PASSWORD));

    let flags = vec![("argon2.iterations".to_owned(), "2".to_owned())];
    let strong = TestServer::on(weak.database.clone(), flags, Clock::shifted()).await;
    user.base = format!("http://{}", strong.public);
    user.login_as(&user.email, "a wrong one altogether").await.expect_status(401);
    assert_eq!(stored(&strong).await, before, "only the right password is worth hashing");
    user.login().await.expect_status(200);
    let after = stored(&strong).await;
    assert!(after.starts_with("$argon2id$v=19$m=64,t=2,p=1$"), "{after}");
    user.login().await.expect_status(200);
    assert_eq!(stored(&strong).await, after, "once is enough");
    user.me().await.expect_status(200);
}

#[tokio::test]
async fn a_hash_that_cannot_be_used_is_a_wrong_password() {
    let server = TestServer::start().await;
    let user = server.user().await;
    let good = stored(&server).await;
    let unknown = login_bytes(&server, &unique_email()).await;
    for absurd in [
        good.replace("m=64", "m=4194304"),
        good.replace("t=1", "t=1000000"),
        good.replace("p=1", "p=200"),
        good.replace("argon2id", "scrypt"),
        good.replace("v=19", "v=99"),
        "$2b$12$KIXIDe0Xk1".to_owned(),
        "plain text".to_owned(),
        String::new(),
    ] {
        server.database.execute(format!("UPDATE users_auth SET password_hash = '{absurd}'")).await;
        assert_eq!(login_bytes(&server, &user.email).await, unknown, "{absurd:?}");
        assert_eq!(stored(&server).await, absurd, "nothing is rehashed");
    }
    let told = "SELECT count(*) FROM audit_log WHERE detail LIKE '%unusable_hash%'";
    assert_eq!(server.database.number(told).await, 8);
    server.database.execute(format!("UPDATE users_auth SET password_hash = '{good}'")).await;
    user.login_as(&user.email, PASSWORD).await.expect_status(200);
}

async fn login_bytes(server: &TestServer, email: &str) -> Vec<u8> {
    let body = json!({ "email": email, "password": PASSWORD });
    let actor = server.anonymous();
    let request = actor.request(reqwest::Method::POST, "/auth/login").header("x-request-id", "same");
    crate::support::Answer::of(request.json(&body)).await.expect_problem(401, "invalid_credentials").body
}

async fn stored(server: &TestServer) -> String {
    server.database.texts("SELECT password_hash FROM users_auth").await.remove(0)
}
