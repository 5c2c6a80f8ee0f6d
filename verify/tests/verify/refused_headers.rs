//! Truly signed tokens whose header is wrong.

use crate::issuer::{EDDSA, ES256, NOW, RS256, Signer, claims, good_token, verifier, verify};
use keyward_verify::{KeySet, VerifyError};
use serde_json::{Value, json};

/// A truly signed token whose header is Keyward's with one member set.
fn header_with(name: &str, value: Value) -> String {
    let mut header = ES256.header();
    header[name] = value;
    ES256.token(&header.to_string(), &claims().to_string())
}

#[test]
fn algorithms_that_are_not_ours_are_refused_in_every_spelling() {
    for name in [
        "none", "None", "NONE", "nOnE", "", "HS256", "HS512", "es256", "ES256K", "ES384", "PS256",
        "RSA-OAEP", "dir",
    ] {
        let token = header_with("alg", json!(name));
        assert_eq!(verify(&token), Err(VerifyError::Algorithm), "{name:?}");
        let (input, _) = token.rsplit_once('.').unwrap();
        let unsigned = verify(&format!("{input}."));
        assert_eq!(unsigned, Err(VerifyError::Algorithm), "{name:?}");
    }
}

#[test]
fn an_algorithm_that_is_not_ours_asks_for_no_key() {
    let header = json!({"alg": "HS256", "typ": "at+jwt", "kid": "unheard-of"});
    let token = ES256.token(&header.to_string(), &claims().to_string());
    assert_eq!(verify(&token), Err(VerifyError::Algorithm));
}

#[test]
fn a_key_verifies_its_own_algorithm_only() {
    let signers = [&*ES256, &*EDDSA, &*RS256];
    let keys = KeySet::from_keys(&signers.map(Signer::jwk)).unwrap();
    for signer in signers {
        for other in signers {
            let mut header = signer.header();
            header["alg"] = other.header()["alg"].clone();
            let token = signer.token(&header.to_string(), &claims().to_string());
            let result = verifier().verify(&token, &keys, NOW);
            if signer.jwk() == other.jwk() {
                assert!(result.is_ok(), "{header}");
            } else {
                assert_eq!(result, Err(VerifyError::Algorithm), "{header}");
            }
        }
    }
}

#[test]
fn header_members_that_keyward_does_not_mint_are_refused() {
    let own_key = serde_json::to_value(ES256.jwk().kid()).unwrap();
    for (name, value) in [
        ("b64", json!(false)),
        ("b64", json!(true)),
        ("jwk", json!({"kty": "oct", "k": ""})),
        ("jku", json!("https://evil.example/jwks")),
        ("x5u", json!("https://evil.example/cert")),
        ("x5c", json!(["AA"])),
        ("x5t", json!("AA")),
        ("x5t#S256", json!("AA")),
        ("zip", json!("DEF")),
        ("enc", json!("A256GCM")),
        ("cty", json!("JWT")),
        ("Kid", own_key),
        ("anything", Value::Null),
    ] {
        let token = header_with(name, value);
        assert_eq!(verify(&token), Err(VerifyError::Header), "{name}");
    }
}

#[test]
fn crit_is_refused_whatever_it_holds() {
    for value in [json!([]), json!(["exp"]), json!(["alg"]), json!("exp"), json!(false), Value::Null] {
        let token = header_with("crit", value.clone());
        assert_eq!(verify(&token), Err(VerifyError::Critical), "{value}");
    }
}

#[test]
fn header_members_are_required_strings() {
    for name in ["alg", "typ", "kid"] {
        for value in [Value::Null, json!(1), json!(["ES256"]), json!({})] {
            let token = header_with(name, value.clone());
            assert_eq!(verify(&token), Err(VerifyError::Header), "{name} {value}");
        }
        let mut header = ES256.header();
        header.as_object_mut().unwrap().remove(name);
        let token = ES256.token(&header.to_string(), &claims().to_string());
        assert_eq!(verify(&token), Err(VerifyError::Header), "{name}");
    }
}

#[test]
fn duplicate_header_members_are_refused() {
    let header = ES256.header();
    for name in ["alg", "typ", "kid", "crit"] {
        let value = header.get(name).unwrap_or(&Value::Null);
        let twice = header.to_string().replacen('{', &format!("{{\"{name}\":{value},\"{name}\":{value},"), 1);
        let token = ES256.token(&twice, &claims().to_string());
        assert_eq!(verify(&token), Err(VerifyError::Header), "{name}");
    }
}

#[test]
fn headers_that_are_not_one_object_are_refused() {
    let header = ES256.header();
    let kid = ES256.jwk().kid().to_owned();
    for text in [
        json!(["ES256", "at+jwt", kid]).to_string(),
        json!(["ES256", "at+jwt", kid, true]).to_string(),
        format!(" {header}"),
        format!("{header}{header}"),
        format!("{header},"),
        "null".to_owned(),
        "\"ES256\"".to_owned(),
        String::new(),
    ] {
        let token = ES256.token(&text, &claims().to_string());
        assert_eq!(verify(&token), Err(VerifyError::Header), "{text}");
    }
}

#[test]
fn an_unknown_kid_is_named_so_that_keys_can_be_fetched() {
    for kid in ["", "other", "../../etc/passwd", "' OR 1=1 --"] {
        let refusal = VerifyError::UnknownKey { kid: kid.to_owned() };
        assert_eq!(verify(&header_with("kid", json!(kid))), Err(refusal));
    }
    let nobody = verifier().verify(&good_token(), &KeySet::default(), NOW);
    assert!(matches!(nobody, Err(VerifyError::UnknownKey { .. })));
}

#[test]
fn other_types_are_refused() {
    for typ in ["", "JWT", "at+jwt ", "refresh+jwt", "dpop+jwt", "logout+jwt"] {
        let token = header_with("typ", json!(typ));
        assert_eq!(verify(&token), Err(VerifyError::Typ), "{typ:?}");
    }
    assert!(verify(&header_with("typ", json!("Application/AT+JWT"))).is_ok());
}
