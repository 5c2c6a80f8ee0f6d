//! Roles: who gives them, when they count, and that somebody always may.

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{Actor, TestServer};

const OUTBOX: &str = "SELECT count(*) FROM outbox";

async fn set_roles(admin: &Actor, id: &str, roles: Value) -> crate::support::Answer {
    admin.tell(Method::PUT, &format!("/admin/users/{id}/roles"), &json!({ "roles": roles })).await
}

/// The `roles` claim of an actor's access token.
fn claimed(user: &Actor) -> Value {
    let payload = user.access_token.split('.').nth(1).unwrap();
    let claims: Value = serde_json::from_slice(&BASE64_URL_SAFE_NO_PAD.decode(payload).unwrap()).unwrap();
    claims["roles"].clone()
}

/// Z3: what the token says does not count here; what it says is right again after a refresh.
#[tokio::test]
async fn a_role_counts_here_at_once_and_in_tokens_from_the_next_refresh() {
    let server = TestServer::start().await;
    let replica = server.replica().await;
    let (admin, mut user) = (server.admin().await, server.user().await);
    let id = user.id().await;
    user.ask(Method::GET, "/admin/users").await.expect_problem(403, "insufficient_role");

    let given = set_roles(&admin, &id, json!(["user", "admin", "billing:read"])).await.expect_status(200);
    assert_eq!(given.json["roles"], json!(["admin", "billing:read", "user"]));
    user.at(replica.url()).ask(Method::GET, "/admin/users").await.expect_status(200);
    assert_eq!(claimed(&user), json!(["user"]));
    user.refresh().await.expect_status(200);
    assert_eq!(claimed(&user), json!(["admin", "billing:read", "user"]));

    set_roles(&admin, &id, json!(["user"])).await.expect_status(200);
    assert_eq!(claimed(&user), json!(["admin", "billing:read", "user"]), "the token still says so");
    for base in [server.url(), replica.url()] {
        user.at(base).ask(Method::GET, "/admin/users").await.expect_problem(403, "insufficient_role");
    }
    assert_eq!(user.me().await.expect_status(200).json["roles"], json!(["user"]));
    user.refresh().await.expect_status(200);
    assert_eq!(claimed(&user), json!(["user"]));

    let events =
        server.database.texts("SELECT data FROM outbox WHERE type = 'auth.user_roles_changed'").await;
    assert_eq!(events.len(), 2);
    assert_eq!(
        server.database.number("SELECT count(*) FROM audit_log WHERE event = 'user_roles_changed'").await,
        2
    );
    server.database.check_invariants().await;
}

#[tokio::test]
async fn the_same_roles_again_change_nothing() {
    let server = TestServer::start().await;
    let (admin, user) = (server.admin().await, server.user().await);
    let (id, before) = (user.id().await, server.database.number(OUTBOX).await);
    let same = set_roles(&admin, &id, json!(["user", "user"])).await.expect_status(200);
    assert_eq!(same.json["updated_at"], same.json["created_at"]);
    assert_eq!(server.database.number(OUTBOX).await, before);
    let none = set_roles(&admin, &id, json!([])).await.expect_status(200);
    assert_eq!(none.json["roles"], json!([]));
}

#[tokio::test]
async fn malformed_names_are_pointed_at_one_by_one() {
    let server = TestServer::start().await;
    let (admin, user) = (server.admin().await, server.user().await);
    let id = user.id().await;
    let long = "a".repeat(65);
    let bad = json!(["user", "", "ok:1", "Admin", "a b", "1st", "ä", "a.b", long, "admin\n"]);
    let answer = set_roles(&admin, &id, bad).await.expect_problem(422, "invalid_request");
    let pointers: Vec<&Value> =
        answer.json["errors"].as_array().unwrap().iter().map(|e| &e["pointer"]).collect();
    assert_eq!(
        pointers,
        ["/roles/1", "/roles/3", "/roles/4", "/roles/5", "/roles/6", "/roles/7", "/roles/8", "/roles/9"]
    );
    let many: Vec<String> = (0..17).map(|n| format!("r{n}")).collect();
    for (roles, pointer) in [
        (json!(many), "/roles"),
        (json!("admin"), "/roles"),
        (json!([1]), "/roles/0"),
        (json!(null), "/roles"),
    ] {
        let answer = set_roles(&admin, &id, roles).await.expect_problem(422, "invalid_request");
        assert_eq!(answer.json["errors"][0]["pointer"], pointer);
    }
    assert_eq!(user.me().await.json["roles"], json!(["user"]));
    set_roles(&admin, &id, json!(many[..16])).await.expect_status(200);
}

/// P8: nobody grants themselves anything on the way in.
#[tokio::test]
async fn nobody_signs_up_with_a_role() {
    let server = TestServer::start().await;
    let stranger = server.anonymous();
    for field in ["role", "roles", "status", "id", "email_verified", "session_epoch"] {
        let mut body = json!({ "email": stranger.email, "password": stranger.password });
        body[field] = json!(["admin"]);
        let answer = stranger.post("/auth/signup", &body).await.expect_problem(422, "invalid_request");
        assert_eq!(answer.json["errors"][0]["pointer"], format!("/{field}"));
    }
    assert_eq!(server.database.number("SELECT count(*) FROM users_auth").await, 0);
}

#[tokio::test]
async fn the_last_active_admin_stays() {
    let server = TestServer::start().await;
    let (admin, other) = (server.admin().await, server.admin().await);
    let (id, other_id) = (admin.id().await, other.id().await);
    let disable = json!({ "status": "disabled" });
    let path = format!("/admin/users/{id}");
    // An admin who is disabled does not count.
    admin.tell(Method::PATCH, &format!("/admin/users/{other_id}"), &disable).await.expect_status(200);

    let before = server.database.number(OUTBOX).await;
    set_roles(&admin, &id, json!(["user"])).await.expect_problem(409, "last_admin");
    admin.tell(Method::PATCH, &path, &disable).await.expect_problem(409, "last_admin");
    admin.ask(Method::DELETE, &path).await.expect_problem(409, "last_admin");
    let me = admin.me().await.expect_status(200).json;
    assert_eq!((&me["roles"], &me["status"]), (&json!(["admin", "user"]), &json!("active")));
    assert_eq!(server.database.number(OUTBOX).await, before);
    // It may change everything else about itself.
    set_roles(&admin, &id, json!(["admin", "ops"])).await.expect_status(200);

    admin
        .tell(Method::PATCH, &format!("/admin/users/{other_id}"), &json!({ "status": "active" }))
        .await
        .expect_status(200);
    set_roles(&admin, &id, json!(["user"])).await.expect_status(200);
    admin.ask(Method::GET, &path).await.expect_problem(403, "insufficient_role");
    server.database.check_invariants().await;
}

#[tokio::test]
async fn an_admin_may_leave_when_another_is_there() {
    let server = TestServer::start().await;
    let (admin, other) = (server.admin().await, server.admin().await);
    let id = admin.id().await;
    admin.ask(Method::DELETE, &format!("/admin/users/{id}")).await.expect_status(204);
    admin.me().await.expect_problem(401, "session_ended");
    let other_id = other.id().await;
    other.ask(Method::DELETE, &format!("/admin/users/{other_id}")).await.expect_problem(409, "last_admin");
}
