//! What admins do to users, and what becomes of those.

use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{Actor, TestServer};

const NOBODY: &str = "01890000-0000-7000-8000-000000000000";

/// The types of a user's events, in order.
async fn events(server: &TestServer, user: &str) -> Vec<String> {
    let all = server.database.texts("SELECT type || ' ' || data FROM outbox ORDER BY subject_seq").await;
    let of_user = all.iter().filter(|line| line.contains(user));
    of_user.map(|line| line.split(' ').next().unwrap().to_owned()).collect()
}

/// Audit records that name an actor.
async fn deeds(server: &TestServer) -> Vec<String> {
    server.database.texts("SELECT event FROM audit_log WHERE actor_id IS NOT NULL ORDER BY id").await
}

async fn expect_over(user: &Actor) {
    user.me().await.expect_problem(401, "session_ended");
    user.present(&user.refresh_token).await.expect_problem(401, "session_ended");
}

fn path(id: &str, rest: &str) -> String {
    format!("/admin/users/{id}{rest}")
}

#[tokio::test]
async fn a_disabled_user_is_out_at_once_and_everywhere() {
    let server = TestServer::start().await;
    let replica = server.replica().await;
    let (admin, mut user) = (server.admin().await, server.user().await);
    let other_device = user.on_another_device().await;
    let id = user.id().await;

    let disable = json!({ "status": "disabled" });
    let shown = admin.tell(Method::PATCH, &path(&id, ""), &disable).await.expect_status(200);
    assert_eq!((shown.text("id"), shown.text("status")), (id.clone(), "disabled".to_owned()));
    expect_over(&user.at(replica.url())).await;
    expect_over(&other_device).await;
    user.login().await.expect_problem(401, "invalid_credentials");
    let expected = ["auth.user_created", "auth.user_disabled", "auth.session_revoked"];
    assert_eq!(events(&server, &id).await, expected);
    assert_eq!(deeds(&server).await, ["user_disabled"]);

    // Again, and nothing happens.
    admin.tell(Method::PATCH, &path(&id, ""), &disable).await.expect_status(200);
    assert_eq!(events(&server, &id).await, expected);
    assert_eq!(deeds(&server).await, ["user_disabled"]);

    let enable = json!({ "status": "active" });
    admin.tell(Method::PATCH, &path(&id, ""), &enable).await.expect_status(200);
    expect_over(&user).await;
    user.login().await.expect_status(200);
    assert_eq!(events(&server, &id).await.last().unwrap(), "auth.user_updated");
    assert_eq!(deeds(&server).await, ["user_disabled", "user_enabled"]);
    server.database.check_invariants().await;
}

#[tokio::test]
async fn the_audit_log_names_the_admin_and_the_user() {
    let server = TestServer::start().await;
    let (admin, user) = (server.admin().await, server.user().await);
    let id = user.id().await;
    admin.tell(Method::PATCH, &path(&id, ""), &json!({ "status": "disabled" })).await.expect_status(200);
    let both = server
        .database
        .number(
            "SELECT count(*) FROM audit_log AS a
             JOIN users_auth AS actor ON actor.id = a.actor_id AND actor.roles LIKE '%admin%'
             JOIN users_auth AS user_ ON user_.id = a.user_id AND user_.status = 'disabled'
             WHERE a.event = 'user_disabled'",
        )
        .await;
    assert_eq!(both, 1);
    assert_eq!(server.database.number("SELECT count(*) FROM audit_log WHERE actor_id IS NOT NULL").await, 1);
}

