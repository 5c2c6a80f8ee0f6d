//! The documentation: the OpenAPI document as committed, and a page that needs nobody else.

use std::collections::BTreeSet;

use reqwest::Method;
use serde_json::Value;

use crate::support::{Answer, TestServer};

const COMMITTED: &str = include_str!("../../openapi.json");

#[tokio::test]
async fn the_committed_document_is_what_is_served() {
    let server = TestServer::start().await;
    let served = server.anonymous().get("/openapi.json").await.expect_status(200);
    assert_eq!(served.header("content-type"), "application/json");
    assert_eq!(
        String::from_utf8_lossy(&served.body),
        COMMITTED,
        "`cargo xtask generate` writes openapi.json anew"
    );
}

#[test]
fn the_document_is_whole() {
    let document = document();
    assert_eq!(document["openapi"], "3.1.0");
    assert_eq!(document["info"]["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(document["components"]["securitySchemes"]["bearer"]["scheme"], "bearer");
    let mut ids = BTreeSet::new();
    for (method, path, operation) in operations(&document) {
        let id = operation["operationId"].as_str().expect("an operationId");
        assert!(ids.insert(id.to_owned()), "{id} stands twice");
        assert!(operation["summary"].is_string() && operation["description"].is_string(), "{id}");
        let answers = operation["responses"].as_object().expect("responses");
        let declares = |status: &str| answers.contains_key(status);
        assert!(answers.keys().any(|status| status.starts_with('2')), "{method} {path}");
        for (status, answer) in answers.iter().filter(|(status, _)| status.starts_with(['4', '5'])) {
            let schema = &answer["content"]["application/problem+json"]["schema"]["$ref"];
            assert_eq!(schema, "#/components/schemas/Problem", "{method} {path} {status}");
        }
        if operation.pointer("/requestBody/content/application~1json").is_some() {
            for status in ["400", "413", "415", "422"] {
                assert!(declares(status), "{method} {path} {status}");
            }
        }
        if operation.get("security").is_some() {
            assert!(declares("401"), "{method} {path}");
        }
    }
    let me = &document["paths"]["/auth/me"]["get"]["security"];
    assert_eq!(me, &serde_json::json!([{ "bearer": [] }]));
}

/// Requests are as strict in the document as they are in fact, and every reference leads somewhere.
#[test]
fn schemas_are_strict_and_resolve() {
    let document = document();
    for (_, path, operation) in operations(&document) {
        // Forms are OAuth's, where unknown parameters are to be ignored (RFC 6749 §3.1).
        let Some(body) = operation.pointer("/requestBody/content/application~1json") else { continue };
        let mut names = Vec::new();
        references(body, &mut names);
        assert!(!names.is_empty(), "{path}");
        for name in names {
            assert_eq!(document["components"]["schemas"][&name]["additionalProperties"], false, "{name}");
        }
    }
    let mut names = Vec::new();
    references(&document, &mut names);
    for name in names {
        assert!(document["components"]["schemas"].get(&name).is_some(), "{name}");
    }
}

#[tokio::test]
async fn every_documented_route_is_there_with_a_documented_answer() {
    let server = TestServer::start().await;
    let stranger = server.anonymous();
    let document = document();
    for (method, path, operation) in operations(&document) {
        let request = stranger.request(method.parse::<Method>().expect("a method"), path);
        let answer = Answer::of(request.header("content-type", "application/json").body("{")).await;
        let status = answer.status.as_str().to_owned();
        assert_ne!(status, "404", "{method} {path}");
        assert!(operation["responses"].get(&status).is_some(), "{method} {path}: {status} is not documented");
    }
}

#[tokio::test]
async fn the_page_and_its_assets_come_from_here() {
    let server = TestServer::start().await;
    let stranger = server.anonymous();
    let moved = stranger.get("/docs").await.expect_status(308);
    assert_eq!(moved.header("location"), "/docs/");
    let page = stranger.get("/docs/").await.expect_status(200);
    assert!(page.header("content-type").starts_with("text/html"));
    let policy = page.header("content-security-policy").to_owned();
    for rule in ["default-src 'none'", "script-src 'self'", "connect-src 'self'", "frame-ancestors 'none'"] {
        assert!(policy.contains(rule), "{policy}");
    }
    assert!(!policy.contains("unsafe-eval") && !policy.contains("http"), "{policy}");

    let html = String::from_utf8(page.body).expect("UTF-8");
    assert_nothing_remote(&html);
    let assets = attributes(&html);
    assert!(assets.iter().any(|asset| asset.ends_with("swagger-initializer.js")), "{assets:?}");
    for asset in assets {
        let path = format!("/docs/{}", asset.trim_start_matches("./"));
        let answer = stranger.get(&path).await.expect_status(200);
        assert!(!answer.body.is_empty(), "{path}");
        let kind = answer.header("content-type");
        let wanted = match path.rsplit('.').next() {
            Some("js") => "javascript",
            Some("css") => "css",
            _ => "image",
        };
        assert!(kind.contains(wanted), "{path}: {kind}");
        assert!(wanted == "image" || kind.ends_with("; charset=utf-8"), "{path}: {kind}");
        if path.ends_with("swagger-initializer.js") {
            let script = String::from_utf8_lossy(&answer.body).into_owned();
            assert!(script.contains("/openapi.json"), "{script}");
            assert_nothing_remote(&script);
        }
    }
}

fn document() -> Value {
    serde_json::from_str(COMMITTED).expect("JSON")
}

fn operations(document: &Value) -> Vec<(&str, &str, &Value)> {
    let paths = document["paths"].as_object().expect("paths");
    let all = paths.iter().flat_map(|(path, item)| {
        let item = item.as_object().expect("operations");
        item.iter().map(move |(method, operation)| (method.as_str(), path.as_str(), operation))
    });
    all.map(|(method, path, operation)| (upper(method), path, operation)).collect()
}

fn upper(method: &str) -> &'static str {
    match method {
        "get" => "GET",
        "post" => "POST",
        "put" => "PUT",
        "patch" => "PATCH",
        "delete" => "DELETE",
        other => panic!("{other} is no method of ours"),
    }
}

/// The names of all schemas that a part of the document refers to.
fn references(value: &Value, names: &mut Vec<String>) {
    match value {
        Value::Object(members) => {
            for (name, inner) in members {
                match inner.as_str().filter(|_| name == "$ref") {
                    Some(path) => names.push(path.trim_start_matches("#/components/schemas/").to_owned()),
                    None => references(inner, names),
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| references(item, names)),
        _ => {}
    }
}

/// What a page loads: the values of `src` and `href`.
fn attributes(html: &str) -> Vec<String> {
    let values = ["src=\"", "href=\""].into_iter().flat_map(|name| html.split(name).skip(1));
    values.filter_map(|rest| rest.split('"').next().map(str::to_owned)).collect()
}

fn assert_nothing_remote(text: &str) {
    for scheme in ["http://", "https://", "\"//"] {
        assert!(!text.contains(scheme), "{scheme} in {text}");
    }
}
