//! Headers: the same protection on every answer, request ids, CORS, and no trust in `Host`.

use base64::Engine as _;
use reqwest::Method;
use serde_json::json;

use crate::support::{Answer, PASSWORD, TestServer};

const SECURITY: [(&str, &str); 6] = [
    ("content-security-policy", "default-src 'none'; frame-ancestors 'none'; base-uri 'none'"),
    ("x-content-type-options", "nosniff"),
    ("x-frame-options", "DENY"),
    ("referrer-policy", "no-referrer"),
    ("cross-origin-opener-policy", "same-origin"),
    ("cross-origin-resource-policy", "same-origin"),
];

#[tokio::test]
async fn every_status_has_the_same_security_headers() {
    let server = TestServer::start().await;
    let closed = TestServer::start_with(&[("signup.enabled", "false"), ("docs", "false")]).await;
    let user = server.user().await;
    let stranger = server.anonymous();
    let tag = stranger.get("/.well-known/jwks.json").await.header("etag").to_owned();
    let known = stranger.request(Method::GET, "/.well-known/jwks.json").header("if-none-match", tag);
    let typed = stranger.request(Method::POST, "/auth/login").header("content-type", "text/plain").body("x");
    let answers = [
        (200, stranger.get("/health").await),
        (200, user.me().await),
        (200, stranger.get("/openapi.json").await),
        (200, closed.anonymous().get("/docs/errors/not_found").await),
        (201, stranger.signup().await),
        (204, user.logout().await),
        (304, Answer::of(known).await),
        (308, stranger.get("/docs").await),
        (400, stranger.post_raw("/auth/login", "{").await),
        (401, user.me().await),
        (401, stranger.login_as("a@example.com", "x").await),
        (403, closed.anonymous().signup().await),
        (404, stranger.get("/nothing").await),
        (405, stranger.get("/auth/login").await),
        (409, stranger.signup().await),
        (413, stranger.post_raw("/auth/login", "x".repeat(20_000)).await),
        (415, Answer::of(typed).await),
        (422, stranger.post("/auth/login", &json!({})).await),
    ];
    for (status, answer) in answers {
        let answer = answer.expect_status(status);
        for (name, value) in SECURITY {
            assert_eq!(answer.header(name), value, "{status} {name}");
        }
        assert!(!answer.header("x-request-id").is_empty(), "{status}");
        for leak in ["server", "x-powered-by", "set-cookie", "access-control-allow-origin"] {
            assert_eq!(answer.header(leak), "", "{status} {leak}");
        }
        let cached =
            ["public, max-age=300", "public, max-age=3600"].contains(&answer.header("cache-control"));
        assert!(
            cached == (status == 304 || answer.header("content-type").starts_with("text/html"))
                || answer.header("cache-control") == "no-store",
            "{status}"
        );
        assert_eq!(answer.header("www-authenticate").starts_with("Bearer"), status == 401, "{status}");
    }
}

#[tokio::test]
async fn a_harmless_request_id_is_kept_and_a_harmful_one_replaced() {
    let server = TestServer::start().await;
    let stranger = server.anonymous();
    let ask = async |id: &[u8]| {
        let value = reqwest::header::HeaderValue::from_bytes(id).unwrap();
        let request = stranger.request(Method::GET, "/auth/me").header("x-request-id", value);
        Answer::of(request).await.expect_problem(401, "missing_token").header("x-request-id").to_owned()
    };
    for kept in ["a", "0198c0de-0000-7000-8000-000000000000", "Root=1-5e/x:y_z.1+2", &"x".repeat(128)] {
        assert_eq!(ask(kept.as_bytes()).await, kept);
    }
    let long = "x".repeat(129);
    let harmful: [&[u8]; 7] = [b"", b"a b", b"\"}{\"", b"<script>", b"a\tb", b"caf\xc3\xa9", long.as_bytes()];
    for replaced in harmful {
        let id = ask(replaced).await;
        assert!(uuid::Uuid::parse_str(&id).is_ok(), "{id}");
    }
    assert_ne!(ask(b"").await, ask(b"").await);
    let records = "SELECT count(*) FROM audit_log WHERE request_id = 'traced'";
    let request = stranger.request(Method::POST, "/auth/login").header("x-request-id", "traced");
    Answer::of(request.json(&json!({ "email": "a@example.com", "password": "x" }))).await.expect_status(401);
    assert_eq!(server.database.number(records).await, 1);
}