#[tokio::test]
async fn a_reset_password_ends_every_session() {
    let server = TestServer::start().await;
    let (admin, mut user) = (server.admin().await, server.user().await);
    let id = user.id().await;
    let reset = path(&id, "/password");
    let refused = admin.tell(Method::POST, &reset, &json!({ "new_password": "short" })).await;
    assert_eq!(refused.expect_problem(422, "invalid_request").json["errors"][0]["pointer"], "/new_password");
    let guessable = json!({ "new_password": user.email });
    admin.tell(Method::POST, &reset, &guessable).await.expect_problem(422, "invalid_request");
    user.me().await.expect_status(200);

    let new = json!({ "new_password": "another lake at dusk" });
    admin.tell(Method::POST, &reset, &new).await.expect_status(204);
    expect_over(&user).await;
    user.login().await.expect_problem(401, "invalid_credentials");
    user.password = "another lake at dusk".to_owned();
    user.login().await.expect_status(200);
    let expected = ["auth.user_created", "auth.password_changed", "auth.session_revoked"];
    assert_eq!(events(&server, &id).await, expected);
    assert_eq!(deeds(&server).await, ["password_reset"]);
    server.database.check_invariants().await;
}

/// Z6: whoever signs up with the address of someone who was deleted is somebody else.
#[tokio::test]
async fn a_deleted_user_is_gone_and_nobody_inherits() {
    let server = TestServer::start().await;
    let (admin, mut user) = (server.admin().await, server.user().await);
    let id = user.id().await;
    let roles = json!({ "roles": ["billing:read", "user"] });
    admin.tell(Method::PUT, &path(&id, "/roles"), &roles).await.expect_status(200);
    admin.ask(Method::DELETE, &path(&id, "")).await.expect_status(204);
    admin.ask(Method::DELETE, &path(&id, "")).await.expect_problem(404, "not_found");
    expect_over(&user).await;
    user.login().await.expect_problem(401, "invalid_credentials");
    assert_eq!(events(&server, &id).await.last().unwrap(), "auth.user_deleted");

    let old = user.clone();
    let made = user.signup().await.expect_status(201);
    assert_ne!(made.text("id"), id);
    assert_eq!(made.json["roles"], json!(["user"]));
    user.login().await.expect_status(200);
    expect_over(&old).await;
    let sessions = admin.ask(Method::GET, &path(&made.text("id"), "/sessions")).await.expect_status(200);
    assert_eq!(sessions.json["items"].as_array().unwrap().len(), 1);
    admin.ask(Method::GET, &path(&id, "")).await.expect_problem(404, "not_found");
    server.database.check_invariants().await;
}

#[tokio::test]
async fn an_admin_sees_sessions_and_ends_them() {
    let server = TestServer::start().await;
    let (admin, user) = (server.admin().await, server.user().await);
    let second = user.on_another_device().await;
    user.on_another_device().await.logout().await.expect_status(204);
    let id = user.id().await;
    let listed = admin.ask(Method::GET, &path(&id, "/sessions")).await.expect_status(200).json;
    let items = listed["items"].as_array().unwrap();
    assert_eq!(items.len(), 2);
    for item in items {
        assert_eq!(item["current"], false);
        assert_eq!(item["ip"], "127.0.0.1");
    }
    let admin_id = admin.id().await;
    let own = admin.ask(Method::GET, &path(&admin_id, "/sessions")).await.expect_status(200).json;
    assert_eq!(own["items"][0]["current"], true);

    admin.ask(Method::DELETE, &path(&id, "/sessions")).await.expect_status(204);
    expect_over(&user).await;
    expect_over(&second).await;
    assert_eq!(
        events(&server, &id).await,
        ["auth.user_created", "auth.session_revoked", "auth.session_revoked"]
    );
    // There was nothing left to end, and nobody hears of it.
    admin.ask(Method::DELETE, &path(&id, "/sessions")).await.expect_status(204);
    assert_eq!(events(&server, &id).await.len(), 3);
    let listed = admin.ask(Method::GET, &path(&id, "/sessions")).await.expect_status(200).json;
    assert_eq!(listed, json!({ "items": [] }));
    server.database.check_invariants().await;
}

