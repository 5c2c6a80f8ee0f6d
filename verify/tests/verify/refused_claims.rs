//! Truly signed tokens whose claims are wrong.

use crate::issuer::{AUDIENCE, ES256, ISSUER, NOW, claims, encode, verify};
use keyward_verify::{Claims, VerifyError};
use serde_json::{Value, json};

fn verify_payload(payload: &str) -> Result<Claims, VerifyError> {
    verify(&ES256.token(&ES256.header().to_string(), payload))
}

fn verify_with(name: &str, value: Value) -> Result<Claims, VerifyError> {
    let mut claims = claims();
    claims[name] = value;
    verify_payload(&claims.to_string())
}

/// Holds when the refusal is for the claims and names the one that is wrong.
fn refused_for(name: &str, result: &Result<Claims, VerifyError>) -> bool {
    matches!(result, Err(VerifyError::Claims(reason)) if reason.contains(name))
}

#[test]
fn every_claim_has_its_type() {
    let values = [
        Value::Null,
        json!(true),
        json!(1_760_000_100),
        json!(1_760_000_100.0),
        json!("1760000100"),
        json!(["text"]),
        json!([1]),
        json!({}),
    ];
    let all = [
        "iss",
        "sub",
        "aud",
        "client_id",
        "iat",
        "exp",
        "nbf",
        "jti",
        "sid",
        "roles",
        "email",
        "email_verified",
    ];
    for name in all {
        for value in &values {
            let fits = match name {
                "iat" | "exp" | "nbf" => value.is_i64(),
                "roles" => *value == json!(["text"]),
                "aud" => value.is_string() || *value == json!(["text"]),
                "email_verified" => value.is_boolean(),
                _ => value.is_string(),
            };
            let result = verify_with(name, value.clone());
            let refused = matches!(result, Err(VerifyError::Claims(_)));
            assert_eq!(refused, !fits, "{name}: {value} gave {result:?}");
        }
    }
}

#[test]
fn every_required_claim_is_required() {
    for name in ["iss", "sub", "aud", "client_id", "iat", "exp", "jti", "sid", "roles"] {
        let mut claims = claims();
        claims.as_object_mut().unwrap().remove(name);
        let result = verify_payload(&claims.to_string());
        assert!(refused_for(name, &result), "{name}: {result:?}");
    }
}

#[test]
fn no_known_claim_occurs_twice() {
    let mut claims = claims();
    claims["nbf"] = json!(NOW);
    for (name, value) in claims.as_object().unwrap() {
        let twice = claims.to_string().replacen('{', &format!("{{\"{name}\":{value},"), 1);
        let result = verify_payload(&twice);
        assert!(refused_for(name, &result), "{name}: {result:?}");
    }
}

#[test]
fn a_duplicate_in_escapes_is_a_duplicate() {
    let twice = claims().to_string().replacen('{', r#"{"\u0073ub":"root","#, 1);
    assert!(refused_for("sub", &verify_payload(&twice)));
}

#[test]
fn names_are_not_empty() {
    for name in ["sub", "client_id", "jti", "sid"] {
        let result = verify_with(name, json!(""));
        assert!(refused_for(name, &result), "{name}: {result:?}");
    }
}

#[test]
fn the_issuer_is_exact() {
    for other in [
        String::new(),
        format!("{ISSUER}/"),
        ISSUER.to_uppercase(),
        format!(" {ISSUER}"),
        "https://evil.example".to_owned(),
    ] {
        let result = verify_with("iss", json!(other));
        assert_eq!(result, Err(VerifyError::Issuer), "{other:?}");
    }
}

#[test]
fn the_audience_is_exact() {
    for other in [
        json!(""),
        json!([]),
        json!("https://api.example.com/"),
        json!("https://api.example"),
        json!(AUDIENCE.to_uppercase()),
        json!(["https://other.example.com", format!("{AUDIENCE},")]),
    ] {
        let result = verify_with("aud", other.clone());
        assert_eq!(result, Err(VerifyError::Audience), "{other}");
    }
}

#[test]
fn absurd_times_are_refused() {
    for (iat, exp) in [
        (NOW, NOW),
        (NOW, NOW - 1),
        (NOW, i64::MAX),
        (0, NOW + 1),
        (-1, 1),
        (i64::MIN, i64::MAX),
        (i64::MIN, NOW + 1),
    ] {
        let mut claims = claims();
        claims["iat"] = json!(iat);
        claims["exp"] = json!(exp);
        let result = verify_payload(&claims.to_string());
        assert!(refused_for("iat", &result), "{iat} {exp}: {result:?}");
    }
}

#[test]
fn numbers_are_plain_integers() {
    for number in [
        "1.76e9",
        "1760000100.5",
        "1760000100e0",
        "9223372036854775808",
        "1e400",
        "01760000100",
        "+1760000100",
        "NaN",
    ] {
        let good = format!("\"exp\":{}", NOW + 540);
        let payload = claims().to_string().replace(&good, &format!("\"exp\":{number}"));
        assert!(payload.contains(number));
        let result = verify_payload(&payload);
        assert!(matches!(result, Err(VerifyError::Claims(_))), "{number}");
    }
}

#[test]
fn a_payload_is_one_json_object_in_utf8() {
    let good = claims().to_string();
    let values = json!([
        ISSUER,
        "user-1",
        AUDIENCE,
        "keyward",
        NOW - 60,
        NOW + 540,
        NOW,
        "token-1",
        "session-1",
        ["user"],
        "ann@example.com",
        true
    ]);
    for payload in [
        String::new(),
        "null".to_owned(),
        "[]".to_owned(),
        values.to_string(),
        format!(" {good}"),
        format!("{good}{good}"),
        format!("{good}x"),
        good.trim_end_matches('}').to_owned(),
    ] {
        let result = verify_payload(&payload);
        assert!(matches!(result, Err(VerifyError::Claims(_))), "{payload}");
    }

    let mut bytes = good.replacen('{', "{\"fill\":\"x\",", 1).into_bytes();
    bytes[9] = 0xff;
    let input = format!("{}.{}", encode(ES256.header().to_string()), encode(bytes));
    let token = format!("{input}.{}", encode(ES256.sign(&input)));
    assert!(matches!(verify(&token), Err(VerifyError::Claims(_))));
}

#[test]
fn claims_are_not_read_before_the_signature_holds() {
    let token = ES256.token(&ES256.header().to_string(), "not even JSON");
    let (input, _) = token.rsplit_once('.').unwrap();
    let forged = format!("{input}.{}", encode([1; 64]));
    assert_eq!(verify(&forged), Err(VerifyError::Signature));
}