#[tokio::test]
async fn a_spoofed_host_appears_nowhere() {
    let server = TestServer::start().await;
    let mut user = server.user().await;
    let credentials = json!({ "email": format!("x{}", user.email), "password": PASSWORD });
    let requests = [
        (Method::POST, "/auth/signup", Some(credentials.clone())),
        (Method::POST, "/auth/signup", Some(credentials.clone())),
        (Method::POST, "/auth/login", Some(credentials)),
        (Method::POST, "/auth/refresh", Some(json!({ "refresh_token": user.refresh_token }))),
        (Method::GET, "/auth/me", None),
        (Method::GET, "/.well-known/openid-configuration", None),
        (Method::GET, "/.well-known/oauth-authorization-server", None),
        (Method::GET, "/.well-known/jwks.json", None),
        (Method::GET, "/docs", None),
        (Method::GET, "/docs/", None),
        (Method::GET, "/docs/errors/not_found", None),
        (Method::GET, "/openapi.json", None),
        (Method::GET, "/nothing", None),
        (Method::PUT, "/auth/me", None),
    ];
    for (method, path, body) in requests {
        let mut request = user.request(method, path).bearer_auth(&user.access_token);
        for name in ["host", "x-forwarded-host", "x-host", "x-original-url", "x-forwarded-prefix"] {
            request = request.header(name, "evil.example");
        }
        request =
            request.header("forwarded", "host=evil.example;proto=https").header("x-forwarded-proto", "evil");
        if let Some(body) = body {
            request = request.json(&body);
        }
        let answer = Answer::of(request).await;
        assert!(!String::from_utf8_lossy(&answer.body).contains("evil"), "{path}");
        assert!(!format!("{:?}", answer.headers).contains("evil"), "{path}");
        if path == "/auth/refresh" {
            user.access_token = answer.text("access_token");
        }
    }
    let claims = user.access_token.split('.').nth(1).expect("claims").to_owned();
    let claims = base64::prelude::BASE64_URL_SAFE_NO_PAD.decode(claims).expect("base64url");
    assert!(!String::from_utf8_lossy(&claims).contains("evil"));
}

#[tokio::test]
async fn cors_is_closed_unless_configured() {
    let server = TestServer::start().await;
    for answer in [
        with_origin(&server, Method::GET, "/.well-known/jwks.json", "https://app.example.com").await,
        with_origin(&server, Method::OPTIONS, "/auth/login", "https://app.example.com").await,
        with_origin(&server, Method::GET, "/auth/me", "null").await,
    ] {
        assert_eq!(cors_headers(&answer), Vec::<String>::new());
    }
}

#[tokio::test]
async fn cors_opens_for_exactly_the_configured_origins() {
    let origins = "https://app.example.com,http://localhost:5173";
    let server = TestServer::start_with(&[("cors.origins", origins)]).await;
    for origin in ["https://app.example.com", "http://localhost:5173"] {
        let preflight = with_origin(&server, Method::OPTIONS, "/auth/login", origin).await.expect_status(200);
        assert_eq!(preflight.header("access-control-allow-origin"), origin);
        assert!(preflight.header("access-control-allow-methods").contains("POST"));
        assert!(preflight.header("access-control-allow-headers").contains("authorization"));
        // An error is as readable to the page as a success.
        for (method, path, status) in [
            (Method::GET, "/.well-known/jwks.json", 200),
            (Method::GET, "/auth/me", 401),
            (Method::POST, "/auth/login", 415),
            (Method::PUT, "/auth/login", 405),
        ] {
            let answer = with_origin(&server, method, path, origin).await.expect_status(status);
            assert_eq!(answer.header("access-control-allow-origin"), origin, "{path} {status}");
            assert!(answer.header("access-control-expose-headers").contains("x-request-id"));
            assert!(answer.header("vary").to_lowercase().contains("origin"));
            assert_eq!(answer.header("access-control-allow-credentials"), "");
        }
    }
    for foreign in [
        "https://app.example.com.evil.example",
        "https://evil.example",
        "http://app.example.com",
        "https://APP.example.com",
        "https://app.example.com:444",
        "null",
        "*",
    ] {
        for method in [Method::OPTIONS, Method::GET] {
            let answer = with_origin(&server, method, "/auth/me", foreign).await;
            assert_eq!(answer.header("access-control-allow-origin"), "", "{foreign}");
        }
    }
}

#[tokio::test]
async fn the_management_listener_answers_probes_and_nothing_else() {
    let server = TestServer::start().await;
    let probe = server.anonymous().at(format!("http://{}", server.management));
    assert_eq!(probe.get("/livez").await.expect_status(200).body, b"ok\n");
    let ready = probe.get("/readyz").await.expect_status(200);
    assert_eq!(ready.json, json!({ "ready": true, "database": true, "draining": false, "degraded": [] }));
    let version = probe.get("/version").await.expect_status(200);
    assert_eq!(version.json["version"], env!("CARGO_PKG_VERSION"));
    for path in ["/auth/me", "/.well-known/jwks.json", "/health", "/docs"] {
        probe.get(path).await.expect_status(404);
    }
    let health = server.anonymous().get("/health").await.expect_status(200);
    assert_eq!(health.json, json!({ "status": "ok" }));
    server.app.close().await;
    let unready = probe.get("/readyz").await.expect_status(503);
    assert_eq!(unready.json, json!({ "ready": false, "database": false, "draining": false, "degraded": [] }));
    probe.get("/livez").await.expect_status(200);
}

async fn with_origin(server: &TestServer, method: Method, path: &str, origin: &str) -> Answer {
    let request = server.anonymous().request(method, path).header("origin", origin);
    Answer::of(request.header("access-control-request-method", "POST")).await
}

fn cors_headers(answer: &Answer) -> Vec<String> {
    let names = answer.headers.keys().map(ToString::to_string);
    names.filter(|name| name.starts_with("access-control-")).collect()
}
