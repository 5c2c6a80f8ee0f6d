//! Bodies that are refused before they cost anything (H3).

use std::time::Duration;

use reqwest::{Method, RequestBuilder};
use tokio::time::Instant;

use crate::support::{Actor, Answer, Setup, TestDatabase, proving, rounds};

const WITHIN: Duration = Duration::from_millis(10);

#[tokio::test]
async fn what_no_route_reads_is_refused_at_once() {
    let database = TestDatabase::create().await;
    let server = Setup::on(&database).serve().await;
    let stranger = server.anonymous();
    let credentials = r#""email":"a@example.com","password":"a quiet lake at dawn""#;
    let deep = format!("{{{credentials},\"device_token\":{}1{}}}", "[".repeat(4_000), "]".repeat(4_000));
    let twice = format!("{{{credentials},\"email\":\"b@example.com\"}}");
    let large = format!("{{{credentials},\"device_token\":\"{}\"}}", "x".repeat(200 * 1024));
    let good = format!("{{{credentials}}}");
    for (what, content_type, body, statuses) in [
        ("too large", "application/json", &large, [413, 413]),
        ("too deep", "application/json", &deep, [400, 422]),
        ("a name twice", "application/json", &twice, [400, 422]),
        ("not JSON", "application/json", &"{".to_owned(), [400, 400]),
        ("another content type", "text/plain", &good, [415, 415]),
        ("another encoding", "application/x-www-form-urlencoded", &good, [415, 415]),
        (
            "an unknown field",
            "application/json",
            &format!("{{{credentials},\"role\":\"admin\"}}"),
            [422, 422],
        ),
    ] {
        for path in ["/auth/login", "/auth/signup", "/auth/refresh"] {
            let mut took = Vec::new();
            for _ in 0..rounds(5, 200) {
                let begun = Instant::now();
                let answer = Answer::of(post(&stranger, path, content_type, body)).await;
                took.push(begun.elapsed());
                assert!(statuses.contains(&answer.status.as_u16()), "{what} at {path}: {}", answer.json);
                assert_eq!(answer.header("content-type"), "application/problem+json");
            }
            took.sort_unstable();
            let median = took[took.len() / 2];
            println!("{what} at {path}: {median:?}");
            assert!(!proving() || median <= WITHIN, "{what} at {path}: {median:?}");
        }
    }
    assert_eq!(database.number("SELECT count(*) FROM users_auth").await, 0);
}

fn post(stranger: &Actor, path: &str, content_type: &str, body: &str) -> RequestBuilder {
    stranger.request(Method::POST, path).header("content-type", content_type).body(body.to_owned())
}
