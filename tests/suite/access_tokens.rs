//! Where an access token counts: here, for this audience, in the one header, from this installation.

use std::time::Duration;

use reqwest::Method;
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::support::{Answer, TestServer};

/// T3: no credential works where another is meant.
#[tokio::test]
async fn access_and_refresh_tokens_do_not_stand_in_for_each_other() {
    let server = TestServer::start().await;
    let mut user = server.user().await;
    user.me_with(&user.refresh_token).await.expect_problem(401, "invalid_token");
    user.present(&user.access_token).await.expect_problem(401, "invalid_refresh_token");
    user.logout_by(&user.access_token, "").await.expect_problem(401, "invalid_refresh_token");
    let bearer = user.request(Method::POST, "/auth/logout").bearer_auth(&user.refresh_token);
    Answer::of(bearer).await.expect_problem(401, "invalid_token");
    user.me().await.expect_status(200);
    user.refresh().await.expect_status(200);
}

#[tokio::test]
async fn tokens_of_another_installation_are_refused() {
    let server = TestServer::start().await;
    // The same names and the same master key, so that only the database tells the two apart.
    let elsewhere = TestServer::start().await;
    let (user, foreigner) = (server.user().await, elsewhere.user().await);
    foreigner.me().await.expect_status(200);
    user.me_with(&foreigner.access_token).await.expect_problem(401, "invalid_token");
    user.present(&foreigner.refresh_token).await.expect_problem(401, "session_ended");
    user.logout_by(&foreigner.refresh_token, "?all=true").await.expect_status(204);
    foreigner.me().await.expect_status(200);
    user.me().await.expect_status(200);
}

#[tokio::test]
async fn a_replica_with_other_names_refuses_the_same_key() {
    let server = TestServer::start().await;
    let person = server.user().await;
    let others = [
        ("audience", "https://api.example.com"),
        ("issuer", "https://login.example.com"),
        ("token.typ", "JWT"),
    ];
    for other in others {
        let replica = server.replica_with(&[other]).await;
        let user = person.on_another_device().await;
        let mut there = user.at(format!("http://{}", replica.public));
        there.me().await.expect_problem(401, "invalid_token");
        // The session is the same for both, and only the names in the access token differ.
        there.refresh().await.expect_status(200);
        there.me().await.expect_status(200);
        user.me_with(&there.access_token).await.expect_problem(401, "invalid_token");
        user.me().await.expect_status(200);
    }
}

/// Its signature is not looked at again; everything else is.
#[tokio::test]
async fn a_token_that_was_good_a_moment_ago_is_judged_anew() {
    let server = TestServer::start().await;
    let (user, gone) = (server.user().await, server.user().await);
    for actor in [&user, &gone, &user, &gone] {
        actor.me().await.expect_status(200);
    }
    let mut altered = user.access_token.clone();
    let letter = altered.len() - 10;
    altered.replace_range(letter..=letter, if &altered[letter..=letter] == "A" { "B" } else { "A" });
    user.me_with(&altered).await.expect_problem(401, "invalid_token");
    gone.logout().await.expect_status(204);
    gone.me().await.expect_problem(401, "session_ended");
    user.me().await.expect_status(200);
    server.clock.advance(Duration::from_secs(600));
    user.me().await.expect_problem(401, "invalid_token");
}

/// T5: only the header counts, once, as a bearer.
#[tokio::test]
async fn a_token_counts_only_in_one_authorization_header() {
    let server = TestServer::start().await;
    let user = server.user().await;
    let token = &user.access_token;
    let get = |path: &str| user.request(Method::GET, path);
    let form = "application/x-www-form-urlencoded";

    for request in [
        get(&format!("/auth/me?access_token={token}")),
        get(&format!("/auth/me?token={token}")),
        get(&format!("/auth/me?authorization=Bearer%20{token}")),
        get("/auth/me").header("cookie", format!("access_token={token}")),
        get("/auth/me")
            .header("x-access-token", token)
            .header("proxy-authorization", format!("Bearer {token}")),
        get("/auth/me").header("content-type", form).body(format!("access_token={token}")),
        get("/auth/me").json(&json!({ "access_token": token })),
    ] {
        let answer = Answer::of(request).await.expect_problem(401, "missing_token");
        assert_eq!(answer.header("www-authenticate"), "Bearer realm=\"keyward\"");
    }
    let twice = get("/auth/me").bearer_auth(token).header("authorization", format!("Bearer {token}"));
    Answer::of(twice).await.expect_problem(401, "invalid_token");
    let first_good = get("/auth/me").bearer_auth(token).header("authorization", "Bearer x");
    Answer::of(first_good).await.expect_problem(401, "invalid_token");
    let basic = get("/auth/me").basic_auth(&user.email, Some(&user.password));
    Answer::of(basic).await.expect_problem(401, "invalid_token");
    for value in [
        format!("Basic {token}"),
        format!("Token {token}"),
        format!("DPoP {token}"),
        format!("Bearer{token}"),
        format!("Bearer\t{token}"),
        format!("Bearer \"{token}\""),
        format!("Bearer {token} {token}"),
        format!("Bearer {token}, Bearer {token}"),
        format!("Bearer Bearer {token}"),
        token.clone(),
        "Bearer".to_owned(),
        "Bearer ".to_owned(),
        "Bearer \u{fc}".to_owned(),
        String::new(),
    ] {
        Answer::of(get("/auth/me").header("authorization", value)).await.expect_problem(401, "invalid_token");
    }
    // The scheme is a word in any case (RFC 9110 §11.1).
    for scheme in ["bearer", "BEARER", "Bearer "] {
        let request = get("/auth/me").header("authorization", format!("{scheme} {token}"));
        Answer::of(request).await.expect_status(200);
    }
}

/// T5: what fits the header limit is refused as a token, what does not as a header.
#[tokio::test]
async fn junk_of_any_size_in_the_header_is_refused() {
    let server = TestServer::start().await;
    let user = server.user().await;
    let kib = 1024;
    for junk in ["A", ".", "eyJ", "=", "\u{20}"] {
        for size in [8 * kib, 15 * kib, 17 * kib, 64 * kib, kib * kib] {
            let value = junk.repeat(size / junk.len());
            let status = raw_status(&server, &value).await;
            let wanted: &[u16] = if size < 16 * kib { &[401] } else { &[431] };
            assert!(wanted.contains(&status), "{size} bytes of {junk:?}: {status}");
        }
    }
    let dots = user.access_token.replace('.', "..");
    assert_eq!(raw_status(&server, &dots).await, 401);
    user.me().await.expect_status(200);
}

/// Sends a bearer over a plain socket: a server that refuses early closes while the client still
/// writes, and an HTTP client would report that instead of the answer.
async fn raw_status(server: &TestServer, bearer: &str) -> u16 {
    let (mut from, mut to) = TcpStream::connect(server.public).await.unwrap().into_split();
    let request = format!(
        "GET /auth/me HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Bearer {bearer}\r\n\r\n"
    );
    let writing = tokio::spawn(async move { to.write_all(request.as_bytes()).await.map(|()| to) });
    let mut answer = Vec::new();
    let mut buffer = [0; 4096];
    while let Ok(read @ 1..) = from.read(&mut buffer).await {
        answer.extend_from_slice(&buffer[..read]);
    }
    drop(writing.await);
    let answer = String::from_utf8_lossy(&answer);
    let status = answer.split(' ').nth(1).unwrap_or_else(|| panic!("no answer: {answer:?}"));
    status.parse().unwrap()
}
