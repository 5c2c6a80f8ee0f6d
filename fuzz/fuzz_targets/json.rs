//! A body that is taken strictly says what it says to everybody: no duplicates, no depth, and the
//! value that another parser reads.
#![no_main]

use keyward::http::fuzzing::strict_json;
use libfuzzer_sys::fuzz_target;
use serde_json::Value;

fuzz_target!(|body: &[u8]| {
    let Some(value) = strict_json(body) else { return };
    let other = serde_json::from_slice(body).expect("JSON to everybody");
    assert!(same(&value, &other), "{value} {other}");
    assert!(value.is_object() && depth(&value) <= 16);
    let rendered = value.to_string();
    let again = strict_json(rendered.as_bytes()).expect("what was rendered is read");
    assert!(same(&value, &again), "{value} {again}");
    for name in value.as_object().into_iter().flatten().map(|(name, _)| Value::from(name.as_str())) {
        let twice = format!("{{{name}:0,{}", &rendered[1..]);
        assert_eq!(strict_json(twice.as_bytes()), None, "{twice}");
    }
});

/// Fractions may differ in the last bit, which serde_json does not promise; no request has one.
fn same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Array(a), Value::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b)),
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len() && a.iter().all(|(name, a)| b.get(name).is_some_and(|b| same(a, b)))
        }
        (Value::Number(a), Value::Number(b)) if a.is_f64() => b.is_f64(),
        _ => a == b,
    }
}

fn depth(value: &Value) -> usize {
    match value {
        Value::Array(items) => 1 + items.iter().map(depth).max().unwrap_or(0),
        Value::Object(members) => 1 + members.values().map(depth).max().unwrap_or(0),
        _ => 0,
    }
}
