//! L1: every security event leaves one complete record.

use std::time::Duration;

use keyward::app::{AuditLog, Replay};
use keyward::domain::{EventFilter, Outcome, SecurityEvent};
use reqwest::header::{HeaderMap, HeaderValue};
use reqwest::{Client, Method};
use serde_json::{Value, json};

use crate::lock::LOCK;
use crate::support::{Actor, Answer, TestServer};

const AGENT: &str = "audit-walk/1";
const WRONG: &str = "certainly not this one";
const ANOTHER: &str = "another lake at dusk";

/// Who did it from where, to whom, in which session, as the record is to say it.
#[derive(Debug, Default)]
pub struct Expected {
    /// `None` for what was not asked for over HTTP.
    request_id: Option<String>,
    origin: &'static str,
    user: Option<String>,
    actor: Option<String>,
    session: Option<String>,
    /// Members of `detail` that say who or what, where that is no user.
    named: Vec<(&'static str, Value)>,
}

impl Expected {
    fn asked(request_id: &str) -> Self {
        Self { request_id: Some(request_id.to_owned()), origin: "http", ..Self::default() }
    }

    fn operator() -> Self {
        Self { origin: "command_line", ..Self::default() }
    }

    fn server() -> Self {
        Self { origin: "server", ..Self::default() }
    }

    fn user(self, id: impl Into<String>) -> Self {
        Self { user: Some(id.into()), ..self }
    }

    /// By somebody in a session of their own.
    async fn session(self, actor: &Actor) -> Self {
        Self { session: Some(session(actor).await), ..self }
    }

    async fn admin(self, admin: &Actor) -> Self {
        Self { actor: Some(admin.id().await), ..self.session(admin).await }
    }

