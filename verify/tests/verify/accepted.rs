//! What Keyward mints is accepted, by every algorithm and at the edges of its time.

use crate::issuer::{
    AUDIENCE, EDDSA, ES256, ISSUER, NOW, RS256, Signer, claims, good_token, verifier, verify,
};
use keyward_verify::{KeySet, MAX_LIFETIME_SECONDS, Typ, Verifier, VerifyError};
use serde_json::{Value, json};

fn token_with(name: &str, value: Value) -> String {
    let mut claims = claims();
    claims[name] = value;
    ES256.token(&ES256.header().to_string(), &claims.to_string())
}

#[test]
fn every_algorithm_verifies_from_a_published_key_set() {
    let signers = [&*ES256, &*EDDSA, &*RS256];
    let published = json!({"keys": signers.map(Signer::jwk)}).to_string();
    let keys = KeySet::from_jwks(published.as_bytes()).unwrap();
    for signer in signers {
        let token = signer.token(&signer.header().to_string(), &claims().to_string());
        let claims = verifier().verify(&token, &keys, NOW).unwrap();
        assert_eq!(claims.sub, "user-1");
    }
}

#[test]
fn claims_come_out_as_they_went_in() {
    let claims = verify(&good_token()).unwrap();
    assert_eq!(claims.iss, ISSUER);
    assert_eq!(claims.aud, [AUDIENCE]);
    assert_eq!(claims.client_id, "keyward");
    assert_eq!((claims.iat, claims.exp), (NOW - 60, NOW + 540));
    assert_eq!((&*claims.jti, &*claims.sid), ("token-1", "session-1"));
    assert_eq!(claims.email.as_deref(), Some("ann@example.com"));
    assert_eq!(claims.email_verified, Some(true));
    assert!(claims.has_role("editor") && claims.has_role("user"));
    assert!(!claims.has_role("edit") && !claims.has_role("Editor"));
}

#[test]
fn the_email_pair_may_be_absent_and_roles_may_be_empty() {
    let mut without = claims();
    without["roles"] = json!([]);
    without.as_object_mut().unwrap().remove("email");
    without.as_object_mut().unwrap().remove("email_verified");
    let token = ES256.token(&ES256.header().to_string(), &without.to_string());
    let claims = verify(&token).unwrap();
    assert_eq!((claims.email, claims.email_verified), (None, None));
    assert!(claims.roles.is_empty());
}

#[test]
fn an_audience_list_and_unknown_claims_are_accepted() {
    let both = json!(["https://other.example.com", AUDIENCE]);
    assert_eq!(verify(&token_with("aud", both)).unwrap().aud.len(), 2);
    assert!(verify(&token_with("tenant", json!({"id": [1, null]}))).is_ok());
}

#[test]
fn expiry_is_exclusive() {
    assert_eq!(verify(&token_with("exp", json!(NOW))), Err(VerifyError::Expired));
    assert!(verify(&token_with("exp", json!(NOW + 1))).is_ok());
}

#[test]
fn issue_and_start_may_be_now_but_not_later() {
    for name in ["iat", "nbf"] {
        assert!(verify(&token_with(name, json!(NOW))).is_ok(), "{name}");
        let later = token_with(name, json!(NOW + 1));
        assert_eq!(verify(&later), Err(VerifyError::NotYetValid), "{name}");
    }
}

#[test]
fn leeway_moves_every_limit_by_that_much() {
    let lenient = verifier().leeway_seconds(30);
    let at = |token: &str| lenient.verify(token, &ES256.keys(), NOW);
    assert_eq!(at(&token_with("exp", json!(NOW - 30))), Err(VerifyError::Expired));
    assert!(at(&token_with("exp", json!(NOW - 29))).is_ok());
    for name in ["iat", "nbf"] {
        assert!(at(&token_with(name, json!(NOW + 30))).is_ok(), "{name}");
        let later = token_with(name, json!(NOW + 31));
        assert_eq!(at(&later), Err(VerifyError::NotYetValid), "{name}");
    }
}

#[test]
fn a_verifier_forgives_thirty_seconds_unless_told_otherwise() {
    let default = Verifier::new(ISSUER, AUDIENCE);
    let at = |token: &str| default.verify(token, &ES256.keys(), NOW);
    assert!(at(&token_with("iat", json!(NOW + 30))).is_ok());
    assert_eq!(at(&token_with("iat", json!(NOW + 31))), Err(VerifyError::NotYetValid));
}

#[test]
fn a_life_of_a_day_is_the_longest() {
    let longest = NOW - 60 + MAX_LIFETIME_SECONDS;
    assert!(verify(&token_with("exp", json!(longest))).is_ok());
    let longer = verify(&token_with("exp", json!(longest + 1)));
    assert!(matches!(longer, Err(VerifyError::Claims(_))), "{longer:?}");
}

#[test]
fn plain_jwt_is_accepted_only_when_asked_for() {
    let mut header = ES256.header();
    header["typ"] = json!("JWT");
    let token = ES256.token(&header.to_string(), &claims().to_string());
    assert_eq!(verify(&token), Err(VerifyError::Typ));

    let plain = verifier().typ(Typ::Jwt);
    assert!(plain.verify(&token, &ES256.keys(), NOW).is_ok());
    let at_jwt = plain.verify(&good_token(), &ES256.keys(), NOW);
    assert_eq!(at_jwt, Err(VerifyError::Typ));
}

#[test]
fn the_last_times_there_are_do_not_overflow() {
    let lenient = verifier().leeway_seconds(u32::MAX);
    let at = |token: &str, now| lenient.verify(token, &ES256.keys(), now);
    assert_eq!(at(&good_token(), i64::MIN), Err(VerifyError::NotYetValid));
    assert_eq!(at(&good_token(), i64::MAX), Err(VerifyError::Expired));

    let mut claims = claims();
    claims["iat"] = json!(i64::MAX - 60);
    claims["exp"] = json!(i64::MAX);
    let token = ES256.token(&ES256.header().to_string(), &claims.to_string());
    assert!(at(&token, i64::MAX - 1).is_ok());
}
