//! Tokens whose form, encoding or signature is wrong.

use crate::issuer::{EDDSA, ES256, NOW, RS256, claims, encode, good_token, verifier, verify};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD};
use keyward_verify::{KeySet, MAX_TOKEN_BYTES, VerifyError};
use serde_json::json;

/// A truly signed token of parts that are already encoded.
fn signed(header: &str, payload: &str) -> String {
    let input = format!("{header}.{payload}");
    let signature = encode(ES256.sign(&input));
    format!("{input}.{signature}")
}

#[test]
fn every_changed_character_is_refused() {
    let token = good_token();
    let keys = ES256.keys();
    for (place, old) in token.char_indices() {
        for new in ['A', 'B', 'Q', 'g', 'w', '-', '_', '.', '=', '\0', ' '] {
            if new == old {
                continue;
            }
            let mut changed = token.clone();
            changed.replace_range(place..=place, new.encode_utf8(&mut [0; 4]));
            let result = verifier().verify(&changed, &keys, NOW);
            assert!(result.is_err(), "{new:?} at {place}: {changed}");
        }
    }
}

#[test]
fn every_truncation_and_extension_is_refused() {
    let token = good_token();
    let keys = ES256.keys();
    for length in 0..token.len() {
        let (start, rest) = token.split_at(length);
        assert!(verifier().verify(start, &keys, NOW).is_err(), "{start:?}");
        assert_eq!(rest == token, verifier().verify(rest, &keys, NOW).is_ok());
    }
    for extra in ["A", "AA", "AAAA", "=", "==", ".", ".AA", "\n", " ", "\u{e9}"] {
        assert!(verify(&format!("{token}{extra}")).is_err(), "{extra:?}");
        assert!(verify(&format!("{extra}{token}")).is_err(), "{extra:?}");
    }
}

#[test]
fn other_numbers_of_parts_are_malformed() {
    let good = good_token();
    let (input, signature) = good.rsplit_once('.').unwrap();
    let (header, payload) = input.split_once('.').unwrap();
    for token in [
        String::new(),
        header.to_owned(),
        input.to_owned(),
        signed(header, &format!("{payload}.{payload}")),
        format!("{header}.{payload}.{payload}.{payload}.{signature}"),
    ] {
        assert_eq!(verify(&token), Err(VerifyError::Malformed), "{token}");
    }
    for token in ["..", "...", "....", ".a.", "a.."] {
        assert!(verify(token).is_err(), "{token}");
    }
}

#[test]
fn json_serialisation_is_refused() {
    let good = good_token();
    let parts: Vec<_> = good.split('.').collect();
    let flattened = json!({"protected": parts[0], "payload": parts[1], "signature": parts[2]});
    assert!(verify(&flattened.to_string()).is_err());
}

#[test]
fn length_is_limited_before_anything_else() {
    let fill = |length: usize| {
        let mut claims = claims();
        claims["fill"] = json!("f".repeat(length));
        ES256.token(&ES256.header().to_string(), &claims.to_string())
    };
    // Each step of three bytes makes four characters, so some length comes within four of the limit.
    let longest = (5000..6200).rev().map(fill).find(|token| token.len() <= MAX_TOKEN_BYTES).unwrap();
    assert!(longest.len() > MAX_TOKEN_BYTES - 4);
    assert!(verify(&longest).is_ok());
    assert_eq!(verify(&fill(6200)), Err(VerifyError::TooLong));
    assert_eq!(verify(&"A".repeat(MAX_TOKEN_BYTES + 1)), Err(VerifyError::TooLong));
    assert_eq!(verify(&"A".repeat(MAX_TOKEN_BYTES)), Err(VerifyError::Malformed));
}

