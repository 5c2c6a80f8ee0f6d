//! Services ask what a token is worth (RFC 7662) and holders revoke theirs (RFC 7009).

use std::time::Duration;

use reqwest::Method;
use serde_json::json;

use crate::support::{Answer, ISSUER, TestServer};

struct Service<'a> {
    server: &'a TestServer,
    name: &'static str,
    secret: String,
}

impl<'a> Service<'a> {
    async fn create(server: &'a TestServer, name: &'static str) -> Self {
        let secret = server.app.client_create(&server.operator(), name.parse().unwrap()).await.unwrap();
        Self { server, name, secret: secret.to_string() }
    }

    async fn introspect(&self, token: &str) -> Answer {
        self.introspect_as(self.name, &self.secret, &[("token", token)]).await
    }

    async fn introspect_as(&self, name: &str, secret: &str, form: &[(&str, &str)]) -> Answer {
        let request = self.server.anonymous().request(Method::POST, "/oauth/introspect");
        let body: Vec<String> = form.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let request = request.header("content-type", "application/x-www-form-urlencoded");
        Answer::of(request.basic_auth(name, Some(secret)).body(body.join("&"))).await
    }

    #[track_caller]
    fn expect_inactive(answer: &Answer) {
        assert_eq!(answer.status, 200);
        assert_eq!(answer.body, br#"{"active":false}"#);
    }
}

async fn revoke(server: &TestServer, token: &str) -> Answer {
    let request = server.anonymous().request(Method::POST, "/oauth/revoke");
    let request = request.header("content-type", "application/x-www-form-urlencoded");
    Answer::of(request.body(format!("token={token}"))).await
}

#[tokio::test]
async fn an_active_token_is_described_as_the_database_has_it() {
    let server = TestServer::start().await;
    let service = Service::create(&server, "billing").await;
    let user = server.user().await;
    let me = user.me().await;
    let access = service.introspect(&user.access_token).await.expect_status(200).json;
    assert_eq!(access["active"], true);
    assert_eq!(access["sub"], me.json["id"]);
    assert_eq!(access["sid"], me.json["session_id"]);
    assert_eq!((&access["iss"], &access["aud"]), (&json!(ISSUER), &json!(ISSUER)));
    assert_eq!((&access["client_id"], &access["token_type"]), (&json!("keyward"), &json!("Bearer")));
    assert_eq!(access["roles"], json!(["user"]));
    server.database.execute("UPDATE users_auth SET roles = 'auditor user'").await;
    let fresh = service.introspect(&user.access_token).await.json;
    assert_eq!(fresh["roles"], json!(["auditor", "user"]), "not what the token says");

    let refresh = service.introspect(&user.refresh_token).await.json;
    assert_eq!((&refresh["active"], &refresh["token_type"]), (&json!(true), &json!("refresh_token")));
    assert_eq!(refresh["sid"], me.json["session_id"]);
}

#[tokio::test]
async fn anything_else_is_exactly_inactive() {
    let server = TestServer::start().await;
    let service = Service::create(&server, "billing").await;
    let mut user = server.user().await;
    let old = user.refresh_token.clone();
    user.refresh().await.expect_status(200);
    let expired = user.access_token.clone();
    for token in ["", "junk", "kwr_junk", "a.b.c", &old] {
        Service::expect_inactive(&service.introspect(token).await);
    }
    server.clock.advance(Duration::from_secs(601));
    Service::expect_inactive(&service.introspect(&expired).await);
    Service::expect_inactive(&service.introspect(&old).await);
    user.refresh().await.expect_status(200);
    assert_eq!(service.introspect(&user.refresh_token).await.json["active"], true, "looking used nothing up");

    user.logout().await.expect_status(204);
    Service::expect_inactive(&service.introspect(&user.access_token).await);
    Service::expect_inactive(&service.introspect(&user.refresh_token).await);
}

#[tokio::test]
async fn only_a_known_service_may_ask() {
    let server = TestServer::start().await;
    let service = Service::create(&server, "billing").await;
    let user = server.user().await;
    let form = [("token", user.access_token.as_str())];
    for (name, secret) in
        [("billing", "wrong"), ("nobody", &service.secret), ("", ""), ("BILLING", &service.secret)]
    {
        let refused = service.introspect_as(name, secret, &form).await.expect_problem(401, "invalid_client");
        assert!(refused.header("www-authenticate").starts_with("Basic "));
    }
    let with_bearer =
        server.anonymous().request(Method::POST, "/oauth/introspect").bearer_auth(&user.access_token);
    Answer::of(with_bearer.body("token=x")).await.expect_problem(401, "invalid_client");

    let twice = [("token", "a"), ("token", "b")];
    service.introspect_as("billing", &service.secret, &twice).await.expect_problem(422, "invalid_request");
    service
        .introspect_as("billing", &service.secret, &[("x", "y")])
        .await
        .expect_problem(422, "invalid_request");
    // A form without fields, as many clients send one: no body and no type.
    for path in ["/oauth/introspect", "/oauth/revoke"] {
        let empty = server.anonymous().request(Method::POST, path);
        let empty = Answer::of(empty.basic_auth("billing", Some(&service.secret))).await;
        assert_eq!(empty.expect_problem(422, "invalid_request").json["errors"][0]["pointer"], "/token");
        let untyped = server.anonymous().request(Method::POST, path).body("token=x");
        let untyped = Answer::of(untyped.basic_auth("billing", Some(&service.secret))).await;
        untyped.expect_problem(415, "unsupported_media_type");
    }
    let as_json = server.anonymous().request(Method::POST, "/oauth/introspect");
    let as_json = as_json.basic_auth("billing", Some(&service.secret)).json(&json!({ "token": "x" }));
    Answer::of(as_json).await.expect_problem(415, "unsupported_media_type");

    server.app.client_revoke(&server.operator(), "billing".parse().unwrap()).await.unwrap();
    service.introspect(&user.access_token).await.expect_problem(401, "invalid_client");
    let again = server.app.client_create(&server.operator(), "billing".parse().unwrap()).await;
    assert!(again.is_err(), "names are not used again");
    let secrets =
        server.database.number("SELECT count(*) FROM clients WHERE length(secret_sha256) <> 32").await;
    assert_eq!(secrets, 0);
}

#[tokio::test]
async fn a_holder_revokes_a_token_of_either_kind() {
    let server = TestServer::start().await;
    for kind in ["access", "refresh"] {
        let mut user = server.user().await;
        let token = if kind == "access" { user.access_token.clone() } else { user.refresh_token.clone() };
        revoke(&server, &token).await.expect_status(200);
        user.me().await.expect_problem(401, "session_ended");
        user.refresh().await.expect_problem(401, "session_ended");
        revoke(&server, &token).await.expect_status(200);
    }
    for junk in ["", "junk", "kwr_junk", "a.b.c"] {
        revoke(&server, junk).await.expect_status(200);
    }
}
