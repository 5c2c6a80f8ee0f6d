//! Who may do what: every admin route against everyone who is no admin (Z1), and ids of others (Z2).

use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{Actor, Answer, Forge, TestServer};

/// What must not change, however often it is asked for.
const STATE: [&str; 4] = [
    "SELECT count(*) FROM users_auth",
    "SELECT count(*) FROM outbox WHERE type <> 'auth.signing_key_rotated'",
    "SELECT count(*) FROM refresh_tokens WHERE ended_at IS NULL",
    "SELECT count(*) FROM audit_log",
];

async fn state(server: &TestServer) -> Vec<i64> {
    let mut numbers = vec![];
    for sql in STATE {
        numbers.push(server.database.number(sql).await);
    }
    numbers
}

/// Every admin route that the server documents, about this user.
async fn admin_routes(server: &TestServer, user: &str) -> Vec<(Method, String)> {
    let document = server.anonymous().get("/openapi.json").await.expect_status(200).json;
    let mut routes = vec![];
    for (path, item) in document["paths"].as_object().unwrap() {
        if !path.starts_with("/admin/") {
            continue;
        }
        for (method, operation) in item.as_object().unwrap() {
            assert_eq!(operation["security"], json!([{ "bearer": [] }]), "{method} {path}");
            assert_eq!(operation["tags"], json!(["admin"]), "{method} {path}");
            let method = Method::from_bytes(method.to_uppercase().as_bytes()).unwrap();
            routes.push((method, path.replace("{id}", user).replace("{kid}", "unknown")));
        }
    }
    assert!(routes.len() >= 13, "{routes:?}");
    routes
}

/// A body that each route would take, all fields together being refused by none before the caller is.
fn body(path: &str) -> Value {
    match path.rsplit('/').next() {
        Some("roles") => json!({ "roles": ["admin"] }),
        Some("password") => json!({ "new_password": "another lake at dusk" }),
        Some("rotate") => json!({ "now": true }),
        _ => json!({ "status": "disabled" }),
    }
}

async fn expect_everywhere(actor: &Actor, routes: &[(Method, String)], expect: impl Fn(Answer) -> Answer) {
    for (method, path) in routes {
        expect(actor.tell(method.clone(), path, &body(path)).await);
        // Before the body is looked at, and before it is known whether there is such a user.
        expect(actor.tell(method.clone(), path, &json!({ "nonsense": 1 })).await);
    }
}

#[tokio::test]
async fn admin_routes_are_for_admins() {
    let server = TestServer::start().await;
    let (admin, victim, user) = (server.admin().await, server.user().await, server.user().await);
    let (victim_id, user_id) = (victim.id().await, user.id().await);
    let about_victim = admin_routes(&server, &victim_id).await;
    let about_self = admin_routes(&server, &user_id).await;
    let about_nobody = admin_routes(&server, "not-an-id").await;

    let mut disabled = server.user().await;
    let mut demoted = server.admin().await;
    let ended = admin.on_another_device().await;
    ended.logout().await.expect_status(204);
    let disabled_id = disabled.id().await;
    let disable = json!({ "status": "disabled" });
    admin.tell(Method::PATCH, &format!("/admin/users/{disabled_id}"), &disable).await.expect_status(200);
    let demoted_id = demoted.id().await;
    let roles = json!({ "roles": ["user"] });
    admin.tell(Method::PUT, &format!("/admin/users/{demoted_id}/roles"), &roles).await.expect_status(200);
    disabled.refresh_token.clear();
    demoted.refresh_token.clear();

    let forge = Forge::of(&server, &admin).await;
    let user_forge = Forge::of(&server, &user).await;
    let holding = |token: String| Actor { access_token: token, ..admin.clone() };
    let before = state(&server).await;
    for routes in [&about_victim, &about_self, &about_nobody] {
        let anonymous = server.anonymous();
        for (method, path) in routes {
            let answer = Answer::of(anonymous.request(method.clone(), path)).await;
            let answer = answer.expect_problem(401, "missing_token");
            assert_eq!(answer.header("www-authenticate"), "Bearer realm=\"keyward\"");
        }
        for someone in [&user, &demoted, &holding(user_forge.with_claim("roles", json!(["admin"])))] {
            expect_everywhere(someone, routes, |answer| {
                let answer = answer.expect_problem(403, "insufficient_role");
                let challenge = "Bearer realm=\"keyward\", error=\"insufficient_scope\"";
                assert_eq!(answer.header("www-authenticate"), challenge);
                answer
            })
            .await;
        }
        for someone in [&disabled, &ended] {
            expect_everywhere(someone, routes, |answer| answer.expect_problem(401, "session_ended")).await;
        }
        let not_tokens = [
            forge.with_claim("aud", json!("http://elsewhere.example")),
            forge.with_claim("iss", json!("http://elsewhere.example")),
            forge.with_claim("exp", json!(1)),
            forge.with_own_key().good(),
            format!("{}x", admin.access_token),
            admin.refresh_token.clone(),
            "garbage".to_owned(),
        ];
        for token in not_tokens {
            expect_everywhere(&holding(token), routes, |answer| answer.expect_problem(401, "invalid_token"))
                .await;
        }
    }
    assert_eq!(state(&server).await, before);
    victim.me().await.expect_status(200);
    holding(forge.good()).ask(Method::GET, "/admin/users").await.expect_status(200);
    server.database.check_invariants().await;
}

#[tokio::test]
async fn an_expired_token_of_an_admin_opens_nothing() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    let routes = admin_routes(&server, &admin.id().await).await;
    server.clock.advance(Duration::from_secs(601));
    expect_everywhere(&admin, &routes, |answer| answer.expect_problem(401, "invalid_token")).await;
}

/// Z2: what belongs to somebody else does not exist.
#[tokio::test]
async fn the_session_of_somebody_else_cannot_be_ended() {
    let server = TestServer::start().await;
    let (admin, victim, user) = (server.admin().await, server.user().await, server.user().await);
    let session = victim.me().await.expect_status(200).text("session_id");
    // An admin has a route for that; this one is about one's own.
    for someone in [&user, &admin] {
        let path = format!("/auth/sessions/{session}");
        someone.ask(Method::DELETE, &path).await.expect_problem(404, "not_found");
    }
    victim.me().await.expect_status(200);
}

/// Z1: what is not documented answers nobody, not even an admin.
#[tokio::test]
async fn undocumented_methods_and_paths_do_nothing() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    let id = admin.id().await;
    let before = state(&server).await;
    for (method, path) in [
        (Method::POST, "/admin/users".to_owned()),
        (Method::DELETE, "/admin/users".to_owned()),
        (Method::PUT, format!("/admin/users/{id}")),
        (Method::PATCH, format!("/admin/users/{id}/roles")),
        (Method::GET, format!("/admin/users/{id}/password")),
        (Method::GET, "/admin/keys/rotate".to_owned()),
        (Method::POST, "/admin/audit".to_owned()),
        (Method::DELETE, "/admin/audit".to_owned()),
    ] {
        let answer = admin.tell(method, &path, &json!({})).await;
        assert!(!answer.expect_problem(405, "method_not_allowed").header("allow").is_empty());
    }
    for path in [
        "/admin",
        "/admin/",
        "/admin/users/",
        "/admin//users",
        "/ADMIN/users",
        "/admin/clients",
        "/admin/audit/",
    ] {
        admin.ask(Method::GET, path).await.expect_problem(404, "not_found");
    }
    assert_eq!(state(&server).await, before);
}
