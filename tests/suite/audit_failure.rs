//! L4: what cannot be recorded does not happen.

use keyward::app::Error;
use reqwest::Method;
use serde_json::json;

use crate::support::{Actor, Answer, TestDatabase, TestServer};

/// Everything that the requests below would change.
const STATE: &str = "
    SELECT id || ' ' || state AS line FROM (
        SELECT email_canonical AS id, roles || ' ' || status || ' ' || password_hash || ' '
            || CAST(session_epoch AS text) || ' ' || CAST(event_seq AS text) AS state FROM users_auth
        UNION ALL SELECT 'generation', CAST(generation AS text) || ' ' || coalesce(end_reason, 'live') FROM refresh_tokens
        UNION ALL SELECT kid, state FROM signing_keys
        UNION ALL SELECT id, coalesce(CAST(revoked_at AS text), 'live') FROM clients
        UNION ALL SELECT 'events', CAST(count(*) AS text) FROM outbox
        UNION ALL SELECT 'deliveries', CAST(count(*) AS text) FROM outbox_deliveries
    ) AS everything ORDER BY line";

async fn state(database: &TestDatabase) -> Vec<String> {
    database.texts(STATE).await
}

#[tokio::test]
async fn what_cannot_be_recorded_does_not_happen() {
    let server = TestServer::start().await;
    let (admin, mut user) = (server.admin().await, server.user().await);
    let other_session = user.on_another_device().await.me().await.text("session_id");
    let (id, old) = (user.id().await, user.refresh_token.clone());
    let operator = server.operator();
    server.app.client_create(&operator, "billing".parse().expect("a name")).await.expect("a client");
    // A third time, so that the first token is one that must not be presented any more.
    user.refresh().await.expect_status(200);
    user.refresh().await.expect_status(200);

    let records = "SELECT count(*) FROM audit_log";
    let before = (state(&server.database).await, server.database.number(records).await);
    server.database.execute("ALTER TABLE audit_log RENAME TO gone").await;
    let path = |rest: &str| format!("/admin/users/{id}{rest}");
    let told = async |method, path: &str, body| expect_failure(admin.tell(method, path, &body).await);
    let asked = async |who: &Actor, method, path: &str| expect_failure(who.ask(method, path).await);

    expect_failure(server.anonymous().signup().await);
    expect_failure(user.login_as(&user.email, &user.password).await);
    expect_failure(user.login_as(&user.email, "not the right one").await);
    expect_failure(user.logout().await);
    expect_failure(user.logout_everywhere().await);
    expect_failure(user.logout_by(&user.refresh_token, "").await);
    expect_failure(user.present(&old).await);
    asked(&user, Method::DELETE, &format!("/auth/sessions/{other_session}")).await;
    let change = json!({ "current_password": user.password, "new_password": "another lake at dusk" });
    expect_failure(user.tell(Method::POST, "/auth/password", &change).await);

    told(Method::PUT, &path("/roles"), json!({ "roles": ["admin", "user"] })).await;
    told(Method::PATCH, &path(""), json!({ "status": "disabled" })).await;
    told(Method::POST, &path("/password"), json!({ "new_password": "another lake at dusk" })).await;
    asked(&admin, Method::POST, &path("/unlock")).await;
    asked(&admin, Method::DELETE, &path("/sessions")).await;
    asked(&admin, Method::DELETE, &path("")).await;
    told(Method::POST, "/admin/keys/rotate", json!({ "now": true })).await;
    asked(&admin, Method::GET, "/admin/audit").await;
    let created = server.app.client_create(&operator, "mail".parse().expect("a name")).await.map(drop);
    let revoked = server.app.client_revoke(&operator, "billing".parse().expect("a name")).await;
    let ended = server.app.sessions_end_everywhere(&operator).await.map(drop);
    for refused in [created, revoked, ended] {
        assert!(matches!(refused, Err(Error::Store(_))), "{refused:?}");
    }

    // Whoever has a session goes on meanwhile: a refresh records nothing.
    user.me().await.expect_status(200);
    server.database.execute("ALTER TABLE gone RENAME TO audit_log").await;
    assert_eq!((state(&server.database).await, server.database.number(records).await), before);
    user.refresh().await.expect_status(200);
    admin.ask(Method::GET, "/admin/audit").await.expect_status(200);
    user.logout().await.expect_status(204);
    server.database.check_invariants().await;
}

fn expect_failure(answer: Answer) {
    answer.expect_problem(500, "internal_error");
}

/// On PostgreSQL somebody may hold the table for too long: try again later, and nothing has happened.
#[tokio::test]
async fn a_log_that_is_held_is_waited_for_and_then_given_up() {
    let server = TestServer::start().await;
    if server.database.kind == crate::support::Kind::Sqlite {
        return;
    }
    let user = server.user().await;
    let before = state(&server.database).await;
    let keyward::store::Store::Postgres { pool, .. } = server.database.store().await else {
        panic!("PostgreSQL")
    };
    let mut held = pool.begin().await.expect("a transaction");
    sqlx::query("LOCK TABLE audit_log").execute(&mut *held).await.expect("held");
    let stranger = server.anonymous();
    let (signup, logout) = tokio::join!(stranger.signup(), user.logout());
    for answer in [signup, logout] {
        let answer = answer.expect_problem(503, "unavailable");
        assert!(!answer.header("retry-after").is_empty());
    }
    held.rollback().await.expect("let go");
    assert_eq!(state(&server.database).await, before);
    user.logout().await.expect_status(204);
}
