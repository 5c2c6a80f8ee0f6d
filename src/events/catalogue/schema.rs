//! The few shapes that members of events have.

use serde_json::{Value, json};

pub(super) fn uuid(description: &str) -> Value {
    json!({ "type": "string", "format": "uuid", "description": description })
}

pub(super) fn user_id() -> Value {
    uuid("Whom it is about; the `sub` of tokens.")
}

pub(super) fn email(description: &str) -> Value {
    // International (RFC 6531), and a pattern for the many validators that do not know this format.
    json!({ "type": "string", "format": "idn-email", "pattern": "^.+@.+$", "description": description })
}

pub(super) fn boolean(description: &str) -> Value {
    json!({ "type": "boolean", "description": description })
}

pub(super) fn count(description: &str) -> Value {
    json!({ "type": "integer", "minimum": 0, "description": description })
}

pub(super) fn time(description: &str) -> Value {
    json!({ "type": "string", "format": "date-time", "description": description })
}

pub(super) fn roles(description: &str) -> Value {
    json!({
        "type": "array",
        "items": { "type": "string", "pattern": "^[a-z][a-z0-9:_-]{0,63}$" },
        "maxItems": 16,
        "uniqueItems": true,
        "description": description,
    })
}

/// A closed set: another word would be another version.
pub(super) fn word(words: &[&str], description: &str) -> Value {
    json!({ "type": "string", "enum": words, "description": description })
}

/// An open set: it may get more words without being another version.
pub(super) fn open_word(words: &[&str], description: &str) -> Value {
    json!({ "type": "string", "pattern": "^[a-z_]+$", "examples": words, "description": description })
}

/// The thumbprint that names a key (RFC 7638).
pub(super) fn key_id(description: &str) -> Value {
    json!({ "type": "string", "pattern": "^[A-Za-z0-9_-]{43}$", "description": description })
}

pub(super) fn list(items: &Value, description: &str) -> Value {
    json!({ "type": "array", "items": items, "minItems": 1, "uniqueItems": true, "description": description })
}

pub(super) fn or_null(mut schema: Value) -> Value {
    if let Some(kind) = schema.get_mut("type") {
        *kind = json!([kind, "null"]);
    }
    schema
}

/// Reads a schema to people.
pub(super) fn in_words(schema: &Value) -> String {
    let kind = match schema.get("type") {
        Some(Value::Array(kinds)) => kinds.first(),
        kind => kind,
    };
    let text = |name: &str| schema.get(name).and_then(Value::as_str);
    let set = |name: &str| {
        let words = schema.get(name)?.as_array()?;
        Some(words.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(", "))
    };
    let words = match (kind.and_then(Value::as_str), text("format"), set("enum")) {
        (_, _, Some(words)) => format!("one of {words}"),
        (Some("array"), ..) => {
            format!("list of {}", schema.get("items").map(in_words).unwrap_or_default())
        }
        (_, Some("uuid"), _) => "UUID".to_owned(),
        (_, Some("idn-email"), _) => "e-mail address".to_owned(),
        (_, Some("date-time"), _) => "time (RFC 3339)".to_owned(),
        (Some("string"), ..) => set("examples")
            .map_or_else(|| "text".to_owned(), |words| format!("a word such as {words}; more may come")),
        (Some("integer"), ..) => "whole number".to_owned(),
        (Some("boolean"), ..) => "true or false".to_owned(),
        (other, ..) => other.unwrap_or_default().to_owned(),
    };
    if schema.get("type").is_some_and(Value::is_array) { format!("{words}, or null") } else { words }
}
