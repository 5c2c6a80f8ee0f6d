//! Keys and key sets: what is published, what is read, what is refused.

use crate::issuer::{EDDSA, ES256, RS256, encode};
use keyward_verify::{Algorithm, Jwk, JwkError, Jwks, KeySet};
use serde_json::{Value, json};

/// The modulus of the example in RFC 7638 §3.1.
const RFC_7638_N: &str = "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw";

fn read(key: &Value) -> Result<KeySet, JwkError> {
    KeySet::from_jwks(json!({"keys": [key]}).to_string().as_bytes())
}

/// A published key with one member set.
fn with(key: &Jwk, name: &str, value: Value) -> Value {
    let mut members = serde_json::to_value(key).unwrap();
    members[name] = value;
    members
}

#[test]
fn rsa_thumbprint_of_rfc_7638() {
    let key: Jwk = serde_json::from_value(json!({
        "kty": "RSA", "n": RFC_7638_N, "e": "AQAB", "alg": "RS256", "kid": "2011-04-29"
    }))
    .unwrap();
    assert_eq!(key.thumbprint(), "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs");
    assert_eq!(key.kid(), "2011-04-29");
}

#[test]
fn ed25519_thumbprint_of_rfc_8037() {
    let key: Jwk = serde_json::from_value(json!({
        "kty": "OKP", "crv": "Ed25519", "kid": "a",
        "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"
    }))
    .unwrap();
    assert_eq!(key.thumbprint(), "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
}

#[test]
fn published_keys_have_exactly_the_public_members() {
    for (signer, members) in [
        (&*ES256, &["alg", "crv", "kid", "kty", "use", "x", "y"][..]),
        (&*EDDSA, &["alg", "crv", "kid", "kty", "use", "x"]),
        (&*RS256, &["alg", "e", "kid", "kty", "n", "use"]),
    ] {
        let key = signer.jwk();
        let published = serde_json::to_value(&key).unwrap();
        let mut names: Vec<_> = published.as_object().unwrap().keys().collect();
        names.sort();
        assert_eq!(names, members);
        assert_eq!(published["use"], "sig");
        assert_eq!(published["alg"], key.algorithm().as_str());
        assert_eq!(published["kid"], key.thumbprint());
        assert_eq!(serde_json::from_value::<Jwk>(published).unwrap(), key);
    }
}

#[test]
fn sets_are_read_back_as_published() {
    let keys = vec![RS256.jwk(), ES256.jwk(), EDDSA.jwk()];
    let published = serde_json::to_string(&Jwks { keys: keys.clone() }).unwrap();
    let read: Jwks = serde_json::from_str(&published).unwrap();
    assert_eq!(read.keys, keys);

    let mut kids: Vec<_> = keys.iter().map(Jwk::kid).collect();
    kids.sort_unstable();
    let set = KeySet::from_jwks(published.as_bytes()).unwrap();
    assert_eq!(set.kids().collect::<Vec<_>>(), kids);
    assert!(!set.is_empty());
    assert!(KeySet::from_jwks(br#"{"keys":[]}"#).unwrap().is_empty());
}

#[test]
fn keys_of_other_kinds_are_skipped() {
    let key = ES256.jwk();
    for other in [
        json!({"kty": "oct", "kid": "o"}),
        json!({"kty": "AKP", "alg": "ML-DSA-44", "pub": "AA", "kid": "p"}),
        json!({"kty": "OKP", "crv": "X25519", "x": "AA", "kid": "q"}),
        json!({"kty": "EC", "crv": "P-384", "x": "AA", "y": "AA", "kid": "r"}),
        json!({"kty": "EC", "kid": "s"}),
        with(&key, "use", json!("enc")),
        with(&key, "use", json!("")),
        with(&key, "alg", json!("ECDH-ES")),
        with(&RS256.jwk(), "alg", json!("PS256")),
        with(&RS256.jwk(), "alg", json!("HS256")),
        with(&RS256.jwk(), "alg", json!("none")),
    ] {
        assert!(read(&other).unwrap().is_empty(), "{other}");
        let both = json!({"keys": [other, key], "extra": 1}).to_string();
        let set = KeySet::from_jwks(both.as_bytes()).unwrap();
        assert_eq!(set.kids().collect::<Vec<_>>(), [key.kid()]);
        assert!(serde_json::from_value::<Jwk>(other).is_err());
    }
}

#[test]
fn use_and_alg_may_be_absent_from_a_key_that_is_read() {
    for signer in [&*ES256, &*EDDSA, &*RS256] {
        let mut members = serde_json::to_value(signer.jwk()).unwrap();
        members.as_object_mut().unwrap().remove("use");
        members.as_object_mut().unwrap().remove("alg");
        let key: Jwk = serde_json::from_value(members).unwrap();
        assert_eq!(key, signer.jwk());
    }
}

#[test]
fn private_members_refuse_the_set() {
    let enc = with(&RS256.jwk(), "use", json!("enc"));
    for name in ["d", "k", "p", "q", "dp", "dq", "qi", "oth", "priv", "seed"] {
        for mut key in [serde_json::to_value(ES256.jwk()).unwrap(), enc.clone(), json!({"kty": "oct"})] {
            for value in [json!("AA"), Value::Null] {
                key[name] = value;
                let result = read(&key);
                assert!(matches!(result, Err(JwkError::Private(member)) if member == name), "{key}");
            }
        }
    }
}

#[test]
fn one_kid_names_one_key() {
    let second = with(&EDDSA.jwk(), "kid", json!(ES256.jwk().kid()));
    let json = json!({"keys": [ES256.jwk(), second]}).to_string();
    let result = KeySet::from_jwks(json.as_bytes());
    assert!(matches!(result, Err(JwkError::DuplicateKid(_))));
    let result = KeySet::from_keys(&[ES256.jwk(), ES256.jwk()]);
    assert!(matches!(result, Err(JwkError::DuplicateKid(_))));
}

#[test]
fn a_kid_is_required() {
    let mut without = serde_json::to_value(ES256.jwk()).unwrap();
    without.as_object_mut().unwrap().remove("kid");
    for key in [without, with(&ES256.jwk(), "kid", json!(""))] {
        assert!(matches!(read(&key), Err(JwkError::Missing("kid"))));
    }
}

#[test]
fn an_algorithm_of_another_kind_of_key_is_refused() {
    for (signer, other) in [(&*ES256, "RS256"), (&*EDDSA, "ES256"), (&*RS256, "EdDSA")] {
        let result = read(&with(&signer.jwk(), "alg", json!(other)));
        assert!(matches!(result, Err(JwkError::Algorithm)), "{other}");
    }
}

#[test]
fn points_off_the_curve_are_refused() {
    let members = serde_json::to_value(ES256.jwk()).unwrap();
    let swapped = with(&ES256.jwk(), "x", members["y"].clone());
    assert!(matches!(read(&swapped), Err(JwkError::Invalid)));
    assert!(matches!(Jwk::es256(&[4; 65]), Err(JwkError::Invalid)));
    for point in [&[][..], &[0], &[4], &[2; 33], &[4; 64], &[4; 66]] {
        assert!(matches!(Jwk::es256(point), Err(JwkError::Invalid)));
    }
}

#[test]
fn members_are_canonical_base64url_of_their_length() {
    for (signer, name) in [(&*ES256, "x"), (&*ES256, "y"), (&*EDDSA, "x"), (&*RS256, "n"), (&*RS256, "e")] {
        let key = signer.jwk();
        let text = serde_json::to_value(&key).unwrap()[name].as_str().unwrap().to_owned();
        let mut wrong = vec![format!("{text}="), format!(" {text}"), format!("{text}+")];
        if name == "x" || name == "y" {
            wrong.extend([String::new(), encode([1; 31]), encode([1; 33])]);
        }
        for text in wrong {
            let result = read(&with(&key, name, json!(text)));
            assert!(matches!(result, Err(JwkError::Encoding(member)) if member == name), "{name}: {text}");
        }
        let mut without = serde_json::to_value(&key).unwrap();
        without.as_object_mut().unwrap().remove(name);
        let result = read(&without);
        assert!(matches!(result, Err(JwkError::Missing(member)) if member == name));
    }
}

#[test]
fn rsa_keys_have_a_fit_size_and_exponent() {
    let modulus = |bits: usize| {
        let mut bytes = vec![0xff; bits.div_ceil(8)];
        bytes[0] >>= bytes.len() * 8 - bits;
        bytes
    };
    let e = [1, 0, 1];
    for bits in [2048, 2049, 3072, 4096, 8192] {
        let key = Jwk::rs256(&modulus(bits), &e).unwrap();
        assert_eq!(key.algorithm(), Algorithm::Rs256);
    }
    for bits in [8, 1024, 2047, 8193] {
        let result = Jwk::rs256(&modulus(bits), &e);
        assert!(matches!(result, Err(JwkError::RsaRange)), "{bits}");
    }
    let padded = [&[0][..], &modulus(2048)].concat();
    assert!(matches!(Jwk::rs256(&padded, &e), Err(JwkError::RsaRange)));
    for e in [&[][..], &[0], &[1], &[2], &[0, 3], &[1, 0, 0], &[1, 0, 0, 0, 1]] {
        let result = Jwk::rs256(&modulus(2048), e);
        assert!(matches!(result, Err(JwkError::RsaRange)), "{e:?}");
    }
    assert!(Jwk::rs256(&modulus(2048), &[3]).is_ok());
}

#[test]
fn documents_that_are_no_key_set_are_refused() {
    let key = serde_json::to_string(&ES256.jwk()).unwrap();
    for json in [
        String::new(),
        "null".to_owned(),
        "{}".to_owned(),
        key.clone(),
        format!("[[{key}]]"),
        format!("[{key}]"),
        r#"{"keys":null}"#.to_owned(),
        r#"{"keys":{}}"#.to_owned(),
        r#"{"keys":["EC"]}"#.to_owned(),
        r#"{"keys":[["EC","P-256"]]}"#.to_owned(),
        r#"{"keys":[{"kid":"a"}]}"#.to_owned(),
        r#"{"keys":[],"keys":[]}"#.to_owned(),
        format!(r#"{{"keys":[{}]}}"#, key.replacen('{', r#"{"kty":"RSA","#, 1)),
        r#"{"keys":[]} x"#.to_owned(),
    ] {
        let result = KeySet::from_jwks(json.as_bytes());
        assert!(matches!(result, Err(JwkError::Json(_))), "{json}");
    }
}
