//! Requests that are refused: the right status, a code, a pointer, and nothing written.

use reqwest::Method;
use reqwest::header::{CONTENT_ENCODING, CONTENT_TYPE, HeaderValue};
use serde_json::Value;

use crate::support::{Answer, PASSWORD, TestServer};

const ROUTES: [&str; 4] = ["/auth/signup", "/auth/login", "/auth/refresh", "/auth/logout"];

#[tokio::test]
async fn what_is_no_json_is_malformed() {
    let server = TestServer::start().await;
    let stranger = server.anonymous();
    let rows = server.database.rows().await;
    let deep = |depth: usize| format!("{{\"email\":{}1{}}}", "[".repeat(depth), "]".repeat(depth));
    let bodies: Vec<Vec<u8>> = vec![
        b"{".to_vec(),
        b"{\"email\":}".to_vec(),
        b"{\"email\":\"a\",}".to_vec(),
        b"{'email':'a'}".to_vec(),
        b"{\"email\":NaN}".to_vec(),
        b"{} {}".to_vec(),
        b"email=a&password=b".to_vec(),
        b"\xef\xbb\xbf{}".to_vec(),
        b"{\"email\":\"\xff\xfe\"}".to_vec(),
        b"{\"email\":\"\xed\xa0\x80\"}".to_vec(),
        br#"{"email":"\ud800"}"#.to_vec(),
        b"{\"email\":\"a\nb\"}".to_vec(),
        b"\xff\xfe{\x00}\x00".to_vec(),
        deep(16).into_bytes(),
        deep(8_000).into_bytes(),
        "[".repeat(16_000).into_bytes(),
    ];
    for route in ROUTES {
        for body in &bodies {
            stranger.post_raw(route, body.clone()).await.expect_problem(400, "malformed_json");
        }
    }
    for route in &ROUTES[..3] {
        stranger.post_raw(route, "").await.expect_problem(400, "malformed_json");
    }
    assert_eq!(server.database.rows().await, rows);
}

