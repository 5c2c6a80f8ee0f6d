//! The events as others read of them: the AsyncAPI document as committed, a schema for each type, and
//! a page that needs nobody else.

use keyward::events::catalogue;
use serde_json::Value;

use crate::support::{ISSUER, TestServer};

const COMMITTED: &str = include_str!("../../asyncapi.json");

#[tokio::test]
async fn the_committed_document_is_what_is_served() {
    let server = TestServer::start().await;
    let served = server.anonymous().get("/asyncapi.json").await.expect_status(200);
    assert_eq!(served.header("content-type"), "application/json");
    assert_eq!(
        String::from_utf8_lossy(&served.body),
        COMMITTED,
        "`cargo xtask generate` writes asyncapi.json anew"
    );
}

/// Envelopes fit their own description, and every reference leads somewhere.
#[test]
fn the_document_is_whole() {
    let document: Value = serde_json::from_str(COMMITTED).expect("JSON");
    assert_eq!(document["asyncapi"], "3.0.0");
    assert_eq!(document["info"]["version"], env!("CARGO_PKG_VERSION"));
    let mut references = Vec::new();
    collect_references(&document, &mut references);
    for reference in references {
        assert!(document.pointer(reference.trim_start_matches('#')).is_some(), "{reference}");
    }
    for kind in catalogue() {
        assert_eq!(document["channels"][kind.kind]["address"], kind.kind);
        assert_eq!(document["operations"][kind.kind]["action"], "send");
        let message = &document["components"]["messages"][kind.kind];
        let mut payload = message["payload"].clone();
        payload["components"] = document["components"].clone();
        let schema = jsonschema::draft202012::options().should_validate_formats(true).build(&payload);
        let schema = schema.expect("a good schema");
        let example = &message["examples"][0]["payload"];
        schema.validate(example).unwrap_or_else(|error| panic!("{}: {error}", kind.kind));
        let mut other = example.clone();
        other["data"] = Value::Null;
        assert!(!schema.is_valid(&other), "{}", kind.kind);
    }
}

#[tokio::test]
async fn the_schema_of_an_event_is_where_its_envelope_says() {
    let server = TestServer::start_with(&[("docs", "false")]).await;
    let stranger = server.anonymous();
    for kind in catalogue() {
        let dataschema = kind.example(ISSUER)["dataschema"].as_str().expect("a URL").to_owned();
        let path = dataschema.strip_prefix(ISSUER).expect("at the issuer");
        let served = stranger.get(path).await.expect_status(200);
        assert_eq!(served.header("content-type"), "application/schema+json");
        assert_eq!(served.json["$id"], *dataschema);
        assert_eq!(served.json["$schema"], "https://json-schema.org/draft/2020-12/schema");
        assert!(jsonschema::meta::is_valid(&served.json), "{path}");
    }
    let schemas = "/docs/events/schemas";
    for nowhere in ["auth.user_created/2.json", "auth.user_created/1", "auth.nothing/1.json"] {
        stranger.get(&format!("{schemas}/{nowhere}")).await.expect_problem(404, "not_found");
    }
    for hidden in ["/asyncapi.json", "/docs/events", "/docs/events/style.css"] {
        stranger.get(hidden).await.expect_problem(404, "not_found");
    }
}

#[tokio::test]
async fn the_page_names_every_type_and_comes_from_here() {
    let server = TestServer::start().await;
    let stranger = server.anonymous();
    let page = stranger.get("/docs/events").await.expect_status(200);
    assert!(page.header("content-type").starts_with("text/html"));
    let policy = page.header("content-security-policy").to_owned();
    assert!(policy.starts_with("default-src 'none'; style-src 'self';"), "{policy}");
    assert!(!policy.contains("unsafe") && !policy.contains("http"), "{policy}");
    assert_eq!(page.header("x-content-type-options"), "nosniff");

    let html = String::from_utf8(page.body).expect("UTF-8");
    assert!(!html.contains("<script") && !html.contains(" style=") && !html.contains("src="));
    for kind in catalogue() {
        assert!(html.contains(&format!("<section id=\"{}\">", kind.kind)), "{}", kind.kind);
        for member in kind.members() {
            assert!(html.contains(&format!("<code>{}</code>", member.name)), "{}", member.name);
        }
    }
    for link in html.split("href=\"").skip(1).filter_map(|rest| rest.split('"').next()) {
        if let Some(section) = link.strip_prefix('#') {
            assert!(html.contains(&format!("id=\"{section}\"")), "{link}");
            continue;
        }
        let path = match link.strip_prefix("../") {
            Some(path) => format!("/{path}"),
            None => format!("/docs/{link}"),
        };
        let answer = stranger.get(&path).await.expect_status(200);
        assert!(!link.ends_with(".css") || answer.header("content-type").starts_with("text/css"), "{link}");
    }
}

fn collect_references(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Object(members) => {
            found.extend(members.get("$ref").and_then(Value::as_str).map(str::to_owned));
            members.values().for_each(|inner| collect_references(inner, found));
        }
        Value::Array(items) => items.iter().for_each(|item| collect_references(item, found)),
        _ => {}
    }
}
