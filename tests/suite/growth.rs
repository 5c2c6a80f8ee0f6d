//! A database that has grown: no request, and no work in the background, reads one of its large tables from end to end.
//!
//! `PostgreSQL` counts such reads. `SQLite` has the same indexes, which `migrations.rs` compares.

use reqwest::Method;
use serde_json::json;

use crate::support::{Kind, PASSWORD, TestServer, unique_email};

/// Tables that grow with users, sessions or time, and how often each was read as a whole.
const WHOLE_READS: &str = "SELECT relname || ' ' || seq_scan FROM pg_stat_user_tables
     WHERE relname IN ('users_auth', 'refresh_tokens', 'login_failures', 'outbox', 'outbox_deliveries', 'audit_log')
     ORDER BY relname";

/// How many rows of sessions and of users were read by way of an index.
const READ_BY_INDEX: &str = "SELECT sum(idx_tup_read)::bigint FROM pg_stat_user_indexes
     WHERE relname IN ('refresh_tokens', 'users_auth')";
/// Each session that was made for the test has looked up its user.
const READ_FOR_GROWING: i64 = 20_000;
/// A tenth of either.
const FEW: i64 = 2_000;

/// Large enough that the planner would not think of reading all.
const GROW: [&str; 6] = [
    "INSERT INTO users_auth SELECT md5('u' || i)::uuid, 'user-' || i || '@example.com', 'user-' || i || '@example.com',
        false, 'x', 'user', 'active', 0, 1, now() - i * interval '1 second', now()
     FROM generate_series(1, 20000) AS i",
    "INSERT INTO refresh_tokens (id, user_id, handle, generation, mac_key_id, session_epoch, client_id, created_at,
        rotated_at, expires_at)
     SELECT md5('s' || i)::uuid, md5('u' || i)::uuid, decode(md5('h' || i), 'hex'), 3, 1, 0, 'keyward', now(), now(),
        now() + interval '30 days'
     FROM generate_series(1, 20000) AS i",
    "INSERT INTO audit_log (id, occurred_at, event, user_id, request_id)
     SELECT (lpad(to_hex((extract(epoch FROM now()) * 1000)::bigint - i * 60000::bigint), 12, '0') || '70008000' || lpad(to_hex(i),
        12, '0'))::uuid, now() - i * interval '1 minute', 'login_succeeded', md5('u' || i % 20000)::uuid, 'r'
     FROM generate_series(1, 40000) AS i",
    "INSERT INTO outbox SELECT md5('e' || i)::uuid, md5('u' || i)::uuid, 1, 'auth.user_created', now(),
        json_build_object('user_id', md5('u' || i)::uuid, 'email', 'user-' || i || '@example.com', 'email_verified', false,
            'roles', json_build_array('user'))::text
     FROM generate_series(1, 20000) AS i",
    "INSERT INTO outbox_deliveries (event_id, sink, subject_id, subject_seq, attempts, next_attempt_at, published_at, outcome)
     SELECT md5('e' || i)::uuid, 'log', md5('u' || i)::uuid, 1, 1, now(), now(), 'published'
     FROM generate_series(1, 20000) AS i",
    "INSERT INTO login_failures
     SELECT md5('f' || i), 'untrusted', 3, 3, now(), now(), now() + interval '1 hour' FROM generate_series(1, 20000) AS i",
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_reads_a_large_table_from_end_to_end() {
    let mut server = TestServer::start_with(&[("limits.enabled", "true")]).await;
    if server.database.kind == Kind::Sqlite {
        return;
    }
    // What this prepares is planned for tables that are all but empty, and is to go by their indexes all the same.
    let (admin, another, mut user) = (server.admin().await, server.admin().await, server.user().await);
    for _ in 0..6 {
        user.me().await.expect_status(200);
        user.refresh().await.expect_status(200);
    }
    for statement in GROW {
        server.database.execute(statement).await;
    }
    let before = server.database.texts(WHOLE_READS).await;

    user.login_as(&unique_email(), PASSWORD).await.expect_status(401);
    user.me().await.expect_status(200);
    user.refresh().await.expect_status(200);
    user.ask(Method::GET, "/auth/sessions").await.expect_status(200);
    let page = admin.ask(Method::GET, "/admin/users?limit=20").await.expect_status(200);
    admin
        .ask(Method::GET, &format!("/admin/users?limit=20&cursor={}", page.text("next_cursor")))
        .await
        .expect_status(200);
    admin.ask(Method::GET, "/admin/users?email=user-77%40example.com").await.expect_status(200);
    let admins = admin.ask(Method::GET, "/admin/users?role=admin").await.expect_status(200);
    assert_eq!(admins.json["items"].as_array().map(Vec::len), Some(2));
    // Whether anybody is left is looked up.
    let (former, disabled) =
        (format!("/admin/users/{}", another.id().await), json!({ "status": "disabled" }));
    admin.tell(Method::PATCH, &former, &disabled).await.expect_status(200);
    let one = format!("/admin/users/{}", user.id().await);
    admin.ask(Method::GET, &one).await.expect_status(200);
    admin.ask(Method::GET, &format!("{one}/sessions")).await.expect_status(200);
    admin.ask(Method::GET, "/admin/audit?limit=20").await.expect_status(200);
    admin
        .ask(Method::GET, "/admin/audit?event=login_failed&since=2026-01-01T00:00:00Z")
        .await
        .expect_status(200);
    user.logout().await.expect_status(204);
    server.app.maintain("a test").await.expect("nothing else is at work");
    server.published().await;
    admin.ask(Method::DELETE, &one).await.expect_status(204);
    server.published().await;

    // A connection tells its counts at its end, if not before.
    server.stop().await;
    assert_eq!(server.database.texts(WHOLE_READS).await, before);
    // From end to end can be by an index, too.
    let read = server.database.number(READ_BY_INDEX).await - READ_FOR_GROWING;
    assert!(read < FEW, "{read} sessions and users were read");
}