#[tokio::test]
async fn bad_fields_are_pointed_at() {
    let server = TestServer::start().await;
    let stranger = server.anonymous();
    let rows = server.database.rows().await;
    for (body, pointer, code) in [
        ("[]", "", "wrong_type"),
        ("null", "", "wrong_type"),
        ("\"a\"", "", "wrong_type"),
        ("7", "", "wrong_type"),
        ("{}", "/email", "missing"),
        (r#"{"email":"a@example.com"}"#, "/password", "missing"),
        (r#"{"email":7,"password":"x"}"#, "/email", "wrong_type"),
        (r#"{"email":null,"password":"x"}"#, "/email", "wrong_type"),
        (r#"{"email":"a@example.com","password":["x"]}"#, "/password", "wrong_type"),
        (r#"{"email":"a@example.com","password":{"$ne":""}}"#, "/password", "wrong_type"),
        (r#"{"email":"a@example.com","password":1e400}"#, "/password", "wrong_type"),
        (r#"{"email":"a","password":"b","a/b~c":1}"#, "/a~1b~0c", "unknown"),
        (r#"{"email":"a","email":"b","password":"c"}"#, "/email", "duplicate"),
        (r#"{"email":"a","\u0065mail":"b","password":"c"}"#, "/email", "duplicate"),
        (r#"{"email":"a","password":"b","x":{"y":[0,{"z":1,"z":2}]}}"#, "/x/y/1/z", "duplicate"),
        (r#"{"email":"a","password":"b","x":[[[[[[[[[[[[[[1]]]]]]]]]]]]]]}"#, "/x", "unknown"),
    ] {
        if body.contains("1e400") {
            stranger.post_raw("/auth/login", body).await.expect_problem(400, "malformed_json");
            continue;
        }
        stranger.post_raw("/auth/login", body).await.expect_field(pointer, code);
        stranger.post_raw("/auth/signup", body).await.expect_field(pointer, code);
    }
    stranger
        .post_raw("/auth/refresh", r#"{"refresh_token":1}"#)
        .await
        .expect_field("/refresh_token", "wrong_type");
    stranger.post_raw("/auth/logout", "[]").await.expect_field("", "wrong_type");
    let query = stranger.post_raw("/auth/logout?every=true", "{\"refresh_token\":\"x\"}").await;
    assert_eq!(query.expect_problem(422, "invalid_request").json["errors"][0]["pointer"], "?every");
    let query = stranger.post_raw("/auth/logout?all=perhaps", "{\"refresh_token\":\"x\"}").await;
    query.expect_problem(422, "invalid_request");
    assert_eq!(server.database.rows().await, rows);
}

#[tokio::test]
async fn large_bodies_are_refused() {
    let server = TestServer::start().await;
    let stranger = server.anonymous();
    let rows = server.database.rows().await;
    let body = |length: usize| {
        let fixed = r#"{"email":"","password":"x"}"#.len();
        format!(r#"{{"email":"{}","password":"x"}}"#, "a".repeat(length - fixed))
    };
    stranger.post_raw("/auth/login", body(16 * 1024)).await.expect_field("/email", "too_long");
    stranger.post_raw("/auth/login", body(16 * 1024 + 1)).await.expect_problem(413, "body_too_large");
    for route in ROUTES {
        stranger.post_raw(route, body(40_000)).await.expect_problem(413, "body_too_large");
    }
    assert_eq!(server.database.rows().await, rows);
}

#[tokio::test]
async fn only_plain_json_in_utf_8_is_taken() {
    let server = TestServer::start().await;
    let stranger = server.anonymous();
    let rows = server.database.rows().await;
    let body = format!(r#"{{"email":"{}","password":"{PASSWORD}"}}"#, stranger.email);
    for kind in [
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "application/json; charset=iso-8859-1",
        "application/json; charset=utf-16",
        "application/jsonx",
        "application/problem+json",
        "application",
        "",
    ] {
        for route in ROUTES {
            let request = stranger.request(Method::POST, route).header(CONTENT_TYPE, kind);
            Answer::of(request.body(body.clone())).await.expect_problem(415, "unsupported_media_type");
        }
    }
    let bare = stranger.request(Method::POST, "/auth/signup").body(body.clone());
    Answer::of(bare).await.expect_problem(415, "unsupported_media_type");
    for encoding in ["gzip", "br", "identity", "deflate, gzip"] {
        let request = stranger.request(Method::POST, "/auth/signup").header(CONTENT_ENCODING, encoding);
        let request = request.header(CONTENT_TYPE, "application/json").body(body.clone());
        Answer::of(request).await.expect_problem(415, "unsupported_media_type");
    }
    let odd = HeaderValue::from_bytes(b"application/json; charset=\xff").unwrap();
    let request = stranger.request(Method::POST, "/auth/signup").header(CONTENT_TYPE, odd).body(body.clone());
    Answer::of(request).await.expect_problem(415, "unsupported_media_type");
    assert_eq!(server.database.rows().await, rows);

    for kind in
        ["application/json; charset=utf-8", "Application/JSON;charset=\"UTF-8\"", "application/json ; "]
    {
        let request = stranger.request(Method::POST, "/auth/refresh").header(CONTENT_TYPE, kind);
        let answer = Answer::of(request.body(r#"{"refresh_token":"x"}"#)).await;
        answer.expect_problem(401, "invalid_refresh_token");
    }
}

#[tokio::test]
async fn undocumented_methods_are_refused_with_the_right_ones() {
    let server = TestServer::start().await;
    let actor = server.anonymous();
    let rows = server.database.rows().await;
    let document = actor.get("/openapi.json").await.json;
    for (path, item) in document["paths"].as_object().expect("paths") {
        let mut documented: Vec<String> =
            item.as_object().unwrap().keys().map(|m| m.to_uppercase()).collect();
        if documented.contains(&"GET".to_owned()) {
            documented.push("HEAD".to_owned());
            let (get, head) = (actor.get(path).await, Answer::of(actor.request(Method::HEAD, path)).await);
            assert_eq!(head.status, get.status, "HEAD {path}");
            assert!(head.body.is_empty());
        }
        documented.sort();
        for method in ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PURGE", "get"] {
            if documented.contains(&method.to_owned()) {
                continue;
            }
            let answer = Answer::of(actor.request(method.parse().unwrap(), path)).await;
            let mut allowed: Vec<_> =
                answer.header("allow").split(',').map(|m| m.trim().to_owned()).collect();
            allowed.sort();
            assert_eq!(allowed, documented, "{method} {path}");
            let answer = answer.expect_status(405);
            if method != "HEAD" {
                answer.expect_problem(405, "method_not_allowed");
            }
        }
    }
    assert_eq!(server.database.rows().await, rows);
}

#[tokio::test]
async fn what_is_not_there_is_not_found() {
    let server = TestServer::start().await;
    let stranger = server.anonymous();
    for path in [
        "/",
        "/auth",
        "/auth/",
        "/auth/me/",
        "//auth/me",
        "/AUTH/ME",
        "/auth/signup/x",
        "/.env",
        "/docs/nothing.js",
        "/docs/errors/nothing",
        "/docs/errors/",
        "/metrics",
        "/readyz",
        "/auth/users/%00",
        "/docs/..%2f..%2fCargo.toml",
    ] {
        stranger.get(path).await.expect_problem(404, "not_found");
    }
    stranger.get("/docs/errors/%ff").await.expect_problem(400, "bad_request");
    stranger.post_raw("/auth/nothing", "{").await.expect_problem(404, "not_found");
}

#[tokio::test]
async fn every_code_has_a_page_also_without_the_docs() {
    let server = TestServer::start_with(&[("docs", "false")]).await;
    let stranger = server.anonymous();
    for path in ["/docs", "/docs/", "/openapi.json", "/docs/index.html", "/docs/swagger-ui.css"] {
        stranger.get(path).await.expect_problem(404, "not_found");
    }
    for code in codes() {
        let page = stranger.get(&format!("/docs/errors/{code}")).await.expect_status(200);
        assert_eq!(page.header("content-type"), "text/html; charset=utf-8");
        assert!(String::from_utf8_lossy(&page.body).contains(&format!("<code>{code}</code>")), "{code}");
    }
    let refused = stranger.get("/auth/me").await.expect_problem(401, "missing_token");
    let page = refused.text("type").replace(crate::support::ISSUER, "");
    stranger.get(&page).await.expect_status(200);
}

#[tokio::test]
async fn a_closed_database_is_a_503_that_says_when_to_return() {
    let server = TestServer::start().await;
    let user = server.user().await;
    server.app.close().await;
    for answer in [
        user.get("/health").await,
        user.me().await,
        user.present(&user.refresh_token).await,
        user.logout().await,
        user.signup().await,
        user.login_as(&user.email, PASSWORD).await,
    ] {
        let answer = answer.expect_problem(503, "unavailable");
        assert!(!answer.header("retry-after").is_empty());
        assert_eq!(answer.json.get("errors"), None::<&Value>);
    }
    user.get("/.well-known/jwks.json").await.expect_status(200);
}

/// The codes, from the one file that lists them: each variant's text stands in a line of `as_str`.
fn codes() -> Vec<String> {
    let source = std::fs::read_to_string("src/http/problem.rs").expect("the source");
    let codes: Vec<String> = source
        .lines()
        .filter_map(|line| line.trim().strip_prefix("Self::")?.split_once(" => \""))
        .filter_map(|(_, rest)| rest.strip_suffix("\",").map(str::to_owned))
        .collect();
    assert!(codes.len() >= 20, "{codes:?}");
    codes
}