#[tokio::test]
async fn nobody_is_found_under_an_unknown_or_malformed_id() {
    let server = TestServer::start().await;
    let (admin, user) = (server.admin().await, server.user().await);
    let id = user.id().await;
    let spelled = [id.to_uppercase(), id.replace('-', ""), format!("%7B{id}%7D"), format!("{id}%20")];
    let odd = ["0", "%ff", "%00", "..%2f", "me", NOBODY];
    for id in odd.into_iter().chain(spelled.iter().map(String::as_str)) {
        for (method, rest, body) in [
            (Method::GET, "", None),
            (Method::PATCH, "", Some(json!({ "status": "disabled" }))),
            (Method::DELETE, "", None),
            (Method::PUT, "/roles", Some(json!({ "roles": [] }))),
            (Method::POST, "/password", Some(json!({ "new_password": "another lake at dusk" }))),
            (Method::GET, "/sessions", None),
            (Method::DELETE, "/sessions", None),
        ] {
            let answer = match body {
                Some(body) => admin.tell(method, &path(id, rest), &body).await,
                None => admin.ask(method, &path(id, rest)).await,
            };
            answer.expect_problem(404, "not_found");
        }
    }
    user.me().await.expect_status(200);
    assert!(deeds(&server).await.is_empty());
}

#[tokio::test]
async fn bad_bodies_change_nothing() {
    let server = TestServer::start().await;
    let (admin, user) = (server.admin().await, server.user().await);
    let id = user.id().await;
    for (body, pointer) in [
        (json!({ "status": "banned" }), "/status"),
        (json!({ "status": "Disabled" }), "/status"),
        (json!({ "status": null }), "/status"),
        (json!({}), "/status"),
        (json!({ "status": "disabled", "roles": ["admin"] }), "/roles"),
        (json!({ "status": "disabled", "id": NOBODY }), "/id"),
        (json!({ "status": "disabled", "email_verified": true }), "/email_verified"),
    ] {
        let answer = admin.tell(Method::PATCH, &path(&id, ""), &body).await;
        let problem = answer.expect_problem(422, "invalid_request");
        assert_eq!(problem.json["errors"][0]["pointer"], pointer, "{body}");
    }
    let answer = admin.ask(Method::PATCH, &path(&id, "")).await;
    answer.expect_problem(415, "unsupported_media_type");
    user.me().await.expect_status(200);
    assert!(deeds(&server).await.is_empty());
}

/// Reads a listing to its end, and returns the ids.
async fn read_all(admin: &Actor, query: &str) -> Vec<String> {
    let (mut ids, mut cursor) = (vec![], String::new());
    loop {
        let page =
            admin.ask(Method::GET, &format!("/admin/users?{query}{cursor}")).await.expect_status(200).json;
        let items = page["items"].as_array().unwrap();
        ids.extend(items.iter().map(|item| item["id"].as_str().unwrap().to_owned()));
        match &page["next_cursor"] {
            Value::String(next) => cursor = format!("&cursor={next}"),
            other => {
                assert!(other.is_null() && page.as_object().unwrap().contains_key("next_cursor"));
                return ids;
            }
        }
    }
}

