//! What admins see of the audit log: newest first, page by page, by filters that all hold.

use std::time::Duration;

use futures_util::future::join_all;
use keyward::domain::SecurityEvent;
use reqwest::Method;
use serde_json::Value;

use crate::support::{Actor, TestServer};

const NOBODY: &str = "01890000-0000-7000-8000-000000000000";

/// Reads the listing to its end.
async fn read_all(admin: &Actor, query: &str) -> Vec<Value> {
    let (mut records, mut cursor) = (vec![], String::new());
    loop {
        let page = admin.ask(Method::GET, &format!("/admin/audit?{query}{cursor}")).await;
        let page = page.expect_status(200).json;
        records.extend(page["items"].as_array().expect("a list").iter().cloned());
        match &page["next_cursor"] {
            Value::String(next) => cursor = format!("&cursor={next}"),
            other => {
                assert!(other.is_null() && page.as_object().expect("an object").contains_key("next_cursor"));
                return records;
            }
        }
    }
}

fn events(records: &[Value]) -> Vec<&str> {
    records.iter().map(|record| record["event"].as_str().expect("text")).collect()
}

#[tokio::test]
async fn the_log_is_read_page_by_page_and_by_filters() {
    let server = TestServer::start_with(&[("token.access_ttl", "2h")]).await;
    let admin = server.admin().await;
    let mut user = server.anonymous();
    // An id begins with the millisecond: what is to be in order happens in different ones.
    let tick = || server.clock.advance(Duration::from_millis(10));
    tick();
    let id = user.signup().await.expect_status(201).text("id");
    tick();
    user.login().await.expect_status(200);
    tick();
    let middle = server.clock.now().to_string();
    user.login_as(&user.email, "not the right one").await.expect_status(401);
    tick();
    admin.ask(Method::DELETE, &format!("/admin/users/{id}/sessions")).await.expect_status(204);
    tick();
    admin.ask(Method::POST, &format!("/admin/users/{id}/unlock")).await.expect_status(204);

    let about = ["user_unlocked", "sessions_revoked", "login_failed", "login_succeeded", "user_created"];
    let user_filter = format!("user={id}");
    assert_eq!(events(&read_all(&admin, &user_filter).await), about);
    for limit in [1, 2, 4, 5, 6, 200] {
        let paged = read_all(&admin, &format!("{user_filter}&limit={limit}")).await;
        assert_eq!(events(&paged), about, "{limit}");
    }
    let whole = read_all(&admin, "limit=3").await;
    assert_eq!(
        whole.len(),
        usize::try_from(server.database.number("SELECT count(*) FROM audit_log").await).expect("few")
    );
    let ids: Vec<&str> = whole.iter().map(|record| record["id"].as_str().expect("text")).collect();
    assert!(ids.is_sorted_by(|newer, older| newer > older), "{ids:?}");

    let admin_id = admin.id().await;
    let actor = format!("actor={admin_id}");
    for (filters, expected) in [
        (vec!["event=login_failed"], vec!["login_failed"]),
        (vec![&actor], vec!["user_unlocked", "sessions_revoked"]),
        (vec![&user_filter, "event=user_unlocked"], vec!["user_unlocked"]),
        (vec![&actor, "event=sessions_revoked"], vec!["sessions_revoked"]),
        (vec![&actor, "event=login_failed"], vec![]),
        (vec![&user_filter, &actor, "event=user_unlocked"], vec!["user_unlocked"]),
        (
            vec![&user_filter, &format!("since={middle}")],
            vec!["user_unlocked", "sessions_revoked", "login_failed"],
        ),
        (vec![&user_filter, &format!("until={middle}")], vec!["login_succeeded", "user_created"]),
        (vec![&user_filter, "since=9999-12-31T23:59:59Z"], vec![]),
        (vec!["until=0001-01-01T00:00:00Z"], vec![]),
        (vec!["event=login_failed", &format!("until={middle}")], vec![]),
        (vec![&format!("user={NOBODY}")], vec![]),
    ] {
        let query = filters.join("&");
        assert_eq!(events(&read_all(&admin, &format!("{query}&limit=1")).await), expected, "{query}");
    }
}

