//! JSON that is taken literally: no duplicate members, no depth beyond sixteen, no unknown fields.

use std::fmt;

use serde::de::{self, DeserializeOwned, DeserializeSeed, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

use super::problem::{Code, FieldProblem, Problem};

const DEPTH_MAX: usize = 16;

/// Reads a body into `T`, or says which field is wrong.
pub(super) fn read<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    let value = parse(bytes)?;
    if !value.is_object() {
        return Err(Problem::field("", "wrong_type", "the body must be a JSON object"));
    }
    serde_path_to_error::deserialize(value).map_err(|error| bad_field(&error))
}

fn parse(bytes: &[u8]) -> Result<Value, Problem> {
    let malformed = |detail: String| Problem::new(Code::MalformedJson).detail(detail);
    let text = std::str::from_utf8(bytes).map_err(|_| malformed("the body is not UTF-8".to_owned()))?;
    let duplicate = std::cell::RefCell::new(None);
    let seed = Strict { depth: 0, pointer: String::new(), duplicate: &duplicate };
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let value = seed.deserialize(&mut deserializer).and_then(|value| deserializer.end().map(|()| value));
    match (value, duplicate.into_inner()) {
        (_, Some(pointer)) => Err(Problem::field(pointer, "duplicate", "is given more than once")),
        (Ok(value), None) => Ok(value),
        (Err(error), None) => {
            Err(malformed(format!("not JSON at line {}, column {}", error.line(), error.column())))
        }
    }
}

/// Reads any JSON, and remembers where a member came twice.
struct Strict<'a> {
    depth: usize,
    pointer: String,
    duplicate: &'a std::cell::RefCell<Option<String>>,
}

impl Strict<'_> {
    fn inside<E: de::Error>(&self, step: &str) -> Result<Strict<'_>, E> {
        if self.depth >= DEPTH_MAX {
            return Err(E::custom("too deep"));
        }
        let pointer = format!("{}/{}", self.pointer, step.replace('~', "~0").replace('/', "~1"));
        Ok(Strict { depth: self.depth + 1, pointer, duplicate: self.duplicate })
    }
}

impl<'de> DeserializeSeed<'de> for Strict<'_> {
    type Value = Value;

    fn deserialize<D: de::Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut values = Vec::new();
        while let Some(value) = items.next_element_seed(self.inside(&values.len().to_string())?)? {
            values.push(value);
        }
        Ok(values.into())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let mut values = Map::new();
        while let Some(name) = members.next_key::<String>()? {
            let inside = self.inside(&name)?;
            if values.contains_key(&name) {
                self.duplicate.borrow_mut().get_or_insert_with(|| inside.pointer.clone());
            }
            let value = members.next_value_seed(inside)?;
            values.insert(name, value);
        }
        Ok(values.into())
    }
}

/// Turns serde's message into a pointer, a code and a sentence that does not repeat the value.
fn bad_field(error: &serde_path_to_error::Error<serde_json::Error>) -> Problem {
    let message = error.inner().to_string();
    let quoted = message.split('`').nth(1).unwrap_or_default();
    let mut pointer = String::new();
    for segment in error.path() {
        let step = match segment {
            serde_path_to_error::Segment::Map { key } => key.clone(),
            serde_path_to_error::Segment::Seq { index } => index.to_string(),
            _ => continue,
        };
        pointer = format!("{pointer}/{}", step.replace('~', "~0").replace('/', "~1"));
    }
    let (code, detail) = if message.starts_with("unknown field") {
        ("unknown", "is not a field of this request".to_owned())
    } else if message.starts_with("missing field") {
        pointer = format!("{pointer}/{quoted}");
        ("missing", "is missing".to_owned())
    } else {
        let expected = message.rsplit("expected ").next().unwrap_or("another type");
        ("wrong_type", format!("must be {expected}"))
    };
    Problem::fields(vec![FieldProblem { pointer, code, detail }])
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;

    #[derive(Debug, Deserialize, PartialEq)]
    #[serde(deny_unknown_fields)]
    struct Login {
        email: String,
        password: String,
        age: Option<u8>,
    }

    fn refusal(body: &str) -> (&'static str, String, &'static str) {
        let problem = read::<Login>(body.as_bytes()).unwrap_err();
        let field = problem.errors.first();
        (
            problem.code.as_str(),
            field.map(|f| f.pointer.clone()).unwrap_or_default(),
            field.map_or("", |f| f.code),
        )
    }

    #[test]
    fn a_good_body_is_read() {
        let login: Login = read(br#"{"email":"a","password":"\u0000b","age":3}"#).unwrap();
        assert_eq!(login, Login { email: "a".into(), password: "\0b".into(), age: Some(3) });
    }

    #[test]
    fn fields_are_pointed_at() {
        let invalid = "invalid_request";
        assert_eq!(refusal(r#"{"email":1,"password":"b"}"#), (invalid, "/email".into(), "wrong_type"));
        assert_eq!(refusal(r#"{"email":"a"}"#), (invalid, "/password".into(), "missing"));
        assert_eq!(
            refusal(r#"{"email":"a","password":"b","role":"x"}"#),
            (invalid, "/role".into(), "unknown")
        );
        assert_eq!(refusal(r#"{"email":"a","password":"b","a/b":1}"#), (invalid, "/a~1b".into(), "unknown"));
        assert_eq!(
            refusal(r#"{"email":"a","password":"b","age":300}"#),
            (invalid, "/age".into(), "wrong_type")
        );
        assert_eq!(
            refusal(r#"{"email":"a","email":"b","password":"c"}"#),
            (invalid, "/email".into(), "duplicate")
        );
        assert_eq!(
            refusal(r#"{"email":"a","password":"b","x":{"y":[0,{"z":1,"z":2}]}}"#),
            (invalid, "/x/y/1/z".into(), "duplicate")
        );
        assert_eq!(refusal(r#"["a","b",3]"#), (invalid, String::new(), "wrong_type"));
        assert_eq!(refusal("null"), (invalid, String::new(), "wrong_type"));
    }

    #[test]
    fn what_is_no_json_is_malformed() {
        for body in ["", "{", "{\"email\":}", "{} x", "\u{feff}{}", "{'a':1}", "{\"a\":1,}", "{\"a\":NaN}"] {
            assert_eq!(refusal(body).0, "malformed_json", "{body:?}");
        }
        assert_eq!(read::<Login>(b"{\"email\":\"\xff\"}").unwrap_err().code, Code::MalformedJson);
        assert_eq!(refusal(&format!("{{\"a\":{}1{}}}", "[".repeat(15), "]".repeat(15))).2, "unknown");
        assert_eq!(refusal(&format!("{{\"a\":{}1{}}}", "[".repeat(17), "]".repeat(17))).0, "malformed_json");
        assert_eq!(refusal(&"[".repeat(100_000)).0, "malformed_json");
    }

    #[test]
    fn the_value_is_never_repeated() {
        let problem = read::<Login>(br#"{"email":"a","password":["hunter2"]}"#).unwrap_err();
        assert!(!format!("{problem:?}").contains("hunter2"));
    }
}
