//! Signing keys in the hands of admins.

use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{Actor, TestServer};

async fn keys(admin: &Actor) -> Vec<Value> {
    let listed = admin.ask(Method::GET, "/admin/keys").await.expect_status(200).json;
    listed["items"].as_array().unwrap().clone()
}

/// The id of the one key in this state.
async fn kid(admin: &Actor, state: &str) -> String {
    let keys = keys(admin).await;
    let mut found = keys.iter().filter(|key| key["state"] == state);
    let kid = found.next().unwrap_or_else(|| panic!("no {state} key in {keys:?}"))["kid"].as_str().unwrap();
    assert!(found.next().is_none(), "{keys:?}");
    kid.to_owned()
}

#[tokio::test]
async fn an_admin_sees_what_is_published_and_no_more() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    let keys = keys(&admin).await;
    let published = admin.get("/.well-known/jwks.json").await.expect_status(200).json;
    let mut names: Vec<&Value> =
        published["keys"].as_array().unwrap().iter().map(|key| &key["kid"]).collect();
    let mut listed: Vec<&Value> = keys.iter().map(|key| &key["kid"]).collect();
    names.sort_by_key(ToString::to_string);
    listed.sort_by_key(ToString::to_string);
    assert_eq!(names, listed);
    for key in keys {
        let members: Vec<&String> = key.as_object().unwrap().keys().collect();
        assert_eq!(members, ["algorithm", "created_at", "kid", "promoted_at", "retired_at", "state"]);
    }
}

#[tokio::test]
async fn a_key_signs_once_it_was_public_for_long_enough_or_is_told_to() {
    let server = TestServer::start().await;
    let mut admin = server.admin().await;
    let (active, pending) = (kid(&admin, "active").await, kid(&admin, "pending").await);
    let fresh = admin.ask(Method::POST, "/admin/keys/rotate").await.expect_problem(409, "key_too_fresh");
    assert!(fresh.text("detail").contains("may sign from"), "{}", fresh.json);
    let not_now = admin.tell(Method::POST, "/admin/keys/rotate", &json!({ "now": false })).await;
    not_now.expect_problem(409, "key_too_fresh");
    assert_eq!(kid(&admin, "active").await, active);

    server.clock.advance(Duration::from_secs(24 * 60 * 60));
    admin.refresh().await.expect_status(200);
    let rotated = admin.ask(Method::POST, "/admin/keys/rotate").await.expect_status(201);
    assert_eq!((rotated.text("kid"), rotated.text("state")), (pending.clone(), "active".to_owned()));
    assert_eq!(rotated.json["retired_at"], Value::Null);
    assert!(rotated.json["promoted_at"].is_string());
    assert_eq!((kid(&admin, "active").await, kid(&admin, "retired").await), (pending.clone(), active));
    admin.me().await.expect_status(200);

    let next = kid(&admin, "pending").await;
    let now = admin.tell(Method::POST, "/admin/keys/rotate", &json!({ "now": true })).await;
    assert_eq!(now.expect_status(201).text("kid"), next);
    admin.login().await.expect_status(200);
    admin.me().await.expect_status(200);
    let by_admin =
        "SELECT count(*) FROM audit_log WHERE event = 'signing_key_promoted' AND actor_id IS NOT NULL";
    assert_eq!(server.database.number(by_admin).await, 2);
}

#[tokio::test]
async fn what_a_revoked_key_signed_is_refused() {
    let server = TestServer::start().await;
    let mut admin = server.admin().await;
    let compromised = kid(&admin, "active").await;
    let revoke = format!("/admin/keys/{compromised}/revoke");
    admin.ask(Method::POST, &revoke).await.expect_status(204);
    admin.me().await.expect_problem(401, "invalid_token");
    admin.ask(Method::POST, &revoke).await.expect_problem(401, "invalid_token");
    // The session is not to blame.
    admin.refresh().await.expect_status(200);
    admin.ask(Method::POST, &revoke).await.expect_problem(404, "not_found");
    assert_ne!(kid(&admin, "active").await, compromised);
    let by_admin =
        "SELECT count(*) FROM audit_log WHERE event = 'signing_key_revoked' AND actor_id IS NOT NULL";
    assert_eq!(server.database.number(by_admin).await, 1);
}

#[tokio::test]
async fn bad_requests_about_keys_change_nothing() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    let before = keys(&admin).await;
    for kid in ["unknown", "a.b", "%ff", "%00", "%20", &"a".repeat(129)] {
        let answer = admin.ask(Method::POST, &format!("/admin/keys/{kid}/revoke")).await;
        answer.expect_problem(404, "not_found");
    }
    for (body, pointer) in [(json!({ "now": "yes" }), "/now"), (json!({ "force": true }), "/force")] {
        let answer = admin.tell(Method::POST, "/admin/keys/rotate", &body).await;
        assert_eq!(answer.expect_problem(422, "invalid_request").json["errors"][0]["pointer"], pointer);
    }
    assert_eq!(keys(&admin).await, before);
}
