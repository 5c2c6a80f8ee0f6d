//! The API as a walk for Postman and for editors that know `.http` files, made from `openapi.json`.
#![expect(
    clippy::indexing_slicing,
    reason = "a `Value` gives null for what is not there, and makes what is set"
)]

mod http_file;
mod postman;
mod walk;

use serde_json::Value;

use crate::workspace::Outcome;
use walk::{STEPS, Step};

/// What a walk is about, and begins with: name, value, and what it is for.
const VARIABLES: [(&str, &str, &str); 8] = [
    ("base_url", "http://127.0.0.1:7300", "where Keyward is"),
    ("email", "ada@example.com", "who signs up"),
    ("password", "a quiet lake at dawn", "as long as password.min_length asks for"),
    ("new_password", "nine otters under a bridge", "what it is changed to on the way"),
    ("admin_email", "admin@example.com", "keyward users create --email admin@example.com --role admin"),
    ("admin_password", "", "what that command printed"),
    ("client_name", "billing", "keyward clients create billing"),
    ("client_secret", "", "what that command printed"),
];

/// Returns the files, each with its path.
pub(crate) fn render(openapi: &str) -> Outcome<Vec<(String, String)>> {
    let document: Value = serde_json::from_str(openapi)?;
    let operations = operations(&document);
    for operation in &operations {
        if !STEPS.iter().any(|step| step.operation == operation.id) {
            return Err(format!("no step of the walk goes through {}", operation.id).into());
        }
    }
    let mut walk = Vec::new();
    for step in &STEPS {
        let found = operations.iter().find(|operation| operation.id == step.operation);
        walk.push((step, found.ok_or_else(|| format!("no such operation: {}", step.operation))?));
    }
    Ok(vec![
        ("docs/collections/keyward.postman_collection.json".to_owned(), postman::render(&walk)?),
        ("docs/collections/keyward.http".to_owned(), http_file::render(&walk)),
    ])
}

/// What the document says of an operation.
struct Operation<'a> {
    id: &'a str,
    method: String,
    path: &'a str,
    tag: &'a str,
    summary: &'a str,
    description: &'a str,
    form: bool,
}

fn operations<'a>(document: &'a Value) -> Vec<Operation<'a>> {
    let paths = document["paths"].as_object().into_iter().flatten();
    let methods = paths.flat_map(|(path, item)| {
        item.as_object().into_iter().flatten().map(move |(method, operation)| (path, method, operation))
    });
    let read = |(path, method, operation): (&'a String, &'a String, &'a Value)| Operation {
        id: text(&operation["operationId"]),
        method: method.to_uppercase(),
        path,
        tag: text(&operation["tags"][0]),
        summary: text(&operation["summary"]),
        description: text(&operation["description"]),
        form: operation["requestBody"]["content"].get("application/x-www-form-urlencoded").is_some(),
    };
    methods.map(read).collect()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

impl Step {
    fn title<'a>(&self, operation: &Operation<'a>) -> &'a str {
        if self.title.is_empty() { operation.summary } else { self.title }
    }

    /// The path and query, with variables for what differs: `/admin/users/{{user_id}}`.
    fn place(&self, operation: &Operation) -> String {
        let mut place = operation.path.to_owned();
        if let Some((start, rest)) = operation.path.split_once('{')
            && let Some((_, end)) = rest.split_once('}')
        {
            place = format!("{start}{{{{{}}}}}{end}", self.path_variable);
        }
        if self.query.is_empty() { place } else { format!("{place}?{}", self.query) }
    }
}