    fn named(mut self, member: &'static str, value: impl Into<Value>) -> Self {
        self.named.push((member, value.into()));
        self
    }
}

#[tokio::test]
async fn every_security_event_leaves_one_complete_record() {
    let server = TestServer::start_with(&LOCK).await;
    for event in SecurityEvent::ALL {
        expect_record(&server, *event).await;
    }
}

/// Brings an event about, and checks what was written about it.
pub async fn expect_record(server: &TestServer, event: SecurityEvent) {
    let expected = cause(server, event).await;
    let reader = server.admin().await;
    let path = format!("/admin/audit?event={}&limit=200", event.as_str());
    let records = reader.ask(Method::GET, &path).await.expect_status(200).json["items"].clone();
    let mut records = records.as_array().expect("a list").clone();
    match &expected.request_id {
        Some(id) => {
            records.retain(|record| record["request_id"] == json!(id));
            assert_eq!(records.len(), 1, "{event:?}: {records:?}");
        }
        None => records.truncate(1),
    }
    let record = records.first().unwrap_or_else(|| panic!("no record of {event:?}"));
    let http = expected.origin == "http";
    for (member, value) in [
        ("event", json!(event.as_str())),
        ("outcome", json!(event.outcome().as_str())),
        ("origin", json!(expected.origin)),
        ("ip", if http { json!("127.0.0.1") } else { Value::Null }),
        ("user_agent", if http { json!(AGENT) } else { Value::Null }),
        ("user_id", json!(expected.user)),
        ("actor_id", json!(expected.actor)),
        ("session_id", json!(expected.session)),
    ] {
        assert_eq!(record[member], value, "{member} of {event:?}: {record}");
    }
    for (member, value) in &expected.named {
        assert_eq!(record["detail"][member], *value, "{member} of {event:?}: {record}");
    }
    for member in ["id", "occurred_at", "request_id"] {
        assert!(
            record[member].as_str().is_some_and(|text| !text.is_empty()),
            "{member} of {event:?}: {record}"
        );
    }
    let text = record.to_string();
    assert!(!text.contains('@') && !text.contains("kwr_") && !text.contains(ANOTHER), "{text}");
}

/// A new event does not compile until somebody says here how it comes about.
async fn cause(server: &TestServer, event: SecurityEvent) -> Expected {
    let request = format!("walk-{}", event.as_str());
    match event {
        SecurityEvent::UserCreated => {
            let made = under(&request, server.anonymous()).signup().await.expect_status(201);
            Expected::asked(&request).user(made.text("id"))
        }
        SecurityEvent::LoginSucceeded => {
            let user = server.anonymous();
            user.signup().await.expect_status(201);
            let mut user = under(&request, user);
            user.login().await.expect_status(200);
            Expected::asked(&request).user(user.id().await).session(&user).await
        }
        SecurityEvent::LoginFailed
        | SecurityEvent::UserLocked
        | SecurityEvent::LoginsRefused
        | SecurityEvent::UserUnlocked => lock(server, event, &request).await,
        SecurityEvent::PasswordChanged | SecurityEvent::PasswordChangeFailed => {
            let user = under(&request, server.user().await);
            let right = event.outcome() == Outcome::Success;
            let current = if right { user.password.as_str() } else { WRONG };
            let body = json!({ "current_password": current, "new_password": ANOTHER });
            let answer = user.tell(Method::POST, "/auth/password", &body).await;
            answer.expect_status(if right { 204 } else { 401 });
            Expected::asked(&request).user(user.id().await).session(&user).await
        }
        SecurityEvent::PasswordReset
        | SecurityEvent::UserDisabled
        | SecurityEvent::UserEnabled
        | SecurityEvent::UserRolesChanged
        | SecurityEvent::UserDeleted => administer(server, event, &request).await,
        SecurityEvent::SessionRevoked | SecurityEvent::SessionsRevoked => {
            let user = under(&request, server.user().await);
            let expected = Expected::asked(&request).user(user.id().await).session(&user).await;
            match event {
                SecurityEvent::SessionRevoked => user.logout().await.expect_status(204),
                _ => user.logout_everywhere().await.expect_status(204),
            };
            expected
        }
        SecurityEvent::RefreshTokenReused | SecurityEvent::RefreshTokenAhead => {
            let mut user = server.user().await;
            let old = user.refresh_token.clone();
            let expected = Expected::asked(&request).user(user.id().await).session(&user).await;
            user.refresh().await.expect_status(200);
            user.refresh().await.expect_status(200);
            let user = under(&request, user);
            if event == SecurityEvent::RefreshTokenReused {
                user.present(&old).await.expect_problem(401, "refresh_token_reused");
            } else {
                let back =
                    "UPDATE refresh_tokens SET generation = 1 WHERE generation = 2 AND ended_at IS NULL";
                server.database.execute(back).await;
                user.present(&user.refresh_token).await.expect_problem(401, "session_ended");
            }
            expected
        }
        SecurityEvent::AdminDenied => {
            let user = under(&request, server.user().await);
            user.ask(Method::GET, "/admin/users").await.expect_problem(403, "insufficient_role");
            server.app.refusals_record().await.expect("recorded");
            Expected::asked(&request).user(user.id().await).session(&user).await.named("attempts", 1)
        }
        SecurityEvent::ClientCreated | SecurityEvent::ClientRevoked | SecurityEvent::ClientDenied => {
            clients(server, event, &request).await
        }
        SecurityEvent::SigningKeyCreated
        | SecurityEvent::SigningKeyPromoted
        | SecurityEvent::SigningKeyRevoked
        | SecurityEvent::SigningKeyRemoved
        | SecurityEvent::SigningKeysResealed => keys(server, event, &request).await,
        SecurityEvent::EventsReplayed => {
            let since = server.clock.now() - Duration::from_secs(3_600);
            let filter = EventFilter { since, until: None, kind: None, user: None };
            server
                .app
                .outbox_replay(&server.operator(), &Replay { filter, sink: None })
                .await
                .expect("replayed");
            Expected::operator().named("sinks", json!(["log"]))
        }
        SecurityEvent::EventsAbandoned => {
            let waits = "UPDATE outbox_deliveries SET sink = 'old', published_at = NULL";
            server.database.execute(waits).await;
            server.app.outbox_abandon(&server.operator(), "old").await.expect("given up");
            Expected::operator().named("sink", "old")
        }
        SecurityEvent::AuditPruned => {
            let log = AuditLog::open(server.settings(), &server.clock).await.expect("opens");
            let now = server.clock.now();
            assert!(log.prune(&server.operator(), now, now).await.expect("pruned") > 10);
            log.close().await;
            Expected::operator().named("before", json!(now))
        }
    }
}

async fn lock(server: &TestServer, event: SecurityEvent, request: &str) -> Expected {
    let user = server.user().await;
    let id = user.id().await;
    let asker = under(request, user.clone());
    let fail = async |actor: &Actor, times| {
        for _ in 0..times {
            actor.login_as(&user.email, WRONG).await.expect_problem(401, "invalid_credentials");
        }
    };
    let expected = Expected::asked(request).user(id.clone());
    match event {
        SecurityEvent::LoginFailed => {
            fail(&asker, 1).await;
            expected.named("reason", "wrong_password")
        }
        SecurityEvent::UserLocked => {
            fail(&user, 9).await;
            fail(&asker, 1).await;
            expected.named("failures", 10)
        }
        SecurityEvent::LoginsRefused => {
            fail(&user, 10).await;
            asker.login_as(&user.email, WRONG).await.expect_problem(429, "account_locked");
            user.login_as(&user.email, WRONG).await.expect_problem(429, "account_locked");
            server.app.refusals_record().await.expect("recorded");
            expected.named("attempts", 2)
        }
        _ => {
            let admin = under(request, server.admin().await);
            let unlock = format!("/admin/users/{id}/unlock");
            admin.ask(Method::POST, &unlock).await.expect_status(204);
            expected.admin(&admin).await
        }
    }
}

async fn administer(server: &TestServer, event: SecurityEvent, request: &str) -> Expected {
    let (admin, user) = (server.admin().await, server.user().await);
    let id = user.id().await;
    let path = format!("/admin/users/{id}");
    let expected = Expected::asked(request).user(id).admin(&admin).await;
    let disable = json!({ "status": "disabled" });
    if event == SecurityEvent::UserEnabled {
        admin.tell(Method::PATCH, &path, &disable).await.expect_status(200);
    }
    let admin = under(request, admin);
    let answer = match event {
        SecurityEvent::PasswordReset => {
            let body = json!({ "new_password": ANOTHER });
            admin.tell(Method::POST, &format!("{path}/password"), &body).await
        }
        SecurityEvent::UserDisabled => admin.tell(Method::PATCH, &path, &disable).await,
        SecurityEvent::UserEnabled => admin.tell(Method::PATCH, &path, &json!({ "status": "active" })).await,
        SecurityEvent::UserRolesChanged => {
            let body = json!({ "roles": ["user", "billing:read"] });
            admin.tell(Method::PUT, &format!("{path}/roles"), &body).await
        }
        _ => admin.ask(Method::DELETE, &path).await,
    };
    assert!(answer.status.is_success(), "{event:?}: {}", answer.json);
    expected
}

async fn clients(server: &TestServer, event: SecurityEvent, request: &str) -> Expected {
    let name = event.as_str();
    let (operator, id) = (server.operator(), name.parse().expect("a client's name"));
    server.app.client_create(&operator, id).await.expect("a client");
    match event {
        SecurityEvent::ClientCreated => {}
        SecurityEvent::ClientRevoked => {
            server.app.client_revoke(&operator, name.parse().expect("a name")).await.expect("revoked");
        }
        _ => {
            let asker = under(request, server.anonymous()).request(Method::POST, "/oauth/introspect");
            let asker = asker.header("content-type", "application/x-www-form-urlencoded").body("token=x");
            Answer::of(asker.basic_auth(name, Some(WRONG))).await.expect_problem(401, "invalid_client");
            server.app.refusals_record().await.expect("recorded");
            return Expected::asked(request).named("client_id", name).named("attempts", 1);
        }
    }
    Expected::operator().named("client_id", name)
}

async fn keys(server: &TestServer, event: SecurityEvent, request: &str) -> Expected {
    let plain = server.admin().await;
    let admin = under(request, plain.clone());
    let rotate = async |admin: &Actor| {
        let now = json!({ "now": true });
        admin.tell(Method::POST, "/admin/keys/rotate", &now).await.expect_status(201).text("kid")
    };
    match event {
        SecurityEvent::SigningKeyPromoted => {
            let kid = rotate(&admin).await;
            Expected::asked(request).admin(&plain).await.named("kid", kid)
        }
        SecurityEvent::SigningKeyRevoked => {
            let listed = plain.ask(Method::GET, "/admin/keys").await.expect_status(200).json;
            let pending =
                listed["items"].as_array().expect("keys").iter().find(|key| key["state"] == "pending");
            let kid = pending.expect("one")["kid"].as_str().expect("text").to_owned();
            admin.ask(Method::POST, &format!("/admin/keys/{kid}/revoke")).await.expect_status(204);
            Expected::asked(request).admin(&plain).await.named("kid", kid)
        }
        SecurityEvent::SigningKeyRemoved => {
            rotate(&plain).await;
            server.clock.advance(Duration::from_secs(3_600));
            server.app.maintain("walk").await.expect("maintained");
            Expected::server()
        }
        SecurityEvent::SigningKeysResealed => {
            server.app.keys_reseal(&server.operator()).await.expect("resealed");
            Expected::operator()
        }
        _ => Expected::server(),
    }
}

async fn session(actor: &Actor) -> String {
    actor.me().await.expect_status(200).text("session_id")
}

/// The same person with a request id and a user agent by which the record is known.
fn under(request_id: &str, actor: Actor) -> Actor {
    let id = HeaderValue::from_str(request_id).expect("a header");
    let headers = HeaderMap::from_iter([(reqwest::header::HeaderName::from_static("x-request-id"), id)]);
    let http = Client::builder().no_proxy().user_agent(AGENT).default_headers(headers).build();
    Actor { http: http.expect("a client"), ..actor }
}
