//! A collection of Postman's format 2.1, which newman runs in the tests.

use serde_json::{Value, json};

use super::walk::{Caller, Step};
use super::{Operation, VARIABLES};
use crate::workspace::Outcome;

/// A walk that is repeated signs somebody else up.
const SOMEBODY_NEW: &str = "pm.collectionVariables.set('email', `ada-${Date.now()}@example.com`);";

pub(super) fn render(walk: &[(&Step, &Operation)]) -> Outcome<String> {
    let items: Vec<Value> = walk.iter().enumerate().map(|(at, (step, of))| item(at, step, of)).collect();
    let variable = VARIABLES.map(|(key, value, description)| {
        json!({ "key": key, "value": value, "type": "string", "description": description })
    });
    let collection = json!({
        "info": {
            "name": "Keyward",
            "description": "Made by `cargo xtask generate` from openapi.json. A walk through the whole API: run it in \
                its order, against a server to try things on, since it rotates the signing key. What one answer gives \
                is a variable of the next request.",
            "schema": "https://schema.getpostman.com/json/collection/v2.1.0/collection.json",
        },
        "variable": variable,
        "item": items,
    });
    Ok(serde_json::to_string_pretty(&collection)? + "\n")
}

fn item(at: usize, step: &Step, operation: &Operation) -> Value {
    let place = step.place(operation);
    let (path, query) = place.split_once('?').unwrap_or((&place, ""));
    let mut url = json!({
        "raw": format!("{{{{base_url}}}}{place}"),
        "host": ["{{base_url}}"],
        "path": path.trim_start_matches('/').split('/').collect::<Vec<_>>(),
    });
    let query = pairs(query, '&');
    if !query.is_empty() {
        url["query"] = query.into();
    }
    let mut request = json!({
        "method": operation.method, "url": url, "auth": auth(&step.caller), "description": operation.description,
    });
    if operation.form {
        request["body"] = json!({ "mode": "urlencoded", "urlencoded": pairs(step.body, '\n') });
    } else if !step.body.is_empty() {
        request["header"] = json!([{ "key": "Content-Type", "value": "application/json" }]);
        request["body"] =
            json!({ "mode": "raw", "raw": step.body, "options": { "raw": { "language": "json" } } });
    }
    let mut events = vec![script("test", &tests(step))];
    if at == 0 {
        events.push(script("prerequest", &[SOMEBODY_NEW.to_owned()]));
    }
    json!({ "name": format!("{:02} {}: {}", at + 1, operation.tag, step.title(operation)), "request": request, "event": events })
}

fn auth(caller: &Caller) -> Value {
    let set = |key: &str, value: &str| json!({ "key": key, "value": value, "type": "string" });
    match caller {
        Caller::Anyone => json!({ "type": "noauth" }),
        Caller::Bearer(variable) => {
            json!({ "type": "bearer", "bearer": [set("token", &format!("{{{{{variable}}}}}"))] })
        }
        Caller::Client => json!({
            "type": "basic",
            "basic": [set("username", "{{client_name}}"), set("password", "{{client_secret}}")],
        }),
    }
}

fn tests(step: &Step) -> Vec<String> {
    let status = step.status;
    let mut lines = vec![format!("pm.test('answers {status}', () => pm.response.to.have.status({status}));")];
    if !step.code.is_empty() {
        let code = step.code;
        lines.push(format!(
            "pm.test('says {code}', () => pm.expect(pm.response.json().code).to.equal('{code}'));"
        ));
    }
    let (member, value) = step.member;
    if !member.is_empty() {
        lines.push(format!(
            "pm.test('{member} is {value}', () => pm.expect(String(pm.response.json().{member})).to.equal('{value}'));"
        ));
    }
    for (variable, path) in step.kept {
        let value = match path.split_once('[').and_then(|(list, rest)| Some((list, rest.split_once("].")?))) {
            Some((list, (choice, member))) => {
                let (name, wanted) = choice.split_once('=').unwrap_or((choice, "true"));
                format!("{list}.find((item) => String(item.{name}) === '{wanted}').{member}")
            }
            None => (*path).to_owned(),
        };
        lines.push(format!("pm.collectionVariables.set('{variable}', pm.response.json().{value});"));
    }
    lines
}

fn script(listen: &str, lines: &[String]) -> Value {
    json!({ "listen": listen, "script": { "type": "text/javascript", "exec": lines } })
}

fn pairs(text: &str, between: char) -> Vec<Value> {
    let pairs = text.split(between).filter_map(|pair| pair.split_once('='));
    pairs.map(|(key, value)| json!({ "key": key, "value": value })).collect()
}