#[tokio::test]
async fn a_listing_is_read_page_by_page() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    let mut made = vec![admin.id().await];
    for n in 0..6 {
        let user = server.user().await;
        let id = user.id().await;
        if n % 2 == 0 {
            let roles = json!({ "roles": ["a_b"] });
            admin.tell(Method::PUT, &path(&id, "/roles"), &roles).await.expect_status(200);
        } else {
            let roles = json!({ "roles": ["axb", "a_bc", "xa_b"] });
            admin.tell(Method::PUT, &path(&id, "/roles"), &roles).await.expect_status(200);
        }
        made.push(id);
    }
    for limit in ["limit=1", "limit=3", "limit=6", "limit=7", "limit=200", ""] {
        assert_eq!(read_all(&admin, limit).await, made, "{limit}");
    }
    let even: Vec<String> = made[1..].iter().step_by(2).cloned().collect();
    assert_eq!(read_all(&admin, "role=a_b&limit=2").await, even, "an underscore is no wildcard");
    assert!(read_all(&admin, "role=a").await.is_empty());
    assert_eq!(read_all(&admin, "role=admin").await, made[..1]);

    admin.tell(Method::PATCH, &path(&made[3], ""), &json!({ "status": "disabled" })).await.expect_status(200);
    assert_eq!(read_all(&admin, "status=disabled&limit=1").await, made[3..4]);
    assert_eq!(read_all(&admin, "status=disabled&role=admin").await, Vec::<String>::new());
    assert_eq!(read_all(&admin, "status=active&limit=2").await.len(), 6);

    let upper = admin.email.to_uppercase();
    assert_eq!(read_all(&admin, &format!("email={upper}")).await, made[..1]);
    assert_eq!(read_all(&admin, &format!("email={upper}&role=user&status=active")).await, made[..1]);
    assert!(read_all(&admin, &format!("email={upper}&status=disabled")).await.is_empty());
    assert!(read_all(&admin, &format!("email={upper}&role=a_b")).await.is_empty());
    assert!(read_all(&admin, "email=nobody@example.com").await.is_empty());
}

#[tokio::test]
async fn bad_filters_are_pointed_at() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    for (query, pointers) in [
        ("email=nonsense", vec!["?email"]),
        ("email=", vec!["?email"]),
        ("role=Admin", vec!["?role"]),
        ("status=gone", vec!["?status"]),
        ("limit=0", vec!["?limit"]),
        ("limit=201", vec!["?limit"]),
        ("limit=-1", vec!["?limit"]),
        ("limit=many", vec!["?limit"]),
        ("limit=%2B5", vec!["?limit"]),
        ("limit=1&limit=2", vec!["?limit"]),
        ("sort=email", vec!["?sort"]),
        ("email=x&role=%20&status=&limit=", vec!["?email", "?role", "?status", "?limit"]),
    ] {
        let answer = admin.ask(Method::GET, &format!("/admin/users?{query}")).await;
        let errors = answer.expect_problem(422, "invalid_request").json["errors"].clone();
        let told: Vec<&str> =
            errors.as_array().unwrap().iter().map(|e| e["pointer"].as_str().unwrap()).collect();
        assert_eq!(told, pointers, "{query}");
    }
}

#[tokio::test]
async fn a_cursor_is_good_for_its_listing_for_an_hour_on_every_replica() {
    let server = TestServer::start_with(&[("token.access_ttl", "2h")]).await;
    let replica = server.replica().await;
    let admin = server.admin().await;
    server.user().await;
    server.user().await;
    let page = admin.ask(Method::GET, "/admin/users?limit=1&status=active").await.expect_status(200);
    let cursor = page.text("next_cursor");
    let ask = async |query: String| {
        admin.at(replica.url()).ask(Method::GET, &format!("/admin/users?{query}")).await
    };

    ask(format!("status=active&cursor={cursor}")).await.expect_status(200);
    let refused = [
        format!("cursor={cursor}"),
        format!("status=disabled&cursor={cursor}"),
        format!("status=active&role=user&cursor={cursor}"),
        format!("status=active&cursor={}", &cursor[1..]),
        format!("status=active&cursor={cursor}A"),
        format!("status=active&cursor={cursor}%3D"),
        format!("status=active&cursor={}", cursor.replacen("AQ", "AR", 1)),
        "status=active&cursor=".to_owned(),
        format!("status=active&cursor={NOBODY}"),
        format!("status=active&cursor={}", "A".repeat(5_000)),
    ];
    for query in refused {
        ask(query).await.expect_problem(400, "invalid_cursor");
    }
    server.clock.advance(Duration::from_secs(3_599));
    ask(format!("status=active&cursor={cursor}")).await.expect_status(200);
    server.clock.advance(Duration::from_secs(1));
    ask(format!("status=active&cursor={cursor}")).await.expect_problem(400, "invalid_cursor");
}