#[test]
fn other_encodings_are_malformed_even_when_signed() {
    // The blanks after the closing brace make every length modulo three; `>>>` and `???` give `+` and `/`.
    let header = |blanks: &str| ES256.header().to_string() + blanks;
    let payload = |blanks: &str| {
        let mut claims = claims();
        claims["fill"] = json!(">>>???>>>???");
        claims.to_string() + blanks
    };
    let (good_header, good_payload) = (encode(header("")), encode(payload("")));
    assert!(verify(&signed(&good_header, &good_payload)).is_ok());

    let mut refused = 0;
    for blanks in ["", " ", "  "] {
        let (header, payload) = (header(blanks), payload(blanks));
        let other_forms = |text: &str| {
            let plain = encode(text);
            let mut forms = vec![
                URL_SAFE.encode(text),
                STANDARD_NO_PAD.encode(text),
                format!("{plain}\n"),
                format!(" {plain}"),
            ];
            forms.extend(stray_bits(&plain));
            forms.retain(|form| *form != plain);
            forms
        };
        for form in other_forms(&header) {
            let token = signed(&form, &good_payload);
            assert_eq!(verify(&token), Err(VerifyError::Malformed), "{form:?}");
            refused += 1;
        }
        for form in other_forms(&payload) {
            let token = signed(&good_header, &form);
            assert_eq!(verify(&token), Err(VerifyError::Malformed), "{form:?}");
            refused += 1;
        }
    }
    assert!(refused > 18, "{refused}");
}

#[test]
fn a_signature_in_another_encoding_is_malformed() {
    let good = good_token();
    let (input, signature) = good.rsplit_once('.').unwrap();
    let bytes = URL_SAFE_NO_PAD.decode(signature).unwrap();
    let stray = stray_bits(signature).unwrap();
    for form in [URL_SAFE.encode(bytes), stray, format!("{signature}\n")] {
        let token = format!("{input}.{form}");
        assert_eq!(verify(&token), Err(VerifyError::Malformed), "{form:?}");
    }
}

/// The same bytes with a stray bit in the last character, if that has spare bits.
fn stray_bits(encoded: &str) -> Option<String> {
    const ALPHABET: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let (start, last) = encoded.split_at(encoded.len() - 1);
    let value = ALPHABET.find(last)?;
    let next = ALPHABET.get(value + 1..value + 2)?;
    (!encoded.len().is_multiple_of(4)).then(|| format!("{start}{next}"))
}

#[test]
fn a_signature_by_another_key_is_refused() {
    let keys = KeySet::from_keys(&[ES256.jwk(), EDDSA.jwk()]).unwrap();
    let token = EDDSA.token(&ES256.header().to_string(), &claims().to_string());
    let result = verifier().verify(&token, &keys, NOW);
    assert_eq!(result, Err(VerifyError::Signature));
}

#[test]
fn signatures_of_zeros_and_of_other_lengths_are_refused() {
    for signer in [&*ES256, &*EDDSA, &*RS256] {
        let token = signer.token(&signer.header().to_string(), &claims().to_string());
        let (input, signature) = token.rsplit_once('.').unwrap();
        let bytes = URL_SAFE_NO_PAD.decode(signature).unwrap();
        let refused = |bytes: &[u8]| {
            let token = format!("{input}.{}", encode(bytes));
            let result = verifier().verify(&token, &signer.keys(), NOW);
            assert_eq!(result, Err(VerifyError::Signature), "{bytes:?}");
        };
        refused(&[]);
        refused(&vec![0; bytes.len()]);
        refused(&bytes[..bytes.len() - 1]);
        refused(&[&bytes[..], &[0]].concat());
        refused(&[&[0], &bytes[..]].concat());
        refused(&[&bytes[..], &bytes[..]].concat());
    }
}

#[test]
fn an_ecdsa_signature_in_der_is_refused() {
    let good = good_token();
    let (input, signature) = good.rsplit_once('.').unwrap();
    let bytes = URL_SAFE_NO_PAD.decode(signature).unwrap();
    // The leading zero keeps each number positive whatever its first bit.
    let mut der = vec![0x30, 70];
    for number in bytes.chunks(32) {
        der.extend([2, 33, 0]);
        der.extend(number);
    }
    let token = format!("{input}.{}", encode(der));
    assert_eq!(verify(&token), Err(VerifyError::Signature));
}
