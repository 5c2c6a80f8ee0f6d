//! Access tokens. The first two lines of the input are signed as header and payload, so that the
//! parsers behind the signature are reached; the rest changes the token.
#![no_main]

use std::sync::LazyLock;

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD as BASE64URL;
use keyward_fuzz::edited;
use keyward_verify::{Claims, Jwk, KeySet, Verifier, VerifyError};
use libfuzzer_sys::fuzz_target;
use serde_json::Value;

const ISSUER: &str = "https://auth.example.com";
const AUDIENCE: &str = "https://api.example.com";
const NOW: i64 = 1_760_000_000;
const LEEWAY: i64 = 30;

static KEY: LazyLock<Ed25519KeyPair> =
    LazyLock::new(|| Ed25519KeyPair::from_seed_unchecked(&[7; 32]).unwrap());
static KEYS: LazyLock<KeySet> = LazyLock::new(|| {
    let key = Jwk::ed25519(KEY.public_key().as_ref().try_into().unwrap()).unwrap();
    assert_eq!(key.kid(), "--6IM5l0OosLj9yWskISYhUA3n_3CURQkmrYMSha_ck", "the corpus names it");
    KeySet::from_keys(&[key]).unwrap()
});

fuzz_target!(|input: &[u8]| {
    if let Ok(token) = std::str::from_utf8(input)
        && verify(token).is_ok()
    {
        assert_spelled_once(token);
    }
    let mut lines = input.splitn(3, |byte| *byte == b'\n');
    let (header, payload) = (lines.next().unwrap_or_default(), lines.next().unwrap_or_default());
    let signed = format!("{}.{}", BASE64URL.encode(header), BASE64URL.encode(payload));
    let token = format!("{signed}.{}", BASE64URL.encode(KEY.sign(signed.as_bytes())));
    let Ok(claims) = verify(&token) else { return };
    assert_spelled_once(&token);
    assert_header(header);
    assert_claims(payload, &claims);
    let other = edited(&token, lines.next().unwrap_or_default());
    assert_eq!(verify(&other).is_ok(), other == token, "{other}");
});

fn verify(token: &str) -> Result<Claims, VerifyError> {
    Verifier::new(ISSUER, AUDIENCE).verify(token, &KEYS, NOW)
}

fn assert_spelled_once(token: &str) {
    let parts: Vec<_> = token.split('.').collect();
    assert_eq!(parts.len(), 3);
    for part in parts {
        assert_eq!(BASE64URL.encode(BASE64URL.decode(part).unwrap()), part);
    }
}

fn assert_header(json: &[u8]) {
    let header: Value = serde_json::from_slice(json).expect("JSON to everybody");
    let typ = header["typ"].as_str().expect("a text").to_ascii_lowercase();
    assert_eq!(header.as_object().map(serde_json::Map::len), Some(3), "{header}");
    assert_eq!(header["alg"], "EdDSA");
    assert!(["at+jwt", "application/at+jwt"].contains(&typ.as_str()));
}

/// What another parser reads is what was checked.
fn assert_claims(json: &[u8], claims: &Claims) {
    let payload: Value = serde_json::from_slice(json).expect("JSON to everybody");
    let aud = &payload["aud"];
    assert!(aud == AUDIENCE || aud.as_array().is_some_and(|all| all.contains(&AUDIENCE.into())));
    assert_eq!((payload["iss"].as_str(), claims.iss.as_str()), (Some(ISSUER), ISSUER));
    assert_eq!((payload["sub"].as_str(), claims.sub.is_empty()), (Some(claims.sub.as_str()), false));
    assert_eq!(payload["sid"].as_str(), Some(claims.sid.as_str()));
    assert_eq!(payload["roles"], Value::from(claims.roles.clone()));
    let (iat, exp) = (payload["iat"].as_i64().expect("whole"), payload["exp"].as_i64().expect("whole"));
    assert_eq!((iat, exp), (claims.iat, claims.exp));
    assert!(NOW < exp + LEEWAY && iat <= NOW + LEEWAY);
    assert!(payload["nbf"].is_null() || payload["nbf"].as_i64().is_some_and(|nbf| nbf <= NOW + LEEWAY));
}