#[tokio::test]
async fn bad_filters_are_pointed_at() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    let id = admin.id().await;
    for (query, pointers) in [
        ("user=me".to_owned(), vec!["?user"]),
        (format!("user={}", id.to_uppercase()), vec!["?user"]),
        ("actor=".to_owned(), vec!["?actor"]),
        ("event=everything".to_owned(), vec!["?event"]),
        ("event=login_failed%20".to_owned(), vec!["?event"]),
        ("since=yesterday".to_owned(), vec!["?since"]),
        ("since=2026-11-24T03:42:08".to_owned(), vec!["?since"]),
        ("since=2026-11-24T03:42:08+01:00".to_owned(), vec!["?since"]),
        ("until=1".to_owned(), vec!["?until"]),
        ("limit=0".to_owned(), vec!["?limit"]),
        ("limit=201".to_owned(), vec!["?limit"]),
        ("event=login_failed&event=user_locked".to_owned(), vec!["?event"]),
        ("ip=127.0.0.1".to_owned(), vec!["?ip"]),
        (
            "user=x&actor=x&event=x&since=x&until=x&limit=x".to_owned(),
            vec!["?user", "?actor", "?event", "?since", "?until", "?limit"],
        ),
    ] {
        let answer = admin.ask(Method::GET, &format!("/admin/audit?{query}")).await;
        let errors = answer.expect_problem(422, "invalid_request").json["errors"].clone();
        let told: Vec<&str> =
            errors.as_array().expect("errors").iter().map(|e| e["pointer"].as_str().expect("text")).collect();
        assert_eq!(told, pointers, "{query}");
    }
    let offset = "/admin/audit?since=2026-11-24T03:42:08%2B01:00";
    admin.ask(Method::GET, offset).await.expect_status(200);
}

#[tokio::test]
async fn a_cursor_is_good_for_its_filters_and_its_listing() {
    let server = TestServer::start().await;
    let replica = server.replica().await;
    let admin = server.admin().await;
    server.user().await;
    server.user().await;
    let page = admin.ask(Method::GET, "/admin/audit?limit=1&event=user_created").await.expect_status(200);
    let cursor = page.text("next_cursor");
    let elsewhere = admin.at(replica.url());
    let good = format!("/admin/audit?event=user_created&cursor={cursor}");
    elsewhere.ask(Method::GET, &good).await.expect_status(200);
    let users = admin.ask(Method::GET, "/admin/users?limit=1").await.expect_status(200).text("next_cursor");
    for query in [
        format!("cursor={cursor}"),
        format!("event=login_failed&cursor={cursor}"),
        format!("event=user_created&since=2026-11-24T03:42:08Z&cursor={cursor}"),
        format!("event=user_created&user={NOBODY}&cursor={cursor}"),
        format!("event=user_created&cursor={users}"),
        "cursor=".to_owned(),
    ] {
        let answer = elsewhere.ask(Method::GET, &format!("/admin/audit?{query}")).await;
        answer.expect_problem(400, "invalid_cursor");
    }
}

/// Records of an older version lack what it did not know; a newer version may write events that this one does not know.
#[tokio::test]
async fn records_of_other_versions_are_shown() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    server.database.execute("UPDATE audit_log SET outcome = NULL, origin = NULL, event = 'later'").await;
    let records = read_all(&admin, "limit=2").await;
    assert!(records.len() >= 2);
    for record in records {
        assert_eq!(record["event"], "later");
        assert!(record["outcome"].is_null() && record["origin"].is_null(), "{record}");
    }
}

#[test]
fn every_event_is_described() {
    let page = include_str!("../../docs/audit.md");
    for event in SecurityEvent::ALL {
        let row = page.lines().find(|line| line.starts_with(&format!("| `{}` |", event.as_str())));
        let row = row.unwrap_or_else(|| panic!("docs/audit.md does not describe {}", event.as_str()));
        assert!(row.contains(event.outcome().as_str()), "{row}");
    }
    assert_eq!(
        page.lines().filter(|line| line.starts_with("| `")).count(),
        SecurityEvent::ALL.len() + COLUMNS
    );
}

/// Rows of the page that describe columns.
const COLUMNS: usize = 12;

/// However many were refused, each is recorded once.
#[tokio::test]
async fn refusals_of_many_are_recorded_each_once() {
    const MANY: usize = 260; // more than one transaction takes
    let server = TestServer::start().await;
    for _ in 0..MANY / 10 {
        join_all((0..10).map(async |_| {
            let user = server.user().await;
            user.ask(Method::GET, "/admin/users").await.expect_problem(403, "insufficient_role");
        }))
        .await;
    }
    assert_eq!(server.app.refusals_record().await.expect("recorded"), MANY);
    let denied = "SELECT count(DISTINCT user_id) FROM audit_log WHERE event = 'admin_denied'";
    assert_eq!(server.database.number(denied).await, 260);
    let denied = "SELECT count(*) FROM audit_log WHERE event = 'admin_denied'";
    assert_eq!(server.database.number(denied).await, 260);
    assert_eq!(server.app.refusals_record().await.expect("nothing new"), 0);
}
